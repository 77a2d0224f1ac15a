package filter

// A portSet is a union of port terms of one layout, per protocol.
type portSet struct {
	layout layout
	of     [3]portSides // by transports
	v6, v4 *cond        // the tests of the link layer
}

// transports in the order in which they are tested: rare ones first, as
// libpcap does, so that one jump leads on from all of them.
var transports = [3]uint32{132, 6, 17}

// portSides are the ports that match as a source, and as a destination.
type portSides struct{ src, dst []portRange }

type portRange struct{ lo, hi uint16 }

func (r *resolver) ports(n portTerm) (*cond, error) {
	v6, err := r.linktype(typeIPv6)
	if err != nil {
		return nil, err
	}
	v4, err := r.linktype(typeIP)
	if err != nil {
		return nil, err
	}
	one := []portRange{{n.lo, n.hi}}
	if n.dir == bothSides {
		return r.bothPorts(n, v6, v4), nil
	}
	s := &portSet{layout: r.layout, v6: v6, v4: v4}
	for i, p := range transports {
		if n.proto == "" || ipProtocols[n.proto] == p {
			if n.dir != destination {
				s.of[i].src = one
			}
			if n.dir != source {
				s.of[i].dst = one
			}
		}
	}
	return &cond{kind: condPorts, ports: s}, nil
}

// bothPorts is 'src and dst port', which is no union.
func (r *resolver) bothPorts(n portTerm, v6, v4 *cond) *cond {
	protos := func(at uint32) *cond {
		var c []*cond
		for _, p := range transports {
			if n.proto == "" || ipProtocols[n.proto] == p {
				c = append(c, test(bytesOf(at, 1), equal, p))
			}
		}
		return either(c...)
	}
	within := func(v value) *cond {
		return all(test(v, atLeast, uint32(n.lo)), negate(test(v, above, uint32(n.hi))))
	}
	if n.lo == n.hi {
		within = func(v value) *cond { return test(v, equal, uint32(n.lo)) }
	}
	ip := r.ip()
	t := func(off uint32) value { return value{kind: transport, off: ip + off, ip: ip, size: 2} }
	return either(
		all(v6, protos(ip+6), within(bytesOf(ip+40, 2)), within(bytesOf(ip+42, 2))),
		all(v4, protos(ip+9), negate(test(bytesOf(ip+6, 2), anyBit, 0x1fff)), within(t(0)), within(t(2))))
}

func (s *portSet) union(o *portSet) *portSet {
	u := &portSet{layout: s.layout, v6: s.v6, v4: s.v4}
	for i := range u.of {
		u.of[i] = portSides{merge(s.of[i].src, o.of[i].src), merge(s.of[i].dst, o.of[i].dst)}
	}
	return u
}

// merge is the union of sorted ranges, with neighbours joined.
func merge(a, b []portRange) []portRange {
	out := make([]portRange, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		if len(a) == 0 || len(b) > 0 && b[0].lo < a[0].lo {
			a, b = b, a
		}
		r := a[0]
		a = a[1:]
		if n := len(out); n > 0 && int(r.lo) <= int(out[n-1].hi)+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// build adds the set to a graph. IPv6 and IPv4 share the search of a large
// set: for IPv6, X becomes the 40 bytes of its header.
func (s *portSet) build(g *graph, t, f *decision) *decision {
	ip := s.layout.ip()
	v6, v4 := f, f
	for i := len(transports) - 1; i >= 0; i-- {
		sides := s.of[i]
		if sides.src == nil && sides.dst == nil {
			continue
		}
		notFragment := func(then *decision) *decision { return g.test(bytesOf(ip+6, 2), anyBit, 0x1fff, f, then) }
		var in6, in4 *decision
		if len(sides.src)+len(sides.dst) > 2*shareAbove {
			search := sides.build(g, t, f, func(off uint32) value {
				return value{kind: shared, off: ip + off, ip: ip, size: 2}
			})
			in6 = g.setX(value{kind: fixed, off: 40}, search)
			in4 = notFragment(g.setX(value{kind: transport, ip: ip}, search))
		} else {
			in6 = sides.build(g, t, f, func(off uint32) value { return bytesOf(ip+40+off, 2) })
			in4 = notFragment(sides.build(g, t, f, func(off uint32) value {
				return value{kind: transport, off: ip + off, ip: ip, size: 2}
			}))
		}
		v6 = g.test(bytesOf(ip+6, 1), equal, transports[i], in6, v6)
		v4 = g.test(bytesOf(ip+9, 1), equal, transports[i], in4, v4)
	}
	return g.build(s.v6, v6, g.build(s.v4, v4, f))
}

// shareAbove is the number of ranges per side above which sharing the search
// saves instructions; linearUpTo is where a search stops halving.
const (
	shareAbove = 3
	linearUpTo = 4
)

func (s portSides) build(g *graph, t, f *decision, at func(off uint32) value) *decision {
	next := f
	if s.dst != nil {
		next = search(g, at(2), s.dst, t, f)
	}
	if s.src != nil {
		next = search(g, at(0), s.src, t, next)
	}
	return next
}

// search finds v among sorted ranges: halving first, one by one in the end.
func search(g *graph, v value, ranges []portRange, t, f *decision) *decision {
	if len(ranges) > linearUpTo {
		m := len(ranges) / 2
		return g.inRange(v, atLeast, uint32(ranges[m].lo), search(g, v, ranges[m:], t, f), search(g, v, ranges[:m], t, f))
	}
	next := f
	for i := len(ranges) - 1; i >= 0; i-- {
		lo, hi := uint32(ranges[i].lo), uint32(ranges[i].hi)
		switch {
		case lo == 0 && hi == 65535:
			return t
		case lo == 0:
			next = g.inRange(v, above, hi, next, t)
		case hi == 65535:
			next = g.inRange(v, atLeast, lo, t, next)
		case lo == hi:
			next = g.inRange(v, equal, lo, t, next)
		case lo+1 == hi:
			next = g.inRange(v, equal, lo, t, g.inRange(v, equal, hi, t, next))
		default:
			next = g.inRange(v, atLeast, lo, g.inRange(v, above, hi, next, t), next)
		}
	}
	return next
}
