package filter

import (
	"go/format"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// displayed pairs expressions with their display filters.
var displayed = []struct{ text, want string }{
	{"udp port 67 or 68", "udp.port in {67..68}"},
	{"port 53", "(udp.port == 53 || tcp.port == 53 || sctp.port == 53)"},
	{"tcp src port 80 and dst host 10.0.0.2", "tcp.srcport == 80 && (ip.dst == 10.0.0.2 || arp.dst.proto_ipv4 == 10.0.0.2)"},
	{"not arp and not icmp6", "!arp && !icmpv6"},
	{"net 10.0.0.0/8 or net 2001:db8::/32", "(ip.addr == 10.0.0.0/8 || arp.src.proto_ipv4 == 10.0.0.0/8 || arp.dst.proto_ipv4 == 10.0.0.0/8) || ipv6.addr == 2001:db8::/32"},
	{"ether src 52:54:00:12:34:56", "eth.src == 52:54:00:12:34:56"},
	{"vlan 10 and udp", "vlan.id == 10 && udp"},
	{"tcp[tcpflags] & tcp-syn != 0", "(tcp.flags & 0x02)"},
	{"ip[6:2] & 0x1fff != 0", "ip.frag_offset != 0"},
	{"udp[8:2] = 3", "udp.payload[0:2] == 00:03"},
	{"greater 200 and (udp or tcp port 22)", "frame.len >= 200 && (udp || tcp.port == 22)"},
	{"port 80 or host 10.0.0.1 and udp", "((udp.port == 80 || tcp.port == 80 || sctp.port == 80) || (ip.addr == 10.0.0.1 || arp.src.proto_ipv4 == 10.0.0.1 || arp.dst.proto_ipv4 == 10.0.0.1)) && udp"},
	{"broadcast or multicast", "eth.dst == ff:ff:ff:ff:ff:ff || eth.dst.ig == 1"},
}

func TestWireshark(t *testing.T) {
	for _, c := range displayed {
		got, err := Wireshark(must(Parse(c.text)))
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	if got, err := Wireshark(must(Parse("ip[2:2] - 20 > 8"))); err == nil {
		t.Errorf("got %q for arithmetic, want an error", got)
	}
}

// tshark takes the display filters, and on an untagged capture they choose the
// frames that the expression chooses.
func TestWiresharkAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("starts tshark a dozen times; not in -short")
	}
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	file := filepath.Join("..", "..", "testdata", "pcap", "healthy-boot.pcap")
	for _, c := range displayed {
		out, err := exec.Command(tshark, "-n", "-o", "ip.defragment:false", "-r", file, "-Y", c.want, "-T", "fields", "-e", "frame.number").Output()
		if err != nil {
			t.Errorf("%s: tshark refuses %q: %v", c.text, c.want, err)
			continue
		}
		match := must(Match(must(Parse(c.text)), capture.LinkEthernet))
		src := must(pcapfile.Open([]string{file}, pcapfile.Options{}))
		var want []string
		var p capture.Packet
		for src.Next(&p) == nil {
			if match(p.Data, p.WireLen) {
				want = append(want, strconv.FormatUint(uint64(p.ID.Number()), 10))
			}
		}
		src.Close()
		if got := strings.Fields(string(out)); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: tshark shows frames %v with %q, the expression keeps %v", c.text, got, c.want, want)
		}
	}
}

func TestNft(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"udp port 67 or 68", []string{"udp sport 67-68", "udp dport 67-68"}},
		{"udp dst port 69 and src net 10.0.0.0/8", []string{"udp dport 69 ip saddr 10.0.0.0/8"}},
		{"port 53", []string{"meta l4proto { tcp, udp, sctp } th sport 53", "meta l4proto { tcp, udp, sctp } th dport 53"}},
		{"arp or icmp", []string{"meta protocol arp", "meta l4proto 1"}},
		{"tcp dst port 80 or 443 and not src host 10.0.0.1", []string{"tcp dport { 80, 443 } ip saddr != 10.0.0.1"}},
		{"not tcp port 22", []string{"meta l4proto tcp th sport != 22 th dport != 22", "meta l4proto != tcp"}},
		{"not (udp or tcp)", []string{"meta l4proto != 17 meta l4proto != 6"}},
		{"not (udp and host 10.0.0.1)", []string{"meta l4proto != 17", "ip saddr != 10.0.0.1 ip daddr != 10.0.0.1"}},
		{"ip[6:2] & 0x1fff != 0", []string{"meta protocol ip @nh,48,16 & 0x1fff != 0x0"}},
		{"stp or rarp", []string{"meta protocol 0x4 @nh,0,8 0x42", "meta protocol 0x8035"}},
		{"icmp6[0] >= 133", []string{"meta l4proto ipv6-icmp @th,0,8 >= 0x85"}},
		{"ether proto 0x88cc", []string{"meta protocol 0x88cc"}},
	} {
		got, err := Nft(must(Parse(c.text)))
		if want := strings.Join(c.want, "\n") + "\n"; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", c.text, got, err, want)
		}
	}
	for _, text := range []string{"vlan", "not stp", "len - 4 > 3", "mpls 3"} {
		if got, err := Nft(must(Parse(text))); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
	long := strings.Repeat("(udp or tcp) and ", 12) + "icmp"
	if _, err := Nft(must(Parse(long))); err == nil || !strings.Contains(err.Error(), "256") {
		t.Errorf("got %v, want the limit of rules", err)
	}
}

// Quoting survives a shell, whatever the text.
// What is pasted into a source file is as gofmt leaves it, and parses.
func TestGoSource(t *testing.T) {
	for _, text := range []string{"udp port 69", "tcp[13] & 2 != 0 or ip6", "len > 1000"} {
		src := "var p = " + GoSource(must(Compile(must(Parse(text)), Ethernet)))
		got, err := format.Source([]byte(src))
		if err != nil || string(got) != src {
			t.Errorf("%s: %v; got\n%s\nwant\n%s", text, err, src, got)
		}
	}
}

func TestShellQuote(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	for _, text := range []string{"udp port 69", "a'b", "$(reboot)", "`x` \\ \"y\" !z", "''"} {
		out, err := exec.Command(sh, "-c", "printf %s "+ShellQuote(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q: the shell reads %q, %v", text, out, err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	f := dhcpFrame()
	for _, text := range []string{"udp port 69", "udp port 67 or 68 or 69 or 4011 or 53 or 123 or 111 or 2049 or tcp port 80 or 443 or 5240 or 5248 or 3128 or 8000"} {
		match := must(Match(must(Parse(text)), capture.LinkEthernet))
		b.Run(strconv.Itoa(len(text)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				match(f, len(f))
			}
		})
	}
}
