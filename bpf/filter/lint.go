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
	// Corrected is a filter that was tried and has no such findings, but for
	// Complete filters, which take what belongs to no service alone. Empty when
	// nothing is lost or taken, or when none was found.
	Corrected string
}

// A Finding is a packet that an expression loses although it keeps others of
// the same conversation, or a way in which it is easily misread.
type Finding struct {
	ID   string // a slug
	Text string // all of it in words
	Do   string
	// Reason is why, the same for all findings of one kind. Sample is the
	// conversation, of which Count of Of packets are kept (or taken).
	Reason    string
	Sample    string
	Count, Of int
	// Frame is the smallest packet lost, or with Taken the smallest one taken,
	// as what it says, Words what its headers say, and Data its bytes; all are
	// empty for findings about the text.
	Frame string
	Words string
	Data  []byte
	// Taken: the packet is one of another service, and kept.
	Taken bool
}

// show takes the smallest of the packets that the filter loses, or takes.
func (f *Finding) show(frames []sampleFrame, match func([]byte, int) bool) {
	for _, p := range frames {
		if match(p.data, len(p.data)) == f.Taken && (f.Data == nil || len(p.data) < len(f.Data)) {
			f.Frame, f.Data = p.label, p.data
		}
	}
	f.Words = inWords(f.Data, capture.LinkEthernet)
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
	return lint(text, e, samples(e), false, &fixer{})
}

// lint tries an expression on conversations. With whole, one of which nothing
// is kept counts as lost; else it is not what the expression is for.
func lint(text string, e *Expr, families [][]sample, whole bool, fix *fixer) (*Report, error) {
	match, err := Match(e, capture.LinkEthernet)
	if err != nil {
		return nil, err
	}
	r := &Report{Reads: explicit(e.root)}
	if f, ok := precedence(text); ok {
		f.Text += ": this reads as " + r.Reads
		r.Findings = append(r.Findings, f)
		text = r.Reads // what is corrected has the parentheses
	}
	after, sorted, misplaced := e.tagAfter(families)
	if misplaced {
		r.Findings = append(r.Findings, after)
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
		fix.families = append(fix.families, family)
		for i, s := range family {
			r.Kept = append(r.Kept, Kept{s.name, counts[i], len(s.frames)})
			if counts[i] == len(s.frames) {
				continue
			}
			if s.tagged && counts[i] >= counts[0] {
				continue // lost without a tag as well
			}
			if i > 0 && !s.tagged && counts[0] == 0 && counts[i] == 0 {
				continue // the service as a whole
			}
			f := Finding{ID: s.id, Reason: s.why, Do: s.do, Sample: s.name, Count: counts[i], Of: len(s.frames)}
			if i == 0 {
				e.explainLoss(&f, s, counts[0])
			}
			f.Text = fmt.Sprintf("keeps %d of %d packets of %s: %s", f.Count, f.Of, s.name, f.Reason)
			f.show(s.frames, match)
			r.Findings = append(r.Findings, f)
		}
	}
	fix.text, fix.expr, fix.match = text, e, match
	r.Findings = append(r.Findings, e.cooked(families, match)...)
	if !any && !misplaced {
		r.Findings = append(r.Findings, Finding{ID: "nothing", Text: "keeps no packet of any sample conversation (DHCP, TFTP, RPC mount, HTTP, DNS, NTP, DHCPv6, ARP)",
			Do: "if it is for one of these, build it: pxescope filter tftp"})
	}
	if !whole {
		r.Corrected = fix.correct(r.Findings)
		if r.Corrected == "" && misplaced {
			r.Corrected = sorted
		}
	}
	return r, nil
}

// explainLoss says why even the plain form of a conversation is lost.
func (e *Expr) explainLoss(f *Finding, s sample, kept int) {
	switch {
	case kept == 0 && orAfterLayer(e.root):
		f.ID, f.Reason = "vlan-order", "'vlan' moves the offsets of all that stands to its right, even behind 'or'"
		f.Do = "put the untagged case first: A or (vlan and A)"
	case kept == 0 && usesLayers(e.root):
		f.ID, f.Reason = "tagged-only", "'vlan' asks for a tag"
		f.Do = "if untagged frames count too: A or (vlan and A)"
	case s.id == "plain" && s.name == "DHCP" && len(addresses(e.root, nil)) > 0:
		f.ID, f.Reason = "no-address", "a machine without an address asks from 0.0.0.0 to 255.255.255.255"
		f.Do = "pxescope filter dhcp --host ADDRESS keeps DHCP whatever the addresses"
	case kept == 0:
		f.ID, f.Reason, f.Do = "missing", "nothing in the filter asks for it", ""
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
