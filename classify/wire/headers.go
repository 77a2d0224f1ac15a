package wire

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/pxescope/pxescope/capture"
)

// secret keeps anybody from choosing headers that have the same hash.
var secret = rand.Uint64()

// identify sets f.Headers, as mixHeaders does for plain packets.
func (f *Frame) identify() {
	if f.Hash == 0 || f.Fragment != Whole || f.Stop != StopNone {
		return
	}
	var macs [12]byte
	copy(macs[:], f.DstMAC[:])
	copy(macs[6:], f.SrcMAC[:])
	src, dst := binary.LittleEndian.Uint64(f.Src[8:]), binary.LittleEndian.Uint64(f.Dst[8:])
	side := second(src, dst, f.SrcPort, f.DstPort)
	f.Headers = mixHeaders(binary.LittleEndian.Uint64(macs[:]), src>>32|dst>>32<<32, binary.LittleEndian.Uint32(macs[8:]),
		f.SrcPort, f.DstPort, place(f.Iface, f.Link, f.VLAN(), f.Proto), side)
	if f.IPVersion != 4 {
		f.Headers = Mix(MixAddr(f.Headers, &f.Src), binary.LittleEndian.Uint64(f.Dst[:]), dst)&^3 | 2 | side
	}
}

// mixHeaders is Frame.Headers: of both MACs as they lie in the packet, of both
// addresses and ports, of the place and the side. It is never 0.
func mixHeaders(macs, addrs uint64, macsEnd uint32, src, dst uint16, place, side uint64) uint64 {
	h := Mix(secret, macs, addrs)
	return Mix(h, uint64(macsEnd)<<32|uint64(src)<<16|uint64(dst), place)&^3 | 2 | side
}

// place is in one word where a frame was captured and of what protocol it is.
func place(iface int, link capture.LinkType, vlan uint16, proto uint8) uint64 {
	return uint64(iface)<<40 | uint64(link)<<24 | uint64(vlan)<<8 | uint64(proto)
}

// IsSecond reports which of the two sides of a conversation f is from, told by
// comparing the ends of their addresses, then their ports: not by who began.
func (f *Frame) IsSecond() bool {
	return second(binary.LittleEndian.Uint64(f.Src[8:]), binary.LittleEndian.Uint64(f.Dst[8:]), f.SrcPort, f.DstPort) != 0
}

// second is 1 where IsSecond: src > dst, or they are equal and srcPort > dstPort.
// It is without a branch, because nobody can predict it.
func second(src, dst uint64, srcPort, dstPort uint16) uint64 {
	_, byPort := bits.Sub64(uint64(dstPort), uint64(srcPort), 0)
	_, side := bits.Sub64(dst, src, byPort)
	return side
}

// Mix adds two words to a hash. Both factors depend on what was mixed before,
// and so on the seed: a fixed one would let words be chosen that cancel out.
func Mix(h, a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^h, b^bits.RotateLeft64(h, 32)^hashPrime)
	return hi ^ lo
}

// MixAddr adds an address to a hash.
func MixAddr(h uint64, a *Addr) uint64 {
	return Mix(h, binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:]))
}
