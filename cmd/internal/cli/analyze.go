package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
)

type analyzeOptions struct {
	read   []string // -r, as tcpdump has it
	place  placeOptions
	look   lookOptions
	format string
	output string
	failOn string
	filter string
	count  uint64
}

func newAnalyze(s Streams) *cobra.Command {
	var o analyzeOptions
	cmd := &cobra.Command{
		Use:   "analyze FILE...",
		Short: "tell from captures which node stopped where, and why",
		Long: `Reads captures and prints a verdict per node, the findings with their frames, the
services that were seen, and how good the capture is.

FILE is a pcap, pcapng or snoop file, plain or compressed (gzip, zstd, lz4, xz),
a directory, a tar or zip support bundle, or - for standard input. Several files
are one timeline: rotated captures keep their state.`,
		Example: `  pxescope analyze ticket/*.pcapng.gz
  pxescope analyze --rack 10.0.0.2 --fail-on error boot.pcap
  pxescope analyze --filter 'ether host 52:54:00:12:34:56' trunk.pcap
  tcpdump -i eth1 -w - | pxescope analyze -
  pxescope analyze --format json bundle.tar.xz | jq '.nodes[].verdict'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args)+len(o.read) == 0 {
				return &statusError{status: ExitUsage, err: errors.New("no capture file given"),
					hint: "name files or directories, or - for standard input: pxescope analyze ticket.pcapng"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return analyze(cmd, s, &o, append(o.read, args...))
		},
	}
	f := cmd.Flags()
	f.StringSliceVarP(&o.read, "read", "r", nil, "read this `FILE`, as with tcpdump; the same as naming it")
	f.StringVar(&o.format, "format", "text", "output `FORMAT`: text, json (one document) or ndjson (one event a line)")
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE` instead of standard output")
	f.StringVar(&o.failOn, "fail-on", "none", "exit with status 1 on findings of this `SEVERITY` or worse: note, warning, error, none")
	f.StringVar(&o.filter, "filter", "", "analyze only packets that match the pcap-filter `EXPR`")
	f.Uint64VarP(&o.count, "count", "c", 0, "stop after `N` packets")
	o.place.flags(f)
	o.look.flags(f)
	complete(cmd, "format", "text", "json", "ndjson")
	complete(cmd, "fail-on", "none", "note", "warning", "error")
	return cmd
}

func analyze(cmd *cobra.Command, s Streams, o *analyzeOptions, paths []string) error {
	var only *filter.Expr
	if cmd.Flags().Changed("filter") {
		var err error
		if only, err = filter.Parse(o.filter); err != nil {
			return refusal(o.filter, err)
		}
	}
	if !slices.Contains([]string{"text", "json", "ndjson"}, o.format) {
		return usage("--format %q: choose text, json or ndjson", o.format)
	}
	failOn, err := parseFailOn(o.failOn)
	if err != nil {
		return err
	}
	opt, err := o.place.engine()
	if err != nil {
		return err
	}
	opt.Version = version()
	opt.Spent = spent()
	out, style, err := o.look.open(s, o.output)
	if err != nil {
		return err
	}
	defer out.discard()
	bar := newProgress(s, o.look.quiet)
	src, err := pcapfile.Open(paths, pcapfile.Options{Stdin: s.In, Progress: bar.update})
	if err != nil {
		bar.done()
		return unreadable(err)
	}
	defer src.Close()
	var packets capture.Source = src
	var kept *filtered
	if only != nil {
		kept = newFiltered(src, only)
		packets = kept
	}
	r, err := run(packets, opt, o, out)
	bar.done()
	if kept != nil {
		kept.warn(s.Err)
	}
	if err != nil {
		return err
	}
	if err := render(out, o.format, r, style); err != nil {
		return fmt.Errorf("write %s: %w", out.name, err)
	}
	if err := out.commit(); err != nil {
		return err
	}
	return verdictStatus(r, failOn)
}

// run reads src to its end and reports. In ndjson, exchanges are written as
// they are decided.
func run(src capture.Source, opt classify.Options, o *analyzeOptions, out io.Writer) (*classify.Report, error) {
	var lines *exchangeWriter
	if o.format == "ndjson" {
		lines = newExchangeWriter(out)
		opt.OnExchange = lines.write
	}
	e := classify.New(opt)
	if err := e.Run(src, o.count); err != nil {
		return nil, unreadable(err)
	}
	if lines != nil && lines.err != nil {
		return nil, lines.err
	}
	collect()
	return e.Report(src), nil
}

// collect frees what the trackers kept, before the report takes new memory
// instead. For a heap below 20 MB that is not worth the time.
func collect() {
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > 20<<20 {
		runtime.GC()
	}
}

// spent tells the engine whether a second core helps; nil where the program has
// only one.
func spent() func() (wall, cpu time.Duration) {
	if runtime.GOMAXPROCS(0) == 1 {
		return nil
	}
	began := time.Now()
	return func() (wall, cpu time.Duration) { return time.Since(began), processorTime() }
}

// verdictStatus turns a report into the exit status.
func verdictStatus(r *classify.Report, failOn finding.Severity) error {
	for _, f := range r.Findings {
		if s, ok := finding.ParseSeverity(f.Severity); ok && s >= failOn {
			return &statusError{status: ExitFindings}
		}
	}
	if r.Inconclusive {
		return &statusError{status: ExitInconclusive}
	}
	return nil
}

// noSeverity is above every severity.
const noSeverity = finding.Error + 1

func parseFailOn(name string) (finding.Severity, error) {
	if name == "none" {
		return noSeverity, nil
	}
	s, ok := finding.ParseSeverity(name)
	if !ok || s == finding.OK {
		return 0, usage("--fail-on %q: choose note, warning, error or none", name)
	}
	return s, nil
}

// unreadable is the error of an input that could not be read at all.
func unreadable(err error) error {
	e := &statusError{status: ExitUnreadable, err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.status = ExitPermission
		e.hint = "run it as a user who may read the file, or change the file's mode"
	case errors.Is(err, fs.ErrNotExist):
		e.hint = "check the name; quote patterns that the shell should not expand"
	}
	return e
}

// catalogWith is the built-in catalog with the user's additions.
func catalogWith(paths []string) (*catalog.Catalog, error) {
	c := catalog.Default()
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, unreadable(fmt.Errorf("--catalog: %w", err))
		}
		if c, err = catalog.Load(filepath.Clean(p), b, c); err != nil {
			return nil, &statusError{status: ExitUsage, err: err}
		}
	}
	return c, nil
}
