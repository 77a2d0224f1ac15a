package filter

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

func diffOf(t testing.TB, a, b string, target Target) *Difference {
	t.Helper()
	d, err := Diff(must(Parse(a)), must(Parse(b)), target)
	if err != nil {
		t.Fatalf("%s / %s: %v", a, b, err)
	}
	return d
}

// Filters that are equal by construction are found equal, others not, with a
// packet that shows it.
func TestDiff(t *testing.T) {
	live := Target{Link: capture.LinkEthernet, Live: true}
	for _, c := range []struct {
		name, a, b string
		on         Target
		want       Verdict
		words      string // of the witness
	}{
		{"the same", "udp port 69", "udp port 69", Ethernet, Equivalent, ""},
		{"other order", "udp port 69 or tcp port 80", "tcp port 80 or udp port 69", Ethernet, Equivalent, ""},
		{"other order of and", "host 10.0.0.1 and udp", "udp and host 10.0.0.1", Ethernet, Equivalent, ""},
		{"De Morgan", "not (udp port 69 or arp)", "not udp port 69 and not arp", Ethernet, Equivalent, ""},
		{"De Morgan of and", "not (src host 10.0.0.1 and dst port 53)", "not src host 10.0.0.1 or not dst port 53", Ethernet, Equivalent, ""},
		{"range", "udp portrange 67-69", "udp port 67 or udp port 68 or udp port 69", Ethernet, Equivalent, ""},
		{"range cut in two", "portrange 1000-3000", "portrange 1000-1999 or portrange 2000-3000", Ethernet, Equivalent, ""},
		{"comparison", "len > 99", "greater 100", Ethernet, Equivalent, ""},
		{"bytes for a name", "udp", "ip proto 17 or (ip6 and (ip6[6] = 17 or (ip6[6] = 44 and ip6[40] = 17)))", Ethernet, Equivalent, ""},
		{"bytes of other sizes", "ip[12:4] = 0x0a000001", "ip[12:2] = 0x0a00 and ip[14:2] = 1", Ethernet, Equivalent, ""},
		{"bit and range", "ip[8] & 0x80 != 0", "ip[8] >= 128", Ethernet, Equivalent, ""},
		{"net and its halves", "net 10.0.0.0/8", "net 10.0.0.0/9 or net 10.128.0.0/9", Ethernet, Equivalent, ""},
		{"nothing", "tcp and udp", "arp and ip", Ethernet, Equivalent, ""},
		{"both ends", "udp src and dst port 67", "udp src port 67 and udp dst port 67", Ethernet, Equivalent, ""},
		{"raw", "ip and port 53", "port 53 and ip", Target{Link: capture.LinkRaw}, Equivalent, ""},
		{"live tag", "arp or vlan 5", "not (not arp and not vlan 5)", live, Equivalent, ""},
		{"one protocol less", "udp port 69", "port 69", Ethernet, Different, "IPv4, TCP, 10.0.0.57 port 49300 > 10.0.0.2 port 69"},
		{"other hosts", "port 80 or port 443 and host 10.0.0.2", "port 80 or (port 443 and host 10.0.0.2)", Ethernet, Different, "192.0.2.57"},
		{"no address", "ip6", "ip6 and not ip6 proto 6", Ethernet, Different, "2001:db8::57 > 2001:db8::2"},
		{"vlan on the wrong side", "udp port 69 or (vlan and udp port 69)", "(vlan and udp port 69) or udp port 69", Ethernet, Different, "TFTP"},
		{"tag", "vlan 5", "vlan", Ethernet, Different, "VLAN"},
		{"one tag", "vlan 5", "vlan and not vlan 6", Ethernet, Different, "VLAN"},
		{"live, one tag", "vlan 5", "vlan 6", live, Different, ""},
		{"later fragments", "udp port 69", "udp port 69 or ip[6:2] & 0x1fff != 0", Ethernet, Different, "ragment"},
		{"one fragment offset", "ip[6:2] & 0x1fff = 0", "ip[6:2] & 0x1ffe = 0", Ethernet, Different, "fragment at byte 8"},
		{"extension header", "ip6[6] = 17", "ip6 proto 17", Ethernet, Different, "IPv6"},
		{"one port", "udp portrange 60000-60010", "udp portrange 60000-60009", Ethernet, Different, "port 60010"},
		{"one address", "src net 10.9.0.0/16", "src net 10.9.0.0/16 and not src host 10.9.255.255", Ethernet, Different, "10.9.255.255 port 0 >"},
		{"one length", "len > 1000", "len > 1001", Ethernet, Different, "1001 bytes"},
		{"options", "udp[0:2] = 4000", "ip[20:2] = 4000 and udp and ip[6:2] & 0x1fff = 0", Ethernet, Different, "IPv4, UDP"},
		{"one and nothing", "ip6 host 2001:db8::5", "tcp and udp", Ethernet, Different, "2001:db8::5"},
		{"arithmetic, found by trying", "udp[4:2] - 8 > 5", "udp[4:2] - 8 > 50000", Ethernet, Different, ""},
		{"arithmetic that says the same", "ip[0] + 1 > 5", "ip[0] + 2 > 6", Ethernet, Equivalent, ""},
		{"flags by name", "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn", "tcp[13] & 0x12 = 2", Ethernet, Equivalent, ""},
		{"flags as single bits", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[13] & 2 = 2 or tcp[13] & 1 = 1", Ethernet, Equivalent, ""},
		{"flags, both and one", "tcp[tcpflags] & (tcp-syn|tcp-fin) = (tcp-syn|tcp-fin)", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", Ethernet, Different, "packet 1"},
		{"flags, exactly", "tcp[tcpflags] = tcp-syn", "tcp[tcpflags] & tcp-syn != 0", Ethernet, Different, "packet 2"},
		{"no fragment", "ip[6:2] & 0x1fff = 0", "not ip[6:2] & 0x1fff != 0 and ip", Ethernet, Equivalent, ""},
		{"any fragment", "ip[6:2] & 0x3fff != 0", "ip[6] & 0x20 != 0 or ip[6:2] & 0x1fff > 0", Ethernet, Equivalent, ""},
		{"options by length", "ip[0] & 0xf > 5", "ip[0] & 0xf >= 6", Ethernet, Equivalent, ""},
		{"options by bytes", "(ip[0] & 0xf) << 2 > 20", "ip[0] & 15 != 5 and ip[0] & 15 > 4", Ethernet, Equivalent, ""},
		{"TCP header length", "tcp[12] >> 4 > 5", "tcp[12] & 0xf0 > 0x50", Ethernet, Equivalent, ""},
		{"TCP header length, one less", "tcp[12] >> 4 > 5", "tcp[12] & 0xf0 >= 0x50", Ethernet, Different, "packet 3"},
		{"TCP payload, two ways", "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", "tcp[(tcp[12] >> 4) * 4:4] = 0x47455420", Ethernet, Equivalent, ""},
		{"TCP payload, another place", "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420", "tcp[20:4] = 0x47455420", Ethernet, Different, ""},
		{"the payload filter of the manual", "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", "tcp port 80 and ip[2:2] - ((tcp[12]&0xf0)>>2) - ((ip[0]&0xf)<<2) != 0", Ethernet, Unknown, ""},
		{"two bytes of arithmetic", "udp[4:2] - 8 > 0", "udp[4:2] != 8", Ethernet, Equivalent, ""},
		{"a wrap", "udp[4:2] - 8 > 5", "udp[4:2] > 13", Ethernet, Different, "UDP"},
		{"swapped sides", "udp[0:2] > udp[2:2]", "udp[2:2] < udp[0:2]", Ethernet, Equivalent, ""},
		{"swapped and negated", "udp[0:2] > udp[2:2]", "not udp[0:2] <= udp[2:2] and ip proto 17 and ip[6:2] & 0x1fff = 0", Ethernet, Equivalent, ""},
		{"even ports", "udp[0:2] % 2 = 0", "udp[1] & 1 = 0", Ethernet, Equivalent, ""},
		{"a division that fails", "ip and 10 / ip[8] > 1", "ip[8] <= 5", Ethernet, Different, ""},
		{"the same division", "ip and 10 / ip[8] > 1", "ip[8] <= 5 and ip[8] > 0", Ethernet, Equivalent, ""},
		{"moved by vlan", "vlan 5 or arp", "arp or vlan 5", live, Different, "ARP"},
		{"the same arithmetic", "ip[0] + 1 > 5 or arp", "arp or ip[0] + 1 > 5", Ethernet, Equivalent, ""},
		{"a payload byte first", "udp[100] = 1 or udp port 69", "udp port 69 or udp[100] = 1", Ethernet, Different, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := diffOf(t, c.a, c.b, c.on)
			if d.Verdict != c.want {
				t.Fatalf("%s / %s: got %s (%s), want %s: %+v", c.a, c.b, d.Verdict, d.Why, c.want, d.Witness)
			}
			if (d.Witness != nil) != (c.want == Different) || (d.Why != "") != (c.want == Unknown) {
				t.Errorf("got witness %+v, why %q", d.Witness, d.Why)
			}
			if d.Witness != nil && !strings.Contains(d.Witness.Text, c.words) {
				t.Errorf("%s / %s: got %q, want %q in it", c.a, c.b, d.Witness.Text, c.words)
			}
			for _, w := range []*Witness{d.Witness, d.Short} {
				checkWitness(t, c.a, c.b, c.on, w)
			}
		})
	}
	if d := diffOf(t, "src host 10.0.0.1 or dst port 5", "dst port 5 or src host 10.0.0.1", Ethernet); d.Verdict != Equivalent || d.Short == nil {
		t.Errorf("got %s, short %v, want equivalent but for packets that end early", d.Verdict, d.Short)
	}
}

// checkWitness holds a witness against programs compiled apart from each other.
func checkWitness(t testing.TB, a, b string, on Target, w *Witness) {
	t.Helper()
	if w == nil {
		return
	}
	keeps := func(text string) bool {
		p, err := Compile(must(Parse(text)), on)
		if err != nil {
			return false // rejects all
		}
		return execute(p, w.Data, len(w.Data), beside{w.Beside, w.TCI}) != 0
	}
	if keeps(a) != w.A || keeps(b) != w.B || w.A == w.B {
		t.Errorf("%s / %s: said to be kept by A %v, B %v; got %v, %v: % x", a, b, w.A, w.B, keeps(a), keeps(b), w.Data)
	}
}

// What is said to be equivalent is never refuted by a frame. Half of the pairs
// are equal by logic and not by form, so that only a walk of the paths proves it.
func TestDiffRandom(t *testing.T) {
	count := fromEnv(t, "FILTER_DIFF_PAIRS", 500)
	pool := frames(t, 3, capture.LinkEthernet, fromEnv(t, "FILTER_DIFF_FRAMES", 20000))
	r := maker{rand.New(rand.NewPCG(5, uint64(fromEnv(t, "FILTER_TRUTH_SEED", 6))))}
	program := func(e *Expr) []bpf.RawInstruction { // that may reject everything
		return must(emit(must(decide([]Clause{{Expr: e}}, Ethernet))))
	}
	var n [3]int
	equal, walked, missed := 0, 0, 0
	for range count {
		a, x := r.expression(), r.expression()
		b, same := x, true
		switch r.IntN(9) {
		case 0:
			b = "not (not (" + a + "))"
		case 1:
			b = "(" + a + ") and (" + a + ")"
		case 2:
			a, b = "("+a+") or ("+b+")", "not (not ("+a+") and not ("+b+"))"
		case 3:
			b = "((" + a + ") and (" + x + ")) or ((" + a + ") and not (" + x + "))"
		case 4:
			b = "((" + x + ") or (" + a + ")) and (not (" + x + ") or (" + a + "))"
		case 5:
			a, b = "("+a+") and ("+x+")", "("+x+") and ("+a+")"
		case 6:
			a, b = "("+a+") or ("+x+")", "("+x+") or ("+a+")"
		default:
			same = false
		}
		if strings.Contains(a+b, "vlan") || strings.Contains(a+b, "mpls") || strings.Contains(a+b, "pppoes") {
			same = false // these mean something else in another place
		}
		ea, errA := Parse(a)
		eb, errB := Parse(b)
		if errA != nil || errB != nil {
			continue
		}
		d, err := Diff(ea, eb, Ethernet)
		if err != nil {
			continue // a term that the link type does not have
		}
		n[d.Verdict]++
		checkWitness(t, a, b, Ethernet, d.Witness)
		checkWitness(t, a, b, Ethernet, d.Short)
		if same && d.Verdict == Different && len(d.Witness.Data) >= 300 {
			t.Errorf("said to differ on %d bytes, but are equal:\n%s\n%s\n%s", len(d.Witness.Data), a, b, d.Witness.Text)
		}
		if d.Verdict == Unknown && same {
			missed++
		}
		if d.Verdict != Equivalent {
			continue
		}
		equal++
		if d.Steps > 0 {
			walked++
		}
		pa, pb := program(ea), program(eb)
		for _, f := range pool {
			ka, allA := run(pa, f.data, f.wireLen, beside{})
			kb, allB := run(pb, f.data, f.wireLen, beside{})
			if allA && allB && (ka != 0) != (kb != 0) { // else it ends before what is read: see Short
				t.Errorf("said to be equivalent, but differ:\n%s\n%s\n% x", a, b, f.data)
				break
			}
		}
	}
	t.Logf("unknown %d (of pairs that are equal %d), equivalent %d (%d by walking the paths), different %d", n[Unknown], missed, equal, walked, n[Different])
	if walked < count/10 || n[Different] < count/10 {
		t.Errorf("the sample proves nothing: %v, %d walked", n, walked)
	}
}
