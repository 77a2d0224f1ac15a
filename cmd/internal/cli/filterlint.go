package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/classify/catalog"
)

func newFilterLint(s Streams) *cobra.Command {
	var format, phase string
	var services, catalogs []string
	var verbose, quiet bool
	cmd := &cobra.Command{
		Use:   "lint EXPR",
		Short: "explain a filter and show the packet that it would lose",
		Long: `Reads a pcap-filter expression, prints it with every parenthesis, and tries it on
sample conversations of network boots: plain, VLAN-tagged, tagged twice, fragmented,
on ports that are agreed on the way. Where the filter keeps one part of a conversation
and not another, it shows the smallest packet that is lost, and why; at the end comes
a corrected filter, which was tried on all of these packets.

With --for or --phase only the conversations of these services count. Those lost as a
whole are told too, and packets of other services that the filter takes.`,
		Example: `  pxescope filter lint 'udp port 69'
  pxescope filter lint '(vlan and udp port 67) or udp port 67'
  pxescope filter lint --for tftp 'udp'
  pxescope filter lint --format json 'port 67 or port 68'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			r, err := lintReport(text, services, phase, catalogs)
			if err != nil {
				return refusal(text, err)
			}
			out, err := openOutput(s, "")
			if err != nil {
				return err
			}
			defer out.discard()
			switch format {
			case "text":
				lintText(out, r, verbose, quiet)
			case "json":
				err = lintJSON(out, r)
			default:
				return usage("--format %q: choose text or json", format)
			}
			return done(out, err)
		},
	}
	cmd.Flags().StringSliceVar(&services, "for", nil, "only for the service `ID` (repeatable)")
	cmd.Flags().StringVar(&phase, "phase", "", "only for the services of this `PHASE`: "+join(catalog.Phases()))
	cmd.Flags().StringSliceVar(&catalogs, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	complete(cmd, "phase", strings.Split(join(catalog.Phases()), ", ")...)
	cmd.Flags().StringVar(&format, "format", "text", "output `FORMAT`: text or json")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list what is kept of every conversation, all that is taken, and all bytes of the packets shown")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "show no bytes")
	complete(cmd, "format", "text", "json")
	return cmd
}

func lintReport(text string, services []string, phase string, catalogs []string) (*filter.Report, error) {
	c, err := catalogWith(catalogs)
	if err != nil {
		return nil, err
	}
	if err := checkChoice("phase", phase, catalog.Phases(), true); err != nil {
		return nil, err
	}
	if len(services) == 0 && phase == "" {
		return filter.Lint(text)
	}
	return filter.LintFor(text, &filter.Request{Catalog: c, Names: services, Phase: catalog.Phase(phase)})
}

func lintText(w io.Writer, r *filter.Report, verbose, quiet bool) {
	fmt.Fprintf(w, "reads as: %s\n", r.Reads)
	if verbose {
		for _, k := range r.Kept {
			fmt.Fprintf(w, "keeps %d of %d packets of %s\n", k.Kept, k.Of, k.Sample)
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "loses no packet of the sample conversations that it is for")
	}
	for _, group := range lintGroups(r.Findings) {
		lintGroup(w, group, verbose, quiet)
	}
	if r.Corrected != "" {
		fmt.Fprintf(w, "\ncorrected: %s\n", r.Corrected)
	}
}

// lintGroups puts findings with one reason together, in the order in which the
// reasons come first.
func lintGroups(list []filter.Finding) [][]filter.Finding {
	var out [][]filter.Finding
	for _, f := range list {
		at := slices.IndexFunc(out, func(g []filter.Finding) bool {
			return f.Reason != "" && g[0].Reason == f.Reason && g[0].Taken == f.Taken
		})
		if at < 0 {
			out = append(out, []filter.Finding{f})
			continue
		}
		out[at] = append(out[at], f)
	}
	return out
}

// lintGroup is what findings of one reason say, with the smallest of their
// packets.
func lintGroup(w io.Writer, group []filter.Finding, verbose, quiet bool) {
	first := group[0]
	if first.Reason == "" {
		fmt.Fprintf(w, "\n%s: %s\n", first.ID, first.Text)
	} else {
		fmt.Fprintf(w, "\n%s: %s\n", first.ID, first.Reason)
	}
	smallest := first.Data
	var names []string
	shown := 0
	for _, f := range group {
		switch {
		case f.Data == nil && f.Sample != "":
			names = append(names, f.Sample)
			continue
		case f.Data == nil:
			continue
		}
		if len(f.Data) < len(smallest) {
			smallest = f.Data
		}
		does, how := "keeps", "lost"
		if f.Taken {
			does, how = "takes", "taken"
			if shown++; shown > lintTaken && !verbose {
				continue
			}
		}
		fmt.Fprintf(w, "  %s %d of %d packets of %s; smallest %s: %s (%s)\n", does, f.Count, f.Of, f.Sample, how, f.Frame, f.Words)
	}
	if more := shown - lintTaken; more > 0 && !verbose {
		fmt.Fprintf(w, "  and packets of %d more conversations; -v lists them\n", more)
	}
	if len(names) > 0 {
		fmt.Fprintf(w, "  %s\n", strings.Join(names, ", "))
	}
	if smallest != nil && !quiet {
		limit := lintBytes
		if verbose {
			limit = len(smallest)
		}
		io.WriteString(w, hexdump(smallest, limit))
	}
	if first.Do != "" {
		fmt.Fprintf(w, "  do: %s\n", first.Do)
	}
}

// lintTaken is how many conversations that are taken wrongly are listed without -v.
const lintTaken = 8

// lintBytes is how much of a packet is shown without -v: headers, and the
// first words of the payload.
const lintBytes = 96

// hexdump is a packet as 'tcpdump -XX' prints it.
func hexdump(data []byte, limit int) string {
	var b strings.Builder
	for at := 0; at < min(len(data), limit); at += 16 {
		row := data[at:min(at+16, len(data), limit)]
		fmt.Fprintf(&b, "    0x%04x: ", at)
		text := make([]byte, len(row))
		for i := range 16 {
			if i%2 == 0 {
				b.WriteByte(' ')
			}
			if i >= len(row) {
				b.WriteString("  ")
				continue
			}
			fmt.Fprintf(&b, "%02x", row[i])
			text[i] = '.'
			if row[i] > ' ' && row[i] < 0x7f {
				text[i] = row[i]
			}
		}
		fmt.Fprintf(&b, "  %s\n", text)
	}
	if more := len(data) - limit; more > 0 {
		fmt.Fprintf(&b, "    %d more bytes\n", more)
	}
	return b.String()
}

func lintJSON(w io.Writer, r *filter.Report) error {
	type finding struct {
		ID    string `json:"id"`
		Text  string `json:"text"`
		Do    string `json:"do,omitempty"`
		Frame string `json:"frame,omitempty"`
		Words string `json:"words,omitempty"`
		Bytes string `json:"bytes,omitempty"`
		Taken bool   `json:"taken,omitempty"`
	}
	type kept struct {
		Sample string `json:"sample"`
		Kept   int    `json:"kept"`
		Of     int    `json:"of"`
	}
	doc := struct {
		Schema    string    `json:"schema"`
		Reads     string    `json:"reads"`
		Findings  []finding `json:"findings"`
		Kept      []kept    `json:"kept"`
		Corrected string    `json:"corrected,omitempty"`
	}{Schema: "pxescope.filter-lint/1", Reads: r.Reads, Findings: []finding{}, Kept: []kept{}, Corrected: r.Corrected}
	for _, f := range r.Findings {
		doc.Findings = append(doc.Findings, finding{f.ID, f.Text, f.Do, f.Frame, f.Words, fmt.Sprintf("%x", f.Data), f.Taken})
	}
	for _, k := range r.Kept {
		doc.Kept = append(doc.Kept, kept(k))
	}
	return writeJSON(w, doc)
}
