package dhcp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/dhcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

// truth is the part of tshark's word that concerns DHCPv4.
type truth struct {
	DHCP4 *struct {
		ByType       map[string]uint64 `json:"by_type"`
		Transactions uint64            `json:"transactions"`
		NoOffer      uint64            `json:"discover_no_offer"`
		NoAnswer     uint64            `json:"request_no_answer"`
		Servers      []string          `json:"server_ids_offer_or_ack"`
		Relayed      uint64            `json:"relayed"`
	} `json:"dhcpv4"`
}

// cut are captures with a snap length of 96 or less: tshark calls their
// messages BOOTP, we say that the type is unknown.
var cut = []string{"test005", "test006", "test007", "test101", "test201"}

// wireless is the one capture of a link layer that is not read.
const wireless = "tcpdump/ieee802.11_htc.pcap"

// counts brings tshark's numbers into our form: messages without option 53
// have names of their own there, and a reply without option 54 lists its
// source, which we do not.
func (x *truth) counts() (c track.DHCP4Counts) {
	if x.DHCP4 == nil {
		return c
	}
	c.Messages = make(map[string]uint64)
	for name, n := range x.DHCP4.ByType {
		name, _, _ = strings.Cut(name, "(")
		if strings.HasPrefix(name, "type") {
			name = "TYPE" + name[4:]
		}
		c.Messages[name] = n
	}
	c.Servers = slices.DeleteFunc(x.DHCP4.Servers, func(s string) bool { return strings.HasPrefix(s, "src:") })
	c.Transactions, c.Relayed = x.DHCP4.Transactions, x.DHCP4.Relayed
	c.DiscoverUnanswered, c.RequestUnanswered = x.DHCP4.NoOffer, x.DHCP4.NoAnswer
	return c
}

func TestCorpusCounts(t *testing.T) {
	compared := 0
	tracktest.Corpus(t, func(name, path string, told []byte) {
		var x truth
		if err := json.Unmarshal(told, &x); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Run(name, func(t *testing.T) {
			if name == wireless {
				t.Skip("IEEE 802.11 is not decoded")
			}
			r := tracktest.File(t, path, dhcp.Spec)
			if r == nil {
				return
			}
			got, want := r.Counts.DHCP4, x.counts()
			if len(got.Messages) == 0 {
				got.Messages = nil
			}
			if slices.ContainsFunc(cut, func(s string) bool { return strings.HasSuffix(name, s+".pcapng") }) && want.Messages != nil {
				want.Messages = map[string]uint64{"CUT": want.Messages["BOOTREQUEST"] + want.Messages["BOOTREPLY"]}
			}
			if len(got.Servers) == 0 {
				got.Servers = nil
			}
			if len(want.Servers) == 0 {
				want.Servers = nil
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("counts differ (-tshark +got):\n%s", d)
			}
			if x.DHCP4 == nil {
				return
			}
			compared++
			for _, f := range r.Findings {
				t.Logf("%-8s %-9s %s [%s] %v", f.Severity, f.Confidence, f.Rule.ID, f.Node.MAC, f.Summary)
			}
			for _, e := range r.Exchanges {
				t.Logf("%s %s %q %s->%s tries %d %s | %s", e.Op, e.Outcome, e.Subject, e.Client.MAC, e.Server.Addr, e.Tries, e.Reason, e.Detail)
			}
		})
	})
	t.Logf("compared %d captures with DHCPv4", compared)
}

// What whole boots of real machines must and must not say.
func TestCorpusFindings(t *testing.T) {
	tests := []struct {
		file string
		want []string
	}{
		// The proxy answers the ninth DISCOVER at last, then 4011; iPXE follows.
		{"rs_pxe/uefi_tftp_pixiecore.pcapng", nil},
		// Nobody on port 4011; the ROM releases its lease and starts over, without the proxy.
		{"rs_pxe/crash_in_dhcp_request.pcapng", []string{"error proxydhcp-4011-no-answer", "warning dhcp-no-boot-info"}},
		{"rs_pxe/intel_bios_dhcp.pcapng", nil},
		{"rs_pxe/ipxe_dhcp.pcapng", nil},
		{"netboot/pcap__testdata__nsec.pcap", nil},
		{"webtech/pxe.cap", nil},
		{"tomwechsler/DHCP.pcapng", nil},
		{"chrissanders/dhcp_nolease_initialization.pcapng", []string{"ok ping-check-delay"}},
		{"tcpdump/dhcp-rfc4388.pcap", []string{"ok ping-check-delay"}},
		{"tcpdump/dcb_qcn.pcap", []string{"error dhcp-no-offer"}},
	}
	for _, x := range tests {
		t.Run(x.file, func(t *testing.T) {
			got := said(tracktest.File(t, tracktest.CorpusFile(t, x.file), dhcp.Spec))
			if len(got) == 0 {
				got = nil
			}
			if d := cmp.Diff(x.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}
