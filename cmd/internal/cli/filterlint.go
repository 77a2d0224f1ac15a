package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/classify/catalog"
)

func newFilterLint(s Streams) *cobra.Command {
	var format, phase string
	var services, catalogs []string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "lint EXPR",
		Short: "explain a filter and show the packet that it would lose",
		Long: `Reads a pcap-filter expression, prints it with every parenthesis, and tries it on
sample conversations of network boots: plain, VLAN-tagged, tagged twice, fragmented,
on ports that are agreed on the way. Where the filter keeps one part of a conversation
and not another, it names the first packet that is lost, and how to keep it.

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
				lintText(out, r, verbose)
			case "json":
				err = lintJSON(out, r)
			default:
				return usage("--format %q: choose text or json", format)
			}
			if err != nil {
				return err
			}
			return out.commit()
		},
	}
	cmd.Flags().StringSliceVar(&services, "for", nil, "only for the service `ID` (repeatable)")
	cmd.Flags().StringVar(&phase, "phase", "", "only for the services of this `PHASE`: "+join(catalog.Phases()))
	cmd.Flags().StringSliceVar(&catalogs, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	complete(cmd, "phase", strings.Split(join(catalog.Phases()), ", ")...)
	cmd.Flags().StringVar(&format, "format", "text", "output `FORMAT`: text or json")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list what is kept of every conversation, and the bytes of the packets lost")
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

func lintText(w io.Writer, r *filter.Report, verbose bool) {
	fmt.Fprintf(w, "reads as: %s\n", r.Reads)
	if verbose {
		for _, k := range r.Kept {
			fmt.Fprintf(w, "keeps %d of %d packets of %s\n", k.Kept, k.Of, k.Sample)
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "loses no packet of the sample conversations that it is for")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "\n%s: %s\n", f.ID, f.Text)
		if f.Frame != "" {
			first := "lost"
			if f.Taken {
				first = "taken"
			}
			fmt.Fprintf(w, "  first %s: %s\n", first, f.Frame)
		}
		if verbose && f.Data != nil {
			fmt.Fprintf(w, "  bytes: % x\n", f.Data[:min(len(f.Data), 64)])
		}
		if f.Do != "" {
			fmt.Fprintf(w, "  do: %s\n", f.Do)
		}
	}
}

func lintJSON(w io.Writer, r *filter.Report) error {
	type finding struct {
		ID    string `json:"id"`
		Text  string `json:"text"`
		Do    string `json:"do,omitempty"`
		Frame string `json:"frame,omitempty"`
		Bytes string `json:"bytes,omitempty"`
		Taken bool   `json:"taken,omitempty"`
	}
	type kept struct {
		Sample string `json:"sample"`
		Kept   int    `json:"kept"`
		Of     int    `json:"of"`
	}
	doc := struct {
		Schema   string    `json:"schema"`
		Reads    string    `json:"reads"`
		Findings []finding `json:"findings"`
		Kept     []kept    `json:"kept"`
	}{Schema: "pxescope.filter-lint/1", Reads: r.Reads, Findings: []finding{}, Kept: []kept{}}
	for _, f := range r.Findings {
		doc.Findings = append(doc.Findings, finding{f.ID, f.Text, f.Do, f.Frame, fmt.Sprintf("%x", f.Data), f.Taken})
	}
	for _, k := range r.Kept {
		doc.Kept = append(doc.Kept, kept(k))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}
