package classify

import (
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

// A file that says when capturing ended shows the silence until then: what the
// capture itself told as unanswered is no less so in what it wrote.
func TestQuietEnd(t *testing.T) {
	c := &synth.Capture{}
	for i := range 5 {
		c.Add(time.Duration(i)*4*time.Second, synth.PXERom("d4:ae:52:00:07:01").Discover(7, 0).Broadcast())
	}
	plain := c.Source("x")
	var p capture.Packet
	for plain.Next(&p) == nil {
	}
	last := p.Time
	for _, x := range []struct {
		name string
		end  capture.Time
		want string
	}{
		{"unknown", 0, "3 DISCOVERs by PXE firmware, no OFFER within 13.0 s"},
		{"before the last packet", last.Add(-time.Minute), "3 DISCOVERs by PXE firmware, no OFFER within 13.0 s"},
		{"a minute later", last.Add(time.Minute), "5 DISCOVERs by PXE firmware, no OFFER within 21.0 s"},
		{"never", capture.Time(1<<63 - 1), "5 DISCOVERs by PXE firmware, no OFFER within 21.0 s"},
	} {
		c.Ifaces = []capture.Interface{{Name: "eth0", Link: capture.LinkEthernet, End: x.end}}
		r := analyzed(t, c, Options{})
		if len(r.Nodes) != 1 || r.Nodes[0].Verdict != "stopped at DHCP: "+x.want {
			t.Errorf("%s: got %+v", x.name, r.Nodes)
		}
	}
}
