package classify

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// quality watches what a capture can and cannot show (field catalogue, 8.0).
// It sees every frame, allocates nothing in the steady state, and leaves the
// conclusions to limits.
type quality struct {
	t   *site.Thresholds
	cat *catalog.Catalog
	due [catalog.MaxServices + 1]bool // services whose every request is answered

	segments map[segment]*segmentSeen
	byNumber []*segmentSeen // the first one is overflow
	recent   [recentSegments]recentSegment
	overflow segmentSeen // of the segments beyond maxSegments
	hosts    hosts
	asks     asks
	flows    flows
	dhcp     dhcpSeen
	blind    map[direction]*blindness

	begun    capture.Time // of the first packet
	started  bool
	midFlow  uint64 // conversations that ran when the capture began
	snap     int    // length of the longest frame that was cut
	oversize [maxOversize]oversizeHost
	local    map[wire.MAC]bool // senders that a cooked capture marks as the capturing host

	interfaces []capture.Interface
	files      []capture.FileInfo
}

// A segment is an interface and a VLAN: what is two-way on one may be one-way
// on another.
type segment struct {
	iface int
	vlan  uint16
}

// segmentSeen counts the frames of one segment.
type segmentSeen struct {
	key       segment
	number    uint16 // in byNumber
	packets   uint64
	unicast   uint64 // frames to one machine
	roles     [numRoles]uint64
	arp       uint64
	bootPorts uint64 // on 67, 68, 69 and 4011
	dhcp      uint64 // on 67, 68 and 4011
	cut       uint64
	cooked    uint64
	oversize  uint64
	lost      uint64 // TCP segments that were acknowledged and never seen
	blind     uint64 // proofs that a direction is hidden

	service catalog.Index // of every packet so far, unless mixed
	mixed   bool

	asked  [maxAsked]finding.Endpoint // servers that requests went to
	nasked int

	// common are the machines that every unicast frame so far comes from or goes
	// to: the capturing host, where there is one. ncommon is 0 when frames
	// between others were seen: then the capture shows more than its own host.
	common  [2]wire.MAC
	ncommon int
}

const (
	maxSegments    = 1024
	recentSegments = 16
	maxAsked       = 8
	maxOversize    = 16
	maxLocal       = 64
	// maxFrame is the longest frame of Ethernet without tags and FCS, maxJumbo
	// the longest that jumbo frames make.
	maxFrame = 1514
	maxJumbo = 9234
	// beginning is how long after the first packet a conversation that is met in
	// its middle was running before.
	beginning = 2 * capture.Time(1e9)
)

type recentSegment struct {
	key  segment
	seen *segmentSeen
}

// An oversizeHost sends frames that no wire carries.
type oversizeHost struct {
	mac wire.MAC
	len int
}

func newQuality(s *site.Site, c *catalog.Catalog) *quality {
	q := &quality{
		t: &s.Thresholds, cat: c, segments: make(map[segment]*segmentSeen), flows: flows{slots: new([flowSlots]flowSeen)},
		blind: make(map[direction]*blindness), local: make(map[wire.MAC]bool),
	}
	q.hosts.addrs, q.hosts.macs = make(map[wire.Addr]wire.MAC), make(map[wire.MAC]struct{}) // in place: hosts has 90 KB
	q.byNumber = []*segmentSeen{&q.overflow}
	for _, v := range c.Services() {
		q.due[v.Index] = v.Answer == catalog.Answered
	}
	return q
}

// headers are what the headers of a frame say here, as flags.
type headers uint8

const (
	toOne      headers = 1 << iota // to one machine
	toMAC                          // and the link layer says so
	toSeveral                      // to an address that stands for several
	alike                          // two sides that look alike: NTP, syslog, a host with itself
	onBootPort                     // of DHCP or TFTP
	onDHCPPort
	mayBeDHCP  // a message of DHCPv4
	fromSecond // of the two sides of a flow, see flowOf
)

// meet reads the headers of a frame, which need not be read again when others
// have the same, and finds its segment.
func (q *quality) meet(f *wire.Frame) (number uint16, h headers) {
	if !q.started {
		q.begun, q.started = f.Time, true
	}
	s := q.segment(segment{f.Iface, f.VLAN()})
	if !f.DstMAC.IsGroup() && !f.Dst.IsMulticast() {
		h |= toOne
		if f.HasDstMAC {
			h |= toMAC
		}
	}
	if h&toOne == 0 || isBroadcast(f.Dst) {
		h |= toSeveral
	}
	if f.SrcPort == f.DstPort && f.SrcPort != 0 || f.Src == f.Dst {
		h |= alike
	}
	if p := min(f.SrcPort, f.DstPort); p >= 67 && p <= 69 || f.SrcPort == 4011 || f.DstPort == 4011 {
		h |= onBootPort
		if p != 69 {
			h |= onDHCPPort
		}
	}
	if f.Proto == wire.ProtoUDP && (f.SrcPort == 67 || f.SrcPort == 68 || f.DstPort == 67) {
		h |= mayBeDHCP
	}
	if f.IsSecond() {
		h |= fromSecond
	}
	if f.ARP.Op != 0 {
		q.hosts.saw(&f.SrcMAC, &f.ARP.Sender)
	} else {
		q.hosts.saw(&f.SrcMAC, &f.Src)
	}
	if h&toMAC != 0 {
		s.between(f.SrcMAC, f.DstMAC)
	}
	return s.number, h
}

// A role is the part that a frame has in its service.
type role uint8

const (
	noRole         role = iota
	request             // unicast, to a server that answers every request
	broadcast           // a request to everybody
	reply               // from a server's port to one machine
	replyToSeveral      // which needs no request here
	numRoles
)

// role is the role of a frame by its headers.
func (q *quality) role(h headers, svc catalog.Index, toServer bool) role {
	switch {
	case svc == catalog.None || h&alike != 0:
	case !toServer && h&toOne != 0:
		return reply
	case !toServer:
		return replyToSeveral
	case h&toSeveral != 0:
		return broadcast
	case q.due[svc]:
		return request
	}
	return noRole
}

// frame reads one frame whose headers were met, of talk t. svc is its service and
// toServer its direction, as counted, and r its role there.
func (q *quality) frame(f *wire.Frame, t *talk, svc catalog.Index, toServer bool, r role) {
	s, h := q.byNumber[t.segment], t.headers
	if s.packets == 0 {
		s.service = svc
	}
	s.packets++
	if svc != s.service {
		s.mixed = true
	}
	if h&onBootPort != 0 {
		s.bootPorts++
		if h&onDHCPPort != 0 {
			s.dhcp++
		}
	}
	if h&toMAC != 0 {
		s.unicast++
	}
	s.roles[r]++
	if s.replies() == 0 && r == request {
		s.ask(f)
	}
	if f.CapLen < f.WireLen || f.WireLen > maxFrame || f.Link != capture.LinkEthernet {
		q.unusual(s, f)
	}
	if q.asks.open > 0 && f.IPVersion == 4 {
		q.resolved(s, f)
	}
	switch {
	case f.Proto == wire.ProtoTCP:
		if f.Stop == wire.StopNone {
			q.segmentOf(s, f, h)
		}
	case h&mayBeDHCP != 0:
		q.dhcp.message(q, f)
	case f.Proto == wire.ProtoUDP:
		if f.Time-q.begun < beginning {
			q.datagram(f, svc, toServer)
		}
	case f.ARP.Op != 0:
		s.arp++
		q.asked(f)
	}
}

// unusual reads a frame that is cut, long, or of another link type than Ethernet.
func (q *quality) unusual(s *segmentSeen, f *wire.Frame) {
	if f.CapLen < f.WireLen {
		s.cut++
		q.snap = max(q.snap, f.CapLen)
	}
	if f.Link == capture.LinkSLL || f.Link == capture.LinkSLL2 {
		s.cooked++
		if f.Outgoing && len(q.local) < maxLocal && !q.local[f.SrcMAC] {
			q.local[f.SrcMAC] = true
		}
	} else if f.WireLen > maxFrame+4*int(f.TagCount) && f.Tunnel == wire.NoTunnel {
		s.oversize++
		q.tooLong(f)
	}
}

func (q *quality) tooLong(f *wire.Frame) {
	for i := range q.oversize {
		h := &q.oversize[i]
		if h.len == 0 || h.mac == f.SrcMAC {
			h.mac, h.len = f.SrcMAC, max(h.len, f.WireLen)
			return
		}
	}
}

// segment is the record of a segment.
func (q *quality) segment(k segment) *segmentSeen {
	r := &q.recent[(k.iface^int(k.vlan))&(recentSegments-1)]
	if r.key == k && r.seen != nil {
		return r.seen
	}
	s := q.segments[k]
	if s == nil {
		if len(q.segments) >= maxSegments {
			return &q.overflow
		}
		s = &segmentSeen{key: k, number: uint16(len(q.byNumber))}
		q.segments[k] = s
		q.byNumber = append(q.byNumber, s)
	}
	*r = recentSegment{k, s}
	return s
}

// replies is how many frames came from servers.
func (s *segmentSeen) replies() uint64 { return s.roles[reply] + s.roles[replyToSeveral] }

// ask remembers whom a request went to: the server, and the machine that takes
// the frame, which may be a router.
func (s *segmentSeen) ask(f *wire.Frame) {
	if s.nasked == maxAsked {
		return
	}
	for _, e := range s.asked[:s.nasked] {
		if e.Addr == f.Dst {
			return
		}
	}
	s.asked[s.nasked] = finding.Endpoint{MAC: f.DstMAC, Addr: f.Dst}
	s.nasked++
}

// between narrows down who can be the capturing host.
func (s *segmentSeen) between(src, dst wire.MAC) {
	if s.ncommon == 0 {
		if s.unicast == 0 {
			s.common, s.ncommon = [2]wire.MAC{src, dst}, 2
		}
		return
	}
	n := 0
	for _, m := range s.common[:s.ncommon] {
		if m == src || m == dst {
			s.common[n] = m
			n++
		}
	}
	s.ncommon = n
}

// shows reports whether unicast frames between a and b would be in the
// capture: frames between other machines are, or one of the two takes part in
// every frame that is. As long as there are few frames it is assumed.
func (s *segmentSeen) shows(a, b wire.MAC, few uint64) bool {
	if s == nil || s.cooked > 0 || s.packets < few || s.unicast > 0 && (s.unicast < few || s.ncommon == 0) {
		return true // on cooked captures destinations are not known
	}
	for _, m := range s.common[:s.ncommon] {
		if m == a || m == b {
			return true
		}
	}
	return false
}

// isBroadcast takes an address that ends in 255 for a network's broadcast
// address: on a cooked capture nothing else tells.
func isBroadcast(a wire.Addr) bool { return a[15] == 255 && a.Is4() }

// exchange notes what a decided exchange proves about the capture: a transfer
// that was answered, as the client's next steps show, although none of its
// frames is an answer's, was answered outside of the capture.
func (q *quality) exchange(x *track.Exchange) {
	if x.Outcome != track.Answered || x.Op != "RRQ" && x.Op != "WRQ" || x.Bytes > 0 || len(x.Frames) == 0 || len(x.Frames) > x.Tries {
		return
	}
	k := segment{x.Iface, x.VLAN}
	q.unseen(q.segment(k), direction{x.Server.Addr, x.Client.Addr}, blindness{
		mac: x.Client.MAC, frame: x.Frames[len(x.Frames)-1], how: "goes on to the next file without an answer to its read request",
	})
}
