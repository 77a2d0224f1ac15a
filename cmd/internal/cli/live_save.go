package cli

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture/record"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/finding"
)

// save writes the packets around each finding that becomes a warning or an
// error: one that gets worse once more, with the frames since; one of several
// nodes once more when they are twice as many.
func (r *liveRun) save(list []classify.FindingNews) {
	for i := range list {
		f := &list[i]
		if !r.worthAFile(f) {
			continue
		}
		path, err := r.recorder.Save(r.incident(&f.Finding))
		switch {
		case errors.Is(err, record.ErrRate):
			r.skip(record.ErrRate, err)
		case errors.Is(err, record.ErrFull):
			r.skip(record.ErrFull, err)
		case err != nil:
			r.say("flight recorder: " + err.Error())
		default:
			r.wrote("flight recorder: "+f.ID+" of "+cmp.Or(several(&f.Finding), f.Node, "the segment"), path)
		}
	}
}

// skip says why findings are not saved, once for each reason in a row.
func (r *liveRun) skip(why, err error) {
	if r.skipped != why {
		r.say("flight recorder: " + err.Error() + "; how many are not saved is told at the end")
	}
	r.skipped = why
}

func (r *liveRun) worthAFile(f *classify.FindingNews) bool {
	more := r.saved.doubled(f)
	return !f.Withdrawn && weight(f.Severity) >= finding.Warning && (f.Was == nil || weight(f.Was.Severity) < weight(f.Severity) || more)
}

// A growth remembers of findings of several nodes how many they were when that
// was told. They become more one by one.
type growth map[string]int

// doubled reports whether f is of twice as many nodes as when it was told last;
// it counts as told then, as it does when it is new.
func (g *growth) doubled(f *classify.FindingNews) bool {
	if len(f.Nodes) == 0 {
		return false
	}
	key := f.Key()
	was, known := (*g)[key]
	switch {
	case f.Withdrawn:
		delete(*g, key)
		return false
	case *g == nil:
		*g = make(growth)
	}
	more := known && len(f.Nodes) >= 2*was
	if !known || more {
		(*g)[key] = len(f.Nodes)
	}
	return more
}

// several names the nodes of a finding of several.
func several(f *classify.Finding) string {
	if len(f.Nodes) == 0 {
		return ""
	}
	return fmt.Sprintf("%d nodes", len(f.Nodes))
}

// wrote tells of a file; where there is little room its name stands first.
func (r *liveRun) wrote(what, path string) {
	if r.screen != nil && r.screen.on.Load() {
		r.say("wrote " + filepath.Base(path) + " in " + filepath.Dir(path))
		return
	}
	r.say(what + " in " + path)
}

func weight(severity string) finding.Severity {
	s, _ := finding.ParseSeverity(severity)
	return s
}

// writeNode writes what the recorder has of a node, with the findings about it.
func (r *liveRun) writeNode(name string) {
	if r.recorder == nil {
		r.say("no file can be made in the directory that this was started in; give --flight-recorder DIR")
		return
	}
	if r.report == nil {
		return
	}
	at := slices.IndexFunc(r.report.Nodes, func(n classify.Node) bool { return n.Name() == name })
	if at < 0 {
		return
	}
	n := &r.report.Nodes[at]
	i := record.Incident{Rule: "packets", Node: name, Summary: n.Verdict, First: r.recorder.Stats().Oldest, Last: r.asked}
	i.MACs, i.Addrs = r.identity(name, nil, nil)
	for k := range r.report.Findings {
		f := &r.report.Findings[k]
		if f.Node == name {
			x := r.incident(f)
			i.Cites = append(i.Cites, x.Cites...)
			i.Servers = append(i.Servers, x.Servers...)
		}
	}
	path, err := r.recorder.Save(i)
	if err != nil {
		r.say(err.Error())
		return
	}
	r.wrote("packets of "+name, path)
}

// identity adds the MACs and addresses of a node.
func (r *liveRun) identity(name string, macs [][6]byte, addrs []netip.Addr) ([][6]byte, []netip.Addr) {
	macs, addrs = appendMAC(macs, name), appendAddr(addrs, name)
	if r.report == nil {
		return macs, addrs
	}
	for i := range r.report.Nodes {
		if n := &r.report.Nodes[i]; n.Name() == name {
			for _, a := range n.Addresses {
				addrs = appendAddr(addrs, a)
			}
		}
	}
	return macs, addrs
}

func appendAddr(list []netip.Addr, text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(list, a) {
		list = append(list, a)
	}
	return list
}

func appendMAC(list [][6]byte, text string) [][6]byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != 6 || strings.Count(text, ":") != 5 {
		return list
	}
	return append(list, [6]byte(b))
}
