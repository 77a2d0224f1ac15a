package track

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// Copies recognizes a datagram that was captured more than once: by a SPAN
// port that mirrors both directions, on several interfaces, before and after a
// router, with and without a tag. Two frames are copies when addresses, ports,
// IP id and payload agree within the window; MACs, tags and TTL may differ.
// The payload is compared by its length, its first 64 and last 8 bytes; of DHCP
// by its first 576.
//
// It holds 32 KiB and never allocates.
type Copies struct {
	sets   [copySets]copySet // first, so that they begin with a cache line
	window time.Duration
	seen   uint64
	copies uint64
	kinds  [numCopyKinds]uint64
}

// A copySet is what a frame is compared with, the newest first; it fills one
// cache line.
type copySet [copyWays]sighting

// A sighting is a frame that was seen: 48 bits of its hash and of its time, which
// is three days, and below them what tells the kinds of copies apart.
type sighting struct {
	hash uint64 // above the innermost VLAN; 0: none
	at   uint64 // above sender
}

const markBits = 16

// sender is a hash of the sender's MAC and the TTL: another TTL always makes
// another one.
func sender(f *wire.Frame) uint64 {
	return (f.SrcMAC.Uint64() ^ uint64(f.TTL)<<(64-markBits)) * k0 >> (64 - markBits)
}

// since is how much later than s it is.
func (s sighting) since(at capture.Time) time.Duration {
	return time.Duration(uint64(at)<<markBits-s.at&^(1<<markBits-1)) >> markBits
}

// Datagrams remembered: 2048, which is 20 ms of 100,000 control packets a
// second; a full set gives up its oldest.
const (
	copySets = 512
	copyWays = 4
)

// A CopyKind is how a copy came to be, told by what differs from the first
// sighting.
type CopyKind uint8

// Kinds of copies.
const (
	Twin   CopyKind = iota // nothing differs: SPAN of both directions, several interfaces
	Routed                 // TTL or sender MAC differ: before and after a router
	Trunk                  // the VLAN tag differs: inside and outside of a trunk
	numCopyKinds
)

// NewCopies makes a Copies with a window, W_DUP of the thresholds.
func NewCopies(window time.Duration) *Copies { return &Copies{window: window} }

// Seen reports whether f is a copy of a frame seen within the window, and
// remembers f otherwise. at is when f was captured by its own timestamp: in a file
// that has one interface's frames behind another's, copies are far apart in the
// engine's time, which never steps back, and yet from the same moment.
func (c *Copies) Seen(f *wire.Frame, at capture.Time) bool {
	c.seen++
	h := fingerprint(f) >> markBits << markBits
	s := &c.sets[h>>32%copySets]
	if i := s.find(h); i < copyWays {
		if d := s[i].since(at); d <= c.window && d >= -c.window {
			c.copies++
			c.kinds[s[i].kind(f)]++
			return true
		}
		copy(s[i:], s[i+1:]) // the same again, but a retry: as if it had not been there
	}
	s[3] = s[2]
	s[2] = s[1]
	s[1] = s[0]
	s[0] = sighting{h | uint64(f.VLAN()), uint64(at)<<markBits | sender(f)}
	return false
}

// find is where h, without a mark, is in the set, or copyWays.
func (s *copySet) find(h uint64) uint {
	switch {
	case s[0].hash^h < 1<<markBits:
		return 0
	case s[1].hash^h < 1<<markBits:
		return 1
	case s[2].hash^h < 1<<markBits:
		return 2
	case s[3].hash^h < 1<<markBits:
		return 3
	}
	return copyWays
}

// kind is what kind of a copy f is of s.
func (s sighting) kind(f *wire.Frame) CopyKind {
	switch {
	case uint16(s.hash) != f.VLAN():
		return Trunk
	case uint16(s.at) != uint16(sender(f)):
		return Routed
	}
	return Twin
}

// Share is copies over frames asked about, 0 when there were none.
func (c *Copies) Share() (copies, seen uint64) { return c.copies, c.seen }

// Of is how many copies were of a kind.
func (c *Copies) Of(k CopyKind) uint64 { return c.kinds[k] }

// The payload bytes that a fingerprint is of, from the first.
const (
	comparedBytes = 64
	// Of DHCP: OFFER and ACK of one exchange may differ in a single byte behind
	// 240 others, and ISC dhcpd and Kea send both with IP id 0.
	comparedDHCP = 576
)

// fingerprint is a 64-bit hash by multiplication, 16 bytes a step; collisions
// would need equal 5-tuples in practice, because the hash is only trusted within
// the window.
func fingerprint(f *wire.Frame) uint64 {
	ends := f.Hash // of addresses and ports, the same for both directions
	if ends == 0 {
		ends = fold(binary.LittleEndian.Uint64(f.Src[:8])^k1, binary.LittleEndian.Uint64(f.Dst[:8])^k0) ^ (binary.LittleEndian.Uint64(f.Dst[8:])^uint64(f.DstPort)<<16)*k0
	}
	ends ^= uint64(f.PayloadLen) ^ uint64(f.Proto)<<32 ^ k0
	if f.Fragment != wire.Whole {
		ends ^= uint64(f.FragOffset)<<48 ^ uint64(f.Fragment)<<40
	}
	h := fold(binary.LittleEndian.Uint64(f.Src[8:])^uint64(f.SrcPort)<<16^uint64(f.IPID), ends)
	if f.Proto != wire.ProtoUDP || f.IPVersion == 0 {
		h = mixHeaders(h, f)
	}
	p := f.Payload
	n := len(p)
	if n < 8 {
		var last uint64
		if n >= 4 {
			last = uint64(binary.LittleEndian.Uint32(p))<<32 | uint64(binary.LittleEndian.Uint32(p[n-4:]))
		} else {
			for _, b := range p {
				last = last<<8 | uint64(b)
			}
		}
		return fold(h^last, k0^uint64(n)) | 1<<markBits
	}
	tail := binary.LittleEndian.Uint64(p[n-8:])
	if n > comparedBytes {
		n = comparedBytes
		if f.Proto == wire.ProtoUDP && (IsDHCPPort(f.SrcPort) || IsDHCPPort(f.DstPort)) {
			n = min(len(p), comparedDHCP)
		}
		p = p[:n]
	}
	// Steps that do not wait for each other, told apart by their place.
	place, i := h, 0
	for ; i <= len(p)-16; i += 16 {
		place += k1
		h ^= fold(binary.LittleEndian.Uint64(p[i:])^place, binary.LittleEndian.Uint64(p[i+8:])^k1)
	}
	if i <= len(p)-8 {
		h ^= binary.LittleEndian.Uint64(p[i:]) * k0
	}
	return fold(h^k0, tail^k1) | 1<<markBits
}

// mixHeaders adds to h what tells frames apart that are not of UDP.
func mixHeaders(h uint64, f *wire.Frame) uint64 {
	switch {
	case f.IPVersion == 0: // no addresses above: ARP, and what is below IP
		h = fold(h^f.SrcMAC.Uint64()^uint64(f.EtherType)<<48, f.DstMAC.Uint64()^k0)
		h = fold(h^f.ARP.SenderMAC.Uint64()^uint64(f.ARP.Op)<<48, f.ARP.TargetMAC.Uint64()^k1)
		return fold(h^binary.LittleEndian.Uint64(f.ARP.Sender[8:]), binary.LittleEndian.Uint64(f.ARP.Target[8:])^k0)
	case f.Proto == wire.ProtoTCP:
		return fold(h^(uint64(f.TCP.Seq)<<32|uint64(f.TCP.Ack)), uint64(f.TCP.Flags)<<16|uint64(f.TCP.Window)^k0)
	}
	// ICMP: an echo has its number in Rest.
	return fold(h^(uint64(f.ICMP.Type)<<40|uint64(f.ICMP.Code)<<32|uint64(f.ICMP.Rest)), k1)
}

// Odd numbers without a pattern: the golden ratio, and the square root of 3.
const (
	k0 = 0x9e3779b97f4a7c15
	k1 = 0xbb67ae8584caa73b
)

// fold multiplies to 128 bits and adds both halves without carry.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
