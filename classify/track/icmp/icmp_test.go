package icmp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/icmp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

var (
	node   = synth.NewHost("52:54:00:12:34:56", "10.0.0.57")
	rack   = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	router = synth.NewHost("52:54:00:00:00:01", "10.0.0.1")
)

const s = time.Second

func blank() *synth.Capture { return &synth.Capture{} }

// rejects is a packet and the ICMPv4 errors about it, n of them, by a host.
func rejects(by synth.Host, typ, code uint8, packet []byte, n int) *synth.Capture {
	c := blank()
	to := synth.Host{MAC: [6]byte(packet[6:12]), IP: netip.AddrFrom4([4]byte(packet[26:30]))}
	for i := range n {
		at := time.Duration(i) * s
		c.Add(at, packet).Add(at+time.Millisecond, synth.ICMPError(by, to, typ, code, 0, packet))
	}
	return c
}

type was struct{ Subject, Severity, Confidence, Summary string }

func findings(r *tracktest.Result) []was {
	var out []was
	for _, f := range r.Findings {
		out = append(out, was{f.Subject, f.Severity.String(), f.Confidence.String(), f.Summary})
	}
	return out
}

func TestBlocked(t *testing.T) {
	rrq := synth.UDP(node, rack, 2070, 69, []byte("\x00\x01pxelinux.0\x00octet\x00"))
	syn := synth.TCP(node, rack, 40000, 80, synth.Segment{Flags: wire.SYN, Seq: 1})
	synack := synth.TCP(rack, node, 80, 40000, synth.Segment{Flags: wire.SYN | wire.ACK, Seq: 1})
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"firewalld on the server", rejects(rack, 3, 10, rrq, 1), []was{{
			"udp 10.0.0.2:69 by 10.0.0.2", "error", "certain", "10.0.0.2 rejects packets to 10.0.0.2:69 (TFTP): administratively prohibited",
		}}},
		{"access list on a router", rejects(router, 3, 13, syn, 1), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "error", "certain", "10.0.0.1 rejects packets to 10.0.0.2:80 (HTTP boot and images): administratively prohibited",
		}}},
		{"mirrored twice", rejects(router, 3, 13, syn, 1).Doubled(), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "error", "certain", "10.0.0.1 rejects packets to 10.0.0.2:80 (HTTP boot and images): administratively prohibited",
		}}},
		{"cut to 70 bytes, which leaves the ports", rejects(router, 3, 13, syn, 1).Snapped(70), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "error", "certain", "10.0.0.1 rejects packets to 10.0.0.2:80 (HTTP boot and images): administratively prohibited",
		}}},
		{"the rejected packet is before the capture", rejects(router, 3, 13, syn, 1).From(time.Millisecond), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "error", "certain", "10.0.0.1 rejects packets to 10.0.0.2:80 (HTTP boot and images): administratively prohibited",
		}}},
		{"port unreachable by a third machine", rejects(router, 3, 3, rrq, 1), []was{{
			"udp 10.0.0.2:69 by 10.0.0.1", "error", "likely", "10.0.0.1 rejects packets to 10.0.0.2:69 (TFTP): port unreachable",
		}}},
		{"host unreachable once", rejects(router, 3, 1, syn, 1), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "warning", "likely", "10.0.0.1 says that it cannot reach 10.0.0.2: packets to 10.0.0.2:80 (HTTP boot and images) do not arrive",
		}}},
		{"host unreachable again", rejects(router, 3, 1, syn, 3), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "error", "likely", "10.0.0.1 says that it cannot reach 10.0.0.2: packets to 10.0.0.2:80 (HTTP boot and images) do not arrive",
		}}},
		{"no route, to two servers", rejects(router, 3, 0, syn, 1).Join(rejects(router, 3, 0, synth.TCP(node, rack.At("10.7.0.2"), 40000, 80, synth.Segment{Flags: wire.SYN}), 1)), []was{{
			"tcp port 80 by 10.0.0.1", "error", "likely", "10.0.0.1 has no route for packets to 10.0.0.2:80 (HTTP boot and images) and other addresses",
		}}},
		{"the server's reply is prohibited", rejects(router, 3, 13, synack, 1), []was{{
			"tcp 10.0.0.2:80 by 10.0.0.1", "error", "certain", "10.0.0.1 rejects replies from 10.0.0.2:80 (HTTP boot and images): administratively prohibited",
		}}},
		{"not of provisioning", rejects(router, 3, 13, synth.TCP(node, rack, 40000, 22, synth.Segment{Flags: wire.SYN}), 1), []was{{
			"tcp 10.0.0.2:22 by 10.0.0.1", "warning", "certain", "10.0.0.1 rejects packets to 10.0.0.2:22 (SSH): administratively prohibited",
		}}},

		{"port unreachable by the server itself", rejects(rack, 3, 3, rrq, 3), nil},
		{"the client has closed the port", rejects(node, 3, 3, synack, 3), nil},
		{"the client's firewall", rejects(node, 3, 10, synack, 3), nil},
		{"the client is off, its router says", rejects(router, 3, 1, synack, 3), nil},
		{"the client's NAT forgot it", rejects(router, 3, 3, synack, 3), nil},
		{"fragmentation needed", rejects(router, 3, 4, synack, 3), nil},
		{"time exceeded", rejects(router, 11, 0, syn, 3), nil},
		{"no known service", rejects(router, 3, 13, synth.UDP(node, rack, 40000, 7777, []byte("x")), 3), nil},
		{"a ping", rejects(router, 3, 1, synth.Echo(node, rack, false, 1, 1), 3), nil},
		{"an error that a machine sends to itself", rejects(node, 3, 1, syn, 3), nil},
		{"cut to 60 bytes: no ports", rejects(router, 3, 13, syn, 1).Snapped(60), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tracktest.Run(t, tt.c, nil, icmp.Spec)
			if d := cmp.Diff(tt.want, findings(r)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			for _, f := range r.Findings {
				if got := f.Node.Addr.String(); got != "10.0.0.57" {
					t.Errorf("node: got %s, want the client", got)
				}
				if len(f.Frames) == 0 || f.First > f.Last {
					t.Errorf("got frames %v, times %d to %d", f.Frames, f.First, f.Last)
				}
			}
		})
	}
}

// TestOutsideTheNodeNetworks: what other machines meet is no boot's fault.
func TestOutsideTheNodeNetworks(t *testing.T) {
	cfg := tracktest.Config()
	cfg.Site = site.Default()
	cfg.Site.NodeNets = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}
	syn := synth.TCP(node, rack, 40000, 80, synth.Segment{Flags: wire.SYN})
	r := tracktest.Run(t, rejects(router, 3, 13, syn, 1), cfg, icmp.Spec)
	if len(r.Findings) != 1 || r.Findings[0].Severity.String() != "warning" {
		t.Errorf("got %v, want one warning", findings(r))
	}
}

// TestCounts: many rejections are one finding that knows how many.
func TestCounts(t *testing.T) {
	syn := synth.TCP(node, rack, 40000, 80, synth.Segment{Flags: wire.SYN})
	r := tracktest.Run(t, rejects(router, 3, 13, syn, 11), nil, icmp.Spec)
	if len(r.Findings) != 1 {
		t.Fatalf("got %v, want one finding", findings(r))
	}
	for _, f := range r.Findings[0].Facts {
		if f.Key == "rejected" && f.Value != 11 {
			t.Errorf("rejected: got %v, want 11", f.Value)
		}
	}
}

func v6(code uint8, by, src, dst string, sport, dport uint16) *wire.Frame {
	return &wire.Frame{
		Time: synth.Start, ID: 1, IPVersion: 6, Proto: wire.ProtoICMPv6, Src: wire.MustAddr(by), Dst: wire.MustAddr(src), HasDstMAC: true, DstMAC: node.MAC,
		ICMP: wire.ICMP{Type: 1, Code: code, HasQuote: true, Quote: wire.Flow{
			Src: wire.MustAddr(src), Dst: wire.MustAddr(dst), SrcPort: sport, DstPort: dport, Proto: wire.ProtoTCP,
		}},
	}
}

func TestIPv6(t *testing.T) {
	for _, tt := range []struct {
		name string
		code uint8
		by   string
		want int
	}{
		{"prohibited", 1, "2001:db8::1", 1},
		{"prohibited by the server", 1, "2001:db8::2", 1},
		{"no route", 0, "2001:db8::1", 1},
		{"reject route", 6, "2001:db8::1", 1},
		{"port unreachable by the server", 4, "2001:db8::2", 0},
		{"unassigned code", 200, "2001:db8::1", 0},
	} {
		tr := icmp.Spec.New(tracktest.Config())
		out := &track.Out{}
		tr.Frame(v6(tt.code, tt.by, "2001:db8::57", "2001:db8::2", 40000, 80), out)
		if got := len(out.Findings); got != tt.want {
			t.Errorf("%s: got %d findings, want %d", tt.name, got, tt.want)
		}
	}
}

// TestLearnt: TFTP's data port is of a service once the TFTP tracker says so.
func TestLearnt(t *testing.T) {
	for _, learnt := range []bool{true, false} {
		tr := icmp.Spec.New(tracktest.Config())
		if learnt {
			tr.(track.Learner).Learn(track.Expectation{
				Proto: wire.ProtoUDP, Addr: wire.AddrFrom(node.IP), Port: 2070, Service: "tftp", Until: synth.Start.Add(s),
			})
		}
		f := v6(0, "10.0.0.1", "10.0.0.57", "10.0.0.2", 2070, 50123)
		f.Proto, f.ICMP.Type, f.ICMP.Code, f.ICMP.Quote.Proto = wire.ProtoICMP, 3, 13, wire.ProtoUDP
		out := &track.Out{}
		tr.Frame(f, out)
		if got := len(out.Findings) == 1; got != learnt {
			t.Errorf("learnt %t: got %d findings", learnt, len(out.Findings))
		}
	}
}

func TestEchoesAllocateNothing(t *testing.T) {
	tr := icmp.Spec.New(tracktest.Config())
	out := &track.Out{}
	echo := &wire.Frame{Time: synth.Start, IPVersion: 4, Proto: wire.ProtoICMP, ICMP: wire.ICMP{Type: 8}}
	if got := testing.AllocsPerRun(1000, func() { tr.Frame(echo, out) }); got != 0 {
		t.Errorf("got %v allocations for an echo, want 0", got)
	}
	blocked := v6(1, "2001:db8::1", "2001:db8::57", "2001:db8::2", 40000, 80)
	for range 3000 {
		tr.Frame(blocked, out)
	}
	out.Reset()
	if got := testing.AllocsPerRun(1000, func() { tr.Frame(blocked, out) }); got != 0 {
		t.Errorf("got %v allocations for a rejection known before, want 0", got)
	}
}

func FuzzTracker(f *testing.F) {
	f.Add([]byte{3, 13, 0, 1, 2, 0, 80, 3, 1, 0, 1, 2, 0, 80})
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := icmp.Spec.New(tracktest.Config())
		r, out := &tracktest.Result{}, &track.Out{}
		hosts := []synth.Host{router, node, rack, synth.Everyone}
		pick := func(b byte) wire.Addr { return wire.AddrFrom(hosts[int(b)%len(hosts)].IP) }
		at := synth.Start
		for n := 1; len(b) >= 7; n, b = n+1, b[7:] {
			f := &wire.Frame{
				Time: at, ID: capture.NewFrameID(0, uint64(n)), IPVersion: 4, Proto: wire.ProtoICMP, Src: pick(b[2]), Dst: pick(b[3]),
				ICMP: wire.ICMP{Type: b[0] % 16, Code: b[1], HasQuote: b[0]&16 == 0, Quote: wire.Flow{
					Src: pick(b[3]), Dst: pick(b[4]), SrcPort: uint16(b[5]) * 20, DstPort: uint16(b[6]), Proto: wire.ProtoTCP + b[5]&1*11,
				}},
			}
			if b[0]&32 != 0 {
				f.Proto = wire.ProtoICMPv6
			}
			at += capture.Time(time.Second)
			tr.Frame(f, out)
			r.Take(out)
			out.Reset()
		}
		tr.Finish(at, out)
		r.Take(out)
		for _, f := range r.Findings {
			if f.Summary == "" || len(f.Frames) == 0 || f.Node.Addr.IsZero() {
				t.Errorf("got %+v, want a summary, frames and a node", f)
			}
		}
	})
}
