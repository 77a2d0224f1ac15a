package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// liveExamples meet the tag beside the packet, inside it, and both.
var liveExamples = []string{
	"vlan", "not vlan", "vlan 10", "vlan 100", "not vlan 10",
	"vlan and udp port 67", "vlan 10 and udp port 67", "udp port 67", "udp port 67 or (vlan and udp port 67)",
	"udp port 67 or (vlan and udp port 67) or (vlan and udp port 67)", "(vlan and udp port 67) or udp port 67",
	"vlan and vlan", "vlan 10 and vlan 100", "vlan and vlan and ip", "vlan 10 and host 10.0.0.1", "vlan and arp", "arp or (vlan and arp)",
	"vlan and ip6", "vlan and tcp[tcpflags] & tcp-syn != 0", "vlan and ether[12:2] = 0x800", "vlan and ether dst ff:ff:ff:ff:ff:ff",
	"vlan or ip", "ip or vlan", "vlan and mpls and ip", "vlan and pppoes and ip", "not vlan and ip", "vlan 0", "vlan and less 100",
}

// On a live socket the outermost tag is beside the packet. The golden programs
// are those of tcpdump on a real interface, not optimized: libpcap's optimizer
// loses where the header is when a tag is beside a packet that has another.
func TestTruthLive(t *testing.T) {
	const name = "testdata/live.golden"
	if *update {
		var b bytes.Buffer
		for _, x := range liveExamples {
			out, err := exec.Command("tcpdump", "-O", "-i", "lo", "-ddd", "--", x).Output()
			if err != nil {
				t.Skipf("tcpdump on lo needs CAP_NET_RAW: %v", err)
			}
			fmt.Fprintf(&b, "%s\t%s\n", x, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", ","))
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")
	if len(lines) != len(liveExamples) {
		t.Fatalf("%d golden programs, %d examples; run with -update", len(lines), len(liveExamples))
	}
	all := frames(t, 3, capture.LinkEthernet, 3000)
	matched := 0
	for i, line := range lines {
		text, program, _ := strings.Cut(line, "\t")
		if text != liveExamples[i] {
			t.Fatalf("%s is for %q, want %q; run with -update", name, text, liveExamples[i])
		}
		want, err := parseDecimal(program)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Compile(e, Target{Link: capture.LinkEthernet, Live: true})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, f := range all {
			if f.cut {
				continue
			}
			for _, meta := range []beside{{}, {vlan: true, tci: 10}, {vlan: true, tci: 0x6064}} {
				w := execute(want, f.data, f.wireLen, meta) != 0
				if g := execute(got, f.data, f.wireLen, meta) != 0; g != w {
					t.Fatalf("%s: got %v, want %v with %+v on % x\n%swant:\n%s", text, g, w, meta, f.data, Listing(got), Listing(want))
				}
				if w {
					matched++
				}
			}
		}
	}
	if matched < 1000 {
		t.Errorf("%d matches prove little", matched)
	}
}

// A tagged frame keeps or loses its tag on the way to the socket: a filter
// with vlan for live sees both the same way.
func TestLiveStripped(t *testing.T) {
	e, err := Parse("vlan 10 and udp port 67")
	if err != nil {
		t.Fatal(err)
	}
	live, err := Compile(e, Target{Link: capture.LinkEthernet, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	file, err := Compile(e, Ethernet)
	if err != nil {
		t.Fatal(err)
	}
	tagged := dhcpFrame(10)
	stripped := append(append([]byte(nil), tagged[:12]...), tagged[16:]...)
	tci := binary.BigEndian.Uint16(tagged[14:])
	for _, c := range []struct {
		name string
		got  uint32
		want bool
	}{
		{"file, tag inside", execute(file, tagged, len(tagged), beside{}), true},
		{"file program, tag beside", execute(file, stripped, len(stripped), beside{true, tci}), false},
		{"live, tag beside", execute(live, stripped, len(stripped), beside{true, tci}), true},
		{"live, another tag beside", execute(live, stripped, len(stripped), beside{true, 11}), false},
		{"live, tag inside", execute(live, tagged, len(tagged), beside{}), true},
	} {
		if (c.got != 0) != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got != 0, c.want)
		}
	}
}

// Errors carry a position that counts characters, and a hint where one is known.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		text     string
		position int
		msg      string
		hint     string
	}{
		{"", 1, "empty", ""},
		{"udp port", 9, "ends where a port number", ""},
		{"udp port 69 and", 16, "ends where", ""},
		{"(udp port 69", 13, "')'", ""},
		{"udp port 69)", 12, "unexpected \")\"", ""},
		{"udp port 70000", 10, "65535 is the largest", ""},
		{"udp port tftp", 10, "service names are not supported", "udp port 69"},
		{"port bootps", 6, "service names", "udp port 67"},
		{"port nosuch", 6, "service names", "pxescope catalog"},
		{"host rack.example", 6, "names are not looked up", "address"},
		{"(udp", 5, "ends where ')'", ""},
		{"()", 2, "a filter term", ""},
		{"80", 3, "a comparison", "port 80"},
		{"52:54:00:12:34:56", 1, "needs a word before it", "ether host 52:54:00:12:34:56"},
		{"UDP port 69", 1, "needs a word before it", "'udp'"},
		{"udp prt 69", 5, "unexpected \"prt\"", "'port'"},
		{"tftp", 1, "needs a word before it", "pxescope filter tftp"},
		{"nosuch", 1, "needs a word before it", "host, net, port"},
		{"port 67,68", 8, "unexpected ','", "port 67 or 68"},
		{"host '10.0.0.1'", 6, "unexpected '\\''", "shell"},
		{"host $HOST", 6, "unexpected '$'", "double quotes"},
		{"ip proto udp", 10, "a protocol number", `\udp`},
		{"udp net 10", 9, "does not go with", "udp and net 10"},
		{"icmp6 host fe80::1", 12, "does not go with", "icmp6 and host fe80::1"},
		{"ip host fe80::1", 9, "does not go with", "write 'host fe80::1'"},
		{"carp", 1, "not supported", "ip proto"},
		{"vpi 5", 1, "not supported", "ATM"},
		{"type mgt", 1, "not supported", "802.11"},
		{"tcp and 80", 9, "needs a word before it", "port 80"},
		{"10.0.0.1", 1, "needs a word before it", "host 10.0.0.1"},
		{"tcp host 10.0.0.1", 10, "does not go with", "tcp and host 10.0.0.1"},
		{"host 10.0.0.1/8", 6, "goes with 'net'", "net 10.0.0.0/8"},
		{"net 10.0.0.1/8", 5, "outside its mask", "10.0.0.0"},
		{"net 10.0.0.0/33", 14, "at most 32", ""},
		{"host 10.0.0.256", 6, "not an IPv4 address", ""},
		{"net 2001:db8::1/32", 5, "outside its prefix", ""},
		{"ip broadcast", 4, "netmask", "255.255.255.255"},
		{"gateway rack", 1, "'gateway' is not supported", ""},
		{"ip6 protochain 17", 5, "'protochain' is not supported", ""},
		{"vlan 5000", 6, "4095 is the largest", ""},
		{"mpls and arp", 0, "after 'mpls'", "left"},
		{"mpls and vlan", 0, "cannot follow 'mpls'", "left"},
		{"udp or inbound", 8, "\"inbound\" is not supported", "interface"},
		{"geneve", 1, "not supported", "6081"},
		{"udp[8:3] = 1", 7, "1, 2 or 4", ""},
		{"udp[8] << 32 = 1", 11, "31 is the most", ""},
		{"udp[8] / 0 = 1", 10, "division by zero", ""},
		{"udp[8", 6, "']'", ""},
		{"udp[8]", 7, "a comparison", ""},
		{"ah[0] = 1", 1, "cannot be addressed", ""},
		{"ether[4294967295] = 1", 1, "beyond every packet", ""},
		{"port 67-69", 6, "not a port", "portrange 67-69"},
		{"portrange http", 11, "not a range", ""},
		{"ether host 10.0.0.1", 12, "needs an Ethernet address", ""},
		{"host 52:54:00:12:34:56", 6, "needs 'ether host'", ""},
		{"udp port 69 ; reboot", 13, "unexpected ';'", ""},
		{"ü and udp", 1, "unexpected 'ü'", ""},
		{"udp port 08", 10, "not a number", "octal"},
		{strings.Repeat("(", 200) + "udp" + strings.Repeat(")", 200), 0, "nested more than", ""},
		{"ip and vlan", 0, "rejects every packet", ""},
		{strings.Repeat("host 10.0.0.1 and ", 4000) + "udp", 0, "at most 65536 bytes", ""},
	} {
		name := c.text[:min(len(c.text), 40)]
		e, err := Parse(c.text)
		if err == nil {
			_, err = Compile(e, Ethernet)
		}
		var got *Error
		if !errors.As(err, &got) {
			t.Errorf("%q: got %v, want an *Error", name, err)
			continue
		}
		if c.position != 0 && got.Position != c.position {
			t.Errorf("%q: got position %d, want %d (%v)", name, got.Position, c.position, err)
		}
		if !strings.Contains(got.Msg, c.msg) {
			t.Errorf("%q: got %q, want %q", name, got.Msg, c.msg)
		}
		if !strings.Contains(got.Hint, c.hint) {
			t.Errorf("%q: got the hint %q, want %q", name, got.Hint, c.hint)
		}
	}
}
