package filter

import "fmt"

// intern returns the one calc that is equal to c.
func (r *resolver) intern(c calc) *calc {
	c.key = c.String()
	if have, ok := r.calcs[c.key]; ok {
		return have
	}
	r.calcs[c.key] = &c
	return &c
}

// relation resolves a comparison. What it looks at has to be there, so tests
// for the protocols of its bytes come first.
func (r *resolver) relation(n relation) (*cond, error) {
	var need []*cond
	a, err := r.calc(n.l, &need)
	if err != nil {
		return nil, err
	}
	b, err := r.calc(n.r, &need)
	if err != nil {
		return nil, err
	}
	c := r.compare(n.op, a, b)
	return all(append(need, c)...), nil
}

func (r *resolver) compare(op word, a, b *calc) *cond {
	if a.op == "n" && b.op != "n" { // 5 < len
		a, b = b, a
		if f, ok := map[word]word{"<": ">", ">": "<", "<=": ">=", ">=": "<="}[op]; ok {
			op = f
		}
	}
	var c cmp
	inverse := false
	switch op {
	case "=":
		c = equal
	case "!=":
		c, inverse = equal, true
	case ">":
		c = above
	case "<=":
		c, inverse = above, true
	case ">=":
		c = atLeast
	case "<":
		c, inverse = atLeast, true
	}
	var out *cond
	switch {
	case a.op == "n":
		out = never
		if decided(a.n, c, b.n) {
			out = always
		}
	case b.op == "n":
		out = r.compareConstant(a, c, b.n)
	default:
		out = test(value{kind: compared, calc: r.intern(calc{op: "?", l: a, r: b})}, c, 0)
	}
	if inverse {
		return negate(out)
	}
	return out
}

func (r *resolver) compareConstant(a *calc, c cmp, k uint32) *cond {
	if v, ok := plain(a); ok {
		if c == equal && k == 0 && v.mask != 0 { // x & m = 0
			m := v.mask
			v.mask = 0
			return negate(test(v, anyBit, m))
		}
		return test(v, c, k)
	}
	if c == equal && k == 0 && a.op == "&" && a.r.op == "n" && a.r.n != 0 {
		return negate(test(value{kind: calculated, calc: a.l}, anyBit, a.r.n))
	}
	return test(value{kind: calculated, calc: a}, c, k)
}

func decided(x uint32, c cmp, k uint32) bool {
	switch c {
	case equal:
		return x == k
	case above:
		return x > k
	case atLeast:
		return x >= k
	}
	return x&k != 0
}

// calc resolves a value and adds to need what has to hold before it is read.
func (r *resolver) calc(a arith, need *[]*cond) (*calc, error) {
	switch a := a.(type) {
	case number:
		return r.intern(calc{op: "n", n: a.n}), nil
	case length:
		return r.intern(calc{op: "len"}), nil
	case negative:
		x, err := r.calc(a.x, need)
		if err != nil {
			return nil, err
		}
		if x.op == "n" {
			return r.intern(calc{op: "n", n: -x.n}), nil
		}
		return r.intern(calc{op: "neg", l: x}), nil
	case operation:
		return r.operation(a, need)
	case bytesAt:
		return r.bytesAt(a, need)
	}
	panic(fmt.Sprintf("filter: resolve %T", a))
}

func (r *resolver) operation(a operation, need *[]*cond) (*calc, error) {
	x, err := r.calc(a.l, need)
	if err != nil {
		return nil, err
	}
	// As in libpcap, the protocol of the right operand is not tested: 'len -
	// udp[4:2]' looks at packets of every protocol.
	var unused []*cond
	y, err := r.calc(a.r, &unused)
	if err != nil {
		return nil, err
	}
	if x.op == "n" && y.op == "n" {
		if n, ok := calculate(a.op, x.n, y.n); ok {
			return r.intern(calc{op: "n", n: n}), nil
		}
	}
	// What makes no difference is left out, with what it would have read.
	switch zero := func(c *calc) bool { return c.op == "n" && c.n == 0 }; {
	case zero(x) && (a.op == "*" || a.op == "/" || a.op == "%" || a.op == "&" || a.op == "<<" || a.op == ">>"):
		return x, nil
	case zero(y) && (a.op == "*" || a.op == "&"):
		return y, nil
	case zero(y) && a.op != "/" && a.op != "%":
		return x, nil
	}
	if len(x.key)+len(y.key) > maxCalc {
		return nil, &Error{Msg: "an arithmetic expression is too long"}
	}
	return r.intern(calc{op: a.op, l: x, r: y}), nil
}

// maxCalc bounds a calculation; the machine has 16 cells for what it has yet
// to combine, and allCells says when they run out.
const maxCalc = 4096

// bytesAt resolves proto[at:size]. Bytes behind an IPv4 header are those of
// IPv4 alone, and of first fragments: others carry no header.
func (r *resolver) bytesAt(a bytesAt, need *[]*cond) (*calc, error) {
	// The tests of the index come after those of the protocol.
	var inner []*cond
	at, err := r.calc(a.at, &inner)
	if err != nil {
		return nil, err
	}
	load := calc{op: "load", l: at, v: value{kind: fixed, size: uint8(a.size)}}
	var c *cond
	switch a.proto {
	case "ether":
		load.v.off = r.head
	case "ip", "ip6", "arp", "rarp":
		load.v.off = r.ip()
		c, err = r.linktype(etherTypes[a.proto])
	case "icmp6":
		load.v.off = r.ip() + 40
		c, err = r.both(typeIPv6, func() *cond { return test(bytesOf(r.ip()+6, 1), equal, ipProtocols["icmp6"]) })
	case "stp":
		return nil, &Error{Msg: "the bytes of stp cannot be addressed", Hint: "use ether[...]"}
	default:
		load.v.kind, load.v.off, load.v.ip = transport, r.ip(), r.ip()
		c, err = r.both(typeIP, func() *cond {
			return all(test(bytesOf(r.ip()+9, 1), equal, ipProtocols[a.proto]), negate(test(bytesOf(r.ip()+6, 2), anyBit, 0x1fff)))
		})
	}
	if err != nil {
		return nil, err
	}
	if c != nil {
		*need = append(*need, c)
	}
	*need = append(*need, inner...)
	if len(at.key) > maxCalc {
		return nil, &Error{Msg: "an arithmetic expression is too long"}
	}
	return r.intern(load), nil
}
