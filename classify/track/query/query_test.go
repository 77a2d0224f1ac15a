package query

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

var (
	node   = synth.NewHost("52:54:00:00:00:10", "10.0.0.16")
	server = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	node6  = synth.NewHost("52:54:00:00:00:10", "fe80::10")
	relay6 = synth.NewHost("33:33:00:01:00:02", "ff02::1:2")
)

func dnsMessage(id uint16, reply bool, name string, qtype uint16) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint16(b, id)
	if reply {
		b[2] = 0x80
	}
	b[5] = 1
	b = append(append(b, byte(len(name))), name...)
	return append(b, 0, byte(qtype>>8), byte(qtype), 0, 1)
}

func ntpMessage(mode byte, origin, transmit uint64) []byte {
	b := make([]byte, 48)
	b[0] = 4<<3 | mode
	binary.BigEndian.PutUint64(b[24:], origin)
	binary.BigEndian.PutUint64(b[40:], transmit)
	return b
}

func TestCounts(t *testing.T) {
	q := func(id uint16, name string) []byte {
		return synth.UDP(node, server, 40000, 53, dnsMessage(id, false, name, 1))
	}
	a := func(id uint16, name string) []byte {
		return synth.UDP(server, node, 53, 40000, dnsMessage(id, true, name, 1))
	}
	solicit := func(xid byte) []byte { return synth.UDP(node6, relay6, 546, 547, []byte{1, 0, 0, xid}) }
	advertise := func(xid byte) []byte { return synth.UDP(relay6, node6, 547, 546, []byte{2, 0, 0, xid}) }
	tcp := append([]byte{0, 0}, dnsMessage(9, false, "big", 1)...)
	binary.BigEndian.PutUint16(tcp, uint16(len(tcp)-2))
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   func(track.Counts) (got, want [4]uint64)
	}{
		{"a retry is a query, not another exchange", [][]byte{q(1, "a"), q(1, "A"), q(2, "b"), a(2, "b")}, dnsCounts(3, 1)},
		{"another question under the same id", [][]byte{q(1, "a"), q(1, "b")}, dnsCounts(2, 2)},
		{"the reply stands before its query", [][]byte{a(1, "a"), q(1, "a")}, dnsCounts(1, 0)},
		{"over TCP", [][]byte{synth.TCP(node, server, 40001, 53, synth.Segment{Flags: wire.ACK, Payload: tcp})}, dnsCounts(1, 1)},
		{"ntp pairs by timestamp, not by port", [][]byte{
			synth.UDP(node, server, 123, 123, ntpMessage(3, 0, 7)), synth.UDP(server, node, 123, 123, ntpMessage(4, 7, 9)),
			synth.UDP(node, server, 123, 123, ntpMessage(3, 0, 8)), synth.UDP(server, node, 123, 123, ntpMessage(5, 0, 8)),
		}, func(c track.Counts) ([4]uint64, [4]uint64) {
			return [4]uint64{c.NTP.Requests, c.NTP.Unanswered}, [4]uint64{2, 1}
		}},
		{"dhcp6, and through a relay", [][]byte{
			solicit(1), solicit(1), solicit(2), advertise(2),
			synth.UDP(relay6, node6, 547, 547, append(append([]byte{12, 0}, make([]byte, 32)...), 0, 9, 0, 4, 1, 0, 0, 3)),
		}, func(c track.Counts) ([4]uint64, [4]uint64) {
			return [4]uint64{c.DHCP6.Messages["SOLICIT"], c.DHCP6.Messages["RELAY-FORW"], c.DHCP6.SolicitUnanswered}, [4]uint64{3, 1, 2}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p synth.Capture
			for i, f := range c.frames {
				p.Add(time.Duration(i)*time.Second, f)
			}
			if got, want := c.want(tracktest.Run(t, &p, nil, Spec).Counts); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func dnsCounts(queries, unanswered uint64) func(track.Counts) ([4]uint64, [4]uint64) {
	return func(c track.Counts) ([4]uint64, [4]uint64) {
		return [4]uint64{c.DNS.Queries, c.DNS.Unanswered}, [4]uint64{queries, unanswered}
	}
}

// A relay message in a relay message without end is no reason to recurse.
func TestRelayDepth(t *testing.T) {
	m := []byte{1, 0, 0, 1}
	for range 100 {
		m = append(append(append([]byte{12, 0}, make([]byte, 32)...), 0, 9, byte(len(m)>>8), byte(len(m))), m...)
	}
	if got := relayed(m); got != nil {
		t.Errorf("got %d bytes, want nil beyond %d hops", len(got), hopLimit)
	}
}

func TestNoAllocation(t *testing.T) {
	tr := newTracker()
	var out track.Out
	frame := func(raw []byte) *wire.Frame {
		var f wire.Frame
		wire.NewDecoder().Decode(&capture.Packet{ID: 1, Link: capture.LinkEthernet, Data: raw, WireLen: len(raw)}, &f)
		return &f
	}
	q := frame(synth.UDP(node, server, 40000, 53, dnsMessage(1, false, "a", 1)))
	a := frame(synth.UDP(server, node, 53, 40000, dnsMessage(1, true, "a", 1)))
	tr.Frame(q, &out)
	if n := testing.AllocsPerRun(100, func() { tr.Frame(q, &out); tr.Frame(a, &out) }); n != 0 {
		t.Errorf("got %v allocations a frame, want 0", n)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(uint16(53), false, dnsMessage(1, false, "a", 1))
	f.Add(uint16(53), true, append([]byte{0, 19}, dnsMessage(1, false, "a", 1)...))
	f.Add(uint16(123), false, ntpMessage(3, 1, 2))
	f.Add(uint16(547), false, []byte{12, 0, 0, 0})
	f.Fuzz(func(t *testing.T, port uint16, tcp bool, p []byte) {
		tr := newTracker()
		fr := &wire.Frame{Proto: wire.ProtoUDP, SrcPort: 1024, DstPort: port, Payload: p, PayloadLen: len(p)}
		if tcp {
			fr.Proto = wire.ProtoTCP
		}
		for range 3 {
			tr.Frame(fr, nil)
		}
		var c track.Counts
		tr.Count(&c)
		if c.DNS.Unanswered > c.DNS.Queries || c.NTP.Unanswered > c.NTP.Requests {
			t.Fatalf("more unanswered than asked: %+v", c)
		}
	})
}
