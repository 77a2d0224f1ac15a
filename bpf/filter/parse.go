package filter

import (
	"errors"
	"fmt"
	"strings"
)

// maxDepth bounds how deep parentheses, brackets and 'not' nest.
const maxDepth = 100

// A qualifier is what stands before an address or a port, and what later ones
// inherit: 'tcp port 80 or 443'. It is not set after a term without one.
type qualifier struct {
	set   bool
	proto word
	dir   dir
	kind  word // "", host, net, port, portrange, proto
}

type parser struct {
	text  string
	toks  []token
	pos   int
	depth int
	worst *Error // of the attempts that failed, the one that came furthest
}

// Parse reads an expression of pcap-filter(7). The error is an *Error.
//
// The precedence is the grammar's own: 'not' binds tightest, 'and' and 'or'
// have equal precedence and associate to the left.
func Parse(text string) (*Expr, error) {
	toks, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, toks: toks}
	if p.peek().kind == tokEnd {
		return nil, &Error{Position: 1, Msg: "the expression is empty", Hint: "to keep every packet, use no filter"}
	}
	n, _, err := p.expr(qualifier{})
	if err == nil && p.peek().kind != tokEnd {
		err = p.unexpected("'and', 'or' or the end")
	}
	if err != nil {
		return nil, p.furthest(err)
	}
	return &Expr{root: n}, nil
}

func (p *parser) peek() token { return p.toks[p.pos] }

func (p *parser) is(words ...string) bool {
	t := p.peek()
	if t.kind != tokWord {
		return false
	}
	for _, w := range words {
		if t.text == w {
			return true
		}
	}
	return false
}

func (p *parser) accept(w string) bool {
	if p.is(w) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) errorAt(t token, hint, format string, args ...any) error {
	return errorAt(p.text, t.at, fmt.Sprintf(format, args...), hint)
}

func (p *parser) unexpected(want string) error {
	t := p.peek()
	if t.kind == tokEnd {
		return p.errorAt(t, "", "the expression ends where %s is expected", want)
	}
	if t.kind == tokWord && unsupported[t.text] {
		return p.errorAt(t, hintFor(t.text), "%q is not supported", t.text)
	}
	hint := ""
	switch {
	case t.kind == tokName:
		hint = keywordNear(t.text)
	case t.kind == tokWord && want == protocolNumber && (ipProtocols[word(t.text)] != 0 || etherTypes[word(t.text)] != 0):
		hint = `write \` + t.text + ", for " + t.text + " is a word of its own; or leave out 'proto'"
	}
	return p.errorAt(t, hint, "unexpected %q; %s is expected", t.text, want)
}

// note keeps the error of a failed attempt.
func (p *parser) note(err error) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	// At one place, what says why is worth more than what says what is expected,
	// and of that the last attempt, the most common form, more than the others.
	vague := func(e *Error) bool {
		return strings.HasPrefix(e.Msg, "unexpected ") || strings.HasPrefix(e.Msg, "the expression ends ")
	}
	if p.worst == nil || e.Position > p.worst.Position || e.Position == p.worst.Position && vague(p.worst) {
		p.worst = e
	}
}

func (p *parser) furthest(err error) error {
	p.note(err)
	return p.worst
}

// try undoes what f consumed when f fails.
func (p *parser) try(f func() error) bool {
	pos, depth := p.pos, p.depth
	err := f()
	if err == nil {
		return true
	}
	p.note(err)
	p.pos, p.depth = pos, depth
	return false
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.errorAt(p.peek(), "", "nested more than %d deep", maxDepth)
	}
	return nil
}

// expr reads terms joined by 'and' and 'or'. outer is what an opening
// parenthesis hands on.
func (p *parser) expr(outer qualifier) (node, qualifier, error) {
	n, q, err := p.term(outer)
	for err == nil && p.is("and", "or") {
		or := p.peek().text == "or"
		p.pos++
		var r node
		r, q, err = p.idOrTerm(q)
		n = joined{or: or, l: n, r: r}
	}
	return n, q, err
}

// idOrTerm is what may follow 'and' and 'or': a whole term, or an address or
// number alone with the qualifiers of what came before.
func (p *parser) idOrTerm(q qualifier) (node, qualifier, error) {
	t := p.peek()
	switch {
	case t.kind == tokNumber && p.toks[p.pos+1].kind == tokWord && !strings.Contains(" and or ) ", " "+p.toks[p.pos+1].text+" "):
		return p.term(q) // arithmetic
	case t.kind == tokWord && (t.text == "(" || t.text == "!") && q.set:
		var n node
		if p.try(func() (err error) {
			if n, err = p.id(q); err == nil && !p.is("and", "or", ")") && p.peek().kind != tokEnd {
				err = p.unexpected("'and', 'or' or the end")
			}
			return err
		}) {
			return n, q, nil
		}
		return p.term(q)
	case t.kind == tokWord:
		return p.term(q)
	}
	n, err := p.id(q)
	return n, q, err
}

// term reads one primitive, a negation or a group.
func (p *parser) term(outer qualifier) (node, qualifier, error) {
	if err := p.enter(); err != nil {
		return nil, outer, err
	}
	defer func() { p.depth-- }()
	t := p.peek()
	if t.kind == tokNumber {
		n, err := p.relation()
		return n, qualifier{}, err
	}
	if t.kind == tokName || t.kind != tokWord && t.kind != tokEnd {
		return nil, outer, p.errorAt(t, wordFor(t),
			"%q needs a word before it that says what it is", t.text)
	}
	switch t.text {
	case "!":
		p.pos++
		n, q, err := p.term(outer)
		return not{n}, q, err
	case "(":
		var n node
		if p.try(func() (err error) { n, err = p.relation(); return err }) {
			return n, qualifier{}, nil
		}
		p.pos++
		n, _, err := p.expr(outer)
		if err == nil && !p.accept(")") {
			err = p.unexpected("')'")
		}
		return n, outer, err
	case "-", "len":
		n, err := p.relation()
		return n, qualifier{}, err
	case "less", "greater":
		p.pos++
		n, err := p.number("a number of bytes")
		return lengthTerm{greater: t.text == "greater", n: n}, qualifier{}, err
	case "vlan", "mpls", "pppoes", "pppoed":
		n, err := p.layer()
		return n, qualifier{}, err
	case "src", "dst", "host", "net", "port", "portrange", "proto", "protochain", "gateway", "broadcast", "multicast":
		return p.head("", t)
	}
	if _, ok := ipProtocols[word(t.text)]; ok || etherTypes[word(t.text)] != 0 || t.text == "ether" || t.text == "stp" {
		if p.toks[p.pos+1].kind == tokWord && p.toks[p.pos+1].text == "[" {
			n, err := p.relation()
			return n, qualifier{}, err
		}
		p.pos++
		if p.is("src", "dst", "host", "net", "port", "portrange", "proto", "protochain", "gateway", "broadcast", "multicast") {
			return p.head(word(t.text), t)
		}
		if t.text == "ether" {
			return nil, outer, p.errorAt(p.peek(), "", "'ether' needs 'host', 'proto', 'broadcast', 'multicast' or [offset]")
		}
		return abbrev{word(t.text)}, qualifier{}, nil
	}
	return nil, outer, p.unexpected("a filter term")
}

// head reads direction and kind, then the first address or number.
func (p *parser) head(proto word, start token) (node, qualifier, error) {
	q := qualifier{set: true, proto: proto}
	directed := p.is("src", "dst")
	if directed {
		first := p.peek().text
		p.pos++
		other := map[string]string{"src": "dst", "dst": "src"}[first]
		q.dir = map[string]dir{"src": source, "dst": destination}[first]
		if p.is("or", "and") && p.toks[p.pos+1].kind == tokWord && p.toks[p.pos+1].text == other {
			q.dir = eitherSide
			if p.is("and") {
				q.dir = bothSides
			}
			p.pos += 2
		}
	}
	t := p.peek()
	switch {
	case p.is("broadcast", "multicast"):
		if directed {
			return nil, q, p.unexpected("'host', 'net' or 'port'")
		}
		p.pos++
		n, err := p.casting(proto, t, start)
		return n, qualifier{}, err
	case p.is("host", "net", "port", "portrange", "proto"):
		if t.text == "proto" && directed {
			return nil, q, p.errorAt(t, "", "a protocol has no direction")
		}
		q.kind = word(t.text)
		p.pos++
	case p.is("protochain"):
		return nil, q, p.errorAt(t, "use 'ip6 proto' for the first header, or test the bytes of the extension headers", "'protochain' is not supported: it needs a loop, which kernels refuse")
	case p.is("gateway"):
		return nil, q, p.errorAt(t, "write 'ether host MAC and not host ADDRESS'", "'gateway' is not supported: it looks up a name")
	}
	n, err := p.id(q)
	return n, q, err
}

func (p *parser) casting(proto word, t, start token) (node, error) {
	switch {
	case proto == "" || proto == "ether":
		return casting{multicast: t.text == "multicast"}, nil
	case t.text == "multicast" && (proto == "ip" || proto == "ip6"):
		return casting{proto: proto, multicast: true}, nil
	case proto == "ip":
		return nil, p.errorAt(t, "write 'dst host 255.255.255.255', or the broadcast address of the net", "'ip broadcast' is not supported: it depends on the netmask of an interface")
	}
	return nil, p.errorAt(start, "", "there is no %s %s", proto, t.text)
}

func (p *parser) layer() (node, error) {
	t := p.peek()
	p.pos++
	l := layerTerm{name: word(t.text)}
	at := p.peek()
	if l.name == "pppoed" || at.kind != tokNumber && !(p.is("(") && p.parenthesizedNumber()) {
		return l, nil
	}
	n, err := p.number("a number")
	if err != nil {
		return nil, err
	}
	limit := map[word]uint32{"vlan": 0xfff, "mpls": 0xfffff, "pppoes": 0xffff}[l.name]
	if n > limit {
		return nil, p.errorAt(at, "", "%s %d: %d is the largest", l.name, n, limit)
	}
	l.has, l.id = true, n
	return l, nil
}

// parenthesizedNumber looks ahead for (5) or ((5)).
func (p *parser) parenthesizedNumber() bool {
	i := p.pos
	for p.toks[i].kind == tokWord && p.toks[i].text == "(" {
		i++
	}
	open := i - p.pos
	if p.toks[i].kind != tokNumber {
		return false
	}
	for range open {
		if i++; p.toks[i].kind != tokWord || p.toks[i].text != ")" {
			return false
		}
	}
	return true
}

// number reads a number, in parentheses if the user likes.
func (p *parser) number(want string) (uint32, error) {
	open := 0
	for p.accept("(") {
		open++
	}
	t := p.peek()
	if t.kind != tokNumber {
		return 0, p.unexpected(want)
	}
	p.pos++
	for ; open > 0; open-- {
		if !p.accept(")") {
			return 0, p.unexpected("')'")
		}
	}
	return t.n, nil
}
