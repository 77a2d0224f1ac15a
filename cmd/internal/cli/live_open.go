package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/record"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/cmd/internal/privilege"
)

func isTTY(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// open opens everything that needs a right, in the order in which a refusal
// tells most, and gives the rights up.
func (r *liveRun) open(opt classify.Options) (err error) {
	if err := r.areUp(); err != nil {
		return err
	}
	if r.kernel, err = r.o.kernel(r.choice.only, opt); err != nil {
		return err
	}
	c := r.choice.capture
	c.Filter, c.Notice = r.kernel.Filter, r.say
	if r.capture, err = live.Open(c); err != nil {
		return err
	}
	if r.kernel.loses != "" && !r.o.look.quiet {
		r.say(r.kernel.loses)
	}
	r.src = r.capture
	if r.kernel.only != nil {
		r.kept = newFiltered(r.capture, r.kernel.only)
		r.src = r.kept
	}
	r.ifaces = r.src.Interfaces()
	if err := r.openFiles(); err != nil {
		return err
	}
	if err := r.drop(); err != nil {
		return err
	}
	r.teller = newTeller(r)
	opt.OnExchange = func(x *track.Exchange) { r.teller.exchange(x) }
	r.engine = classify.New(opt)
	if r.choice.format == "screen" {
		r.screen = newLiveScreen(r)
		return nil
	}
	if !r.o.look.quiet {
		what := ""
		if r.kernel.what != "" {
			what = "; kernel filter: " + r.kernel.what
		}
		r.say("capturing on " + strings.Join(r.o.ifaces, ", ") + what)
	}
	return nil
}

// areUp refuses interfaces of which none can bring a packet: all are down. One
// among others is waited for.
func (r *liveRun) areUp() error {
	list, err := live.Devices(r.o.netns)
	if err != nil {
		return nil //nolint:nilerr // Open says what is wrong
	}
	state := make(map[string]string)
	for _, d := range list {
		state[d.Name] = d.State
	}
	for _, name := range r.o.ifaces {
		if state[name] != "down" {
			return nil
		}
	}
	ip := "ip"
	if r.o.netns != "" && !strings.Contains(r.o.netns, "/") {
		ip = "ip -n " + r.o.netns
	}
	return &statusError{status: ExitUnreadable, err: fmt.Errorf("%s: interface is down", strings.Join(r.o.ifaces, ", ")),
		hint: "bring it up: " + ip + " link set " + r.o.ifaces[0] + " up"}
}

// openFiles opens what is going to be written.
func (r *liveRun) openFiles() (err error) {
	section := pcapfile.Section{Application: "pxescope " + version()}
	if r.choice.write.Path != "" {
		w := r.choice.write
		w.Section, w.Interfaces, w.Notice = section, r.ifaces, r.say
		if r.writer, err = record.Create(w); err != nil {
			return fileError("-w", err)
		}
	}
	dir := r.o.recorder
	if r.saves = dir != ""; !r.saves {
		if r.choice.format != "screen" {
			return nil
		}
		if dir, err = filepath.Abs("."); err != nil {
			return fileError("flight recorder", err)
		}
	}
	if r.recorder, err = record.NewRecorder(dir, record.RecorderOptions{Section: section}); err != nil {
		return fileError("--flight-recorder", err)
	}
	return nil
}

// fileError is for a file or directory that cannot be written.
func fileError(flag string, err error) error {
	e := &statusError{status: ExitUsage, err: fmt.Errorf("%s: %w", flag, err)}
	switch {
	case errors.Is(err, os.ErrPermission):
		e.status = ExitPermission
	case errors.Is(err, os.ErrNotExist):
		e.hint = "make the directory first"
	}
	return e
}

// drop gives up every right that is not needed any more. What is kept: what is
// open, the directories of -w and the flight recorder, the files of --site and
// --catalog.
func (r *liveRun) drop() error {
	needs := privilege.Needs{User: r.o.user, ReadFiles: slices.Clone(r.o.place.catalogs)}
	if r.o.place.site != "" {
		needs.ReadFiles = append(needs.ReadFiles, r.o.place.site)
	}
	if r.writer != nil {
		needs.WriteDirs = append(needs.WriteDirs, r.writer.Dirs()...)
	}
	if r.recorder != nil {
		needs.WriteDirs = append(needs.WriteDirs, r.recorder.Dirs()...)
	}
	if r.o.user != "" && r.writer != nil {
		u, err := privilege.Lookup(r.o.user)
		if err != nil {
			return usage("-Z: %v", err)
		}
		if err := r.writer.Chown(u.UID, u.GID); err != nil {
			return fileError("-Z", err)
		}
	}
	done, err := privilege.Drop(needs)
	if err != nil {
		return &statusError{status: ExitPermission, err: fmt.Errorf("give up privileges: %w", err)}
	}
	if r.o.look.verbose > 0 {
		for _, line := range done {
			r.say(line)
		}
	}
	if r.writer != nil {
		if err := r.writer.Ready(); err != nil {
			return fileError("-w", err)
		}
	}
	if r.recorder != nil {
		if err := r.recorder.Ready(); err != nil {
			if r.saves {
				return fileError("--flight-recorder", err)
			}
			r.recorder.Close() // of the screen alone: its key says so
			r.recorder = nil
		}
	}
	return nil
}

// mostSaved is of how many nodes of one finding packets are saved: the others
// show the same.
const mostSaved = 32

// incident is a finding as the flight recorder needs it.
func (r *liveRun) incident(f *classify.Finding) record.Incident {
	i := record.Incident{Rule: f.ID, Node: f.Node, Summary: f.Title + ": " + f.Summary, First: capture.Time(f.First), Last: capture.Time(f.Last)}
	nodes := f.Nodes[:min(len(f.Nodes), mostSaved)]
	if f.Node != "" {
		nodes = []string{f.Node}
	} else if len(nodes) > 0 {
		i.Node = several(f)
	}
	for _, name := range nodes {
		i.MACs, i.Addrs = r.identity(name, i.MACs, i.Addrs)
	}
	i.Servers = appendAddr(nil, f.Server)
	for n, frame := range f.Frames {
		file := f.File
		if f.Files != nil {
			file = f.Files[n]
		}
		i.Cites = append(i.Cites, record.Cite{Frame: capture.NewFrameID(file, frame), Text: f.ID + ": " + f.Summary})
	}
	return i
}
