// Package firewall turns the catalog into packet filter rules: which flows a
// firewall between nodes and their provisioning servers, or on such a server,
// has to let through.
//
// Build decides the rules as values; NFT, IPTables and Firewalld print them.
// A rule opens only the direction in which the catalog's roles start a
// conversation: answers pass as established, TFTP's data as related. What
// connection tracking does not pair (DHCP's broadcasts) has rules of its own,
// and what no rule can say stands in Policy.Notes.
package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
)

// A Hook is where the rules stand.
type Hook string

// Hooks: Forward on a router or bridge between nodes and servers, Input on the
// rack (or management node) itself.
const (
	Forward Hook = "forward"
	Input   Hook = "input"
)

// Hooks are all hooks.
func Hooks() []Hook { return []Hook{Forward, Input} }

// Options say what to allow and between whom. A role whose addresses are not
// given is not restricted by address, except that sources are left out, with a
// note, where the node side or another source is known and they are not.
type Options struct {
	Catalog  *catalog.Catalog // nil: the built-in one
	Phase    catalog.Phase    // "": Provisioning
	Platform catalog.Platform // "": all
	Hook     Hook             // "": Forward

	Racks, Regions               []netip.Addr
	NodeNets, AdminNets, BMCNets []netip.Prefix
	Iface                        string // the interface towards the nodes
}

// A Family is the IP version of a rule.
type Family uint8

// Families. Both is a rule without addresses.
const (
	Both Family = 0
	IPv4 Family = 4
	IPv6 Family = 6
)

// A Rule matches the first packet of a conversation.
type Rule struct {
	Service string // id in the catalog; "" for the last rules, which drop
	Why     string
	Family  Family
	In, Out string // interfaces; "" for any
	// Src and Dst are sorted, of the rule's family, and no one holds another;
	// empty for any.
	Src, Dst []netip.Prefix
	// Protocol is an IP protocol number: 6, 17, 1, 58, or 0 for any.
	Protocol uint8
	// SrcPorts and DstPorts are sorted and disjoint; empty for any.
	SrcPorts, DstPorts []catalog.Range
	ICMPTypes          []uint8
	Drop               bool
}

// A Policy is an ordered list of rules: the first that matches decides.
type Policy struct {
	Hook  Hook
	Iface string
	Nodes []netip.Prefix
	Rules []Rule
	// TFTPPorts are the UDP ports whose flows get the TFTP conntrack helper.
	TFTPPorts []catalog.Range
	// Notes are what the rules cannot express, and what was left out.
	Notes []string

	about string
}

// Build makes the rules. It fails for an Input hook that names no node side,
// since that would cut off whoever administers the machine, for an interface
// name that Linux would not take, and when nothing is left to allow.
func Build(o Options) (*Policy, error) {
	if o.Catalog == nil {
		o.Catalog = catalog.Default()
	}
	if o.Phase == "" {
		o.Phase = catalog.Provisioning
	}
	if o.Hook == "" {
		o.Hook = Forward
	}
	if err := checkIface(o.Iface); err != nil {
		return nil, err
	}
	if o.Hook == Input && o.Iface == "" && len(o.NodeNets) == 0 {
		return nil, fmt.Errorf("rules for input would drop all other traffic to this machine, ssh too: name the nodes' interface or nets")
	}
	b := &builder{Options: o, p: &Policy{Hook: o.Hook, Iface: o.Iface, Nodes: disjoint(o.NodeNets)}}
	b.p.about = fmt.Sprintf("phase %s, platform %s, hook %s", o.Phase, orAll(o.Platform), o.Hook)
	for _, s := range o.Catalog.ForPhase(o.Phase) {
		if s.On(o.Platform) {
			b.service(s)
		}
	}
	if len(b.p.Rules) == 0 {
		return nil, fmt.Errorf("no service of phase %s on platform %s starts a conversation that the %s hook sees", o.Phase, orAll(o.Platform), o.Hook)
	}
	b.rest()
	b.notes()
	return b.p, nil
}

func orAll(p catalog.Platform) catalog.Platform {
	if p == "" {
		return catalog.AllPlatforms
	}
	return p
}

// checkIface holds a name to what Linux takes (at most 15 bytes) and to letters
// that mean nothing to nft, iptables or a shell: '+' and '*' are wildcards there.
func checkIface(name string) error {
	if name == "" {
		return nil
	}
	if len(name) > 15 || name == "." || name == ".." || name[0] == '-' {
		return fmt.Errorf("interface %q: no name that Linux takes", name)
	}
	for _, c := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-@:", c) {
			return fmt.Errorf("interface %q: %q cannot stand in a rule", name, c)
		}
	}
	return nil
}

type builder struct {
	Options
	p       *Policy
	dynamic []string // services whose port portmap tells
	absent  []string // services without a flow that this hook sees
	unnamed []string // sources left out for want of an address
}

// A side is one alternative for an end of a flow.
type side struct {
	nodes bool // towards the nodes: the interface applies
	nets  []netip.Prefix
	roles []catalog.Role // which it stands for
}

// addresses of a role, and whether a flag exists to give them.
func (b *builder) addresses(r catalog.Role) (nets []netip.Prefix, asked bool) {
	single := func(list []netip.Addr) []netip.Prefix {
		var out []netip.Prefix
		for _, a := range list {
			a = a.Unmap().WithZone("")
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
		return out
	}
	switch r {
	case catalog.Node:
		return b.NodeNets, true
	case catalog.BMC:
		return b.BMCNets, true
	case catalog.Admin:
		return b.AdminNets, true
	case catalog.Rack:
		return single(b.Racks), true
	case catalog.Region:
		return single(b.Regions), true
	}
	return nil, false
}

// sides are the alternatives for roles at one end. One without a restriction
// covers all others.
func (b *builder) sides(roles []catalog.Role, source, toNodes bool) []side {
	var out []side
	var other side
	bounded := b.Iface != "" || len(b.NodeNets) > 0
	servers := false // some source besides the nodes is known
	for _, r := range roles {
		nets, _ := b.addresses(r)
		servers = servers || r != catalog.Node && len(nets) > 0
	}
	for _, r := range roles {
		nets, asked := b.addresses(r)
		switch {
		case r == catalog.Node && bounded:
			out = append(out, side{nodes: true, nets: nets, roles: []catalog.Role{r}})
		case len(nets) > 0:
			other.nets, other.roles = append(other.nets, nets...), append(other.roles, r)
		case source && (servers || bounded && !(toNodes && (r == catalog.Rack || r == catalog.Region))):
			// Such as a BMC, when only the nodes are known: opening the port
			// to everybody for its sake would undo what was given.
			if asked && !slices.Contains(b.unnamed, string(r)) {
				b.unnamed = append(b.unnamed, string(r))
			}
		default:
			return []side{{roles: roles}}
		}
	}
	if len(other.nets) > 0 {
		out = append(out, other)
	}
	return out
}

// flows pairs the roles that start with those that take: sources that share
// their destinations. A role talks to its own kind only where the catalog has no
// other pair.
func (b *builder) flows(s *catalog.Service) (from, to [][]catalog.Role) {
	alone := len(s.From) == 1 && slices.Equal(s.From, s.To)
	for _, f := range s.From {
		var targets []catalog.Role
		for _, t := range s.To {
			if (f != t || alone) && (b.Hook == Forward || b.here(t)) {
				targets = append(targets, t)
			}
		}
		if len(targets) == 0 {
			continue
		}
		if i := slices.IndexFunc(to, func(x []catalog.Role) bool { return slices.Equal(x, targets) }); i >= 0 {
			from[i] = append(from[i], f)
			continue
		}
		from, to = append(from, []catalog.Role{f}), append(to, targets)
	}
	return from, to
}

// here reports whether a role is played by the machine of the Input hook: the
// rack, which is the region as well unless the region has an address of its own.
func (b *builder) here(r catalog.Role) bool {
	if r == catalog.Region {
		return len(b.Regions) == 0 || slices.ContainsFunc(b.Regions, func(a netip.Addr) bool { return slices.Contains(b.Racks, a) })
	}
	return r == catalog.Rack
}

func (b *builder) service(s *catalog.Service) {
	before := len(b.p.Rules)
	switch s.ID {
	case "dhcp":
		b.dhcp(s)
	case "dhcp6":
		b.dhcp6(s)
	case "icmp":
		b.icmp(s)
	case "icmpv6", "icmpv6-ra":
		b.icmp6(s)
	default:
		b.generic(s)
	}
	switch {
	case len(b.p.Rules) > before:
	case len(s.Programs) > 0 && len(s.Ports) == 0:
		b.dynamic = append(b.dynamic, s.ID)
	case len(s.Ports) > 0:
		b.absent = append(b.absent, s.ID)
	}
}

func (b *builder) generic(s *catalog.Service) {
	if s.ID == "tftp" {
		b.p.TFTPPorts = serverPorts(s, catalog.UDP)
	}
	for _, proto := range []catalog.Proto{catalog.UDP, catalog.TCP} {
		ports := serverPorts(s, proto)
		if len(ports) == 0 {
			continue
		}
		r := Rule{Service: s.ID, Protocol: uint8(proto), DstPorts: ports}
		if (s.ClientPorts != catalog.Range{}) {
			r.SrcPorts = []catalog.Range{s.ClientPorts}
		}
		from, to := b.flows(s)
		for i := range from {
			for _, src := range b.sides(from[i], true, slices.Contains(to[i], catalog.Node)) {
				for _, dst := range b.sides(to[i], false, false) {
					r.Why = fmt.Sprintf("%s, %s to %s", s.Name, list(src.roles), list(dst.roles))
					b.add(r, src, dst)
				}
				if g := groups[s.ID]; len(g) > 0 && proto == catalog.UDP {
					r.Why = fmt.Sprintf("%s, %s to its multicast group", s.Name, list(src.roles))
					b.add(r, src, side{nets: g})
				}
			}
		}
	}
}

// serverPorts are the ports to which conversations are started: not those
// that stand in a document only, and not the client's own.
func serverPorts(s *catalog.Service, proto catalog.Proto) []catalog.Range {
	var out []catalog.Range
	for _, p := range s.Ports {
		if p.Proto == proto && p.Use != catalog.Listed && p.Use != catalog.Client {
			out = append(out, p.Range)
		}
	}
	return merge(out)
}

// merge sorts ranges and joins neighbours.
func merge(list []catalog.Range) []catalog.Range {
	slices.SortFunc(list, func(a, b catalog.Range) int { return int(a.First) - int(b.First) })
	var out []catalog.Range
	for _, r := range list {
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// add appends r between two sides, once per IP version where addresses make it
// one. Two sides of different versions have nothing to say to each other.
func (b *builder) add(r Rule, src, dst side) {
	if src.nodes && b.Iface != "" {
		r.In = b.Iface
	}
	if dst.nodes && b.Iface != "" && b.Hook == Forward {
		r.Out = b.Iface
	}
	if len(src.nets) == 0 && len(dst.nets) == 0 {
		b.append(r)
		return
	}
	for _, f := range []Family{IPv4, IPv6} {
		if r.Family != Both && r.Family != f {
			continue
		}
		q := r
		q.Family, q.Src, q.Dst = f, f.of(src.nets), f.of(dst.nets)
		if len(q.Src) == 0 && len(src.nets) > 0 || len(q.Dst) == 0 && len(dst.nets) > 0 {
			continue
		}
		if len(q.Src) == 1 && q.Src[0].IsSingleIP() && slices.Equal(q.Src, q.Dst) {
			continue // a machine to itself
		}
		b.append(q)
	}
}

// append leaves out a rule that is there already but for its reason.
func (b *builder) append(r Rule) {
	for _, x := range b.p.Rules {
		x.Why = r.Why
		if fmt.Sprint(x) == fmt.Sprint(r) {
			return
		}
	}
	b.p.Rules = append(b.p.Rules, r)
}

// of are the prefixes of a family, sorted, without those inside another.
func (f Family) of(nets []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range disjoint(nets) {
		if n.Addr().Is4() == (f == IPv4) {
			out = append(out, n)
		}
	}
	return out
}

func disjoint(nets []netip.Prefix) []netip.Prefix {
	nets = slices.Clone(nets)
	for i, n := range nets {
		nets[i] = n.Masked()
	}
	slices.SortFunc(nets, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var out []netip.Prefix
	for _, n := range nets {
		if k := len(out); k > 0 && out[k-1].Contains(n.Addr()) {
			continue
		}
		out = append(out, n)
	}
	return out
}

func list[S ~string](l []S) string {
	words := make([]string, len(l))
	for i, w := range l {
		words[i] = string(w)
	}
	return strings.Join(words, "/")
}
