package wire

import (
	"encoding/binary"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Bounds of reassembly: at most MaxDatagrams times 64 KiB are held.
const (
	// MaxDatagrams is the number of incomplete datagrams that a Decoder holds;
	// the oldest goes first.
	MaxDatagrams = 64
	// FragmentTimeout is how long, in the traffic's time, a datagram may take.
	// Linux waits as long (net.ipv4.ipfrag_time).
	FragmentTimeout = 30 * time.Second

	maxDatagram = 65535 // RFC 791 section 3.1, total length
	block       = 8     // unit of the fragment offset
	headLen     = 16    // what is remembered of a complete datagram

	// A complete datagram is remembered this long, to tell a late copy of a
	// fragment (a SPAN port that mirrors both directions) from the first
	// fragment of another datagram with the same identification.
	lateCopy = 20 * time.Millisecond
)

// FragmentStats counts what became of IP fragments.
type FragmentStats struct {
	Fragments  uint64 // seen, of protocols that are put together
	Complete   uint64 // datagrams
	Expired    uint64 // datagrams incomplete after FragmentTimeout
	Evicted    uint64 // datagrams dropped while incomplete, because MaxDatagrams were
	Overlaps   uint64 // fragments that state other bytes for a place that was filled; the first bytes stay
	Duplicates uint64 // fragments that brought nothing new
	Cut        uint64 // fragments that the snap length shortened: their datagram stays incomplete
	Refused    uint64 // fragments beyond 64 KiB or beyond the datagram's end
}

// Fragments is what became of the fragments so far.
func (d *Decoder) Fragments() FragmentStats { return d.frags.stats }

// Joined reports whether the last packet whose Frame has a Datagram completed
// it: slices of its Frame point into the Decoder.
func (d *Decoder) Joined() bool { return d.joined >= 0 }

// fragment reads one fragment: b, which starts at off in the datagram's
// payload. The one that completes the datagram goes on as all of it.
func (d *Decoder) fragment(f *Frame, off int, more bool, b []byte, cut int) {
	f.Fragment, f.FragOffset, f.tidy = First, uint16(off), false
	if off != 0 {
		f.Fragment = Later
	}
	if joinable(f.IPVersion, f.Proto) {
		if all, proto := d.frags.add(f, off, more, b, cut); all != nil {
			f.Fragment, f.Proto = Reassembled, proto
			d.joined = d.depth
			d.transport(f, all, 0)
			return
		}
	}
	if off != 0 {
		f.stop(StopFragment, b, cut)
		return
	}
	d.transport(f, b, cut)
}

// joinable reports whether datagrams of protocol p are worth the memory:
// those that Decode reads on.
func joinable(version, p uint8) bool {
	switch p {
	case ProtoUDP, ProtoTCP, ProtoICMP, ProtoICMPv6, protoGRE, protoIPv4, protoIPv6, protoMPLS:
		return true
	}
	return isExtension(version, p)
}

// fragments holds the incomplete datagrams and the marks of complete ones.
type fragments struct {
	packet uint64 // number of the packet that is decoded now
	serial uint32 // of the newest datagram
	slots  *[MaxDatagrams]datagram
	hashes [MaxDatagrams]uint32 // of the slots' keys, 0 for an unused slot
	free   [][]byte             // buffers that are not in use
	lent   [][]byte             // buffers of datagrams that packet lentAt completed: the Frame points into them
	lentAt uint64
	stats  FragmentStats
}

// A fragKey is what the fragments of one datagram have in common (RFC 791
// section 3.2, RFC 8200 section 4.5) and where they were seen: addresses are
// used again in other VLANs and overlays.
type fragKey struct {
	src, dst Addr
	id       uint32
	vni      uint32
	vlan     uint16
	version  uint8
	proto    uint8 // 0 in IPv6, where only the first fragment's counts
	tunnel   Tunnel
}

func keyOf(f *Frame) fragKey {
	k := fragKey{
		src: f.Src, dst: f.Dst, id: f.IPID, vni: f.VNI, vlan: f.VLAN(),
		version: f.IPVersion, proto: f.Proto, tunnel: f.Tunnel,
	}
	if f.IPVersion == 6 {
		k.proto = 0
	}
	return k
}

// add stores a fragment. The result is the whole payload and its protocol when
// this fragment completes the datagram, else nil; it is valid until add runs
// for another packet.
func (s *fragments) add(f *Frame, off int, more bool, b []byte, cut int) (all []byte, proto uint8) {
	s.stats.Fragments++
	s.takeBack()
	k := keyOf(f)
	g := s.find(&k, f.Time)
	if g != nil && g.state == complete {
		if g.lateCopy(f.Time, off, b) {
			s.stats.Duplicates++
			f.Datagram = g.serial
			return nil, 0
		}
		g = nil
	}
	if g == nil {
		g = s.start(&k, f.Time)
	}
	f.Datagram = g.serial
	if cut > 0 {
		s.stats.Cut++
		g.cut = true
		return nil, 0
	}
	if more {
		b = b[:len(b)&^(block-1)] // as Linux does with a length that is no multiple of 8
	}
	end := off + len(b)
	if len(b) == 0 || end > maxDatagram || !g.fits(end, more) {
		s.stats.Refused++
		return nil, 0
	}
	if cap(g.buf) < end {
		g.buf = s.grow(g.buf, end)
	}
	switch g.put(off, b) {
	case putNothing:
		s.stats.Duplicates++
	case putOverlap:
		s.stats.Overlaps++
	}
	if off == 0 && g.proto == 0 {
		g.proto = f.Proto
	}
	if !more {
		g.end = end
	}
	g.high = max(g.high, end)
	if g.end == 0 || g.filled(0, blocks(g.end)) != blocks(g.end) {
		return nil, 0
	}
	s.stats.Complete++
	all, proto = g.buf[:g.end], f.Proto
	if f.IPVersion == 6 {
		proto = g.proto
	}
	s.lent, s.lentAt = append(s.lent, g.buf), s.packet
	g.finish(f.Time)
	return all, proto
}

// takeBack frees the buffers that an earlier packet's Frame pointed into.
func (s *fragments) takeBack() {
	if s.lentAt != s.packet {
		s.free = append(s.free, s.lent...)
		s.lent = s.lent[:0]
	}
}

// hash is never 0.
func (k *fragKey) hash() uint32 {
	h := binary.LittleEndian.Uint32(k.src[12:])*0x9e3779b1 ^ binary.LittleEndian.Uint32(k.dst[12:])*0x85ebca6b
	return (h ^ k.id*0xc2b2ae35) | 1
}

// find returns the datagram of key, unless it is overdue.
func (s *fragments) find(k *fragKey, now capture.Time) *datagram {
	h := k.hash()
	for i, x := range s.hashes {
		if x != h || s.slots[i].key != *k {
			continue
		}
		g := &s.slots[i]
		if g.state == incomplete && apart(g.since, now) > FragmentTimeout {
			s.drop(i, &s.stats.Expired)
			return nil
		}
		return g
	}
	return nil
}

// start takes a slot: that of key's complete datagram, an unused one, that of
// the oldest complete datagram, or at last the oldest.
func (s *fragments) start(k *fragKey, now capture.Time) *datagram {
	if s.slots == nil {
		s.slots = new([MaxDatagrams]datagram)
	}
	best := 0
	for i := range s.slots {
		g, b := &s.slots[i], &s.slots[best]
		if g.state == unused || g.state == complete && g.key == *k {
			best = i
			break
		}
		if g.state > b.state || g.state == b.state && int32(g.serial-b.serial) < 0 {
			best = i
		}
	}
	g := &s.slots[best]
	if apart(g.since, now) > FragmentTimeout {
		s.drop(best, &s.stats.Expired)
	} else {
		s.drop(best, &s.stats.Evicted)
	}
	s.serial++
	if s.serial == 0 {
		s.serial = 1
	}
	g.start(k, s.serial, now)
	s.hashes[best] = k.hash()
	return g
}

// drop empties a slot and keeps its buffer for the next datagram. One that was
// incomplete without the snap length's doing is counted in lost.
func (s *fragments) drop(i int, lost *uint64) {
	g := &s.slots[i]
	if g.state == incomplete && !g.cut {
		*lost++
	}
	if g.buf != nil {
		s.free = append(s.free, g.buf)
		g.buf = nil
	}
	g.state = unused
	s.hashes[i] = 0
}

// grow returns a buffer for n bytes that starts with the contents of buf.
func (s *fragments) grow(buf []byte, n int) []byte {
	if buf == nil && len(s.free) > 0 {
		buf = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		if cap(buf) >= n {
			return buf
		}
	}
	size := 4 << 10
	for size < n {
		size *= 4 // 4, 16, 64 KiB
	}
	bigger := make([]byte, size)
	copy(bigger, buf)
	return bigger
}

// apart is the time between two packets, whichever way the clock went.
func apart(a, b capture.Time) time.Duration {
	if d := b.Sub(a); d >= 0 {
		return d
	}
	return a.Sub(b)
}
