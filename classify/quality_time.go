package classify

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/classify/finding"
)

// clockSteps is CQ-CLOCK: nothing is called unanswered across a step.
func (q *quality) clockSteps(c *clock) *limit {
	if c.jumped == 0 {
		return nil
	}
	times := "once"
	if c.jumped > 1 {
		times = fmt.Sprintf("%d times, first", c.jumped)
	}
	j := c.jumps[0]
	return &limit{
		gate: "clock", severity: "warning", hides: true,
		detail: fmt.Sprintf("the capturing clock steps, or the capture pauses, %s by %s at frame %d; nothing is called unanswered across a step", times, span(j.by), j.frame.Number()),
		doubts: func(f *finding.Finding) doubt {
			if (f.Rule.Absence || isTiming(f.Rule.ID)) && c.spans(f.First, f.Last) {
				return withhold
			}
			return noDoubt
		},
	}
}

// isTiming lists the findings that measure a time between two packets.
func isTiming(id string) bool {
	switch id {
	case "dhcp-slow-offer", "ping-check-delay", "l2-port-not-forwarding", "reboot-loop":
		return true
	}
	return false
}

// merge is CQ-MERGE: two interfaces with clocks of their own.
func (q *quality) merge() *limit {
	o := &q.dhcp.offset
	if !o.found() {
		return nil
	}
	of := func(f *finding.Finding) bool { return f.Iface == o.first || f.Iface == o.second }
	return &limit{
		gate: "merge", severity: "warning", hides: true,
		detail: fmt.Sprintf("the same packets come %v later on %s than on %s: the captures' clocks differ, times between packets mean nothing",
			o.by, q.numbered(o.second), q.numbered(o.first)),
		doubts: func(f *finding.Finding) doubt {
			switch {
			case of(f) && isTiming(f.Rule.ID):
				return withhold
			case of(f) && f.Rule.Absence:
				return lessSure
			}
			return noDoubt
		},
	}
}

// numbered names an interface among several.
func (q *quality) numbered(i int) string {
	x := q.iface(i)
	name := fmt.Sprintf("interface %d", i)
	if x.Name != "" {
		name = "interface " + x.Name
	}
	if len(q.files) > 1 && x.File < len(q.files) {
		name += " of " + q.files[x.File].Name
	}
	return name
}

// span is a duration for people: steps of a clock are seconds or years.
func span(d time.Duration) string {
	if days := d.Hours() / 24; days >= 2 || days <= -2 {
		return fmt.Sprintf("%.0f days", days)
	}
	return d.Round(time.Millisecond).String()
}
