package cli

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
)

// filtered yields the packets of a source that match an expression, under
// their own frame numbers. Its interfaces say that they were captured with the
// expression, so that nobody takes what it left out for what did not happen.
type filtered struct {
	capture.Source
	expr    *filter.Expr
	text    string
	match   [capture.LinkSLL2 + 1]*filter.Matcher
	refused map[capture.LinkType]*refusedLink
	scratch []byte
}

// A refusedLink is a link type on which the expression has no meaning.
type refusedLink struct {
	err     error
	packets uint64
}

// newFiltered makes the matchers of link types when packets need them.
func newFiltered(src capture.Source, e *filter.Expr) *filtered {
	return &filtered{Source: src, expr: e, text: e.String(), refused: make(map[capture.LinkType]*refusedLink)}
}

// Next yields the next packet that matches, or a tick.
func (f *filtered) Next(p *capture.Packet) error {
	for {
		if err := f.Source.Next(p); err != nil {
			return err
		}
		if p.Tick() {
			return nil
		}
		var m *filter.Matcher
		if int(p.Link) < len(f.match) {
			m = f.match[p.Link]
		}
		if m == nil {
			if m = f.matcher(p.Link); m == nil {
				continue
			}
		}
		data, wireLen := p.Data, p.WireLen
		if p.VLAN.Present {
			data, wireLen = f.tagged(p)
		}
		if m.Match(data, wireLen) {
			return nil
		}
	}
}

// tagged is a packet of Ethernet with the tag that the kernel delivered beside
// it, where the wire had it: expressions are about the wire.
func (f *filtered) tagged(p *capture.Packet) (data []byte, wireLen int) {
	const macs = 12
	if p.Link != capture.LinkEthernet || len(p.Data) < macs {
		return p.Data, p.WireLen
	}
	f.scratch = append(f.scratch[:0], p.Data[:macs]...)
	f.scratch = binary.BigEndian.AppendUint16(f.scratch, p.VLAN.TPID)
	f.scratch = binary.BigEndian.AppendUint16(f.scratch, p.VLAN.TCI)
	f.scratch = append(f.scratch, p.Data[macs:]...)
	return f.scratch, p.WireLen + 4
}

// matcher makes the matcher of a link type, or counts a packet without one.
func (f *filtered) matcher(l capture.LinkType) *filter.Matcher {
	if r := f.refused[l]; r != nil {
		r.packets++
		return nil
	}
	m, err := filter.NewMatcher(f.expr, l)
	if err != nil || int(l) >= len(f.match) {
		f.refused[l] = &refusedLink{err, 1}
		return nil
	}
	f.match[l] = m
	return m
}

// Interfaces are those of the source, with the expression beside a capture
// filter that the file tells of.
func (f *filtered) Interfaces() []capture.Interface {
	list := slices.Clone(f.Source.Interfaces())
	for i := range list {
		if list[i].Filter == "" {
			list[i].Filter = f.text
		} else {
			list[i].Filter = "(" + list[i].Filter + ") and (" + f.text + ")"
		}
	}
	return list
}

// warn tells of packets that were left out because the expression could not
// be tried on them.
func (f *filtered) warn(w io.Writer) {
	for _, l := range slices.Sorted(maps.Keys(f.refused)) {
		r := f.refused[l]
		fmt.Fprintf(w, "pxescope: --filter left out %d packets of link type %s: %v\n", r.packets, l, r.err)
	}
}
