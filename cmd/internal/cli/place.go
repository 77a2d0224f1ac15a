package cli

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
)

// placeOptions tell what the operator knows of the place, and which part of
// the traffic matters.
type placeOptions struct {
	racks, regions, dhcpServers  []string
	nodeNets, adminNets, bmcNets []string
	site                         string
	catalogs                     []string
	phase, platform              string
}

func (o *placeOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.racks, "rack", nil, "`ADDRESS` of a rack controller or management node (repeatable)")
	f.StringSliceVar(&o.regions, "region", nil, "`ADDRESS` of a region controller (repeatable)")
	f.StringSliceVar(&o.dhcpServers, "dhcp-server", nil, "`ADDRESS` of a legitimate DHCP server; any other is a rogue (repeatable)")
	f.StringSliceVar(&o.nodeNets, "node-net", nil, "`NET` of the machines that boot, as 10.0.0.0/24 (repeatable)")
	f.StringSliceVar(&o.adminNets, "admin-net", nil, "`NET` of the administrators (repeatable)")
	f.StringSliceVar(&o.bmcNets, "bmc-net", nil, "`NET` of the baseboard management controllers (repeatable)")
	f.StringVar(&o.site, "site", "", "read these facts and thresholds from a YAML `FILE`")
	f.StringSliceVar(&o.catalogs, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	f.StringVar(&o.phase, "phase", "", "follow only services of this `PHASE`: "+join(catalog.Phases()))
	f.StringVar(&o.platform, "platform", "all", "follow only services of this `PLATFORM`: maas, xcat or all")
}

func join[S ~string](list []S) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

// engine makes the engine's options of the flags.
func (o *placeOptions) engine() (classify.Options, error) {
	var opt classify.Options
	s := site.Default()
	if o.site != "" {
		b, err := os.ReadFile(o.site)
		if err != nil {
			return opt, unreadable(fmt.Errorf("--site: %w", err))
		}
		if s, err = site.Parse(o.site, b, s); err != nil {
			return opt, &statusError{status: ExitUsage, err: err}
		}
	}
	for _, x := range []struct {
		flag string
		text []string
		to   *[]netip.Addr
	}{{"rack", o.racks, &s.Racks}, {"region", o.regions, &s.Regions}, {"dhcp-server", o.dhcpServers, &s.DHCPServers}} {
		for _, t := range x.text {
			a, err := netip.ParseAddr(t)
			if err != nil {
				return opt, usage("--%s %q: not an address; names are not looked up", x.flag, t)
			}
			*x.to = append(*x.to, a.Unmap())
		}
	}
	for _, x := range []struct {
		flag string
		text []string
		to   *[]netip.Prefix
	}{{"node-net", o.nodeNets, &s.NodeNets}, {"admin-net", o.adminNets, &s.AdminNets}, {"bmc-net", o.bmcNets, &s.BMCNets}} {
		for _, t := range x.text {
			n, err := site.ParseNet(t)
			if err != nil {
				return opt, usage("--%s: %v", x.flag, err)
			}
			*x.to = append(*x.to, n)
		}
	}
	c, err := catalogWith(o.catalogs)
	if err != nil {
		return opt, err
	}
	if err := checkChoice("phase", o.phase, catalog.Phases(), true); err != nil {
		return opt, err
	}
	platforms := append([]catalog.Platform{catalog.AllPlatforms}, c.Platforms()...)
	if err := checkChoice("platform", o.platform, platforms, true); err != nil {
		return opt, err
	}
	return classify.Options{Site: s, Catalog: c, Phase: o.phase, Platform: o.platform}, nil
}

func checkChoice[S ~string](flag, got string, all []S, emptyOK bool) error {
	if got == "" && emptyOK || slices.Contains(all, S(got)) {
		return nil
	}
	return usage("--%s %q: choose one of %s", flag, got, join(all))
}
