package report

import (
	"encoding/json"
	"io"

	"github.com/pxescope/pxescope/classify"
)

// news is what lines of a running analysis say beside the object itself. Who
// keeps the last object of each key has what Lines would write.
type news struct {
	Type string `json:"type"`
	// Key is the same for all lines about one finding.
	Key string `json:"key,omitempty"`
	// Change is new, changed or, of a node that had to make room, gone.
	Change string `json:"change,omitempty"`
	// Replaced says of a finding withdrawn that another line with the same id
	// names its nodes now.
	Replaced bool `json:"replaced,omitempty"`
}

// FindingNews writes n as one line, of type finding or withdrawn.
func FindingNews(w io.Writer, n *classify.FindingNews) error {
	head := news{Type: "finding", Key: n.Key(), Change: "new"}
	switch {
	case n.Withdrawn:
		head.Type, head.Change, head.Replaced = "withdrawn", "", n.Replaced
	case n.Was != nil:
		head.Change = "changed"
	}
	return json.NewEncoder(w).Encode(struct {
		news
		*classify.Finding
	}{head, &n.Finding})
}

// NodeNews writes n as one line.
func NodeNews(w io.Writer, n *classify.NodeNews) error {
	head := news{Type: "node", Change: "new"}
	switch {
	case n.Gone:
		head.Change = "gone"
	case n.Was != nil:
		head.Change = "changed"
	}
	return json.NewEncoder(w).Encode(struct {
		news
		*classify.Node
	}{head, &n.Node})
}

// End writes what comes last: quality, then the summary.
func End(w io.Writer, r *classify.Report) error {
	e := json.NewEncoder(w)
	for i := range r.Quality {
		if err := e.Encode(struct {
			Type string `json:"type"`
			*classify.Quality
		}{"quality", &r.Quality[i]}); err != nil {
			return err
		}
	}
	return e.Encode(summary{
		Type: "summary", Schema: r.Schema, Tool: r.Tool, Captures: r.Captures, Site: r.Site,
		Counts: r.Counts, Services: r.Services, Inconclusive: r.Inconclusive,
	})
}
