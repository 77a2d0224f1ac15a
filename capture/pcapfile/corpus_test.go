package pcapfile

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

const corpus = "../../../shared/corpus"

// truth is what tshark says of a capture; its times are those of the earliest
// and latest frame that has one.
type truth struct {
	Packets   uint64
	FirstTime float64 `json:"first_time"`
	LastTime  float64 `json:"last_time"`
	LinkTypes []string
	Exit      int `json:"tshark_exit"`
}

// Where we and tshark differ on purpose, and what we say.
var differs = map[string]struct {
	packets uint64
	why     string
}{
	"gopacket/pcapgo__tests__be__test018.pcapng": {4, "tshark counts custom blocks as frames: 8"},
	"gopacket/pcapgo__tests__le__test018.pcapng": {4, "tshark counts custom blocks as frames: 8"},
	"tcpdump/bgp_vpn_rt-oobr.pcap":               {1, "37 zero headers follow: never written, not 37 packets in 1970"},
	// tshark does not know the link type and shows nothing; tcpdump counts these.
	"libpcap/filter__brcm-tag-stp.pcap":             {4, "link type"},
	"libpcap/filter__brcm-tag.pcap":                 {15, "link type"},
	"libpcap/linktype-reserved-field-not-zero.pcap": {0, "a header without packets, whose reserved bits tshark refuses"},
	"tcpdump/brcm-tag-prepend.pcap":                 {15, "link type"},
	"tcpdump/brcm-tag.pcap":                         {23, "link type"},
	"tcpdump/dsa-high-vid.pcap":                     {4, "link type"},
	"tcpdump/dsa.pcap":                              {8, "link type"},
	"tcpdump/edsa-high-vid.pcap":                    {4, "link type"},
	"tcpdump/edsa.pcap":                             {10, "link type"},
	"tcpdump/frf16_magic_ie-oobr.pcap":              {1, "link type"},
	"tcpdump/hoobr_juniper3.pcap":                   {1, "link type"},
	"tcpdump/juniper_es_oobr.pcap":                  {1, "link type"},
	"tcpdump/kday6.pcap":                            {1, "link type"},
	"tcpdump/vtp_asan.pcap":                         {4, "link type; and one zero header at the end is no packet"},
}

// strangeTimes have fractions of more than a second, which wrap around in
// tshark, or one timestamp far beyond the year 2116, which we cap. tshark takes
// igmplayer for an old variant of pcap; tcpdump and we do not.
var strangeTimes = []string{
	"ndpi/fuzz-2021-06-07-c6c72a0a56.pcap",
	"ndpi/fuzz-2021-10-13.pcap",
	"pcapplusplus/crash-eec28dafde1f1ac2299674a75a914ae16d4046fa",
	"pcapplusplus/igmplayer",
	"pcapplusplus/pcapng-example.pcapng",
	"tcpdump/atm-oam-loopback-print-overrun.pcap",
	"tcpdump/rx_serviceid_oobr.pcap",
	"tcpdump/timestamp_invalid_micro.pcap",
	"tcpdump/timestamp_invalid_nano.pcap",
}

func TestCorpus(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(corpus, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus of real captures is not beside the project")
	}
	files := 0
	for _, line := range strings.Split(string(index), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		if name == "" {
			continue
		}
		files++
		t.Run(name, func(t *testing.T) { checkCorpus(t, name) })
	}
	if files < 755 {
		t.Errorf("got %d files in the corpus, want 755", files)
	}
}

func checkCorpus(t *testing.T, name string) {
	var want truth
	js, err := os.ReadFile(filepath.Join(corpus, "truth", strings.Replace(name, "/", "__", 1)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(js, &want); err != nil {
		t.Fatal(err)
	}
	if d, ok := differs[name]; ok {
		want.Packets = d.packets
	}
	tl, err := Open([]string{filepath.Join(corpus, name)}, Options{})
	if err != nil {
		t.Logf("%v", err)
		if want.Packets != 0 {
			t.Fatalf("got %v, want %d packets", err, want.Packets)
		}
		return
	}
	defer tl.Close()
	var p capture.Packet
	var number, packets uint64
	var last capture.Time
	for {
		err := tl.Next(&p)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.ID.Number() <= number && len(tl.Interfaces()) == 1 && p.Time < last {
			t.Fatalf("frame %d of %d after %d of %d", p.ID.Number(), p.Time, number, last)
		}
		number, last = p.ID.Number(), p.Time
		packets++
	}
	files := tl.Files()
	if len(files) != 1 {
		t.Fatalf("got %d files, want 1", len(files))
	}
	f := files[0]
	if f.Packets != want.Packets || packets != want.Packets {
		t.Errorf("got %d packets and %d in FileInfo, want %d (damage %q)", packets, f.Packets, want.Packets, f.Damage)
	}
	if f.Damage != "" {
		t.Logf("damage: %s", f.Damage)
	}
	if (f.Damage != "") != (want.Exit != 0) && differs[name].why == "" {
		t.Errorf("got damage %q, tshark's exit status is %d", f.Damage, want.Exit)
	}
	if want.FirstTime != 0 && !slices.Contains(strangeTimes, name) {
		first, last := float64(f.First)/1e9, float64(f.Last)/1e9
		if math.Abs(first-want.FirstTime) > 2e-6 || math.Abs(last-want.LastTime) > 2e-6 {
			t.Errorf("got %.6f to %.6f, want %.6f to %.6f", first, last, want.FirstTime, want.LastTime)
		}
	}
	var links []string
	for _, l := range f.Links {
		links = append(links, strconv.Itoa(int(l)))
	}
	slices.Sort(links)
	var wantLinks []string
	for _, l := range want.LinkTypes {
		wantLinks = append(wantLinks, regexp.MustCompile(`\d+`).FindString(l[strings.Index(l, "("):]))
	}
	slices.Sort(wantLinks)
	if f.Format == "snoop" {
		wantLinks = []string{"1"} // the script does not read snoop headers
	}
	if !slices.Equal(links, wantLinks) {
		t.Errorf("got link types %v, want %v", links, wantLinks)
	}
}
