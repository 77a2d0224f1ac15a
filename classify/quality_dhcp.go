package classify

import (
	"encoding/binary"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// dhcpSeen watches the DHCP messages of a capture for what they tell of the
// capture itself: requests on both sides of a relay, conversations that began
// before it, and interfaces whose clocks differ.
type dhcpSeen struct {
	transactions [dhcpSlots]dhcpTransaction
	messages     [dhcpSlots]dhcpMessage
	relayTwice   uint64
	offset       offset
}

const dhcpSlots = 512

// A dhcpTransaction is a client and a transaction id.
type dhcpTransaction struct {
	key    uint64
	direct bool // giaddr 0
	relay  bool // giaddr not 0
	told   bool
}

// A dhcpMessage is one message, byte for byte.
type dhcpMessage struct {
	hash  uint64
	at    capture.Time
	iface int
	again bool // seen on one interface twice, so that its times tell nothing
}

// An offset is by how much the copies on one interface come after those on
// another.
type offset struct {
	first, second int // interfaces
	by            time.Duration
	steady        int // copies that come so much later
	other         int // copies that do not
}

const (
	// offsetLeast is the smallest distance of two clocks that counts, and
	// offsetSlack how much it may vary.
	offsetLeast = time.Second
	offsetSlack = 50 * time.Millisecond
	// offsetProof is how many copies must agree.
	offsetProof = 3
)

// message reads a datagram on DHCP's ports.
func (d *dhcpSeen) message(q *quality, f *wire.Frame) {
	p := f.Payload
	if len(p) < 34 || p[0] != 1 && p[0] != 2 || f.Fragment == wire.First || f.Fragment == wire.Later {
		return
	}
	key := uint64(binary.BigEndian.Uint32(p[4:]))<<32 ^ uint64(binary.BigEndian.Uint32(p[30:])) ^ uint64(binary.BigEndian.Uint16(p[28:]))<<20 | 1
	x := &d.transactions[key*0x9e3779b97f4a7c15>>55]
	if x.key != key {
		*x = dhcpTransaction{key: key}
		if f.Time-q.begun < beginning && (p[0] == 2 || secsSayLater(p)) {
			q.midFlow++
		}
	}
	if p[0] == 1 {
		relayed := binary.BigEndian.Uint32(p[24:]) != 0
		x.direct, x.relay = x.direct || !relayed, x.relay || relayed
		if x.direct && x.relay && !x.told {
			x.told = true
			d.relayTwice++
		}
	}
	d.compare(f, p)
}

// secsSayLater reports whether a request counts earlier ones: seconds above 4,
// which is more than one of iPXE's steps of 4 too.
func secsSayLater(p []byte) bool { return binary.BigEndian.Uint16(p[8:]) > 4 }

// compare looks for the same message on another interface.
func (d *dhcpSeen) compare(f *wire.Frame, p []byte) {
	h := uint64(f.IPID)<<32 ^ uint64(f.SrcPort)<<16 ^ uint64(f.PayloadLen)
	for p := p[:min(len(p), 8*64)]; len(p) >= 8; p = p[8:] {
		h = (h ^ binary.LittleEndian.Uint64(p)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	h |= 1
	m := &d.messages[h>>55]
	switch {
	case m.hash != h:
		*m = dhcpMessage{hash: h, at: f.Time, iface: f.Iface}
	case m.iface == f.Iface:
		m.again = true
	case !m.again:
		d.offset.add(m.iface, f.Iface, f.Time.Sub(m.at))
		m.hash = 0
	}
}

func (o *offset) add(first, second int, by time.Duration) {
	switch {
	case o.steady == 0 && by > offsetLeast:
		*o = offset{first: first, second: second, by: by, steady: 1, other: o.other}
	case o.steady > 0 && first == o.first && second == o.second && (by-o.by).Abs() <= offsetSlack:
		o.steady++
	default:
		o.other++
	}
}

// found reports whether two interfaces' clocks differ.
func (o *offset) found() bool { return o.steady >= offsetProof && o.other == 0 }
