// Package query counts the requests of DNS, NTP and DHCPv6 and those that no
// reply in the capture answers. It makes no findings: that is for trackers of
// their own, which these protocols do not have yet.
//
// The one invariant: a reply counts wherever it stands in the capture, also
// before its request (several capture queues).
package query

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Spec is the tracker of question-and-answer protocols.
var Spec = track.Spec{
	Name: "query", UDP: []uint16{53, 123, 546, 547}, TCP: []uint16{53},
	New: func(*track.Config) track.Tracker { return newTracker() },
}

// maxOpen bounds the exchanges that are remembered, about 100 bytes each; what
// a full table drops is counted as it stands.
const maxOpen = 16384

// A key names an exchange, its addresses from client to server.
type key struct {
	id                     uint64 // DNS id, NTP transmit timestamp, DHCPv6 transaction id
	client, server         wire.Addr
	clientPort, serverPort uint16
	proto                  protocol
}

func hash(seed uint64, k key) uint64 {
	h := wire.MixAddr(wire.MixAddr(seed, &k.client), &k.server)
	return wire.Mix(h, k.id, uint64(k.clientPort)<<24|uint64(k.serverPort)<<8|uint64(k.proto))
}

type protocol uint8

const (
	dnsUDP protocol = iota
	dnsTCP
	ntp
	dhcp6
)

// An exchange is what was seen of one key.
type exchange struct {
	questions [maxQuestions]uint64 // hashes, to tell a retry from another question under the same id
	requests  uint32               // distinct DNS questions, NTP requests, 1 for a SOLICIT
	answered  bool
}

const maxQuestions = 4

type tracker struct {
	open   *track.Table[key, exchange]
	counts track.Counts // of what left the table, and of messages
	// evicted is what a full table dropped before an answer came: one that was
	// answered is lost on nobody.
	evicted uint64
}

func newTracker() *tracker {
	t := &tracker{}
	t.counts.DHCP6.Messages = make(map[string]uint64)
	t.open = track.NewHashed(maxOpen, hash, func(k key, x *exchange) {
		x.addTo(k, &t.counts)
		if !x.answered {
			t.evicted++
		}
	})
	return t
}

func (x *exchange) addTo(k key, c *track.Counts) {
	if x.answered {
		return
	}
	n := uint64(x.requests)
	switch k.proto {
	case dnsUDP, dnsTCP:
		c.DNS.Unanswered += n
	case ntp:
		c.NTP.Unanswered += n
	case dhcp6:
		c.DHCP6.SolicitUnanswered += n
	}
}

// Frame implements track.Tracker: there is never any news.
func (t *tracker) Frame(f *wire.Frame, _ *track.Out) (news bool) {
	switch {
	case f.SrcPort == 53 || f.DstPort == 53:
		t.dns(f)
	case f.Proto != wire.ProtoUDP:
	case f.SrcPort == 123 || f.DstPort == 123:
		t.ntp(f)
	default:
		t.dhcp6(f)
	}
	return false
}

// dns reads one message (RFC 1035 section 4.1). Over TCP (section 4.2.2) it
// reads the queries that a segment holds whole, and takes any data of the
// server for the answer: replies are not put together.
func (t *tracker) dns(f *wire.Frame) {
	p := f.Payload
	if f.Proto != wire.ProtoTCP {
		t.message(f, p, dnsUDP)
		return
	}
	if f.SrcPort == 53 {
		if len(p) >= 12 {
			t.open.At(key{client: f.Dst, server: f.Src, clientPort: f.DstPort, serverPort: f.SrcPort, proto: dnsTCP}).answered = true
		}
		return
	}
	if isQuery(p) { // its length came in a segment of its own
		t.message(f, p, dnsTCP)
		return
	}
	for len(p) >= 14 {
		n := int(binary.BigEndian.Uint16(p))
		m := p[2:min(2+n, len(p))]
		if !isQuery(m) {
			return
		}
		t.message(f, m, dnsTCP)
		p = p[2+len(m):]
	}
}

// isQuery tells a query from the middle of something else: one question and no
// answer, as every resolver asks.
func isQuery(p []byte) bool {
	return len(p) >= 17 && p[2]&0x80 == 0 && binary.BigEndian.Uint16(p[4:]) == 1 && binary.BigEndian.Uint16(p[6:]) == 0
}

func (t *tracker) message(f *wire.Frame, p []byte, proto protocol) {
	if len(p) < 12 {
		return
	}
	k := key{client: f.Src, server: f.Dst, clientPort: f.SrcPort, serverPort: f.DstPort, id: uint64(binary.BigEndian.Uint16(p)), proto: proto}
	if p[2]&0x80 != 0 { // QR
		k.client, k.server, k.clientPort, k.serverPort = k.server, k.client, k.serverPort, k.clientPort
		t.open.At(k).answered = true
		return
	}
	t.counts.DNS.Queries++
	if proto == dnsTCP {
		k.id = 0 // the connection is answered as a whole
	}
	x := t.open.At(k)
	h := question(p)
	for i := range min(int(x.requests), maxQuestions) {
		if x.questions[i] == h {
			return
		}
	}
	if x.requests < maxQuestions {
		x.questions[x.requests] = h
	}
	x.requests++
}

// question hashes name and type of the first question, letters folded
// (RFC 4343 section 3), with FNV-1a; 0 when it cannot be read.
func question(p []byte) uint64 {
	h := uint64(14695981039346656037)
	i := 12
	for i < len(p) && p[i] != 0 {
		end := i + 1 + int(p[i])
		if p[i]&0xc0 != 0 || end > len(p) || end-12 > 255 { // no label, RFC 1035 section 2.3.4
			return 0
		}
		for ; i < end; i++ {
			c := p[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	if i+2 >= len(p) {
		return 0
	}
	return (h ^ uint64(binary.BigEndian.Uint16(p[i+1:]))) * 1099511628211
}

// ntp pairs a reply's originate with the request's transmit timestamp
// (RFC 5905 section 7.3).
func (t *tracker) ntp(f *wire.Frame) {
	p := f.Payload
	if len(p) < 48 {
		return
	}
	switch p[0] & 7 {
	case 3:
		t.counts.NTP.Requests++
		t.open.At(key{client: f.Src, server: f.Dst, id: binary.BigEndian.Uint64(p[40:]), proto: ntp}).requests++
	case 4:
		t.open.At(key{client: f.Dst, server: f.Src, id: binary.BigEndian.Uint64(p[24:]), proto: ntp}).answered = true
	}
}

var dhcp6Names = [...]string{1: "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE", "DECLINE",
	"RECONFIGURE", "INFORMATION-REQUEST", "RELAY-FORW", "RELAY-REPL", "LEASEQUERY", "LEASEQUERY-REPLY"}

// dhcp6 reads the type, through relays, and the transaction id (RFC 8415
// sections 8 and 9).
func (t *tracker) dhcp6(f *wire.Frame) {
	p := f.Payload
	if len(p) < 4 || f.SrcPort != 546 && f.SrcPort != 547 && f.DstPort != 547 && f.DstPort != 546 {
		return
	}
	if typ := int(p[0]); typ > 0 && typ < len(dhcp6Names) {
		t.counts.DHCP6.Messages[dhcp6Names[typ]]++
	} else {
		t.counts.DHCP6.Messages["other"]++
	}
	p = relayed(p)
	if len(p) < 4 {
		return
	}
	k := key{id: uint64(p[1])<<16 | uint64(p[2])<<8 | uint64(p[3]), proto: dhcp6}
	switch p[0] {
	case 1:
		t.open.At(k).requests = 1
	case 2, 7:
		t.open.At(k).answered = true
	}
}

// hopLimit is HOP_COUNT_LIMIT of RFC 8415 section 7.6.
const hopLimit = 8

// relayed unwraps relay messages down to the client's; nil where there is none.
func relayed(p []byte) []byte {
	for range hopLimit {
		if len(p) < 1 || p[0] != 12 && p[0] != 13 {
			return p
		}
		var inner []byte
		for o := p[min(34, len(p)):]; len(o) >= 4; {
			n := int(binary.BigEndian.Uint16(o[2:]))
			v := o[4:min(4+n, len(o))]
			if binary.BigEndian.Uint16(o) == 9 { // OPTION_RELAY_MSG
				inner = v
				break
			}
			o = o[4+len(v):]
		}
		p = inner
	}
	return nil
}

// Deadline implements track.Tracker: there are none.
func (t *tracker) Deadline() capture.Time { return track.Never }

// Expire implements track.Tracker.
func (t *tracker) Expire(capture.Time, *track.Out) {}

// Finish implements track.Tracker.
func (t *tracker) Finish(capture.Time, *track.Out) {}

// Count implements track.Tracker.
func (t *tracker) Count(c *track.Counts) {
	c.DNS, c.NTP = t.counts.DNS, t.counts.NTP
	c.DHCP6 = track.DHCP6Counts{Messages: make(map[string]uint64), SolicitUnanswered: t.counts.DHCP6.SolicitUnanswered}
	for k, n := range t.counts.DHCP6.Messages {
		c.DHCP6.Messages[k] = n
	}
	t.open.Each(func(k key, x *exchange, _ capture.Time) { x.addTo(k, c) })
}

// Evicted implements track.Tracker.
func (t *tracker) Evicted() uint64 { return t.evicted }
