package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The committed schema says what the Go types say: a field cannot be added,
// renamed or dropped without the schema showing it.
func TestSchema(t *testing.T) {
	want, err := json.MarshalIndent(document(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(Schema)); diff != "" {
		t.Errorf("schema.json is not what the types say; run the test with -update and look at the diff (only additions are allowed within a version):\n%s", diff)
	}
}

// A report without anything in it has no null: a list is empty, never absent.
func TestEmptyReportHasNoNull(t *testing.T) {
	var b bytes.Buffer
	e := classify.New(classify.Options{})
	e.Finish()
	r := e.Report(nothing{})
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("got null in %s", b.String())
	}
	b.Reset()
	if err := Lines(&b, r); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "\n"); got != 1 || !strings.HasPrefix(b.String(), `{"type":"summary"`) {
		t.Errorf("got %d lines: %s", got, b.String())
	}
}

type object = map[string]any

// enums are the closed sets of words.
var enums = map[string][]string{
	"severity":   {"error", "warning", "note", "ok"},
	"confidence": {"certain", "likely", "possible"},
	"outcome":    {"booted", "stopped", "in-progress", "unknown", "answered", "refused", "unanswered", "open"},
	"stage":      {"link", "dhcp", "proxydhcp", "tftp", "http", "mount", "nfs", "metadata", "installed", "unknown"},
}

func document() object {
	s := schemaOf(reflect.TypeFor[classify.Report](), "")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = "https://github.com/pxescope/pxescope/blob/main/classify/report/schema.json"
	s["title"] = "pxescope report, version 1"
	s["description"] = "One document of --format json. With --format ndjson each line is an object with a \"type\": exchange, finding, node, quality, summary; their fields are those of $defs. The live command writes findings and nodes as they change, with the fields of $defs/live, and a line of type withdrawn with the whole finding for one that does not stand any more. Times are RFC 3339 in UTC, addresses and MACs lower-case text, frame numbers those that Wireshark shows, per file. Fields are only ever added within a version."
	s["$defs"] = object{"exchange": schemaOf(reflect.TypeFor[exchange](), ""), "summary": schemaOf(reflect.TypeFor[summary](), ""), "live": schemaOf(reflect.TypeFor[news](), "")}
	return s
}

func schemaOf(t reflect.Type, name string) object {
	switch t {
	case reflect.TypeFor[classify.Time]():
		return object{"type": "string", "description": "RFC 3339 with nanoseconds, empty when unknown"}
	case reflect.TypeFor[classify.Facts]():
		return object{"type": "object", "description": "evidence by name; values are strings, numbers, booleans or lists of strings"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), name)
	case reflect.String:
		o := object{"type": "string"}
		if e := enums[name]; e != nil {
			o["enum"] = e
		}
		return o
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint16, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), name)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), name)}
	case reflect.Struct:
		props, required := object{}, []string{}
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			key, opt, _ := strings.Cut(f.Tag.Get("json"), ",")
			props[key] = schemaOf(f.Type, key)
			if opt != "omitempty" {
				required = append(required, key)
			}
		}
		return object{"type": "object", "properties": props, "required": required}
	}
	panic("no schema for " + t.String())
}
