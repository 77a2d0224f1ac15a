package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
)

// maxMultiport is how many ports -m multiport takes; a range counts twice.
const maxMultiport = 15

// IPTables is a file for iptables-restore --noflush, or for ip6tables-restore
// with IPv6. It fills chains of its own, and adds a jump to each.
func (p *Policy) IPTables(f Family) string {
	var w strings.Builder
	tool, chain, hook := "iptables", "PXESCOPE", strings.ToUpper(string(p.Hook))
	if f == IPv6 {
		tool = "ip6tables"
	}
	p.head(&w, fmt.Sprintf("Check with %s-restore --test --noflush FILE, load with %[1]s-restore --noflush FILE.", tool),
		"Without --noflush the rules of others are gone. Before loading again, take the jumps out:",
		fmt.Sprintf("  %s -D %s -j %s; %[1]s -t raw -D PREROUTING -j %[3]s", tool, hook, chain))
	if len(p.TFTPPorts) > 0 {
		fmt.Fprintf(&w, "*raw\n:%s - [0:0]\n-I PREROUTING -j %[1]s\n", chain)
		w.WriteString("# tftp: the helper expects the data's ports.\n")
		for _, ports := range portLists(p.TFTPPorts) {
			fmt.Fprintf(&w, "-A %s -p udp%s -j CT --helper tftp\n", chain, portMatch("d", ports))
		}
		w.WriteString("COMMIT\n\n")
	}
	fmt.Fprintf(&w, "*filter\n:%s - [0:0]\n-I %s -j %[1]s\n", chain, hook)
	if p.Hook == Input {
		fmt.Fprintf(&w, "-A %s -i lo -j RETURN\n", chain)
	}
	fmt.Fprintf(&w, "-A %s -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n", chain)
	fmt.Fprintf(&w, "-A %s -m conntrack --ctstate INVALID -j DROP\n", chain)
	for _, r := range p.Rules {
		if r.Family != Both && r.Family != f {
			continue
		}
		fmt.Fprintf(&w, "# %s\n", r.comment())
		for _, m := range r.iptables() {
			fmt.Fprintf(&w, "-A %s%s\n", chain, m)
		}
	}
	w.WriteString("COMMIT\n")
	return w.String()
}

// iptables is one rule, which may take several: a match holds one address per
// side with -s, a list of at most 15 ports, and one ICMP type.
func (r *Rule) iptables() []string {
	var head, tail string
	if r.In != "" {
		head += " -i " + r.In
	}
	if r.Out != "" {
		head += " -o " + r.Out
	}
	switch r.Protocol {
	case 6, 17:
		head += " -p " + catalog.Proto(r.Protocol).String()
	case 1:
		head += " -p icmp"
	case 58:
		head += " -p ipv6-icmp"
	}
	if r.Service != "" {
		tail += ` -m comment --comment "` + strings.NewReplacer(`"`, "?", `\`, "?").Replace(oneLine(r.Service)) + `"`
	}
	if r.Drop {
		tail += " -j DROP"
	} else {
		tail = " -m conntrack --ctstate NEW,UNTRACKED" + tail + " -j ACCEPT"
	}
	out := []string{""}
	each := func(alternatives []string) {
		if len(alternatives) == 0 {
			return
		}
		var next []string
		for _, x := range out {
			for _, a := range alternatives {
				next = append(next, x+a)
			}
		}
		out = next
	}
	each(flagged("-s", r.Src))
	each(flagged("-d", r.Dst))
	out = prefixed(head, out)
	for _, side := range []struct {
		letter string
		ports  []catalog.Range
	}{{"s", r.SrcPorts}, {"d", r.DstPorts}} {
		var m []string
		for _, ports := range portLists(side.ports) {
			m = append(m, portMatch(side.letter, ports))
		}
		each(m)
	}
	var types []string
	for _, t := range r.ICMPTypes {
		flag := "--icmp-type"
		if r.Protocol == 58 {
			flag = "--icmpv6-type"
		}
		types = append(types, fmt.Sprintf(" %s %d", flag, t))
	}
	each(types)
	for i := range out {
		out[i] += tail
	}
	return out
}

func prefixed(head string, list []string) []string {
	for i := range list {
		list[i] = head + list[i]
	}
	return list
}

func flagged(flag string, nets []netip.Prefix) []string {
	var out []string
	for _, n := range nets {
		out = append(out, " "+flag+" "+address(n))
	}
	return out
}

// portLists cuts ranges into lists that multiport takes.
func portLists(ports []catalog.Range) [][]catalog.Range {
	var out [][]catalog.Range
	room := 0
	for _, r := range ports {
		need := 1
		if r.First != r.Last {
			need = 2
		}
		if room < need {
			out, room = append(out, nil), maxMultiport
		}
		out[len(out)-1] = append(out[len(out)-1], r)
		room -= need
	}
	return slices.Clip(out)
}

// portMatch is a match of side "s" or "d".
func portMatch(side string, ports []catalog.Range) string {
	var t []string
	for _, r := range ports {
		t = append(t, strings.ReplaceAll(r.String(), "-", ":"))
	}
	if len(t) == 1 {
		return " --" + side + "port " + t[0]
	}
	return " -m multiport --" + side + "ports " + strings.Join(t, ",")
}
