package tftp

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

func testTracker() *tracker {
	return newTracker(&track.Config{Catalog: catalog.Default(), Site: site.Default()})
}

// udpFrame is a decoded UDP frame.
func udpFrame(src, dst wire.Addr, sport, dport uint16, payload []byte) wire.Frame {
	return wire.Frame{
		SrcMAC: wire.MAC{2, src[15]}, DstMAC: wire.MAC{2, dst[15]}, HasDstMAC: true, IPVersion: 4,
		Src: src, Dst: dst, Proto: wire.ProtoUDP, SrcPort: sport, DstPort: dport, Payload: payload, PayloadLen: len(payload),
	}
}

// A pair is a running read transfer, one DATA and one ACK frame of it.
type pair struct {
	data, ack wire.Frame
}

// startTransfers makes n transfers of different clients that were just answered.
func startTransfers(t *tracker, n int) []pair {
	var out track.Out
	server := wire.MustAddr("10.0.0.2")
	pairs := make([]pair, n)
	for i := range pairs {
		client := wire.Addr4([4]byte{10, 1, byte(i >> 8), byte(i)})
		req := udpFrame(client, server, 2070, Port, synth.TFTPRead("boot.img", "octet", "blksize", "1024"))
		oack := udpFrame(server, client, 40000, 2070, synth.TFTPOack("blksize", "1024"))
		for _, f := range []*wire.Frame{&req, &oack} {
			t.Frame(f, &out)
		}
		p := pair{
			udpFrame(server, client, 40000, 2070, synth.TFTPData(1, make([]byte, 1024))),
			udpFrame(client, server, 2070, 40000, synth.TFTPAck(1)),
		}
		pairs[i] = p
	}
	return pairs
}

// next sends block n of a pair and its ACK.
func (p *pair) next(t *tracker, n uint16, now capture.Time, out *track.Out) {
	binary.BigEndian.PutUint16(p.data.Payload[2:], n)
	binary.BigEndian.PutUint16(p.ack.Payload[2:], n)
	p.data.Time, p.ack.Time = now, now
	t.Frame(&p.data, out)
	t.Frame(&p.ack, out)
}

func TestRunningTransferAllocatesNothing(t *testing.T) {
	tr := testTracker()
	pairs := startTransfers(tr, 3)
	var out track.Out
	n, now := uint16(0), capture.Time(0)
	step := func() {
		n++
		now += capture.Time(time.Millisecond)
		for i := range pairs {
			pairs[i].next(tr, n, now, &out)
			tr.Expire(now, &out)
		}
		out.Reset()
	}
	for range 100 {
		step()
	}
	// 70,000 blocks: roll-over, and renewals of the expectation on the way.
	if a := testing.AllocsPerRun(70000, step); a != 0 {
		t.Errorf("allocations per block: got %v, want 0", a)
	}
	x := tr.transfers.Get(endpoint{pairs[0].data.Dst, 2070})
	if x == nil || x.b.high < 70000 || x.b.acked != x.b.high || x.stalled || x.done {
		t.Errorf("transfer after 70,000 blocks: got %+v", x)
	}
}

// The place of a transfer that was left with a conversation is no answer any more
// when the transfer left the table, when another stands there, or when the other
// end asks too.
func TestPlaceIsChecked(t *testing.T) {
	a, b, c := wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2"), wire.MustAddr("10.0.0.3")
	ask := func(tr *tracker, client, server wire.Addr, port uint16) {
		f := udpFrame(client, server, port, Port, synth.TFTPRead("boot.img", "octet"))
		tr.Frame(&f, new(track.Out))
	}
	of := func(tr *tracker, src, dst wire.Addr, sport, dport uint16, out *track.Out) wire.Addr {
		f := udpFrame(src, dst, sport, dport, synth.TFTPAck(1))
		if x, _ := tr.find(&f, out); x != nil {
			return x.key.addr
		}
		return wire.Addr{}
	}
	for name, c := range map[string]struct {
		then func(tr *tracker)
		want wire.Addr
	}{
		"it goes on":        {func(*tracker) {}, a},
		"it left the table": {func(tr *tracker) { tr.transfers.Delete(endpoint{a, 2070}) }, wire.Addr{}},
		"another's place": {func(tr *tracker) {
			tr.transfers.Delete(endpoint{a, 2070})
			ask(tr, c, b, 2070)
		}, wire.Addr{}},
		"the other end asks": {func(tr *tracker) { ask(tr, b, a, 4000) }, b},
	} {
		tr, out := testTracker(), new(track.Out)
		ask(tr, a, b, 2070)
		if got := of(tr, a, b, 2070, 4000, out); got != a || out.Place == 0 {
			t.Errorf("%s: got the transfer of %v and place %d at first, want that of %v and a place", name, got, out.Place, a)
		}
		c.then(tr)
		if got := of(tr, a, b, 2070, 4000, out); got != c.want {
			t.Errorf("%s: got the transfer of %v, want %v", name, got, c.want)
		}
	}
}

func TestUnreachableName(t *testing.T) {
	for _, c := range []struct {
		proto, typ, code uint8
		what             string
		port             bool
	}{
		{wire.ProtoICMP, 3, 0, "network-unreachable", false},
		{wire.ProtoICMP, 3, 1, "host-unreachable", false},
		{wire.ProtoICMP, 3, 2, "protocol-unreachable", false},
		{wire.ProtoICMP, 3, 3, "port-unreachable", true},
		{wire.ProtoICMP, 3, 4, "", false},
		{wire.ProtoICMP, 3, 10, "administratively-prohibited", false},
		{wire.ProtoICMP, 11, 0, "", false},
		{wire.ProtoICMPv6, 1, 0, "network-unreachable", false},
		{wire.ProtoICMPv6, 1, 1, "administratively-prohibited", false},
		{wire.ProtoICMPv6, 1, 3, "host-unreachable", false},
		{wire.ProtoICMPv6, 1, 4, "port-unreachable", true},
		{wire.ProtoICMPv6, 3, 3, "", false},
	} {
		f := wire.Frame{Proto: c.proto, ICMP: wire.ICMP{Type: c.typ, Code: c.code}}
		if what, port := unreachableName(&f); what != c.what || port != c.port {
			t.Errorf("protocol %d type %d code %d: got %q %v, want %q %v", c.proto, c.typ, c.code, what, port, c.what, c.port)
		}
	}
}

func TestTablesAreBounded(t *testing.T) {
	tr := testTracker()
	var out track.Out
	server := wire.MustAddr("10.0.0.2")
	req := synth.TFTPRead("pxelinux.cfg/0000000000", "octet")
	name := req[len("..pxelinux.cfg/"):][:8]
	const n = maxRequests + 1000
	for i := range n {
		client := wire.Addr4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		const digits = "0123456789ABCDEF"
		for j := range name {
			name[j] = digits[i>>(4*j)&15]
		}
		f := udpFrame(client, server, uint16(i), Port, req)
		f.Time = capture.Time(i) * capture.Time(time.Microsecond)
		tr.Frame(&f, &out)
		e := udpFrame(server, client, 40000, uint16(i), synth.TFTPError(1, ""))
		if i%2 == 0 {
			tr.Frame(&e, &out)
		}
		out.Reset()
	}
	for _, c := range []struct {
		name       string
		len, limit int
	}{
		{"transfers", tr.transfers.Len(), maxTransfers},
		{"fetches", tr.fetches.Len(), maxFetches},
		{"lists", tr.lists.Len(), maxLists},
		{"clients", tr.clients.Len(), maxClients},
		{"servers", tr.servers.Len(), maxServers},
		{"requests", tr.requests.Len(), maxRequests},
	} {
		if c.len > c.limit {
			t.Errorf("%s: got %d entries, want at most %d", c.name, c.len, c.limit)
		}
	}
	if tr.Evicted() == 0 {
		t.Error("unanswered fetches were evicted and not counted")
	}
	var c track.Counts
	tr.Count(&c)
	if c.TFTP.RRQ != n || c.TFTP.Unanswered != n/2 {
		t.Errorf("counts: got %d requests, %d unanswered, want %d and %d", c.TFTP.RRQ, c.TFTP.Unanswered, n, n/2)
	}
}

func TestRulesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules {
		if seen[r.ID] {
			t.Errorf("%s is there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.Detect == "" || r.Means == "" || r.Next == "" || r.Traps == "" || len(r.References) == 0 {
			t.Errorf("%s lacks a text", r.ID)
		}
		if (r.Severity == finding.Error) != (r.Rank != 0) {
			t.Errorf("%s: severity %v with rank %d", r.ID, r.Severity, r.Rank)
		}
	}
}

// FuzzTracker plays arbitrary packets between few hosts and ports. Each packet
// is: who sends it, ports, a pause, its length, its bytes.
func FuzzTracker(f *testing.F) {
	add := func(msgs ...[]byte) {
		var b []byte
		for i, m := range msgs {
			b = append(b, byte(i%2), 10, byte(len(m)))
			b = append(b, m...)
		}
		f.Add(b)
	}
	add(synth.TFTPRead("a", "octet", "blksize", "8", "tsize", "0"), synth.TFTPOack("blksize", "8", "tsize", "9"), synth.TFTPAck(0),
		synth.TFTPData(1, make([]byte, 8)), synth.TFTPAck(1), synth.TFTPData(2, make([]byte, 1)), synth.TFTPAck(2))
	add(synth.TFTPRead("pxelinux.cfg/default", "octet"), synth.TFTPError(1, "no"))
	add(synth.TFTPRead("a\xff", "octet", "tsize", "0"), synth.TFTPOack("tsize", "1"), synth.TFTPError(8, "x"), nil, synth.TFTPRead("a\xff", "octet"))
	add(synth.TFTPWrite("a", "netascii"), synth.TFTPAck(0), synth.TFTPData(65535, nil), synth.TFTPAck(65535), synth.TFTPData(1, nil))
	add(synth.TFTPRead("a", "octet"), synth.TFTPData(1, make([]byte, 512)), synth.TFTPAck(1), synth.TFTPData(2, nil), synth.TFTPRead("b", "octet"))
	hosts := []wire.Addr{wire.MustAddr("10.0.0.57"), wire.MustAddr("10.0.0.2"), wire.MustAddr("10.0.0.9"), wire.MustAddr("255.255.255.255")}
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := testTracker()
		sink := &checker{t: t}
		d := track.NewDispatcher([]track.Spec{{Name: "tftp", Rules: Rules, UDP: Spec.UDP, Kinds: Spec.Kinds, New: func(*track.Config) track.Tracker { return tr }}}, nil, sink)
		var now capture.Time
		for n := 1; len(b) >= 3; n++ {
			who, pause, size := b[0], b[1], int(b[2])
			b = b[3:]
			size = min(size, len(b))
			client, server := hosts[who>>2&1], hosts[1+who>>3&1]
			fr := udpFrame(client, server, 2070+uint16(who>>5&1), 49200, b[:size])
			if op := Message(fr.Payload).Op(); op == RRQ || op == WRQ || who&16 != 0 {
				fr.DstPort = Port
			}
			if who&1 != 0 {
				fr.Src, fr.Dst, fr.SrcPort, fr.DstPort = fr.Dst, fr.Src, fr.DstPort, fr.SrcPort
			}
			if who&64 != 0 { // an ICMP error about it
				fr = wire.Frame{Proto: wire.ProtoICMP, Src: fr.Dst, Dst: fr.Src, ICMP: wire.ICMP{Type: 3, Code: pause & 15, HasQuote: true, Quote: fr.Flow()}}
			}
			fr.Copy = who&128 != 0
			fr.Fragment = wire.Fragment(who >> 1 & 1 * (pause & 3))
			fr.PayloadLen += int(pause & 1)
			b = b[size:]
			now = now.Add(time.Duration(pause) * 50 * time.Millisecond)
			fr.Time, fr.ID = now, capture.NewFrameID(0, uint64(n))
			d.Frame(&fr)
		}
		d.Finish(now)
		var c track.Counts
		d.Count(&c)
		if c.TFTP.Unanswered > c.TFTP.RRQ+c.TFTP.WRQ || c.TFTP.Completed > c.TFTP.RRQ+c.TFTP.WRQ {
			t.Errorf("counts do not add up: %+v", c.TFTP)
		}
	})
}

// A checker holds what a tracker says against the contract.
type checker struct{ t *testing.T }

func (c *checker) Take(out *track.Out) {
	for _, f := range out.Findings {
		if f.Rule == nil || f.Summary == "" || len(f.Frames) == 0 || len(f.Frames) > finding.MaxFrames {
			c.t.Errorf("finding without rule, summary or frames: %+v", f)
		}
		if f.First > f.Last {
			c.t.Errorf("%s: first %d is after last %d", f.Rule.ID, f.First, f.Last)
		}
	}
	for _, x := range out.Exchanges {
		if x.First > x.Last || x.Tries < 1 || len(x.Frames) == 0 || len(x.Frames) > finding.MaxFrames || x.Bytes < 0 {
			c.t.Errorf("exchange: %+v", x)
		}
		if x.Outcome == track.Refused && x.Reason == "" {
			c.t.Errorf("refused without a reason: %+v", x)
		}
	}
}

func BenchmarkData(b *testing.B) {
	for _, c := range []struct {
		name    string
		clients int
	}{{"one transfer", 1}, {"64 transfers in turn", 64}, {"1000 transfers in turn", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			tr := testTracker()
			pairs := startTransfers(tr, c.clients)
			var out track.Out
			b.ReportAllocs()
			b.ResetTimer()
			n, now := uint16(0), capture.Time(0)
			for i := 0; i < b.N; i += 2 { // a DATA and an ACK per turn
				k := i / 2 % len(pairs)
				if k == 0 {
					n++
					now += 1000
				}
				pairs[k].next(tr, n, now, &out)
				_ = tr.Deadline()
			}
		})
	}
}
