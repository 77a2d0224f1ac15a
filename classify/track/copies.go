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
// It holds 48 KiB and never allocates.
type Copies struct {
	window time.Duration
	sets   [copySets]copySet
	marks  [copySets][copyWays]copyMark
	seen   uint64
	copies uint64
	kinds  [numCopyKinds]uint64
}

// A copySet fills one cache line: what every frame is compared with.
type copySet struct {
	hash [copyWays]uint64 // 0: free
	at   [copyWays]capture.Time
}

// A copyMark is what tells the kinds of copies apart.
type copyMark struct {
	mac  uint32 // of the sender, folded
	vlan uint16
	ttl  uint8
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
// remembers f otherwise.
func (c *Copies) Seen(f *wire.Frame) bool {
	c.seen++
	h := fingerprint(f)
	no := h >> 32 % copySets
	set := &c.sets[no]
	i := set.find(h)
	if i >= 0 {
		if d := f.Time.Sub(set.at[i]); d <= c.window && d >= -c.window {
			c.copies++
			c.kinds[c.marks[no][i].kind(f)]++
			return true
		}
		// The same again, but a retry.
	} else {
		i = set.oldest()
	}
	set.hash[i], set.at[i] = h, f.Time
	c.marks[no][i] = copyMark{mac: foldMAC(f.SrcMAC), vlan: f.VLAN(), ttl: f.TTL}
	return false
}

// find is where h is in the set, or -1.
func (s *copySet) find(h uint64) int {
	switch h {
	case s.hash[0]:
		return 0
	case s.hash[1]:
		return 1
	case s.hash[2]:
		return 2
	case s.hash[3]:
		return 3
	}
	return -1
}

// oldest is the place that a new hash takes; a free one has the time 0.
func (s *copySet) oldest() int {
	i, at := 0, s.at[0]
	if s.at[1] < at {
		i, at = 1, s.at[1]
	}
	if s.at[2] < at {
		i, at = 2, s.at[2]
	}
	if s.at[3] < at {
		i = 3
	}
	return i
}

func (m *copyMark) kind(f *wire.Frame) CopyKind {
	switch {
	case m.vlan != f.VLAN():
		return Trunk
	case m.ttl != f.TTL || m.mac != foldMAC(f.SrcMAC):
		return Routed
	}
	return Twin
}

func foldMAC(m wire.MAC) uint32 {
	return uint32(binary.LittleEndian.Uint16(m[4:])) ^ binary.LittleEndian.Uint32(m[:])*0x9e3779b1
}

// Share is copies over frames asked about, 0 when there were none.
func (c *Copies) Share() (copies, seen uint64) { return c.copies, c.seen }

// Of is how many copies were of a kind.
func (c *Copies) Of(k CopyKind) uint64 { return c.kinds[k] }

// fingerprint is a 64-bit hash by multiplication, 16 bytes a step; collisions
// would need equal 5-tuples in practice, because the hash is only trusted within
// the window.
func fingerprint(f *wire.Frame) uint64 {
	h := fold(binary.LittleEndian.Uint64(f.Src[8:])^uint64(f.SrcPort)<<16^uint64(f.IPID), binary.LittleEndian.Uint64(f.Dst[8:])^uint64(f.DstPort)<<16^k0)
	h ^= fold(binary.LittleEndian.Uint64(f.Src[:8])^uint64(f.FragOffset)<<16^uint64(f.Proto)<<8^uint64(f.Fragment)^k1, binary.LittleEndian.Uint64(f.Dst[:8])^uint64(f.PayloadLen)^k0)
	switch {
	case f.Proto == wire.ProtoUDP && f.IPVersion != 0:
	case f.IPVersion == 0: // no addresses above: ARP, and what is below IP
		h = fold(h^f.SrcMAC.Uint64()^uint64(f.EtherType)<<48, f.DstMAC.Uint64()^k0)
		h = fold(h^f.ARP.SenderMAC.Uint64()^uint64(f.ARP.Op)<<48, f.ARP.TargetMAC.Uint64()^k1)
		h = fold(h^binary.LittleEndian.Uint64(f.ARP.Sender[8:]), binary.LittleEndian.Uint64(f.ARP.Target[8:])^k0)
	case f.Proto == wire.ProtoTCP:
		h = fold(h^(uint64(f.TCP.Seq)<<32|uint64(f.TCP.Ack)), uint64(f.TCP.Flags)<<16|uint64(f.TCP.Window)^k0)
	default: // ICMP: an echo has its number in Rest
		h = fold(h^(uint64(f.ICMP.Type)<<40|uint64(f.ICMP.Code)<<32|uint64(f.ICMP.Rest)), k1)
	}
	p := f.Payload
	if len(p) < 8 {
		var last uint64
		for _, b := range p {
			last = last<<8 | uint64(b)
		}
		return fold(h^last, k0^uint64(len(p))) | 1
	}
	tail := binary.LittleEndian.Uint64(p[len(p)-8:])
	if f.Proto == wire.ProtoUDP && (IsDHCPPort(f.SrcPort) || IsDHCPPort(f.DstPort)) {
		// OFFER and ACK of one exchange may differ in a single byte behind 240
		// others, and ISC dhcpd and Kea send both with IP id 0.
		p = p[:min(len(p), 576)]
	} else {
		p = p[:min(len(p), 64)]
	}
	// Steps that do not wait for each other, told apart by their place.
	place := h
	for ; len(p) >= 16; p = p[16:] {
		place += k1
		h ^= fold(binary.LittleEndian.Uint64(p)^place, binary.LittleEndian.Uint64(p[8:])^k1)
	}
	if len(p) >= 8 {
		h ^= binary.LittleEndian.Uint64(p) * k0
	}
	return fold(h^k0, tail^k1) | 1
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
