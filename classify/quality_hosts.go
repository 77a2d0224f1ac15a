package classify

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/wire"
)

// hosts remembers who was ever heard, by address and by MAC: the capture shows
// the direction from whoever sent anything, ARP and ICMP included.
type hosts struct {
	recent [recentHosts]host // the senders of the last packets, no look-up for these
	addrs  map[wire.Addr]wire.MAC
	macs   map[wire.MAC]struct{}
	full   bool
}

type host struct {
	addr wire.Addr
	mac  wire.MAC
}

const (
	recentHostBits = 12
	recentHosts    = 1 << recentHostBits
	// maxHosts bounds the senders remembered; beyond it everybody counts as heard.
	maxHosts = 1 << 16
)

func (h *hosts) saw(mac *wire.MAC, addr *wire.Addr) {
	// A node's number is often in its MAC as well as in its address, so that
	// plain sums of both would meet in few slots.
	x := binary.LittleEndian.Uint64(addr[8:])*0x85ebca6b ^ uint64(binary.LittleEndian.Uint16(mac[4:]))
	r := &h.recent[x*0x9e3779b97f4a7c15>>(64-recentHostBits)]
	if r.addr == *addr && r.mac == *mac {
		return
	}
	h.meet(r, *mac, *addr)
}

func (h *hosts) meet(r *host, mac wire.MAC, addr wire.Addr) {
	*r = host{addr, mac}
	if len(h.addrs) >= maxHosts || len(h.macs) >= maxHosts {
		h.full = true
		return
	}
	h.addrs[addr] = mac
	h.macs[mac] = struct{}{}
}

// heard reports whether e sent anything, by its address or by the MAC that
// stands for it; who is not known, or is everybody, counts as heard.
func (h *hosts) heard(e finding.Endpoint) bool {
	if h.full || e.Addr.IsZero() || e.Addr.IsMulticast() || h.heardAddr(e.Addr) {
		return true
	}
	_, ok := h.macs[e.MAC]
	return ok && !e.MAC.IsZero()
}

func (h *hosts) heardAddr(a wire.Addr) bool {
	_, ok := h.addrs[a]
	return ok || h.full
}

// asks remembers the ARP requests for machines that were never heard, and the
// last request of each machine.
type asks struct {
	slots [askSlots]ask
	last  [askSlots]ask // by machine alone
	open  int           // requests in slots that no packet answered yet
}

// An ask is one machine's ARP request for an address.
type ask struct {
	mac    wire.MAC
	target wire.Addr
	at     capture.Time
	n      int // requests for this address in a row
}

const (
	askSlots = 512
	// askMemory is how long after its ARP request a packet proves the answer.
	askMemory = 30 * capture.Time(1e9)
)

func askSlot(mac wire.MAC, target wire.Addr) int {
	h := binary.LittleEndian.Uint32(mac[2:]) ^ binary.LittleEndian.Uint32(target[12:])
	return int(h * 0x9e3779b1 >> 23)
}

// asked notes an ARP request for an address.
func (q *quality) asked(f *wire.Frame) {
	a := &f.ARP
	if a.Op != 1 || a.Sender.IsZero() || a.Sender == a.Target || a.Target.IsZero() {
		return
	}
	l := &q.asks.last[askSlot(a.SenderMAC, wire.Addr{})]
	if l.mac != a.SenderMAC || l.target != a.Target {
		*l = ask{mac: a.SenderMAC, target: a.Target}
	}
	l.at = f.Time
	l.n++
	if q.hosts.heardAddr(a.Target) {
		return
	}
	o := &q.asks.slots[askSlot(a.SenderMAC, a.Target)]
	if o.n == 0 {
		q.asks.open++
	}
	*o = ask{mac: a.SenderMAC, target: a.Target, at: f.Time, n: 1}
}

// resolved looks for a packet to an address that its sender asked for by ARP:
// it knows the MAC now, so it was answered, and when the answer is not in the
// capture, that direction is not.
func (q *quality) resolved(s *segmentSeen, f *wire.Frame) {
	a := &q.asks.slots[askSlot(f.SrcMAC, f.Dst)]
	if a.target != f.Dst || a.mac != f.SrcMAC || a.n == 0 || f.DstMAC.IsGroup() {
		return
	}
	a.n = 0
	q.asks.open--
	if f.Proto == wire.ProtoUDP && f.SrcPort == 67 {
		return // a DHCP server knows the MAC from chaddr, now and later
	}
	if f.Time-a.at > askMemory || q.hosts.heardAddr(f.Dst) {
		return
	}
	if _, ok := q.hosts.macs[f.DstMAC]; ok && f.HasDstMAC {
		return // heard under another address
	}
	q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "uses a MAC address that it asked for by ARP and was never told here"})
}

// lastAsk is the last ARP request of a machine.
func (q *quality) lastAsk(mac wire.MAC) (ask, bool) {
	a := q.asks.last[askSlot(mac, wire.Addr{})]
	return a, a.mac == mac && a.n > 0
}

// A direction is packets of one machine to another.
type direction struct{ from, to wire.Addr }

// A blindness is the proof that a direction is not in the capture: the
// receiver goes on as it can only do after a packet that nobody saw.
type blindness struct {
	mac     wire.MAC // of the receiver
	frame   capture.FrameID
	how     string
	n       uint64
	segment segment
}

// maxBlind bounds the directions kept; the first of them say enough.
const maxBlind = 1024

func (q *quality) unseen(s *segmentSeen, d direction, b blindness) {
	s.blind++
	if x := q.blind[d]; x != nil {
		x.n++
		return
	}
	if len(q.blind) < maxBlind {
		b.n, b.segment = 1, s.key
		q.blind[d] = &b
	}
}

func (q *quality) seenAfterAll(s *segmentSeen, d direction) {
	x := q.blind[d]
	if x == nil {
		return
	}
	s.blind -= min(s.blind, 1)
	if x.n--; x.n == 0 {
		delete(q.blind, d)
	}
}
