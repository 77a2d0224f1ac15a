package filter

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// MaxIptables is how many instructions the xt_bpf match takes
// (linux/netfilter/xt_bpf.h, XT_BPF_MAX_NUM_INSTR).
const MaxIptables = 64

// Iptables is the match of an iptables rule. The program has to be for a link
// type without a link layer: netfilter sees packets from the IP header on.
func Iptables(p []bpf.RawInstruction) (string, error) {
	if len(p) > MaxIptables {
		return "", &Error{Msg: fmt.Sprintf("the program has %d instructions; iptables takes %d", len(p), MaxIptables),
			Hint: "name fewer services, leave out --complete, compile for IPv4 alone with -y IPV4, or use --as nft"}
	}
	// Double quotes: iptables-restore knows no others.
	return `-m bpf --bytecode "` + strings.ReplaceAll(strings.TrimSpace(Decimal(p)), "\n", ",") + "\"\n", nil
}

// GoSource is a program as a Go expression for golang.org/x/net/bpf, as gofmt
// has it.
func GoSource(p []bpf.RawInstruction) string {
	var b strings.Builder
	b.WriteString("[]bpf.RawInstruction{\n")
	lines, width := make([]string, len(p)), 0
	for i, in := range p {
		lines[i] = fmt.Sprintf("{Op: 0x%02x, Jt: %d, Jf: %d, K: 0x%x},", in.Op, in.Jt, in.Jf, in.K)
		width = max(width, len(lines[i]))
	}
	for i, in := range p {
		op, operand := describe(in, i)
		fmt.Fprintf(&b, "\t%-*s // %s\n", width, lines[i], strings.TrimSpace(op+" "+operand))
	}
	b.WriteString("}\n")
	return b.String()
}

// ShellQuote makes text one word of a POSIX shell.
func ShellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
