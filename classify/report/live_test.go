package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
)

// Who keeps the last line of each key and of each node has the lines of a
// report that was written at once.
func TestLiveLinesMakeTheReport(t *testing.T) {
	src := synth.FiveFaults().Source("five.pcap")
	e := classify.New(classify.Options{})
	var live bytes.Buffer
	tell := func() {
		n := e.News(src)
		for i := range n.Findings {
			if err := FindingNews(&live, &n.Findings[i]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n.Nodes {
			if err := NodeNews(&live, &n.Nodes[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	var p capture.Packet
	for src.Next(&p) == nil {
		e.Packet(&p)
		tell()
	}
	e.Finish()
	tell()
	r := e.Report(src)
	if err := End(&live, r); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	if err := Lines(&whole, r); err != nil {
		t.Fatal(err)
	}
	want := objects(t, whole.String())
	if got := objects(t, live.String()); len(got) != len(want) {
		t.Errorf("got %d objects, want %d", len(got), len(want))
	} else {
		for k := range want {
			if !got[k] {
				t.Errorf("no line says %s", k)
			}
		}
	}
}

// objects are the objects that lines leave standing, as text without what only
// live lines have.
func objects(t *testing.T, lines string) map[string]bool {
	t.Helper()
	last := make(map[string]string)
	for line := range strings.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kind := o["type"].(string)
		key := line
		switch kind {
		case "finding", "withdrawn":
			key = "finding"
			for _, f := range []string{"id", "node", "server", "title"} {
				key += "/" + o[f].(string)
			}
			if f, ok := o["facts"].(map[string]any)["file"].(string); ok {
				key += "/" + f
			}
		case "node":
			key = "node/" + o["mac"].(string)
		}
		for _, f := range []string{"key", "change", "replaced"} {
			delete(o, f)
		}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if last[key] = string(b); kind == "withdrawn" {
			delete(last, key)
		}
	}
	out := make(map[string]bool)
	for _, v := range last {
		out[v] = true
	}
	return out
}
