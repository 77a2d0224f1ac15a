package wire_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// stream decodes frames one after another, a millisecond apart.
type stream struct {
	t  *testing.T
	d  *wire.Decoder
	at time.Duration
	f  wire.Frame
}

func newStream(t *testing.T) *stream { return &stream{t: t, d: wire.NewDecoder()} }

func (s *stream) decode(data []byte) *wire.Frame { return s.decodeCut(data, len(data)) }

func (s *stream) decodeCut(data []byte, snap int) *wire.Frame {
	s.at += time.Millisecond
	p := packet(capture.LinkEthernet, data)
	p.Time, p.Data = synth.Start.Add(s.at), data[:snap]
	s.d.Decode(p, &s.f)
	return &s.f
}

// kinds decodes frames and returns what each was, in a letter: whole, first,
// later, reassembled.
func (s *stream) kinds(frames ...[]byte) string {
	var k []byte
	for _, b := range frames {
		k = append(k, "wflr"[s.decode(b).Fragment])
	}
	return string(k)
}

func (s *stream) wantStats(want wire.FragmentStats) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.d.Fragments()); diff != "" {
		s.t.Errorf("Fragments differs (-want +got):\n%s", diff)
	}
}

// pattern is n bytes that differ from those of another seed at every place.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i*7 + i>>8)
	}
	return b
}

// split4 is a UDP datagram from client to server in IPv4 fragments.
func split4(id uint16, payload []byte, mtu int) [][]byte {
	return synth.Fragments(synth.IP{ID: id}.UDP(client, server, 40000, 69, payload), mtu)
}

// fragment6 is one IPv6 fragment from client to server.
func fragment6(id uint32, next uint8, off int, more bool, data []byte) []byte {
	h := []byte{next, 0, byte(off >> 8), byte(off)}
	if more {
		h[3] |= 1
	}
	return eth(0x86dd, ip6(44, append(binary.BigEndian.AppendUint32(h, id), data...)))
}

func wantWhole(t *testing.T, f *wire.Frame, payload []byte) {
	t.Helper()
	if f.Fragment != wire.Reassembled || f.Stop != wire.StopNone || f.SrcPort != 40000 || f.DstPort != 69 || f.PayloadLen != len(payload) || f.Cut() {
		t.Fatalf("got fragment %d, stop %q, ports %d and %d, %d bytes, want all of a datagram of %d",
			f.Fragment, f.Stop, f.SrcPort, f.DstPort, f.PayloadLen, len(payload))
	}
	if !bytes.Equal(f.Payload, payload) {
		t.Error("got another payload than was sent")
	}
	if got := f.UDPChecksum(); got != wire.SumGood {
		t.Errorf("got checksum %v, want good", got)
	}
}

func TestFragments(t *testing.T) {
	payload := pattern(1, 3000)
	parts := split4(7, payload, 1500)
	s := newStream(t)

	f := s.decode(parts[0])
	want := with(wantEth(udpOver4(69, string(payload[:1472]))), func(f *wire.Frame) { f.IPID, f.Fragment, f.Datagram = 7, wire.First, 1 })
	same := func(f *wire.Frame) {
		t.Helper()
		want.Time, want.ID, want.Link, want.WireLen, want.CapLen, want.UDPSum, want.Hash, want.Headers = f.Time, f.ID, f.Link, f.WireLen, f.CapLen, f.UDPSum, f.Hash, f.Headers
		if diff := cmp.Diff(want, *f, frameOptions); diff != "" {
			t.Errorf("Decode differs (-want +got):\n%s", diff)
		}
	}
	same(f)
	if got := f.UDPChecksum(); got != wire.SumUnknown {
		t.Errorf("checksum of a first fragment: got %v, want unknown", got)
	}

	f = s.decode(parts[1])
	want.Fragment, want.Stop, want.FragOffset = wire.Later, wire.StopFragment, 1480
	want.SrcPort, want.DstPort = 0, 0
	want.Payload, want.PayloadLen = payload[1472:2952], 1480
	same(f)

	f = s.decode(parts[2])
	wantWhole(t, f, payload)
	if f.Datagram != 1 || f.IPID != 7 || f.Src != clientAddr || f.Dst != serverAddr {
		t.Errorf("got datagram %d, id %d, %v to %v, want 1, 7, %v, %v", f.Datagram, f.IPID, f.Src, f.Dst, clientAddr, serverAddr)
	}
	s.wantStats(wire.FragmentStats{Fragments: 3, Complete: 1})
}

// Any split of a datagram, in any order, with some fragments twice, gives the
// datagram.
func TestFragmentsAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newStream(t)
	for round := range 300 {
		payload := pattern(round, 1+r.IntN(9000))
		whole := synth.IP{ID: uint16(round)}.UDP(client, server, 40000, 69, payload)
		six := synth.UDP(client6, server6, 40000, 69, payload)
		step := 8 * (1 + r.IntN(100))
		var four, sixes [][]byte
		if len(payload)+8 > step {
			four = synth.Fragments(whole, 20+step)
			for off := 0; off < len(payload)+8; off += step {
				end := min(off+step, len(payload)+8)
				sixes = append(sixes, fragment6(uint32(round), 17, off, end < len(payload)+8, six[54+off:54+end]))
			}
		} else {
			continue
		}
		for _, parts := range [][][]byte{four, sixes} {
			for range r.IntN(3) {
				parts = append(parts, parts[r.IntN(len(parts))])
			}
			r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			complete := 0
			for _, b := range parts {
				s.at -= time.Millisecond // all at once: late copies are no new datagram
				if f := s.decode(b); f.Fragment == wire.Reassembled {
					complete++
					wantWhole(t, f, payload)
				}
			}
			if complete != 1 {
				t.Fatalf("round %d: got %d complete datagrams of %d fragments, want 1", round, complete, len(parts))
			}
		}
		s.at += time.Second
	}
	if st := s.d.Fragments(); st.Overlaps+st.Evicted+st.Expired+st.Refused+st.Cut != 0 || st.Duplicates == 0 {
		t.Errorf("got %+v, want duplicates only", st)
	}
}

func TestFragmentsIPv6(t *testing.T) {
	sol := synth.UDP(client6, server6, 40000, 69, pattern(1, 100))[54:]
	s := newStream(t)
	// A destination options header is part of what was split, so the first
	// fragment's next header counts, whatever the others say.
	body := cat(hx("11 00 01 04 00000000"), sol)
	if got := s.kinds(fragment6(9, 60, 0, true, body[:56]), fragment6(9, 17, 56, false, body[56:])); got != "fr" {
		t.Errorf("got %s, want fr", got)
	}
	wantWhole(t, &s.f, pattern(1, 100))
	if s.f.IPID != 9 {
		t.Errorf("got id %d, want 9", s.f.IPID)
	}
	// The other way round: the last fragment's next header is not the datagram's.
	if got := s.kinds(fragment6(10, 17, 56, false, body[56:]), fragment6(10, 60, 0, true, body[:56])); got != "lr" {
		t.Errorf("got %s, want lr", got)
	}
	wantWhole(t, &s.f, pattern(1, 100))

	inner := cat(hx("11 00 0001 00000001"), sol) // a fragment header inside a fragmented datagram
	s.kinds(fragment6(11, 44, 0, true, inner[:56]), fragment6(11, 44, 56, false, inner[56:]))
	if s.f.Stop != wire.StopExtension {
		t.Errorf("fragment of a fragment: got stop %q, want %q", s.f.Stop, wire.StopExtension)
	}
}

func TestFragmentsOverlap(t *testing.T) {
	payload := pattern(1, 100)
	body := l3(synth.UDP(client, server, 40000, 69, payload))[20:]
	part := func(off int, more bool, data []byte) []byte {
		fl := uint16(off / 8)
		if more {
			fl |= 0x2000
		}
		return eth(0x0800, set(ip4(17, data), 4, 0, 1, byte(fl>>8), byte(fl)))
	}
	zeros := make([]byte, 200)

	for _, c := range []struct {
		name   string
		frames [][]byte
		kinds  string
		stats  wire.FragmentStats
	}{
		{name: "the first data wins",
			frames: [][]byte{part(0, true, body[:48]), part(32, true, zeros[:32]), part(64, false, body[64:]), part(48, true, body[48:64])},
			kinds:  "flrl", stats: wire.FragmentStats{Fragments: 4, Complete: 1, Overlaps: 1, Duplicates: 1}},
		{name: "overlap that agrees",
			frames: [][]byte{part(0, true, body[:48]), part(32, true, body[32:64]), part(56, false, body[56:])},
			kinds:  "flr", stats: wire.FragmentStats{Fragments: 3, Complete: 1}},
		{name: "inside what is there",
			frames: [][]byte{part(0, true, body[:64]), part(16, true, body[16:32]), part(64, false, body[64:])},
			kinds:  "flr", stats: wire.FragmentStats{Fragments: 3, Complete: 1, Duplicates: 1}},
		{name: "beyond the end",
			frames: [][]byte{part(64, false, body[64:]), part(96, true, zeros[:32]), part(0, true, body[:64])},
			kinds:  "llr", stats: wire.FragmentStats{Fragments: 3, Complete: 1, Refused: 1}},
		{name: "another end",
			frames: [][]byte{part(64, false, body[64:]), part(64, false, body[64:88]), part(0, true, body[:64])},
			kinds:  "llr", stats: wire.FragmentStats{Fragments: 3, Complete: 1, Refused: 1}},
		{name: "an end before what is there",
			frames: [][]byte{part(64, true, body[64:104]), part(32, false, zeros[:8]), part(104, false, body[104:]), part(0, true, body[:64])},
			kinds:  "lllr", stats: wire.FragmentStats{Fragments: 4, Complete: 1, Refused: 1}},
		{name: "length no multiple of 8",
			frames: [][]byte{part(0, true, body[:69]), part(64, false, body[64:])},
			kinds:  "fr", stats: wire.FragmentStats{Fragments: 2, Complete: 1}},
		{name: "empty",
			frames: [][]byte{part(0, true, body[:64]), part(64, false, nil), part(64, false, body[64:])},
			kinds:  "flr", stats: wire.FragmentStats{Fragments: 3, Complete: 1, Refused: 1}},
		{name: "beyond 64 KiB",
			frames: [][]byte{part(65528, true, zeros[:16]), part(0, true, body[:64]), part(64, false, body[64:])},
			kinds:  "lfr", stats: wire.FragmentStats{Fragments: 3, Complete: 1, Refused: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStream(t)
			kinds := ""
			for _, b := range c.frames {
				if kinds += s.kinds(b); s.f.Fragment == wire.Reassembled {
					if c.name == "the first data wins" {
						// Bytes 48 to 63 came from the fragment of zeros first.
						got, want := s.f.Payload, cat(payload[:40], zeros[:16], payload[56:])
						if !bytes.Equal(got, want) {
							t.Errorf("got payload %x, want %x", got, want)
						}
						continue
					}
					wantWhole(t, &s.f, payload)
				}
			}
			if kinds != c.kinds {
				t.Errorf("got %s, want %s", kinds, c.kinds)
			}
			s.wantStats(c.stats)
		})
	}
}

func TestFragmentsBounded(t *testing.T) {
	s := newStream(t)
	payload := pattern(1, 2000)
	var parts [wire.MaxDatagrams + 1][][]byte
	for i := range parts {
		parts[i] = split4(uint16(i), payload, 1500)
		s.decode(parts[i][0])
	}
	s.wantStats(wire.FragmentStats{Fragments: wire.MaxDatagrams + 1, Evicted: 1})
	for i := range parts[1:] {
		if got := s.kinds(parts[i+1][1]); got != "r" {
			t.Errorf("datagram %d: got %s, want r", i+1, got)
		}
	}
	if got := s.kinds(parts[0][1]); got != "l" {
		t.Errorf("the oldest datagram: got %s, want l", got)
	}
}

func TestFragmentsTimeout(t *testing.T) {
	parts := split4(1, pattern(1, 2000), 1500)
	for _, c := range []struct {
		gap  time.Duration
		want string
		lost uint64
	}{
		{wire.FragmentTimeout, "r", 0},
		{wire.FragmentTimeout + 1, "l", 1},
		{-wire.FragmentTimeout, "r", 0}, // the clock was set back
		{-wire.FragmentTimeout - 1, "l", 1},
	} {
		t.Run(c.gap.String(), func(t *testing.T) {
			s := newStream(t)
			s.decode(parts[0])
			s.at += c.gap - time.Millisecond
			if got := s.kinds(parts[1]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := s.d.Fragments().Expired; got != c.lost {
				t.Errorf("got %d expired, want %d", got, c.lost)
			}
		})
	}
}

// A datagram of which the snap length took a part never completes, and is not
// counted as lost by the network.
func TestFragmentsCut(t *testing.T) {
	s := newStream(t)
	parts := split4(1, pattern(1, 2000), 1500)
	f := s.decodeCut(parts[0], 96)
	if f.Fragment != wire.First || f.SrcPort != 40000 || f.PayloadLen != 1472 || !f.Cut() {
		t.Errorf("got fragment %d, port %d, %d bytes, cut %v, want first, 40000, 1472, true", f.Fragment, f.SrcPort, f.PayloadLen, f.Cut())
	}
	serial := f.Datagram
	f = s.decode(parts[1])
	if f.Fragment != wire.Later || f.Datagram != serial {
		t.Errorf("got fragment %d of datagram %d, want later of %d", f.Fragment, f.Datagram, serial)
	}
	s.at += wire.FragmentTimeout + time.Second
	s.decode(parts[1])
	s.wantStats(wire.FragmentStats{Fragments: 3, Cut: 1})
}

// A SPAN port that mirrors both directions shows each fragment twice, in one
// order or the other; the datagram completes once.
func TestFragmentsCopies(t *testing.T) {
	p := split4(1, pattern(1, 4000), 1500)
	for _, c := range []struct {
		frames [][]byte
		want   string
	}{
		{[][]byte{p[0], p[0], p[1], p[1], p[2], p[2]}, "ffllrl"},
		{[][]byte{p[0], p[1], p[2], p[0], p[1], p[2]}, "flrfll"},
	} {
		s := newStream(t)
		got := ""
		for _, b := range c.frames {
			got += s.kinds(b)
			if s.f.Datagram != 1 {
				t.Errorf("%s: got datagram %d, want 1", got, s.f.Datagram)
			}
		}
		if got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		s.wantStats(wire.FragmentStats{Fragments: 6, Complete: 1, Duplicates: 3})
	}
}

// Some senders use one identification for all: the next datagram, which starts
// with other bytes, is a new one at once; the same bytes later too.
func TestFragmentsSameID(t *testing.T) {
	s := newStream(t)
	for block := range 3 {
		payload := append([]byte{0, 3, 0, byte(block)}, pattern(block, 2000)...) // TFTP DATA
		if got := s.kinds(split4(0, payload, 1500)...); got != "fr" {
			t.Errorf("block %d: got %s, want fr", block, got)
		}
		wantWhole(t, &s.f, payload)
	}
	again := split4(0, append([]byte{0, 3, 0, 2}, pattern(2, 2000)...), 1500)
	s.at += 25 * time.Millisecond
	if got := s.kinds(again...); got != "fr" {
		t.Errorf("repeated after 25 ms: got %s, want fr", got)
	}
	if s.f.Datagram != 4 {
		t.Errorf("got datagram %d, want 4", s.f.Datagram)
	}
}

// One identification in two VLANs, from two hosts, of two protocols and in two
// overlays is not one datagram.
func TestFragmentsKeys(t *testing.T) {
	whole := synth.IP{ID: 1}.UDP(client, server, 40000, 69, pattern(1, 2000))
	parts := synth.Fragments(whole, 1500)
	tagged := func(b []byte, vid byte) []byte { return cat(b[:12], []byte{0x81, 0, 0, vid}, b[12:]) }
	vxlan := func(b []byte, vni byte) []byte {
		return synth.UDP(vtep1, vtep2, 5, 4789, cat([]byte{8, 0, 0, 0, 0, 0, vni, 0}, b))
	}
	s := newStream(t)
	firsts := [][]byte{
		parts[0], tagged(parts[0], 1), tagged(parts[0], 2), vxlan(parts[0], 1), vxlan(parts[0], 2),
		set(parts[0], 26, 10), set(parts[0], 30, 10), set(parts[0], 18, 9, 9),
	}
	for i, b := range firsts {
		if f := s.decode(b); f.Fragment != wire.First || f.Datagram != uint32(i+1) {
			t.Errorf("got fragment %d of datagram %d, want first of %d", f.Fragment, f.Datagram, i+1)
		}
	}
	if f := s.decode(set(parts[1], 23, 6)); f.Fragment != wire.Later || f.Datagram != uint32(len(firsts)+1) {
		t.Errorf("TCP: got fragment %d of datagram %d, want later of %d", f.Fragment, f.Datagram, len(firsts)+1)
	}
	for _, b := range [][]byte{parts[1], tagged(parts[1], 1), tagged(parts[1], 2), vxlan(parts[1], 1), vxlan(parts[1], 2)} {
		if got := s.kinds(b); got != "r" {
			t.Errorf("got %s, want r", got)
		}
		wantWhole(t, &s.f, pattern(1, 2000))
	}
}

func TestFragmentsOfTunnels(t *testing.T) {
	inner := synth.UDP(client, server, 40000, 69, pattern(1, 2000))
	vxlan := hx("08 000000 00002a 00")
	outer := func(inner []byte) [][]byte {
		return synth.Fragments(synth.IP{ID: 5}.UDP(vtep1, vtep2, 5, 4789, cat(vxlan, inner)), 1500)
	}

	// The outer datagram is fragmented: until it is complete it is the outer one.
	s := newStream(t)
	parts := outer(inner)
	if f := s.decode(parts[0]); f.Tunnel != wire.NoTunnel || f.DstPort != 4789 || f.Fragment != wire.First {
		t.Errorf("got tunnel %d, port %d, fragment %d, want the outer first fragment", f.Tunnel, f.DstPort, f.Fragment)
	}
	serial := s.f.Datagram
	f := s.decode(parts[1])
	wantWhole(t, f, pattern(1, 2000))
	if f.Tunnel != wire.VXLAN || f.VNI != 42 || f.Datagram != serial || f.Src != clientAddr {
		t.Errorf("got tunnel %d, VNI %d, datagram %d, source %v, want VXLAN, 42, %d, %v", f.Tunnel, f.VNI, f.Datagram, f.Src, serial, clientAddr)
	}

	// Fragments in fragments: the last packet completes both.
	s = newStream(t)
	innerParts := synth.Fragments(inner, 1500)
	var kinds string
	for i, p := range innerParts {
		for _, b := range outer(p) {
			kinds += s.kinds(set(b, 18, 0, byte(i)))
		}
	}
	if kinds != "ffr" { // the second inner fragment is short enough for one outer packet
		t.Errorf("got %s, want ffr", kinds)
	}
	wantWhole(t, &s.f, pattern(1, 2000))

	for _, proto := range []byte{4, 41, 47} {
		s := newStream(t)
		b := synth.Fragments(between(proto, make([]byte, 2000)), 1500)[0]
		if f := s.decode(b); f.Stop != wire.StopFragment || f.Tunnel != wire.NoTunnel {
			t.Errorf("first fragment of protocol %d: got stop %d, tunnel %d, want %d, none", proto, f.Stop, f.Tunnel, wire.StopFragment)
		}
	}
}

// A first fragment may be shorter than the transport header (RFC 1858 calls it
// tiny); that is no damage.
func TestFragmentsTiny(t *testing.T) {
	s := newStream(t)
	parts := synth.Fragments(synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.SYN, Seq: 7}), 28)
	f := s.decode(parts[0])
	if f.Stop != wire.StopFragment || f.SrcPort != 40000 || f.DstPort != 80 {
		t.Errorf("got stop %d, ports %d and %d, want %d, 40000, 80", f.Stop, f.SrcPort, f.DstPort, wire.StopFragment)
	}
	s.decode(parts[1])
	f = s.decode(parts[2])
	if f.Stop != wire.StopNone || f.Fragment != wire.Reassembled || f.TCP.Flags != wire.SYN || f.TCP.Seq != 7 {
		t.Errorf("got stop %d, fragment %d, %+v, want the SYN", f.Stop, f.Fragment, f.TCP)
	}
}

// Protocols that Decode does not read on are not held.
func TestFragmentsOfOtherProtocols(t *testing.T) {
	s := newStream(t)
	for i, b := range synth.Fragments(eth(0x0800, ip4(89, pattern(1, 2000))), 1500) {
		if f := s.decode(b); f.Datagram != 0 || f.Fragment != wire.Fragment(i+1) || f.Stop != wire.StopFragment {
			t.Errorf("fragment %d: got datagram %d, fragment %d, stop %d, want 0, %d, %d", i, f.Datagram, f.Fragment, f.Stop, i+1, wire.StopFragment)
		}
	}
	s.wantStats(wire.FragmentStats{})
}

// NFS over UDP in 32 KiB datagrams, some of them incomplete: in the steady
// state nothing is allocated.
func TestFragmentsAllocs(t *testing.T) {
	d := wire.NewDecoder()
	var f wire.Frame
	var frames [][]byte
	for id := range 200 {
		parts := split4(uint16(id), pattern(id, 32<<10), 1500)
		if id%7 == 0 {
			parts = slices.Delete(parts, 3, 4)
		}
		frames = append(frames, parts...)
	}
	at := time.Duration(0)
	run := func() {
		for _, b := range frames {
			at += 100 * time.Microsecond
			p := capture.Packet{ID: 1, Time: synth.Start.Add(at), Link: capture.LinkEthernet, WireLen: len(b), Data: b}
			d.Decode(&p, &f)
		}
		at += time.Minute
	}
	run()
	run()
	if n := testing.AllocsPerRun(3, run); n != 0 {
		t.Errorf("got %v allocations for %d fragments, want 0", n, len(frames))
	}
	if st := d.Fragments(); st.Complete != 6*171 {
		t.Errorf("got %s, want %d complete", fmt.Sprintf("%+v", st), 6*171)
	}
}
