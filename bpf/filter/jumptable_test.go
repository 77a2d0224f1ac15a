package filter

import (
	"encoding/binary"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// The predicate decides ports by tables: on every port it agrees with the
// program, which does not.
func TestJumpTables(t *testing.T) {
	f := must(Build(&Request{Phase: catalog.Provisioning}))
	m, p := must(NewMatcher(f.Expr, capture.LinkEthernet)), must(Compile(f.Expr, Ethernet))
	has := 0
	for _, s := range m.steps {
		if s.jump != nil {
			has++
		}
	}
	if has == 0 || has > maxTables {
		t.Errorf("got %d tables, want 1 to %d", has, maxTables)
	}
	a, b := synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	var c synth.Capture
	c.Dial(0, a, 49300, b, 22).Open()
	for name, data := range map[string][]byte{"udp": synth.UDP(a, b, 49300, 22, make([]byte, 40)), "tcp": c.Packets[0].Data} {
		kept := 0
		for _, at := range []int{12, 34, 36} { // Ethernet type, source and destination port
			frame := append([]byte(nil), data...)
			for v := range 65536 {
				binary.BigEndian.PutUint16(frame[at:], uint16(v))
				got, want := m.Match(frame, len(frame)), execute(p, frame, len(frame), beside{}) != 0
				if got != want {
					t.Fatalf("%s: %d at byte %d: got %v, want %v", name, v, at, got, want)
				}
				if got {
					kept++
				}
			}
		}
		if kept < 20 {
			t.Errorf("%s: kept %d, the sample proves nothing", name, kept)
		}
	}
}
