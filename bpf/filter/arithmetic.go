package filter

import "fmt"

// relation reads two values and what compares them.
func (p *parser) relation() (node, error) {
	l, err := p.arith(0)
	if err != nil {
		return nil, err
	}
	t := p.peek()
	if !p.is("=", "!=", "<", "<=", ">", ">=") {
		if n, ok := l.(number); ok && t.kind == tokEnd {
			return nil, p.errorAt(t, fmt.Sprintf("write 'port %d'", n.n), "the expression ends where a comparison is expected")
		}
		return nil, p.unexpected("a comparison")
	}
	p.pos++
	r, err := p.arith(0)
	if err != nil {
		return nil, err
	}
	return relation{op: word(t.text), l: l, r: r}, nil
}

// levels of the binary operators. In libpcap's grammar % and ^ have none: they
// take the operand on their left, and everything on their right.
var levels = map[string]int{"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 9, "^": 9}

const unaryLevel = 6

func (p *parser) arith(least int) (arith, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	l, err := p.operand()
	for err == nil && p.peek().kind == tokWord {
		t := p.peek()
		level := levels[t.text]
		if level == 0 || level < least {
			break
		}
		p.pos++
		next := level + 1
		if t.text == "%" || t.text == "^" {
			next = 0
		}
		at := p.peek()
		var r arith
		if r, err = p.arith(next); err == nil {
			err = p.sane(at, t.text, r)
		}
		l = operation{op: word(t.text), l: l, r: r}
	}
	return l, err
}

// sane refuses what no value can make right.
func (p *parser) sane(at token, op string, r arith) error {
	n, ok := constant(r)
	switch {
	case !ok:
	case (op == "/" || op == "%") && n == 0:
		return p.errorAt(at, "", "division by zero")
	case (op == "<<" || op == ">>") && n > 31:
		return p.errorAt(at, "", "a shift by %d bits: 31 is the most", n)
	}
	return nil
}

func (p *parser) operand() (arith, error) {
	t := p.peek()
	switch {
	case t.kind == tokNumber:
		p.pos++
		return number{t.n}, nil
	case t.kind != tokWord:
		return nil, p.unexpected("a number or proto[offset]")
	case t.text == "-":
		p.pos++
		x, err := p.arith(unaryLevel)
		return negative{x}, err
	case t.text == "(":
		p.pos++
		x, err := p.arith(0)
		if err == nil && !p.accept(")") {
			err = p.unexpected("')'")
		}
		return x, err
	case t.text == "len":
		p.pos++
		return length{}, nil
	}
	if _, ok := ipProtocols[word(t.text)]; !ok && etherTypes[word(t.text)] == 0 && t.text != "ether" {
		return nil, p.unexpected("a number or proto[offset]")
	}
	p.pos++
	if t.text == "ah" || t.text == "esp" {
		return nil, p.errorAt(t, "use ip[...] or ip6[...]", "the bytes of %s cannot be addressed", t.text)
	}
	if !p.accept("[") {
		return nil, p.unexpected("'['")
	}
	b := bytesAt{proto: word(t.text), size: 1}
	var err error
	if b.at, err = p.arith(0); err != nil {
		return nil, err
	}
	if p.accept(":") {
		s := p.peek()
		if s.kind != tokNumber || s.n != 1 && s.n != 2 && s.n != 4 {
			return nil, p.errorAt(s, "", "a size is 1, 2 or 4 bytes")
		}
		p.pos++
		b.size = int(s.n)
	}
	if !p.accept("]") {
		return nil, p.unexpected("']'")
	}
	if n, ok := constant(b.at); ok && n > maxOffset {
		return nil, p.errorAt(t, "", "offset %d is beyond every packet", int32(n))
	}
	return b, nil
}

// maxOffset keeps constant offsets away from those that the Linux kernel takes
// for packet metadata (from 0xfffff000 on) and from overflow.
const maxOffset = 1 << 24

// constant is the value of x when it depends on no packet.
func constant(x arith) (uint32, bool) {
	switch x := x.(type) {
	case number:
		return x.n, true
	case negative:
		n, ok := constant(x.x)
		return -n, ok
	case operation:
		l, okL := constant(x.l)
		r, okR := constant(x.r)
		if okL && okR {
			return calculate(x.op, l, r)
		}
	}
	return 0, false
}

// calculate is what the BPF machine does; false for a division by zero.
func calculate(op word, l, r uint32) (uint32, bool) {
	switch op {
	case "+":
		return l + r, true
	case "-":
		return l - r, true
	case "*":
		return l * r, true
	case "/":
		if r == 0 {
			return 0, false
		}
		return l / r, true
	case "%":
		if r == 0 {
			return 0, false
		}
		return l % r, true
	case "&":
		return l & r, true
	case "|":
		return l | r, true
	case "^":
		return l ^ r, true
	case "<<":
		return l << r, true
	case ">>":
		return l >> r, true
	}
	panic(fmt.Sprintf("filter: operator %q", op))
}
