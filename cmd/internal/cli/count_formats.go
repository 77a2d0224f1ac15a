package cli

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/pxescope/pxescope/bpf/counter"
)

// A countDocument is what --format json and ndjson print.
type countDocument struct {
	Schema string    `json:"schema"`
	Type   string    `json:"type,omitempty"` // of a line
	Start  time.Time `json:"start"`
	Time   time.Time `json:"time"`
	Final  bool      `json:"final"`
	*counter.Totals
}

const countSchema = "pxescope.count/1"

func countJSON(w io.Writer, start, now time.Time, final bool, t *counter.Totals) error {
	return writeJSON(w, countDocument{Schema: countSchema, Start: start.UTC(), Time: now.UTC(), Final: final, Totals: t})
}

func countLine(w io.Writer, start, now time.Time, final bool, t *counter.Totals) error {
	return json.NewEncoder(w).Encode(countDocument{Schema: countSchema, Type: "count", Start: start.UTC(), Time: now.UTC(), Final: final, Totals: t})
}

// countCSV has a row per service and one per port, each packet once in either,
// and one for what a filter left out.
func countCSV(w io.Writer, t *counter.Totals) error {
	c := csv.NewWriter(w)
	n := func(x uint64) string { return strconv.FormatUint(x, 10) }
	row := func(kind, id, phase, proto, port string, x counter.Count) {
		// The Writer keeps its first error for Error.
		_ = c.Write([]string{kind, id, phase, proto, port, n(x.Packets), n(x.Bytes), n(x.InPackets), n(x.OutPackets)})
	}
	_ = c.Write([]string{"kind", "service", "phase", "proto", "port", "packets", "bytes", "in_packets", "out_packets"})
	for _, s := range t.Services {
		row("service", s.ID, s.Phase, "", "", s.Count)
	}
	row("service", string(counter.Other), "", "", "", t.Other)
	row("service", string(counter.Fragments), "", "", "", t.Fragments)
	row("service", string(counter.Undecodable), "", "", "", t.Undecodable)
	if t.Filter != "" {
		row("filtered", "", "", "", "", t.Filtered)
	}
	for _, p := range t.Ports {
		port := n(uint64(p.Port))
		if p.Last != 0 {
			port += "-" + n(uint64(p.Last))
		}
		row("port", p.Service, "", p.Proto, port, p.Count)
	}
	c.Flush()
	return c.Error()
}
