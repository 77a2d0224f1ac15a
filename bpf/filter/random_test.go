package filter

import (
	"fmt"
	"strings"
)

// expression is a random text of the language, oddities of its precedence and
// of implied qualifiers included.
func (r maker) expression() string { return r.terms(1+r.IntN(4), 0) }

func (r maker) terms(n, deep int) string {
	var b strings.Builder
	last := ""
	for i := range n {
		if i > 0 {
			b.WriteString(pick(r, []string{" or ", " or ", " and ", " || ", " && "}))
		}
		if last != "" && r.IntN(3) == 0 {
			b.WriteString(r.implied(last))
			continue
		}
		var s string
		s, last = r.term(deep)
		b.WriteString(s)
	}
	return b.String()
}

func (r maker) implied(kind string) string {
	s := r.operand(kind)
	switch r.IntN(6) {
	case 0:
		return "not " + s
	case 1:
		return "(" + s + " or " + r.operand(kind) + ")"
	}
	return s
}

func (r maker) operand(kind string) string {
	switch kind {
	case "port":
		return fmt.Sprint(pick(r, poolPorts))
	case "portrange":
		a, b := pick(r, poolPorts), pick(r, poolPorts)
		return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
	case "host":
		return pick(r, poolV4)
	case "host6":
		return pick(r, poolV6)
	case "net":
		return pick(r, []string{"10.0.0.0/8", "10.0.0.0/24", "192.168.1.0/24", "0.0.0.0/0", "172.16.0.0/12", "10.0", "192.168.1", "10.0.0.0 mask 255.0.0.0", "10.0.0.1/32"})
	case "net6":
		return pick(r, []string{"2001:db8::/32", "fe80::/10", "2001:db8::/64", "::/0", "ff00::/8", "2001:db8::2/127"})
	case "ether":
		return pick(r, poolMAC)
	}
	return fmt.Sprint(pick(r, []int{1, 2, 6, 17, 50, 58, 132, 44, 0, 255}))
}

// term is a primitive, and the kind of operand that may follow it.
func (r maker) term(deep int) (text, kind string) {
	way := pick(r, []string{"", "", "src ", "dst ", "src or dst ", "src and dst "})
	l4 := pick(r, []string{"", "tcp ", "udp ", "udp ", "sctp "})
	switch n := r.IntN(36); {
	case n < 7:
		return l4 + way + "port " + r.operand("port"), "port"
	case n < 9:
		return l4 + way + "portrange " + r.operand("portrange"), "portrange"
	case n < 12:
		p := pick(r, []string{"", "", "ip ", "arp ", "rarp "})
		if way != "" && r.IntN(2) == 0 {
			return p + way + r.operand("host"), "host"
		}
		return p + way + "host " + r.operand("host"), "host"
	case n < 13:
		return pick(r, []string{"", "ip6 "}) + way + "host " + r.operand("host6"), "host6"
	case n < 15:
		return pick(r, []string{"", "ip "}) + way + "net " + r.operand("net"), "net"
	case n < 16:
		return way + "net " + r.operand("net6"), "net6"
	case n < 17:
		return "ether " + way + "host " + r.operand("ether"), "ether"
	case n < 18:
		return pick(r, []string{"ip ", "ip6 ", ""}) + "proto " + r.operand("proto"), "proto"
	case n < 22:
		return pick(r, []string{"ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "pim", "ah", "esp", "vrrp"}), ""
	case n < 23:
		return pick(r, []string{"broadcast", "multicast", "ether broadcast", "ip multicast", "ip6 multicast", "ether multicast"}), ""
	case n < 24:
		return "ether proto " + pick(r, []string{"0x800", "0x806", "0x86dd", "0x88cc", "0x42", "0x8100", "\\arp"}), ""
	case n < 26:
		return pick(r, []string{"vlan", "vlan", "vlan 10", "vlan 100", "mpls", "mpls 10", "pppoes", "pppoes 10", "pppoed"}), ""
	case n < 27:
		return fmt.Sprintf("%s %d", pick(r, []string{"less", "greater"}), r.IntN(300)), ""
	case n < 31:
		return fmt.Sprintf("%s %s %s", r.value(2), pick(r, []string{"=", "==", "!=", "<", ">", "<=", ">="}), r.value(1)), ""
	case n < 33:
		s, k := r.term(deep)
		if k != "" && r.IntN(4) == 0 {
			return s, k
		}
		return pick(r, []string{"not ", "! ", "!"}) + s, k
	}
	if deep > 2 {
		return "udp", ""
	}
	return "(" + r.terms(1+r.IntN(3), deep+1) + ")", ""
}

func (r maker) value(deep int) string {
	n := r.IntN(10)
	if deep == 0 && n > 6 {
		n = r.IntN(7)
	}
	switch {
	case n < 2:
		return pick(r, []string{"0", "1", "2", "3", "0x10", "6", "17", "64", "67", "0x1fff", "0xffff", "icmp-echo", "tcp-syn", "0xf0", "0x45"})
	case n < 3:
		return "len"
	case n < 6:
		p := pick(r, []string{"ip", "ip", "ip6", "tcp", "udp", "udp", "icmp", "icmp6", "ether", "arp", "sctp", "igmp"})
		at := fmt.Sprint(r.IntN(20))
		switch {
		case p == "tcp" && r.IntN(2) == 0:
			at = "tcpflags"
		case deep > 0 && r.IntN(6) == 0:
			at = r.value(deep - 1)
		}
		return p + "[" + at + pick(r, []string{"", "", ":1", ":2", ":4"}) + "]"
	case n < 7:
		p := pick(r, []string{"ip[0]", "ip[6:2]", "tcp[13]", "udp[4:2]", "ip[9]", "ether[12:2]"})
		return p + " " + pick(r, []string{"&", "&", "&", "|", "+", "-", "*", "/", "%", "^", "<<", ">>"}) + " " + pick(r, []string{"1", "2", "3", "0xf", "7", "15", "0x1f"})
	case n < 8:
		return "- " + r.value(deep-1)
	case n < 9:
		return "(" + r.value(deep-1) + ")"
	}
	return r.value(deep-1) + " " + pick(r, []string{"&", "|", "+", "-", "*", "/", "%", "^", "<<", ">>"}) + " " + r.value(deep-1)
}
