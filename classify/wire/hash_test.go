package wire_test

import (
	"fmt"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// The hash of a conversation is that of both directions and of no other, and
// frames without ports have none.
func TestHash(t *testing.T) {
	d := wire.NewDecoder()
	hash := func(frame []byte) uint64 {
		var f wire.Frame
		d.Decode(packet(capture.LinkEthernet, frame), &f)
		return f.Hash
	}
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	there, back := hash(synth.UDP(node, rack, 1000, 1001, nil)), hash(synth.UDP(rack, node, 1001, 1000, nil))
	if there == 0 || there != back {
		t.Errorf("got %x there and %x back, want one hash", there, back)
	}
	if swapped := hash(synth.UDP(node, rack, 1001, 1000, nil)); swapped == there {
		t.Error("got one hash for ports that changed sides")
	}
	// Addresses and ports that count up on both sides are all told apart.
	seen := make(map[uint64]bool)
	for i := range uint16(200) {
		for j := range uint16(20) {
			h := synth.NewHost("52:54:00:00:00:01", fmt.Sprintf("10.0.1.%d", i))
			seen[hash(synth.TCP(h, rack, 40000+i+j, 80+j, synth.Segment{}))] = true
		}
	}
	if len(seen) != 200*20 {
		t.Errorf("got %d hashes of %d conversations", len(seen), 200*20)
	}
	if h := hash(synth.ARP(1, node, rack)); h != 0 {
		t.Errorf("got %x for ARP, want 0", h)
	}
}

// Headers tells apart whatever differs above a payload and below it, whichever way
// a frame is decoded, and its lowest bit the two directions.
func TestHeaders(t *testing.T) {
	d := wire.NewDecoder()
	headers := func(p *capture.Packet) uint64 {
		var f wire.Frame
		d.Decode(p, &f)
		d.Decode(p, &f) // the express way, where there is one, once f is tidy
		return f.Headers
	}
	of := func(b []byte) uint64 { return headers(packet(capture.LinkEthernet, b)) }
	other := func(mac, ip string) synth.Host { return synth.NewHost(mac, ip) }
	for family, ip := range map[string][3]string{
		"IPv4":                       {"10.0.0.1", "10.0.0.2", "10.0.0.3"},
		"IPv6":                       {"2001:db8::1", "2001:db8::2", "2001:db8::3"},
		"IPv6, the upper half alone": {"2001:db8::1", "2001:db8::2", "2001:db8:1::1"},
	} {
		const mac, mac2, mac3 = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
		a, b, c := other(mac, ip[0]), other(mac2, ip[1]), other(mac, ip[2])
		data := synth.Segment{Seq: 7, Ack: 9, Flags: wire.ACK, Payload: []byte("data")}
		same := of(synth.TCP(a, b, 1000, 1001, data))
		if got := of(synth.TCP(a, b, 1000, 1001, synth.Segment{Flags: wire.SYN})); got != same || got == 0 {
			t.Errorf("%s: got %x of a SYN and %x of data, want one", family, got, same)
		}
		back := of(synth.TCP(b, a, 1001, 1000, data))
		if same&1 == back&1 {
			t.Errorf("%s: got %x there and %x back, want another lowest bit", family, same, back)
		}
		onIface, onLink := packet(capture.LinkEthernet, synth.TCP(a, b, 1000, 1001, data)), packet(capture.LinkRaw, synth.TCP(a, b, 1000, 1001, data)[14:])
		onIface.Iface = 1
		seen := map[uint64]string{same: "itself"}
		for name, h := range map[string]uint64{
			"back":            back,
			"UDP":             of(synth.UDP(a, b, 1000, 1001, nil)),
			"source port":     of(synth.TCP(a, b, 1002, 1001, data)),
			"destination":     of(synth.TCP(a, c, 1000, 1001, data)),
			"source":          of(synth.TCP(c, b, 1000, 1001, data)),
			"both ports":      of(synth.TCP(a, b, 1001, 1000, data)),
			"source MAC":      of(synth.TCP(other(mac3, ip[0]), b, 1000, 1001, data)),
			"destination MAC": of(synth.TCP(a, other(mac3, ip[1]), 1000, 1001, data)),
			"VLAN":            of(synth.IP{Tags: []uint16{5}}.TCP(a, b, 1000, 1001, data)),
			"another VLAN":    of(synth.IP{Tags: []uint16{6}}.TCP(a, b, 1000, 1001, data)),
			"interface":       headers(onIface),
			"link type":       headers(onLink),
		} {
			if seen[h] != "" || h == 0 {
				t.Errorf("%s: %s: got %x, as %s", family, name, h, seen[h])
			}
			seen[h] = name
		}
		if got := of(synth.IP{Tags: []uint16{0}}.TCP(a, b, 1000, 1001, data)); got != same {
			t.Errorf("%s: got %x with a priority tag, want %x", family, got, same)
		}
	}
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	udp := synth.UDP(node, rack, 1000, 1001, make([]byte, 64))
	first := append([]byte(nil), udp...)
	first[20] = 0x20 // more fragments
	for name, b := range map[string][]byte{"ARP": synth.ARP(1, node, rack), "a fragment": first, "half a header": udp[:38]} {
		if h := of(b); h != 0 {
			t.Errorf("%s: got %x, want 0", name, h)
		}
	}
}
