package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture/live"
	"github.com/pxescope/pxescope/capture/record"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/cmd/internal/privilege"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

type liveOptions struct {
	place placeOptions
	look  lookOptions

	ifaces     []string // -i, as tcpdump has it
	list       bool     // -D
	noPromisc  bool
	snapLen    int
	bufferKiB  int
	direction  string
	immediate  bool
	timestamps string
	netns      string
	engine     string

	filter       string
	kernelFilter string
	duration     time.Duration
	count        uint64

	write      string
	rotateSize string // -C
	rotateTime string // -G
	files      int    // -W
	unbuffered bool
	user       string // -Z
	recorder   string

	format string
	failOn string
}

// Formats of live. screen is the choice of a terminal.
var liveFormats = []string{"auto", "screen", "text", "ndjson", "json"}

// Choices of --kernel-filter.
const (
	filterAuto     = "auto"
	filterStateful = "stateful"
	filterClassic  = "classic"
	filterNone     = "none"
)

var kernelFilters = []string{filterAuto, filterStateful, filterClassic, filterNone}

func newLive(s Streams) *cobra.Command {
	var o liveOptions
	cmd := &cobra.Command{
		Use:   "live IFACE... [EXPR]",
		Short: "tell the same while it happens, from interfaces",
		Long: `Captures from interfaces and tells of each node how far its boot came, and of each
finding when it becomes true: an answer that does not come is told when its time
is over. The verdicts are those that analyze gives for the same packets.

On a terminal it shows a screen, elsewhere one line per event; Ctrl-C ends it and
prints the report. IFACE "any" is every interface, those that come later too.

With --phase the kernel passes only what the services of the phase need, and
follows transfers to the ports that they agree on (eBPF; CAP_BPF). Without that
right the filter of 'pxescope filter --phase' takes its place, and what it loses
is said. --filter EXPR is a pcap-filter expression; it may stand behind the
interfaces too, as with tcpdump.

SIGUSR1 prints counters. SIGHUP reads the files of --site and --catalog again:
who is who and the judgement change at once; what the kernel passes and the
waiting times of transfers stay until the next start.`,
		Example: `  pxescope live eth1 --phase provisioning
  pxescope live any --duration 10m --format ndjson
  pxescope live eth1 eth2 -w boot.pcapng -C 100 -W 10 --flight-recorder /var/tmp
  pxescope live eth1 --filter 'ether host 52:54:00:12:34:56' --fail-on error -c 10000
  pxescope live -D`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list {
				return liveDevices(s, &o)
			}
			if err := o.words(args, interfaceNames(o.netns)); err != nil {
				return err
			}
			return liveCommand(cmd, s, &o)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVarP(&o.ifaces, "interface", "i", nil, "capture from this `IFACE`, as with tcpdump; the same as naming it (repeatable)")
	f.BoolVarP(&o.list, "list-interfaces", "D", false, "list the interfaces, their state, and whether capturing is permitted")
	f.StringVar(&o.filter, "filter", "", "capture only packets that match the pcap-filter `EXPR`")
	f.StringVar(&o.kernelFilter, "kernel-filter", filterAuto, "for --phase: stateful (eBPF), classic, none, or auto, the best that is permitted (`KIND`)")
	f.DurationVar(&o.duration, "duration", 0, "end after this `TIME`, as 90s or 10m")
	f.Uint64VarP(&o.count, "count", "c", 0, "end after `N` packets")
	f.StringVar(&o.format, "format", "auto", "output `FORMAT`: screen (on a terminal), text (elsewhere), ndjson (one event a line), json (one document at the end)")
	f.StringVar(&o.failOn, "fail-on", "none", "exit with status 1 on findings of this `SEVERITY` or worse: note, warning, error, none")
	f.StringVarP(&o.write, "write", "w", "", "write the packets to `FILE`: pcapng, or pcap for a name as .pcap; - is standard output")
	f.StringVarP(&o.rotateSize, "rotate-size", "C", "", "of -w: begin a new file after `SIZE` millions of bytes, or as 500k, 2G")
	f.StringVarP(&o.rotateTime, "rotate-time", "G", "", "of -w: begin a new file after `TIME`, in seconds or as 10m; the name may hold %H%M%S and the like")
	f.IntVarP(&o.files, "files", "W", 0, "of -w: keep `N` files with -C, end after N with -G")
	f.BoolVarP(&o.unbuffered, "unbuffered", "U", false, "of -w: write each packet at once")
	f.StringVar(&o.recorder, "flight-recorder", "", "write the packets around each warning and error to a file of its own in `DIR`")
	f.StringVarP(&o.user, "user", "Z", "", "go on as this `USER` when everything is open; else only the rights are given up")
	f.BoolVarP(&o.noPromisc, "no-promiscuous-mode", "p", false, "leave the interfaces' mode as it is")
	f.IntVarP(&o.snapLen, "snapshot-length", "s", 0, "take `N` bytes of each packet; 0 is 262144")
	f.IntVarP(&o.bufferKiB, "buffer-size", "B", 0, "ring for each interface, in `KIB`; 0 is 4096")
	f.StringVarP(&o.direction, "direction", "Q", "inout", "only packets in this `DIRECTION`: in, out, inout")
	f.BoolVar(&o.immediate, "immediate-mode", false, "hand over each packet at once rather than in blocks")
	f.StringVarP(&o.timestamps, "time-stamp-type", "j", "host", "`CLOCK` of the time stamps: host, adapter, adapter_unsynced")
	f.StringVar(&o.netns, "netns", "", "capture in this network namespace: a `NAME` under /run/netns, or a path")
	f.StringVar(&o.engine, "engine", "", "capture by `ENGINE`: ring (Linux), libpcap (where built in)")
	f.BoolP("no-names", "n", false, "accepted for tcpdump's sake: names are never looked up")
	o.place.flags(f)
	o.look.flags(f)
	complete(cmd, "format", liveFormats...)
	complete(cmd, "fail-on", "none", "note", "warning", "error")
	complete(cmd, "kernel-filter", kernelFilters...)
	complete(cmd, "direction", "in", "out", "inout")
	complete(cmd, "time-stamp-type", "host", "adapter", "adapter_unsynced")
	complete(cmd, "engine", live.EngineRing, live.EngineLibpcap)
	cmd.SetFlagErrorFunc(flagRefusal)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return interfaceNames(""), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// interfaceNames lists the interfaces; empty when that cannot be known.
func interfaceNames(netns string) []string {
	devices, _ := live.Devices(netns) // opening them will tell why
	names := []string{}
	for _, d := range devices {
		names = append(names, d.Name)
	}
	return names
}

// A liveChoice is what the flags come to.
type liveChoice struct {
	format  string
	failOn  finding.Severity
	capture live.Options
	write   record.Options
	only    *filter.Expr // of --filter
}

// choose checks the flags. tty says that there is a terminal for a screen.
func (o *liveOptions) choose(tty bool) (c liveChoice, err error) {
	if len(o.ifaces) == 0 {
		return c, &statusError{status: ExitUsage, err: errors.New("no interface given"), hint: "'pxescope live -D' lists them"}
	}
	if !slices.Contains(liveFormats, o.format) {
		return c, usage("--format %q: choose one of %s", o.format, strings.Join(liveFormats, ", "))
	}
	c.format = o.format
	if o.write == "-" {
		if o.format == "auto" {
			c.format = "none"
		} else {
			return c, usage("-w - takes standard output: leave out --format")
		}
	}
	switch {
	case c.format == "auto" && tty && os.Getenv("TERM") != "dumb":
		c.format = "screen"
	case c.format == "auto":
		c.format = "text"
	case c.format == "screen" && !tty:
		return c, usage("--format screen needs a terminal")
	}
	if c.failOn, err = parseFailOn(o.failOn); err != nil {
		return c, err
	}
	if !slices.Contains(kernelFilters, o.kernelFilter) {
		return c, usage("--kernel-filter %q: choose one of %s", o.kernelFilter, strings.Join(kernelFilters, ", "))
	}
	if o.filter != "" {
		if c.only, err = filter.Parse(o.filter); err != nil {
			return c, refusal(o.filter, err)
		}
	}
	if o.user != "" {
		if _, err := privilege.Lookup(o.user); err != nil {
			return c, usage("-Z: %v", err)
		}
	}
	if o.duration < 0 {
		return c, usage("--duration %s: no time", o.duration)
	}
	if o.snapLen < 0 || o.snapLen > live.DefaultSnapLen {
		return c, usage("-s %d: 0 to %d bytes", o.snapLen, live.DefaultSnapLen)
	}
	if o.bufferKiB < 0 || o.bufferKiB > 1<<20 {
		return c, usage("-B %d: 0 to %d KiB", o.bufferKiB, 1<<20)
	}
	direction, err := live.ParseDirection(o.direction)
	if err != nil {
		return c, usage("-Q: %v", err)
	}
	c.capture = live.Options{
		Interfaces: o.ifaces, NetNS: o.netns, NoPromisc: o.noPromisc, SnapLen: o.snapLen, Buffer: o.bufferKiB << 10,
		Direction: direction, Immediate: o.immediate, Timestamps: o.timestamps, Engine: o.engine,
	}
	c.write, err = o.writing()
	return c, err
}

// writing reads the flags of -w.
func (o *liveOptions) writing() (w record.Options, err error) {
	w = record.Options{Path: o.write, Files: o.files, Unbuffered: o.unbuffered}
	if o.write == "" {
		if o.rotateSize != "" || o.rotateTime != "" || o.files != 0 || o.unbuffered {
			return w, usage("-C, -G, -W and -U say how -w writes; give -w FILE")
		}
		return w, nil
	}
	if o.rotateSize != "" {
		if w.RotateBytes, err = record.ParseSize(o.rotateSize); err != nil {
			return w, usage("-C: %v", err)
		}
	}
	if o.rotateTime != "" {
		if w.RotateEvery, err = parseSeconds(o.rotateTime); err != nil {
			return w, usage("-G %q: seconds, or a time as 10m", o.rotateTime)
		}
	}
	if o.files < 0 {
		return w, usage("-W %d: a number of files", o.files)
	}
	return w, nil
}

// parseSeconds reads a number of seconds, as tcpdump has it, or a duration.
func parseSeconds(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s + "s"); err == nil && d > 0 && strings.Trim(s, "0123456789") == "" {
		return d, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < time.Second {
		err = errors.New("less than a second")
	}
	return d, err
}

// liveError gives a refusal of a part its exit status and its hint.
func liveError(err error, ifaces []string) error {
	var known *statusError
	if errors.As(err, &known) {
		return err
	}
	e := &statusError{status: ExitUsage, err: err}
	var told *live.Error
	if errors.As(err, &told) {
		e.status, e.hint = ExitUnreadable, told.Hint
	}
	switch {
	case errors.Is(err, live.ErrPermission):
		e.status = ExitPermission
		var missing *privilege.Error
		if errors.As(privilege.Explain(err, strings.Join(append([]string{"live"}, ifaces...), " "), privilege.NetRaw, privilege.NetAdmin, privilege.BPF), &missing) {
			e.hint = missing.Hint
		}
	case errors.Is(err, live.ErrNoInterface), errors.Is(err, live.ErrUnsupported):
		e.status = ExitUnreadable
	}
	return e
}

// liveDevices is -D.
func liveDevices(s Streams, o *liveOptions) error {
	list, err := live.Devices(o.netns)
	if err != nil {
		return liveError(err, nil)
	}
	out, style, err := o.look.open(s, "")
	if err != nil {
		return err
	}
	defer out.discard()
	if o.format == "json" || o.format == "ndjson" {
		err = writeJSON(out, devicesOf(list))
	} else {
		err = text.Devices(out, list, style)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", out.name, err)
	}
	return out.commit()
}

// A device is a live.Device as JSON.
type device struct {
	Name      string   `json:"name"`
	State     string   `json:"state"`
	Index     int      `json:"index"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses"`
	Link      string   `json:"linktype"`
	Permitted bool     `json:"permitted"`
	Why       string   `json:"why"`
}

func devicesOf(list []live.Device) []device {
	out := make([]device, len(list))
	for i, d := range list {
		out[i] = device{d.Name, d.State, d.Index, d.MAC, []string{}, d.Link.String(), d.Permitted, d.Why}
		for _, a := range d.Addrs {
			out[i].Addresses = append(out[i].Addresses, a.String())
		}
	}
	return out
}
