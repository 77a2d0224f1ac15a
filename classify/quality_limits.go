package classify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A limit is one thing that this capture cannot show, or does not show right:
// a gate of the field catalogue (8.0) that is met, with the scope in which it
// is.
type limit struct {
	gate, severity, detail string
	// doubts tells what the limit does to a finding; nil: nothing, to any.
	doubts func(*finding.Finding) doubt
	// onlyIfMet leaves the limit out of the report unless a finding is doubted.
	onlyIfMet bool
	// hides says that the limit is about what cannot be seen, rather than about
	// how something looks.
	hides bool

	affects           []string
	withheld, lowered int
}

// A doubt is what a limit does to a finding.
type doubt uint8

const (
	noDoubt  doubt = iota
	lessSure       // one step less confident
	milder         // that, and an error becomes a warning
	withhold       // the capture could not have shown the opposite
)

// considerableLoss is the share of packets that the capturing side lost from
// which on an error is only a warning: one in ten. Below it, several requests
// in a row whose answers were all dropped are unlikely, and only the
// confidence falls.
const considerableLoss = 0.1

// limits are all limits that hold at this moment.
func (q *quality) limits(c *clock) []*limit {
	var l []*limit
	add := func(x *limit) {
		if x != nil {
			l = append(l, x)
		}
	}
	keys := make([]segment, 0, len(q.segments))
	for k := range q.segments {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b segment) int { return cmp.Or(a.iface-b.iface, int(a.vlan)-int(b.vlan)) })
	oneSided := make(map[segment]bool)
	for _, k := range keys {
		if x := q.oneSided(k, q.segments[k]); x != nil {
			oneSided[k] = true
			add(x)
		}
	}
	add(q.asymmetric(oneSided))
	byIface := q.interfaceSums(keys)
	for _, i := range byIface {
		add(q.recordedFilter(i))
		add(q.portFilter(i))
		add(q.onlyDHCP(i))
		add(q.drops(i))
		add(q.localVirt(i))
	}
	add(q.fileDrops(byIface))
	add(q.localServer())
	add(q.clockSteps(c))
	add(q.merge())
	add(q.offload(byIface))
	return l
}

// An interfaceSum is what was seen on all VLANs of an interface.
type interfaceSum struct {
	segmentSeen
	iface int
}

func (q *quality) interfaceSums(keys []segment) []*interfaceSum {
	var out []*interfaceSum
	for _, k := range keys {
		s := q.segments[k]
		if len(out) == 0 || out[len(out)-1].iface != k.iface {
			out = append(out, &interfaceSum{segmentSeen{key: k, service: s.service}, k.iface})
		}
		i := out[len(out)-1]
		i.packets += s.packets
		i.arp += s.arp
		i.unicast += s.unicast
		i.bootPorts += s.bootPorts
		i.dhcp += s.dhcp
		i.cut += s.cut
		i.cooked += s.cooked
		i.oversize += s.oversize
		i.lost += s.lost
		i.mixed = i.mixed || s.mixed || s.service != i.service
	}
	return out
}

func (q *quality) iface(i int) capture.Interface {
	if i < len(q.interfaces) {
		return q.interfaces[i]
	}
	return capture.Interface{}
}

func (q *quality) ifaceName(i int) string {
	if n := q.iface(i).Name; n != "" {
		return "interface " + n
	}
	return "the capture"
}

func (q *quality) segmentName(k segment) string {
	name := q.ifaceName(k.iface)
	if k.vlan != 0 {
		name += fmt.Sprintf(", VLAN %d,", k.vlan)
	}
	return name
}

// oneSided is CQ-ONESIDED: requests to servers and never a packet from one,
// not even ARP; or the other way round. Broadcast requests alone prove
// nothing: nobody may be there.
func (q *quality) oneSided(k segment, s *segmentSeen) *limit {
	what := ""
	least := uint64(q.t.OneSidedRequests)
	switch {
	case s.replies > 0:
		if s.unicastReplies < least || s.requests+s.broadcast > 0 {
			return nil
		}
		what = fmt.Sprintf("%d packets from servers and not one request", s.replies)
	case s.blind > 0 && s.requests == 0:
		what = "clients that go on as if they had been answered, and not one packet from a server port"
	case s.blind > 0:
		what = fmt.Sprintf("%d requests and not one packet from a server port, although clients go on as if they had been answered", s.requests)
	case s.requests >= least:
		for _, e := range s.asked[:s.nasked] {
			if q.hosts.heard(e) {
				return nil
			}
		}
		what = fmt.Sprintf("%d requests to servers and not one packet from any of them, not even ARP", s.requests)
	default:
		return nil
	}
	return &limit{
		gate: oneSidedGate, severity: "warning", hides: true,
		detail: fmt.Sprintf("%s shows %s: only one direction was captured, silence proves nothing there", q.segmentName(k), what),
		doubts: func(f *finding.Finding) doubt {
			if f.Rule.Absence && f.Iface == k.iface && f.VLAN == k.vlan {
				return withhold
			}
			return noDoubt
		},
	}
}

const oneSidedGate = "one-sided"

// oneSidedThroughout reports whether all traffic of services is in segments
// that show one direction only.
func (q *quality) oneSidedThroughout() bool {
	found := false
	for k, s := range q.segments {
		if s.requests+s.broadcast+s.replies+s.blind == 0 {
			continue
		}
		if q.oneSided(k, s) == nil {
			return false
		}
		found = true
	}
	return found
}

// asymmetric is CQ-ASYM: one direction between two machines is missing, while
// the segment as a whole is two-way.
func (q *quality) asymmetric(oneSided map[segment]bool) *limit {
	proofs := make(map[direction]*blindness)
	fromSilent := make(map[wire.Addr]bool)
	var first *blindness
	var of direction
	for d, b := range q.blind {
		if oneSided[b.segment] {
			continue // said of everybody there
		}
		proofs[d] = b
		if !q.hosts.heardAddr(d.from) {
			fromSilent[d.from] = true
		}
		if first == nil || b.frame < first.frame {
			first, of = b, d
		}
	}
	x := &limit{gate: "asymmetric", severity: "warning", hides: true, onlyIfMet: len(proofs) == 0}
	switch n := len(proofs); {
	case n == 0:
		x.detail = "between some machines the capture shows one direction, or nothing, while it shows others: its silence proves nothing there"
	case n == 1:
		x.detail = fmt.Sprintf("what %s sends to %s is not in the capture: %s %s (frame %d)", of.from, of.to, of.to, first.how, first.frame.Number())
	default:
		x.detail = fmt.Sprintf("%d directions between two machines are not in the capture, first what %s sends to %s: %s %s (frame %d)",
			n, of.from, of.to, of.to, first.how, first.frame.Number())
	}
	x.doubts = func(f *finding.Finding) doubt {
		k := segment{f.Iface, f.VLAN}
		if !f.Rule.Absence || oneSided[k] {
			return noDoubt
		}
		if b := proofs[direction{f.Server.Addr, f.Node.Addr}]; b != nil && (b.mac == f.Node.MAC || f.Node.MAC.IsZero() || b.mac.IsZero()) {
			return withhold
		}
		switch {
		case proofs[direction{f.Node.Addr, f.Server.Addr}] != nil, fromSilent[f.Server.Addr],
			len(f.Frames) >= q.t.OneSidedRequests && !q.hosts.heard(f.Server) && !f.Node.MAC.IsZero(),
			q.outOfSight(f, q.segments[k]):
			return withhold
		}
		return noDoubt
	}
	return x
}

// outOfSight is for the absences that broadcasts alone make: the answer, or
// what the node does next, is unicast, and a port without a mirror shows only
// what its own host sends and gets.
func (q *quality) outOfSight(f *finding.Finding, s *segmentSeen) bool {
	few := uint64(q.t.FilteredPackets)
	switch f.Rule.ID {
	case "arp-no-answer":
		return !s.shows(f.Node.MAC, q.hosts.addrs[f.Server.Addr], few)
	case "no-load-after-ack":
		// The node asked for a machine's MAC, once or twice and so with success,
		// and talks to it since.
		a, ok := q.lastAsk(f.Node.MAC)
		return ok && a.at >= f.First && a.at <= f.Last && a.n < q.t.ARPTries && !s.shows(f.Node.MAC, q.hosts.addrs[a.target], 1)
	}
	return false
}

// recordedFilter is CQ-FILTER by the filter that the file records.
func (q *quality) recordedFilter(i *interfaceSum) *limit {
	filter := q.iface(i.iface).Filter
	if filter == "" {
		return nil
	}
	return &limit{
		gate: "filtered", severity: "note", hides: true,
		detail: fmt.Sprintf("%s was captured with the filter %q: what it leaves out is unknown, not missing", q.ifaceName(i.iface), filter),
		doubts: func(f *finding.Finding) doubt {
			if !f.Rule.Absence || f.Iface != i.iface {
				return noDoubt
			}
			d := noDoubt
			for _, m := range missing(f) {
				switch passes(filter, &m) {
				case never:
					return withhold
				case maybe:
					d = lessSure
				}
			}
			return d
		},
	}
}

// portFilter is CQ-FILTER by what the packets show: that many, and all of one
// service, or all on the ports of people's usual filter for network boot.
func (q *quality) portFilter(i *interfaceSum) *limit {
	if i.packets < uint64(q.t.FilteredPackets) || q.iface(i.iface).Filter != "" {
		return nil
	}
	passes, what, severity := q.sameService(i), "", "note"
	switch {
	case i.packets == i.dhcp:
		what = "are DHCP: a port filter probably hides what follows"
		passes = func(m *missed) bool { return !m.arp && !m.fragment && (isDHCPPort(m.from) || isDHCPPort(m.to)) }
	case i.packets == i.bootPorts:
		what, severity = "are on the ports 67, 68, 69 and 4011: a port filter hides TFTP data, ARP and everything after", "warning"
		passes = func(m *missed) bool { return !m.arp && !m.fragment && (bootPort(m.from) || bootPort(m.to)) }
	case passes != nil:
		what = fmt.Sprintf("are of one service (%s): a capture filter probably hides the rest", q.cat.At(i.service).Name)
	default:
		return nil
	}
	return &limit{
		gate: "filtered", severity: severity, hides: true,
		detail: fmt.Sprintf("all %d packets of %s %s", i.packets, q.ifaceName(i.iface), what),
		doubts: func(f *finding.Finding) doubt {
			if !f.Rule.Absence || f.Iface != i.iface {
				return noDoubt
			}
			for _, m := range missing(f) {
				if !passes(&m) {
					return withhold
				}
			}
			return noDoubt
		},
	}
}

func bootPort(p uint16) bool { return p == 69 || isDHCPPort(p) }

// sameService tells whether a packet would be of the one service that is all
// that an interface shows; nil when it shows several, or none.
func (q *quality) sameService(i *interfaceSum) func(*missed) bool {
	v := q.cat.At(i.service)
	if i.mixed || v == nil {
		return nil
	}
	tftp := v.ID == "tftp"
	return func(m *missed) bool {
		switch {
		case m.arp:
			return slices.ContainsFunc(v.Frames, func(k catalog.FrameKind) bool { return k.EtherType == wire.EtherARP })
		case tftp && (m.from == ephemeral || m.to == ephemeral):
			return true // its data are here, or all would be on port 69
		}
		svc, _ := q.cat.Lookup(cmp.Or(m.proto, wire.ProtoUDP), m.from, m.to)
		return svc == i.service
	}
}

// onlyDHCP is CQ-FILTER for FM-46: that nothing was loaded can be said only
// where the capture shows something besides DHCP.
func (q *quality) onlyDHCP(i *interfaceSum) *limit {
	if i.packets != i.dhcp {
		return nil
	}
	return &limit{
		gate: "filtered", severity: "note", hides: true, onlyIfMet: true,
		detail: fmt.Sprintf("%s shows DHCP and nothing else, not even ARP: a filter may hide what follows", q.ifaceName(i.iface)),
		doubts: func(f *finding.Finding) doubt {
			if f.Iface == i.iface && follows(f.Rule.ID) {
				return withhold
			}
			return noDoubt
		},
	}
}

// follows lists the absences of any next step, whatever its protocol.
func follows(id string) bool {
	switch id {
	case "no-load-after-ack", "wrong-loader-for-architecture", "arp-no-answer":
		return true
	}
	return false
}

// missing are the packets, or some that stand for them, whose absence f is about.
func missing(f *finding.Finding) []missed {
	m := missed{proto: wire.ProtoUDP, server: f.Server.Addr, node: f.Node.Addr}
	server := func(proto uint8, port uint16) missed {
		m.proto, m.from, m.to = proto, port, cmp.Or(f.Node.Port, ephemeral+1)
		return m
	}
	id := f.Rule.ID
	switch {
	case strings.HasPrefix(id, "proxydhcp-"), strings.HasPrefix(id, "boot-server-"):
		m.from, m.to = 4011, cmp.Or(f.Node.Port, 68)
		return []missed{m}
	case strings.HasPrefix(id, "tftp-"):
		return []missed{server(wire.ProtoUDP, ephemeral)}
	case id == "rpc-portmap-no-answer":
		return []missed{server(0, 111)}
	case id == "rpc-mount-no-answer":
		return []missed{server(0, f.Server.Port)}
	case id == "nfs-server-not-responding":
		return []missed{server(0, 2049)}
	case strings.HasPrefix(id, "tcp-"):
		return []missed{server(wire.ProtoTCP, f.Server.Port)}
	case id == "fragments-lost":
		m.fragment = true
		return []missed{m}
	case id == "arp-no-answer":
		m.arp, m.proto = true, 0
		return []missed{m}
	case follows(id):
		web := m
		web.proto, web.from, web.to = wire.ProtoTCP, 80, ephemeral+1
		return []missed{server(wire.ProtoUDP, 69), web, {arp: true, server: m.server, node: m.node}}
	}
	m.from, m.to, m.server, m.node = 67, 68, wire.Addr{}, wire.Addr{}
	return []missed{m}
}

// drops is CQ-DROP: the capturing side says how many packets it lost, or TCP
// shows it.
func (q *quality) drops(i *interfaceSum) *limit {
	n, seen := q.iface(i.iface).Dropped, i.packets
	x := &limit{gate: "drops", severity: "warning", hides: true}
	effect := lessSure
	switch {
	case n.Known && n.N > 0:
		x.detail = fmt.Sprintf("%d packets were dropped while capturing on %s: a missing answer may be among them", n.N, q.ifaceName(i.iface))
		if float64(n.N) >= considerableLoss*float64(seen+n.N) {
			effect = milder
		}
	case i.lost >= lostProve:
		x.detail = fmt.Sprintf("%s misses packets: %d times TCP acknowledged data that is not in the capture", q.ifaceName(i.iface), i.lost)
	default:
		return nil
	}
	x.doubts = func(f *finding.Finding) doubt {
		if f.Rule.Absence && f.Iface == i.iface {
			return effect
		}
		return noDoubt
	}
	return x
}

// lostProve is how often TCP must acknowledge what was not captured before
// drops count: once may be a reordered capture.
const lostProve = 3

// fileDrops are the drops that a file states as a whole.
func (q *quality) fileDrops(sums []*interfaceSum) *limit {
	dropped := make(map[int]doubt)
	var total uint64
	for i, f := range q.files {
		stated := uint64(0)
		for _, x := range q.interfaces {
			if x.File == i && x.Dropped.Known {
				stated += x.Dropped.N
			}
		}
		if !f.Dropped.Known || f.Dropped.N <= stated {
			continue // said by interface already
		}
		total += f.Dropped.N
		dropped[i] = lessSure
		if float64(f.Dropped.N) >= considerableLoss*float64(f.Packets+f.Dropped.N) {
			dropped[i] = milder
		}
	}
	if total == 0 {
		return nil
	}
	return &limit{
		gate: "drops", severity: "warning", hides: true,
		detail: fmt.Sprintf("%d packets were dropped while capturing: a missing answer may be among them", total),
		doubts: func(f *finding.Finding) doubt {
			if !f.Rule.Absence {
				return noDoubt
			}
			return dropped[q.iface(f.Iface).File]
		},
	}
}

// localVirt is CQ-LOCALVIRT: a virtual network of the capturing host, where
// its own DHCP server is at home.
func (q *quality) localVirt(i *interfaceSum) *limit {
	if !isLocalVirt(q.iface(i.iface).Name) {
		return nil
	}
	return &limit{
		gate: "local-virt", severity: "note",
		detail: fmt.Sprintf("%s is a virtual network of the capturing host; its own DHCP server is at home there", q.ifaceName(i.iface)),
		doubts: func(f *finding.Finding) doubt {
			if f.Iface == i.iface && isRogue(f.Rule.ID) {
				return withhold
			}
			return noDoubt
		},
	}
}

// localServer is CQ-LOCALVIRT for a capture on "any": the accused server is the
// capturing host itself.
func (q *quality) localServer() *limit {
	if len(q.local) == 0 {
		return nil
	}
	return &limit{
		gate: "local-virt", severity: "note", onlyIfMet: true,
		detail: "a DHCP server that runs on the capturing host answered on one of its interfaces; captured on \"any\", its virtual networks cannot be told from the real ones",
		doubts: func(f *finding.Finding) doubt {
			if f.Rule.ID == "dhcp-rogue-libvirt" && q.local[f.Server.MAC] {
				return withhold
			}
			return noDoubt
		},
	}
}

func isRogue(id string) bool {
	return strings.HasPrefix(id, "dhcp-rogue-") || id == "dhcp-several-servers"
}

func isLocalVirt(name string) bool {
	for _, p := range []string{"virbr", "vnet", "tap", "lxdbr", "docker", "veth"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// clockSteps is CQ-CLOCK: nothing is called unanswered across a step.
func (q *quality) clockSteps(c *clock) *limit {
	if c.jumped == 0 {
		return nil
	}
	times := "once"
	if c.jumped > 1 {
		times = fmt.Sprintf("%d times, first", c.jumped)
	}
	j := c.jumps[0]
	return &limit{
		gate: "clock", severity: "warning", hides: true,
		detail: fmt.Sprintf("the capturing clock steps, or the capture pauses, %s by %s at frame %d; nothing is called unanswered across a step", times, span(j.by), j.frame.Number()),
		doubts: func(f *finding.Finding) doubt {
			if (f.Rule.Absence || isTiming(f.Rule.ID)) && c.spans(f.First, f.Last) {
				return withhold
			}
			return noDoubt
		},
	}
}

// isTiming lists the findings that measure a time between two packets.
func isTiming(id string) bool {
	switch id {
	case "dhcp-slow-offer", "ping-check-delay", "l2-port-not-forwarding", "reboot-loop":
		return true
	}
	return false
}

// merge is CQ-MERGE: two interfaces with clocks of their own.
func (q *quality) merge() *limit {
	o := &q.dhcp.offset
	if !o.found() {
		return nil
	}
	of := func(f *finding.Finding) bool { return f.Iface == o.first || f.Iface == o.second }
	return &limit{
		gate: "merge", severity: "warning", hides: true,
		detail: fmt.Sprintf("the same packets come %v later on %s than on %s: the captures' clocks differ, times between packets mean nothing",
			o.by, q.numbered(o.second), q.numbered(o.first)),
		doubts: func(f *finding.Finding) doubt {
			switch {
			case of(f) && isTiming(f.Rule.ID):
				return withhold
			case of(f) && f.Rule.Absence:
				return lessSure
			}
			return noDoubt
		},
	}
}

// numbered names an interface among several.
func (q *quality) numbered(i int) string {
	x := q.iface(i)
	name := fmt.Sprintf("interface %d", i)
	if x.Name != "" {
		name = "interface " + x.Name
	}
	if len(q.files) > 1 && x.File < len(q.files) {
		name += " of " + q.files[x.File].Name
	}
	return name
}

// offload is CQ-OFFLOAD: frames that no wire carries come from a host that
// captures its own packets before the network card cuts and checks them.
func (q *quality) offload(sums []*interfaceSum) *limit {
	var n uint64
	for _, i := range sums {
		n += i.oversize
	}
	if n == 0 {
		return nil
	}
	sent := func(e finding.Endpoint, more int) bool {
		for _, h := range q.oversize {
			if h.len > more && h.mac == e.MAC && !e.MAC.IsZero() {
				return true
			}
		}
		return false
	}
	return &limit{
		gate: "offload", severity: "note",
		detail: fmt.Sprintf("%d frames are longer than %d bytes: captured before the network card cut them and set their checksums, or jumbo frames", n, maxFrame),
		doubts: func(f *finding.Finding) doubt {
			switch f.Rule.ID {
			case "bad-udp-checksum-reply":
				if sent(f.Server, maxFrame) {
					return withhold
				}
			case "path-mtu-black-hole", "fragments-lost": // jumbo frames may be the very cause
				if sent(f.Server, maxJumbo) || sent(f.Node, maxJumbo) {
					return withhold
				}
			}
			return noDoubt
		},
	}
}

// others are the limits that touch no finding: trackers heed them themselves.
func (q *quality) others(c *clock, copies *track.Copies, open int, evicted map[string]uint64, dropped uint64) []*limit {
	var l []*limit
	add := func(gate, severity, format string, args ...any) {
		l = append(l, &limit{gate: gate, severity: severity, detail: fmt.Sprintf(format, args...)})
	}
	var cut, cooked uint64
	for _, s := range q.segments {
		cut += s.cut
		cooked += s.cooked
	}
	if q.midFlow > 0 {
		add("mid-flow", "note", "%s running already when the capture began; what came before is unknown, not missing", plural(q.midFlow, "conversation was", "conversations were"))
	}
	if open > 0 {
		add("ends-early", "note", "%s still within the grace of an answer when the capture ended: open, not unanswered", plural(uint64(open), "exchange was", "exchanges were"))
	}
	if cut > 0 {
		add("snaplen", "note", "%d of %d packets are cut, the longest at %d bytes; what lies beyond the cut is unknown, not missing", cut, q.packets, q.snap)
	}
	if c.outOfOrder > 0 {
		add("clock", "note", "%s out of time order by up to %v, as several capture queues make it; read in file order", plural(c.outOfOrder, "packet is", "packets are"), q.t.ClockBack)
	}
	if n, asked := copies.Share(); asked > 0 && float64(n) > q.t.DuplicateShare*float64(asked) {
		add("duplicates", "note", "%d of %d control packets are copies (SPAN port of both directions, several interfaces); each was judged once", n, asked)
	}
	if n := copies.Of(track.Routed); n > 0 {
		add("routed-copy", "note", "%s seen before and after a router, with another TTL or MAC; each was judged once", plural(n, "packet was", "packets were"))
	}
	if n := copies.Of(track.Trunk); n > 0 {
		add("trunk", "note", "%s seen both with and without a VLAN tag; each was judged once", plural(n, "packet was", "packets were"))
	}
	if n := q.dhcp.relayTwice; n > 0 {
		add("relay-twice", "note", "%s seen on both sides of a relay agent; each is one transaction", plural(n, "DHCP transaction was", "DHCP transactions were"))
	}
	if cooked > 0 {
		add("any-interface", "note", "captured on \"any\" (cooked): destination MACs are missing and packets may appear once per interface")
	}
	for name, n := range evicted {
		add("bounds", "note", "%s: %s dropped because a table was full", name, plural(n, "entry was", "entries were"))
	}
	if dropped > 0 {
		add("bounds", "note", "%s beyond the limit of %d dropped", plural(dropped, "finding was", "findings were"), maxFindings)
	}
	for _, f := range q.files {
		if f.Damage != "" || f.Truncated {
			add("damage", "warning", "%s: %s; everything before it was analyzed", f.Name, damage(f))
		}
	}
	return l
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func damage(f capture.FileInfo) string {
	if f.Damage != "" {
		return f.Damage
	}
	return fmt.Sprintf("the file ends inside packet %d", f.Packets+1)
}

// qualities is the limits as reported, warnings first.
func qualities(limits []*limit) []Quality {
	var out []Quality
	for _, l := range limits {
		if l.onlyIfMet && len(l.affects) == 0 {
			continue
		}
		x := Quality{l.gate, l.severity, l.detail, slices.Sorted(slices.Values(l.affects))}
		if x.Affects == nil {
			x.Affects = []string{}
		}
		switch w, n := l.withheld, l.lowered; {
		case w > 0 && n > 0:
			x.Detail += fmt.Sprintf("; %s withheld, %s less sure for it", plural(uint64(w), "finding is", "findings are"), plural(uint64(n), "is", "are"))
		case w > 0:
			x.Detail += fmt.Sprintf("; %s withheld for it", plural(uint64(w), "finding is", "findings are"))
		case n > 0:
			x.Detail += fmt.Sprintf("; %s less sure for it", plural(uint64(n), "finding is", "findings are"))
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b Quality) int {
		return cmp.Or(strings.Compare(b.Severity, a.Severity), strings.Compare(a.Gate, b.Gate), strings.Compare(a.Detail, b.Detail))
	})
	return out
}

// span is a duration for people: steps of a clock are seconds or years.
func span(d time.Duration) string {
	if days := d.Hours() / 24; days >= 2 || days <= -2 {
		return fmt.Sprintf("%.0f days", days)
	}
	return d.Round(time.Millisecond).String()
}
