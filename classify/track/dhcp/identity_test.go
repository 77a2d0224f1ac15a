package dhcp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
)

// withID gives a client the machine id of another.
func withID(c synth.DHCPClient, guid [16]byte) synth.DHCPClient {
	for i, o := range c.Options {
		if o.Code == 97 {
			c.Options[i].Data = append([]byte{0}, guid[:]...)
		}
	}
	return c
}

var cloned = [16]byte{0x4c, 0x4c, 0x45, 0x44, 0, 0x31, 0x10, 0x39, 0x80, 0x35, 0xb6, 0xc0, 0x4f, 0x4d, 0x4a, 0x32}

func TestIdentityCollision(t *testing.T) {
	a, b := withID(synth.UEFI(physical, 7), cloned), withID(synth.UEFI(second, 7), cloned)
	loader := withID(synth.IPXE(physical, 7), cloned)
	loaderB := withID(synth.IPXE(second, 7), cloned)
	xid := uint32(0x11223344) // ROMs make it from the MAC: the same for each attempt
	s := time.Second
	for _, tt := range []struct {
		name string
		// dora of a from start to end, with b between or not
		build func(c *synth.Capture)
		want  []string
	}{
		{"b asks between DISCOVER and REQUEST of a", func(c *synth.Capture) {
			o := good().Offer(a.Discover(xid, 0), "10.0.0.57")
			c.Add(0, a.Discover(xid, 0).Broadcast()).Add(ms, good().Frame(o)).Add(2*s, b.Discover(9, 0).Broadcast()).Add(4*s, a.Request(o, 4).Broadcast())
		}, []string{physical, second}},
		{"b asks between two DISCOVERs of a", func(c *synth.Capture) {
			c.Add(0, a.Discover(xid, 0).Broadcast()).Add(2*s, b.Discover(9, 0).Broadcast()).Add(4*s, a.Discover(xid, 4).Broadcast())
		}, []string{physical, second}},
		{"b's firmware starts between a's firmware and its loader", func(c *synth.Capture) {
			dora(c, 0, a, xid, good(), "10.0.0.57")
			c.Add(10*s, b.Discover(9, 0).Broadcast())
			c.Add(20*s, loader.Discover(77, 4).Broadcast())
		}, []string{physical, second}},

		{"trap: ports of one machine, one after the other", func(c *synth.Capture) {
			for i, at := range []time.Duration{0, 4 * s, 12 * s} {
				c.Add(at, a.Discover(xid, uint16(at/s)).Broadcast())
				c.Add(60*s+at, b.Discover(9, uint16(at/s)).Broadcast())
				_ = i
			}
		}, nil},
		{"trap: boot order starts again with the same xid", func(c *synth.Capture) {
			for i := range 3 {
				at := time.Duration(i) * 10 * s
				c.Add(at, a.Discover(xid, 0).Broadcast()).Add(at+4*s, a.Discover(xid, 4).Broadcast())
				c.Add(at+5*s, b.Discover(9, 0).Broadcast()).Add(at+9*s, b.Discover(9, 4).Broadcast())
			}
		}, nil},
		{"trap: loader tries one port after the other", func(c *synth.Capture) {
			dora(c, 0, a, xid, good(), "10.0.0.57")
			c.Add(10*s, loaderB.Discover(8, 4).Broadcast()).Add(25*s, loader.Discover(77, 4).Broadcast())
		}, nil},
		{"trap: the same frames on both sides of a relay", func(c *synth.Capture) {
			agent, srv := synth.NewHost("00:00:5e:00:01:01", "10.0.0.1"), synth.NewHost("00:25:90:00:00:01", "10.9.0.2")
			for i, at := range []time.Duration{0, 4 * s} {
				d := a.Discover(xid, uint16(4*i))
				c.Add(at, d.Broadcast()).Add(at+ms, d.Relayed(agent, srv, "10.0.0.1"))
			}
		}, nil},
		{"trap: another machine id", func(c *synth.Capture) {
			x := synth.UEFI(second, 7)
			c.Add(0, a.Discover(xid, 0).Broadcast()).Add(2*s, x.Discover(9, 0).Broadcast()).Add(4*s, a.Discover(xid, 4).Broadcast())
		}, nil},
		{"gate: what came between was not captured", func(c *synth.Capture) {
			c.Add(2*s, b.Discover(9, 0).Broadcast()).Add(4*s, a.Discover(xid, 4).Broadcast())
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &synth.Capture{}
			tt.build(c)
			c.Join()
			for gate, cut := range map[string]*synth.Capture{"": c, "doubled": c.Doubled()} {
				r := watch(t, cut, nil)
				if got := nodes(r, "identity-collision"); !cmp.Equal(got, tt.want) {
					t.Errorf("%s: found %v, want %v", gate, got, tt.want)
				}
			}
			if r := watch(t, c.Snapped(96), nil); len(r.Findings) != 0 {
				t.Errorf("cut to 96 bytes: found %v", r.IDs())
			}
		})
	}
}

func TestClientIDCollision(t *testing.T) {
	duid := synth.Opt{Code: 61, Data: []byte{0xff, 0, 0, 0, 1, 0, 2, 0, 0, 0xab, 0x11, 1, 2, 3, 4, 5, 6, 7, 8}}
	frames := func(id synth.Opt) *synth.Capture {
		a, b := synth.Networkd(physical), synth.Networkd(second)
		return (&synth.Capture{}).Add(0, a.Discover(5, 0).With(id).Broadcast()).Add(time.Second, b.Discover(9, 0).With(id).Broadcast()).
			Add(3500*ms, a.Discover(5, 3).With(id).Broadcast())
	}
	if got, want := nodes(watch(t, frames(duid), nil), "identity-collision"), []string{physical, second}; !cmp.Equal(got, want) {
		t.Errorf("one DUID: found %v, want %v", got, want)
	}
	c := frames(duid)
	c.Packets[1] = c.Tagged(30).Packets[1]
	if r := watch(t, c, nil); len(r.Findings) != 0 {
		t.Errorf("trap: one DUID on two VLANs, as duid-only clients have it: found %v", r.IDs())
	}
}

func TestAddressCollision(t *testing.T) {
	a, b := synth.UEFI(physical, 7), synth.UEFI(second, 7)
	s := time.Second
	const addr = "10.0.0.57"
	for _, tt := range []struct {
		name  string
		build func(c *synth.Capture)
		want  []string
		sev   finding.Severity
	}{
		{"acknowledged to both", func(c *synth.Capture) {
			dora(c, 0, a, 1, good(), addr)
			dora(c, 30*s, b, 2, good(), addr)
		}, []string{second}, finding.Error},
		{"offered to both", func(c *synth.Capture) {
			for i, x := range []synth.DHCPClient{a, b} {
				d := x.Discover(uint32(i), 0)
				c.Add(time.Duration(i)*s, d.Broadcast()).Add(time.Duration(i)*s+ms, good().Frame(good().Offer(d, addr)))
			}
		}, []string{second}, finding.Warning},
		{"trap: one machine's two ports", func(c *synth.Capture) {
			dora(c, 0, withID(a, cloned), 1, good(), addr)
			dora(c, 30*s, withID(synth.UEFI(second, 7), cloned), 2, good(), addr)
		}, nil, 0},
		{"trap: given up before", func(c *synth.Capture) {
			dora(c, 0, a, 1, good(), addr)
			rel := a.Renew(3, addr)
			rel.Type = synth.DHCPRelease
			c.Add(10*s, rel.Unicast(synth.NewHost(physical, addr), good().Host, 68, 67))
			dora(c, 30*s, b, 2, good(), addr)
		}, nil, 0},
		{"trap: declined before", func(c *synth.Capture) {
			dora(c, 0, a, 1, good(), addr)
			dec := a.Reboot(3, addr)
			dec.Type = synth.DHCPDecline
			c.Add(10*s, dec.Broadcast())
			dora(c, 30*s, b, 2, good(), addr)
		}, nil, 0},
		{"trap: the first took another server's offer", func(c *synth.Capture) {
			d := a.Discover(1, 0)
			other := good()
			other.Host = synth.NewHost("00:25:90:00:00:02", "10.0.0.3")
			c.Add(0, d.Broadcast()).Add(ms, good().Frame(good().Offer(d, addr))).Add(2*ms, other.Frame(other.Offer(d, "10.0.0.99")))
			c.Add(4*s, a.Request(other.Offer(d, "10.0.0.99"), 0).Broadcast())
			d = b.Discover(2, 0)
			c.Add(10*s, d.Broadcast()).Add(10*s+ms, good().Frame(good().Offer(d, addr)))
		}, nil, 0},
		{"trap: a probe does not keep what it is offered", func(c *synth.Capture) {
			d := synth.MAASProbe("00:25:90:00:00:07").Discover(1, 0)
			c.Add(0, d.Broadcast()).Add(ms, good().Frame(good().Offer(d, addr)))
			dora(c, 5*s, b, 2, good(), addr)
		}, nil, 0},
		{"trap: a minute later", func(c *synth.Capture) {
			dora(c, 0, a, 1, good(), addr)
			dora(c, 61*s, b, 2, good(), addr)
		}, nil, 0},
		{"trap: another VLAN", func(c *synth.Capture) {
			dora(c, 0, a, 1, good(), addr)
			x := &synth.Capture{}
			dora(x, 5*s, b, 2, good(), addr)
			c.Join(x.Tagged(30))
		}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &synth.Capture{}
			tt.build(c)
			for gate, cut := range map[string]*synth.Capture{"": c, "doubled": c.Doubled()} {
				r := watch(t, cut, nil)
				if got := nodes(r, "identity-collision"); !cmp.Equal(got, tt.want) {
					t.Errorf("%s: found %v, want %v", gate, got, tt.want)
				}
				if f := r.Find("identity-collision"); f != nil && f.Severity != tt.sev {
					t.Errorf("%s: severity %v, want %v", gate, f.Severity, tt.sev)
				}
			}
		})
	}
}

func TestBadUUID(t *testing.T) {
	ff := [16]byte{}
	for i := range ff {
		ff[i] = 0xff
	}
	for _, tt := range []struct {
		name string
		guid [16]byte
		want string
	}{
		{"all zeros", [16]byte{}, "00000000-0000-0000-0000-000000000000"},
		{"all ones", ff, "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{"maker's default", amiUUID, "03000200-0400-0500-0006-000700080009"},
		{"sound", cloned, ""},
	} {
		a, b := withID(synth.UEFI(physical, 7), tt.guid), withID(synth.UEFI(second, 7), tt.guid)
		c := (&synth.Capture{}).Add(0, a.Discover(5, 0).Broadcast()).Add(time.Second, b.Discover(6, 0).Broadcast()).Add(4*time.Second, a.Discover(5, 4).Broadcast())
		r := watch(t, c, nil)
		if tt.want == "" {
			if r.Find("bad-smbios-uuid") != nil {
				t.Errorf("%s: found %v", tt.name, r.IDs())
			}
			continue
		}
		if got, want := nodes(r, "bad-smbios-uuid"), []string{physical, second}; !cmp.Equal(got, want) || len(r.Findings) != 2 {
			t.Errorf("%s: found %v of %v, want %v", tt.name, r.IDs(), got, want)
		} else if got := fact(r.Find("bad-smbios-uuid"), "uuid"); got != tt.want {
			t.Errorf("%s: uuid %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestSharedUUID: one id on more MACs than a chassis has ports.
func TestSharedUUID(t *testing.T) {
	for _, tt := range []struct{ macs, want int }{{maxNamesakes, 0}, {maxNamesakes + 1, 1}} {
		c := &synth.Capture{}
		for i := range tt.macs {
			x := withID(synth.UEFI(physical, 7), cloned)
			x.MAC[5] = byte(i)
			c.Add(time.Duration(i)*time.Minute, x.Discover(uint32(i), 0).Broadcast())
		}
		if got := nodes(watch(t, c, nil), "bad-smbios-uuid"); len(got) != tt.want {
			t.Errorf("%d MACs: found %v, want %d", tt.macs, got, tt.want)
		}
	}
}
