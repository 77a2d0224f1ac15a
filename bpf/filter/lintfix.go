package filter

import (
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// A fixer corrects an expression by what lint found out, and tries the result.
type fixer struct {
	catalog  *catalog.Catalog // nil: the built-in one
	text     string
	expr     *Expr
	match    func([]byte, int) bool
	families [][]sample // that the filter is for
	names    []string   // services that it is for; nil: those of the families
}

// correct is a filter that keeps every packet that findings say is lost, and
// all that the expression keeps of what it is for, and takes none of those that
// it should not. Empty when there is nothing to correct, or none is found.
func (x *fixer) correct(findings []Finding) string {
	var terms, missing []string
	tags, takes, wrong := false, false, false
	names := slices.Clone(x.names)
	for _, family := range x.families {
		if x.names == nil {
			names = append(names, family[0].services...)
		}
		for _, f := range findings {
			at := slices.IndexFunc(family, func(s sample) bool { return s.name == f.Sample })
			if f.Data == nil || f.Taken || at < 0 {
				continue
			}
			wrong = true
			s := family[at]
			tags = tags || s.tagged
			switch {
			case f.ID == "missing":
				for _, s := range family {
					terms = addTerms(terms, s.id)
				}
				missing = append(missing, x.servicesOf(family)...)
			case f.ID == "plain" || f.ID == "no-address":
				missing = append(missing, x.servicesOf(family)...)
			}
			if !s.tagged {
				terms = addTerms(terms, s.id)
			}
		}
	}
	for _, f := range findings {
		takes = takes || f.Taken
	}
	if !wrong && !takes {
		return ""
	}
	var tries []string
	if !takes {
		if more := x.build(missing, false); more != "" || len(missing) == 0 {
			for _, v := range x.variants(tags) {
				if more != "" {
					v.base += " or " + more
				}
				if slices.Contains(missing, "proxydhcp") {
					terms = slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return t == proxyTerm })
				}
				tries = append(tries, v.put(terms...))
			}
		}
	}
	// From the services alone, with all that their conversations have.
	terms = nil
	for _, family := range x.families {
		for _, s := range family {
			if !s.tagged {
				terms = addTerms(terms, s.id)
			}
		}
	}
	if at := slices.Index(terms, proxyTerm); at >= 0 { // as a service its port joins the list
		terms = slices.Delete(terms, at, at+1)
		if !slices.Contains(names, "proxydhcp") {
			names = append(names, "proxydhcp")
		}
	}
	if ports := x.build(names, false); ports != "" {
		plain, any := variant{ports, func(s string) string { return s }}, variant{ports, everyTag}
		if !tags {
			tries = append(tries, plain.put(), plain.put(terms...))
		}
		tries = append(tries, any.put(), any.put(terms...))
	}
	for _, text := range append(tries, x.build(names, true)) {
		if text != "" && x.holds(text, findings) {
			return text
		}
	}
	return ""
}

// servicesOf are the catalog's services of a family.
func (x *fixer) servicesOf(family []sample) []string {
	if len(family[0].services) > 0 {
		return family[0].services
	}
	c := x.catalog
	if c == nil {
		c = catalog.Default()
	}
	for _, s := range c.Services() {
		if s.Name == family[0].name {
			return []string{s.ID}
		}
	}
	return nil
}

// build is the filter of services, narrowed by the addresses of the expression.
func (x *fixer) build(names []string, complete bool) string {
	if len(names) == 0 {
		return ""
	}
	r := &Request{Catalog: x.catalog, Names: names, Complete: complete}
	for _, a := range addresses(x.expr.root, nil) {
		if !slices.Contains(r.Hosts, a) {
			r.Hosts = append(r.Hosts, a)
		}
	}
	f, err := Build(r)
	if err != nil {
		return ""
	}
	return f.Text
}

const proxyTerm = "udp port 4011"

// addTerms adds what keeps a kind of sample.
func addTerms(terms []string, id string) []string {
	var more []string
	switch id {
	case "tftp-data":
		more = tftpData
	case "rpc-ports":
		more = rpcCalls
	case "proxydhcp":
		more = []string{proxyTerm}
	case "fragments":
		more = []string{laterFragments}
	}
	for _, t := range more {
		if !slices.Contains(terms, t) {
			terms = append(terms, t)
		}
	}
	return terms
}

// A variant is an expression to add terms to, and what comes behind tags then:
// nothing may stand to the right of 'vlan' that is not meant to be moved.
type variant struct {
	base   string
	tagged func(string) string
}

// variants are the expression as it is, and with what 'vlan' spoils put right.
func (x *fixer) variants(tags bool) []variant {
	whole := variant{x.text, func(s string) string { return s }}
	if tags {
		whole.tagged = everyTag
	}
	out := []variant{whole}
	j, ok := x.expr.root.(joined)
	switch {
	case !ok:
	case j.or && usesLayers(j.l) && !usesLayers(j.r):
		behind := tight((&Expr{root: j.l}).String())
		out = append(out, variant{(&Expr{root: j.r}).String(), func(s string) string { return s + " or " + behind }})
	case !j.or && !usesLayers(j.r):
		if l, ok := j.l.(layerTerm); ok && l.name == "vlan" {
			vlan := (&Expr{root: l}).String()
			out = append(out, variant{(&Expr{root: j.r}).String(), func(s string) string { return s + " or (" + vlan + " and " + tight(s) + ")" }})
		}
	}
	return out
}

// put adds terms, and then the same behind tags.
func (v variant) put(terms ...string) string {
	return v.tagged(strings.Join(append([]string{v.base}, terms...), " or "))
}

// holds tries a filter on every packet.
func (x *fixer) holds(text string, findings []Finding) bool {
	e, err := Parse(text)
	if err != nil {
		return false
	}
	match, err := Match(e, capture.LinkEthernet)
	if err != nil {
		return false
	}
	for _, f := range findings {
		if f.Data != nil && f.ID != "cooked" && match(f.Data, len(f.Data)) == f.Taken {
			return false
		}
	}
	for _, family := range x.families {
		for _, s := range family {
			lost := slices.ContainsFunc(findings, func(f Finding) bool { return f.Sample == s.name && !f.Taken })
			for _, p := range s.frames {
				if (lost || x.match(p.data, len(p.data))) && !match(p.data, len(p.data)) {
					return false
				}
			}
		}
	}
	return true
}
