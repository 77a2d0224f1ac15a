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
type talks [1 << talkBits]talk

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

// of is the talk of f. Unless it is met, what f's headers decide is still to be
// found, and it is another conversation's, or of frames that are not remembered.
func (v *talks) of(f *wire.Frame) *talk {
	return &v[f.Hash>>(64-talkBits)&^1|f.Headers&1]
}

func (t *talk) met(f *wire.Frame) bool { return t.hash == f.Headers && f.Headers != 0 }

// forget makes the next frame with the headers of t be met anew.
func (t *talk) forget() { t.hash = 0 }
