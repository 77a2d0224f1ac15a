package filter

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pxescope/pxescope/capture"
)

// A cond is an expression with every primitive taken apart into tests of
// values, for one layout of packets.
type cond struct {
	kind  condKind
	l, r  *cond
	v     value
	op    cmp
	k     uint32
	ports *portSet
}

type condKind uint8

const (
	condTest condKind = iota
	condAnd
	condOr
	condNot
	condTrue
	condFalse
	condPorts
)

// A cmp is a comparison that the machine has.
type cmp uint8

const (
	equal cmp = iota
	above
	atLeast
	anyBit
)

var (
	always = &cond{kind: condTrue}
	never  = &cond{kind: condFalse}
)

func test(v value, op cmp, k uint32) *cond { return &cond{v: v, op: op, k: k} }

func all(c ...*cond) *cond    { return chain(condAnd, c) }
func either(c ...*cond) *cond { return chain(condOr, c) }

func chain(kind condKind, c []*cond) *cond {
	x := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		x = &cond{kind: kind, l: c[i], r: x}
	}
	return x
}

func negate(c *cond) *cond { return &cond{kind: condNot, l: c} }

// matches tests bits of a value; all zero bits always match.
func matches(v value, k, mask uint32) *cond {
	switch {
	case mask == 0:
		return always
	case k == 0 && v.masked(mask).mask != 0:
		return negate(test(v, anyBit, mask))
	}
	return test(v.masked(mask), equal, k)
}

// A resolver walks an expression in the order of its text, because vlan, mpls
// and pppoes change the layout for all that comes later, whatever the
// parentheses say.
type resolver struct {
	layout
	link  capture.LinkType
	calcs map[string]*calc
}

func (r *resolver) node(n node) (*cond, error) {
	switch n := n.(type) {
	case joined:
		return r.joined(n)
	case not:
		c, err := r.node(n.x)
		if err != nil {
			return nil, err
		}
		return negate(c), nil
	case hostTerm:
		return r.hosts([]hostTerm{n})
	case etherHost:
		return r.etherHost(n)
	case portTerm:
		return r.ports(n)
	case protoTerm:
		return r.proto(n)
	case abbrev:
		return r.abbrev(n.name)
	case casting:
		return r.casting(n)
	case layerTerm:
		return r.layer(n)
	case lengthTerm:
		v := value{kind: wireLength, size: 4}
		if n.greater {
			return test(v, atLeast, n.n), nil
		}
		return negate(test(v, above, n.n)), nil
	case relation:
		return r.relation(n)
	}
	panic(fmt.Sprintf("filter: resolve %T", n))
}

// joined takes a chain of 'or' apart, so that port terms beside each other
// become one set.
func (r *resolver) joined(n joined) (*cond, error) {
	terms := []node{n.r}
	var first node = n.l
	for {
		l, ok := first.(joined)
		if !ok || l.or != n.or {
			break
		}
		terms = append(terms, l.r)
		first = l.l
	}
	terms = append(terms, first)
	slices.Reverse(terms)
	var out []*cond
	for len(terms) > 0 {
		// Addresses beside each other become one set too.
		same := 1
		if h, ok := terms[0].(hostTerm); ok && n.or && h.dir != bothSides {
			for same < len(terms) && h.joins(terms[same]) {
				same++
			}
		}
		c, err := r.terms(terms[:same])
		if err != nil {
			return nil, err
		}
		terms = terms[same:]
		if n.or && len(out) > 0 {
			last := out[len(out)-1]
			if last.kind == condPorts && c.kind == condPorts && last.ports.layout == c.ports.layout {
				out[len(out)-1] = &cond{kind: condPorts, ports: last.ports.union(c.ports)}
				continue
			}
		}
		out = append(out, c)
	}
	if n.or {
		return either(out...), nil
	}
	return all(out...), nil
}

func (r *resolver) terms(n []node) (*cond, error) {
	if len(n) == 1 {
		return r.node(n[0])
	}
	hosts := make([]hostTerm, len(n))
	for i := range n {
		hosts[i], _ = n[i].(hostTerm)
	}
	return r.hosts(hosts)
}

// joins reports whether n differs from h in its address alone.
func (h hostTerm) joins(n node) bool {
	o, ok := n.(hostTerm)
	return ok && h.proto == o.proto && h.dir == o.dir && h.addr.Is4() == o.addr.Is4()
}

// linktype tests what the link layer says that follows.
func (r *resolver) linktype(typ uint32) (*cond, error) {
	if r.labels > 0 {
		return r.belowMPLS(typ)
	}
	field := bytesOf(r.typ, 2)
	switch r.media {
	case rawIP:
		switch typ {
		case typeIP:
			return matches(bytesOf(r.payload, 1), 0x40, 0xf0), nil
		case typeIPv6:
			return matches(bytesOf(r.payload, 1), 0x60, 0xf0), nil
		}
		return never, nil
	case onlyIPv4, onlyIPv6:
		if typ == typeIP && r.media == onlyIPv4 || typ == typeIPv6 && r.media == onlyIPv6 {
			return always, nil
		}
		return never, nil
	case ppp: // RFC 1661; the numbers of the protocols that have others there
		switch typ {
		case typeIP:
			typ = 0x21
		case typeIPv6:
			typ = 0x57
		}
		if typ == sapSTP {
			return nil, &Error{Msg: "protocols of IEEE 802.2 are not supported after 'pppoes'"}
		}
		return test(field, equal, typ), nil
	}
	if typ > 1500 {
		return test(field, equal, typ), nil
	}
	sap := test(bytesOf(r.payload, 1), equal, typ) // destination SAP of IEEE 802.2
	switch r.media {
	case ethernet:
		return all(negate(test(field, above, 1500)), sap), nil
	case cooked:
		return all(test(field, equal, 4), sap), nil
	}
	return nil, &Error{Msg: fmt.Sprintf("protocols of IEEE 802.2 (here %#x) are not supported on %s", typ, r.link)}
}

// belowMPLS knows the protocol by the first bits of what is labelled.
func (r *resolver) belowMPLS(typ uint32) (*cond, error) {
	bottom := matches(bytesOf(r.ip()-2, 1), 1, 1)
	switch typ {
	case typeIP:
		return all(bottom, matches(bytesOf(r.ip(), 1), 0x40, 0xf0)), nil
	case typeIPv6:
		return all(bottom, matches(bytesOf(r.ip(), 1), 0x60, 0xf0)), nil
	}
	return nil, &Error{Msg: "after 'mpls' only ip and ip6 and what they carry can be told", Hint: "put this term to the left of 'mpls'"}
}

func (r *resolver) both(typ uint32, then func() *cond) (*cond, error) {
	t, err := r.linktype(typ)
	if err != nil {
		return nil, err
	}
	return all(t, then()), nil
}

// hosts resolves terms that differ in their addresses.
func (r *resolver) hosts(terms []hostTerm) (*cond, error) {
	n := terms[0]
	each := func(one func(hostTerm) *cond) *cond {
		var c []*cond
		for _, t := range terms {
			c = append(c, one(t))
		}
		return either(c...)
	}
	if n.addr.Is6() {
		return r.both(typeIPv6, func() *cond {
			return r.sides(n.dir, 8, 24, func(off uint32) *cond {
				return each(func(t hostTerm) *cond { return r.address6(t, off) })
			})
		})
	}
	v4 := func(src, dst uint32) func() *cond {
		return func() *cond {
			return r.sides(n.dir, src, dst, func(off uint32) *cond {
				return each(func(t hostTerm) *cond {
					a := t.addr.As4()
					return matches(bytesOf(r.ip()+off, 4), binary.BigEndian.Uint32(a[:]), t.mask)
				})
			})
		}
	}
	switch n.proto {
	case "ip":
		return r.both(typeIP, v4(12, 16))
	case "arp":
		return r.both(typeARP, v4(14, 24))
	case "rarp":
		return r.both(typeRARP, v4(14, 24))
	}
	ip, err := r.both(typeIP, v4(12, 16))
	if err != nil || r.labels > 0 {
		return ip, err
	}
	arp, err := r.both(typeARP, v4(14, 24))
	if err != nil {
		return nil, err
	}
	rarp, err := r.both(typeRARP, v4(14, 24))
	if err != nil {
		return nil, err
	}
	return either(ip, arp, rarp), nil
}

func (r *resolver) sides(d dir, src, dst uint32, at func(off uint32) *cond) *cond {
	switch d {
	case source:
		return at(src)
	case destination:
		return at(dst)
	case bothSides:
		return all(at(src), at(dst))
	}
	return either(at(src), at(dst))
}

func (r *resolver) address6(n hostTerm, off uint32) *cond {
	a := n.addr.As16()
	c := always
	for i := 3; i >= 0; i-- {
		bits := min(max(n.bits-32*i, 0), 32)
		if bits == 0 {
			continue
		}
		w := matches(bytesOf(r.ip()+off+uint32(4*i), 4), binary.BigEndian.Uint32(a[4*i:]), ^uint32(0)<<(32-bits))
		if c == always {
			c = w
		} else {
			c = all(w, c)
		}
	}
	return c
}

func (r *resolver) needEthernet(what string) error {
	if r.media != ethernet {
		return &Error{Msg: fmt.Sprintf("%s needs Ethernet headers; %s has none", what, r.where()), Hint: "compile for EN10MB, or leave the term out"}
	}
	return nil
}

func (r *resolver) where() string {
	if r.media == ppp {
		return "what follows 'pppoes'"
	}
	return r.link.String()
}

func (r *resolver) etherHost(n etherHost) (*cond, error) {
	if err := r.needEthernet("an Ethernet address"); err != nil {
		return nil, err
	}
	return r.sides(n.dir, 6, 0, func(off uint32) *cond {
		return all(test(bytesOf(r.head+off+2, 4), equal, binary.BigEndian.Uint32(n.mac[2:])),
			test(bytesOf(r.head+off, 2), equal, uint32(binary.BigEndian.Uint16(n.mac[:]))))
	}), nil
}

func (r *resolver) casting(n casting) (*cond, error) {
	switch {
	case n.proto == "ip":
		return r.both(typeIP, func() *cond { return test(bytesOf(r.ip()+16, 1), atLeast, 224) })
	case n.proto == "ip6":
		return r.both(typeIPv6, func() *cond { return test(bytesOf(r.ip()+24, 1), equal, 255) })
	case n.multicast:
		if err := r.needEthernet("'multicast'"); err != nil {
			return nil, err
		}
		return test(bytesOf(r.head, 1), anyBit, 1), nil
	}
	if err := r.needEthernet("'broadcast'"); err != nil {
		return nil, err
	}
	return r.etherHost(etherHost{dir: destination, mac: [6]byte{255, 255, 255, 255, 255, 255}})
}

// carried tests the protocol field of an IP header. For 'proto', IPv6 is
// searched behind one fragment header too.
func (r *resolver) carried(layer, n uint32) (*cond, error) {
	if layer == typeIP {
		return r.both(typeIP, func() *cond { return test(bytesOf(r.ip()+9, 1), equal, n) })
	}
	return r.both(typeIPv6, func() *cond {
		next := bytesOf(r.ip()+6, 1)
		return either(test(next, equal, n), all(test(next, equal, 44), test(bytesOf(r.ip()+40, 1), equal, n)))
	})
}

func (r *resolver) eitherIP(first, second, n uint32) (*cond, error) {
	a, err := r.carried(first, n)
	if err != nil {
		return nil, err
	}
	b, err := r.carried(second, n)
	if err != nil {
		return nil, err
	}
	return either(a, b), nil
}

func (r *resolver) proto(n protoTerm) (*cond, error) {
	switch n.layer {
	case "ether":
		return r.linktype(n.n)
	case "ip":
		return r.carried(typeIP, n.n)
	case "ip6":
		return r.carried(typeIPv6, n.n)
	}
	return r.eitherIP(typeIP, typeIPv6, n.n)
}

func (r *resolver) abbrev(name word) (*cond, error) {
	if t, ok := etherTypes[name]; ok {
		return r.linktype(t)
	}
	switch name {
	case "stp":
		return r.linktype(sapSTP)
	case "icmp", "igmp", "vrrp":
		return r.carried(typeIP, ipProtocols[name])
	case "icmp6":
		return r.carried(typeIPv6, ipProtocols[name])
	}
	return r.eitherIP(typeIPv6, typeIP, ipProtocols[name])
}

func (r *resolver) layer(n layerTerm) (*cond, error) {
	switch n.name {
	case "vlan":
		return r.vlan(n)
	case "mpls":
		return r.mpls(n)
	case "pppoed":
		return r.linktype(typePPPoED)
	}
	c, err := r.linktype(typePPPoES)
	if err != nil {
		return nil, err
	}
	if n.has {
		c = all(c, matches(bytesOf(r.ip(), 4), n.id, 0xffff))
	}
	head := r.ip() + 6
	r.layout = layout{media: ppp, head: head, typ: head, payload: head + 2, tags: r.tags, beside: r.beside, live: r.live}
	return c, nil
}

// vlan tests for a tag and moves everything that comes later behind it. The
// outermost tag of a live packet may be beside it: then nothing moves.
func (r *resolver) vlan(n layerTerm) (*cond, error) {
	if r.labels > 0 {
		return nil, &Error{Msg: "'vlan' cannot follow 'mpls': tags are outside of labels", Hint: "put 'vlan' to the left of 'mpls'"}
	}
	if r.media != ethernet {
		return nil, &Error{Msg: "'vlan' needs Ethernet headers; " + r.where() + " has none", Hint: "compile for EN10MB, or leave the term out"}
	}
	r.tags++
	if r.tags == 1 && r.live && r.beside {
		if !n.has {
			return always, nil
		}
		return test(value{kind: metadata, off: metaVLANTag, size: 2}.masked(0xfff), equal, n.id), nil
	}
	typ := bytesOf(r.typ, 2)
	c := either(test(typ, equal, typeVLAN), test(typ, equal, typeQinQ), test(typ, equal, typeQinQ91))
	if n.has {
		c = all(c, matches(bytesOf(r.payload, 2), n.id, 0xfff))
	}
	r.typ += 4
	r.payload += 4
	return c, nil
}

func (r *resolver) mpls(n layerTerm) (*cond, error) {
	var c *cond
	switch {
	case r.labels > 0:
		c = matches(bytesOf(r.ip()-2, 1), 0, 1) // not the bottom of the stack yet
	case r.media == ethernet:
		c = test(bytesOf(r.typ, 2), equal, typeMPLS)
	case r.media == ppp:
		c = test(bytesOf(r.typ, 2), equal, 0x0281) // RFC 3032 section 4.1
	default:
		return nil, &Error{Msg: "'mpls' is not supported on " + r.where()}
	}
	if n.has {
		c = all(c, matches(bytesOf(r.ip(), 4), n.id<<12, 0xfffff000))
	}
	r.labels++
	return c, nil
}
