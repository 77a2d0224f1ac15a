package wire

import (
	"bytes"
	"math/bits"

	"github.com/pxescope/pxescope/capture"
)

// A datagram is the payload of one fragmented IP datagram as far as it was
// seen. got has a bit for each 8 bytes.
type datagram struct {
	key    fragKey
	state  datagramState
	proto  uint8 // of the first fragment
	cut    bool  // a fragment was shortened by the snap length
	serial uint32
	since  capture.Time // of the first fragment that was seen, or of completion
	end    int          // length, 0 while the last fragment is missing
	high   int          // end of the highest fragment seen
	buf    []byte       // full length, as allocated
	got    [(maxDatagram/block + 64) / 64]uint64
	head   [headLen]byte // first bytes of a complete datagram
}

type datagramState uint8

// The order is the order in which slots are taken for new datagrams.
const (
	unused datagramState = iota
	incomplete
	complete // a mark without data
)

// start makes g an empty datagram.
func (g *datagram) start(k *fragKey, serial uint32, now capture.Time) {
	clear(g.got[:(blocks(g.high)+63)/64])
	g.key, g.serial, g.since, g.cut = *k, serial, now, false
	g.state, g.proto, g.end, g.high = incomplete, 0, 0, 0
}

// finish makes g the mark of a complete datagram; its buffer belongs to the Frame.
func (g *datagram) finish(now capture.Time) {
	g.head = [headLen]byte{}
	copy(g.head[:], g.buf[:g.end])
	g.state, g.since, g.buf = complete, now, nil
}

// lateCopy reports whether a fragment belongs to the complete datagram g
// rather than to a new one with the same identification: it comes at once, and
// a first fragment starts with the same bytes (UDP header, start of the payload).
func (g *datagram) lateCopy(now capture.Time, off int, b []byte) bool {
	if apart(g.since, now) > lateCopy {
		return false
	}
	n := min(headLen, len(b))
	return off != 0 || bytes.Equal(b[:n], g.head[:n])
}

// fits reports whether a fragment that ends at end agrees with the length
// known so far.
func (g *datagram) fits(end int, more bool) bool {
	if g.end != 0 && (end > g.end || !more && end != g.end) {
		return false
	}
	return more || end >= g.high
}

// Outcomes of put.
const (
	putNew = iota
	putNothing
	putOverlap
)

// put stores b at off where nothing is yet: the first data wins.
func (g *datagram) put(off int, b []byte) int {
	lo, hi := off/block, blocks(off+len(b))
	dst := g.buf[off : off+len(b)]
	old := g.filled(lo, hi)
	if old == 0 {
		copy(dst, b)
		g.fill(lo, hi)
		return putNew
	}
	differ := false
	for i := lo; i < hi; i++ {
		at := (i - lo) * block
		part := b[at:min(at+block, len(b))]
		if g.got[i/64]&(1<<(i%64)) == 0 {
			copy(dst[at:], part)
		} else if !bytes.Equal(dst[at:at+len(part)], part) {
			differ = true
		}
	}
	g.fill(lo, hi)
	switch {
	case differ:
		return putOverlap
	case old == hi-lo:
		return putNothing
	}
	return putNew
}

// blocks is the number of 8-byte blocks that n bytes take.
func blocks(n int) int { return (n + block - 1) / block }

// filled counts the blocks from lo to before hi that were seen.
func (g *datagram) filled(lo, hi int) (n int) {
	for w := lo / 64; w*64 < hi; w++ {
		n += bits.OnesCount64(g.got[w] & span(lo, hi, w))
	}
	return n
}

func (g *datagram) fill(lo, hi int) {
	for w := lo / 64; w*64 < hi; w++ {
		g.got[w] |= span(lo, hi, w)
	}
}

// span is the part of the range lo to hi that lies in word w.
func span(lo, hi, w int) uint64 {
	m := ^uint64(0)
	if lo > w*64 {
		m <<= lo - w*64
	}
	if over := (w+1)*64 - hi; over > 0 {
		m &= ^uint64(0) >> over
	}
	return m
}
