package dhcp

import (
	"encoding/binary"
	"strconv"

	"github.com/pxescope/pxescope/classify/wire"
)

// Ports of RFC 2131 section 4.1 and of the PXE specification 2.1 section 2.2.
const (
	PortServer = 67
	PortClient = 68
	PortPXE    = 4011 // boot servers and the second step of proxyDHCP
)

// Operations of RFC 951 section 3.
const (
	BootRequest = 1
	BootReply   = 2
)

// Field offsets of RFC 2131 section 2.
const (
	offXID     = 4
	offSecs    = 8
	offFlags   = 10
	offCIAddr  = 12
	offYIAddr  = 16
	offSIAddr  = 20
	offGIAddr  = 24
	offCHAddr  = 28
	offSName   = 44
	offFile    = 108
	offCookie  = 236
	offOptions = 240
)

// magic is the cookie before the options, RFC 2131 section 3.
var magic = [4]byte{0x63, 0x82, 0x53, 0x63}

// A Message is the UDP payload of a BOOTP or DHCP message, as captured: it may
// be cut. Only Valid may be called before Valid has returned true.
type Message []byte

// Valid reports whether m holds the fields up to chaddr (44 bytes) and is a
// request or a reply. Whatever lies behind chaddr may be missing.
func (m Message) Valid() bool {
	return len(m) >= offSName && (m[0] == BootRequest || m[0] == BootReply)
}

// Op is BootRequest or BootReply: the direction, which ports do not tell,
// because relays use 67 on both sides.
func (m Message) Op() byte { return m[0] }

// HType is the hardware type, 1 for Ethernet (RFC 1700).
func (m Message) HType() byte { return m[1] }

// HLen is the length of the hardware address as sent; it may exceed 16.
func (m Message) HLen() byte { return m[2] }

// Hops is the number of relays passed, RFC 1542 section 4.1.1.
func (m Message) Hops() byte { return m[3] }

// XID is the transaction id. It pairs messages only together with CHAddr.
func (m Message) XID() uint32 { return binary.BigEndian.Uint32(m[offXID:]) }

// Secs is the client's seconds since it began, or what firmware makes of it:
// see IPXESecs; edk2 swaps its bytes towards port 4011.
func (m Message) Secs() uint16 { return binary.BigEndian.Uint16(m[offSecs:]) }

// Flags is the flags field, RFC 2131 section 2.
func (m Message) Flags() uint16 { return binary.BigEndian.Uint16(m[offFlags:]) }

// Broadcast reports whether the client can only hear broadcasts.
func (m Message) Broadcast() bool { return m[offFlags]&0x80 != 0 }

// CIAddr is the address the client says it has; 0.0.0.0 when it has none.
func (m Message) CIAddr() wire.Addr { return m.addr(offCIAddr) }

// YIAddr is the address given to the client; 0.0.0.0 in a proxy's offer.
func (m Message) YIAddr() wire.Addr { return m.addr(offYIAddr) }

// SIAddr is the server of the next boot step, not the DHCP server.
func (m Message) SIAddr() wire.Addr { return m.addr(offSIAddr) }

// GIAddr is the relay's address on the client's segment.
func (m Message) GIAddr() wire.Addr { return m.addr(offGIAddr) }

func (m Message) addr(off int) wire.Addr { return wire.Addr4([4]byte(m[off : off+4])) }

// CHAddr is the first min(HLen, 6) bytes of chaddr. It is zero for IPoIB
// (htype 32, hlen 0, RFC 4390 section 2.1), where option 61 names the client.
func (m Message) CHAddr() (mac wire.MAC) {
	copy(mac[:min(int(m.HLen()), len(mac))], m[offCHAddr:])
	return mac
}

// HasCookie reports whether options follow in the format of RFC 2132.
func (m Message) HasCookie() bool {
	return len(m) >= offOptions && [4]byte(m[offCookie:offOptions]) == magic
}

// A Type is a DHCP message type, option 53 (RFC 2132 section 9.6 and IANA's
// registry "DHCP Message Type 53 Values"). 0 is none: BOOTP, or cut away.
type Type byte

// Message types.
const (
	Discover Type = iota + 1
	Offer
	Request
	Decline
	Ack
	Nak
	Release
	Inform
	ForceRenew       // RFC 3203
	LeaseQuery       // RFC 4388
	LeaseUnassigned  // RFC 4388
	LeaseUnknown     // RFC 4388
	LeaseActive      // RFC 4388
	BulkLeaseQuery   // RFC 6926
	LeaseQueryDone   // RFC 6926
	ActiveLeaseQuery // RFC 7724
	LeaseQueryStatus // RFC 7724
	TLS              // RFC 7724
)

var typeNames = [...]string{
	"", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM", "FORCERENEW",
	"LEASEQUERY", "LEASEUNASSIGNED", "LEASEUNKNOWN", "LEASEACTIVE", "BULKLEASEQUERY", "LEASEQUERYDONE",
	"ACTIVELEASEQUERY", "LEASEQUERYSTATUS", "TLS",
}

// String is the name as the RFCs write it without "DHCP", empty for none, the
// number in decimal for a type that is not registered.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "TYPE" + strconv.Itoa(int(t))
}
