package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pxescope/pxescope/classify/lazy"
)

// MaxFile is the size in bytes of the largest file that Load reads.
const MaxFile = 1 << 20

// maxServicePorts bounds one service of a file, so that a small file cannot
// ask for much memory. More would swallow other people's ephemeral ports anyway.
const maxServicePorts = 1024

// Load makes a new catalog of base and the services of a YAML file: a list, or
// a list under "services". A service with a new id is added, one with a known
// id changes the fields it gives. Claims on ports come before those of base
// (see claimPorts); base itself stays as it is.
//
//	services:
//	  - id: site-agent           # a slug, the only field that must always be there
//	    name: Site agent         # the id when left out
//	    phase: [day2, provisioning]
//	    platform: maas           # generic when left out
//	    protocol: tcp            # tcp, udp or tcp/udp
//	    ports: [8090, 5250-5259]
//	    source_ports: 1-1023     # where clients bind them
//	    program: 100005          # ONC RPC program, with or without ports
//	    direction: {from: node, to: [rack, region]}
//	    who: node, rack
//	    requirement: optional
//	    note: what to know
//	    answer: by-message       # yes, no, by-message; yes when left out
//	    server_first: false
//
// Every error names file, line and field and what is allowed; all errors of a
// file are reported at once. name is the file's, for errors and for Row.Source.
func Load(name string, data []byte, base *Catalog) (*Catalog, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%s: %d bytes: a catalog file has %d at most", name, len(data), MaxFile)
	}
	l := &loader{file: name, base: base, load: base.loads + 1}
	root, err := l.document(data)
	if err != nil {
		return nil, err
	}
	for _, n := range l.list(root) {
		l.service(n)
	}
	if len(l.errs) > 0 {
		slices.SortStableFunc(l.errs, func(a, b *fieldError) int { return a.line - b.line })
		all := make([]error, len(l.errs))
		for i, e := range l.errs {
			all[i] = e
		}
		return nil, errors.Join(all...)
	}
	return l.build()
}

// A fieldError is what is wrong on one line.
type fieldError struct {
	file string
	line int
	text string
}

func (e *fieldError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.text) }

type loader struct {
	file  string
	base  *Catalog
	load  int
	added []loaded
	errs  []*fieldError
}

// loaded is a service of the file and where it stands.
type loaded struct {
	Service
	line, portsLine, programLine int
}

func (l *loader) fail(line int, format string, args ...any) {
	l.errs = append(l.errs, l.at(line, format, args...))
}

func (l *loader) at(line int, format string, args ...any) *fieldError {
	return &fieldError{l.file, line, fmt.Sprintf(format, args...)}
}

var yamlLine = lazy.Regexp(`^yaml: (?:line (\d+): )?`)

func (l *loader) document(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, l.at(1, "services: missing; list at least one")
	} else if err != nil {
		return nil, l.syntax(err)
	}
	if err := d.Decode(&more); err == nil {
		return nil, l.at(more.Line, "a second document; put all services into one")
	} else if !errors.Is(err, io.EOF) {
		return nil, l.syntax(err)
	}
	return doc.Content[0], nil
}

func (l *loader) syntax(err error) error {
	text := err.Error()
	m := yamlLine().FindStringSubmatch(text)
	if m == nil || m[1] == "" {
		return fmt.Errorf("%s: %s", l.file, yamlLine().ReplaceAllString(text, ""))
	}
	return fmt.Errorf("%s:%s: %s", l.file, m[1], text[len(m[0]):])
}

// list is the nodes of the services.
func (l *loader) list(root *yaml.Node) []*yaml.Node {
	if root.Kind == yaml.MappingNode {
		var services *yaml.Node
		for key, val := range l.fields(root) {
			if key.Value != "services" {
				l.fail(key.Line, "%s: unknown field; a catalog file has only services", word(key))
				continue
			}
			services = val
		}
		switch {
		case services != nil:
			root = services
		case len(l.errs) > 0:
			return nil
		}
	}
	switch {
	case root.Kind != yaml.SequenceNode:
		l.fail(root.Line, "services: not a list; write one item for each service")
		return nil
	case len(root.Content) == 0:
		l.fail(root.Line, "services: empty; list at least one")
	}
	return root.Content
}

// build puts the services of the file into a copy of base.
func (l *loader) build() (*Catalog, error) {
	services := slices.Clone(l.base.services)
	lines := make(map[string]loaded)
	for _, a := range l.added {
		if i := l.base.ids[a.ID]; i != None {
			services[i-1] = a.Service
		} else {
			services = append(services, a.Service)
		}
		lines[a.ID] = a
	}
	c, err := New(services)
	if err != nil {
		return nil, l.place(err, lines)
	}
	c.loads = l.load
	c.sources = l.base.sources
	if !slices.Contains(c.sources, l.file) {
		c.sources = append(slices.Clip(c.sources), l.file)
	}
	return c, nil
}

// place finds the line of an error that only the whole catalog shows.
func (l *loader) place(err error, lines map[string]loaded) error {
	var conflict *conflictError
	if errors.As(err, &conflict) {
		a, b := lines[conflict.first], lines[conflict.second]
		if a.portsLine > b.portsLine {
			a, b = b, a
		}
		return l.at(b.portsLine, "ports: %s/%d is claimed by %q on line %d already; source_ports can tell two services apart", conflict.key.proto, conflict.key.port, a.ID, a.portsLine)
	}
	var taken *programError
	if errors.As(err, &taken) {
		return l.at(lines[taken.second].programLine, "program: %d is claimed by %q already", taken.program, taken.first)
	}
	return fmt.Errorf("%s: %w", l.file, err)
}

// nearest is the known word that a mistyped one most likely meant, or "".
func nearest(typed string, known []string) string {
	best, at := "", 3 // at most two edits
	for _, k := range known {
		if d := edits(typed, k); d < at && d < len(k) {
			best, at = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance, but no more than 3 is told apart.
func edits(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// allowed lists words for an error, with a suggestion where one is near.
func allowed[T ~string](typed string, known []T) string {
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	text := "one of " + strings.Join(words, ", ")
	if n := nearest(typed, words); n != "" {
		text = fmt.Sprintf("did you mean %q? %s", n, text)
	}
	return text
}
