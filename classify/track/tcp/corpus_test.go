package tcp_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// corpusDir holds other people's captures beside the checkout, with what
// tshark says of each under truth/.
const corpusDir = "../../../../shared/corpus"

// play runs a capture file through decoder, copies and the tracker.
func play(t *testing.T, path string) *tracktest.Result {
	t.Helper()
	src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r := &tracktest.Result{}
	cfg := tracktest.Config()
	d := track.NewDispatcher([]track.Spec{tcp.Spec}, cfg, r)
	dec := wire.NewDecoder()
	copies := track.NewCopies(cfg.Site.Thresholds.Duplicate)
	var p capture.Packet
	var f wire.Frame
	var end capture.Time
	for {
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dec.Decode(&p, &f)
		end = max(end, p.Time)
		f.Time = end
		f.Copy = copies.Seen(&f)
		d.Frame(&f)
	}
	d.Finish(end)
	d.Count(&r.Counts)
	return r
}

// unread are captures with packets that Decode does not open: link types and
// tunnels out of scope, headers that a fuzzer broke.
var unread = map[string]string{
	"arkime/80211http.pcap":                             "IEEE 802.11",
	"arkime/gtp-iphone.pcap":                            "GTP",
	"arkime/nflog.pcap":                                 "NFLOG",
	"libpcap/filter__arcnet-rfc1051-arp-icmp-http.pcap": "ARCNET",
	"libpcap/filter__arcnet-rfc1201-arp-icmp-http.pcap": "ARCNET",
	"libpcap/filter__http_PPI.pcap":                     "PPI",
	"mrp/tcp.pcap":                                      "Token Ring, random bytes",
	"ndpi/false_positives.pcapng":                       "GTP",
	"ndpi/fuzz-2006-09-29-28586.pcap":                   "broken IP and TCP header lengths",
	"ndpi/http_origin_different_than_host.pcap":         "GTP",
	"ndpi/tls_invalid_reads.pcap":                       "GTP",
	"tcpdump/arcnet-rfc1051-arp-icmp-http.pcap":         "ARCNET",
	"tcpdump/arcnet-rfc1201-arp-icmp-http.pcap":         "ARCNET",
	"wireshark/wireguard-ping-tcp-dsb.pcapng":           "WireGuard, decrypted with keys from the file",
}

func TestCorpusCounts(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpusDir, "truth", "*.json"))
	if len(files) == 0 {
		t.Skip("no corpus of real captures beside the checkout")
	}
	fields, equal := 0, 0
	for _, tf := range files {
		b, err := os.ReadFile(tf)
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			TCP *struct {
				Connects uint64 `json:"connects"`
				NoSYNACK uint64 `json:"no_synack"` // refused ones included
				Refused  uint64 `json:"refused"`
			} `json:"tcp"`
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if want.TCP == nil {
			continue
		}
		name := strings.Replace(strings.TrimSuffix(filepath.Base(tf), ".json"), "__", "/", 1)
		r := play(t, filepath.Join(corpusDir, name))
		got, w := r.Counts.TCP, want.TCP
		for _, c := range []struct {
			what      string
			got, want uint64
		}{
			{"connections", got.Connections, w.Connects},
			{"refused", got.Refused, w.Refused},
			{"unanswered", got.SYNUnanswered, w.NoSYNACK - w.Refused},
		} {
			fields++
			if c.got == c.want {
				equal++
				continue
			}
			if unread[name] == "" {
				t.Errorf("%s %s: got %d, want %d", name, c.what, c.got, c.want)
			}
		}
		for _, f := range r.Findings {
			t.Logf("%s: %s %s %s %s: %s", name, f.Severity, f.Confidence, f.Rule.ID, f.Node.Addr, f.Summary)
		}
	}
	t.Logf("%d of %d fields equal", equal, fields)
}
