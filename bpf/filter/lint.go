package filter

import (
	"fmt"
	"strings"

	"github.com/pxescope/pxescope/capture"
)

// A Report is what Lint says of an expression.
type Report struct {
	Reads    string // the expression with every parenthesis and qualifier written out
	Findings []Finding
	Kept     []Kept
}

// A Finding is a packet that an expression loses although it keeps others of
// the same conversation, or a way in which it is easily misread.
type Finding struct {
	ID   string // a slug
	Text string
	Do   string
	// Frame is the first packet lost, or with Taken the first one taken, in
	// words, and Data its bytes; both are empty for findings about the text.
	Frame string
	Data  []byte
	// Taken: the packet is one of another service, and kept.
	Taken bool
}

// Kept counts the packets of a sample conversation.
type Kept struct {
	Sample string
	Kept   int
	Of     int
}

// Lint explains an expression, and tries it on sample conversations of each
// protocol that a network boot uses: plain, tagged, fragmented and so on. Where
// it keeps a part of a conversation, the rest counts as lost.
func Lint(text string) (*Report, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return lint(text, e, samples(e), false)
}

// lint tries an expression on conversations. With whole, one of which nothing
// is kept counts as lost; else it is not what the expression is for.
func lint(text string, e *Expr, families [][]sample, whole bool) (*Report, error) {
	match, err := Match(e, capture.LinkEthernet)
	if err != nil {
		return nil, err
	}
	r := &Report{Reads: explicit(e.root)}
	if f, ok := precedence(text); ok {
		f.Text += ": this reads as " + r.Reads
		r.Findings = append(r.Findings, f)
	}
	any := false
	for _, family := range families {
		about := whole
		counts := make([]int, len(family))
		for i, s := range family {
			for _, f := range s.frames {
				if match(f.data, len(f.data)) {
					counts[i]++
					about = true
				}
			}
		}
		if !about {
			continue
		}
		any = true
		for i, s := range family {
			r.Kept = append(r.Kept, Kept{s.name, counts[i], len(s.frames)})
			if counts[i] == len(s.frames) {
				continue
			}
			if s.tagged && counts[i] >= counts[0] {
				continue // lost without a tag as well
			}
			f := Finding{ID: s.id, Text: fmt.Sprintf("keeps %d of %d packets of %s: %s", counts[i], len(s.frames), s.name, s.why), Do: s.do}
			if i == 0 {
				e.explainLoss(&f, s, counts[0])
			}
			for _, p := range s.frames {
				if !match(p.data, len(p.data)) {
					f.Frame, f.Data = p.label, p.data
					break
				}
			}
			r.Findings = append(r.Findings, f)
		}
	}
	if !any {
		r.Findings = append(r.Findings, Finding{ID: "nothing", Text: "keeps no packet of any sample conversation (DHCP, TFTP, RPC mount, HTTP, DNS, NTP, DHCPv6, ARP)",
			Do: "if it is for one of these, build it: pxescope filter tftp"})
	}
	return r, nil
}

// explainLoss says why even the plain form of a conversation is lost in part.
func (e *Expr) explainLoss(f *Finding, s sample, kept int) {
	switch {
	case kept == 0 && orAfterLayer(e.root):
		f.ID, f.Text = "vlan-order", fmt.Sprintf("keeps 0 of %d packets of %s: 'vlan' moves the offsets of all that stands to its right, even behind 'or'", len(s.frames), s.name)
		f.Do = "put the untagged case first: A or (vlan and A)"
	case kept == 0 && usesLayers(e.root):
		f.ID, f.Text = "tagged-only", fmt.Sprintf("keeps 0 of %d packets of %s without a tag: 'vlan' asks for one", len(s.frames), s.name)
		f.Do = "if untagged frames count too: A or (vlan and A)"
	case s.id == "plain" && s.name == "DHCP" && len(addresses(e.root, nil)) > 0:
		f.ID, f.Text = "no-address", fmt.Sprintf("keeps %d of %d packets of DHCP: a machine without an address asks from 0.0.0.0 to 255.255.255.255", kept, len(s.frames))
		f.Do = "pxescope filter dhcp --host ADDRESS keeps DHCP whatever the addresses"
	}
}

// orAfterLayer reports whether an alternative stands to the right of a word
// that moves offsets.
func orAfterLayer(n node) bool {
	switch n := n.(type) {
	case joined:
		return n.or && usesLayers(n.l) || orAfterLayer(n.l) || orAfterLayer(n.r)
	case not:
		return orAfterLayer(n.x)
	}
	return false
}

// precedence finds 'and' behind 'or' on one level: it takes all to its left.
func precedence(text string) (Finding, bool) {
	toks, err := lex(text)
	if err != nil {
		return Finding{}, false
	}
	or := []bool{false}
	for _, t := range toks {
		if t.kind != tokWord {
			continue
		}
		switch top := len(or) - 1; t.text {
		case "(":
			or = append(or, false)
		case ")":
			if top > 0 {
				or = or[:top]
			}
		case "or":
			or[top] = true
		case "and":
			if or[top] {
				return Finding{ID: "precedence", Text: "'and' and 'or' have equal precedence, from left to right", Do: "write the parentheses that you mean"}, true
			}
		}
	}
	return Finding{}, false
}

// explicit prints with all parentheses.
func explicit(n node) string {
	switch n := n.(type) {
	case joined:
		op := " and "
		if n.or {
			op = " or "
		}
		l := explicit(n.l)
		if j, ok := n.l.(joined); ok && j.or != n.or {
			l = "(" + l + ")"
		}
		r := explicit(n.r)
		if _, ok := n.r.(joined); ok {
			r = "(" + r + ")"
		}
		return l + op + r
	case not:
		x := explicit(n.x)
		if _, ok := n.x.(joined); ok {
			x = "(" + x + ")"
		}
		return "not " + x
	}
	var b strings.Builder
	write(&b, n)
	return b.String()
}
