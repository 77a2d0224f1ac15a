package flow_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/flow"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

var (
	node    = synth.NewHost("52:54:00:12:34:56", "10.0.1.57")
	node2   = synth.NewHost("52:54:00:12:34:57", "10.0.1.58")
	rack    = synth.NewHost("52:54:00:00:00:02", "10.0.1.2") // inside the node network
	region  = synth.NewHost("52:54:00:00:00:03", "10.0.3.3")
	bmc     = synth.NewHost("52:54:00:00:00:04", "10.0.4.4")
	admin   = synth.NewHost("52:54:00:00:00:05", "10.0.5.5")
	visitor = synth.NewHost("52:54:00:00:00:06", "198.51.100.6")
)

const s = time.Second

func blank() *synth.Capture { return &synth.Capture{} }

func nets(p ...string) (out []netip.Prefix) {
	for _, p := range p {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// told is a site whose operator told everything.
func told() *track.Config {
	cfg := tracktest.Config()
	st := site.Default()
	st.Racks, st.Regions = []netip.Addr{rack.IP}, []netip.Addr{region.IP}
	st.NodeNets, st.AdminNets, st.BMCNets = nets("10.0.1.0/24"), nets("10.0.5.0/24"), nets("10.0.4.0/24")
	cfg.Site = st
	return cfg
}

func without(change func(*site.Site)) *track.Config {
	cfg := told()
	change(cfg.Site)
	return cfg
}

// dial is a connection that is accepted.
func dial(client, server synth.Host, port uint16) *synth.Capture {
	c := blank()
	c.Dial(0, client, 40000, server, port).Open().Close(false)
	return c
}

func ipmi(client synth.Host) *synth.Capture {
	return blank().Add(0, synth.UDP(client, bmc, 40000, 623, []byte{6, 0, 0xff, 6})).
		Add(time.Millisecond, synth.UDP(bmc, client, 623, 40000, []byte{6, 0, 0xff, 6}))
}

type was struct{ ID, Subject, Severity, Confidence, Summary string }

func findings(r *tracktest.Result) []was {
	var out []was
	for _, f := range r.Findings {
		out = append(out, was{f.Rule.ID, f.Subject, f.Severity.String(), f.Confidence.String(), f.Summary})
	}
	return out
}

func TestExposed(t *testing.T) {
	ssh := []was{{"exposed-service", "ssh 10.0.1.57:22", "warning", "certain", "SSH of node 10.0.1.57:22 answers 198.51.100.6, which is in no admin network"}}
	for _, tt := range []struct {
		name string
		cfg  *track.Config
		c    *synth.Capture
		want []was
	}{
		{"SSH of a node from outside", told(), dial(visitor, node, 22), ssh},
		{"mirrored twice", told(), dial(visitor, node, 22).Doubled(), ssh},
		{"started after the SYN", told(), dial(visitor, node, 22).From(100 * time.Microsecond), ssh},
		{"cut to 60 bytes", told(), dial(visitor, node, 22).Snapped(60), ssh},
		{"again and again", told(), dial(visitor, node, 22).Join(dial(visitor, node, 22), dial(visitor, node, 22)), ssh},
		{"IPMI from a node", told(), ipmi(node), []was{{
			"exposed-service", "ipmi 10.0.4.4:623", "warning", "certain", "IPMI over LAN (RMCP+) of bmc 10.0.4.4:623 answers 10.0.1.57, which is in no admin network",
		}}},
		{"two clients are one finding", told(), ipmi(node).Join(ipmi(visitor)), []was{{
			"exposed-service", "ipmi 10.0.4.4:623", "warning", "certain", "IPMI over LAN (RMCP+) of bmc 10.0.4.4:623 answers 2 clients which are in no admin network",
		}}},
		{"web interface of a BMC from a node", told(), dial(node, bmc, 443), []was{{
			"exposed-service", "redfish 10.0.4.4:443", "warning", "certain", "Redfish and vendor APIs of bmc 10.0.4.4:443 answers 10.0.1.57, which is in no admin network",
		}}},
		{"libvirt of a rack from outside", told(), dial(visitor, rack, 16509), []was{{
			"exposed-service", "libvirt 10.0.1.2:16509", "warning", "certain", "libvirt of rack 10.0.1.2:16509 answers 198.51.100.6, which is in no admin network",
		}}},

		{"SSH from an admin network", told(), dial(admin, node, 22), nil},
		{"SSH from the rack", told(), dial(rack, node, 22), nil},
		{"SSH among nodes", told(), dial(node2, node, 22), nil},
		{"SSH to the internet", told(), dial(node, visitor, 22), nil},
		{"an attempt that nobody answers", told(), func() *synth.Capture {
			c := blank()
			c.Dial(0, visitor, 40000, node, 22).SYN(s, 2*s)
			return c
		}(), nil},
		{"an attempt that is refused", told(), func() *synth.Capture {
			c := blank()
			c.Dial(0, visitor, 40000, node, 22).Refused()
			return c
		}(), nil},
		{"IPMI from the rack", told(), ipmi(rack), nil},
		{"an IPMI request without reply", told(), ipmi(visitor).Until(0), nil},
		{"Redfish from the rack", told(), dial(rack, bmc, 443), nil},
		{"web interface of a BMC from an admin", told(), dial(admin, bmc, 80), nil},
		{"HTTP of the rack from outside", told(), dial(visitor, rack, 80), nil},
		{"a node that answers on 623", told(), blank().Add(0, synth.UDP(node, visitor, 623, 40000, []byte{6, 0, 0xff, 6})), nil},
		{"no admin network told", without(func(s *site.Site) { s.AdminNets = nil }), dial(visitor, node, 22), nil},
		{"no BMC network told", without(func(s *site.Site) { s.BMCNets = nil }), ipmi(visitor), nil},
		{"nothing told", tracktest.Config(), dial(visitor, node, 22).Join(ipmi(visitor)), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, findings(tracktest.Run(t, tt.c, tt.cfg, flow.Spec))); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

func TestReversed(t *testing.T) {
	reversed := []was{{
		"reversed-direction", "maas-region 10.0.1.57:5240", "warning", "likely",
		"node 10.0.1.57:5240 serves MAAS API and metadata to region 10.0.3.3; the service runs the other way",
	}}
	for _, tt := range []struct {
		name string
		cfg  *track.Config
		c    *synth.Capture
		want []was
	}{
		{"the region dials a node's 5240", told(), dial(region, node, 5240), reversed},
		{"mirrored twice", told(), dial(region, node, 5240).Doubled(), reversed},
		{"again and again", told(), dial(region, node, 5240).Join(dial(region, node, 5240)), reversed},
		{"a node serves the rack", told(), dial(rack, node, 5248), []was{{
			"reversed-direction", "maas-http-boot 10.0.1.57:5248", "warning", "likely",
			"node 10.0.1.57:5248 serves MAAS HTTP boot to rack 10.0.1.2; the service runs the other way",
		}}},
		{"a node serves the rack's install monitor", told(), dial(rack, node, 3002), []was{{
			"reversed-direction", "xcat-monitor 10.0.1.57:3002", "warning", "likely",
			"node 10.0.1.57:3002 serves xCAT install monitor to rack 10.0.1.2; the service runs the other way",
		}}},

		{"a node dials the region", told(), dial(node, region, 5240), nil},
		{"the rack dials the region", told(), dial(rack, region, 5250), nil},
		{"xCAT's discovery calls back", told(), dial(rack, node, 3001), nil},
		{"xCAT fetches credentials", told(), dial(rack, node, 300), nil},
		{"a management node that was not named, in the admin network", told(), dial(node, admin, 3001), nil},
		{"a region that was not named, in the admin network", told(), dial(region, admin, 5240), nil},
		{"Ironic's conductor calls the agent", told(), dial(rack, node, 9999), nil},
		{"the rack uses a node's web server", told(), dial(rack, node, 80), nil},
		{"a node logs in to the rack", told(), dial(node, rack, 22), nil},
		{"DHCP relays answer each other", told(), blank().Add(0, synth.UDP(node, rack, 67, 67, nil)).Add(s, synth.UDP(rack, node, 67, 67, nil)), nil},
		{"nobody answers", told(), func() *synth.Capture {
			c := blank()
			c.Dial(0, region, 40000, node, 5240).SYN(s)
			return c
		}(), nil},
		{"node networks not told", without(func(s *site.Site) { s.NodeNets = nil }), dial(region, node, 5240), nil},
		{"regions not told", without(func(s *site.Site) { s.Regions = nil }), dial(region, node, 5240), nil},
		{"nothing told", tracktest.Config(), dial(region, node, 5240), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, findings(tracktest.Run(t, tt.c, tt.cfg, flow.Spec))); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

func answer(src, dst synth.Host, port uint16) *wire.Frame {
	return &wire.Frame{
		Time: synth.Start, ID: 1, IPVersion: 4, Proto: wire.ProtoTCP, SrcMAC: src.MAC, Src: wire.AddrFrom(src.IP), Dst: wire.AddrFrom(dst.IP),
		SrcPort: port, DstPort: 40000, TCP: wire.TCP{Flags: wire.SYN | wire.ACK},
	}
}

func TestAllocatesNothing(t *testing.T) {
	tr := flow.Spec.New(told())
	out := &track.Out{}
	data := answer(rack, node, 5248)
	data.TCP.Flags = wire.ACK
	normal := answer(rack, node, 5248)
	known := answer(node, visitor, 22)
	all := func() {
		tr.Frame(data, out)
		tr.Frame(normal, out)
		tr.Frame(known, out)
	}
	all()
	out.Reset()
	if got := testing.AllocsPerRun(1000, all); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
	if !out.Empty() {
		t.Errorf("got %v again, want it said once", out.Findings)
	}
}

// TestInternetIsBounded: one open port and a great many clients are a few
// reports of one finding.
func TestInternetIsBounded(t *testing.T) {
	tr := flow.Spec.New(told())
	out := &track.Out{}
	f := answer(node, visitor, 22)
	for i := range 100_000 {
		binary.BigEndian.PutUint32(f.Dst[12:], 0xc6330000+uint32(i))
		f.Time += 1000
		tr.Frame(f, out)
	}
	if got := len(out.Findings); got == 0 || got > 20 {
		t.Errorf("got %d reports, want one for each doubling", got)
	}
	for _, x := range out.Findings {
		if len(x.Frames) > 8 {
			t.Fatalf("got %d frames, want 8 at most", len(x.Frames))
		}
	}
}

func FuzzTracker(f *testing.F) {
	f.Add([]byte{0, 5, 0, 0, 3, 0, 3, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := flow.Spec.New(told())
		out := &track.Out{}
		hosts := []synth.Host{node, node2, rack, region, bmc, admin, visitor, synth.Everyone}
		ports := []uint16{22, 5240, 443, 623, 3001, 16509, 40000, 53}
		for n := 1; len(b) >= 4; n, b = n+1, b[4:] {
			f := answer(hosts[b[0]&7], hosts[b[1]&7], ports[b[2]&7])
			f.ID, f.DstPort = capture.NewFrameID(0, uint64(n)), ports[b[2]>>3&7]
			if b[3]&1 != 0 {
				f.Proto = wire.ProtoUDP
			}
			tr.Frame(f, out)
		}
		tr.Finish(synth.Start, out)
		for _, f := range out.Findings {
			if f.Summary == "" || len(f.Frames) == 0 || f.Server.Addr.IsZero() {
				t.Errorf("got %+v, want a summary, frames and a server", f)
			}
		}
	})
}
