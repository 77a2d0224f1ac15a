package dhcp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/dhcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestNoOffer(t *testing.T) {
	cutReply := func() *scene {
		s := new(scene).discovers(uefi, 1, 0, 3.5)
		s.later(30)
		d := uefi.Discover(1, 0)
		f := server.Frame(server.Offer(d, nodeAddr))
		s.Packets = append(s.Packets, synth.Packet{At: at(0.01), Data: f[:96], WireLen: len(f)})
		return s
	}
	relayedTwice := func() *scene {
		s := &scene{}
		for _, x := range []float64{0, 4} {
			d := rom.Discover(1, 0)
			s.add(x, d.Broadcast())
			s.add(x+0.001, d.Relayed(router, server.Host, "10.0.0.1"))
			s.add(x+0.002, d.Relayed(synth.NewHost("a0:00:00:00:00:11", "10.0.0.11"), server.Host, "10.0.0.11"))
		}
		return s.later(30)
	}
	runAll(t, []ruleTest{
		{name: "one DISCOVER", scene: new(scene).discovers(rom, 1, 0).later(20), want: []string{"note dhcp-no-offer"}, until: 4.99},
		{name: "two", scene: new(scene).discovers(rom, 1, 0, 4).later(20), want: []string{"warning dhcp-no-offer"}, until: 8.99},
		{name: "PXE ROM gives up", scene: new(scene).discovers(rom, 1, 0, 4, 12, 28).later(60), want: []string{"error dhcp-no-offer"}, until: 16.9},
		{name: "iPXE gives up, capture ends at 15 s", scene: new(scene).discovers(ipxe, 1, 0, 1, 3, 7).later(15), want: []string{"error dhcp-no-offer"}, until: 11.9},
		{name: "udhcpc takes a new xid", scene: new(scene).discovers(udhcpc, 1, 0, 3, 6).discovers(udhcpc, 2, 29, 32).later(60), want: []string{"error dhcp-no-offer"}},
		{name: "the last ones are in grace", scene: new(scene).discovers(ipxe, 1, 0, 1, 3, 7, 15), want: []string{"error dhcp-no-offer"}},
		{name: "capture ends in grace", scene: new(scene).discovers(ipxe, 1, 0, 1, 3)},
		{name: "answered", scene: new(scene).dora(0, udhcpc, bare, 1, 0.01).later(60)},
		{name: "answered to the second", scene: new(scene).discovers(rom, 1, 0).dora(4, rom, server, 1, 0.1).later(60)},
		{name: "OFFER to one of two clients", scene: new(scene).dora(0, udhcpc, bare, 1, 0.01).discovers(synth.Udhcpc(otherMAC), 2, 0, 3, 6, 9).later(60),
			want: []string{"error dhcp-no-offer"}},
		{name: "ping check of 3 s", scene: new(scene).add(0, udhcpc.Discover(1, 0).Broadcast()).
			add(3.004, bare.Frame(bare.Offer(udhcpc.Discover(1, 0), nodeAddr))).later(30), want: []string{"ok ping-check-delay"}},
		{name: "a unicast OFFER is not visible here", scene: new(scene).discovers(udhcpc, 1, 0).
			add(0.01, udhcpc.Request(bare.Offer(udhcpc.Discover(1, 0), nodeAddr), 0).Broadcast()).later(60)},
		{name: "OFFER comes after the note", scene: new(scene).discovers(udhcpc, 1, 0).
			add(6, bare.Frame(bare.Offer(udhcpc.Discover(1, 0), nodeAddr))).
			add(6.01, udhcpc.Request(bare.Offer(udhcpc.Discover(1, 0), nodeAddr), 0).Broadcast()).later(8), want: []string{"warning dhcp-slow-offer"}},
		{name: "the OFFER stands before its DISCOVER", scene: new(scene).add(0, bare.Frame(bare.Offer(udhcpc.Discover(1, 0), nodeAddr))).discovers(udhcpc, 1, 0.0002).later(30)},
		{name: "rapid commit", scene: new(scene).add(0, udhcpc.Discover(1, 0).With(synth.OptBytes(80)).Broadcast()).
			add(0.01, bare.Frame(bare.Ack(udhcpc.Discover(1, 0), nodeAddr).With(synth.OptBytes(80)))).later(30)},
		{name: "MAAS's probe", scene: new(scene).discovers(synth.MAASProbe(nodeMAC), 1, 0, 2, 4, 8).later(60), want: []string{"ok probe-by-maas"}},
		{name: "xCAT's probe", scene: new(scene).discovers(synth.Udhcpc(nodeMAC), 0x3c3d3e3f, 0, 2, 4, 6, 8).later(60), want: []string{"ok probe-by-xcat"}},
		{name: "nmap's probe", scene: new(scene).discovers(synth.Udhcpc("de:ad:c0:de:ca:fe"), 1, 0, 2, 4, 6, 8).later(60), want: []string{"ok probe-by-nmap"}},
		{name: "the reply is cut", scene: cutReply()},
		{name: "seen before and behind two relays", scene: relayedTwice(), want: []string{"warning dhcp-no-offer"}},
	})
}

// A node that fails again and again is one finding, which never gets milder.
func TestNoOfferAcrossAttempts(t *testing.T) {
	s := new(scene)
	for i := range 3 {
		start := 100 * float64(i)
		s.discovers(uefi, uint32(i), start, start+3.5, start+11.5, start+27.6)
		s.discovers(synth.UEFIHTTP(nodeMAC, 16), 100+uint32(i), start+61)
	}
	r := run(t, s.later(400).capture(), nil)
	if d := cmp.Diff([]string{"error dhcp-no-offer", "warning dhcp-no-offer"}, said(r)); d != "" {
		t.Fatalf("findings (-want +got):\n%s", d)
	}
	for _, f := range r.Findings {
		if f.Rule == dhcp.RuleNoOffer && f.Severity == finding.Error {
			if got := fact(&f, "discovers"); got != 12 {
				t.Errorf("discovers = %v, want 12", got)
			}
			if got := fact(&f, "retry_profile"); got != "uefi-edk2" {
				t.Errorf("retry_profile = %v, want uefi-edk2", got)
			}
		}
	}
}

func fact(f *finding.Finding, key string) any {
	for _, x := range f.Facts {
		if x.Key == key {
			return x.Value
		}
	}
	return nil
}

// An OFFER that ends the third search leaves what the first two showed.
func TestNoOfferKeepsEarlierAttempts(t *testing.T) {
	s := new(scene).discovers(rom, 1, 0, 4, 12, 28).discovers(rom, 2, 100)
	s.add(107, server.Frame(server.Offer(rom.Discover(2, 0), nodeAddr)))
	r := run(t, s.later(108).capture(), nil)
	f := r.Find("dhcp-no-offer")
	if f == nil {
		t.Fatal("no dhcp-no-offer, want that of the first attempt")
	}
	if f.Severity != finding.Error || fact(f, "discovers") != 4 {
		t.Errorf("got %s with %v DISCOVERs, want error with 4", f.Severity, fact(f, "discovers"))
	}
}

func TestNoOfferStillRetrying(t *testing.T) {
	r := run(t, new(scene).discovers(ipxe, 1, 0, 1, 3, 7, 15).capture(), nil)
	f := r.Find("dhcp-no-offer")
	if f == nil {
		t.Fatal("no dhcp-no-offer")
	}
	if got := fact(f, "still_retrying"); got != 1 {
		t.Errorf("still_retrying = %v, want 1", got)
	}
	if want := synth.Start.Add(12 * time.Second); f.Last != want {
		t.Errorf("Last = %v, want the last deadline %v", f.Last.Std(), want.Std())
	}
	if len(f.Frames) != 5 {
		t.Errorf("got %d frames, want 5", len(f.Frames))
	}
}

func TestOfferIgnored(t *testing.T) {
	two := func(c synth.DHCPClient, v synth.DHCPServer, times ...float64) *scene {
		return new(scene).offered(c, 1, []synth.DHCPServer{v}, times...)
	}
	wrongPort := func() *scene {
		s := new(scene)
		for _, x := range []float64{0, 4, 12} {
			d := rom.Discover(1, 0)
			s.add(x, d.Broadcast()).add(x+0.001, server.Offer(d, nodeAddr).Unicast(server.Host, synth.Everyone, 387, 68))
		}
		return s.later(40)
	}
	denied := func(times ...float64) *scene {
		s := new(scene)
		for i, x := range times {
			d := ipxe.Discover(1, coded(ipxe, i+1, false))
			s.add(x, d.Broadcast()).add(x+0.001, server.Frame(server.Offer(d, nodeAddr)))
		}
		return s
	}
	badSums := func() *scene {
		s := new(scene)
		for _, x := range []float64{0, 4, 12} {
			d := rom.Discover(1, 0)
			f := server.Frame(server.Offer(d, nodeAddr))
			f[40] ^= 0x55 // UDP checksum
			s.add(x, d.Broadcast()).add(x+0.001, f)
		}
		return s
	}
	taken := func() *scene { // another client takes an offer with a wrong checksum: offload
		s := badSums()
		c := synth.Udhcpc(otherMAC)
		d := c.Discover(9, 0)
		f := server.Frame(server.Offer(d, "10.0.0.58"))
		f[40] ^= 0x55
		return s.add(30, d.Broadcast()).add(30.001, f).add(30.01, c.Request(server.Offer(d, "10.0.0.58"), 0).Broadcast()).later(31)
	}
	runAll(t, []ruleTest{
		{name: "ROM repeats", scene: two(rom, server, 0, 4, 12).later(40), want: []string{"error dhcp-offer-ignored"}, until: 12.9},
		{name: "an operating system, without boot information", scene: two(dhclient, bare, 0, 5, 12).later(40), want: []string{"error dhcp-offer-ignored"}, until: 12.9},
		{name: "third DISCOVER after select_grace", scene: two(rom, server, 0, 4, 16).later(17), want: []string{"error dhcp-offer-ignored"}, until: 15.9},
		{name: "wrong source port", scene: wrongPort(), want: []string{"error dhcp-offer-ignored"}},
		{name: "only one more DISCOVER", scene: two(rom, server, 0, 4).later(60)},
		{name: "taken late", scene: two(rom, server, 0, 4, 8).add(12, rom.Request(server.Offer(rom.Discover(1, 0), nodeAddr), 0).Broadcast()).later(13)},
		{name: "taken after all", scene: two(rom, server, 0, 4, 8).add(14, rom.Request(server.Offer(rom.Discover(1, 0), nodeAddr), 0).Broadcast()).later(15)},
		{name: "iPXE waits for a proxy", scene: two(ipxe, server, 0, 1).add(3.05, ipxe.Request(server.Offer(ipxe.Discover(1, 4), nodeAddr), 10).Broadcast()).
			add(3.06, server.Frame(server.Ack(ipxe.Discover(1, 4), nodeAddr))).later(60), want: []string{"ok ipxe-waiting-for-proxy"}},
		{name: "UEFI collects", scene: new(scene).dora(0, uefi, server, 1, 4).later(60), want: []string{"ok uefi-collecting-offers"}},
		{name: "another server's offer is taken", scene: two(udhcpc, bare, 0, 3, 6).
			add(7, udhcpc.Request(server.Offer(udhcpc.Discover(1, 0), "10.0.0.58"), 0).Broadcast()).later(8)},
		{name: "probe", scene: two(synth.MAASProbe(nodeMAC), server, 0, 2, 4, 8).later(60), want: []string{"ok probe-by-maas"}},
		{name: "iPXE hears nothing", scene: denied(0, 1, 3, 7).later(15), want: []string{"error dhcp-offer-ignored", "error reply-filtered"}, until: 12.9},
		{name: "iPXE missed one offer", scene: denied(0, 1).add(1.5, ipxe.Request(server.Offer(ipxe.Discover(1, 4), nodeAddr), 10).Broadcast()).later(2)},
		{name: "iPXE missed one offer, not known whether more", scene: denied(0, 1).later(2), want: []string{"warning reply-filtered"}},
		{name: "wrong checksums", scene: badSums().later(40), want: []string{"error dhcp-offer-ignored", "warning bad-udp-checksum-reply"}, until: 12.9},
		{name: "wrong checksums before the network card", scene: taken(), want: []string{"error dhcp-offer-ignored"}},
	})
}

// iPXE forks put seconds into secs; then the field proves nothing.
func TestSecsAreSeconds(t *testing.T) {
	s := new(scene)
	for i, x := range []float64{0, 4, 12, 28} {
		d := ipxe.Discover(1, uint16([]int{4, 4, 12, 28}[i]))
		s.add(x, d.Broadcast()).add(x+0.001, server.Frame(server.Offer(d, nodeAddr)))
	}
	if got, want := said(run(t, s.later(60).capture(), nil)), []string{"error dhcp-offer-ignored"}; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOfferIgnoredNamesTheTest(t *testing.T) {
	s := new(scene)
	for _, x := range []float64{0, 4, 12} {
		d := rom.Discover(1, 0)
		s.add(x, d.Broadcast()).add(x+0.001, server.Offer(d, nodeAddr).Without(1).Unicast(server.Host, synth.Everyone, 387, 68))
	}
	f := run(t, s.later(40).capture(), nil).Find("dhcp-offer-ignored")
	if f == nil {
		t.Fatal("no dhcp-offer-ignored")
	}
	want := []string{"sent from UDP port 387, clients take 67 only", "no subnet mask (option 1), which UEFI demands"}
	if d := cmp.Diff(want, fact(f, "failed_tests")); d != "" {
		t.Errorf("failed_tests (-want +got):\n%s", d)
	}
}

func TestSlowOffer(t *testing.T) {
	late := func(c synth.DHCPClient, wait float64, times ...float64) *scene {
		s := new(scene).discovers(c, 1, times...)
		d := c.Discover(1, 0)
		return s.add(wait, server.Frame(server.Offer(d, nodeAddr))).later(wait + 0.1)
	}
	runAll(t, []ruleTest{
		{name: "slow", scene: late(rom, 3.8, 0), want: []string{"warning dhcp-slow-offer"}},
		{name: "slow from the first of two", scene: late(rom, 5, 0, 4), want: []string{"note dhcp-slow-offer", "ok ping-check-delay"}[1:]},
		{name: "slow from the first of two, no check", scene: late(rom, 5.4, 0, 3.9), want: []string{"note dhcp-slow-offer"}},
		{name: "at once after the second: the first was lost", scene: late(rom, 4.01, 0, 4)},
		{name: "ISC dhcpd's ping", scene: late(rom, 1.002, 0), want: []string{"ok ping-check-delay"}},
		{name: "udhcpd's check", scene: late(rom, 2.0, 0), want: []string{"ok ping-check-delay"}},
		{name: "dnsmasq's check, with retries", scene: late(ipxe, 3.004, 0, 1, 3), want: []string{"ok ping-check-delay"}},
		{name: "not slow", scene: late(rom, 3.3, 0)},
	})
}

func TestReplyFilteredBetweenInterfaces(t *testing.T) {
	// Every packet is seen on interface 0; on interface 1 only what lost does
	// not hold back.
	two := func(lost func(synth.Packet) bool) *synth.Capture {
		s := new(scene).offered(rom, 1, []synth.DHCPServer{server}, 0, 2, 4, 6).later(8)
		c := s.capture()
		c.Ifaces = []capture.Interface{{Name: "eth0", Link: capture.LinkEthernet}, {Name: "eth1", Link: capture.LinkEthernet}}
		for _, p := range c.Packets {
			if !lost(p) {
				p.Iface, p.At = 1, p.At+50*time.Microsecond
				c.Packets = append(c.Packets, p)
			}
		}
		return c.Join()
	}
	fromServer := func(p synth.Packet) bool { return [6]byte(p.Data[6:12]) == server.MAC }
	tests := []struct {
		name string
		c    *synth.Capture
		want bool
	}{
		{"replies missing", two(fromServer), true},
		{"all there", two(func(synth.Packet) bool { return false }), false},
		{"one missing", two(func(p synth.Packet) bool { return fromServer(p) && p.At < at(1) }), false},
		{"rotated: the second interface begins later", two(func(p synth.Packet) bool { return p.At < at(3) }), false},
		{"the second interface shows nothing", two(func(synth.Packet) bool { return true }), false},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			f := run(t, x.c, nil).Find("reply-filtered")
			if got := f != nil; got != x.want {
				t.Fatalf("reply-filtered: got %v, want %v", got, x.want)
			}
			if f != nil && (f.Confidence != finding.Certain || fact(f, "missing_on_interface") != 1) {
				t.Errorf("got %s on interface %v, want certain on 1", f.Confidence, fact(f, "missing_on_interface"))
			}
		})
	}
}

// A flood of made-up clients fills its own table, not that of machines with a
// lease, and makes one finding instead of one for each.
func TestFlood(t *testing.T) {
	s := new(scene).dora(0, udhcpc, bare, 7, 0.01)
	const clients = 40000
	for i := range clients {
		c := synth.Udhcpc("02:00:00:00:00:00")
		c.MAC[3], c.MAC[4], c.MAC[5] = byte(i>>16), byte(i>>8), byte(i)
		s.Add(time.Second+time.Duration(i)*10*time.Millisecond, c.Discover(uint32(i), 0).Broadcast())
	}
	s.add(402, udhcpc.Renew(8, nodeAddr).Unicast(synth.NewHost(nodeMAC, nodeAddr), bare.Host, 68, 67))
	s.add(402.001, bare.Frame(bare.Ack(udhcpc.Renew(8, nodeAddr), nodeAddr)))
	r := &tracktest.Result{}
	play2(t, s.capture(), r)
	n := 0
	for _, f := range r.Findings {
		if f.Rule == dhcp.RuleNoOffer {
			n++
		}
	}
	if n > 600 || n < 2 {
		t.Errorf("got %d findings of %d clients, want one for each of the first and one for the rest", n, clients)
	}
	if r.Find("renew-by-running-node") == nil {
		t.Error("the machine with a lease was forgotten")
	}
	if c := r.Counts.DHCP4; c.DiscoverUnanswered != clients || c.Transactions != clients+2 {
		t.Errorf("got %d of %d transactions unanswered, want %d of %d", c.DiscoverUnanswered, c.Transactions, clients, clients+2)
	}
}

// play2 is tracktest.Run without looking for copies.
func play2(t *testing.T, c *synth.Capture, r *tracktest.Result) {
	t.Helper()
	cfg := tracktest.Config()
	d := track.NewDispatcher([]track.Spec{dhcp.Spec}, cfg, r)
	dec := wire.NewDecoder()
	src := c.Source("flood")
	var p capture.Packet
	var f wire.Frame
	for src.Next(&p) == nil {
		dec.Decode(&p, &f)
		d.Frame(&f)
	}
	d.Finish(p.Time)
	d.Count(&r.Counts)
}
