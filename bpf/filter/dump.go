package filter

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// Listing prints a program for people, as 'tcpdump -d' does.
func Listing(p []bpf.RawInstruction) string {
	var b strings.Builder
	for i, in := range p {
		op, operand := describe(in, i)
		if in.Op&7 == 5 && in.Op != opAlways {
			fmt.Fprintf(&b, "(%03d) %-8s %-16s jt %d\tjf %d\n", i, op, operand, i+1+int(in.Jt), i+1+int(in.Jf))
		} else {
			fmt.Fprintf(&b, "(%03d) %-8s %s\n", i, op, operand)
		}
	}
	return b.String()
}

// CArray prints a program for C, as 'tcpdump -dd' does.
func CArray(p []bpf.RawInstruction) string {
	var b strings.Builder
	for _, in := range p {
		fmt.Fprintf(&b, "{ 0x%x, %d, %d, 0x%08x },\n", in.Op, in.Jt, in.Jf, in.K)
	}
	return b.String()
}

// Decimal prints a program as numbers, the count first, as 'tcpdump -ddd' does.
func Decimal(p []bpf.RawInstruction) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", len(p))
	for _, in := range p {
		fmt.Fprintf(&b, "%d %d %d %d\n", in.Op, in.Jt, in.Jf, in.K)
	}
	return b.String()
}

var metadataNames = map[uint32]string{metaVLANTag: "[vlan_tci]", metaVLANPresent: "[vlanp]"}

func describe(in bpf.RawInstruction, at int) (op, operand string) {
	size := map[uint16]string{0x00: "", 0x08: "h", 0x10: "b"}[in.Op&0x18]
	switch in.Op & 7 {
	case 0, 1: // LD, LDX
		reg := "ld"
		if in.Op&7 == 1 {
			reg = "ldx"
		}
		switch in.Op & 0xe0 {
		case 0x00:
			return reg, fmt.Sprintf("#0x%x", in.K)
		case opAbsolute:
			if s := metadataNames[in.K]; s != "" {
				return reg + size, s
			}
			return reg + size, fmt.Sprintf("[%d]", in.K)
		case opIndirect:
			return reg + size, fmt.Sprintf("[x + %d]", in.K)
		case 0x60:
			return reg, fmt.Sprintf("M[%d]", in.K)
		case 0x80:
			return reg, "#pktlen"
		case 0xa0:
			return "ldxb", fmt.Sprintf("4*([%d]&0xf)", in.K)
		}
	case 2:
		return "st", fmt.Sprintf("M[%d]", in.K)
	case 4:
		name := map[uint16]string{0x00: "add", 0x10: "sub", 0x20: "mul", 0x30: "div", 0x40: "or", 0x50: "and", 0x60: "lsh", 0x70: "rsh", 0x80: "neg", 0x90: "mod", 0xa0: "xor"}[in.Op&0xf0]
		switch {
		case in.Op == opNegate:
			return name, ""
		case in.Op&opX != 0:
			return name, "x"
		case name == "and" || name == "or" || name == "xor":
			return name, fmt.Sprintf("#0x%x", in.K)
		}
		return name, fmt.Sprintf("#%d", in.K)
	case 5:
		name := map[uint16]string{0x10: "jeq", 0x20: "jgt", 0x30: "jge", 0x40: "jset"}[in.Op&0xf0]
		switch {
		case in.Op == opAlways:
			return "ja", fmt.Sprint(at + 1 + int(in.K))
		case in.Op&opX != 0:
			return name, "x"
		}
		return name, fmt.Sprintf("#0x%x", in.K)
	case 6:
		return "ret", fmt.Sprintf("#%d", in.K)
	case 7:
		if in.Op == opXToA {
			return "txa", ""
		}
		return "tax", ""
	}
	return "unknown", fmt.Sprintf("0x%x", in.Op)
}
