package catalog

import (
	"slices"
	"strconv"
)

// Entries are the rows of all services in the order of their documents: the
// MAAS seed, the xCAT seed, our own, loaded files. A platform selects its own
// rows and the generic ones; a phase selects the rows of the services that the
// phase needs; empty selects everything, as AllPlatforms does.
//
// This is the flat view that text, JSON, CSV and Markdown are rendered from.
func (c *Catalog) Entries(phase Phase, platform Platform) []Row {
	var out []Row
	for i := range c.services {
		s := &c.services[i]
		if phase != "" && !s.In(phase) {
			continue
		}
		for _, r := range s.Rows {
			if platform == "" || platform == AllPlatforms || r.Platform == platform || r.Platform == Generic {
				out = append(out, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Row) int {
		if d := slices.Index(c.sources, a.Source) - slices.Index(c.sources, b.Source); d != 0 {
			return d
		}
		return a.Number - b.Number
	})
	return out
}

// Columns are the titles of Row.Cells, named as in JSON.
func Columns() []string {
	return []string{
		"service", "phase", "platform", "name", "protocol", "port", "source_ports", "direction", "who",
		"requirement", "note", "correction", "reference", "section", "source", "row",
	}
}

// Cells are the row's fields as text, in the order of Columns.
func (r *Row) Cells() []string {
	return []string{
		r.Service, string(r.Phase), string(r.Platform), r.Name, r.Protocol, r.Port, r.SourcePorts, r.Direction, r.Who,
		r.Requirement, r.Note, r.Correction, r.Reference, r.Section, r.Source, strconv.Itoa(r.Number),
	}
}
