package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
)

func newFilterLint(s Streams) *cobra.Command {
	var format string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "lint EXPR",
		Short: "explain a filter and show the packet that it would lose",
		Long: `Reads a pcap-filter expression, prints it with every parenthesis, and tries it on
sample conversations of network boots: plain, VLAN-tagged, tagged twice, fragmented,
on ports that are agreed on the way. Where the filter keeps one part of a conversation
and not another, it names the first packet that is lost, and how to keep it.`,
		Example: `  pxescope filter lint 'udp port 69'
  pxescope filter lint '(vlan and udp port 67) or udp port 67'
  pxescope filter lint --format json 'port 67 or port 68'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			r, err := filter.Lint(text)
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
	cmd.Flags().StringVar(&format, "format", "text", "output `FORMAT`: text or json")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list what is kept of every conversation, and the bytes of the packets lost")
	complete(cmd, "format", "text", "json")
	return cmd
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
			fmt.Fprintf(w, "  first lost: %s\n", f.Frame)
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
		doc.Findings = append(doc.Findings, finding{f.ID, f.Text, f.Do, f.Frame, fmt.Sprintf("%x", f.Data)})
	}
	for _, k := range r.Kept {
		doc.Kept = append(doc.Kept, kept(k))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}
