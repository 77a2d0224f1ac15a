package firewall

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
)

// tableName is the table and the chain that belong to these rules alone.
const tableName = "pxescope"

// NFT is a file for nft -f: a table inet of its own, which replaces its earlier
// self in one transaction and touches no other.
func (p *Policy) NFT() string {
	var w strings.Builder
	w.WriteString("#!/usr/sbin/nft -f\n")
	p.head(&w, "Check with nft -c -f FILE, load with nft -f FILE.",
		"To accept here lets a packet go on to other tables, which may still drop it.")
	fmt.Fprintf(&w, "table inet %s\ndelete table inet %[1]s\n\ntable inet %[1]s {\n", tableName)
	if len(p.TFTPPorts) > 0 {
		fmt.Fprintf(&w, "\tct helper tftp {\n\t\ttype \"tftp\" protocol udp\n\t}\n\n")
		fmt.Fprintf(&w, "\t# Helpers are set once conntrack knows the flow, so after priority -200.\n")
		fmt.Fprintf(&w, "\tchain helpers {\n\t\ttype filter hook prerouting priority filter; policy accept;\n")
		fmt.Fprintf(&w, "\t\tct state new udp dport %s ct helper set \"tftp\"\n\t}\n\n", nftPorts(p.TFTPPorts))
	}
	fmt.Fprintf(&w, "\tchain %s {\n\t\ttype filter hook %[1]s priority filter; policy accept;\n\n", p.Hook)
	if p.Hook == Input {
		w.WriteString("\t\tiifname \"lo\" accept\n")
	}
	w.WriteString("\t\tct state established,related accept\n\t\tct state invalid counter drop\n\n")
	for _, r := range p.Rules {
		fmt.Fprintf(&w, "\t\t# %s\n\t\t%s\n", r.comment(), r.nft())
	}
	w.WriteString("\t}\n}\n")
	return w.String()
}

// head is what every format says first.
func (p *Policy) head(w *strings.Builder, use ...string) {
	fmt.Fprintf(w, "# pxescope firewall: %s\n", oneLine(p.about))
	for _, u := range use {
		fmt.Fprintf(w, "# %s\n", u)
	}
	w.WriteString("#\n# What these rules cannot say:\n")
	for _, n := range p.Notes {
		fmt.Fprintf(w, "# - %s\n", strings.Join(wrapped(oneLine(n), 96), "\n#   "))
	}
	w.WriteString("\n")
}

func (r *Rule) comment() string {
	if r.Service == "" {
		return oneLine(r.Why)
	}
	return oneLine(r.Service + ": " + r.Why)
}

// oneLine makes a text, which may come from a site's catalog, fit for a
// comment: printable ASCII only, so that none ends the line or steers a terminal.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}

func (r *Rule) nft() string {
	var m []string
	add := func(format string, args ...any) { m = append(m, fmt.Sprintf(format, args...)) }
	if r.In != "" {
		add("iifname %q", r.In)
	}
	if r.Out != "" {
		add("oifname %q", r.Out)
	}
	family := "ip"
	if r.Family == IPv6 {
		family = "ip6"
	}
	if len(r.Src) > 0 {
		add("%s saddr %s", family, nftNets(r.Src))
	}
	if len(r.Dst) > 0 {
		add("%s daddr %s", family, nftNets(r.Dst))
	}
	if r.Family != Both && len(r.Src)+len(r.Dst) == 0 && len(r.ICMPTypes) == 0 {
		add("meta nfproto ipv%d", r.Family)
	}
	proto := catalog.Proto(r.Protocol).String()
	if len(r.SrcPorts) > 0 {
		add("%s sport %s", proto, nftPorts(r.SrcPorts))
	}
	if len(r.DstPorts) > 0 {
		add("%s dport %s", proto, nftPorts(r.DstPorts))
	}
	if len(r.ICMPTypes) > 0 {
		name := map[uint8]string{1: "icmp", 58: "icmpv6"}[r.Protocol]
		var types []string
		for _, t := range r.ICMPTypes {
			types = append(types, fmt.Sprint(t))
		}
		add("%s type %s", name, braces(types))
	}
	if r.Drop {
		add("counter drop")
	} else {
		add("ct state new,untracked counter accept")
	}
	if r.Service != "" {
		add("comment \"%s\"", strings.ReplaceAll(oneLine(r.Service), `"`, "?"))
	}
	return strings.Join(m, " ")
}

func nftPorts(list []catalog.Range) string {
	var t []string
	for _, r := range list {
		t = append(t, r.String())
	}
	return braces(t)
}

func nftNets(list []netip.Prefix) string {
	var t []string
	for _, n := range list {
		t = append(t, address(n))
	}
	return braces(t)
}

// address is a prefix, or the address alone where it holds one.
func address(n netip.Prefix) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}

func braces(t []string) string {
	if len(t) == 1 {
		return t[0]
	}
	return "{ " + strings.Join(t, ", ") + " }"
}

// wrapped is text in lines of up to width bytes, longer words apart.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
