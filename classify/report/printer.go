package report

import (
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/classify"
)

// A printer writes what json.MarshalIndent with two spaces does, in one pass and
// without holding the text: of a report with thousands of nodes that is a tenth
// of the time, and nothing for the collector. It knows the types of a Report; of
// the others encoding/json writes the text. The golden reports hold both equal.
type printer struct {
	w      io.Writer
	buf    []byte
	err    error // the first of w or of encoding/json
	fields map[reflect.Type][]field
}

// chunk is how much text is gathered for one Write.
const chunk = 32 << 10

// A field is one of a struct, as its tag names it.
type field struct {
	index     int
	name      string // with quotes and colon
	omitEmpty bool
}

var (
	timeType  = reflect.TypeFor[classify.Time]()
	factsType = reflect.TypeFor[classify.Facts]()
)

// margin begins a line, as deep as a Report goes and then some.
const margin = "\n                "

func (p *printer) line(depth int) { p.buf = append(p.buf, margin[:1+2*depth]...) }

// value writes v, which begins in a line of that depth.
func (p *printer) value(v reflect.Value, depth int) {
	switch v.Type() {
	case timeType:
		p.buf = classify.Time(v.Int()).AppendJSON(p.buf)
		return
	case factsType:
		p.other(v, depth)
		return
	}
	switch v.Kind() {
	case reflect.String:
		p.string(v.String())
	case reflect.Bool:
		p.buf = strconv.AppendBool(p.buf, v.Bool())
	case reflect.Int, reflect.Int64:
		p.buf = strconv.AppendInt(p.buf, v.Int(), 10)
	case reflect.Uint16, reflect.Uint64:
		p.buf = strconv.AppendUint(p.buf, v.Uint(), 10)
	case reflect.Struct:
		p.object(v, depth)
	case reflect.Slice:
		p.list(v, depth)
	default:
		p.other(v, depth)
	}
}

func (p *printer) object(v reflect.Value, depth int) {
	sep := byte('{')
	for _, f := range p.fieldsOf(v.Type()) {
		x := v.Field(f.index)
		if f.omitEmpty && x.Len() == 0 { // only strings and lists are left out
			continue
		}
		p.buf = append(p.buf, sep)
		p.line(depth + 1)
		p.buf = append(p.buf, f.name...)
		p.value(x, depth+1)
		sep = ','
	}
	p.line(depth)
	p.buf = append(p.buf, '}')
}

func (p *printer) list(v reflect.Value, depth int) {
	switch {
	case v.IsNil():
		p.buf = append(p.buf, "null"...)
		return
	case v.Len() == 0:
		p.buf = append(p.buf, "[]"...)
		return
	}
	sep := byte('[')
	for i := range v.Len() {
		p.buf = append(p.buf, sep)
		p.line(depth + 1)
		p.value(v.Index(i), depth+1)
		sep = ','
		if len(p.buf) >= chunk {
			p.flush()
		}
	}
	p.line(depth)
	p.buf = append(p.buf, ']')
}

// string writes s; what needs an escape is rare.
func (p *printer) string(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			p.other(reflect.ValueOf(s), 0)
			return
		}
	}
	p.buf = append(append(append(p.buf, '"'), s...), '"')
}

func (p *printer) other(v reflect.Value, depth int) {
	b, err := json.MarshalIndent(v.Interface(), margin[1:1+2*depth], "  ")
	p.fail(err)
	p.buf = append(p.buf, b...)
}

func (p *printer) fieldsOf(t reflect.Type) []field {
	if known, ok := p.fields[t]; ok {
		return known
	}
	var list []field
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			list = append(list, field{i, strconv.Quote(name) + ": ", option == "omitempty"})
		}
	}
	p.fields[t] = list
	return list
}

func (p *printer) flush() {
	if p.err == nil {
		_, err := p.w.Write(p.buf)
		p.fail(err)
	}
	p.buf = p.buf[:0]
}

func (p *printer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
