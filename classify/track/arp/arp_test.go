package arp_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/arp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

const s = time.Second

// Addresses with the locally administered bit are virtual machines; those of
// 00:1b:21 are burned in.
var (
	node    = synth.NewHost("52:54:00:12:34:56", "10.0.0.57")
	twin    = synth.NewHost("52:54:00:aa:bb:cc", "10.0.0.57")
	rack    = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	other   = synth.NewHost("52:54:00:00:00:09", "10.0.0.9")
	nobody  = synth.NewHost("00:00:00:00:00:00", "10.0.0.57")
	port1   = synth.NewHost("00:1b:21:00:00:10", "10.0.0.57")
	port2   = synth.NewHost("00:1b:21:00:00:11", "10.0.0.57")
	vrrp    = synth.NewHost("00:00:5e:00:01:07", "10.0.0.57")
	request = uint16(1)
	reply   = uint16(2)
)

func blank() *synth.Capture { return &synth.Capture{} }

// asks is rack asking for an address n times, a second apart.
func asks(c *synth.Capture, from time.Duration, n int, ip string) *synth.Capture {
	for i := range n {
		c.Add(from+time.Duration(i)*s, synth.ARP(request, rack, nobody.At(ip)))
	}
	return c
}

// answered is rack asking for 10.0.0.57 n times, and who answers each.
func answered(n int, who ...synth.Host) *synth.Capture {
	c := blank()
	for i := range n {
		at := time.Duration(i) * s
		c.Add(at, synth.ARP(request, rack, nobody))
		for j, h := range who {
			c.Add(at+time.Duration(j+1)*time.Millisecond, synth.ARP(reply, h, rack))
		}
	}
	return c
}

func announce(h synth.Host) []byte {
	return synth.ARP(request, h, synth.Host{MAC: [6]byte{}, IP: h.IP})
}

func probe(h synth.Host, ip string) []byte { return synth.ARP(request, h.Nobody(), nobody.At(ip)) }

type was struct{ Subject, Severity, Confidence, Node, Server string }

func findings(r *tracktest.Result) []was {
	var out []was
	for _, f := range r.Findings {
		out = append(out, was{f.Subject, f.Severity.String(), f.Confidence.String(), f.Node.MAC.String(), f.Server.MAC.String()})
	}
	return out
}

func TestDuplicateAddress(t *testing.T) {
	mac := func(h synth.Host) string { return wire.MAC(h.MAC).String() }
	conflict := func(confidence string) []was {
		return []was{{"10.0.0.57", "error", confidence, mac(twin), mac(node)}}
	}
	// proxy is a router that answers for a network, the last time for the node.
	proxy := func(conflictFirst bool) *synth.Capture {
		c := blank()
		late := 20 * s
		if conflictFirst {
			late = 0
		}
		for i, ip := range []string{"10.0.0.31", "10.0.0.32", "10.0.0.33", "10.0.0.34", "10.0.0.35"} {
			c.Add(10*s+time.Duration(i)*s, synth.ARP(reply, twin.At(ip), rack))
		}
		for i := range 3 {
			c.Add(late+time.Duration(2*i)*s, synth.ARP(reply, node, rack))
			c.Add(late+time.Duration(2*i+1)*s, synth.ARP(reply, twin, rack))
		}
		return c.Join()
	}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"two machines answer each request", answered(3, node, twin), conflict("certain")},
		{"mirrored twice", answered(3, node, twin).Doubled(), conflict("certain")},
		{"started late", answered(4, node, twin).From(500 * time.Millisecond), conflict("certain")},
		{"cut to 60 bytes", answered(3, node, twin).Snapped(60), conflict("certain")},
		{"one turn", blank().Add(0, synth.ARP(reply, node, rack)).Add(5*s, synth.ARP(request, twin, rack)).
			Add(9*s, synth.ARP(reply, node, rack)), conflict("likely")},
		{"a third machine joins in", answered(3, node, twin, other.At("10.0.0.57")), conflict("certain")},
		{"a machine with an address of its own takes another one", func() *synth.Capture {
			c := answered(3, node).Add(1500*time.Millisecond, synth.ARP(request, twin.At("10.0.0.58"), rack))
			return c.Add(100*time.Millisecond, synth.ARP(request, twin, rack)).Add(1700*time.Millisecond, synth.ARP(request, twin, rack)).Join()
		}(), conflict("certain")},
		{"the owner answers a probe", blank().Add(0, probe(twin, "10.0.0.57")).
			Add(time.Millisecond, synth.ARP(reply, node, synth.Host{MAC: twin.MAC, IP: node.Nobody().IP})), conflict("certain")},

		{"one machine", answered(5, node), nil},
		{"one machine, mirrored twice", answered(5, node).Doubled(), nil},
		{"one request, two answers, the capture ends", answered(1, node, twin), nil},
		{"the same, mirrored twice", answered(1, node, twin).Doubled(), nil},
		{"a fail-over: the old one is silent", answered(3, node).Join(
			blank().Add(10*s, announce(twin)).Add(11*s, synth.ARP(reply, twin, rack)).Add(12*s, synth.ARP(reply, twin, rack))), nil},
		{"a fail-over and back", blank().Add(0, synth.ARP(reply, node, rack)).Add(5*s, announce(twin)).Add(6*s, synth.ARP(reply, twin, rack)).
			Add(20*s, announce(node)).Add(21*s, synth.ARP(reply, node, rack)).Add(22*s, synth.ARP(reply, node, rack)), nil},
		{"the lease went to another machine", blank().Add(0, synth.ARP(reply, node, rack)).
			Add(90*s, synth.ARP(reply, twin, rack)).Add(180*s, synth.ARP(reply, node, rack)), nil},
		{"the owner is back after more than a minute", blank().Add(0, synth.ARP(reply, node, rack)).
			Add(10*s, synth.ARP(reply, twin, rack)).Add(80*s, synth.ARP(reply, node, rack)), nil},
		{"VRRP", answered(3, node, vrrp), nil},
		{"two ports of one card", answered(3, port1, port2), nil},
		{"two ports of a machine that answers for all its addresses", func() *synth.Capture {
			c := answered(3, node, twin)
			for i := range 3 {
				c.Add(time.Duration(i)*s, synth.ARP(reply, node.At("10.0.0.58"), rack))
				c.Add(time.Duration(i)*s+500*time.Millisecond, synth.ARP(reply, twin.At("10.0.0.58"), rack))
			}
			return c.Join()
		}(), nil},
		{"a second port with an address of its own", func() *synth.Capture {
			c := answered(3, node, twin)
			return c.Add(1500*time.Millisecond, synth.ARP(request, twin.At("10.0.0.58"), rack)).Join()
		}(), nil},
		{"a router with proxy ARP", proxy(false), nil},
		{"a router with proxy ARP, the conflict first", proxy(true), nil},
		{"a router with proxy ARP, asked for each address", func() *synth.Capture {
			c := answered(3, node, twin)
			for i, ip := range []string{"10.0.0.31", "10.0.0.32", "10.0.0.33", "10.0.0.34", "10.0.0.35"} {
				c.Add(10*s+time.Duration(i)*s, synth.ARP(request, rack, nobody.At(ip))).Add(10*s+time.Duration(i)*s+1000, synth.ARP(reply, twin.At(ip), rack))
			}
			return c
		}(), nil},
		{"the same address in two VLANs", answered(3, node).Tagged(10).Join(answered(3, twin).Tagged(20)), nil},
		{"a probe that nobody answers", blank().Add(0, probe(twin, "10.0.0.57")).Add(s, probe(twin, "10.0.0.57")).Add(3*s, announce(twin)), nil},
		{"a probe that the prober's own other port answers", blank().Add(0, probe(port1, "10.0.0.57")).
			Add(time.Millisecond, synth.ARP(reply, port2, synth.Host{MAC: port1.MAC, IP: node.Nobody().IP})), nil},
		{"a switch that tracks hosts by unicast probes", func() *synth.Capture {
			c := blank()
			for i := range 3 {
				p := probe(other, "10.0.0.57")
				copy(p, node.MAC[:])
				c.Add(time.Duration(i)*10*s, p)
				c.Add(time.Duration(i)*10*s+time.Millisecond, synth.ARP(reply, node, synth.Host{MAC: other.MAC, IP: node.Nobody().IP}))
			}
			return c
		}(), nil},
		{"a scanner without an address", func() *synth.Capture {
			c := blank()
			for i, ip := range []string{"10.0.0.54", "10.0.0.55", "10.0.0.56", "10.0.0.57", "10.0.0.58"} {
				c.Add(time.Duration(i)*10*time.Millisecond, probe(other, ip))
			}
			return c.Add(60*time.Millisecond, synth.ARP(reply, node, synth.Host{MAC: other.MAC, IP: node.Nobody().IP}))
		}(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tracktest.Run(t, tt.c, nil, arp.Spec)
			if d := cmp.Diff(tt.want, findings(r)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// TestCopiesNotMarked: the tracker knows copies of ARP by itself.
func TestCopiesNotMarked(t *testing.T) {
	tr := arp.Spec.New(tracktest.Config())
	out := &track.Out{}
	for i, f := range []*wire.Frame{
		frame(0, reply, node, rack), frame(0, reply, twin, rack), frame(0, reply, node, rack), frame(0, reply, twin, rack),
		frame(0, request, rack, nobody), frame(0, request, rack, nobody), frame(0, request, rack, nobody),
	} {
		f.Time = synth.Start + capture.Time(i)*capture.Time(time.Millisecond)
		tr.Frame(f, out)
	}
	tr.Expire(synth.Start.Add(time.Minute), out)
	tr.Finish(synth.Start.Add(time.Minute), out)
	if !out.Empty() {
		t.Errorf("got findings %v and exchanges %v, want none", out.Findings, out.Exchanges)
	}
}

// TestCookedCapture: a capture on "any" shows several networks as one.
func TestCookedCapture(t *testing.T) {
	c := answered(3, node, twin)
	for i := range c.Packets {
		p := &c.Packets[i]
		d := p.Data
		p.Link = capture.LinkSLL
		p.Data = append([]byte{0, 0, 0, 1, 0, 6, d[6], d[7], d[8], d[9], d[10], d[11], 0, 0, 8, 6}, d[14:]...)
	}
	r := tracktest.Run(t, c, nil, arp.Spec)
	if len(r.Findings) != 0 {
		t.Errorf("got %v, want nothing", findings(r))
	}
	if len(r.Exchanges) != 1 {
		t.Errorf("got %d exchanges, want the one that was answered", len(r.Exchanges))
	}
}

type did struct {
	Subject, Outcome string
	Tries, Frames    int
}

func TestExchanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []did
	}{
		{"answered once, however often asked", answered(100, node), []did{{"10.0.0.57", "answered", 1, 2}}},
		{"answered, mirrored twice", answered(3, node).Doubled(), []did{{"10.0.0.57", "answered", 1, 2}}},
		{"unanswered", asks(blank(), 0, 4, "10.0.0.1").Add(60*s, announce(rack)), []did{
			{"10.0.0.1", "unanswered", 3, 3}, {"10.0.0.1", "unanswered", 4, 4}}},
		{"unanswered, mirrored twice", asks(blank(), 0, 3, "10.0.0.1").Doubled().Add(60*s, announce(rack)), []did{
			{"10.0.0.1", "unanswered", 3, 3}}},
		{"asked for ever is told ever more rarely", asks(blank(), 0, 50, "10.0.0.1").Add(120*s, announce(rack)), []did{
			{"10.0.0.1", "unanswered", 3, 3}, {"10.0.0.1", "unanswered", 6, 6}, {"10.0.0.1", "unanswered", 12, 8},
			{"10.0.0.1", "unanswered", 24, 8}, {"10.0.0.1", "unanswered", 48, 8}, {"10.0.0.1", "unanswered", 50, 8}}},
		{"answered after all", asks(blank(), 0, 5, "10.0.0.57").Add(5*s, synth.ARP(reply, node, rack)), []did{
			{"10.0.0.57", "unanswered", 3, 3}, {"10.0.0.57", "answered", 5, 6}}},
		{"answered, then silent, then answered", answered(1, node).Join(asks(blank(), 100*s, 3, "10.0.0.57"), blank().Add(110*s, synth.ARP(reply, node, rack))), []did{
			{"10.0.0.57", "answered", 1, 2}, {"10.0.0.57", "unanswered", 3, 3}, {"10.0.0.57", "answered", 3, 4}}},
		{"two requests are too few", asks(blank(), 0, 2, "10.0.0.1").Add(60*s, announce(rack)), nil},
		{"ends before the deadline", asks(blank(), 0, 3, "10.0.0.1").Until(2500 * time.Millisecond), []did{{"10.0.0.1", "open", 3, 3}}},
		{"three in a burst", blank().Add(0, synth.ARP(request, rack, nobody)).Add(100*time.Millisecond, synth.ARP(request, rack, nobody)).
			Add(200*time.Millisecond, synth.ARP(request, rack, nobody)).Add(1500*time.Millisecond, announce(rack)), []did{{"10.0.0.57", "open", 3, 3}}},
		{"probes are no requests", blank().Add(0, probe(node, "10.0.0.57")).Add(s, probe(node, "10.0.0.57")).Add(2*s, probe(node, "10.0.0.57")).
			Add(60*s, announce(rack)), nil},
		{"announcements are no requests", blank().Add(0, announce(node)).Add(s, announce(node)).Add(2*s, announce(node)).Add(60*s, announce(rack)), nil},
		{"a reply to nothing we saw", blank().Add(0, synth.ARP(reply, node, rack)), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tracktest.Run(t, tt.c, nil, arp.Spec)
			var got []did
			for _, x := range r.Exchanges {
				got = append(got, did{x.Subject, x.Outcome.String(), x.Tries, len(x.Frames)})
				if x.Op != "ARP" || x.Server.Addr.String() != x.Subject || x.Client.MAC != wire.MAC(rack.MAC) {
					t.Errorf("got %+v, want an ARP exchange of the rack with the target as server", x)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("exchanges (-want +got):\n%s", d)
			}
			if len(r.Findings) != 0 {
				t.Errorf("got findings %v, want none", findings(r))
			}
		})
	}
}

func frame(at capture.Time, op uint16, sender, target synth.Host) *wire.Frame {
	return &wire.Frame{
		Time: at, ID: 1, Link: capture.LinkEthernet, HasDstMAC: true, SrcMAC: sender.MAC, DstMAC: wire.Broadcast,
		ARP: wire.ARP{Op: op, SenderMAC: sender.MAC, TargetMAC: target.MAC, Sender: wire.AddrFrom(sender.IP), Target: wire.AddrFrom(target.IP)},
	}
}

func TestAnsweredPairsAllocateNothing(t *testing.T) {
	tr := arp.Spec.New(tracktest.Config())
	out := &track.Out{}
	q, a := frame(synth.Start, request, rack, nobody), frame(synth.Start, reply, node, rack)
	ask := func() {
		q.Time += capture.Time(s)
		a.Time = q.Time + 1000
		tr.Frame(q, out)
		tr.Frame(a, out)
	}
	ask()
	out.Reset()
	if got := testing.AllocsPerRun(1000, ask); got != 0 {
		t.Errorf("got %v allocations for a request and its reply, want 0", got)
	}
	if !out.Empty() {
		t.Errorf("got %v, want an answered pair reported once", out.Exchanges)
	}
}

func FuzzTracker(f *testing.F) {
	f.Add([]byte{1, 0, 1, 2, 1, 20, 2, 1, 0, 0, 0, 0, 1, 0, 1, 2, 1, 20})
	f.Add([]byte{2, 0, 0, 1, 1, 9, 2, 2, 0, 1, 1, 9, 2, 0, 0, 1, 1, 9, 2, 2, 0, 1, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := arp.Spec.New(tracktest.Config())
		r, out := &tracktest.Result{}, &track.Out{}
		at := synth.Start
		hosts := []synth.Host{node, rack, twin, port1, port2, vrrp, nobody, rack.Nobody()}
		for n := 1; len(b) >= 6; n, b = n+1, b[6:] {
			at += capture.Time(b[5]) * capture.Time(100*time.Millisecond)
			f := frame(at, uint16(b[0]%4), hosts[int(b[1])%len(hosts)], hosts[int(b[3])%len(hosts)])
			f.ID = capture.NewFrameID(0, uint64(n))
			a := f.ARP.Sender.As4()
			a[3] += b[2] & 7
			if !f.ARP.Sender.IsZero() {
				f.ARP.Sender = wire.Addr4(a)
			}
			if b[4]&1 == 0 {
				f.DstMAC = f.ARP.TargetMAC
			}
			if d := tr.Deadline(); d <= at {
				tr.Expire(at, out)
				if got := tr.Deadline(); got <= at {
					t.Fatalf("deadline %d stays behind %d", got, at)
				}
			}
			tr.Frame(f, out)
			r.Take(out)
			out.Reset()
		}
		tr.Finish(at, out)
		r.Take(out)
		for _, f := range r.Findings {
			if f.Node.MAC == f.Server.MAC || len(f.Frames) < 2 || f.First > f.Last {
				t.Errorf("got %+v, want two machines, their frames and times in order", f)
			}
		}
	})
}

// TestScanIsBounded: a scan of a /12 leaves bounded tables behind.
func TestScanIsBounded(t *testing.T) {
	tr := arp.Spec.New(tracktest.Config())
	out := &track.Out{}
	const n = 100_000
	for i := range n {
		q := frame(synth.Start+capture.Time(i)*1_000_000, request, rack, nobody)
		binary.BigEndian.PutUint32(q.ARP.Target[12:], 0x0a100000+uint32(i))
		tr.Frame(q, out)
	}
	if got := tr.Evicted(); got != n-8192 {
		t.Errorf("evicted: got %d, want %d", got, n-8192)
	}
	if !out.Empty() {
		t.Errorf("got %d exchanges, want none for single requests", len(out.Exchanges))
	}
}
