package wire

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
)

// An Addr is an IPv4 or IPv6 address as 16 bytes, IPv4 mapped into ::ffff:0:0/96
// (RFC 4291 section 2.5.5.2). Unlike netip.Addr it holds no pointer, so tables
// keyed by it are not scanned by the garbage collector. The zero Addr is "none".
type Addr [16]byte

// Addr4 makes an Addr of 4 bytes.
func Addr4(b [4]byte) Addr {
	return Addr{10: 0xff, 11: 0xff, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}
}

// AddrFrom converts a netip.Addr; the invalid address becomes the zero Addr.
func AddrFrom(a netip.Addr) Addr {
	if !a.IsValid() {
		return Addr{}
	}
	return a.As16()
}

// MustAddr parses s and panics when it is no address: for tests and tables.
func MustAddr(s string) Addr { return AddrFrom(netip.MustParseAddr(s)) }

// IsZero reports whether there is no address, or it is 0.0.0.0 or ::.
func (a Addr) IsZero() bool { return a == Addr{} || a == Addr{10: 0xff, 11: 0xff} }

// Is4 reports whether a is an IPv4 address.
func (a Addr) Is4() bool {
	return a[10] == 0xff && a[11] == 0xff && [10]byte(a[:10]) == [10]byte{}
}

// As4 is the last four bytes.
func (a Addr) As4() [4]byte { return [4]byte(a[12:]) }

// IsMulticast reports whether a is multicast or the limited broadcast address.
func (a Addr) IsMulticast() bool {
	if a.Is4() {
		return a[12]&0xf0 == 0xe0 || a.As4() == [4]byte{255, 255, 255, 255}
	}
	return a[0] == 0xff
}

// Netip converts for the slow paths; the zero Addr becomes the invalid address.
func (a Addr) Netip() netip.Addr {
	if a == (Addr{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom16(a).Unmap()
}

// String is the usual text form, empty for the zero Addr.
func (a Addr) String() string {
	if a == (Addr{}) {
		return ""
	}
	return a.Netip().String()
}

// A MAC is a 48-bit Ethernet address.
type MAC [6]byte

// Broadcast is ff:ff:ff:ff:ff:ff.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IsZero reports whether m is unset.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsGroup reports whether m is multicast or broadcast.
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// Uint64 is the 48 bits of m as a number, for hashing: in no order of the wire.
func (m MAC) Uint64() uint64 {
	return uint64(binary.LittleEndian.Uint32(m[:]))<<16 | uint64(binary.LittleEndian.Uint16(m[4:]))
}

// String is lower-case with colons, empty for the zero MAC.
func (m MAC) String() string {
	if m.IsZero() {
		return ""
	}
	var b [17]byte
	for i, x := range m {
		if i > 0 {
			b[i*3-1] = ':'
		}
		hex.Encode(b[i*3:i*3+2], []byte{x})
	}
	return string(b[:])
}
