package cli

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
)

func newFilterDiff(s Streams) *cobra.Command {
	var o filterOptions
	var format string
	cmd := &cobra.Command{
		Use:   "diff EXPR-A EXPR-B",
		Short: "say whether two filters keep the same packets",
		Long: `Follows the compiled programs of two pcap-filter expressions side by side, and says
whether they are equivalent, or shows a packet that only one of them keeps. Both
programs were run on that packet.

Arithmetic on one byte or two is worked out, other arithmetic is compared by its form,
and no search is longer than ` + fmt.Sprint(filter.MaxDiffSteps) + ` steps. Where this leads to no answer, sample
conversations and random packets are tried, and when none makes a difference the
answer is "unknown".

Exit status: 0 when they are equivalent or this is not known, 1 when they differ, 2 for
an expression that cannot be compiled.

Packets that end before what a filter reads are rejected by it, so that two filters
that read in another order may differ on them; this is noted, and does not count.`,
		Example: `  pxescope filter diff 'udp port 69' 'port 69'
  pxescope filter diff 'portrange 67-68' 'port 67 or port 68'
  pxescope filter diff --for live 'vlan and arp' 'arp'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage("--format %q: choose text or json", format)
			}
			t, err := o.compileFor()
			if err != nil {
				return err
			}
			var e [2]*filter.Expr
			for i, text := range args {
				if e[i], err = filter.Parse(text); err == nil {
					// What cannot be compiled is told for the one that has it.
					_, err = filter.Diff(e[i], e[i], t)
				}
				if err != nil {
					return refusal(text, err)
				}
			}
			d, err := filter.Diff(e[0], e[1], t)
			if err != nil {
				return refusal("", err)
			}
			out, err := openOutput(s, "")
			if err != nil {
				return err
			}
			defer out.discard()
			if format == "json" {
				err = diffJSON(out, d)
			} else {
				err = diffText(out, d)
			}
			if err := done(out, err); err != nil {
				return err
			}
			if d.Verdict == filter.Different {
				return &statusError{status: ExitFindings}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.link, "linktype", "y", "", "compile for this `LINKTYPE`: EN10MB, LINUX_SLL, LINUX_SLL2, RAW ...")
	f.StringVar(&o.target, "for", "file", "compile for packets of a file, or of a live Linux socket (`WHERE`: file, live)")
	f.StringVar(&format, "format", "text", "output `FORMAT`: text or json")
	complete(cmd, "for", "file", "live")
	complete(cmd, "format", "text", "json")
	return cmd
}

func diffText(w io.Writer, d *filter.Difference) error {
	var text string
	switch d.Verdict {
	case filter.Equivalent:
		text = "equivalent\n"
	case filter.Unknown:
		text = fmt.Sprintf("unknown after %d paths: no difference on %d packets, but none was ruled out either (%s)\n", d.Paths, d.Tried, d.Why)
	case filter.Different:
		text = "different\n" + witnessText(d.Witness)
	}
	if d.Short != nil {
		text += "\nnote: they differ on packets that end before what one of them reads, such as\n" + witnessText(d.Short)
	}
	if d.ShortOpen {
		text += fmt.Sprintf("\nnote: whether they differ on packets that end before what they read was looked at for %d steps only\n", filter.MaxDiffSteps)
	}
	_, err := io.WriteString(w, text)
	return err
}

func witnessText(x *filter.Witness) string {
	who, not := "A", "B"
	if x.B {
		who, not = not, who
	}
	out := fmt.Sprintf("%s keeps this packet, %s does not: %s\n", who, not, x.Text)
	if x.Beside {
		out += fmt.Sprintf("  beside the packet: VLAN %d (tag %#04x)\n", x.TCI&0xfff, x.TCI)
	}
	return out + hexdump(x.Data, len(x.Data))
}

func diffJSON(w io.Writer, d *filter.Difference) error {
	type witness struct {
		Text  string  `json:"text"`
		Bytes string  `json:"bytes"`
		A     bool    `json:"a"`
		B     bool    `json:"b"`
		TCI   *uint16 `json:"tci,omitempty"`
	}
	of := func(x *filter.Witness) *witness {
		if x == nil {
			return nil
		}
		out := &witness{Text: x.Text, Bytes: hex.EncodeToString(x.Data), A: x.A, B: x.B}
		if x.Beside {
			out.TCI = &x.TCI
		}
		return out
	}
	return writeJSON(w, struct {
		Schema  string   `json:"schema"`
		Verdict string   `json:"verdict"`
		Why     string   `json:"why,omitempty"`
		Witness *witness `json:"witness,omitempty"`
		Short   *witness `json:"short,omitempty"`
		Steps   int      `json:"steps"`
		Paths   int      `json:"paths"`
		Tried   int      `json:"tried"`
	}{"pxescope.filter-diff/1", d.Verdict.String(), d.Why, of(d.Witness), of(d.Short), d.Steps, d.Paths, d.Tried})
}
