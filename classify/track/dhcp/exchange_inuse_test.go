package dhcp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
)

// A client that speaks from the address it asked for got its ACK, which was
// unicast and so is not in every capture.
func TestAddressInUse(t *testing.T) {
	node := synth.NewHost(nodeMAC, nodeAddr)
	ask := func() *scene { return new(scene).selecting(udhcpc, bare, 1, 0, 0.01, 3) }
	rrq := synth.UDP(node, server.Host, 2070, 69, []byte("\x00\x01bootx64.efi\x00octet\x00"))
	announce := synth.ARP(1, node, synth.Host{IP: node.IP})
	runAll(t, []ruleTest{
		{name: "announced", scene: ask().add(3.1, announce).later(30)},
		{name: "after it was accused", scene: ask().later(9).add(10, synth.ARP(1, node, router)).later(30)},
		{name: "by a read request", scene: ask().add(4, rrq).later(30)},
		{name: "by another machine", scene: ask().add(3.1, synth.ARP(1, synth.NewHost(otherMAC, nodeAddr), router)).later(30),
			want: []string{"error dhcp-request-unanswered"}, until: 6.99},
		{name: "the client only looks whether it is free", scene: ask().add(3.1, synth.ARP(1, node.Nobody(), synth.Host{IP: node.IP})).later(30),
			want: []string{"error dhcp-request-unanswered"}, until: 6.99},
	})
	got := exchanges(run(t, new(scene).dora(0, udhcpc, bare, 1, 0.01).without(3).add(1, announce).later(30).capture(), nil).Exchanges)
	if d := cmp.Diff([]string{"dhcp DISCOVER answered x1", "dhcp REQUEST answered 10.0.0.57 x1"}, got); d != "" {
		t.Errorf("exchanges (-want +got):\n%s", d)
	}
}
