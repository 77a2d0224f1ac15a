package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pxescope/pxescope/bpf/counter"
	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

type countOptions struct {
	attach   string
	format   string
	output   string
	phase    string
	compare  string
	pin      string
	filter   string
	metrics  string
	learn    bool
	files    []string // --catalog
	interval time.Duration
	duration time.Duration
	look     lookOptions
}

func newCount(s Streams) *cobra.Command {
	var o countOptions
	cmd := &cobra.Command{
		Use:   "count IFACE...",
		Short: "count packets per service and port in the kernel (Linux)",
		Long: `Counts the packets of each service and port on interfaces, inside the kernel: no
packet is copied, and line rate costs a few nanoseconds a packet. Counting ends
with --duration, Ctrl-C or SIGTERM; however the program ends, the kernel takes
the counter off, unless --pin keeps it: then 'rm -r DIR' ends it.

Each packet is in exactly one line: a service of 'pxescope catalog' by its ports,
"other", "fragments" (of datagrams whose first fragment was not seen) or
"undecodable". Bytes are whole frames without FCS. What is agreed in the traffic,
such as TFTP's data port, is "other": 'pxescope analyze' follows conversations.
--learn adds the ports of mountd, lockd and statd from portmap's replies that
pass by while the program runs, 64 at most, for all servers.

--filter counts only packets that match a pcap-filter expression, decided in the
kernel in front of the counter; the others are told as one number. It means what
it means to tcpdump on that interface: but for XDP the outermost VLAN tag is
beside the packet, 'vlan' finds it, and len is without it. Later fragments have no
ports: 'pxescope filter --complete' writes filters that keep them.

Without a terminal, text is one table at the end; --interval prints besides, every
TIME, what came in that time. --metrics serves totals to Prometheus on /metrics.

--attach says where the counter sits:
  auto         tcx where the kernel has it (6.6), else socket
  tcx          received and sent packets, beside other programs. Segments that
               GRO merged count as one packet, and so do those that TSO splits
  socket       the same on older kernels, by a packet socket; slower
  xdp          in the driver, before GRO; received packets only, and one program
               per interface
  xdp-generic  the same for drivers without XDP

Rights: CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; for socket CAP_NET_RAW instead of
CAP_NET_ADMIN; for --learn CAP_NET_RAW besides. root has them all.`,
		Example: `  pxescope count eth1
  pxescope count eth1 eth2 --interval 10s --format ndjson
  pxescope count eth1 --duration 1m --format json | jq '.services[]'
  pxescope count eth1 --pin /sys/fs/bpf/pxescope --duration 1s
  pxescope count --pin /sys/fs/bpf/pxescope --duration 1s
  pxescope count eth1 --filter 'not port 22' --learn
  pxescope count eth1 eth2 --metrics 127.0.0.1:9469
  pxescope count --compare boot.pcap`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.compare != "" && len(args) > 0:
				return usage("--compare counts a file: name no interface beside it")
			case o.compare != "" && o.pin != "":
				return usage("--compare attaches nothing: there is nothing to --pin")
			case o.compare != "" && o.metrics != "":
				return usage("--compare counts a file and ends: there is nothing to serve as --metrics")
			case o.compare != "" && o.learn:
				return usage("--compare compares by the catalog's ports alone: leave out --learn")
			case len(args) == 0 && o.pin != "" && (o.learn || cmd.Flags().Changed("filter")):
				return usage("a pinned counter is read as it was made: --filter and --learn go with its first run")
			case o.compare == "" && o.pin == "" && len(args) == 0:
				return &statusError{status: ExitUsage, err: errors.New("no interface given"),
					hint: "name interfaces: pxescope count eth1; 'ip -br link' lists them"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return countCommand(cmd, s, &o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.attach, "attach", "auto", "where the counter sits, `HOOK`: auto, tcx, socket, xdp, xdp-generic")
	f.StringVar(&o.format, "format", "text", "output `FORMAT`: text, json (one document at the end), ndjson (one line per interval), csv")
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE` instead of standard output")
	f.DurationVar(&o.interval, "interval", time.Second, "`TIME` between two lines of ndjson, two updates of a terminal, or two tables of text when given")
	f.DurationVar(&o.duration, "duration", 0, "stop after this `TIME`; 0: on Ctrl-C")
	f.StringVar(&o.filter, "filter", "", "count only packets that match the pcap-filter `EXPR`")
	f.BoolVar(&o.learn, "learn", false, "add ports of RPC services from portmap's replies")
	f.StringVar(&o.metrics, "metrics", "", "serve Prometheus metrics at `ADDR`, as 127.0.0.1:9469, until the end")
	f.StringVar(&o.pin, "pin", "", "keep counting after the end: pin in `DIR` of a BPF file system; without IFACE, read what is pinned there")
	f.StringVar(&o.phase, "phase", string(catalog.Provisioning), "list services of this `PHASE` first")
	f.StringVar(&o.compare, "compare", "", "count the frames of a capture `FILE` in the kernel and in Go, and show both")
	f.StringSliceVar(&o.files, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	f.StringVar(&o.look.color, "color", "auto", "colour `WHEN`: auto, always, never")
	complete(cmd, "attach", "auto", "tcx", "socket", "xdp", "xdp-generic")
	complete(cmd, "format", "text", "json", "ndjson", "csv")
	return cmd
}

func (o *countOptions) check() error {
	if !slices.Contains([]string{"text", "json", "ndjson", "csv"}, o.format) {
		return usage("--format %q: choose text, json, ndjson or csv", o.format)
	}
	if o.attach != "auto" && !slices.Contains(counter.Hooks(), counter.Hook(o.attach)) {
		return usage("--attach %q: choose auto, tcx, socket, xdp or xdp-generic", o.attach)
	}
	if o.interval < 100*time.Millisecond {
		return usage("--interval %s: 100ms at least", o.interval)
	}
	if o.duration < 0 {
		return usage("--duration %s: no time", o.duration)
	}
	return checkChoice("phase", o.phase, catalog.Phases(), true)
}

func (o *countOptions) config(args []string) (counter.Config, error) {
	c, err := catalogWith(o.files)
	cfg := counter.Config{Catalog: c, Interfaces: args, Pin: o.pin, Learn: o.learn}
	if o.attach != "auto" {
		cfg.Hook = counter.Hook(o.attach)
	}
	if err != nil || o.filter == "" {
		return cfg, err
	}
	if cfg.Filter, err = filter.Parse(o.filter); err != nil {
		return cfg, refusal(o.filter, err)
	}
	return cfg, nil
}

func countCommand(cmd *cobra.Command, s Streams, o *countOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if cmd.Flags().Changed("filter") && o.filter == "" {
		return usage("--filter is empty: give an expression, or leave it out")
	}
	cfg, err := o.config(args)
	if err != nil {
		return err
	}
	out, style, err := o.look.open(s, o.output)
	if err != nil {
		return err
	}
	defer out.discard()
	if o.compare != "" {
		return countCompare(s, o, cfg, out, style)
	}
	// Signals first: from here on they end the counting and not the program.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := counter.Open(cfg)
	if err != nil {
		return countError(err)
	}
	defer c.Close()
	if o.metrics != "" {
		end, err := serveMetrics(o.metrics, c, s.Err)
		if err != nil {
			return err
		}
		defer end()
	}
	r := &countRun{o: o, c: c, out: out, style: style, start: time.Now(), view: text.CountView{Phase: o.phase}}
	r.periodic = cmd.Flags().Changed("interval")
	if err := r.run(ctx); err != nil {
		return err
	}
	return out.commit()
}

// countError gives a refusal its exit status and its hint.
func countError(err error) error {
	e := &statusError{status: ExitUnreadable, err: err}
	if errors.Is(err, counter.ErrPermission) {
		e.status = ExitPermission
	}
	var told *counter.Error
	if errors.As(err, &told) {
		e.hint = told.Hint
	}
	return e
}

// A countRun prints a Counter until it is told to end.
type countRun struct {
	o     *countOptions
	c     *counter.Counter
	out   *output
	style text.Style
	start time.Time
	last  time.Time
	prev  map[string]uint64
	view  text.CountView

	periodic bool            // --interval was given
	before   *counter.Totals // of the last interval, for text
	lines    int             // intervals since the columns were named
}

func (r *countRun) run(ctx context.Context) error {
	if r.o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.o.duration)
		defer cancel()
	}
	live := r.o.format == "ndjson" || r.o.format == "text" && (r.out.tty || r.periodic)
	if live && r.o.format == "text" {
		// What a pinned counter has counted before is no news.
		t, err := r.c.Read()
		if err != nil {
			return countError(err)
		}
		r.last = r.start
		if r.out.tty {
			r.rates(t, r.start)
			clear(r.view.Recent)
			if _, err := io.WriteString(r.out, clearAll); err != nil {
				return fmt.Errorf("write %s: %w", r.out.name, err)
			}
		} else {
			r.before = t
		}
	}
	tick := time.NewTicker(r.o.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.print(true)
		case <-tick.C:
			if !live {
				continue
			}
			if err := r.print(false); err != nil {
				return err
			}
		}
	}
}

// What a terminal is told (ECMA-48): to the top left, erase to the end of the
// line, erase what is below.
const (
	home       = "\x1b[H"
	eraseLine  = "\x1b[K"
	eraseBelow = "\x1b[J"
	clearAll   = home + "\x1b[2J"
)

func (r *countRun) print(final bool) error {
	t, err := r.c.Read()
	if err != nil {
		return countError(err)
	}
	now := time.Now()
	switch r.o.format {
	case "json":
		err = countJSON(r.out, r.start, now, final, t)
	case "ndjson":
		err = countLine(r.out, r.start, now, final, t)
	case "csv":
		err = countCSV(r.out, t)
	default:
		if !r.out.tty && !final {
			err = r.interval(t, now)
			break
		}
		r.rates(t, now)
		if r.lines > 0 {
			if _, err := io.WriteString(r.out, "\n"); err != nil {
				return err
			}
		}
		err = r.table(t, final)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", r.out.name, err)
	}
	if r.out.file == nil {
		return r.out.Flush()
	}
	return nil
}

// table prints the totals: on a terminal over what was there, until the end no
// more of it than there is room for.
func (r *countRun) table(t *counter.Totals, final bool) error {
	if !r.out.tty {
		return text.Counts(r.out, t, r.view, r.style)
	}
	rows := 0
	if r.out.terminal != nil {
		if w, h, err := term.GetSize(int(r.out.terminal.Fd())); err == nil {
			r.view.Cols, rows = w, h
		}
	}
	var b bytes.Buffer
	if err := text.Counts(&b, t, r.view, r.style); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if room := rows - 2; !final && rows > 4 && len(lines) > room {
		lines = append(lines[:room:room], fmt.Sprintf("%d more lines", len(lines)-room))
	}
	// Line by line, and not all at once, nothing flickers.
	_, err := io.WriteString(r.out, home+strings.Join(lines, eraseLine+"\n")+eraseLine+"\n"+eraseBelow)
	return err
}

// headEvery is how many intervals stand below one naming of the columns.
const headEvery = 20

// interval prints what came since the last look, off a terminal.
func (r *countRun) interval(t *counter.Totals, now time.Time) error {
	if r.lines%headEvery == 0 {
		if err := text.CountHead(r.out, r.style); err != nil {
			return err
		}
	}
	r.lines++
	err := text.CountInterval(r.out, r.before, t, text.Interval{At: now, Length: now.Sub(r.last), Phase: r.o.phase})
	r.before, r.last = t, now
	return err
}

// recentIntervals is the length of a sparkline.
const recentIntervals = 20

// rates notes what came since the last look, on a terminal.
func (r *countRun) rates(t *counter.Totals, now time.Time) {
	r.view.Past = now.Sub(r.start)
	if !r.out.tty {
		return
	}
	if r.view.Rates == nil {
		r.view.Rates, r.view.Recent, r.prev = map[string]float64{}, map[string][]uint64{}, map[string]uint64{}
	}
	seconds := now.Sub(r.last).Seconds()
	r.last = now
	note := func(id string, c counter.Count) {
		d := c.Packets - r.prev[id]
		r.prev[id] = c.Packets
		if seconds > 0 {
			r.view.Rates[id] = float64(d) / seconds
		}
		list := append(r.view.Recent[id], d)
		r.view.Recent[id] = list[max(0, len(list)-recentIntervals):]
	}
	for _, x := range t.Services {
		note(x.ID, x.Count)
	}
	note(string(counter.Other), t.Other)
	note(string(counter.Fragments), t.Fragments)
	note(string(counter.Undecodable), t.Undecodable)
}

func countCompare(s Streams, o *countOptions, cfg counter.Config, out *output, style text.Style) error {
	if o.format != "text" && o.format != "json" {
		return usage("--compare prints text or json")
	}
	src, err := pcapfile.Open([]string{o.compare}, pcapfile.Options{Stdin: s.In})
	if err != nil {
		return unreadable(err)
	}
	defer src.Close()
	c, err := counter.Compare(cfg, src)
	if err != nil {
		return countError(err)
	}
	if o.format == "json" {
		err = writeJSON(out, c)
	} else {
		err = text.Comparison(out, c, style)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", out.name, err)
	}
	if err := out.commit(); err != nil {
		return err
	}
	if len(c.Differing) > 0 {
		return &statusError{status: ExitFindings, err: errors.New("kernel and Go count differently"), hint: "please report the frames above"}
	}
	return nil
}
