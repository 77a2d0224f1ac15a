package cli

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// counters prints on standard error where the capture stands, for SIGUSR1. On a
// screen most of it is there already.
func (r *liveRun) counters() {
	for _, line := range r.counterLines() {
		r.say(line)
	}
}

func (r *liveRun) counterLines() []string {
	rep := r.engine.Report(r.src)
	lines := []string{fmt.Sprintf("%s packets analyzed", text.Number(r.packets))}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, s := range r.capture.Stats() {
		add("%s %s: %s received, %s dropped by the ring, %s by the interface", s.Name, s.State, number(s.Received), number(s.RingDropped), number(s.InterfaceDropped))
	}
	if f := r.kernel.follow; f != nil {
		if s, err := f.Stats(); err != nil {
			add("kernel filter: %v", err)
		} else {
			add("kernel filter: %s passed, %s left out; learnt %s TFTP and %s RPC ports, %s fragmented datagrams; %s pushed out, %s without a place",
				text.Number(s.Passed), text.Number(s.Dropped), text.Number(s.TFTP), text.Number(s.RPC), text.Number(s.Fragments), text.Number(s.Evicted), text.Number(s.Failures))
		}
	} else if r.kernel.what != "" {
		add("kernel filter: %s", r.kernel.what)
	}
	by := make(map[string]int)
	open := 0
	for i := range rep.Nodes {
		by[rep.Nodes[i].Outcome]++
		for k := range rep.Nodes[i].Timeline {
			if rep.Nodes[i].Timeline[k].Outcome == "open" {
				open++
			}
		}
	}
	add("%d nodes: %d stopped, %d in progress, %d unknown, %d booted; %d findings", len(rep.Nodes), by["stopped"], by["in-progress"], by["unknown"], by["booted"], len(rep.Findings))
	c := &rep.Counts
	add("without an answer so far: DHCP %d, TFTP %d, DNS %d, NTP %d, TCP %d; %d transfers under way", c.DHCP4.DiscoverUnanswered+c.DHCP4.RequestUnanswered+c.DHCP6.SolicitUnanswered,
		c.TFTP.Unanswered, c.DNS.Unanswered, c.NTP.Unanswered, c.TCP.SYNUnanswered, open)
	for _, q := range rep.Quality {
		if q.Gate == "bounds" {
			add("%s", q.Detail)
		}
	}
	if r.writer != nil {
		s := r.writer.Stats()
		add("-w %s: %s packets, %s in %d files, %s packets not written", r.writer.Path(), text.Number(s.Packets), text.Size(s.Bytes), s.Files, text.Number(s.NotWritten))
	}
	if r.recorder != nil {
		s := r.recorder.Stats()
		add("flight recorder: %s packets in memory, %d files, %d findings not saved", text.Number(uint64(s.Packets)), s.Files, s.Skipped)
	}
	return lines
}

// number is a count that may be unknown.
func number(c capture.Count) string {
	if !c.Known {
		return "unknown"
	}
	return text.Number(c.N)
}
