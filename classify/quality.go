package classify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/wire"
)

// quality watches what a capture can and cannot show (field catalogue, 8.0).
// It sees every frame and must stay cheap.
type quality struct {
	t *site.Thresholds

	segments map[segment]*segmentSeen
	lastSeg  *segmentSeen
	lastKey  segment
	senders  senders

	packets    uint64
	bootPorts  uint64 // packets on 67, 68, 69 and 4011 alone
	firstSvc   catalog.Index
	oneService bool
	cut        uint64
	cooked     uint64
	oversize   uint64
	later      uint64 // later IP fragments
	midFlow    uint64 // replies and running transfers before any request
	interfaces []capture.Interface
	files      []capture.FileInfo
}

// A segment is an interface and a VLAN: what is two-way on one may be one-way
// on another.
type segment struct {
	iface int
	vlan  uint16
}

type segmentSeen struct {
	requests uint64 // unicast, to a server port
	replies  uint64 // from a server port
}

// maxSegments bounds the segments kept apart.
const maxSegments = 1024

func newQuality(s *site.Site) *quality {
	return &quality{t: &s.Thresholds, segments: make(map[segment]*segmentSeen), oneService: true, firstSvc: catalog.None,
		senders: senders{addrs: make(map[wire.Addr]struct{}), macs: make(map[wire.MAC]struct{})}}
}

func (q *quality) frame(f *wire.Frame, svc catalog.Index, toServer bool) {
	q.packets++
	if f.CapLen < f.WireLen {
		q.cut++
	}
	if f.Link == capture.LinkSLL || f.Link == capture.LinkSLL2 {
		q.cooked++
	}
	if f.CapLen > 1514+4*int(f.TagCount) && f.Tunnel == wire.NoTunnel {
		q.oversize++
	}
	if f.Fragment == wire.Later {
		q.later++
	}
	q.senders.saw(f)
	if bootPort(f.SrcPort) || bootPort(f.DstPort) {
		q.bootPorts++
	}
	if svc != q.firstSvc {
		if q.firstSvc == catalog.None && q.packets == 1 {
			q.firstSvc = svc
		} else {
			q.oneService = false
		}
	}
	if svc == catalog.None {
		return
	}
	seg := q.segment(segment{f.Iface, f.VLAN()})
	if seg == nil {
		return
	}
	if !toServer {
		seg.replies++
	} else if !f.Dst.IsMulticast() && !f.DstMAC.IsGroup() {
		seg.requests++
	}
}

func bootPort(p uint16) bool { return p == 67 || p == 68 || p == 69 || p == 4011 }

func (q *quality) segment(k segment) *segmentSeen {
	if q.lastSeg != nil && q.lastKey == k {
		return q.lastSeg
	}
	s := q.segments[k]
	if s == nil {
		if len(q.segments) >= maxSegments {
			return nil
		}
		s = &segmentSeen{}
		q.segments[k] = s
	}
	q.lastSeg, q.lastKey = s, k
	return s
}

// senders remembers who was ever heard: an address or MAC that sent anything
// is no direction that the capture misses.
type senders struct {
	addrs    map[wire.Addr]struct{}
	macs     map[wire.MAC]struct{}
	lastAddr wire.Addr
	lastMAC  wire.MAC
	full     bool
}

// maxSenders bounds the senders remembered; beyond it everybody counts as heard.
const maxSenders = 1 << 16

func (s *senders) saw(f *wire.Frame) {
	if f.SrcMAC != s.lastMAC {
		s.lastMAC = f.SrcMAC
		if len(s.macs) < maxSenders {
			s.macs[f.SrcMAC] = struct{}{}
		}
	}
	a := f.Src
	if f.ARP.Op != 0 {
		a = f.ARP.Sender
	}
	if a != s.lastAddr {
		s.lastAddr = a
		if len(s.addrs) < maxSenders {
			s.addrs[a] = struct{}{}
		} else {
			s.full = true
		}
	}
}

func (s *senders) heard(e finding.Endpoint) bool {
	if s.full || e.Addr.IsZero() || e.Addr.IsMulticast() {
		return true
	}
	if _, ok := s.addrs[e.Addr]; ok {
		return true
	}
	return false
}

// A gate is one reason to doubt a finding.
type gate struct {
	gate     string
	suppress bool // else the confidence is lowered
}

// gates tells which gates a finding meets.
func (q *quality) gates(f *finding.Finding, c *clock) []gate {
	var g []gate
	if q.localVirt(f) {
		g = append(g, gate{"local-virt", true})
	}
	if !f.Rule.Absence {
		return g
	}
	if c.spans(f.First, f.Last) {
		g = append(g, gate{"clock", true})
	}
	if q.oneSided(segment{f.Iface, f.VLAN}) {
		g = append(g, gate{"one-sided", true})
	} else if q.asymmetric(f) {
		g = append(g, gate{"asymmetric", true})
	}
	if hidden, sure := q.filtered(f); hidden {
		g = append(g, gate{"filtered", sure})
	}
	if q.dropped() > 0 {
		g = append(g, gate{"drops", false})
	}
	return g
}

// oneSided: requests to server ports, never a packet from one.
func (q *quality) oneSided(k segment) bool {
	s := q.segments[k]
	return s != nil && s.requests >= uint64(q.t.OneSidedRequests) && s.replies == 0
}

// asymmetric: many unicast requests to a server from which nothing at all was
// heard, while the segment as a whole is two-way. A node must have resolved
// the server's address, so an answer to ARP at least was there to be seen.
func (q *quality) asymmetric(f *finding.Finding) bool {
	return len(f.Frames) >= q.t.OneSidedRequests && !q.senders.heard(f.Server) && !f.Node.MAC.IsZero()
}

// filtered tells whether a capture filter may have hidden the answer: sure when
// the capture shows that it did.
func (q *quality) filtered(f *finding.Finding) (hidden, sure bool) {
	if f.Iface < len(q.interfaces) {
		if x := q.interfaces[f.Iface].Filter; x != "" {
			return true, portsOnly(x) && outsideBootPorts(f.Rule.ID)
		}
	}
	if q.packets >= uint64(q.t.FilteredPackets) && q.packets == q.bootPorts {
		return outsideBootPorts(f.Rule.ID), true
	}
	return false, false
}

// outsideBootPorts lists the absences whose answer would not use the ports 67,
// 68, 69 and 4011.
func outsideBootPorts(id string) bool {
	return !strings.HasPrefix(id, "dhcp-") && !strings.HasPrefix(id, "proxydhcp-") && !strings.HasPrefix(id, "boot-server-")
}

// portsOnly reports whether a filter expression selects by port and so loses
// what moves to another one.
func portsOnly(filter string) bool { return strings.Contains(filter, "port") }

func (q *quality) dropped() (n uint64) {
	for _, f := range q.files {
		if f.Dropped.Known {
			n += f.Dropped.N
		}
	}
	return n
}

// localVirt: a virtual network of the capturing host, where its own DHCP
// server is at home.
func (q *quality) localVirt(f *finding.Finding) bool {
	if !strings.HasPrefix(f.Rule.ID, "dhcp-rogue-") && f.Rule.ID != "dhcp-several-servers" {
		return false
	}
	return f.Iface < len(q.interfaces) && isLocalVirt(q.interfaces[f.Iface].Name)
}

func isLocalVirt(name string) bool {
	for _, p := range []string{"virbr", "vnet", "tap", "lxdbr", "docker", "veth", "br-int"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// report lists the gates that are met.
func (q *quality) report(c *clock, copies, asked uint64, v *verdict, open int, evicted map[string]uint64, dropped uint64) []Quality {
	var out []Quality
	add := func(name, severity, format string, args ...any) {
		a := v.affects[name]
		if a == nil {
			a = []string{}
		}
		slices.Sort(a)
		out = append(out, Quality{name, severity, fmt.Sprintf(format, args...), a})
	}
	for k, s := range q.segments {
		if q.oneSided(k) {
			add("one-sided", "warning", "%s shows %d requests to servers and not one packet from a server port: only one direction was captured, silence proves nothing there",
				q.segmentName(k), s.requests)
		}
	}
	if len(v.affects["asymmetric"]) > 0 {
		add("asymmetric", "warning", "from a server that was asked many times nothing was heard at all, not even ARP: its direction is probably not in the capture")
	}
	for _, i := range q.interfaces {
		if i.Filter != "" {
			add("filtered", "note", "interface %s was captured with the filter %q", i.Name, i.Filter)
		}
	}
	if q.packets >= uint64(q.t.FilteredPackets) && q.packets == q.bootPorts {
		add("filtered", "warning", "all %d packets are on the ports 67, 68, 69 and 4011: a port filter hides TFTP data, ARP and everything after", q.packets)
	} else if q.packets >= uint64(q.t.FilteredPackets) && q.oneService && q.firstSvc != catalog.None {
		add("filtered", "note", "all %d packets are of one service: a capture filter probably hides the rest", q.packets)
	}
	if n := q.dropped(); n > 0 {
		add("drops", "warning", "%d packets were dropped while capturing: a missing answer may be among them", n)
	}
	if q.cut > 0 {
		add("snaplen", "note", "%d of %d packets are cut by the snap length; what lies beyond the cut is unknown, not missing", q.cut, q.packets)
	}
	if n := len(c.jumps); n > 0 {
		j := c.jumps[0]
		add("clock", "warning", "the capturing clock steps %d times, first by %v at frame %d; nothing is called unanswered across a step", n, j.by, j.frame.Number())
	}
	if c.outOfOrder > 0 {
		add("merge", "note", "%d packets are out of time order by less than %v; read in file order", c.outOfOrder, q.t.ClockBack)
	}
	if asked > 0 && float64(copies) > q.t.DuplicateShare*float64(asked) {
		add("duplicates", "note", "%d of %d control packets are copies (SPAN port or several interfaces); each was judged once", copies, asked)
	}
	if q.cooked > 0 {
		add("any-interface", "note", "captured on \"any\" (cooked): destination MACs are missing and packets may appear once per interface")
	}
	if q.oversize > 0 {
		add("offload", "note", "%d frames are larger than the wire allows: captured before segmentation or checksum offload", q.oversize)
	}
	for _, i := range q.interfaces {
		if isLocalVirt(i.Name) {
			add("local-virt", "note", "interface %s is a virtual network of the capturing host; its own DHCP server is at home there", i.Name)
		}
	}
	if open > 0 {
		add("ends-early", "note", "%d exchanges were still within their grace when the capture ended; they are open, not unanswered", open)
	}
	for name, n := range evicted {
		add("bounds", "note", "%s: %d entries were dropped because a table was full", name, n)
	}
	if dropped > 0 {
		add("bounds", "note", "%d findings beyond the limit of %d were dropped", dropped, maxFindings)
	}
	for _, f := range q.files {
		if f.Damage != "" || f.Truncated {
			add("damage", "warning", "%s: %s; everything before it was analyzed", f.Name, damage(f))
		}
	}
	slices.SortStableFunc(out, func(a, b Quality) int {
		if a.Severity != b.Severity {
			return strings.Compare(b.Severity, a.Severity) // warning before note
		}
		if a.Gate != b.Gate {
			return strings.Compare(a.Gate, b.Gate)
		}
		return strings.Compare(a.Detail, b.Detail)
	})
	return out
}

func damage(f capture.FileInfo) string {
	if f.Damage != "" {
		return f.Damage
	}
	return fmt.Sprintf("the file ends inside packet %d", f.Packets+1)
}

func (q *quality) segmentName(k segment) string {
	name := "the capture"
	if k.iface < len(q.interfaces) && q.interfaces[k.iface].Name != "" {
		name = "interface " + q.interfaces[k.iface].Name
	}
	if k.vlan != 0 {
		name += fmt.Sprintf(", VLAN %d,", k.vlan)
	}
	return name
}
