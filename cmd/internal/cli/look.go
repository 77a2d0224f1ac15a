package cli

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pxescope/pxescope/cmd/internal/text"
)

// lookOptions are about how text looks.
type lookOptions struct {
	color   string
	utc     bool
	quiet   bool
	verbose int
}

func (o *lookOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.color, "color", "auto", "colour `WHEN`: auto (on a terminal, unless NO_COLOR is set), always, never")
	f.BoolVar(&o.utc, "utc", false, "print times in UTC instead of local time")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print verdicts and findings only, no progress")
	f.CountVarP(&o.verbose, "verbose", "v", "print the timeline of every node and all facts; twice: positive findings too")
}

// open opens an output as openOutput does, and settles the look for it.
func (o *lookOptions) open(s Streams, path string) (*output, text.Style, error) {
	out, err := openOutput(s, path)
	if err != nil {
		return nil, text.Style{}, err
	}
	style, err := o.style(out)
	if err != nil {
		out.discard()
		return nil, text.Style{}, err
	}
	return out, style, nil
}

// style settles the look for an output.
func (o *lookOptions) style(out *output) (text.Style, error) {
	s := text.Style{UTC: o.utc, Quiet: o.quiet, Verbose: o.verbose, Width: out.cols}
	switch o.color {
	case "always":
		s.Color = true
	case "never":
	case "auto":
		s.Color = out.tty && os.Getenv("TERM") != "dumb"
		if f := os.Getenv("CLICOLOR_FORCE"); f != "" && f != "0" {
			s.Color = true
		}
		if os.Getenv("NO_COLOR") != "" {
			s.Color = false
		}
	default:
		return s, usage("--color %q: choose auto, always or never", o.color)
	}
	return s, nil
}

// complete offers the values of a flag to shell completion.
func complete(cmd *cobra.Command, flag string, values ...string) {
	// The error says that there is no such flag, which a test would notice.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
