package tcp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// met is a decoded segment, with a hash that all others have too.
func met(src, dst synth.Host, sport, dport uint16) *wire.Frame {
	b := synth.TCP(src, dst, sport, dport, synth.Segment{Flags: wire.ACK, Payload: []byte("data")})
	f := new(wire.Frame)
	wire.NewDecoder().Decode(&capture.Packet{ID: 1, Link: capture.LinkEthernet, Data: b, WireLen: len(b)}, f)
	f.Hash = 77
	return f
}

// Streams whose hashes meet are told apart, from either side, of either version
// of IP.
func TestStreamsOfOneHash(t *testing.T) {
	rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.2")
	rack6 := synth.NewHost("52:54:00:00:00:01", "fd00::2")
	var s streams
	var there, back []*wire.Frame
	for i := range streamWays {
		node, server := synth.NewHost("52:54:00:00:00:02", fmt.Sprintf("10.0.0.%d", 50+i)), rack
		if i%2 == 1 {
			node, server = synth.NewHost("52:54:00:00:00:02", fmt.Sprintf("fd00::%d", 50+i)), rack6
		}
		f, b := met(node, server, 40000, 80), met(server, node, 80, 40000)
		s.put(f.Flow(), f)
		there, back = append(there, f), append(back, b)
	}
	for i := range there {
		for d, f := range []*wire.Frame{there[i], back[i]} {
			x, side := s.find(f)
			if x == nil || side != d || s.flow(x) != there[i].Flow() {
				t.Errorf("stream %d from side %d: got %v, side %d", i, d, x, side)
			}
		}
	}
	stranger := met(synth.NewHost("52:54:00:00:00:03", "10.0.0.99"), rack, 40000, 80)
	if x, _ := s.find(stranger); x != nil {
		t.Errorf("got the stream %v for a stranger's segment", s.flow(x))
	}
}

// A tag is found where it stands, and only there.
func TestTags(t *testing.T) {
	near := []uint16{0, 1, 2, 3, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var v tags
		var want [streamWays]uint16
		for way := range want {
			want[way] = near[r.IntN(len(near))]
			v.set(way, near[r.IntN(len(near))])
			v.set(way, want[way])
		}
		tag := near[r.IntN(len(near))]
		found := v.equal(tag)
		for way, x := range want {
			if v.of(way) != x {
				t.Fatalf("%x: got %x in way %d, want %x", v, v.of(way), way, x)
			}
			if got := found>>(way*tagBits)&0xffff == 1<<15; got != (x == tag) {
				t.Fatalf("%x: got %v for %x in way %d", v, got, tag, way)
			}
		}
	}
}
