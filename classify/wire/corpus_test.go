package wire_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/wire"
)

// corpusDir is the corpus of real captures beside the module.
func corpusDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus")
	if _, err := os.Stat(filepath.Join(dir, "INDEX.tsv")); err != nil {
		t.Skip("no corpus at ../shared/corpus beside the module: real captures are not checked")
	}
	return dir
}

// corpusFiles are the captures that the corpus lists, in order.
func corpusFiles(t testing.TB, dir string) []string {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		files = append(files, name)
	}
	slices.Sort(files)
	return files
}

// decodeFile calls each for every packet of a file and asserts that both ways
// of Decode agree. A file that the reader refuses has none; of a damaged one the
// packets before the damage count.
func decodeFile(t testing.TB, path string, each func(p *capture.Packet, f *wire.Frame)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	r, err := pcapfile.NewReader(in)
	if err != nil {
		return
	}
	w := newTwoWays()
	var p capture.Packet
	for r.Next(&p) == nil {
		each(&p, w.decode(t, &p))
	}
}

// A truth is what tshark says of a file, as far as it is about decoding.
type truth struct {
	Packets    int            `json:"packets"`
	VLAN       int            `json:"vlan_frames"`
	Fragments  int            `json:"ip_fragment_frames"`
	Dissectors map[string]int `json:"frames_by_dissector"`
}

func readTruth(t testing.TB, dir, name string) (x truth) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "truth", strings.ReplaceAll(name, "/", "__")+".json"))
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err != nil {
		t.Fatalf("truth of %s: %v", name, err)
	}
	return x
}

// notComparable are dissectors below which tshark reads packets that Decode
// does not: other tunnels, other link types, decompression. Counts of files
// with these are not compared.
var notComparable = []string{
	"gtp", "teredo", "l2tp", "wg", "sflow", "ipcomp", "nsh", "cmd", "macsec", "etherip", "pktap",
	"radiotap", "wlan", "ppi", "nflog", "arcnet", "tr", "fddi", "fr", "chdlc", "slip",
}

// corpusDiffers explains the files whose counts differ from tshark's.
var corpusDiffers = map[string]string{
	"pcapplusplus/NullLoopback.pcap":     "tshark takes the loopback header 0f000800 for Cisco HDLC",
	"pcapplusplus/null_loopback.pcap":    "tshark takes the loopback header 0f000800 for Cisco HDLC",
	"pcapplusplus/igmplayer":             "tshark takes the file for a pcap with larger record headers",
	"tcpdump/LINKTYPE_IPV6_invalid.pcap": "IPv4 in link type IPV6, which tshark refuses",
	"tcpdump/arp-too-long-tha.pcap":      "tshark does not count an 802.1ad tag as a VLAN",
	"tcpdump/ip_printroute_asan.pcap":    "IP header cut: tshark reports the fragment fields, Decode stops before",
}

func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	names, frames, compared := corpusFiles(t, dir), 0, 0
	for _, name := range names {
		got := truth{Dissectors: make(map[string]int)}
		tunnels := 0
		decodeFile(t, filepath.Join(dir, name), func(p *capture.Packet, f *wire.Frame) {
			checkFrame(t, p, f)
			countFrame(&got, f)
			if f.Tunnel != wire.NoTunnel {
				tunnels++
			}
		})
		frames += got.Packets
		want := readTruth(t, dir, name)
		// Another number of packets is a matter of reading the file.
		if got.Packets != want.Packets || slices.ContainsFunc(notComparable, func(d string) bool { return want.Dissectors[d] > 0 }) {
			continue
		}
		same := got.Fragments == want.Fragments && (got.VLAN == want.VLAN || tunnels > 0) // an outer tag is not in the frame
		for _, d := range []string{"arp", "tcp", "udp", "icmp", "icmpv6"} {
			same = same && got.Dissectors[d] == want.Dissectors[d]
		}
		why, known := corpusDiffers[name]
		switch {
		case !same && !known:
			t.Errorf("%s: got %+v, tshark says %+v", name, got, want)
		case same && known:
			t.Errorf("%s: agrees with tshark, but is listed as different: %s", name, why)
		case same:
			compared += got.Packets
		}
	}
	t.Logf("%d files, %d frames, %d frames in files that agree with tshark", len(names), frames, compared)
	if compared < 70000 {
		t.Errorf("got %d frames in files that agree with tshark, want most of the corpus", compared)
	}
}

// countFrame counts as truth does: a frame once for each protocol in it, also
// in what an ICMP error quotes.
func countFrame(x *truth, f *wire.Frame) {
	x.Packets++
	if f.TagCount > 0 {
		x.VLAN++
	}
	if f.Fragment != wire.Whole && f.IPVersion == 4 {
		x.Fragments++
	}
	if f.EtherType == wire.EtherARP || f.EtherType == 0x8035 {
		x.Dissectors["arp"]++
	}
	seen := make(map[uint8]bool)
	// tshark reads a first fragment where it cannot hope for the others.
	if f.Fragment == wire.Whole || f.Fragment == wire.Reassembled || f.Fragment == wire.First && f.Cut() {
		seen[f.Proto] = true
	}
	if f.ICMP.HasQuote {
		seen[f.ICMP.Quote.Proto] = true
	}
	if f.Tunnel == wire.VXLAN || f.Tunnel == wire.Geneve {
		seen[wire.ProtoUDP] = true
	}
	for proto, name := range map[uint8]string{wire.ProtoTCP: "tcp", wire.ProtoUDP: "udp", wire.ProtoICMP: "icmp", wire.ProtoICMPv6: "icmpv6"} {
		if seen[proto] {
			x.Dissectors[name]++
		}
	}
}
