package filter

import (
	"encoding/json"
	"strings"

	"golang.org/x/net/bpf"
)

// JSON is a filter and its program as one document.
func JSON(f *Filter, t Target, p []bpf.RawInstruction) (string, error) {
	type caveat struct {
		ID   string `json:"id"`
		Text string `json:"text"`
		Do   string `json:"do,omitempty"`
	}
	doc := struct {
		Schema       string      `json:"schema"`
		Filter       string      `json:"filter"`
		LinkType     string      `json:"linktype"`
		For          string      `json:"for"`
		Instructions int         `json:"instructions"`
		Program      [][4]uint32 `json:"program"` // opcode, jt, jf, k
		Caveats      []caveat    `json:"caveats"`
	}{Schema: "pxescope.filter/1", Filter: f.Text, LinkType: t.Link.String(), For: "file", Instructions: len(p), Caveats: []caveat{}}
	if t.Live {
		doc.For = "live"
	}
	for _, in := range p {
		doc.Program = append(doc.Program, [4]uint32{uint32(in.Op), uint32(in.Jt), uint32(in.Jf), in.K})
	}
	for _, c := range f.Caveats {
		doc.Caveats = append(doc.Caveats, caveat(c))
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(doc)
	return b.String(), err
}
