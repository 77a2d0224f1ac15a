package classify

import (
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// talks remembers what the headers of a packet decide, for both directions of
// the conversations met last: most packets have the headers of one before, and
// need one look-up instead of some ten. Forgetting one costs time and changes no
// result.
type talks struct {
	slots *[1 << talkBits]talk
	once  talk // of frames that are not remembered
}

// talkBits is for how many directions there is room; those of one conversation
// are neighbours.
const talkBits = 13

// A talk is one direction of a conversation, in half of a cache line.
type talk struct {
	hash     uint64 // Frame.Headers; 0: the slot is free
	route    track.Route
	service  catalog.Index
	toServer bool
	follow   bool // the trackers see it
	headers  headers
	role     role
	segment  uint16
}

func newTalks() talks {
	return talks{slots: new([1 << talkBits]talk)}
}

// of is the talk of f. Unless it is known, the caller has to fill it.
func (v *talks) of(f *wire.Frame) (t *talk, known bool) {
	if f.Headers == 0 {
		return &v.once, false
	}
	t = &v.slots[f.Hash>>(64-talkBits)&^1|f.Headers&1]
	if t.hash == f.Headers {
		return t, true
	}
	t.hash = f.Headers
	return t, false
}

// forget makes the next frame with the headers of t be met anew.
func (t *talk) forget() { t.hash = 0 }
