package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxNftRules bounds what an expression may become in nftables, which has no
// 'or' between matches: each alternative is a rule.
const maxNftRules = 256

// Nft is the matches of nftables rules, one alternative a line, for an inet
// or netdev chain. The verdict is the reader's to add.
func Nft(e *Expr) (string, error) {
	rules, err := nft(e.root, false)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range rules {
		b.WriteString(strings.Join(r, " ") + "\n")
	}
	return b.String(), nil
}

// nft is the alternatives of n, or of not n; each is a list of matches.
func nft(n node, inverse bool) ([][]string, error) {
	switch n := n.(type) {
	case not:
		return nft(n.x, !inverse)
	case joined:
		or := n.or != inverse
		terms := flatten(n)
		if n.or && !inverse {
			terms = mergePorts(terms)
		}
		var out [][]string
		for i, t := range terms {
			rules, err := nft(t, inverse)
			if err != nil {
				return nil, err
			}
			if or || i == 0 {
				out = append(out, rules...)
			} else {
				out = cross(out, rules)
			}
			if len(out) > maxNftRules {
				return nil, &Error{Msg: fmt.Sprintf("the expression becomes more than %d nftables rules", maxNftRules), Hint: "split it"}
			}
		}
		return out, nil
	case ports:
		return n.nft(inverse)
	case portTerm:
		return ports{n.proto, n.dir, []portRange{{n.lo, n.hi}}}.nft(inverse)
	case hostTerm:
		if n.bits < 0 || n.proto == "arp" || n.proto == "rarp" {
			break
		}
		family, value := "ip", n.addr.String()
		if n.addr.Is6() {
			family = "ip6"
		}
		if n.bits != n.addr.BitLen() {
			value = netip.PrefixFrom(n.addr, n.bits).String()
		}
		return nftSides(n.dir, inverse, family+" saddr", family+" daddr", value, nil), nil
	case etherHost:
		return nftSides(n.dir, inverse, "ether saddr", "ether daddr", macText(n.mac), nil), nil
	case protoTerm:
		if n.layer == "ether" {
			return one("meta protocol", inverse, fmt.Sprintf("%#x", n.n)), nil
		}
		if n.layer == "" {
			return one("meta l4proto", inverse, fmt.Sprint(n.n)), nil
		}
	case abbrev:
		switch n.name {
		case "ip", "ip6", "arp":
			return one("meta protocol", inverse, string(n.name)), nil
		case "stp": // ETH_P_802_2, and its destination SAP
			if !inverse {
				return [][]string{{"meta protocol 0x4 @nh,0,8 0x42"}}, nil
			}
		case "rarp":
			return one("meta protocol", inverse, "0x8035"), nil
		case "icmp6":
			return one("meta l4proto", inverse, "ipv6-icmp"), nil
		default:
			return one("meta l4proto", inverse, fmt.Sprint(ipProtocols[n.name])), nil
		}
	case casting:
		if n.proto == "" {
			return one("meta pkttype", inverse, map[bool]string{true: "multicast", false: "broadcast"}[n.multicast]), nil
		}
	case lengthTerm:
		// meta length counts from the IP header on.
	case relation:
		if r, ok := n.nft(inverse); ok {
			return r, nil
		}
	}
	var w strings.Builder
	write(&w, n)
	return nil, &Error{Msg: "nftables has no match for '" + w.String() + "'", Hint: "leave the term out, or use --as iptables with its bytecode"}
}

func one(key string, inverse bool, value string) [][]string {
	if inverse {
		return [][]string{{key + " != " + value}}
	}
	return [][]string{{key + " " + value}}
}

// nftSides is a match of source, destination, either or both.
func nftSides(d dir, inverse bool, src, dst, value string, before []string) [][]string {
	op := " "
	if inverse {
		op = " != "
	}
	s, t := src+op+value, dst+op+value
	switch {
	case d == source:
		return [][]string{append(slices.Clone(before), s)}
	case d == destination:
		return [][]string{append(slices.Clone(before), t)}
	case (d == eitherSide) != inverse:
		return [][]string{append(slices.Clone(before), s), append(slices.Clone(before), t)}
	}
	return [][]string{append(slices.Clone(before), s, t)}
}

func (p ports) nft(inverse bool) ([][]string, error) {
	var list []string
	for _, r := range p.list {
		if r.lo == r.hi {
			list = append(list, fmt.Sprint(r.lo))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", r.lo, r.hi))
		}
	}
	value := list[0]
	if len(list) > 1 {
		value = "{ " + strings.Join(list, ", ") + " }"
	}
	if p.proto != "" && !inverse {
		return nftSides(p.dir, false, string(p.proto)+" sport", string(p.proto)+" dport", value, nil), nil
	}
	l4 := "{ tcp, udp, sctp }"
	if p.proto != "" {
		l4 = string(p.proto)
	}
	rules := nftSides(p.dir, inverse, "th sport", "th dport", value, []string{"meta l4proto " + l4})
	if inverse { // other protocols have no such port either
		rules = append(rules, []string{"meta l4proto != " + l4})
	}
	return rules, nil
}

// cross is both: every alternative of a with every one of b.
func cross(a, b [][]string) [][]string {
	var out [][]string
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
			if len(out) > maxNftRules {
				return out
			}
		}
	}
	return out
}

// nft is a raw payload match: network header, transport header or link layer.
func (n relation) nft(inverse bool) ([][]string, bool) {
	b, at, mask, k, masked, ok := n.field()
	if !ok || inverse {
		return nil, false
	}
	base, before := "@nh", ""
	switch b.proto {
	case "ip", "ip6":
		before = "meta protocol " + string(b.proto)
	case "ether":
		base = "@ll"
	case "icmp6":
		base, before = "@th", "meta l4proto ipv6-icmp"
	case "tcp", "udp", "sctp", "icmp":
		base, before = "@th", fmt.Sprintf("meta protocol ip meta l4proto %d", ipProtocols[b.proto])
	default:
		return nil, false
	}
	s := fmt.Sprintf("%s,%d,%d", base, at*8, b.size*8)
	if masked {
		s += fmt.Sprintf(" & %#x", mask)
	}
	op := map[word]string{"=": "", "!=": "!= ", "<": "< ", "<=": "<= ", ">": "> ", ">=": ">= "}[n.op]
	if masked && op == "" {
		op = "== "
	}
	s += fmt.Sprintf(" %s%#x", op, k)
	if before == "" {
		return [][]string{{s}}, true
	}
	return [][]string{{before, s}}, true
}
