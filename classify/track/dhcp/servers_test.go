package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// watcher is Servers as a tracker of its own, without the exchanges.
type watcher struct {
	s *Servers
	o Options
}

var watchSpec = track.Spec{
	Name: "dhcp-servers", Rules: serverRules, UDP: []uint16{PortServer, PortClient, PortPXE}, Kinds: track.LinkLayer,
	New: func(cfg *track.Config) track.Tracker { return &watcher{s: newServers(cfg)} },
}

func (w *watcher) Frame(f *wire.Frame, out *track.Out) bool {
	if f.IPVersion == 0 {
		w.s.Link(f, out)
		return true
	}
	if m := Message(f.Payload); m.Valid() && !f.Copy {
		w.o.Parse(m, f.PayloadLen)
		w.s.Message(f, m, &w.o, out)
	}
	return true
}

func (w *watcher) Deadline() capture.Time                  { return track.Never }
func (w *watcher) Expire(capture.Time, *track.Out)         {}
func (w *watcher) Finish(end capture.Time, out *track.Out) { w.s.Finish(end, out) }
func (w *watcher) Count(*track.Counts)                     {}
func (w *watcher) Evicted() uint64                         { return w.s.Evicted() }
func watch(t testing.TB, c *synth.Capture, cfg *track.Config) *tracktest.Result {
	t.Helper()
	return tracktest.Run(t, c, cfg, watchSpec)
}

func allow(addrs ...string) *track.Config {
	cfg := tracktest.Config()
	for _, a := range addrs {
		cfg.Site.DHCPServers = append(cfg.Site.DHCPServers, netip.MustParseAddr(a))
	}
	return cfg
}

const (
	physical = "3c:ec:ef:01:02:03"
	second   = "3c:ec:ef:01:02:04"
	guest    = "52:54:00:aa:bb:01"
	virbr    = "52:54:00:11:22:33"
)

const ms = time.Millisecond

// good is the provisioning server of most scenarios, libvirt the uninvited one.
func good() synth.DHCPServer {
	return synth.DHCPServer{Host: synth.NewHost("00:25:90:00:00:01", "10.0.0.2"), Shape: synth.ISCDhcpd, Router: "10.0.0.1",
		DNS: []string{"10.0.0.53"}, Domain: "prov.example", Lease: 600, File: "bootx64.efi", Next: "10.0.0.2"}
}

func libvirt() synth.DHCPServer { return synth.LibvirtServer(virbr) }

// dora adds a whole exchange.
func dora(c *synth.Capture, at time.Duration, client synth.DHCPClient, xid uint32, s synth.DHCPServer, addr string) {
	d := client.Discover(xid, 0)
	o := s.Offer(d, addr)
	r := client.Request(o, 0)
	c.Add(at, d.Broadcast()).Add(at+ms, s.Frame(o)).Add(at+10*ms, r.Broadcast()).Add(at+11*ms, s.Frame(s.Ack(r, addr)))
}

// nodes lists the findings of a rule by node, the segment's as "-".
func nodes(r *tracktest.Result, rule string) []string {
	var all []string
	for _, f := range r.Findings {
		if f.Rule.ID == rule {
			if n := f.Node.MAC.String(); n != "" {
				all = append(all, n)
			} else {
				all = append(all, "-")
			}
		}
	}
	slices.Sort(all)
	return all
}

func fact(f *finding.Finding, key string) any {
	for _, x := range f.Facts {
		if x.Key == key {
			return x.Value
		}
	}
	return nil
}

func TestLibvirt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(c *synth.Capture)
		cfg   *track.Config
		want  []string // findings: nodes, "-" the segment
		conf  finding.Confidence
		score float64
	}{
		{name: "physical node takes its lease", build: func(c *synth.Capture) {
			dora(c, 0, synth.Udhcpc(physical), 1, libvirt(), "192.168.122.57")
		}, want: []string{"-", physical}, conf: finding.Certain, score: 14.5},
		{name: "UEFI refuses its offers beside nothing better", build: func(c *synth.Capture) {
			for i, at := range []time.Duration{0, 3500 * ms, 11500 * ms} {
				d := synth.UEFI(guest, 7).Discover(1, uint16(i))
				c.Add(at, d.Broadcast()).Add(at+ms, libvirt().Frame(libvirt().Offer(d, "192.168.122.57")))
			}
		}, want: []string{"-", guest}, conf: finding.Certain, score: 12.5},
		{name: "beside the right server", build: func(c *synth.Capture) {
			d := synth.UEFI(guest, 7).Discover(1, 0)
			o := good().Offer(d, "10.0.0.57")
			c.Add(0, d.Broadcast()).Add(ms, libvirt().Frame(libvirt().Offer(d, "192.168.122.57"))).Add(2*ms, good().Frame(o))
			c.Add(4*time.Second, synth.UEFI(guest, 7).Request(o, 0).Broadcast())
		}, want: []string{"-"}, conf: finding.Certain, score: 12.5},
		{name: "NAK to a node of the right server", build: func(c *synth.Capture) {
			d := synth.Udhcpc(physical).Reboot(1, "10.0.0.57")
			c.Add(0, d.Broadcast()).Add(ms, libvirt().Frame(libvirt().Nak(d, "wrong address")))
		}, want: []string{"-", physical}, conf: finding.Certain, score: 8},
		{name: "seen from REQUEST alone", build: func(c *synth.Capture) {
			o := libvirt().Offer(synth.Udhcpc(physical).Discover(1, 0), "192.168.122.57")
			c.Add(0, synth.Udhcpc(physical).Request(o, 0).Broadcast())
		}, want: []string{"-", physical}, conf: finding.Certain, score: 8},
		{name: "another libvirt network", build: func(c *synth.Capture) {
			s := libvirt()
			s.Host = synth.NewHost(virbr, "192.168.100.1")
			s.Router = "192.168.100.1"
			dora(c, 0, synth.Udhcpc(physical), 1, s, "192.168.100.9")
			dora(c, time.Second, synth.Udhcpc(second), 2, good(), "10.0.0.9")
		}, want: []string{"-", physical}, conf: finding.Certain, score: 10.5},
		{name: "behind a router: MAC not its own", build: func(c *synth.Capture) {
			s := libvirt()
			s.Shape.IP.TTL = 63
			dora(c, 0, synth.Udhcpc(physical), 1, s, "192.168.122.57")
		}, want: []string{"-", physical}, conf: finding.Certain, score: 12.5},

		{name: "trap: guests served on purpose", build: func(c *synth.Capture) {
			dora(c, 0, synth.Udhcpc(guest), 1, libvirt(), "192.168.122.57")
		}},
		{name: "trap: a guest booted on purpose", build: func(c *synth.Capture) {
			s := libvirt()
			s.File = "pxelinux.0"
			dora(c, 0, synth.PXERom(guest), 1, s, "192.168.122.57")
		}},
		{name: "trap: lab inside 192.168.122.0/24 with its own server", build: func(c *synth.Capture) {
			s := good()
			s.Host = synth.NewHost("52:54:00:00:00:10", "192.168.122.10")
			s.Shape = synth.Dnsmasq
			dora(c, 0, synth.UEFI(physical, 7), 1, s, "192.168.122.57")
		}},
		{name: "trap: provisioning server in a guest at .1", build: func(c *synth.Capture) {
			s := good()
			s.Host, s.Lease = synth.NewHost("52:54:00:00:00:10", "10.0.0.1"), 3600
			dora(c, 0, synth.UEFI(physical, 7), 1, s, "10.0.0.57")
		}},
		{name: "trap: a libvirt network made for booting, with a proxy", build: func(c *synth.Capture) {
			s, proxy := libvirt(), good()
			s.Host, s.Router = synth.NewHost(virbr, "192.168.16.1"), "192.168.16.1"
			d := synth.UEFI(physical, 7).Discover(1, 0)
			c.Add(0, d.Broadcast()).Add(ms, s.Frame(s.Offer(d, "192.168.16.12"))).Add(2*ms, proxy.Frame(proxy.ProxyOffer(d)))
			r := synth.UEFI(physical, 7).Request(proxy.ProxyOffer(d), 0)
			r.CIAddr = "192.168.16.12"
			c.Add(5*time.Second, r.Unicast(synth.NewHost(physical, "192.168.16.12"), proxy.Host, 4011, 4011))
		}},
		{name: "trap: dnsmasq of a rack at .1", build: func(c *synth.Capture) {
			s := good()
			s.Host, s.Shape, s.Lease, s.File = synth.NewHost("00:25:90:00:00:01", "10.0.0.1"), synth.Dnsmasq, 3600, ""
			dora(c, 0, synth.Udhcpc(physical), 1, s, "10.0.0.57")
		}},
		{name: "trap: in the allow-list", build: func(c *synth.Capture) {
			dora(c, 0, synth.Udhcpc(physical), 1, libvirt(), "192.168.122.57")
		}, cfg: allow("192.168.122.1")},
		{name: "gate: cut by the snap length", build: func(c *synth.Capture) {
			dora(c, 0, synth.Udhcpc(physical), 1, libvirt(), "192.168.122.57")
			*c = *c.Snapped(96)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &synth.Capture{}
			tt.build(c)
			for gate, cut := range map[string]*synth.Capture{"": c, "doubled": c.Doubled(), "tagged": c.Tagged(120)} {
				r := watch(t, cut, tt.cfg)
				if got := nodes(r, "dhcp-rogue-libvirt"); !cmp.Equal(got, tt.want) {
					t.Fatalf("%s: found %v, want %v (all: %v)", gate, got, tt.want, r.IDs())
				}
				f := r.Find("dhcp-rogue-libvirt")
				if f == nil {
					continue
				}
				if f.Confidence != tt.conf || f.Severity != finding.Error || fact(f, "score") != tt.score {
					t.Errorf("%s: %v %v, score %v %q, want error %v, %v", gate, f.Severity, f.Confidence, fact(f, "score"), fact(f, "score_parts"), tt.conf, tt.score)
				}
				if n := len(r.Findings) - len(tt.want); n != 0 {
					t.Errorf("%s: other findings beside it: %v", gate, r.IDs())
				}
			}
		})
	}
}

// TestLibvirtOutgoing: on "any" of the hypervisor, its own answers to its own
// guests are no leak, even beside another network's server.
func TestLibvirtOutgoing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		client string
		want   int
	}{{"guest", guest, 0}, {"physical node", physical, 2}} {
		c := &synth.Capture{}
		dora(c, 0, synth.Udhcpc(tt.client), 1, libvirt(), "192.168.122.57")
		dora(c, time.Second, synth.UEFI(second, 7), 2, good(), "10.0.0.57")
		for i := range c.Packets {
			p := &c.Packets[i]
			own := [6]byte(p.Data[6:12]) == synth.MAC(virbr)
			kind := byte(0)
			if own {
				kind = 4 // outgoing
			}
			h := append([]byte{0, kind, 0, 1, 0, 6}, p.Data[6:12]...)
			p.Data = append(append(h, 0, 0), p.Data[12:]...)
			p.Link = capture.LinkSLL
		}
		r := watch(t, c, nil)
		if got := nodes(r, "dhcp-rogue-libvirt"); len(got) != tt.want {
			t.Errorf("%s: found %v, want %d", tt.name, got, tt.want)
		}
		if tt.want == 0 && len(r.Findings) != 0 {
			t.Errorf("%s: found %v, want nothing", tt.name, r.IDs())
		}
	}
}

func TestLibvirtCard(t *testing.T) {
	c := &synth.Capture{}
	dora(c, 0, synth.Udhcpc(physical), 1, libvirt(), "192.168.122.57")
	r := watch(t, c.Tagged(120), nil)
	f := r.Find("dhcp-rogue-libvirt")
	if f == nil {
		t.Fatalf("found %v", r.IDs())
	}
	for _, f := range r.Findings {
		if f.Node.IsZero() {
			for key, want := range map[string]any{
				"server_id": "192.168.122.1", "server_mac": virbr, "vendor": "QEMU/libvirt", "program": "dnsmasq", "kind": "libvirt network",
				"subnet": "192.168.122.0/24", "router": "192.168.122.1", "lease_time": int64(3600), "offers": 1, "acks": 1, "naks": 0, "vlan": 120,
				"first_seen": "2026-01-02T03:04:05.001000000Z", "boot_file": nil,
			} {
				if got := fact(&f, key); got != want {
					t.Errorf("fact %s = %v, want %v", key, got, want)
				}
			}
			if got, want := fact(&f, "clients"), []string{physical}; !cmp.Equal(got, any(want)) {
				t.Errorf("fact clients = %v, want %v", got, want)
			}
			if len(f.Frames) != 3 { // OFFER, REQUEST that names it, ACK
				t.Errorf("frames %v, want 3", f.Frames)
			}
		} else if f.Node.MAC.String() != physical || f.Node.Addr.String() != "192.168.122.57" || f.Server.Addr != libvirtID {
			t.Errorf("node finding about %v, server %v", f.Node, f.Server)
		}
	}
}

func TestRogueServer(t *testing.T) {
	other := good()
	other.Host = synth.NewHost("00:14:22:00:00:09", "192.168.1.1")
	other.Shape, other.Router, other.DNS, other.Domain, other.File, other.Next = synth.Udhcpd, "192.168.1.1", []string{"192.168.1.1"}, "", "", ""
	peer := good()
	peer.Host = synth.NewHost("00:25:90:00:00:02", "10.0.0.3")
	vm := other
	vm.Host = synth.NewHost("00:50:56:00:00:01", "192.168.130.254")
	itself, otherItself := good(), peer
	itself.DNS, otherItself.DNS = []string{"10.0.0.2"}, []string{"10.0.0.2"}
	type want struct {
		rogue, several []string
		sev            finding.Severity
		id             string
	}
	both := func(a, b synth.DHCPServer, client synth.DHCPClient) func(*synth.Capture) {
		return func(c *synth.Capture) {
			d := client.Discover(7, 0)
			x := b.IP.As4()
			x[3] = 58
			oa, ob := a.Offer(d, "10.0.0.57"), b.Offer(d, netip.AddrFrom4(x).String())
			c.Add(0, d.Broadcast()).Add(ms, a.Frame(oa)).Add(2*ms, b.Frame(ob))
			r := client.Request(oa, 0)
			c.Add(3*time.Second, r.Broadcast()).Add(3*time.Second+ms, a.Frame(a.Ack(r, "10.0.0.57")))
		}
	}
	for _, tt := range []struct {
		name  string
		build func(c *synth.Capture)
		cfg   *track.Config
		want  want
	}{
		{"not in the allow-list, lease taken", func(c *synth.Capture) {
			dora(c, 0, synth.Udhcpc(physical), 1, other, "192.168.1.20")
		}, allow("10.0.0.2"), want{rogue: []string{"-", physical}, sev: finding.Error, id: "192.168.1.1"}},
		{"not in the allow-list, offer not taken", both(good(), other, synth.UEFI(physical, 7)), allow("10.0.0.2"),
			want{rogue: []string{"-"}, sev: finding.Error, id: "192.168.1.1"}},
		{"allow-list, named in a REQUEST only", func(c *synth.Capture) {
			o := vm.Offer(synth.Udhcpc(physical).Discover(1, 0), "192.168.130.128")
			r := synth.Udhcpc(physical).Request(o, 0)
			c.Add(0, r.Broadcast()).Add(ms, good().Frame(good().Nak(r, "wrong network")))
		}, allow("10.0.0.2"), want{rogue: []string{"-", physical}, sev: finding.Error, id: "192.168.130.254"}},
		{"allow-list, through a relay and directly: one server", func(c *synth.Capture) {
			d := synth.Udhcpc(second).Discover(1, 0)
			d.GIAddr = "10.1.0.1"
			c.Add(0, other.Frame(other.Ack(d, "10.1.0.9"))) // from the server's side
			c.Add(ms, synth.UDP(synth.NewHost("00:00:5e:00:01:01", "10.1.0.1"), synth.Everyone, 67, 68, other.Ack(d, "10.1.0.9").Bytes()))
			dora(c, time.Second, synth.Udhcpc(physical), 2, other, "192.168.1.20")
		}, allow("10.0.0.2"), want{rogue: []string{"-", physical, second}, sev: finding.Error, id: "192.168.1.1"}},
		{"no list: nothing to boot in another subnet, beside one that boots", both(good(), other, synth.UEFI(physical, 7)), nil,
			want{rogue: []string{"-"}, sev: finding.Warning, id: "192.168.1.1"}},
		{"no list: VMware's network beside another", both(good(), vm, synth.Udhcpc(physical)), nil,
			want{rogue: []string{"-"}, sev: finding.Warning, id: "192.168.130.254"}},
		{"no list: two subnets, no telling which", both(good(), other, synth.Udhcpc(physical)), nil,
			want{several: []string{"-"}, sev: finding.Warning}},
		{"failover peers that name one of them", both(itself, otherItself, synth.UEFI(physical, 7)), nil, want{several: []string{"-"}, sev: finding.Note}},
		{"failover peers", both(good(), peer, synth.UEFI(physical, 7)), nil, want{several: []string{"-"}, sev: finding.Note}},

		{"trap: peer of an invited server", both(good(), peer, synth.UEFI(physical, 7)), allow("10.0.0.2"), want{several: []string{"-"}, sev: finding.Note}},
		{"trap: alone, no list", func(c *synth.Capture) { dora(c, 0, synth.UEFI(physical, 7), 1, other, "192.168.1.20") }, nil, want{}},
		{"trap: second address of one machine", func(c *synth.Capture) {
			dora(c, 0, synth.UEFI(physical, 7), 1, good(), "10.0.0.57")
			s := good()
			s.IP, s.ID = netip.MustParseAddr("10.0.1.2"), "10.0.1.2"
			dora(c, time.Second, synth.UEFI(second, 7), 2, s, "10.0.1.57")
		}, allow("10.0.0.2"), want{}},
		{"trap: proxyDHCP", func(c *synth.Capture) {
			dora(c, 0, synth.UEFI(physical, 7), 1, good(), "10.0.0.57")
			d := synth.UEFI(physical, 7).Discover(2, 0)
			c.Add(time.Second, d.Broadcast()).Add(time.Second+ms, other.Frame(other.ProxyOffer(d)))
		}, allow("10.0.0.2"), want{}},
		{"trap: another VLAN", func(c *synth.Capture) {
			dora(c, 0, synth.UEFI(physical, 7), 1, good(), "10.0.0.57")
			x := &synth.Capture{}
			dora(x, time.Second, synth.UEFI(second, 7), 2, other, "192.168.1.20")
			c.Join(x.Tagged(30))
		}, nil, want{}},
		{"trap: relays of two segments, at the server's side", func(c *synth.Capture) {
			agent := synth.NewHost("00:00:5e:00:01:01", "10.1.0.1")
			for i, s := range []synth.DHCPServer{good(), other} {
				d := synth.UEFI(physical, 7).Discover(uint32(i), 0)
				d.GIAddr = fmt.Sprintf("10.%d.0.1", i+1)
				c.Add(time.Duration(i)*time.Second, synth.UDP(agent, s.Host, 67, 67, d.Bytes())).Add(time.Duration(i)*time.Second+ms, s.Frame(s.Offer(d, fmt.Sprintf("10.%d.0.9", i+1))))
			}
		}, nil, want{}},
		{"relay: the answer comes from the relay's MAC, the server is invited", func(c *synth.Capture) {
			d := synth.UEFI(physical, 7).Discover(1, 0)
			d.GIAddr = "10.1.0.1"
			o := good().Offer(d, "10.1.0.9")
			c.Add(0, synth.UEFI(physical, 7).Discover(1, 0).Broadcast())
			c.Add(ms, synth.UDP(synth.NewHost("00:00:5e:00:01:01", "10.1.0.1"), synth.Everyone, 67, 68, o.Bytes()))
		}, allow("10.0.0.2"), want{}},
		{"trap: RFC 5107, option 54 is the relay's", func(c *synth.Capture) {
			d := synth.UEFI(physical, 7).Discover(1, 0)
			d.GIAddr = "10.1.0.1"
			s := good()
			s.ID = "10.1.0.1"
			o := s.Offer(d, "10.1.0.9")
			c.Add(0, synth.UEFI(physical, 7).Discover(1, 0).Broadcast())
			c.Add(ms, synth.UDP(synth.NewHost("00:00:5e:00:01:01", "10.1.0.1"), synth.Everyone, 67, 68, o.Bytes()))
			c.Add(time.Second, synth.UEFI(physical, 7).Request(o, 0).Broadcast())
		}, allow("10.0.0.2"), want{}},
		{"trap: RFC 5107, the capture begins with the REQUEST", func(c *synth.Capture) {
			d := synth.UEFI(physical, 7).Discover(1, 0)
			d.GIAddr = "10.1.0.1"
			s := good()
			s.ID = "10.1.0.1"
			o := s.Offer(d, "10.1.0.9")
			c.Add(0, synth.UEFI(physical, 7).Request(o, 0).Broadcast())
			c.Add(ms, synth.UDP(synth.NewHost("00:00:5e:00:01:01", "10.1.0.1"), synth.Everyone, 67, 68, s.Ack(d, "10.1.0.9").Bytes()))
		}, allow("10.0.0.2"), want{}},
		{"trap: answers to a probe only", func(c *synth.Capture) {
			d := synth.MAASProbe("00:25:90:00:00:01").Discover(1, 0)
			c.Add(0, d.Broadcast()).Add(ms, good().Frame(good().Offer(d, "10.0.0.9")))
		}, nil, want{}},
		{"gate: REQUEST after the invited server's NAK is not its fault", func(c *synth.Capture) {
			r := synth.Udhcpc(physical).Reboot(1, "10.9.9.9")
			c.Add(0, r.Broadcast()).Add(ms, good().Frame(good().Nak(r, "")))
		}, allow("10.0.0.2"), want{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &synth.Capture{}
			tt.build(c)
			for gate, cut := range map[string]*synth.Capture{"": c, "doubled": c.Doubled()} {
				r := watch(t, cut, tt.cfg)
				if got := nodes(r, "dhcp-rogue-server"); !cmp.Equal(got, tt.want.rogue) {
					t.Errorf("%s: rogue %v, want %v", gate, got, tt.want.rogue)
				}
				if got := nodes(r, "dhcp-several-servers"); !cmp.Equal(got, tt.want.several) {
					t.Errorf("%s: several %v, want %v", gate, got, tt.want.several)
				}
				if f := r.Find("dhcp-rogue-server"); f != nil && (f.Severity != tt.want.sev || fact(f, "server_id") != tt.want.id) {
					t.Errorf("%s: %v of %v, want %v of %v", gate, f.Severity, fact(f, "server_id"), tt.want.sev, tt.want.id)
				}
				if f := r.Find("dhcp-several-servers"); f != nil && f.Severity != tt.want.sev {
					t.Errorf("%s: several: %v, want %v", gate, f.Severity, tt.want.sev)
				}
			}
		})
	}
}

// TestSeveralWithdrawn: once a server turns out uninvited, it explains that
// there are several, and why they disagree.
func TestSeveralWithdrawn(t *testing.T) {
	other := good()
	other.Host, other.Shape, other.File, other.Next, other.Router = synth.NewHost("00:14:22:00:00:09", "192.168.1.1"), synth.Udhcpd, "", "", "192.168.1.1"
	c := &synth.Capture{}
	// To an operating system nobody gives a file: no telling yet.
	plainGood := good()
	plainGood.File = ""
	d := synth.Udhcpc(physical).Discover(1, 0)
	c.Add(0, d.Broadcast()).Add(ms, plainGood.Frame(plainGood.Offer(d, "10.0.0.57"))).Add(2*ms, other.Frame(other.Offer(d, "192.168.1.58")))
	r := watch(t, c, nil)
	if got, want := r.IDs(), []string{"dhcp-answers-disagree", "dhcp-several-servers"}; !cmp.Equal(got, want) {
		t.Fatalf("at first found %v, want %v", got, want)
	}
	d = synth.UEFI(second, 7).Discover(2, 0)
	o := good().Offer(d, "10.0.0.60")
	c.Add(time.Minute, d.Broadcast()).Add(time.Minute+ms, other.Frame(other.Offer(d, "192.168.1.60"))).Add(time.Minute+2*ms, good().Frame(o))
	r = watch(t, c, nil)
	if got, want := r.IDs(), []string{"dhcp-rogue-server"}; !cmp.Equal(got, want) {
		t.Errorf("then found %v, want %v", got, want)
	}
}

func TestAnswersDisagree(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *synth.DHCPServer)
		want   []string // differences, nil: no finding
	}{
		{"peers agree", func(*synth.DHCPServer) {}, nil},
		{"each names itself", func(s *synth.DHCPServer) { s.Next = "10.0.0.3"; s.File = "http://10.0.0.3/boot.efi" }, nil},
		{"name servers in another order", func(s *synth.DHCPServer) { s.DNS = []string{"10.0.0.54", "10.0.0.53"} }, nil},
		{"boot file", func(s *synth.DHCPServer) { s.File = "http://10.0.0.2/old.efi" }, []string{"boot_file"}},
		{"router and domain", func(s *synth.DHCPServer) { s.Router = "10.0.0.254"; s.Domain = "other" }, []string{"router", "domain"}},
		{"mask", func(s *synth.DHCPServer) { s.Mask = "255.255.0.0" }, []string{"mask"}}, // 10.0.0.x in either
		{"next server", func(s *synth.DHCPServer) { s.Next = "10.0.0.99" }, []string{"next_server"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := good()
			a.DNS, a.File, a.Next = []string{"10.0.0.53", "10.0.0.54"}, "http://10.0.0.2/boot.efi", "10.0.0.2"
			b := a
			b.Host = synth.NewHost("00:25:90:00:00:02", "10.0.0.3")
			b.Next, b.File = "10.0.0.3", "http://10.0.0.3/boot.efi"
			tt.change(&b)
			if tt.name == "boot file" {
				b.File = "http://10.0.0.3/old.efi"
			}
			c := &synth.Capture{}
			d := synth.UEFIHTTP(physical, 16).Discover(1, 0)
			c.Add(0, d.Broadcast()).Add(ms, a.Frame(a.Offer(d, "10.0.0.57"))).Add(2*ms, b.Frame(b.Offer(d, "10.0.0.58")))
			for gate, cut := range map[string]*synth.Capture{"": c, "doubled": c.Doubled()} {
				f := watch(t, cut, nil).Find("dhcp-answers-disagree")
				switch {
				case f == nil && tt.want != nil:
					t.Errorf("%s: no finding, want %v", gate, tt.want)
				case f != nil && !cmp.Equal(fact(f, "differences"), any(tt.want)):
					t.Errorf("%s: differences %v, want %v", gate, fact(f, "differences"), tt.want)
				}
			}
		})
	}
	t.Run("trap: architectures get different files", func(t *testing.T) {
		c := &synth.Capture{}
		bios := good()
		bios.File = "pxelinux.0"
		dora(c, 0, synth.PXERom(physical), 1, bios, "10.0.0.57")
		dora(c, time.Second, synth.UEFI(second, 7), 2, good(), "10.0.0.58")
		if r := watch(t, c, nil); len(r.Findings) != 0 {
			t.Errorf("found %v, want nothing", r.IDs())
		}
	})
	t.Run("trap: proxy beside a plain server", func(t *testing.T) {
		c := &synth.Capture{}
		proxy := synth.DHCPServer{Host: synth.NewHost("00:25:90:00:00:09", "10.0.0.9"), Shape: synth.Dnsmasq, File: "x.efi"}
		d := synth.UEFI(physical, 7).Discover(1, 0)
		c.Add(0, d.Broadcast()).Add(ms, good().Frame(good().Offer(d, "10.0.0.57"))).Add(2*ms, proxy.Frame(proxy.ProxyOffer(d)))
		if r := watch(t, c, nil); len(r.Findings) != 0 {
			t.Errorf("found %v, want nothing", r.IDs())
		}
	})
}

func TestProgram(t *testing.T) {
	for name, tt := range map[string]struct {
		shape synth.ServerShape
		want  string
	}{
		"dnsmasq": {synth.Dnsmasq, "dnsmasq"}, "ISC": {synth.ISCDhcpd, "ISC dhcpd"}, "Kea": {synth.Kea, "Kea"}, "udhcpd": {synth.Udhcpd, "busybox udhcpd"},
		"Windows": {synth.Windows, "Windows Server"}, "Go": {synth.GoServer, "a Go server (insomniacslk/dhcp)"},
		"ISC behind a router": {synth.ServerShape{IP: synth.IP{TOS: 0x10, TTL: 127}, InField: true, Order: []byte{53, 54, 51}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := good()
			s.Shape = tt.shape
			m, o := parse(s.Offer(synth.UEFI(physical, 7).Discover(1, 0), "10.0.0.9"))
			var p shape
			p.read(&wire.Frame{TTL: tt.shape.IP.TTL, TOS: tt.shape.IP.TOS}, m, o)
			if got := p.program(); got != tt.want {
				t.Errorf("program() = %q, want %q (order %v)", got, tt.want, p.order)
			}
		})
	}
}

// TestServersBounds floods every table from one made-up source.
func TestServersBounds(t *testing.T) {
	s := newServers(tracktest.Config())
	var out track.Out
	var o Options
	srv := libvirt()
	for i := range 20000 {
		mac := [6]byte{0x3c, 1, 2, byte(i >> 16), byte(i >> 8), byte(i)}
		c := synth.Udhcpc(physical)
		c.MAC = mac
		d := c.Discover(uint32(i), 0)
		srv.ID = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
		off := srv.Offer(d, "10.0.0.9")
		for _, b := range [][]byte{d.Bytes(), off.Bytes(), c.Request(off, 0).Bytes()} {
			f := wire.Frame{Time: capture.Time(i) * 1e6, SrcMAC: wire.MAC(mac), Src: wire.MustAddr("10.0.0.2"), DstPort: 68, TTL: 64, TagCount: 1}
			f.Tags[0] = uint16(i) & 0xfff
			o.Parse(b, len(b))
			s.Message(&f, b, &o, &out)
			out.Reset()
		}
	}
	s.Finish(1<<60, &out)
	for name, n := range map[string][2]int{
		"servers": {s.servers.Len(), maxWatched}, "segments": {s.segments.Len(), maxSegments}, "callers": {s.callers.Len(), maxCallers},
		"answers": {s.answered.Len(), maxAnswered}, "leases": {s.leases.Len(), maxLeases}, "names": {s.names.Len(), maxNames}, "relays": {s.relays.Len(), maxRelays},
	} {
		if n[0] > n[1] {
			t.Errorf("%s: %d entries, want at most %d", name, n[0], n[1])
		}
	}
	if s.Evicted() == 0 {
		t.Error("Evicted() = 0 after a flood")
	}
}

// TestServersAllocs: what has been said is not said again for each packet.
func TestServersAllocs(t *testing.T) {
	s := newServers(allow("10.0.0.2"))
	var out track.Out
	var o Options
	c := synth.UEFI(physical, 7)
	d := c.Discover(1, 0)
	offer := good().Offer(d, "10.0.0.57")
	bad := libvirt().Offer(d, "192.168.122.57")
	type packet struct {
		f wire.Frame
		m Message
	}
	at := capture.Time(0)
	server := func(h synth.DHCPServer, d synth.DHCP) packet {
		return packet{wire.Frame{SrcMAC: wire.MAC(h.MAC), Src: wire.AddrFrom(h.IP), DstPort: 68, SrcPort: 67, TTL: 64}, d.Bytes()}
	}
	client := func(d synth.DHCP) packet {
		return packet{wire.Frame{SrcMAC: wire.MAC(node), DstPort: 67, SrcPort: 68, TTL: 64}, d.Bytes()}
	}
	for _, tt := range []struct {
		name    string
		packets []packet
		most    float64
	}{
		{"requests", []packet{client(d), client(c.Request(offer, 0))}, 0},
		{"the right server", []packet{client(d), server(good(), offer)}, 0},
		// Its verdict is weighed again for each answer.
		{"libvirt's", []packet{client(d), server(libvirt(), bad)}, 40},
	} {
		play := func() {
			for i := range tt.packets {
				p := &tt.packets[i]
				at += 1e9
				p.f.Time = at
				o.Parse(p.m, len(p.m))
				s.Message(&p.f, p.m, &o, &out)
			}
			out.Reset()
		}
		for range 40 {
			play()
		}
		if n := testing.AllocsPerRun(100, play); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, n, tt.most)
		}
	}
}

// FuzzServers plays any sequence of payloads to Servers: no panic, tables in
// bounds, findings that hold together.
func FuzzServers(f *testing.F) {
	c := &synth.Capture{}
	dora(c, 0, synth.UEFI(physical, 7), 1, good(), "10.0.0.57")
	dora(c, time.Second, synth.Udhcpc(second), 2, libvirt(), "192.168.122.57")
	var seed []byte
	for _, p := range c.Packets {
		b := p.Data[42:]
		seed = append(append(seed, byte(len(b)>>8), byte(len(b)), p.Data[11]), b...)
	}
	f.Add(seed, true)
	f.Add(seed, false)
	f.Fuzz(func(t *testing.T, b []byte, list bool) {
		cfg := tracktest.Config()
		if list {
			cfg = allow("10.0.0.2")
		}
		s := newServers(cfg)
		var out track.Out
		var o Options
		at := capture.Time(1)
		for len(b) > 3 {
			n, x := min(int(b[0])<<8|int(b[1]), len(b)-3), b[2]
			m := Message(b[3 : 3+n])
			b = b[3+n:]
			at += capture.Time(x) * 1e8
			fr := wire.Frame{Time: at, ID: capture.FrameID(at), SrcMAC: wire.MAC{0x52, 0x54, 0, 0, 0, x & 3}, Src: wire.Addr4([4]byte{10, 0, 0, x}), SrcPort: 67 + uint16(x>>7), DstPort: 68, TTL: 64 - x&1}
			if x&4 != 0 {
				fr.DstPort = 67
			}
			if x&8 != 0 {
				fr.Stop, fr.Payload = wire.StopLLC, m
				s.Link(&fr, &out)
				continue
			}
			if !m.Valid() {
				continue
			}
			o.Parse(m, len(m)+int(x&16))
			s.Message(&fr, m, &o, &out)
			if x&32 != 0 {
				s.NoOffer(m.CHAddr(), 0, at, &out)
			}
		}
		s.Finish(at, &out)
		for _, f := range out.Findings {
			if f.Rule == nil || f.Summary == "" || len(f.Frames) > finding.MaxFrames || f.First > f.Last || f.Last > at {
				t.Errorf("finding %+v at %d", f, at)
			}
			for _, x := range f.Facts {
				switch x.Value.(type) {
				case string, int, int64, uint64, float64, bool, []string:
				default:
					t.Errorf("%s: fact %s is a %T", f.Rule.ID, x.Key, x.Value)
				}
			}
		}
	})
}

// TestServerRulesComplete: the literals are the manual.
func TestServerRulesComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range serverRules {
		if r.ID == "" || seen[r.ID] || r.Title == "" || r.Detect == "" || r.Means == "" || r.Next == "" || r.Traps == "" || len(r.References) == 0 {
			t.Errorf("rule %q is incomplete or twice", r.ID)
		}
		seen[r.ID] = true
	}
}
