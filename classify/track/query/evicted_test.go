package query_test

import (
	"net/netip"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
)

// On a busy name server answered questions make room for new ones: nothing is
// lost, and the report does not say that something was. Unanswered ones are.
func TestEvicted(t *testing.T) {
	client, server := synth.NewHost("52:54:00:00:00:07", "10.0.0.7"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	message := func(id int, flags byte) []byte { // RFC 1035 section 4.1: one question for an address of "pxe"
		return []byte{byte(id >> 8), byte(id), flags, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'p', 'x', 'e', 0, 0, 1, 0, 1}
	}
	const n = 20_000
	for _, answered := range []bool{true, false} {
		e := classify.New(classify.Options{})
		c := &synth.Capture{}
		src := c.Source("dns.pcap")
		p := capture.Packet{Link: capture.LinkEthernet, Time: synth.Start}
		frame := func(b []byte) {
			p.ID++
			p.Time++
			p.Data, p.WireLen = b, len(b)
			e.Packet(&p)
		}
		for i := range n {
			from := client
			from.IP = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			frame(synth.UDP(from, server, 40000, 53, message(i, 0)))
			if answered {
				frame(synth.UDP(server, from, 53, 40000, message(i, 0x80)))
			}
		}
		said := false
		for _, q := range e.Report(src).Quality {
			said = said || q.Gate == "bounds"
		}
		if said == answered {
			t.Errorf("answered %v: that entries were dropped is said: %v", answered, said)
		}
	}
}
