package tcp_test

import (
	"encoding/json"
	"testing"

	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

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
	fields, equal := 0, 0
	tracktest.Corpus(t, func(name, path string, told []byte) {
		var want struct {
			TCP *struct {
				Connects uint64 `json:"connects"`
				NoSYNACK uint64 `json:"no_synack"` // refused ones included
				Refused  uint64 `json:"refused"`
			} `json:"tcp"`
		}
		if err := json.Unmarshal(told, &want); err != nil {
			t.Fatal(err)
		}
		if want.TCP == nil {
			return
		}
		r := tracktest.File(t, path, tcp.Spec)
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
	})
	t.Logf("%d of %d fields equal", equal, fields)
}
