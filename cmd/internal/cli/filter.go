package cli

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
)

type filterOptions struct {
	racks, regions, hosts, nets, nodeNets, macs []string
	catalogs                                    []string
	phase, platform, vlan, expr                 string
	exclude                                     []string
	complete, asWritten, shell, quiet           bool

	as, target, link string
	dump             int
	snaplen          uint32
}

// filterForms are the values of --as.
var filterForms = []string{"text", "asm", "c", "dec", "iptables", "nft", "go", "json", "wireshark", "ebpf"}

func newFilter(s Streams) *cobra.Command {
	var o filterOptions
	cmd := &cobra.Command{
		Use:   "filter [NAME...]",
		Short: "build and compile a packet filter for services",
		Long: `Prints a filter for tcpdump, dumpcap or 'pxescope analyze --filter' that keeps the
named services: ids of 'pxescope catalog', or lines of the MAAS capture crib (dhcp,
tftp, dns, http-rack with --rack, metadata with --region, ntp).

With --complete, which is the default for --phase, nothing of a conversation is lost:
VLAN tags, later IP fragments, TFTP data, RPC on learnt ports, ICMP that quotes. What
a classic filter cannot keep is told on standard error.

-d, -dd, -ddd and --as compile the filter, without libpcap. In the text, 'and' and
'or' have equal precedence and go from left to right, as pcap-filter(7) has it.`,
		Example: `  pxescope filter dhcp tftp
  pxescope filter --phase provisioning --platform maas
  pxescope filter http-rack --rack 10.0.0.2
  pxescope filter tftp --complete --mac 52:54:00:12:34:56 --shell
  pxescope filter --expr 'udp port 69 or vlan' -ddd
  pxescope filter ntp --as iptables
  pxescope filter lint 'udp port 69'
  pxescope filter diff 'udp port 69' 'port 69'`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			names := filter.CribNames()
			for _, v := range catalog.Default().Services() {
				names = append(names, v.ID+"\t"+v.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFilter(cmd, s, &o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.phase, "phase", "", "all services of this `PHASE`: "+join(catalog.Phases()))
	f.StringVar(&o.platform, "platform", "all", "of --phase, only services of this `PLATFORM`: maas, xcat or all")
	f.StringSliceVar(&o.exclude, "exclude", nil, "without this service `ID` (repeatable)")
	f.StringSliceVar(&o.racks, "rack", nil, "only with this `ADDRESS`, for services of the rack (repeatable)")
	f.StringSliceVar(&o.regions, "region", nil, "only with this `ADDRESS`, for services of the region (repeatable)")
	f.StringSliceVar(&o.hosts, "host", nil, "only with this `ADDRESS` (repeatable)")
	f.StringSliceVar(&o.nets, "net", nil, "only with this `NET`, as 10.0.0.0/24 (repeatable)")
	f.StringSliceVar(&o.nodeNets, "node-net", nil, "`NET` of the machines that boot; the same as --net (repeatable)")
	f.StringSliceVar(&o.macs, "mac", nil, "only with this Ethernet `ADDRESS` (repeatable)")
	f.StringVar(&o.vlan, "vlan", "", "frames in which VLAN: none (untagged), any (and untagged), or an `ID`")
	f.StringVar(&o.expr, "expr", "", "and this pcap-filter `EXPR`")
	f.BoolVar(&o.complete, "complete", false, "lose nothing of a conversation (default for --phase)")
	f.BoolVar(&o.asWritten, "as-written", false, "crib lines as the MAAS document has them")
	f.StringVar(&o.as, "as", "text", "print the filter as `FORM`: "+strings.Join(filterForms, ", "))
	f.CountVarP(&o.dump, "dump", "d", "print the compiled program: -d to read, -dd for C, -ddd in decimal, as tcpdump does")
	f.StringVar(&o.target, "for", "file", "compile for packets of a file, or of a live Linux socket (`WHERE`: file, live)")
	f.StringVarP(&o.link, "linktype", "y", "", "compile for this `LINKTYPE`: EN10MB, LINUX_SLL, LINUX_SLL2, RAW ...")
	f.Uint32Var(&o.snaplen, "snaplen", 0, "keep `N` bytes of file transfers, whole packets of the rest; of everything for --expr")
	f.BoolVar(&o.shell, "shell", false, "quote the text for a shell")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "do not tell on standard error what the filter loses")
	f.StringSliceVar(&o.catalogs, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	complete(cmd, "phase", strings.Split(join(catalog.Phases()), ", ")...)
	complete(cmd, "as", filterForms...)
	complete(cmd, "for", "file", "live")
	complete(cmd, "vlan", "none", "any")
	cmd.AddCommand(newFilterLint(s), newFilterDiff(s))
	return cmd
}

// refusal turns an error of package filter into one of status 2. A position
// gets a caret under the text.
func refusal(text string, err error) error {
	var e *filter.Error
	if !errors.As(err, &e) {
		return err
	}
	out := &statusError{status: ExitUsage, err: err, hint: e.Hint}
	if e.Position > 0 && text != "" && len(text) <= 120 && !strings.ContainsAny(text, "\n\t") {
		out.err = fmt.Errorf("%w\n  %s\n  %s^", err, text, strings.Repeat(" ", e.Position-1))
	}
	return out
}

func runFilter(cmd *cobra.Command, s Streams, o *filterOptions, args []string) error {
	r, err := o.request(cmd, args)
	if err != nil {
		return err
	}
	if !slices.Contains(filterForms, o.as) {
		return usage("--as %q: choose one of %s", o.as, strings.Join(filterForms, ", "))
	}
	if o.dump > 0 {
		if cmd.Flags().Changed("as") {
			return usage("-d and --as both choose what is printed; give one")
		}
		o.as = [...]string{"asm", "c", "dec"}[min(o.dump, 3)-1]
	}
	if o.shell && o.as != "text" && o.as != "wireshark" {
		return usage("--shell quotes text; a program needs no quotes")
	}
	t, err := o.compileFor()
	if err != nil {
		return err
	}
	r.Link, r.Live = t.Link, t.Live
	if r.Link == capture.LinkNull {
		r.Link = capture.LinkLoop // for Build, the zero value is Ethernet
	}
	// Both look behind tags by themselves, and follow conversations.
	looksDeeper := o.as == "wireshark" || o.as == "nft"
	if looksDeeper {
		if r.VLAN == filter.VLANAny {
			r.VLAN = filter.VLANDefault
		}
		r.Complete = false
	}
	var f *filter.Filter
	if o.asWritten {
		if f := onlyNames(cmd); f != "" {
			return usage("--as-written prints the document's lines; leave out --%s", f)
		}
		text, err := filter.AsWritten(r)
		if err != nil {
			return refusal("", err)
		}
		f = &filter.Filter{Text: text}
		if f.Expr, err = filter.Parse(text); err != nil {
			return refusal(text, err)
		}
	} else if f, err = filter.Build(r); err != nil {
		return refusal("", err)
	}
	text, err := o.render(f, t)
	if err != nil {
		shown := ""
		if o.expr != "" && f.Text == r.Expr.String() {
			shown = o.expr
		}
		return refusal(shown, err)
	}
	out, err := openOutput(s, "")
	if err != nil {
		return err
	}
	defer out.discard()
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	if !o.quiet {
		for _, c := range f.Caveats {
			if c.ID == "live-vlan" && o.as == "text" { // tcpdump compiles it for where it runs
				continue
			}
			if looksDeeper && (c.ID == "vlan" || c.ID == "tftp-data" || c.ID == "rpc-ports") {
				continue
			}
			fmt.Fprintf(s.Err, "pxescope: %s: %s\n", c.ID, c.Text)
			if c.Do != "" {
				fmt.Fprintf(s.Err, "  %s\n", c.Do)
			}
		}
	}
	return nil
}

// onlyNames is a flag that was given and changes what is selected, if any.
func onlyNames(cmd *cobra.Command) string {
	for _, f := range []string{"phase", "host", "net", "node-net", "mac", "vlan", "expr", "exclude", "complete", "snaplen"} {
		if cmd.Flags().Changed(f) {
			return f
		}
	}
	return ""
}

func (o *filterOptions) compileFor() (filter.Target, error) {
	t := filter.Ethernet
	switch o.target {
	case "file":
	case "live":
		t.Live = true
	default:
		return t, usage("--for %q: choose file or live", o.target)
	}
	if o.as == "iptables" {
		t.Link = capture.LinkRaw
	}
	if o.link != "" {
		l, err := filter.ParseLinkType(o.link)
		if err != nil {
			return t, &statusError{status: ExitUsage, err: err}
		}
		t.Link = l
		if o.as == "iptables" && l != capture.LinkRaw && l != capture.LinkIPv4 && l != capture.LinkIPv6 {
			return t, usage("iptables sees packets from the IP header on: leave out -y, or choose RAW, IPV4 or IPV6")
		}
	}
	return t, nil
}

// render prints a filter in the form that was asked for.
func (o *filterOptions) render(f *filter.Filter, t filter.Target) (string, error) {
	switch o.as {
	case "text":
		if o.shell {
			return filter.ShellQuote(f.Text) + "\n", nil
		}
		return f.Text + "\n", nil
	case "wireshark":
		text, err := filter.Wireshark(f.Expr)
		if len(f.Dissectors) > 0 && err == nil {
			text += " || " + strings.Join(f.Dissectors, " || ")
		}
		if o.shell {
			text = filter.ShellQuote(text)
		}
		return text + "\n", err
	case "nft":
		return filter.Nft(f.Expr)
	}
	clauses := []filter.Clause{{Expr: f.Expr}}
	switch {
	case o.snaplen == 0:
	case !f.Services:
		clauses[0].Keep = o.snaplen
	default: // what is neither, such as fragments, is kept whole
		var parts []filter.Clause
		if f.Control != nil {
			parts = append(parts, filter.Clause{Expr: f.Control})
		}
		if f.Bulk != nil {
			parts = append(parts, filter.Clause{Expr: f.Bulk, Keep: o.snaplen})
		}
		clauses = append(parts, clauses...)
	}
	p, err := filter.CompileClauses(clauses, t)
	if err != nil {
		return "", err
	}
	switch o.as {
	case "asm":
		return filter.Listing(p), nil
	case "c":
		return filter.CArray(p), nil
	case "dec":
		return filter.Decimal(p), nil
	case "go":
		return filter.GoSource(p), nil
	case "iptables":
		return filter.Iptables(p)
	case "ebpf":
		return filter.EBPF(p)
	}
	return filter.JSON(f, t, p)
}

// request reads the flags.
func (o *filterOptions) request(cmd *cobra.Command, args []string) (*filter.Request, error) {
	c, err := catalogWith(o.catalogs)
	if err != nil {
		return nil, err
	}
	if err := checkChoice("phase", o.phase, catalog.Phases(), true); err != nil {
		return nil, err
	}
	platforms := append([]catalog.Platform{catalog.AllPlatforms}, c.Platforms()...)
	if err := checkChoice("platform", o.platform, platforms, true); err != nil {
		return nil, err
	}
	r := &filter.Request{Catalog: c, Names: args, Phase: catalog.Phase(o.phase), Platform: catalog.Platform(o.platform),
		Exclude: o.exclude, Complete: o.complete}
	if o.phase != "" && !cmd.Flags().Changed("complete") {
		r.Complete = true
	}
	for _, x := range []struct {
		flag string
		text []string
		to   *[]netip.Addr
	}{{"rack", o.racks, &r.Racks}, {"region", o.regions, &r.Regions}, {"host", o.hosts, &r.Hosts}} {
		for _, t := range x.text {
			a, err := netip.ParseAddr(t)
			if err != nil || a.Zone() != "" {
				return nil, usage("--%s %q: not an address; names are not looked up", x.flag, t)
			}
			*x.to = append(*x.to, a.Unmap())
		}
	}
	for _, x := range []struct {
		flag string
		text []string
	}{{"net", o.nets}, {"node-net", o.nodeNets}} {
		for _, t := range x.text {
			n, err := site.ParseNet(t)
			if err != nil {
				return nil, usage("--%s: %v", x.flag, err)
			}
			r.Nets = append(r.Nets, n)
		}
	}
	for _, t := range o.macs {
		m, err := filter.ParseMAC(t)
		if err != nil {
			return nil, usage("--mac %q: not an Ethernet address, as 52:54:00:12:34:56", t)
		}
		r.MACs = append(r.MACs, m)
	}
	switch id, err := strconv.ParseUint(o.vlan, 10, 16); {
	case o.vlan == "":
	case o.vlan == "none":
		r.VLAN = filter.VLANNone
	case o.vlan == "any":
		r.VLAN = filter.VLANAny
	case err == nil && id <= 4095:
		r.VLAN, r.VLANID = filter.VLANOne, uint16(id)
	default:
		return nil, usage("--vlan %q: choose none, any or a number up to 4095", o.vlan)
	}
	if cmd.Flags().Changed("expr") {
		if r.Expr, err = filter.Parse(o.expr); err != nil {
			return nil, refusal(o.expr, err)
		}
	}
	return r, nil
}
