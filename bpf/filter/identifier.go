package filter

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// id reads an address, a number, or a group of them, all with qualifier q.
func (p *parser) id(q qualifier) (node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	t := p.peek()
	if t.kind == tokWord {
		switch {
		case t.text == "!":
			p.pos++
			n, err := p.id(q)
			return not{n}, err
		case t.text == "(" && p.parenthesizedNumber():
			n, err := p.number("a number")
			if err != nil {
				return nil, err
			}
			t.n, t.kind, t.text = n, tokNumber, strconv.FormatUint(uint64(n), 10)
			return p.fromNumber(t, q)
		case t.text == "(":
			p.pos++
			n, err := p.id(q)
			for err == nil && p.is("and", "or") {
				or := p.peek().text == "or"
				p.pos++
				var r node
				r, err = p.id(q)
				n = joined{or: or, l: n, r: r}
			}
			if err == nil && !p.accept(")") {
				err = p.unexpected("')'")
			}
			return n, err
		}
	}
	switch {
	case t.kind == tokWord || t.kind == tokEnd:
		return nil, p.unexpected(wants(q))
	case !q.set:
		return nil, p.errorAt(t, wordFor(t), "%q needs a word before it that says what it is", t.text)
	}
	p.pos++
	switch t.kind {
	case tokNumber:
		return p.fromNumber(t, q)
	case tokDotted:
		return p.fromDotted(t, q)
	case tokAddr6:
		return p.fromAddr6(t, q)
	case tokMAC:
		if q.proto != "ether" || q.kind != "" && q.kind != "host" {
			return nil, p.errorAt(t, "write 'ether host "+t.text+"'", "an Ethernet address needs 'ether host', 'ether src' or 'ether dst'")
		}
		return etherHost{dir: q.dir, mac: t.mac}, nil
	}
	return p.fromName(t, q)
}

const protocolNumber = "a protocol number"

func wants(q qualifier) string {
	switch q.kind {
	case "port":
		return "a port number"
	case "portrange":
		return "a range of ports, as 67-69,"
	case "proto":
		return protocolNumber
	case "":
		return "'host', 'net', 'port' or an address"
	}
	return "an address"
}

func (p *parser) fromNumber(t token, q qualifier) (node, error) {
	switch q.kind {
	case "port", "portrange":
		if err := p.portProto(t, q); err != nil {
			return nil, err
		}
		if t.n > 65535 {
			return nil, p.errorAt(t, "", "port %d: 65535 is the largest", t.n)
		}
		return portTerm{proto: q.proto, dir: q.dir, lo: uint16(t.n), hi: uint16(t.n)}, nil
	case "proto":
		return p.protocol(t, q, t.n)
	}
	addr, mask := t.n, ^uint32(0)
	if q.kind == "net" { // net 10 is 10.0.0.0/8
		for addr != 0 && addr>>24 == 0 {
			addr <<= 8
			mask <<= 8
		}
	}
	return p.host4(t, q, addr, mask)
}

func (p *parser) protocol(t token, q qualifier, n uint32) (node, error) {
	switch q.proto {
	case "", "ip", "ip6":
		if n > 255 {
			return nil, p.errorAt(t, "an EtherType is 'ether proto "+t.text+"'", "IP protocol %d: 255 is the largest", n)
		}
	case "ether":
		if n > 0xffff {
			return nil, p.errorAt(t, "", "EtherType %d: 65535 is the largest", n)
		}
		if n == 0x06 || n == 0xe0 || n == 0xf0 || n == 0xfe || n == 0x809b || n == 0x80f3 {
			return nil, p.errorAt(t, "test the bytes: 'ether[12:2] = ...'", "'ether proto %#x' is not supported: the protocol has several encapsulations", n)
		}
	default:
		return nil, p.errorAt(t, "'proto' goes with ip, ip6, ether or nothing", "'%s proto' makes no sense", q.proto)
	}
	return protoTerm{layer: q.proto, n: n}, nil
}

func (p *parser) portProto(t token, q qualifier) error {
	switch q.proto {
	case "", "tcp", "udp", "sctp":
		return nil
	}
	return p.errorAt(t, "write 'tcp port', 'udp port' or 'port'", "%s has no ports", q.proto)
}

// fromDotted reads 10.0, 10.0.0 and 10.0.0.1. What is missing on the right is
// masked out, even with host.
func (p *parser) fromDotted(t token, q qualifier) (node, error) {
	if q.kind == "port" || q.kind == "portrange" || q.kind == "proto" {
		return nil, p.errorAt(t, "", "%q is an address; %s is expected", t.text, wants(q))
	}
	addr, mask, err := p.dotted(t)
	if err != nil {
		return nil, err
	}
	var given uint32
	switch {
	case p.is("/"):
		p.pos++
		n := p.peek()
		if n.kind != tokNumber {
			return nil, p.unexpected("a prefix length")
		}
		p.pos++
		if n.n > 32 {
			return nil, p.errorAt(n, "", "a prefix of IPv4 has at most 32 bits")
		}
		given = uint32(uint64(0xffffffff) << (32 - n.n))
	case p.is("mask"):
		p.pos++
		n := p.peek()
		if n.kind != tokDotted {
			return nil, p.unexpected("a netmask")
		}
		p.pos++
		if given, _, err = p.dotted(n); err != nil {
			return nil, err
		}
	default:
		return p.host4(t, q, addr, mask)
	}
	if q.kind != "net" {
		return nil, p.errorAt(t, fmt.Sprintf("write 'net %s/%d'", addr4(addr&given), bits.OnesCount32(given)), "a prefix or mask goes with 'net'")
	}
	if addr&^given != 0 {
		return nil, p.errorAt(t, "the net is "+addr4(addr&given).String(), "%s has bits set outside its mask", t.text)
	}
	return p.host4(t, q, addr, given)
}

func (p *parser) dotted(t token) (addr, mask uint32, err error) {
	parts := strings.Split(t.text, ".")
	for _, s := range parts {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return 0, 0, p.errorAt(t, "", "%q is not an IPv4 address", t.text)
		}
		addr = addr<<8 | uint32(n)
	}
	shift := 8 * (4 - len(parts))
	return addr << shift, ^uint32(0) << shift, nil
}

func addr4(a uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a)
	return netip.AddrFrom4(b)
}

func (p *parser) host4(t token, q qualifier, addr, mask uint32) (node, error) {
	switch q.proto {
	case "", "ip", "arp", "rarp":
	case "ether":
		return nil, p.errorAt(t, "", "'ether' needs an Ethernet address, as 52:54:00:12:34:56")
	default:
		kind := "host"
		if q.kind == "net" {
			kind = "net"
		}
		return nil, p.errorAt(t, "write '"+string(q.proto)+" and "+kind+" "+t.text+"'", "'%s' does not go with an IPv4 address", q.proto)
	}
	n := bits.OnesCount32(mask)
	if mask != uint32(uint64(0xffffffff)<<(32-n)) {
		n = -1
	}
	return hostTerm{proto: q.proto, dir: q.dir, net: q.kind == "net" || n != 32, addr: addr4(addr), bits: n, mask: mask}, nil
}

func (p *parser) fromAddr6(t token, q qualifier) (node, error) {
	if q.kind == "port" || q.kind == "portrange" || q.kind == "proto" {
		return nil, p.errorAt(t, "", "%q is an address; %s is expected", t.text, wants(q))
	}
	if q.proto != "" && q.proto != "ip6" {
		hint := "write 'host " + t.text + "'"
		if ipProtocols[q.proto] != 0 {
			hint = "write '" + string(q.proto) + " and host " + t.text + "'"
		}
		return nil, p.errorAt(t, hint, "'%s' does not go with an IPv6 address", q.proto)
	}
	h := hostTerm{proto: q.proto, dir: q.dir, net: q.kind == "net", addr: t.addr, bits: 128}
	if p.accept("/") {
		n := p.peek()
		if n.kind != tokNumber {
			return nil, p.unexpected("a prefix length")
		}
		p.pos++
		if n.n > 128 {
			return nil, p.errorAt(n, "", "a prefix of IPv6 has at most 128 bits")
		}
		h.bits = int(n.n)
		if q.kind != "net" && n.n != 128 {
			return nil, p.errorAt(t, "write 'net "+t.text+"/"+n.text+"'", "a prefix goes with 'net'")
		}
	}
	net, err := h.addr.Prefix(h.bits)
	if err != nil || net.Addr() != h.addr {
		return nil, p.errorAt(t, "the net is "+net.String(), "%s has bits set outside its prefix", t.text)
	}
	return h, nil
}

// fromName takes what is numeric in a name, and refuses names: they mean what
// the machine that compiles has in its files and its DNS.
func (p *parser) fromName(t token, q qualifier) (node, error) {
	switch q.kind {
	case "portrange":
		lo, hi, ok := strings.Cut(t.text, "-")
		a, errA := strconv.ParseUint(lo, 10, 16)
		b, errB := strconv.ParseUint(hi, 10, 16)
		if !ok || errA != nil || errB != nil {
			return nil, p.errorAt(t, "write two ports, as 67-69", "%q is not a range of ports", t.text)
		}
		if err := p.portProto(t, q); err != nil {
			return nil, err
		}
		return portTerm{proto: q.proto, dir: q.dir, lo: uint16(min(a, b)), hi: uint16(max(a, b))}, nil
	case "port":
		if reRange().MatchString(t.text) {
			return nil, p.errorAt(t, "write 'portrange "+t.text+"'", "%q is not a port", t.text)
		}
		return nil, p.errorAt(t, portHint(t.text), "service names are not supported: %q is a number only in some /etc/services", t.text)
	case "proto":
		table := ipProtocols
		if q.proto == "ether" {
			table = etherTypes
		}
		if n, ok := table[word(t.text)]; ok {
			return p.protocol(t, q, n)
		}
		return nil, p.errorAt(t, "give its number", "the protocol name %q is not known here", t.text)
	}
	return nil, p.errorAt(t, "give its address", "names are not looked up: %q may have several addresses, or others tomorrow", t.text)
}
