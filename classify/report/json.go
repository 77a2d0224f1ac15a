// Package report renders a classify.Report for machines: one JSON document, or
// one line per object. What a terminal shows is rendered beside the commands.
//
// The one invariant: a renderer reads the report and computes nothing.
package report

import (
	_ "embed"
	"encoding/json"
	"io"
	"reflect"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track"
)

// Schema is the JSON Schema (draft 2020-12) of the document and of the lines.
//
//go:embed schema.json
var Schema []byte

// JSON writes r as one indented document, in the form of encoding/json.
func JSON(w io.Writer, r *classify.Report) error {
	p := printer{w: w, fields: make(map[reflect.Type][]field)}
	p.value(reflect.ValueOf(r).Elem(), 0)
	p.buf = append(p.buf, '\n')
	p.flush()
	return p.err
}

// Lines writes r as one object a line: findings, nodes, quality, then the
// summary. Exchanges are written by Exchange as they are decided.
func Lines(w io.Writer, r *classify.Report) error {
	e := json.NewEncoder(w)
	for i := range r.Findings {
		if err := e.Encode(struct {
			Type string `json:"type"`
			*classify.Finding
		}{"finding", &r.Findings[i]}); err != nil {
			return err
		}
	}
	for i := range r.Nodes {
		if err := e.Encode(struct {
			Type string `json:"type"`
			*classify.Node
		}{"node", &r.Nodes[i]}); err != nil {
			return err
		}
	}
	return End(w, r)
}

type summary struct {
	Type         string                  `json:"type"`
	Schema       string                  `json:"schema"`
	Tool         classify.Tool           `json:"tool"`
	Captures     []classify.Capture      `json:"captures"`
	Site         classify.SiteInfo       `json:"site"`
	Counts       track.Counts            `json:"counts"`
	Services     []classify.ServiceCount `json:"services"`
	Inconclusive bool                    `json:"inconclusive"`
}

// exchange is an Exchange as a line.
type exchange struct {
	Type    string        `json:"type"`
	Service string        `json:"service"`
	Stage   string        `json:"stage"`
	Op      string        `json:"op"`
	Subject string        `json:"subject"`
	Outcome string        `json:"outcome"`
	Reason  string        `json:"reason"`
	Client  endpoint      `json:"client"`
	Server  endpoint      `json:"server"`
	VLAN    uint16        `json:"vlan"`
	First   classify.Time `json:"first"`
	Last    classify.Time `json:"last"`
	Tries   int           `json:"tries"`
	Bytes   int64         `json:"bytes"`
	File    int           `json:"file"`
	Frames  []uint64      `json:"frames"`
	Detail  string        `json:"detail"`
}

type endpoint struct {
	MAC     string `json:"mac"`
	Address string `json:"address"`
	Port    uint16 `json:"port"`
}

// Exchange writes x as one line.
func Exchange(w io.Writer, x *track.Exchange) error {
	o := exchange{
		Type: "exchange", Service: x.Service, Stage: x.Stage.String(), Op: x.Op, Subject: x.Subject,
		Outcome: x.Outcome.String(), Reason: x.Reason,
		Client: endpoint{x.Client.MAC.String(), x.Client.Addr.String(), x.Client.Port},
		Server: endpoint{x.Server.MAC.String(), x.Server.Addr.String(), x.Server.Port},
		VLAN:   x.VLAN, First: classify.Time(x.First), Last: classify.Time(x.Last), Tries: x.Tries, Bytes: x.Bytes,
		Frames: make([]uint64, len(x.Frames)), Detail: x.Detail,
	}
	for i, id := range x.Frames {
		o.Frames[i] = id.Number()
	}
	if len(x.Frames) > 0 {
		o.File = x.Frames[0].File()
	}
	return json.NewEncoder(w).Encode(o)
}
