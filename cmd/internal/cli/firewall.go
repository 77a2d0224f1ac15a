package cli

import (
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/bpf/firewall"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
)

type firewallOptions struct {
	phase, platform, hook, format, iface, out string
	racks, regions                            []string
	nodeNets, adminNets, bmcNets, catalogs    []string
}

var firewallFormats = []string{"nft", "iptables", "ip6tables", "firewalld"}

func newFirewall(s Streams) *cobra.Command {
	var o firewallOptions
	cmd := &cobra.Command{
		Use:   "firewall",
		Short: "print firewall rules for services",
		Long: `Prints rules that let the services of a phase through, each in the direction in
which it is started, and drop what else the nodes send or get. Answers pass as
established, TFTP's data through its conntrack helper. Comments tell what each rule
is for and what rules cannot say, such as ports that portmap gives out.

--hook forward is for a router or bridge between nodes and servers; --hook input is
for the rack itself and needs --iface or --node-net, so that your own ssh session
from elsewhere is left alone. Read the rules before you load them.

The nft rules fill a table of their own, the iptables rules chains of their own.`,
		Example: `  pxescope firewall --platform maas --rack 10.0.0.2 --node-net 10.0.0.0/24
  pxescope firewall --hook input --iface eth1 -o pxescope.nft
  pxescope firewall --phase power --rack 10.0.0.2 --bmc-net 10.1.0.0/24
  pxescope firewall --format iptables --node-net 10.0.0.0/24`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runFirewall(s, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.phase, "phase", string(catalog.Provisioning), "services of this `PHASE`: "+join(catalog.Phases()))
	f.StringVar(&o.platform, "platform", "all", "only services of this `PLATFORM`: maas, xcat or all")
	f.StringVar(&o.hook, "hook", string(firewall.Forward), "where the rules stand (`HOOK`: forward, input)")
	f.StringVar(&o.format, "format", "nft", "`FORMAT`: nft, iptables, ip6tables or firewalld")
	f.StringVar(&o.iface, "iface", "", "`INTERFACE` towards the nodes")
	f.StringSliceVar(&o.racks, "rack", nil, "`ADDRESS` of a rack controller or management node (repeatable)")
	f.StringSliceVar(&o.regions, "region", nil, "`ADDRESS` of a region controller (repeatable)")
	f.StringSliceVar(&o.nodeNets, "node-net", nil, "`NET` of the machines that boot (repeatable)")
	f.StringSliceVar(&o.adminNets, "admin-net", nil, "`NET` of administrators (repeatable)")
	f.StringSliceVar(&o.bmcNets, "bmc-net", nil, "`NET` of BMCs (repeatable)")
	f.StringSliceVar(&o.catalogs, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	f.StringVarP(&o.out, "output", "o", "", "write to `FILE` instead of standard output")
	complete(cmd, "phase", values(catalog.Phases())...)
	complete(cmd, "platform", append([]string{"all"}, values(catalog.Default().Platforms())...)...)
	complete(cmd, "hook", values(firewall.Hooks())...)
	complete(cmd, "format", firewallFormats...)
	return cmd
}

func values[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

func runFirewall(s Streams, o *firewallOptions) error {
	r, err := o.options()
	if err != nil {
		return err
	}
	if err := checkChoice("format", o.format, firewallFormats, false); err != nil {
		return err
	}
	p, err := firewall.Build(r)
	if err != nil {
		return &statusError{status: ExitUsage, err: err, hint: "see 'pxescope firewall --help'"}
	}
	var text string
	switch o.format {
	case "nft":
		text = p.NFT()
	case "iptables":
		text = p.IPTables(firewall.IPv4)
	case "ip6tables":
		text = p.IPTables(firewall.IPv6)
	case "firewalld":
		text = p.Firewalld()
	}
	out, err := openOutput(s, o.out)
	if err != nil {
		return err
	}
	defer out.discard()
	_, err = io.WriteString(out, text)
	return done(out, err)
}

func (o *firewallOptions) options() (firewall.Options, error) {
	r := firewall.Options{Phase: catalog.Phase(o.phase), Platform: catalog.Platform(o.platform),
		Hook: firewall.Hook(o.hook), Iface: o.iface}
	var err error
	if r.Catalog, err = catalogWith(o.catalogs); err != nil {
		return r, err
	}
	if err := checkChoice("phase", o.phase, catalog.Phases(), false); err != nil {
		return r, err
	}
	platforms := append([]catalog.Platform{catalog.AllPlatforms}, r.Catalog.Platforms()...)
	if err := checkChoice("platform", o.platform, platforms, false); err != nil {
		return r, err
	}
	if err := checkChoice("hook", o.hook, firewall.Hooks(), false); err != nil {
		return r, err
	}
	for _, x := range []struct {
		flag string
		text []string
		to   *[]netip.Addr
	}{{"rack", o.racks, &r.Racks}, {"region", o.regions, &r.Regions}} {
		for _, t := range x.text {
			a, err := netip.ParseAddr(t)
			if err != nil || a.Zone() != "" {
				return r, usage("--%s %q: not an address; names are not looked up", x.flag, t)
			}
			*x.to = append(*x.to, a.Unmap())
		}
	}
	for _, x := range []struct {
		flag string
		text []string
		to   *[]netip.Prefix
	}{{"node-net", o.nodeNets, &r.NodeNets}, {"admin-net", o.adminNets, &r.AdminNets}, {"bmc-net", o.bmcNets, &r.BMCNets}} {
		for _, t := range x.text {
			n, err := site.ParseNet(t)
			if err != nil {
				return r, usage("--%s: %v", x.flag, err)
			}
			*x.to = append(*x.to, n)
		}
	}
	return r, nil
}
