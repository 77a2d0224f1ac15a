package classify

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// others are the limits that touch no finding: trackers heed them themselves.
func (q *quality) others(c *clock, copies *track.Copies, open int, evicted map[string]uint64, dropped uint64) []*limit {
	var l []*limit
	add := func(gate, severity, format string, args ...any) {
		l = append(l, &limit{gate: gate, severity: severity, detail: fmt.Sprintf(format, args...)})
	}
	packets, cut, cooked := q.overflow.packets, uint64(0), uint64(0)
	for _, s := range q.segments {
		packets += s.packets
		cut += s.cut
		cooked += s.cooked
	}
	if q.midFlow > 0 {
		least := ""
		if q.flows.crowded {
			least = "at least "
		}
		add("mid-flow", "note", "%s%s running already when the capture began; what came before is unknown, not missing", least, finding.Count(q.midFlow, "conversation was", "conversations were"))
	}
	if open > 0 {
		add("ends-early", "note", "%s still within the grace of an answer when the capture ended: open, not unanswered", finding.Count(open, "exchange was", "exchanges were"))
	}
	if cut > 0 {
		add("snaplen", "note", "%d of %d packets are cut, the longest at %d bytes; what lies beyond the cut is unknown, not missing", cut, packets, q.snap)
	}
	if c.outOfOrder > 0 {
		add("clock", "note", "%s out of time order by up to %v, as several capture queues make it; read in file order", finding.Count(c.outOfOrder, "packet is", "packets are"), c.most)
	}
	if n, asked := copies.Share(); asked > 0 && float64(n) > q.t.DuplicateShare*float64(asked) {
		add("duplicates", "note", "%d of %d control packets are copies (SPAN port of both directions, several interfaces); each was judged once", n, asked)
	}
	if n := copies.Of(track.Routed); n > 0 {
		add("routed-copy", "note", "%s seen before and after a router, with another TTL or MAC; each was judged once", finding.Count(n, "packet was", "packets were"))
	}
	if n := copies.Of(track.Trunk); n > 0 {
		add("trunk", "note", "%s seen both with and without a VLAN tag; each was judged once", finding.Count(n, "packet was", "packets were"))
	}
	if n := q.dhcp.relayTwice; n > 0 {
		add("relay-twice", "note", "%s seen on both sides of a relay agent; each is one transaction", finding.Count(n, "DHCP transaction was", "DHCP transactions were"))
	}
	if cooked > 0 {
		add("any-interface", "note", "captured on \"any\" (cooked): destination MACs are missing and packets may appear once per interface")
	}
	for name, n := range evicted {
		add("bounds", "note", "%s: %s dropped because a table was full", name, finding.Count(n, "entry was", "entries were"))
	}
	if dropped > 0 {
		add("bounds", "note", "%s beyond the limit of %d dropped", finding.Count(dropped, "finding was", "findings were"), maxFindings)
	}
	for _, f := range q.files {
		if f.Damage != "" || f.Truncated {
			add("damage", "warning", "%s: %s; everything before it was analyzed", f.Name, damage(f))
		}
	}
	return l
}

func damage(f capture.FileInfo) string {
	if f.Damage != "" {
		return f.Damage
	}
	return fmt.Sprintf("the file ends inside packet %d", f.Packets+1)
}
