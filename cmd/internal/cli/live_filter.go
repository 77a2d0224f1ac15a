package cli

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/bpf/follow"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
)

// A kernelFilter is what runs in the kernel, and what of --filter has to be
// done behind it.
type kernelFilter struct {
	live.Filter
	follow *follow.Filter // nil: none
	only   *filter.Expr   // what Filter does not do of --filter
	what   string         // in words, for the screen and SIGUSR1
	loses  string         // a line for standard error
}

// kernel chooses the filter: for a phase the stateful one, else the classic one
// of 'pxescope filter --phase'; without a phase what --filter says.
func (o *liveOptions) kernel(only *filter.Expr, opt classify.Options) (k kernelFilter, err error) {
	k.only = only
	kind := o.kernelFilter
	if o.place.phase == "" {
		if only == nil || kind == filterNone {
			return k, nil
		}
		k.Classic, k.Text, k.what, k.only = compiler(only, o.snapLen), only.String(), only.String(), nil
		return k, nil
	}
	if kind == filterNone {
		return k, nil
	}
	if kind == filterAuto && o.engine == live.EngineLibpcap {
		kind = filterClassic
	}
	if kind != filterClassic {
		k.follow, err = follow.Load(follow.Config{Catalog: opt.Catalog, Phase: o.place.phase, Platform: o.place.platform, SnapLen: uint32(o.snapLen)})
		if err == nil {
			k.ProgFD, k.what = k.follow.FD(), o.place.phase+", stateful"
			return k, nil
		}
		if kind == filterStateful {
			return k, followError(err)
		}
	}
	why := err
	f, err := filter.Build(&filter.Request{Catalog: opt.Catalog, Phase: catalog.Phase(o.place.phase), Platform: catalog.Platform(o.place.platform),
		Complete: true, Expr: only, Live: true})
	if err != nil {
		return k, refusal("", err)
	}
	k.Classic, k.Text, k.what, k.only = compiler(f.Expr, o.snapLen), f.Text, o.place.phase+", classic", nil
	var lost []string
	for _, c := range f.Caveats {
		if c.ID == "rpc-tcp" || c.ID == "tunnels" { // the others say what passes besides
			lost = append(lost, c.Text)
		}
	}
	k.loses = "the kernel filter keeps no state"
	if why != nil {
		k.loses += " (" + why.Error() + ")"
	}
	if len(lost) > 0 {
		k.loses += ": " + strings.Join(lost, "; ")
	}
	return k, nil
}

// compiler makes programs of an expression for link types.
func compiler(e *filter.Expr, snapLen int) func(capture.LinkType) ([]bpf.RawInstruction, error) {
	return func(l capture.LinkType) ([]bpf.RawInstruction, error) {
		return filter.Compile(e, filter.Target{Link: l, Live: true, Snaplen: uint32(snapLen)})
	}
}

// followError is for a stateful filter that was asked for and cannot be had.
func followError(err error) error {
	e := &statusError{status: ExitUnreadable, err: fmt.Errorf("--kernel-filter stateful: %w", err)}
	var told *follow.Error
	if errors.As(err, &told) {
		e.hint = told.Hint
	}
	if errors.Is(err, follow.ErrPermission) {
		e.status = ExitPermission
	}
	return e
}
