package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// Build makes the expression for a Request.
func Build(r *Request) (*Filter, error) {
	want, not, err := r.services()
	if err != nil {
		return nil, err
	}
	link := r.Link
	if link == capture.LinkNull {
		link = capture.LinkEthernet
	}
	b := &builder{Request: r, link: link}
	f := &Filter{Services: len(want) > 0, Dissectors: b.dissectors(want)}
	var control, heavy []selected
	for _, s := range want {
		if bulk(s.Service) {
			heavy = append(heavy, s)
		} else {
			control = append(control, s)
		}
	}
	if f.Text, err = b.text(want, not, true); err != nil {
		return nil, err
	}
	f.Caveats = b.caveats
	if f.Expr, err = Parse(f.Text); err != nil {
		return nil, fmt.Errorf("build %q: %w", f.Text, err)
	}
	if r.Expr != nil { // the rest alone keeps something
		if root, err := decide([]Clause{{Expr: f.Expr}}, Target{Link: link, Live: r.Live}); err == nil && root.kind == end && root.k == 0 {
			return nil, &Error{Msg: fmt.Sprintf("%q keeps no packet", f.Text), Hint: "the expression contradicts the rest, or asks for a layer where there is none"}
		}
	}
	part := func(list []selected, data bool) (*Expr, error) {
		p := &builder{Request: r, link: link, only: true, data: data}
		text, err := p.text(list, not, false)
		if err != nil || text == "" {
			return nil, err
		}
		return Parse(text)
	}
	tftp := slices.ContainsFunc(want, func(s selected) bool { return s.ID == "tftp" })
	if len(heavy) > 0 || tftp && r.Complete {
		if f.Bulk, err = part(heavy, tftp && r.Complete); err != nil {
			return nil, err
		}
	}
	if f.Bulk != nil && len(control) > 0 {
		if f.Control, err = part(control, false); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// dissectors name what Wireshark recognizes without a port.
func (b *builder) dissectors(want []selected) []string {
	if len(b.Hosts)+len(b.Nets)+len(b.MACs) > 0 || b.Expr != nil || b.VLAN == VLANOne || b.VLAN == VLANNone {
		return nil
	}
	var out []string
	for _, s := range want {
		name := ""
		switch {
		case len(s.hosts) > 0:
		case s.ID == "tftp":
			name = "tftp"
		case len(s.Programs) > 0:
			name = "rpc"
		}
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

type builder struct {
	*Request
	link    capture.LinkType
	only    bool // one part of the filter
	data    bool // the part with TFTP's data
	caveats []Caveat
}

func (b *builder) warn(id, text, do string) {
	if !slices.ContainsFunc(b.caveats, func(c Caveat) bool { return c.ID == id }) {
		b.caveats = append(b.caveats, Caveat{id, text, do})
	}
}

// text is the whole expression.
func (b *builder) text(want []selected, not []*catalog.Service, check bool) (x string, err error) {
	groups := b.groups(want)
	var parts []string
	for _, g := range groups {
		if t := g.text(); t != "" {
			parts = append(parts, t)
		}
	}
	if b.Complete && (!b.only || b.data) {
		if extra := b.extra(want); len(extra) > 0 {
			if h := b.everyone(); h != "" {
				extra = []string{"(" + strings.Join(extra, " or ") + ") and " + tight(h)}
			}
			parts = append(parts, extra...)
		}
	}
	x = orJoin(parts)
	if x == "" && len(want) > 0 && !b.only && len(want[0].Frames) > 0 {
		return "", &Error{Msg: fmt.Sprintf("%s cannot be told on %s", want[0].ID, b.link), Hint: "its frames are known by the Ethernet header: capture on the interface itself (EN10MB)"}
	}
	if x == "" && len(want) > 0 && !b.only {
		return "", &Error{Msg: fmt.Sprintf("%s has no port of its own: portmap tells it", want[0].ID), Hint: "add --complete, which knows RPC by its headers, or the service portmap"}
	}
	if x == "" && b.only {
		return "", nil
	}
	if len(want) == 0 && !b.only {
		x = b.everyone()
	}
	for _, s := range not {
		x = andJoin(x, "not "+tight(b.group(selected{Service: s}, true).text()))
	}
	if len(b.MACs) > 0 {
		x = andJoin(x, b.macs())
	}
	if x, err = b.narrowed(x); err != nil {
		return "", err
	}
	if x == "" {
		return "", &Error{Msg: "nothing to filter for", Hint: "name a service, as 'pxescope filter tftp', or use --phase, --host, --mac or --expr"}
	}
	x, err = b.tagged(x)
	if err != nil || !check {
		return x, err
	}
	b.tell(want)
	return x, nil
}

// narrowed and-s the user's expression to x. Its vlan moves all that stands to
// the right of it, so where it asks for a tag it has to come first, and where it
// denies one, last: 'udp port 69 and vlan 5' keeps no packet at all.
func (b *builder) narrowed(x string) (string, error) {
	if b.Expr == nil {
		return x, nil
	}
	e := b.Expr.String()
	switch {
	case x == "" || !asksLayer(b.Expr.root):
		return andJoin(x, e), nil
	case alwaysLayer(b.Expr.root):
		return andJoin(e, x), nil
	}
	return "", &Error{Msg: "the expression asks for vlan, mpls or pppoes in some of its cases only, so nothing can be and-ed to it",
		Hint: "use --vlan, or write the whole filter as --expr and check it with 'pxescope filter lint'"}
}

// asksLayer reports whether a word that moves offsets stands outside of 'not'.
func asksLayer(n node) bool {
	switch n := n.(type) {
	case joined:
		return asksLayer(n.l) || asksLayer(n.r)
	case layerTerm:
		return n.name != "pppoed"
	}
	return false
}

// alwaysLayer reports whether every packet that matches has such a layer.
func alwaysLayer(n node) bool {
	switch n := n.(type) {
	case joined:
		if n.or {
			return alwaysLayer(n.l) && alwaysLayer(n.r)
		}
		return alwaysLayer(n.l) || alwaysLayer(n.r)
	case layerTerm:
		return n.name != "pppoed"
	}
	return false
}

// tagged puts the vlan words round an expression, in the order that is right:
// vlan moves all that comes after it, so the untagged case comes first.
func (b *builder) tagged(x string) (string, error) {
	v := b.VLAN
	if v == VLANDefault && b.Complete {
		v = VLANAny
	}
	if v == VLANDefault {
		return x, nil
	}
	if b.link != capture.LinkEthernet {
		if b.VLAN != VLANDefault && v != VLANNone {
			return "", &Error{Msg: fmt.Sprintf("%s has no VLAN tags to filter on", b.link), Hint: "capture on the interface itself (EN10MB), or use --vlan none"}
		}
		return x, nil
	}
	if b.Expr != nil && usesLayers(b.Expr.root) {
		if b.VLAN == VLANDefault {
			return x, nil
		}
		return "", &Error{Msg: "the expression has vlan, mpls or pppoes of its own", Hint: "leave out --vlan, or the word"}
	}
	switch v {
	case VLANNone:
		return andJoin(x, "not vlan"), nil
	case VLANOne:
		return "vlan " + strconv.Itoa(int(b.VLANID)) + " and " + tight(x), nil
	}
	return everyTag(x), nil
}

// everyTag is x untagged, in a VLAN, and in a VLAN inside another.
func everyTag(x string) string {
	return x + " or (vlan and (" + x + " or (vlan and " + tight(x) + ")))"
}

func usesLayers(n node) bool {
	switch n := n.(type) {
	case joined:
		return usesLayers(n.l) || usesLayers(n.r)
	case not:
		return usesLayers(n.x)
	case layerTerm:
		return n.name != "pppoed"
	}
	return false
}

// A group is services with the same addresses: ports in one list per protocol.
type group struct {
	hosts string
	udp   []portRange
	tcp   []portRange
	other []string
}

// groups gathers services by the addresses that narrow them, widest last.
func (b *builder) groups(want []selected) []*group {
	var out []*group
	for _, s := range want {
		g := b.group(s, false)
		at := slices.IndexFunc(out, func(o *group) bool { return o.hosts == g.hosts })
		if at < 0 {
			out = append(out, g)
			continue
		}
		o := out[at]
		o.udp, o.tcp = merge(o.udp, g.udp), merge(o.tcp, g.tcp)
		for _, t := range g.other {
			if !slices.Contains(o.other, t) {
				o.other = append(o.other, t)
			}
		}
	}
	for _, g := range out {
		if slices.Contains(g.other, "icmp6") {
			g.other = slices.DeleteFunc(g.other, func(t string) bool { return strings.Contains(t, "icmp6[") })
		}
	}
	slices.SortStableFunc(out, func(x, y *group) int { return len(y.hosts) - len(x.hosts) })
	return out
}

func (b *builder) group(s selected, plain bool) *group {
	g := &group{}
	for _, p := range s.Ports {
		if p.Use == catalog.Listed || s.port != 0 && !p.Contains(s.port) {
			continue
		}
		r := []portRange{{p.First, p.Last}}
		if p.Proto == catalog.UDP {
			g.udp = merge(g.udp, r)
		} else {
			g.tcp = merge(g.tcp, r)
		}
	}
	for _, k := range s.Frames {
		g.other = append(g.other, b.frameKind(k)...)
	}
	if plain || len(s.Frames) > 0 && !b.onlyIP(s) {
		return g
	}
	var terms []string
	if h := hostsText(s.hosts, nil); h != "" {
		terms = append(terms, h)
	}
	if h := b.everyone(); h != "" && !unaddressed(s.Service) {
		terms = append(terms, h)
	}
	if len(terms) == 2 {
		terms[1] = tight(terms[1])
	}
	g.hosts = strings.Join(terms, " and ")
	return g
}

// onlyIP reports whether addresses can narrow what a service has as frames.
func (b *builder) onlyIP(s selected) bool { return s.ID == "icmp" }

func (b *builder) frameKind(k catalog.FrameKind) []string {
	switch {
	case k.EtherType != 0 && b.onlyIPPackets():
	case k.EtherType == typeARP:
		return []string{"arp"}
	case k.EtherType != 0:
		return []string{fmt.Sprintf("ether proto %#x", k.EtherType)}
	case k.LLC == sapSTP && b.link == capture.LinkEthernet:
		return []string{"stp"}
	case k.ICMP.Proto == 1 && k.ICMP.Last == 255:
		return []string{"icmp"}
	case k.ICMP.Proto == 58 && k.ICMP.Last == 255:
		return []string{"icmp6"}
	case k.ICMP.Proto == 58:
		return []string{fmt.Sprintf("(icmp6[0] >= %d and icmp6[0] <= %d)", k.ICMP.First, k.ICMP.Last)}
	}
	return nil
}

// onlyIPPackets reports whether the link type has no header that says what
// follows.
func (b *builder) onlyIPPackets() bool { return links[b.link].media >= rawIP }

// text is the group, its ports in as few lists as can be.
func (g *group) text() string {
	var parts []string
	both := intersect(g.udp, g.tcp)
	for _, l := range []struct {
		word  string
		ports []portRange
	}{{"", both}, {"udp ", subtract(g.udp, both)}, {"tcp ", subtract(g.tcp, both)}} {
		if len(l.ports) > 0 {
			parts = append(parts, l.word+portList(l.ports))
		}
	}
	parts = append(parts, g.other...)
	if len(parts) == 0 {
		return "" // its port is learnt
	}
	return andJoin(strings.Join(parts, " or "), g.hosts)
}

// portList is one word and a list that inherits it.
func portList(ports []portRange) string {
	ranges := slices.ContainsFunc(ports, func(r portRange) bool { return r.hi > r.lo+1 })
	var list []string
	for _, r := range ports {
		switch {
		case r.lo == r.hi:
			list = append(list, strconv.Itoa(int(r.lo)))
		case ranges:
			list = append(list, fmt.Sprintf("%d-%d", r.lo, r.hi))
		default:
			list = append(list, strconv.Itoa(int(r.lo)), strconv.Itoa(int(r.hi)))
		}
	}
	if ranges {
		return "portrange " + strings.Join(list, " or ")
	}
	return "port " + strings.Join(list, " or ")
}

func intersect(a, b []portRange) []portRange {
	var out []portRange
	for _, x := range a {
		for _, y := range b {
			if lo, hi := max(x.lo, y.lo), min(x.hi, y.hi); lo <= hi {
				out = append(out, portRange{lo, hi})
			}
		}
	}
	return out
}

func subtract(a, b []portRange) []portRange {
	out := slices.Clone(a)
	for _, y := range b {
		var next []portRange
		for _, x := range out {
			if y.hi < x.lo || y.lo > x.hi {
				next = append(next, x)
				continue
			}
			if x.lo < y.lo {
				next = append(next, portRange{x.lo, y.lo - 1})
			}
			if x.hi > y.hi {
				next = append(next, portRange{y.hi + 1, x.hi})
			}
		}
		out = next
	}
	return out
}

// everyone is the addresses that narrow all services.
func (b *builder) everyone() string { return hostsText(b.Hosts, b.Nets) }

func hostsText(hosts []netip.Addr, nets []netip.Prefix) string {
	var parts, list []string
	for _, h := range hosts {
		if !slices.Contains(list, h.String()) {
			list = append(list, h.String())
		}
	}
	if len(list) > 0 {
		parts = append(parts, "host "+strings.Join(list, " or "))
	}
	list = nil
	for _, n := range nets {
		list = append(list, n.Masked().String())
	}
	if len(list) > 0 {
		parts = append(parts, "net "+strings.Join(list, " or "))
	}
	return strings.Join(parts, " or ")
}

// macs is the frames of machines, and for a complete filter the DHCP messages
// that a relay passes on for them: those have the MAC in chaddr (RFC 2131
// section 2), 28 bytes into the message.
func (b *builder) macs() string {
	var list, relayed []string
	for _, m := range b.MACs {
		list = append(list, fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]))
		relayed = append(relayed, fmt.Sprintf("(udp port 67 and udp[36:4] = 0x%02x%02x%02x%02x and udp[40:2] = 0x%02x%02x)", m[0], m[1], m[2], m[3], m[4], m[5]))
	}
	text := "ether host " + strings.Join(list, " or ")
	if b.Complete {
		text += " or " + strings.Join(relayed, " or ")
	}
	return text
}

func mixed(x string) bool { return strings.Contains(x, " or ") || strings.Contains(x, " and ") }

func tight(x string) string {
	if mixed(x) && !enclosed(x) {
		return "(" + x + ")"
	}
	return x
}

// orJoin joins alternatives. 'and' and 'or' have equal precedence and go from
// left to right, so only what stands further right needs parentheses.
func orJoin(parts []string) string {
	for i := range parts {
		if i > 0 && strings.Contains(parts[i], " and ") && !enclosed(parts[i]) {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " or ")
}

// enclosed reports whether one pair of parentheses holds all of x.
func enclosed(x string) bool {
	depth := 0
	for i, c := range x {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 && i < len(x)-1 {
			return false
		}
	}
	return x != ""
}

// andJoin narrows x by y.
func andJoin(x, y string) string {
	switch {
	case x == "":
		return y
	case y == "":
		return x
	}
	return x + " and " + tight(y)
}
