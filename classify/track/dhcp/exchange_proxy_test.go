package dhcp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestNoBootInfo(t *testing.T) {
	only := func(c synth.DHCPClient, v synth.DHCPServer, times ...float64) *scene {
		return new(scene).offered(c, 1, []synth.DHCPServer{v}, times...)
	}
	withProxy := func(c synth.DHCPClient, delay float64) *scene {
		d := c.Discover(1, coded(c, 1, false))
		o := bare.Offer(d, nodeAddr)
		r := c.Request(o, coded(c, 2, true))
		return new(scene).add(0, d.Broadcast()).add(0.001, bare.Frame(o)).add(delay, proxy.Frame(proxy.ProxyOffer(d, useFile))).
			add(4, r.Broadcast()).add(4.001, bare.Frame(bare.Ack(r, nodeAddr))).later(60)
	}
	overload := bare
	overload.Extra = []synth.Opt{synth.OptBytes(52, 1)}
	hidden := func() *scene {
		d := uefi.Discover(1, 0)
		o := overload.Offer(d, nodeAddr)
		o.FileOptions = []synth.Opt{synth.OptText(67, "bootx64.efi")}
		r := uefi.Request(o, 0)
		a := overload.Ack(r, nodeAddr)
		a.FileOptions = o.FileOptions
		return new(scene).add(0, d.Broadcast()).add(0.001, overload.Frame(o)).add(4, r.Broadcast()).add(4.001, overload.Frame(a)).later(60)
	}
	snapped := func(n int) *scene {
		s := &scene{*only(uefi, bare, 0, 3.5, 11.5).capture().Snapped(n)}
		return s.later(60)
	}
	node := synth.NewHost(nodeMAC, nodeAddr)
	rrq := synth.UDP(node, server.Host, 2070, 69, []byte("\x00\x01bootx64.efi\x00octet\x00"))
	quiet := synth.DHCPClient{MAC: rom.MAC, Options: rom.Options} // does not ask for broadcasts
	runAll(t, []ruleTest{
		{name: "UEFI behind a bare server", scene: only(uefi, bare, 0, 3.5, 11.5, 27.6).later(60), want: []string{"error dhcp-no-boot-info"}, until: 4.9},
		{name: "UEFI, capture ends early", scene: only(uefi, bare, 0, 3.5).later(6), want: []string{"error dhcp-no-boot-info"}, until: 4.9},
		{name: "ROM takes it: PXE-E53", scene: new(scene).dora(0, rom, bare, 1, 4).later(60), want: []string{"error dhcp-no-boot-info"}, from: 3},
		{name: "HTTP boot", scene: only(synth.UEFIHTTP(nodeMAC, 16), bare, 0, 3.5, 11.5).later(60), want: []string{"warning dhcp-no-boot-info"}},
		{name: "iPXE takes it and does nothing", scene: new(scene).dora(0, ipxe, bare, 1, 3).later(5).later(30), want: []string{"error dhcp-no-boot-info"}, until: 22},
		{name: "iPXE, not known yet", scene: new(scene).dora(0, ipxe, bare, 1, 3).later(15), want: []string{"warning dhcp-no-boot-info"}, until: 7.9},
		{name: "iPXE, nothing but DHCP was captured", scene: new(scene).dora(0, ipxe, bare, 1, 3).discovers(synth.MAASProbe(otherMAC), 3, 40),
			want: []string{"ok probe-by-maas", "warning dhcp-no-boot-info"}},
		{name: "iPXE with a script of its own", scene: new(scene).dora(0, ipxe, bare, 1, 3).add(3.5, synth.ARP(1, node, router)).later(60)},
		{name: "iPXE with a script, slow", scene: new(scene).dora(0, ipxe, bare, 1, 3).later(4).add(14, synth.ARP(1, node, router)).later(60)},
		{name: "a proxy adds it", scene: withProxy(rom, 0.5)},
		{name: "a proxy adds it late", scene: withProxy(uefi, 3.8), want: []string{"ok uefi-collecting-offers"}},
		{name: "a proxy on another port of the switch, the node loads", scene: new(scene).dora(0, quiet, bare, 1, 4).add(5, rrq).later(60)},
		{name: "no broadcasts asked for, nothing loads", scene: new(scene).dora(0, quiet, bare, 1, 4).later(60), want: []string{"error dhcp-no-boot-info"}, until: 23.9},
		{name: "option 67 in the file field", scene: hidden(), want: []string{"ok uefi-collecting-offers"}},
		{name: "an operating system", scene: new(scene).dora(0, udhcpc, bare, 1, 0.01).later(60)},
		{name: "a file is there", scene: new(scene).dora(0, rom, server, 1, 4).later(60)},
		{name: "options cut", scene: snapped(300)},
		{name: "firmware, then iPXE: it was loaded from somewhere", scene: new(scene).dora(0, rom, bare, 1, 4).dora(20, ipxe, server, 2, 3).later(60)},
	})
}

// A proxy that offered a boot file in the search before is missed: it, not the
// server that never had one, is what broke.
func TestNoBootInfoForWantOfTheProxy(t *testing.T) {
	withProxy := func(retry float64) *scene {
		d := rom.Discover(1, 0)
		o := bare.Offer(d, nodeAddr)
		r := rom.Request(o, 0)
		s := new(scene).add(0, d.Broadcast()).add(0.001, bare.Frame(o)).add(0.002, proxy.Frame(proxy.ProxyOffer(d, useFile))).
			add(4, r.Broadcast()).add(4.001, bare.Frame(bare.Ack(r, nodeAddr)))
		return s.offered(rom, 2, []synth.DHCPServer{bare}, retry, retry+8, retry+24)
	}
	release := rom.Renew(1, nodeAddr)
	release.Type = synth.DHCPRelease
	asked := func() *scene {
		return withProxy(10).binl(rom, proxy.Host, 68, 1, 4.5).add(8, release.Unicast(synth.NewHost(nodeMAC, nodeAddr), bare.Host, 68, 67))
	}
	summary := "2 OFFERs to PXE firmware without a boot file, 2 DISCOVERs after the first and no REQUEST"
	silent := summary + "; the proxy 10.0.0.4 offered one before and is silent now"
	for _, x := range []struct {
		name, want, summary string
		s                   *scene
	}{
		{"silent in the next search", "error", silent, withProxy(10)},
		{"silent since it was asked on port 4011", "warning", silent, asked()},
		{"an hour ago", "error", summary, withProxy(3600)},
		{"never there", "error", summary, new(scene).offered(rom, 2, []synth.DHCPServer{bare}, 0, 8, 24)},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := run(t, x.s.later(4000).capture(), nil).Find("dhcp-no-boot-info")
			if f == nil {
				t.Fatal("no dhcp-no-boot-info")
			}
			if got := f.Severity.String(); got != x.want {
				t.Errorf("severity: got %s, want %s", got, x.want)
			}
			if f.Summary != x.summary {
				t.Errorf("got %q, want %q", f.Summary, x.summary)
			}
		})
	}
}

func TestProxyConflict(t *testing.T) {
	second := synth.DHCPServer{Host: synth.NewHost("a0:00:00:00:00:05", "10.0.0.5"), Shape: synth.Windows, File: `boot\x64\wdsmgfw.efi`, Next: "10.0.0.5"}
	pair := second
	pair.File = proxy.File
	moved := proxy
	moved.ID = "10.0.0.44"
	search := func(c synth.DHCPClient, frames ...func(d synth.DHCP) []byte) *scene {
		d := c.Discover(1, coded(c, 1, false))
		s := new(scene).add(0, d.Broadcast())
		for i, f := range frames {
			s.add(0.001*float64(i+1), f(d))
		}
		return s
	}
	p := func(v synth.DHCPServer) func(d synth.DHCP) []byte {
		return func(d synth.DHCP) []byte { return v.Frame(v.ProxyOffer(d, useFile)) }
	}
	o := func(v synth.DHCPServer) func(d synth.DHCP) []byte {
		return func(d synth.DHCP) []byte { return v.Frame(v.Offer(d, nodeAddr)) }
	}
	aware := server
	aware.Extra = []synth.Opt{synth.OptText(60, "PXEClient")}
	aware.Shape = synth.Dnsmasq
	runAll(t, []ruleTest{
		{name: "two proxies", scene: search(uefi, o(bare), p(proxy), p(second)).later(1), want: []string{"error proxydhcp-conflict"}},
		{name: "two proxies, one file", scene: search(uefi, o(bare), p(proxy), p(pair)).later(1), want: []string{"warning proxydhcp-conflict"}},
		{name: "a PXE-aware server and a proxy", scene: search(uefi, o(aware), p(proxy)).later(1), want: []string{"error proxydhcp-conflict"}},
		{name: "one proxy, twice", scene: search(uefi, o(bare), p(proxy), p(proxy)).later(1)},
		{name: "one proxy with two addresses", scene: search(uefi, o(bare), p(proxy), p(moved)).later(1)},
		{name: "a plain server and a proxy", scene: search(uefi, o(server), p(proxy)).later(1)},
		{name: "only a proxy", scene: search(uefi, p(proxy)).discovers(uefi, 1, 3.5, 11.5, 27.6).later(60), want: []string{"error proxydhcp-conflict"}, until: 16.4},
		{name: "only a proxy, one DISCOVER", scene: search(uefi, p(proxy)).later(60), want: []string{"note proxydhcp-conflict"}, until: 4.9},
		{name: "the server is slower than the proxy", scene: search(uefi, p(proxy)).add(6, bare.Frame(bare.Offer(uefi.Discover(1, 0), nodeAddr))).later(7),
			want: []string{"warning dhcp-slow-offer"}},
		{name: "only a proxy seen, the REQUEST names a server", scene: search(uefi, p(proxy)).
			add(4, uefi.Request(bare.Offer(uefi.Discover(1, 0), nodeAddr), 0).Broadcast()).later(6)},
	})
}

// binl adds requests of a client with a lease to port 4011.
func (s *scene) binl(c synth.DHCPClient, to synth.Host, sport uint16, xid uint32, times ...float64) *scene {
	for i, x := range times {
		d := c.Renew(xid, nodeAddr)
		d.Secs = uint16(i+1) << 8 // edk2 swaps the bytes
		s.add(x, d.Unicast(synth.NewHost(nodeMAC, nodeAddr), to, sport, 4011))
	}
	return s
}

func bootAck(v synth.DHCPServer, to synth.DHCP) synth.DHCP {
	d := v.ProxyOffer(to)
	d.Type = synth.DHCPAck
	return d
}

func TestNo4011Answer(t *testing.T) {
	silent := proxy
	silent.File = ""
	lease := func(c synth.DHCPClient) *scene {
		d := c.Discover(1, coded(c, 1, false))
		o := bare.Offer(d, nodeAddr)
		r := c.Request(o, coded(c, 2, true))
		return new(scene).add(0, d.Broadcast()).add(0.001, bare.Frame(o)).add(0.002, silent.Frame(silent.ProxyOffer(d))).
			add(1.9, r.Broadcast()).add(1.901, bare.Frame(bare.Ack(r, nodeAddr)))
	}
	node := synth.NewHost(nodeMAC, nodeAddr)
	ask := uefi.Renew(77, nodeAddr).Unicast(node, proxy.Host, 4011, 4011)
	release := synth.DHCP{Type: synth.DHCPRelease, XID: 9, MAC: synth.MAC(nodeMAC), CIAddr: nodeAddr}.Unicast(node, proxy.Host, 68, 67)
	runAll(t, []ruleTest{
		{name: "edk2", scene: lease(uefi).binl(uefi, proxy.Host, 4011, 77, 2, 3.05, 5.25, 10.25).later(60), want: []string{"error proxydhcp-4011-no-answer"}, until: 13},
		{name: "iPXE goes on", scene: lease(ipxe).binl(ipxe, proxy.Host, 68, 77, 2, 2.5, 3).later(60), want: []string{"note proxydhcp-4011-no-answer"}, until: 12.4},
		{name: "one try", scene: lease(uefi).binl(uefi, proxy.Host, 4011, 77, 2).later(60)},
		{name: "one try, then RELEASE", scene: lease(rom).binl(rom, proxy.Host, 68, 1, 2).add(6, release).later(60), want: []string{"error proxydhcp-4011-no-answer"}, until: 11.9},
		{name: "one try, RELEASE after the grace", scene: lease(rom).binl(rom, proxy.Host, 68, 1, 2).add(14, release).later(60), want: []string{"error proxydhcp-4011-no-answer"}, until: 13.9},
		{name: "one try, then iPXE is there", scene: lease(rom).binl(rom, proxy.Host, 68, 1, 2).dora(9, ipxe, server, 5, 3).later(60)},
		{name: "ICMP: nobody listens", scene: lease(uefi).add(2, ask).add(2.001, synth.ICMPError(proxy.Host, node, 3, 3, 0, ask)).later(3),
			want: []string{"error proxydhcp-4011-no-answer"}},
		{name: "answered to its own port", scene: lease(uefi).binl(uefi, proxy.Host, 4011, 77, 2).
			add(2.01, bootAck(proxy, uefi.Renew(77, nodeAddr)).Unicast(proxy.Host, node, 4011, 4011)).later(60)},
		{name: "answered to port 68", scene: lease(rom).binl(rom, proxy.Host, 68, 1, 2, 3).
			add(3.01, bootAck(proxy, rom.Renew(1, nodeAddr)).Unicast(proxy.Host, node, 4011, 68)).later(60)},
		{name: "answered late: taken back", scene: lease(uefi).binl(uefi, proxy.Host, 4011, 77, 2, 3.05, 5.25).
			add(20, bootAck(proxy, uefi.Renew(77, nodeAddr)).Unicast(proxy.Host, node, 4011, 4011)).later(60)},
	})
}

func TestNoBootServer(t *testing.T) {
	menu := proxy
	menu.File = ""
	c := rom
	lease := func() *scene {
		d := c.Discover(1, 0)
		o := bare.Offer(d, nodeAddr)
		r := c.Request(o, 0)
		return new(scene).add(0, d.Broadcast()).add(0.001, bare.Frame(o)).
			add(0.002, menu.Frame(menu.ProxyOffer(d, synth.OptBytes(6, 3), synth.OptBytes(8, 0x80, 0, 1, 10, 0, 0, 4)))).
			add(1.9, r.Broadcast()).add(1.901, bare.Frame(bare.Ack(r, nodeAddr)))
	}
	question := c.Renew(0, nodeAddr).With(synth.OptNested(43, synth.OptBytes(71, 0x80, 0, 0, 0)))
	node := synth.NewHost(nodeMAC, nodeAddr)
	asks := func(s *scene, to synth.Host, port uint16, times ...float64) *scene {
		for _, x := range times {
			s.add(x, question.Unicast(node, to, 68, port))
		}
		return s
	}
	answer := bootAck(proxy, question).With(synth.OptNested(43, synth.OptBytes(71, 0x80, 0, 0, 0)))
	runAll(t, []ruleTest{
		{name: "three to the listed server", scene: asks(lease(), proxy.Host, 4011, 2, 3, 5).later(60), want: []string{"error boot-server-discovery-no-answer"}, until: 14.9},
		{name: "broadcast, then unicast", scene: asks(asks(lease(), synth.Everyone, 67, 2, 3), proxy.Host, 4011, 5).later(60),
			want: []string{"error boot-server-discovery-no-answer"}},
		{name: "two", scene: asks(lease(), proxy.Host, 4011, 2, 3).later(60)},
		{name: "answered to the broadcast", scene: asks(lease(), synth.Everyone, 67, 2, 3, 5).add(5.01, answer.Unicast(proxy.Host, node, 4011, 68)).later(60)},
		{name: "answered", scene: asks(lease(), proxy.Host, 4011, 2).add(2.01, answer.Unicast(proxy.Host, node, 4011, 68)).later(60)},
	})
	r := run(t, asks(lease(), proxy.Host, 4011, 2, 3, 5).later(60).capture(), nil)
	f := r.Find("boot-server-discovery-no-answer")
	if f == nil {
		t.Fatal("no boot-server-discovery-no-answer")
	}
	if d := cmp.Diff([]any{3, []string{"10.0.0.4"}}, []any{fact(f, "discovery_control"), fact(f, "boot_servers")}); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
}

// The lease of the last answer names what the node will load, whoever said it.
func TestMergedLease(t *testing.T) {
	binl := proxy
	binl.File = ""
	aware := server
	aware.Shape, aware.File = synth.Dnsmasq, "own.efi"
	aware.Extra = []synth.Opt{synth.OptText(60, "PXEClient"), synth.OptNested(43, useFile)}
	scenes := func(v synth.DHCPServer, p *synth.DHCPServer, subs ...synth.Opt) *scene {
		d := uefi.Discover(1, 0)
		o := v.Offer(d, nodeAddr)
		r := uefi.Request(o, 0)
		s := new(scene).add(0, d.Broadcast()).add(0.001, v.Frame(o))
		if p != nil {
			s.add(0.002, p.Frame(p.ProxyOffer(d, subs...)))
		}
		return s.add(4, r.Broadcast()).add(4.001, v.Frame(v.Ack(r, nodeAddr)))
	}
	node := synth.NewHost(nodeMAC, nodeAddr)
	answered := scenes(bare, &binl).binl(uefi, proxy.Host, 4011, 77, 5).
		add(5.01, bootAck(proxy, uefi.Renew(77, nodeAddr)).Unicast(proxy.Host, node, 4011, 4011))
	dhcpOnly := server
	tests := []struct {
		name, op, file string
		s              *scene
		servers        []string
		info           bool
	}{
		{"plain server", "REQUEST", "bootx64.efi", scenes(dhcpOnly, nil), []string{"10.0.0.2"}, true},
		{"bare server", "REQUEST", "", scenes(bare, nil), []string{"10.0.0.3"}, false},
		{"proxy with a file", "REQUEST", "ipxe.efi", scenes(bare, &proxy, useFile), []string{"10.0.0.4", "10.0.0.3"}, true},
		{"proxy before the plain server's file", "REQUEST", "ipxe.efi", scenes(dhcpOnly, &proxy, useFile), []string{"10.0.0.4", "10.0.0.2"}, true},
		{"server that says to take its file", "REQUEST", "own.efi", scenes(aware, &proxy, useFile), []string{"10.0.0.2"}, true},
		{"proxy to be asked", "REQUEST", "", scenes(bare, &binl), []string{"10.0.0.4", "10.0.0.3"}, true},
		{"proxy to be asked beside a file", "REQUEST", "bootx64.efi", scenes(dhcpOnly, &binl), []string{"10.0.0.2", "10.0.0.4"}, true},
		{"answer of port 4011", "BINL", "ipxe.efi", answered, []string{"10.0.0.4", "10.0.0.3"}, true},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			var l *track.Lease
			for _, e := range run(t, x.s.capture(), nil).Exchanges {
				if e.Op == x.op && e.Outcome == track.Answered {
					l = e.Lease
				}
			}
			if l == nil {
				t.Fatalf("no answered %s", x.op)
			}
			var servers []string
			for _, a := range l.BootServers {
				servers = append(servers, a.String())
			}
			got := []any{l.Addr, l.File, servers, l.BootInfo, l.Arch, l.Kind}
			want := []any{wire.MustAddr(nodeAddr), x.file, x.servers, x.info, 7, track.ClientPXE}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("lease (-want +got):\n%s", d)
			}
		})
	}
}

// Two VLANs of one trunk are two networks, also for a ROM that uses one
// transaction id everywhere.
func TestVLANsApart(t *testing.T) {
	silent := new(scene).discovers(rom, 1, 0, 4, 12, 28).later(60).capture().Tagged(20)
	fine := new(scene).dora(0.1, rom, server, 1, 4).capture().Tagged(10)
	r := run(t, fine.Join(silent), nil)
	var got []uint16
	for _, f := range r.Findings {
		if f.Rule.ID == "dhcp-no-offer" && f.Severity == finding.Error {
			got = append(got, f.VLAN)
		}
	}
	if d := cmp.Diff([]uint16{20}, got); d != "" {
		t.Errorf("VLANs without an offer (-want +got):\n%s", d)
	}
	if f := r.Find("dhcp-ok"); f == nil || f.VLAN != 10 {
		t.Errorf("dhcp-ok: got %v, want one on VLAN 10", f)
	}
}

// A mirror port may show the tag in one direction only.
func TestTagInOneDirection(t *testing.T) {
	c := new(scene).dora(0, udhcpc, bare, 1, 0.01).later(30).capture()
	fromNode := c.Only(func(p synth.Packet) bool { return [6]byte(p.Data[6:12]) == synth.MAC(nodeMAC) })
	rest := c.Only(func(p synth.Packet) bool { return [6]byte(p.Data[6:12]) != synth.MAC(nodeMAC) })
	r := run(t, rest.Join(fromNode.Tagged(7)), nil)
	if got := said(r); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
	if r.Find("dhcp-ok") == nil {
		t.Error("no dhcp-ok")
	}
}
