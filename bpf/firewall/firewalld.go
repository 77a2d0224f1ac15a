package firewall

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
)

// Firewalld is a shell script of firewall-cmd calls: a zone of its own for the
// Input hook, and for Forward a policy from and to any zone. firewalld itself
// accepts what is established or related and drops what is invalid.
func (p *Policy) Firewalld() string {
	var w strings.Builder
	w.WriteString("#!/bin/sh\n")
	p.head(&w, "Run as root, once; 'firewall-cmd --reload' at the end makes it count. To run it again, first",
		"take out what it made, with firewall-cmd --permanent --delete-zone=pxescope",
		"(--delete-policy=pxescope for forward) and --delete-service=pxescope-tftp.",
		"A rich rule matches one port, and either its source or its destination: source ports",
		"stand in the comments only.")
	w.WriteString("set -e\n")
	to := "--zone=" + tableName
	if p.Hook == Input {
		fmt.Fprintf(&w, "firewall-cmd --permanent --new-zone=%s\nfirewall-cmd --permanent %s --set-target=DROP\n", tableName, to)
		if p.Iface != "" {
			fmt.Fprintf(&w, "firewall-cmd --permanent %s --add-interface=%s\n", to, p.Iface)
		} else {
			for _, n := range p.Nodes {
				fmt.Fprintf(&w, "firewall-cmd --permanent %s --add-source=%s\n", to, n)
			}
		}
	} else {
		to = "--policy=" + tableName
		fmt.Fprintf(&w, "firewall-cmd --permanent --new-policy=%s\n", tableName)
		fmt.Fprintf(&w, "firewall-cmd --permanent %s --add-ingress-zone=ANY\nfirewall-cmd --permanent %[1]s --add-egress-zone=ANY\n", to)
	}
	if len(p.TFTPPorts) > 0 {
		fmt.Fprintf(&w, "# tftp: the service carries the conntrack helper.\n")
		fmt.Fprintf(&w, "firewall-cmd --permanent --new-service=%s-tftp\n", tableName)
		for _, r := range p.TFTPPorts {
			fmt.Fprintf(&w, "firewall-cmd --permanent --service=%s-tftp --add-port=%s/udp\n", tableName, r)
		}
		fmt.Fprintf(&w, "firewall-cmd --permanent --service=%s-tftp --add-helper=tftp\n", tableName)
	}
	seen := make(map[string]bool) // without source ports, some rules are the same
	for _, r := range p.Rules {
		if r.Drop && p.Hook == Input {
			continue // the zone's target
		}
		fmt.Fprintf(&w, "# %s", r.comment())
		if len(r.SrcPorts) > 0 {
			fmt.Fprintf(&w, "; from source port %s, not matched", nftPorts(r.SrcPorts))
		}
		if r.In != "" && p.Hook == Forward || r.Out != "" {
			w.WriteString("; the interface is not matched: rich rules have none")
		}
		w.WriteString("\n")
		if r.Drop && len(r.Src)+len(r.Dst) == 0 {
			w.WriteString("# (left out: without addresses it would drop the traffic of everybody)\n")
			continue
		}
		for _, line := range r.rich() {
			if seen[line] {
				continue
			}
			seen[line] = true
			fmt.Fprintf(&w, "firewall-cmd --permanent %s --add-rich-rule='%s'\n", to, line)
		}
	}
	w.WriteString("firewall-cmd --reload\n")
	return w.String()
}

// rich is a rule in firewalld.richlanguage(5). Nothing in it comes from a
// catalog's text, so that it needs no quoting against the shell.
func (r *Rule) rich() []string {
	head := []string{"rule"}
	if r.Drop {
		head[0] += ` priority="100"` // after those that accept, which have 0
	}
	if r.Family != Both {
		head[0] += fmt.Sprintf(` family="ipv%d"`, r.Family)
	}
	cross := func(nets []netip.Prefix, side string) {
		if len(nets) == 0 {
			return
		}
		var next []string
		for _, h := range head {
			for _, n := range nets {
				next = append(next, fmt.Sprintf(`%s %s address="%s"`, h, side, address(n)))
			}
		}
		head = next
	}
	cross(r.Src, "source")
	cross(r.Dst, "destination")
	var what []string
	switch {
	case r.Drop:
		what = []string{"drop"}
	case r.Protocol == 1:
		what = []string{`protocol value="icmp" accept`}
	case r.Protocol == 58:
		what = []string{`protocol value="ipv6-icmp" accept`}
	case r.Service == "tftp" && r.Protocol == uint8(catalog.UDP):
		what = []string{`service name="` + tableName + `-tftp" accept`}
	default:
		for _, p := range r.DstPorts {
			what = append(what, fmt.Sprintf(`port port="%s" protocol="%s" accept`, p, catalog.Proto(r.Protocol)))
		}
	}
	var out []string
	for _, h := range head {
		for _, x := range what {
			out = append(out, strings.TrimSpace(h+" "+x))
		}
	}
	return out
}
