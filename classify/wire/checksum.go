package wire

import (
	"encoding/binary"
	"math/bits"
)

// A Sum is the outcome of a checksum.
type Sum uint8

// Outcomes. SumUnknown: a part is missing (the snap length, a fragment), or
// the lengths of IP and UDP disagree. SumAbsent: the sender computed none.
const (
	SumUnknown Sum = iota
	SumAbsent
	SumGood
	SumBad
)

// UDPChecksum checks the datagram's checksum (RFC 768, RFC 8200 section 8.1),
// also of one put together of fragments. Packets captured on the host that
// sent them (see Outgoing) are often bad, because the network card computes
// the checksum after the capture.
func (f *Frame) UDPChecksum() Sum {
	if f.Proto != ProtoUDP || !f.wholeUDP {
		return SumUnknown
	}
	if f.UDPSum == 0 {
		return SumAbsent
	}
	// The pseudo header has the length too.
	n := uint64(udpHeader + len(f.Payload))
	s := ProtoUDP + 2*n + uint64(f.SrcPort) + uint64(f.DstPort) + uint64(f.UDPSum)
	if f.IPVersion == 4 {
		s = sum16(s, f.Src[12:])
		s = sum16(s, f.Dst[12:])
	} else {
		s = sum16(s, f.Src[:])
		s = sum16(s, f.Dst[:])
	}
	if fold(sum16(s, f.Payload)) != 0xffff {
		return SumBad
	}
	return SumGood
}

// sum16 adds b to the Internet checksum s (RFC 1071), eight bytes at a time.
func sum16(s uint64, b []byte) uint64 {
	var carry uint64
	for len(b) >= 8 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	var tail [8]byte
	copy(tail[:], b)
	s, carry = bits.Add64(s, binary.BigEndian.Uint64(tail[:]), carry)
	s, carry = bits.Add64(s, 0, carry)
	return s + carry
}

func fold(s uint64) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}
