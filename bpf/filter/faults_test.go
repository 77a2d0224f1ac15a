package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

// libpcapFaults are expressions of the random test on which libpcap 1.10.3 is
// wrong and this package is not, by what is wrong. All that were found are of
// these kinds.
var libpcapFaults = []struct {
	why   string
	link  capture.LinkType
	texts []string
}{
	// gen_arth looks for a constant divisor in the first instruction of the
	// right operand. Of 'ip[0]' that is the load of the index.
	{"an index of 0 is taken for a divisor", capture.LinkEthernet, []string{
		"udp[8:2] % ip[0] = 1", "0x10 / - ether[0:4] > - 0x10", "(1 > 0x45 % udp[0:2] or sctp) and pim", "- igmp[0:2] % ip[0] - 7 < tcp-syn",
		"port 70 or igmp[18] % igmp[0] == ip6[6:2] || ip net 192.168.1.0/24 and ah", "dst net 10.0.0.0/8 or - 6 > 0 / ip[0:2]"}},
	{"an index above 31 is taken for the width of a shift", capture.LinkEthernet, []string{
		"1 << udp[64] > 5", "!- 1 << udp[0xf0] >= igmp[11] and udp port 5248 && (22 or 49152)", "tcp[13] << 0x45 + ip[12] != 0xf0", "icmp[8] >> 0x45 / len >= ether[13]"}},
	// The optimizer drops a branch that it should not (libpcap issues 945, 1699):
	// with -O, libpcap's own program keeps it.
	{"the optimizer merges what differs", capture.LinkEthernet, []string{
		"sctp port 68 and 22 or (65535 or 68)", "host 192.168.1.1 && 10.1.2.3 or (10.0.0.2 or 10.1.2.3)",
		"ip src or dst net 192.168.1.0/24 && 10.0.0.1/32 || (192.168.1.0/24 or 10.0.0.1/32)",
		"arp host 10.0.0.2 or (255.255.255.255 or 10.0.0.1) && (255.255.255.255 or 172.16.5.4)"}},
	{"the optimizer merges what differs", capture.LinkIPv4, []string{
		"dst net 10.0.0.1/32 and 192.168.1.0/24 or 192.168.1.0/24", "tcp dst port 22 || 68 && host 224.0.0.1 or (224.0.0.1 or 255.255.255.255)"}},
	{"the optimizer merges what differs", capture.LinkSLL, []string{"pim || arp src or dst host 0.0.0.0 and 10.0.0.1 or (0.0.0.0 or 10.0.0.1)"}},
	{"the optimizer merges what differs", capture.LinkRaw, []string{"!(udp port 123 && 5240 or (5250 or 5240)) && ip src host 10.1.2.3"}},
}

// Every fault is one still, and there this package is right: it agrees with
// libpcap's plain program, or with libpcap asked in other words.
func TestLibpcapFaults(t *testing.T) {
	if _, err := askTcpdump("ip", capture.LinkEthernet); errors.Is(err, errNoOracle) {
		t.Skipf("no oracle: %v", err)
	}
	for _, f := range libpcapFaults {
		all := frames(t, 21, f.link, 6000)
		for _, text := range f.texts {
			e, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			got := must(Compile(e, Target{Link: f.link}))
			want, err := askTcpdump(text, f.link)
			if err != nil {
				if !constantFault(err) {
					t.Errorf("%s: %s: %v", text, f.why, err)
				}
				compareRephrased(t, e, f.link, got, all)
				continue
			}
			plain := must(askTcpdump(text, f.link, "-O"))
			wrong := 0
			for _, x := range all {
				if x.cut {
					continue
				}
				p := execute(plain, x.data, x.wireLen, beside{}) != 0
				if (execute(want, x.data, x.wireLen, beside{}) != 0) != p {
					wrong++
				}
				if (execute(got, x.data, x.wireLen, beside{}) != 0) != p {
					t.Errorf("%s: got %v, libpcap's plain program says %v on % x", text, !p, p, x.data)
					break
				}
			}
			if wrong == 0 {
				t.Logf("%s: %s no more: this libpcap is right", text, f.why)
			}
		}
	}
}

// constantFault is a refusal for a constant that is none.
func constantFault(err error) bool {
	for _, m := range []string{"division by zero", "modulus by zero", "shift by more"} {
		if strings.Contains(err.Error(), m) {
			return true
		}
	}
	return false
}

// compareRephrased holds a program against libpcap's for the same expression in
// other words: what is divided or shifted by begins with a 1.
func compareRephrased(t *testing.T, e *Expr, link capture.LinkType, got []bpf.RawInstruction, frames []frame) {
	t.Helper()
	text := (&Expr{root: rephrased(e.root)}).String()
	var wrong string
	for _, options := range [][]string{nil, {"-O"}} { // the optimizer may be at fault here too
		want, err := askTcpdump(text, link, options...)
		if errors.Is(err, errNoOracle) {
			return
		}
		if wrong = ""; err != nil {
			wrong = err.Error()
			continue
		}
		for _, f := range frames {
			if w := execute(want, f.data, f.wireLen, beside{}) != 0; !f.cut && (execute(got, f.data, f.wireLen, beside{}) != 0) != w {
				wrong = fmt.Sprintf("got %v, libpcap says %v on % x", !w, w, f.data)
				break
			}
		}
		if wrong == "" {
			return
		}
	}
	t.Errorf("%s: as %s: %s", e, text, wrong)
}

func rephrased(n node) node {
	switch n := n.(type) {
	case joined:
		n.l, n.r = rephrased(n.l), rephrased(n.r)
		return n
	case not:
		return not{rephrased(n.x)}
	case relation:
		n.l, n.r = rephrasedArith(n.l), rephrasedArith(n.r)
		return n
	}
	return n
}

func rephrasedArith(a arith) arith {
	switch a := a.(type) {
	case negative:
		return negative{rephrasedArith(a.x)}
	case bytesAt:
		a.at = rephrasedArith(a.at)
		return a
	case operation:
		a.l, a.r = rephrasedArith(a.l), rephrasedArith(a.r)
		if _, ok := constant(a.r); !ok && (a.op == "/" || a.op == "%" || a.op == "<<" || a.op == ">>") {
			a.r = operation{op: "-", l: operation{op: "+", l: number{1}, r: a.r}, r: number{1}}
		}
		return a
	}
	return a
}

// unreadExamples are of the random test, on packets that end before a byte that
// makes no difference. A packet that ends before what a program reads is
// rejected; libpcap's optimizer, which works edge by edge, does not find out
// that these reads are for nothing, and this one does.
var unreadExamples = []struct {
	link        capture.LinkType
	text, means string
}{
	{capture.LinkRaw, "len <= ip[0xffff:2] and icmp and src 10.0.0.2 or 10.0.0.2", "src host 10.0.0.2"},
	{capture.LinkIPv4, "(ip[0xffff] = 1 and udp) or (udp or tcp)", "udp or tcp"},
	{capture.LinkEthernet, "ip6[4000] = 7 and ip6 or ip6", "ip6"},
}

// Where a read is left out it makes no difference on any packet that has the
// byte, and the shorter expression has the same program.
func TestUnread(t *testing.T) {
	for _, c := range unreadExamples {
		a, b := must(Parse(c.text)), must(Parse(c.means))
		d, err := Diff(a, b, Target{Link: c.link})
		if err != nil || d.Verdict != Equivalent {
			t.Errorf("%s / %s: got %+v, %v, want equivalent", c.text, c.means, d, err)
		}
		p, q := must(Compile(a, Target{Link: c.link})), must(Compile(b, Target{Link: c.link}))
		if len(p) != len(q) {
			t.Errorf("%s: %d instructions, %s has %d: a read that makes no difference is still there", c.text, len(p), c.means, len(q))
		}
	}
}
