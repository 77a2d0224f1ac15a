package filter

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// String is the expression in pcap-filter's syntax, every qualifier written
// out. Parse reads it back to an equal expression.
func (e *Expr) String() string {
	var b strings.Builder
	write(&b, e.root)
	return b.String()
}

func write(b *strings.Builder, n node) {
	switch n := n.(type) {
	case joined:
		write(b, n.l)
		if n.or {
			b.WriteString(" or ")
		} else {
			b.WriteString(" and ")
		}
		writeTight(b, n.r)
	case not:
		b.WriteString("not ")
		writeTight(b, n.x)
	case hostTerm:
		writeHost(b, n)
	case etherHost:
		kind := "host "
		if n.dir != eitherSide {
			kind = n.dir.String()
		}
		fmt.Fprintf(b, "ether %s%02x:%02x:%02x:%02x:%02x:%02x", kind, n.mac[0], n.mac[1], n.mac[2], n.mac[3], n.mac[4], n.mac[5])
	case portTerm:
		writeWord(b, n.proto)
		b.WriteString(n.dir.String())
		if n.lo == n.hi {
			fmt.Fprintf(b, "port %d", n.lo)
		} else {
			fmt.Fprintf(b, "portrange %d-%d", n.lo, n.hi)
		}
	case protoTerm:
		writeWord(b, n.layer)
		if n.layer == "ether" {
			fmt.Fprintf(b, "proto %#x", n.n)
		} else {
			fmt.Fprintf(b, "proto %d", n.n)
		}
	case abbrev:
		b.WriteString(string(n.name))
	case casting:
		writeWord(b, n.proto)
		if n.multicast {
			b.WriteString("multicast")
		} else {
			b.WriteString("broadcast")
		}
	case layerTerm:
		b.WriteString(string(n.name))
		if n.has {
			fmt.Fprintf(b, " %d", n.id)
		}
	case lengthTerm:
		if n.greater {
			fmt.Fprintf(b, "greater %d", n.n)
		} else {
			fmt.Fprintf(b, "less %d", n.n)
		}
	case relation:
		writeArith(b, n.l, false)
		b.WriteString(" " + string(n.op) + " ")
		writeArith(b, n.r, false)
	default:
		panic(fmt.Sprintf("filter: print %T", n))
	}
}

func writeTight(b *strings.Builder, n node) {
	if _, ok := n.(joined); ok {
		b.WriteByte('(')
		write(b, n)
		b.WriteByte(')')
		return
	}
	write(b, n)
}

func writeWord(b *strings.Builder, w word) {
	if w != "" {
		b.WriteString(string(w) + " ")
	}
}

func writeHost(b *strings.Builder, h hostTerm) {
	writeWord(b, h.proto)
	b.WriteString(h.dir.String())
	switch {
	case !h.net:
		b.WriteString("host " + h.addr.String())
	case h.bits < 0:
		fmt.Fprintf(b, "net %s mask %s", h.addr, addr4(h.mask))
	case h.addr.Is6() && h.bits == 128:
		b.WriteString("host " + h.addr.String())
	default:
		b.WriteString("net " + netip.PrefixFrom(h.addr, h.bits).String())
	}
}

func writeArith(b *strings.Builder, a arith, tight bool) {
	switch a := a.(type) {
	case number:
		b.WriteString(strconv.FormatUint(uint64(a.n), 10))
	case length:
		b.WriteString("len")
	case bytesAt:
		b.WriteString(string(a.proto) + "[")
		writeArith(b, a.at, false)
		if a.size != 1 {
			fmt.Fprintf(b, ":%d", a.size)
		}
		b.WriteByte(']')
	case operation:
		if tight {
			b.WriteByte('(')
		}
		writeArith(b, a.l, true)
		b.WriteString(" " + string(a.op) + " ")
		if n, ok := a.r.(number); ok && n.n > 9 && (a.op == "&" || a.op == "|" || a.op == "^") {
			fmt.Fprintf(b, "%#x", n.n)
		} else {
			writeArith(b, a.r, true)
		}
		if tight {
			b.WriteByte(')')
		}
	case negative:
		if tight {
			b.WriteByte('(')
		}
		b.WriteString("- ")
		writeArith(b, a.x, true)
		if tight {
			b.WriteByte(')')
		}
	default:
		panic(fmt.Sprintf("filter: print %T", a))
	}
}
