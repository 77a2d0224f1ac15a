package dhcp

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// views is what the views read from a capture, in the form of the corpus's
// truth: tshark's word for the same.
type views struct {
	ByType  map[string]int
	Servers map[string]serverView
	PXE     pxeView
}

type serverView struct {
	Offers int      `json:"offers"`
	Acks   int      `json:"acks"`
	Naks   int      `json:"naks"`
	MACs   []string `json:"src_macs"`
}

type pxeView struct {
	PXEClient   int            `json:"pxeclient_messages"`
	HTTPClient  int            `json:"httpclient_messages"`
	Discovers   int            `json:"pxeclient_discovers"`
	Arch        map[string]int `json:"architectures"`
	IPXE        int            `json:"ipxe_messages"`
	ProxyOffers int            `json:"proxy_offers"`
	Files       map[string]int `json:"bootfiles"`
	NextServers []string       `json:"next_servers"`
	To4011      int            `json:"port4011_requests"`
	From4011    int            `json:"port4011_replies"`
}

func newViews() *views {
	return &views{ByType: map[string]int{}, Servers: map[string]serverView{}, PXE: pxeView{Arch: map[string]int{}, Files: map[string]int{}}}
}

func (v *views) message(f *wire.Frame, m Message, o *Options) {
	typ := o.Type()
	name := typ.String()
	switch {
	case typ == 0 && m.Op() == BootRequest:
		name = "BOOTREQUEST(no option 53)"
	case typ == 0:
		name = "BOOTREPLY(no option 53)"
	case typ > LeaseActive:
		name = "type" + strconv.Itoa(int(typ))
	}
	v.ByType[name]++
	if typ == Offer || typ == Ack || typ == Nak {
		id := o.Addr(OptServerID).String()
		if id == "" {
			id = "src:" + f.Src.String()
		}
		s := v.Servers[id]
		switch typ {
		case Offer:
			s.Offers++
		case Ack:
			s.Acks++
		case Nak:
			s.Naks++
		}
		if mac := f.SrcMAC.String(); mac != "" && !slices.Contains(s.MACs, mac) {
			s.MACs = append(s.MACs, mac)
		}
		v.Servers[id] = s
	}
	p := &v.PXE
	class := o.String(OptVendorClass)
	if m.Op() == BootRequest {
		if strings.HasPrefix(class, "PXEClient") {
			p.PXEClient++
			if typ == Discover {
				p.Discovers++
			}
		}
		if strings.HasPrefix(class, "HTTPClient") {
			p.HTTPClient++
		}
		if f.DstPort == PortPXE {
			p.To4011++
		}
	} else {
		if file := File(m, o); file != "" {
			p.Files[file]++
		}
		if a := m.SIAddr(); !a.IsZero() && !slices.Contains(p.NextServers, a.String()) {
			p.NextServers = append(p.NextServers, a.String())
		}
		if f.SrcPort == PortPXE {
			p.From4011++
		}
	}
	if a, ok := o.Uint16(OptClientArch); ok {
		p.Arch[strconv.Itoa(int(a))]++
	}
	if c := UserClass(o); strings.HasPrefix(c, "iPXE") || strings.HasPrefix(c, "gPXE") || o.Has(OptIPXE) {
		p.IPXE++
	}
	if typ == Offer && m.YIAddr().IsZero() {
		p.ProxyOffers++
	}
}

const corpus = "../../../../shared/corpus"

// otherwise are the files in which tshark and we differ, and why.
var otherwise = map[string]string{
	"packetlife/packet-c.cap":     "a source MAC of zeros, which we call none",
	"tcpdump/ieee802.11_htc.pcap": "802.11 is not decoded",
}

// TestCorpusViews holds the views against tshark over real captures.
func TestCorpusViews(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpus, "truth", "*.json"))
	if len(files) == 0 {
		t.Skip("no corpus of real captures beside the checkout")
	}
	messages := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x struct {
			DHCP *struct {
				ByType  map[string]int        `json:"by_type"`
				Servers map[string]serverView `json:"servers"`
			} `json:"dhcpv4"`
			PXE *pxeView `json:"pxe"`
		}
		if err := json.Unmarshal(b, &x); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if x.DHCP == nil {
			continue
		}
		want := newViews()
		want.ByType, want.Servers = x.DHCP.ByType, x.DHCP.Servers
		if x.PXE != nil {
			want.PXE = *x.PXE
		}
		name := strings.Replace(strings.TrimSuffix(filepath.Base(file), ".json"), "__", "/", 1)
		t.Run(name, func(t *testing.T) {
			got := newViews()
			r := &tracktest.Result{}
			n := readCorpus(t, filepath.Join(corpus, name), got, r)
			messages += n
			for _, f := range r.Findings {
				t.Logf("%s %v %v node %v: %s", f.Rule.ID, f.Severity, f.Confidence, f.Node.MAC, f.Summary)
			}
			if x.PXE == nil {
				got.PXE = want.PXE // tshark saw nothing of PXE: no numbers to compare
			}
			slices.Sort(got.PXE.NextServers)
			if why := otherwise[name]; why != "" {
				t.Skip(why)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-tshark +ours):\n%s", diff)
			}
		})
	}
	t.Logf("%d messages", messages)
}

// readCorpus plays a file to the views and to Servers.
func readCorpus(t *testing.T, path string, v *views, r *tracktest.Result) (n int) {
	t.Helper()
	src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
	if err != nil {
		t.Skip(err)
	}
	defer src.Close()
	d := track.NewDispatcher([]track.Spec{watchSpec}, tracktest.Config(), r)
	dec := wire.NewDecoder()
	copies := track.NewCopies(tracktest.Config().Site.Thresholds.Duplicate)
	var p capture.Packet
	var f wire.Frame
	var o Options
	var end capture.Time
	for {
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dec.Decode(&p, &f)
		isPort := func(x uint16) bool { return x == PortServer || x == PortClient || x == PortPXE }
		if m := Message(f.Payload); f.Stop == wire.StopNone && f.Proto == wire.ProtoUDP && f.Fragment != wire.First && (isPort(f.SrcPort) || isPort(f.DstPort)) && m.Valid() {
			o.Parse(m, f.PayloadLen)
			v.message(&f, m, &o)
			n++
		}
		end = max(end, p.Time)
		f.Time = end
		f.Copy = copies.Seen(&f, f.Time)
		d.Frame(&f)
	}
	d.Finish(end)
	return n
}
