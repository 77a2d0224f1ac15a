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
