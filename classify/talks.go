package classify

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// talks remembers what the headers of a packet decide, for both directions of
// the conversations met last: most packets have the headers of one before, and
// need one look-up instead of some ten. Forgetting one costs time and changes no
// result.
type talks struct {
	seed  uint64
	slots *[1 << talkBits]talk
	once  talk // of frames that are not remembered
}

// talkBits is for how many directions there is room; those of one conversation
// are neighbours.
const talkBits = 13

// A talk is one direction of a conversation. It is half of a cache line, so the
// headers are compared by a hash of 64 bits, with a secret of this process: no
// two of a capture have the same, unless by a chance that does not come.
type talk struct {
	hash     uint64 // of the headers; 0: the slot is free
	route    track.Route
	service  catalog.Index
	toServer bool
	follow   bool // the trackers see it
	headers  headers
	role     role
	segment  uint16
}

func newTalks() talks {
	return talks{seed: rand.Uint64(), slots: new([1 << talkBits]talk)}
}

// of is the talk of f. Unless it is known, the caller has to fill it.
func (v *talks) of(f *wire.Frame) (t *talk, known bool) {
	if f.Hash == 0 || f.Fragment != wire.Whole || f.Stop != wire.StopNone { // a fragment may lack its ports
		return &v.once, false
	}
	from, to := binary.LittleEndian.Uint64(f.Src[8:])^uint64(f.SrcPort)<<16, binary.LittleEndian.Uint64(f.Dst[8:])^uint64(f.DstPort)<<16
	h := track.Mix(v.seed+uint64(f.Iface)<<32+uint64(f.Link), from, f.Hash) // with from, Hash stands for to, but for half of IPv6
	if f.IPVersion == 6 {
		h = track.Mix(h, binary.LittleEndian.Uint64(f.Src[:]), binary.LittleEndian.Uint64(f.Dst[:]))
	}
	h = track.Mix(h, uint64(f.VLAN())<<48|f.SrcMAC.Uint64(), uint64(f.Proto)<<48|f.DstMAC.Uint64()) | 1
	_, second := bits.Sub64(to, from, 0) // without a branch: nobody can predict it
	t = &v.slots[f.Hash>>(64-talkBits)&^1|second&1]
	if t.hash == h {
		return t, true
	}
	t.hash = h
	return t, false
}

// forget makes the next frame with the headers of t be met anew.
func (t *talk) forget() { t.hash = 0 }
