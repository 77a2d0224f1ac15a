package classify

import (
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// More conversations than the table holds: one that was pushed out is not taken
// for one that ran before, and a count that may be cut short says so.
func TestCrowdedFlows(t *testing.T) {
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.57"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	fromTheStart, running := new(synth.Capture), new(synth.Capture)
	for round := range 3 {
		for i := range 2 * flowSlots {
			at := time.Duration(round)*500*time.Millisecond + time.Duration(i)*100*time.Microsecond
			s := synth.Segment{Seq: uint32(round), Ack: 1, Flags: wire.ACK}
			running.Add(at, synth.TCP(node, rack, uint16(20000+i), 9999, s))
			if round == 0 {
				s.Flags = wire.SYN
			}
			fromTheStart.Add(at, synth.TCP(node, rack, uint16(20000+i), 9999, s))
		}
	}
	note := func(c *synth.Capture) string {
		for _, q := range analyzed(t, c.Join(), Options{}).Quality {
			if q.Gate == "mid-flow" {
				return q.Detail
			}
		}
		return ""
	}
	if got := note(fromTheStart); got != "" {
		t.Errorf("all from their SYN on: got %q", got)
	}
	if got := note(running); !strings.HasPrefix(got, "at least ") {
		t.Errorf("all without: got %q", got)
	}
}
