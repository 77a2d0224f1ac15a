package catalog

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/pxescope/pxescope/classify/lazy"
)

// fieldNames are the fields of a service in a file.
var fieldNames = []string{
	"id", "name", "platform", "phase", "protocol", "ports", "source_ports", "program", "direction",
	"who", "requirement", "note", "answer", "server_first",
}

var slug = lazy.Regexp(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const (
	maxID   = 40
	maxText = 300 // bytes of a name or note
)

// word is what a key shows as in an error.
func word(key *yaml.Node) string {
	if slug().MatchString(strings.ReplaceAll(key.Value, "_", "-")) && len(key.Value) <= maxID {
		return key.Value
	}
	return strconv.QuoteToASCII(key.Value)
}

// fields are the keys and values of a mapping, without those given twice.
func (l *loader) fields(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(_, _ *yaml.Node) bool) {
		seen := make(map[string]int)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, val := n.Content[i], n.Content[i+1]
			switch {
			case key.Kind != yaml.ScalarNode || val.Kind == yaml.AliasNode:
				l.fail(key.Line, "%s: anchors and complex keys are not supported; write the value out", word(key))
				continue
			case seen[key.Value] != 0:
				l.fail(key.Line, "%s: given on line %d already", word(key), seen[key.Value])
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, val) {
				return
			}
		}
	}
}

// service reads one item of the list.
func (l *loader) service(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		l.fail(n.Line, "services: not a service; write fields such as id, protocol and ports")
		return
	}
	before := len(l.errs)
	given := make(map[string]*yaml.Node)
	for key, val := range l.fields(n) {
		if !slices.Contains(fieldNames, key.Value) {
			l.fail(key.Line, "%s: unknown field; %s", word(key), allowed(key.Value, fieldNames))
			continue
		}
		given[key.Value] = val
	}
	s := loaded{line: n.Line}
	id, ok := l.id(n, given["id"])
	if !ok {
		return
	}
	known := l.base.ByID(id)
	if known != nil {
		s.Service = *known
	} else {
		s.Service = Service{ID: id, Name: id, Platforms: on(Generic), Answer: Answered}
	}
	mistyped := len(l.errs) > before
	l.describe(&s, given)
	l.claims(&s, given, mistyped)
	if known == nil && len(l.errs) == before {
		switch {
		case given["phase"] == nil:
			l.fail(n.Line, "phase: missing; %s", allowed("", Phases()))
		case given["ports"] == nil && given["program"] == nil:
			l.fail(n.Line, "ports: missing; a service has ports or an RPC program")
		}
	}
	s.Rows = append(slices.Clip(s.Rows), l.row(&s, given))
	l.added = append(l.added, s)
}

func (l *loader) id(service, n *yaml.Node) (string, bool) {
	if n == nil {
		l.fail(service.Line, "id: missing; every service needs one, such as site-agent")
		return "", false
	}
	id := n.Value
	if n.Kind != yaml.ScalarNode || !slug().MatchString(id) || len(id) > maxID {
		l.fail(n.Line, "id: %q is no id; lower-case letters, digits and single hyphens, %d at most", id, maxID)
		return "", false
	}
	for _, a := range l.added {
		if a.ID == id {
			l.fail(n.Line, "id: %q is used on line %d already", id, a.line)
			return "", false
		}
	}
	return id, true
}

// describe reads the fields that say what a service is.
func (l *loader) describe(s *loaded, given map[string]*yaml.Node) {
	if n := given["name"]; n != nil {
		if s.Name = l.text("name", n); s.Name == "" && n.Kind == yaml.ScalarNode && n.Value == "" {
			l.fail(n.Line, "name: empty")
		}
	}
	if n := given["phase"]; n != nil {
		if p := words(l, "phase", n, Phases()); len(p) > 0 {
			s.Phase, s.Also = p[0], p[1:]
		}
	}
	if n := given["platform"]; n != nil {
		s.Platforms = words(l, "platform", n, []Platform{MAAS, XCAT, AllPlatforms, Cobbler, Foreman, Generic, Ironic, Tinkerbell, Warewulf})
		for i, p := range s.Platforms {
			if p == AllPlatforms {
				s.Platforms[i] = Generic
			}
		}
	}
	if n := given["answer"]; n != nil {
		if a := words(l, "answer", n, []Answer{Answered, ByMessage, Silent}); len(a) == 1 {
			s.Answer = a[0]
		} else if len(a) > 1 {
			l.fail(n.Line, "answer: several; give one")
		}
	}
	if n := given["server_first"]; n != nil {
		if b, err := strconv.ParseBool(n.Value); err == nil && n.Kind == yaml.ScalarNode {
			s.ServerFirst = b
		} else {
			l.fail(n.Line, "server_first: %q; true or false", n.Value)
		}
	}
	if n := given["note"]; n != nil {
		s.Note = l.text("note", n)
	}
	if n := given["direction"]; n != nil {
		l.direction(s, n)
	}
}

func (l *loader) direction(s *loaded, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		l.fail(n.Line, "direction: not a pair; write {from: node, to: rack}")
		return
	}
	var from, to *yaml.Node
	for key, val := range l.fields(n) {
		switch key.Value {
		case "from":
			from = val
			s.From = words(l, "direction: from", val, Roles())
		case "to":
			to = val
			s.To = words(l, "direction: to", val, Roles())
		default:
			l.fail(key.Line, "direction: %s: unknown field; one of from, to", word(key))
		}
	}
	if from == nil || to == nil {
		l.fail(n.Line, "direction: incomplete; give both from and to")
	}
}

// text is a line for people.
func (l *loader) text(field string, n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		l.fail(n.Line, "%s: not a text", field)
	case len(n.Value) > maxText:
		l.fail(n.Line, "%s: %d bytes; %d at most", field, len(n.Value), maxText)
	case strings.ContainsFunc(n.Value, func(r rune) bool { return !unicode.IsPrint(r) }):
		l.fail(n.Line, "%s: %q has characters that do not print", field, n.Value)
	default:
		return n.Value
	}
	return ""
}

// scalars are the values of a single value or a list; "80,443" is a list too.
func (l *loader) scalars(field string, n *yaml.Node) []*yaml.Node {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	var out []*yaml.Node
	for _, i := range items {
		if i.Kind != yaml.ScalarNode {
			l.fail(i.Line, "%s: neither a value nor a list of values", field)
			continue
		}
		for _, v := range strings.Split(i.Value, ",") {
			out = append(out, &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(v), Line: i.Line})
		}
	}
	if len(items) == 0 {
		l.fail(n.Line, "%s: an empty list", field)
	}
	return out
}

// words are values out of a known set.
func words[T ~string](l *loader, field string, n *yaml.Node, known []T) []T {
	var out []T
	for _, v := range l.scalars(field, n) {
		switch w := T(v.Value); {
		case !slices.Contains(known, w):
			l.fail(v.Line, "%s: %q is not known; %s", field, v.Value, allowed(v.Value, known))
		case slices.Contains(out, w):
			l.fail(v.Line, "%s: %q twice", field, v.Value)
		default:
			out = append(out, w)
		}
	}
	return out
}
