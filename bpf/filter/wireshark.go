package filter

import (
	"fmt"
	"net/netip"
	"strings"
)

// Wireshark is the display filter that means the same to Wireshark and tshark,
// as far as theirs can: they look behind tags and at reassembled packets.
func Wireshark(e *Expr) (string, error) { return wireshark(e.root) }

func wireshark(n node) (string, error) {
	switch n := n.(type) {
	case joined:
		terms, op := flatten(n), " && "
		if n.or {
			op = " || "
		}
		if n.or {
			terms = mergePorts(terms)
		}
		var out []string
		for _, t := range terms {
			s, err := wiresharkTight(t)
			if err != nil {
				return "", err
			}
			out = append(out, s)
		}
		return strings.Join(out, op), nil
	case not:
		s, err := wiresharkTight(n.x)
		return "!" + s, err
	case ports:
		return n.wireshark(), nil
	case portTerm:
		return ports{n.proto, n.dir, []portRange{{n.lo, n.hi}}}.wireshark(), nil
	case hostTerm:
		return n.wireshark()
	case etherHost:
		return sided(n.dir, "eth.src == %[1]s", "eth.dst == %[1]s", "eth.addr == %[1]s", macText(n.mac)), nil
	case protoTerm:
		switch n.layer {
		case "ether":
			return fmt.Sprintf("eth.type == %#x", n.n), nil
		case "ip":
			return fmt.Sprintf("ip.proto == %d", n.n), nil
		case "ip6":
			return fmt.Sprintf("ipv6.nxt == %d", n.n), nil
		}
		return fmt.Sprintf("(ip.proto == %d || ipv6.nxt == %[1]d)", n.n), nil
	case abbrev:
		if w, ok := map[word]string{"ip6": "ipv6", "icmp6": "icmpv6", "rarp": "(arp && arp.opcode in {3, 4})"}[n.name]; ok {
			return w, nil
		}
		return string(n.name), nil
	case casting:
		switch {
		case n.proto == "ip":
			return "ip.dst == 224.0.0.0/3", nil
		case n.proto == "ip6":
			return "ipv6.dst == ff00::/8", nil
		case n.multicast:
			return "eth.dst.ig == 1", nil
		}
		return "eth.dst == ff:ff:ff:ff:ff:ff", nil
	case layerTerm:
		field := map[word]string{"vlan": "vlan.id", "mpls": "mpls.label", "pppoes": "pppoe.session_id"}[n.name]
		if n.has {
			return fmt.Sprintf("%s == %d", field, n.id), nil
		}
		return map[word]string{"vlan": "vlan", "mpls": "mpls", "pppoes": "pppoes", "pppoed": "pppoed"}[n.name], nil
	case lengthTerm:
		if n.greater {
			return fmt.Sprintf("frame.len >= %d", n.n), nil
		}
		return fmt.Sprintf("frame.len <= %d", n.n), nil
	case relation:
		return n.wireshark()
	}
	panic(fmt.Sprintf("filter: display filter of %T", n))
}

func wiresharkTight(n node) (string, error) {
	s, err := wireshark(n)
	if _, ok := n.(joined); ok || strings.Contains(s, " || ") && !enclosed(s) || strings.Contains(s, " && ") && !enclosed(s) {
		s = "(" + s + ")"
	}
	return s, err
}

// ports are port terms that differ in the port alone; printers use it.
type ports struct {
	proto word
	dir   dir
	list  []portRange
}

func (ports) isNode() {}

// flatten is the terms of a chain of one operator, left to right.
func flatten(n joined) []node {
	var out []node
	if l, ok := n.l.(joined); ok && l.or == n.or {
		out = flatten(l)
	} else {
		out = []node{n.l}
	}
	if r, ok := n.r.(joined); ok && r.or == n.or {
		return append(out, flatten(r)...)
	}
	return append(out, n.r)
}

// mergePorts joins port terms of an alternative that differ in the port alone.
func mergePorts(terms []node) []node {
	var out []node
	type key struct {
		proto word
		dir   dir
	}
	where := make(map[key]int)
	for _, t := range terms {
		p, ok := t.(portTerm)
		if !ok || p.dir == bothSides {
			out = append(out, t)
			continue
		}
		k := key{p.proto, p.dir}
		r := []portRange{{p.lo, p.hi}}
		if i, again := where[k]; again {
			if have, ok := out[i].(ports); ok {
				have.list = merge(have.list, r)
				out[i] = have
			}
			continue
		}
		where[k] = len(out)
		out = append(out, ports{p.proto, p.dir, r})
	}
	return out
}

func sided(d dir, src, dst, either string, args ...any) string {
	switch d {
	case source:
		return fmt.Sprintf(src, args...)
	case destination:
		return fmt.Sprintf(dst, args...)
	case bothSides:
		return "(" + fmt.Sprintf(src, args...) + " && " + fmt.Sprintf(dst, args...) + ")"
	}
	return fmt.Sprintf(either, args...)
}

func (p ports) wireshark() string {
	set := ""
	for i, r := range p.list {
		if i > 0 {
			set += ", "
		}
		set += fmt.Sprint(r.lo)
		if r.hi != r.lo {
			set += fmt.Sprintf("..%d", r.hi)
		}
	}
	value := "in {" + set + "}"
	if len(p.list) == 1 && p.list[0].lo == p.list[0].hi {
		value = "== " + set
	}
	protos := []string{"udp", "tcp", "sctp"}
	if p.proto != "" {
		protos = []string{string(p.proto)}
	}
	var out []string
	for _, l4 := range protos {
		out = append(out, sided(p.dir, "%[1]s.srcport %[2]s", "%[1]s.dstport %[2]s", "%[1]s.port %[2]s", l4, value))
	}
	if len(out) == 1 {
		return out[0]
	}
	return "(" + strings.Join(out, " || ") + ")"
}

func (h hostTerm) wireshark() (string, error) {
	if h.bits < 0 {
		return "", &Error{Msg: "a netmask with holes has no display filter"}
	}
	value := h.addr.String()
	if h.bits != h.addr.BitLen() {
		value = netip.PrefixFrom(h.addr, h.bits).String()
	}
	if h.addr.Is6() {
		return sided(h.dir, "ipv6.src == %[1]s", "ipv6.dst == %[1]s", "ipv6.addr == %[1]s", value), nil
	}
	ip := sided(h.dir, "ip.src == %[1]s", "ip.dst == %[1]s", "ip.addr == %[1]s", value)
	arp := sided(h.dir, "arp.src.proto_ipv4 == %[1]s", "arp.dst.proto_ipv4 == %[1]s", "arp.src.proto_ipv4 == %[1]s || arp.dst.proto_ipv4 == %[1]s", value)
	switch h.proto {
	case "ip":
		return ip, nil
	case "arp", "rarp":
		return "(" + arp + ")", nil
	}
	return "(" + ip + " || " + arp + ")", nil
}

// field takes proto[offset:size] & mask apart, as far as it is constant.
func (n relation) field() (b bytesAt, at, mask, k uint32, masked, ok bool) {
	x := n.l
	if o, isOp := x.(operation); isOp && o.op == "&" {
		if mask, masked = constant(o.r); !masked {
			return
		}
		x = o.l
	}
	b, isBytes := x.(bytesAt)
	if !isBytes {
		return
	}
	at, okAt := constant(b.at)
	k, okK := constant(n.r)
	return b, at, mask, k, masked, okAt && okK
}

func (n relation) wireshark() (string, error) {
	op := string(n.op)
	if op == "=" {
		op = "=="
	}
	if _, ok := n.l.(length); ok {
		if k, ok := constant(n.r); ok {
			return fmt.Sprintf("frame.len %s %d", op, k), nil
		}
	}
	b, at, mask, k, masked, ok := n.field()
	name := map[word]string{"ether": "eth", "ip6": "ipv6", "icmp6": "icmpv6"}[b.proto]
	if name == "" {
		name = string(b.proto)
	}
	switch {
	case !ok:
	case b.proto == "ip" && at == 6 && b.size == 2 && masked && mask == 0x1fff:
		return fmt.Sprintf("ip.frag_offset %s %d", op, k), nil
	case b.proto == "tcp" && at == 13 && b.size == 1 && masked && k == 0 && (op == "!=" || op == "=="):
		s := fmt.Sprintf("(tcp.flags & %#02x)", mask)
		if op == "==" {
			s = "(tcp && !" + s + ")"
		}
		return s, nil
	case b.proto == "tcp" && at == 13 && b.size == 1 && masked:
		return fmt.Sprintf("(tcp.flags & %#02x) %s %#02x", mask, op, k), nil
	case !masked:
		bytes := make([]string, b.size)
		for i := range bytes {
			bytes[i] = fmt.Sprintf("%02x", byte(k>>(8*(b.size-1-i))))
		}
		// A protocol's slice is its header alone.
		header := map[word]uint32{"udp": 8, "tcp": 20, "ip": 20, "ip6": 40, "ether": 14, "sctp": 12}[b.proto]
		switch {
		case b.proto == "udp" && at >= header:
			name, at = "udp.payload", at-header
		case header != 0 && at+uint32(b.size) > header:
			return n.noDisplay()
		}
		return fmt.Sprintf("%s[%d:%d] %s %s", name, at, b.size, op, strings.Join(bytes, ":")), nil
	}
	return n.noDisplay()
}

func (n relation) noDisplay() (string, error) {
	var w strings.Builder
	write(&w, n)
	return "", &Error{Msg: "no display filter for '" + w.String() + "'", Hint: "use a capture filter, or name the protocol's field"}
}
