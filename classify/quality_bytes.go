package classify

import (
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/classify/wire"
)

// A payload says what the first bytes of a missed packet are.
type payload uint8

const (
	anything payload = iota
	tftpReply
	rpcReply
)

// filterWords cuts a filter into words. What stands in brackets stays in one,
// as do relations of bytes: "ip[6:2] & 0x1fff != 0" is "ip[6:2]&0x1fff", "!=", "0".
func filterWords(filter string) []string {
	filter = strings.ToLower(filter)
	var b strings.Builder
	depth := 0
	for i := 0; i < len(filter); i++ {
		c := filter[i]
		next := byte(0)
		if i+1 < len(filter) {
			next = filter[i+1]
		}
		switch {
		case c == '[':
			depth++
			b.WriteByte(c)
		case c == ']':
			depth = max(depth-1, 0)
			b.WriteByte(c)
		case depth > 0:
			if c != ' ' && c != '\t' {
				b.WriteByte(c)
			}
		case c == '(' || c == ')':
			b.WriteString(" " + string(c) + " ")
		case c == '&' && next == '&':
			b.WriteString(" and ")
			i++
		case c == '|' && next == '|':
			b.WriteString(" or ")
			i++
		case (c == '<' || c == '>') && next == c: // a shift
			b.WriteString(" " + string(c) + string(c) + " ")
			i++
		case (c == '!' || c == '<' || c == '>' || c == '=') && next == '=':
			b.WriteString(" " + string(c) + "= ")
			i++
		case c == '!':
			b.WriteString(" not ")
		case c == '<' || c == '>' || c == '=' || c == '&':
			b.WriteString(" " + string(c) + " ")
		default:
			b.WriteByte(c)
		}
	}
	return strings.Fields(b.String())
}

// relation is a term on bytes: up to the next "and", "or" or closing
// parenthesis. One that is not a field, perhaps masked, beside a number may
// match.
func (p *filterParser) relation() chance {
	from, depth := p.next, 0
	for ; p.next < len(p.words); p.next++ {
		switch p.word() {
		case "(":
			depth++
			continue
		case ")":
			if depth > 0 {
				depth--
				continue
			}
		case "and", "or":
		default:
			continue
		}
		break
	}
	w := p.words[from:p.next]
	field, rest := w[0], w[1:]
	if len(rest) > 2 && rest[0] == "&" {
		field, rest = field+"&"+rest[1], rest[2:]
	}
	if len(rest) != 2 {
		return maybe
	}
	n, err := strconv.ParseUint(rest[1], 0, 32)
	if err != nil {
		return maybe
	}
	lo, hi, ok := p.m.bytes(field)
	switch {
	case ok:
		return compare(lo, hi, rest[0], n)
	case strings.HasPrefix(field, "udp["), strings.HasPrefix(field, "tcp["), strings.HasPrefix(field, "icmp["), strings.HasPrefix(field, "arp["):
		name, _, _ := strings.Cut(field, "[")
		return min(maybe, p.proto([]string{name})) // bytes of another protocol do not match
	}
	return maybe
}

// compare tells of a field between lo and hi how it stands to n.
func compare(lo, hi uint64, op string, n uint64) chance {
	all := func(every, none bool) chance {
		switch {
		case every:
			return always
		case none:
			return never
		}
		return maybe
	}
	switch op {
	case "=", "==":
		return all(lo == n && hi == n, n < lo || n > hi)
	case "!=":
		return all(n < lo || n > hi, lo == n && hi == n)
	case "<":
		return all(hi < n, lo >= n)
	case "<=":
		return all(hi <= n, lo > n)
	case ">":
		return all(lo > n, hi <= n)
	case ">=":
		return all(lo >= n, hi < n)
	}
	return maybe
}

// bytes is what is known of a field of m: its least and greatest value. By
// pcap-filter(7) "udp[...]" is of IPv4; over IPv6 the same bytes stand 40 later
// in "ip6[...]", where there is no extension header.
func (m *missed) bytes(field string) (lo, hi uint64, ok bool) {
	if field == "ip[6:2]&0x1fff" && !m.arp {
		if m.fragment {
			return 1, 0x1fff, true
		}
		return 0, 0, true
	}
	if m.arp || m.fragment || m.proto != wire.ProtoUDP {
		return 0, 0, false
	}
	header, shift := "udp[", 0
	if !m.node.IsZero() && !m.node.Is4() {
		header, shift = "ip6[", 40
		if field == "ip6[6]" {
			return wire.ProtoUDP, wire.ProtoUDP, true
		}
	}
	inside, found := strings.CutPrefix(strings.TrimSuffix(field, "]"), header)
	at, size, _ := strings.Cut(inside, ":")
	offset, err := strconv.Atoi(at)
	if !found || err != nil || len(size) != 1 {
		return 0, 0, false
	}
	switch of := [2]int{offset - shift, int(size[0] - '0')}; {
	case m.payload == tftpReply && of == [2]int{8, 2}:
		return 3, 6, true // DATA to OACK
	case m.payload == rpcReply && of == [2]int{12, 4}:
		return 1, 1, true // REPLY
	case m.payload == rpcReply && of == [2]int{16, 4}:
		return 0, 1, true // accepted or denied
	}
	return 0, 0, false
}
