package dhcp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

func testTracker() *tracker {
	return newTracker(&track.Config{Site: site.Default()})
}

// frame decodes an Ethernet frame sent at a time.
func frame(t testing.TB, b []byte, after time.Duration) *wire.Frame {
	t.Helper()
	f := new(wire.Frame)
	p := capture.Packet{ID: capture.NewFrameID(0, 1), Time: synth.Start.Add(after), Link: capture.LinkEthernet, WireLen: len(b), Data: b}
	wire.NewDecoder().Decode(&p, f)
	return f
}

var testServer = synth.DHCPServer{Host: synth.NewHost("a0:00:00:00:00:02", "10.0.0.2"), Shape: synth.Dnsmasq, Router: "10.0.0.1", File: "bootx64.efi"}

// A client that repeats itself, and a server that repeats its answer, cost no
// memory.
func TestRepeatedMessagesAllocateNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		synth.DHCPClient
	}{
		{"UEFI", synth.UEFI("52:54:00:12:34:56", 7)},
		{"iPXE", synth.IPXE("52:54:00:12:34:56", 7)},
		{"udhcpc", synth.Udhcpc("52:54:00:12:34:56")},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := testTracker()
			var out track.Out
			d := c.Discover(1, 8)
			discover := frame(t, d.Broadcast(), 0)
			offer := frame(t, testServer.Frame(testServer.Offer(d, "10.0.0.57")), 0)
			step := func() {
				// A server that runs and a client that waits: no rule is due.
				tr.Frame(discover, &out)
				tr.Frame(offer, &out)
				out.Reset()
			}
			for range 100 {
				step()
			}
			// Servers answers for its own memory.
			var o Options
			servers := testing.AllocsPerRun(1000, func() {
				for _, f := range []*wire.Frame{discover, offer} {
					o.Parse(Message(f.Payload), f.PayloadLen)
					tr.servers.Message(f, Message(f.Payload), &o, &out)
				}
			})
			if n := testing.AllocsPerRun(1000, step) - servers; n != 0 {
				t.Errorf("got %v allocations for a DISCOVER and an OFFER, want 0", n)
			}
		})
	}
}

// Tables stay within their limits, whoever asks; machines with a lease stay.
func TestBounds(t *testing.T) {
	tr := testTracker()
	var out track.Out
	known := synth.Udhcpc("52:54:00:12:34:56")
	d := known.Discover(1, 0)
	o := testServer.Offer(d, "10.0.0.57")
	for _, b := range [][]byte{d.Broadcast(), testServer.Frame(o), known.Request(o, 0).Broadcast(), testServer.Frame(testServer.Ack(d, "10.0.0.57"))} {
		tr.Frame(frame(t, b, 0), &out)
	}
	f := frame(t, synth.Udhcpc("02:00:00:00:00:00").Discover(2, 0).Broadcast(), time.Second)
	n := maxClients[stranger]*2 + maxTransactions
	for i := range uint32(n) {
		binary.BigEndian.PutUint32(f.Payload[offXID:], i)
		binary.BigEndian.PutUint32(f.Payload[offCHAddr+2:], i)
		tr.Frame(f, &out)
		out.Reset()
	}
	if got := tr.clients[stranger].Len(); got != maxClients[stranger] {
		t.Errorf("strangers: got %d, want %d", got, maxClients[stranger])
	}
	if got := tr.transactions.table.Len(); got != maxTransactions {
		t.Errorf("transactions: got %d, want %d", got, maxTransactions)
	}
	if tr.clients[leaseholder].Len() != 1 || tr.lookup(clientKey{hw: hwAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}}) == nil {
		t.Error("the machine with a lease was forgotten")
	}
	if want := uint64(n - maxClients[stranger]); tr.evicted != want {
		t.Errorf("evicted clients: got %d, want %d: all were in grace", tr.evicted, want)
	}
	var c track.Counts
	tr.Count(&c)
	if c.DHCP4.DiscoverUnanswered != uint64(n) || c.DHCP4.Transactions != uint64(n+1) {
		t.Errorf("got %d of %d unanswered, want %d of %d", c.DHCP4.DiscoverUnanswered, c.DHCP4.Transactions, n, n+1)
	}
}

func TestGraces(t *testing.T) {
	var g graces
	if g.next() != track.Never {
		t.Errorf("next of none = %d, want Never", g.next())
	}
	for i := range 20 {
		g.add(capture.Time(i + 1))
	}
	if g.pending() != 20 || g.next() != 1 {
		t.Errorf("got %d pending from %d, want 20 from 1", g.pending(), g.next())
	}
	if n := g.expire(5); n != 5 || g.pending() != 15 {
		t.Errorf("expire(5) = %d, %d left, want 5, 15", n, g.pending())
	}
	if n := g.expire(19); n != 2 {
		t.Errorf("expire(19) = %d, want 2: what shares a slot waits for the last", n)
	}
	if n := g.expire(20); n != 13 || g.next() != track.Never {
		t.Errorf("expire(20) = %d, want 13 and nothing left", n)
	}
	g.add(9)
	g.add(3) // out of order
	if n := g.expire(8); n != 0 {
		t.Errorf("expire(8) = %d, want 0: deadlines do not go back", n)
	}
}

func TestThrottle(t *testing.T) {
	var r throttle
	n := 0
	for i := 1; i <= 10000; i++ {
		if r.pass(i) {
			n++
		}
		if i == 16 && n != 16 {
			t.Errorf("got %d of the first 16, want all", n)
		}
	}
	if n > 60 {
		t.Errorf("got %d of 10000, want a few", n)
	}
}

// FuzzTracker plays sequences of damaged and shuffled messages: nothing may
// panic, and the end leaves no deadline behind that was not asked for.
func FuzzTracker(f *testing.F) {
	c := synth.UEFI("52:54:00:12:34:56", 7)
	x := synth.IPXE("52:54:00:12:34:56", 7)
	d := c.Discover(1, 0)
	o := testServer.Offer(d, "10.0.0.57")
	r := c.Request(o, 0)
	item := c.Renew(0, "10.0.0.57").With(synth.OptNested(43, synth.OptBytes(71, 0x80, 0, 0, 0)))
	bases := [][]byte{
		d.Broadcast(), testServer.Frame(o), r.Broadcast(), testServer.Frame(testServer.Ack(r, "10.0.0.57")), testServer.Frame(testServer.Nak(r, "no")),
		testServer.Frame(testServer.ProxyOffer(d, synth.OptBytes(6, 8))), x.Discover(1, 4).Broadcast(), x.Discover(1, 8).Broadcast(),
		c.Renew(5, "10.0.0.57").Unicast(synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), testServer.Host, 4011, 4011),
		item.Unicast(synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), testServer.Host, 68, 4011),
		c.Reboot(9, "10.0.0.57").Broadcast(), d.Relayed(synth.NewHost("a0:00:00:00:00:01", "10.0.0.1"), testServer.Host, "10.0.0.1"),
		synth.DHCP{XID: 3, MAC: c.MAC}.Broadcast(), synth.MAASProbe("52:54:00:12:34:58").Discover(3, 0).Broadcast(),
		synth.ARP(1, synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), synth.NewHost("00:00:00:00:00:00", "10.0.0.2")),
		synth.ICMPError(testServer.Host, synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), 3, 3, 0,
			c.Renew(5, "10.0.0.57").Unicast(synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), testServer.Host, 4011, 4011)),
	}
	f.Add([]byte("\x00\x00\x00\x00\x01\x00\x00\x00\x02\x04\x00\x00\x03\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x0f\x00\x00\x00\x1f\x00\x00\x00\x3f\x00\x00"))
	f.Add([]byte("\x06\x00\x00\x00\x01\x00\x00\x00\x07\x04\x00\x00\x05\x00\x00\x00\x0f\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, script []byte) {
		cfg := &track.Config{Site: site.Default()}
		tr := Spec.New(cfg).(*tracker)
		dec := wire.NewDecoder()
		var fr wire.Frame
		var out track.Out
		now := synth.Start
		// Four bytes a step: which message, how much later in quarters of a
		// second, and what to do to it.
		for n := uint64(1); len(script) >= 4; script = script[4:] {
			b := append([]byte(nil), bases[int(script[0])%len(bases)]...)
			now = now.Add(time.Duration(script[1]&0x7f) * 250 * time.Millisecond)
			rng := rand.New(rand.NewPCG(uint64(script[2]), uint64(script[3])))
			wireLen := len(b)
			switch script[2] % 4 {
			case 1:
				b = b[:rng.IntN(len(b))]
			case 2:
				for range 1 + script[3]%8 {
					b[rng.IntN(len(b))] = byte(rng.Uint32())
				}
			case 3:
				if len(b) > 300 {
					for range 1 + script[3]%8 {
						b[42+rng.IntN(len(b)-42)] = byte(rng.Uint32())
					}
				}
			}
			p := capture.Packet{ID: capture.NewFrameID(0, n), Time: now, Link: capture.LinkEthernet, WireLen: wireLen, Data: b, Iface: int(script[3] % 3)}
			n++
			dec.Decode(&p, &fr)
			fr.Copy = script[1]&0x80 != 0
			for tr.Deadline() <= now {
				before := tr.Deadline()
				tr.Expire(before, &out)
				if tr.Deadline() <= before {
					t.Fatalf("Expire(%d) leaves the deadline at %d", before, tr.Deadline())
				}
			}
			if fr.Stop == wire.StopNone || fr.IPVersion == 0 {
				tr.Frame(&fr, &out)
			}
			check(t, &out, now)
			out.Reset()
		}
		tr.Finish(now, &out)
		check(t, &out, now)
		if tr.awaited < 0 || tr.awaited > tr.clients[stranger].Len()+tr.clients[leaseholder].Len() {
			t.Errorf("%d clients awaited of %d", tr.awaited, tr.clients[stranger].Len()+tr.clients[leaseholder].Len())
		}
		var c track.Counts
		tr.Count(&c)
	})
}

func check(t *testing.T, out *track.Out, now capture.Time) {
	t.Helper()
	for _, f := range out.Findings {
		if f.Summary == "" || f.Last > now || f.First > f.Last || len(f.Frames) == 0 {
			t.Fatalf("%s: summary %q, first %d, last %d at %d, %d frames", f.Rule.ID, f.Summary, f.First, f.Last, now, len(f.Frames))
		}
	}
	for _, x := range out.Exchanges {
		if x.Op == "" || x.First > x.Last || x.Last > now {
			t.Fatalf("%s %s: first %d, last %d at %d", x.Op, x.Outcome, x.First, x.Last, now)
		}
	}
}

// BenchmarkExchange is a lease: DISCOVER, OFFER, REQUEST, ACK of ever new
// transactions of one machine.
func BenchmarkExchange(b *testing.B) {
	c := synth.Udhcpc("52:54:00:12:34:56")
	d := c.Discover(1, 0)
	o := testServer.Offer(d, "10.0.0.57")
	r := c.Request(o, 0)
	frames := []*wire.Frame{frame(b, d.Broadcast(), 0), frame(b, testServer.Frame(o), 0), frame(b, r.Broadcast(), 0), frame(b, testServer.Frame(testServer.Ack(r, "10.0.0.57")), 0)}
	tr := testTracker()
	var out track.Out
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, f := range frames {
			f.Time += capture.Time(time.Minute)
			binary.BigEndian.PutUint32(f.Payload[offXID:], uint32(i))
			tr.Frame(f, &out)
		}
		out.Reset()
	}
}

// BenchmarkRepeats is a DISCOVER and its OFFER, again.
func BenchmarkRepeats(b *testing.B) {
	c := synth.UEFI("52:54:00:12:34:56", 7)
	d := c.Discover(1, 8)
	discover := frame(b, d.Broadcast(), 0)
	offer := frame(b, testServer.Frame(testServer.Offer(d, "10.0.0.57")), 0)
	tr := testTracker()
	var out track.Out
	b.ReportAllocs()
	for b.Loop() {
		tr.Frame(discover, &out)
		tr.Frame(offer, &out)
		out.Reset()
	}
}

// BenchmarkStarvation is DISCOVERs of ever new clients, a thousand a second.
func BenchmarkStarvation(b *testing.B) {
	f := frame(b, synth.Udhcpc("02:00:00:00:00:00").Discover(2, 0).Broadcast(), 0)
	tr := testTracker()
	var out track.Out
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		f.Time = f.Time.Add(time.Millisecond)
		binary.BigEndian.PutUint32(f.Payload[offXID:], i)
		binary.BigEndian.PutUint32(f.Payload[offCHAddr+2:], i)
		if at := tr.Deadline(); at <= f.Time {
			tr.Expire(f.Time, &out)
		}
		tr.Frame(f, &out)
		out.Reset()
	}
}
