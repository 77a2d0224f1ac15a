package text

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
)

// Services lists services, one a line.
func Services(w io.Writer, list []*catalog.Service, s Style) error {
	rows := make([][]string, len(list))
	for i, v := range list {
		rows[i] = []string{v.ID, string(v.Phase), ports(v), direction(v), v.Name}
	}
	_, err := io.WriteString(w, s.table(serviceHead, rows, len(serviceHead)))
	return err
}

var serviceHead = []string{"service", "phase", "ports", "direction", "name"}

// ports are what a service uses on the wire; a port that is only listed in a
// document stands in brackets.
func ports(v *catalog.Service) string {
	var out []string
	for _, p := range v.Ports {
		t := p.String()
		if p.Use == catalog.Listed {
			t = "[" + t + "]"
		}
		out = append(out, t)
	}
	for _, n := range v.Programs {
		out = append(out, "rpc/"+strconv.FormatUint(uint64(n), 10))
	}
	for _, f := range v.Frames {
		switch {
		case f.EtherType != 0:
			out = append(out, fmt.Sprintf("ether/0x%04x", f.EtherType))
		case f.LLC != 0:
			out = append(out, fmt.Sprintf("llc/0x%02x", f.LLC))
		case f.ICMP.Proto == 58:
			out = append(out, fmt.Sprintf("icmp6/%d", f.ICMP.First))
		case f.ICMP.Proto != 0:
			out = append(out, fmt.Sprintf("icmp/%d", f.ICMP.First))
		}
	}
	return strings.Join(out, " ")
}

func direction(v *catalog.Service) string {
	if len(v.From) == 0 {
		return ""
	}
	return names(v.From) + " > " + names(v.To)
}

func names(r []catalog.Role) string {
	out := make([]string, len(r))
	for i, x := range r {
		out[i] = string(x)
	}
	return strings.Join(out, "/")
}

// Service writes everything about one service.
func Service(w io.Writer, v *catalog.Service, s Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n\n", s.paint(bold, v.ID), Escape(v.Name))
	platforms := make([]string, len(v.Platforms))
	for i, p := range v.Platforms {
		platforms[i] = string(p)
	}
	for _, x := range []struct{ label, text string }{
		{"phase", string(v.Phase)}, {"platform", strings.Join(platforms, ", ")}, {"ports", ports(v)},
		{"client", clientPorts(v)}, {"starts", direction(v)}, {"answer", string(v.Answer)}, {"note", Escape(v.Note)},
	} {
		if x.text != "" {
			s.block(&b, x.label, x.text)
		}
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		fmt.Fprintf(&b, "\n%s row %d\n", Escape(r.Source), r.Number)
		for _, x := range []struct{ label, text string }{
			{"under", r.Section}, {"name", r.Name}, {"proto", r.Protocol}, {"port", r.Port}, {"sports", r.SourcePorts}, {"dir", r.Direction},
			{"who", r.Who}, {"needed", r.Requirement}, {"note", r.Note}, {"but", r.Correction}, {"see", r.Reference},
		} {
			if x.text != "" {
				s.block(&b, x.label, Escape(x.text))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func clientPorts(v *catalog.Service) string {
	if t := v.ClientPorts.String(); t != "" {
		return "ports " + t
	}
	return ""
}

func rowsOf(list []*catalog.Service) [][]string {
	var rows [][]string
	for _, v := range list {
		for i := range v.Rows {
			rows = append(rows, v.Rows[i].Cells())
		}
	}
	return rows
}

// Rows lists the rows of the port documents, without the long texts.
func Rows(w io.Writer, list []*catalog.Service, s Style) error {
	var rows [][]string
	for _, v := range list {
		for _, r := range v.Rows {
			rows = append(rows, []string{r.Source, strconv.Itoa(r.Number), r.Name, r.Protocol, r.Port, r.SourcePorts, r.Service, mark(r.Correction)})
		}
	}
	_, err := io.WriteString(w, s.table([]string{"source", "row", "name", "protocol", "port", "source ports", "service", "corrected"}, rows, 8))
	return err
}

func mark(correction string) string {
	if correction != "" {
		return "yes"
	}
	return ""
}

// RowsCSV writes the rows of the port documents with everything they say.
func RowsCSV(w io.Writer, list []*catalog.Service) error {
	c := csv.NewWriter(w)
	if err := c.Write(catalog.Columns()); err != nil {
		return err
	}
	return c.WriteAll(rowsOf(list))
}

// ServicesJSON writes services with their rows.
func ServicesJSON(w io.Writer, list []*catalog.Service) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// ServicesMarkdown writes services as a Markdown table.
func ServicesMarkdown(w io.Writer, list []*catalog.Service) error {
	rows := make([][]string, len(list))
	for i, v := range list {
		rows[i] = []string{"`" + v.ID + "`", string(v.Phase), ports(v), direction(v), v.Name}
	}
	return markdown(w, serviceHead, rows)
}

// RowsMarkdown writes the rows of the port documents as a Markdown table.
func RowsMarkdown(w io.Writer, list []*catalog.Service) error {
	return markdown(w, catalog.Columns(), rowsOf(list))
}

func markdown(w io.Writer, head []string, rows [][]string) error {
	var b strings.Builder
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + strings.ReplaceAll(strings.ReplaceAll(c, "|", `\|`), "\n", " ") + " ")
		}
		b.WriteString("|\n")
	}
	line(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, r := range rows {
		line(r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
