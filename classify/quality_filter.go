package classify

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/classify/wire"
)

// A chance says whether something lets a packet through. It is three-valued:
// capture filters hold terms that only their compiler knows.
type chance int8

const (
	never  chance = -1
	maybe  chance = 0
	always chance = 1
)

// A missed is a packet that a finding says did not come.
type missed struct {
	arp      bool
	fragment bool  // a later fragment: no ports
	proto    uint8 // 0: not known
	from, to uint16
	server   wire.Addr // sends it; zero when not known
	node     wire.Addr
	payload  payload
}

// ephemeral stands for a port that a server picks for a TFTP transfer.
const ephemeral = 49152

// passes tells whether a capture filter in libpcap's language (pcap-filter(7))
// lets m through. It knows the terms on protocols, ports, hosts, and those on
// bytes by which filters for a whole phase tell TFTP data, RPC and fragments;
// whatever else there is may or may not match.
func passes(filter string, m *missed) chance {
	p := filterParser{words: filterWords(filter), m: m}
	if len(p.words) == 0 {
		return always
	}
	c := p.or()
	if p.next < len(p.words) {
		return maybe
	}
	return c
}

// filterParser walks through an expression by recursive descent. "and" and
// "or" bind alike in libpcap, from left to right.
type filterParser struct {
	words []string
	next  int
	m     *missed
	depth int
	quals []string // of the last term: "port 67 or 68" repeats them
}

const maxFilterDepth = 64

func (p *filterParser) word() string {
	if p.next >= len(p.words) {
		return ""
	}
	return p.words[p.next]
}

func (p *filterParser) or() chance {
	if p.depth++; p.depth > maxFilterDepth {
		p.next = len(p.words)
		return maybe
	}
	defer func() { p.depth-- }()
	c := p.not()
	for {
		switch p.word() {
		case "and":
			p.next++
			c = min(c, p.not())
		case "or":
			p.next++
			c = max(c, p.not())
		default:
			return c
		}
	}
}

func (p *filterParser) not() chance {
	switch p.word() {
	case "not":
		p.next++
		return -p.not()
	case "(":
		p.next++
		c := p.or()
		if p.word() == ")" {
			p.next++
		}
		return c
	}
	if strings.Contains(p.word(), "[") {
		return p.relation()
	}
	return p.term()
}

// qualifiers of terms, by pcap-filter(7).
var (
	protoWords = map[string]bool{"ether": true, "link": true, "ip": true, "ip6": true, "arp": true, "rarp": true, "tcp": true, "udp": true,
		"icmp": true, "icmp6": true, "stp": true, "vlan": true, "proto": true, "broadcast": true, "multicast": true}
	dirWords  = map[string]bool{"src": true, "dst": true}
	typeWords = map[string]bool{"host": true, "net": true, "port": true, "portrange": true}
)

// term reads qualifiers and an id.
func (p *filterParser) term() chance {
	var quals []string
	for {
		w := p.word()
		if !protoWords[w] && !dirWords[w] && !typeWords[w] {
			break
		}
		quals = append(quals, w)
		p.next++
		if next := p.word(); dirWords[w] && (next == "or" || next == "and") && p.next+1 < len(p.words) && dirWords[p.words[p.next+1]] {
			quals = quals[:len(quals)-1] // "src or dst" is no restriction
			p.next += 2
		}
	}
	w := p.word()
	switch {
	case len(quals) > 0 && (w == "" || w == ")" || w == "and" || w == "or"):
		return p.proto(quals)
	case w == "" || w == ")":
		p.next++
		return maybe
	}
	p.next++
	if len(quals) == 0 {
		quals = p.quals // "port 67 or 68"
	}
	p.quals = quals
	return p.match(quals, w)
}

// proto is a term without an id.
func (p *filterParser) proto(quals []string) chance {
	is := func(b bool) chance {
		if b {
			return always
		}
		return never
	}
	if len(quals) > 1 {
		return maybe
	}
	known := p.m.proto != 0 || p.m.arp
	switch quals[0] {
	case "arp":
		return is(p.m.arp)
	case "rarp", "stp":
		return never
	case "ip":
		return is(!p.m.arp)
	case "tcp", "udp":
		if !known {
			return maybe
		}
		return is(!p.m.arp && (p.m.proto == wire.ProtoTCP) == (quals[0] == "tcp"))
	case "icmp", "icmp6":
		return is(known && p.m.proto == wire.ProtoICMP)
	}
	return maybe
}

// match is a term with an id.
func (p *filterParser) match(quals []string, id string) chance {
	m := p.m
	kind, src, dst := "", false, false
	limit := always
	for _, q := range quals {
		switch q {
		case "src":
			src = true
		case "dst":
			dst = true
		case "tcp", "udp", "ip", "arp":
			limit = min(limit, p.proto([]string{q}))
		case "host", "net", "port", "portrange":
			kind = q
		default:
			return maybe
		}
	}
	any := src == dst
	var c chance
	switch kind {
	case "port", "portrange":
		lo, hi, ok := ports(id)
		if !ok {
			return maybe
		}
		in := func(port uint16) bool { return lo <= port && port <= hi }
		if !m.arp && !m.fragment && ((any || src) && in(m.from) || (any || dst) && in(m.to)) {
			c = always
		} else {
			c = never
		}
	case "host", "":
		a, err := netip.ParseAddr(id)
		if err != nil || m.server.IsZero() || m.node.IsZero() {
			return maybe
		}
		x := wire.AddrFrom(a)
		if (any || src) && x == m.server || (any || dst) && x == m.node {
			c = always
		} else {
			c = never
		}
	default:
		return maybe
	}
	return min(limit, c)
}

// portNames are the names that people use; others are not known here.
var portNames = map[string]uint16{"bootps": 67, "bootpc": 68, "tftp": 69, "domain": 53, "http": 80, "https": 443, "sunrpc": 111, "nfs": 2049, "ntp": 123, "ssh": 22}

func ports(id string) (lo, hi uint16, ok bool) {
	a, b, isRange := strings.Cut(id, "-")
	lo, ok = port(a)
	if !isRange || !ok {
		return lo, lo, ok
	}
	hi, ok = port(b)
	return lo, hi, ok
}

func port(s string) (uint16, bool) {
	if p, ok := portNames[s]; ok {
		return p, true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}
