package track

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// A spy writes down what it is told.
type spy struct {
	name     string
	log      *[]string
	deadline capture.Time
	expect   *Expectation
	watch    uint16
	frames   uint64
}

func (s *spy) Frame(f *wire.Frame, out *Out) bool {
	s.frames++
	*s.log = append(*s.log, fmt.Sprintf("%s frame %d", s.name, f.Time))
	s.deadline = f.Time + 10
	if s.watch != 0 {
		out.Watch(s.name, s.watch)
		s.watch = 0
	}
	if s.expect != nil {
		out.Expect(*s.expect)
		s.expect = nil
	}
	return true
}

func (s *spy) Deadline() capture.Time { return s.deadline }

func (s *spy) Expire(now capture.Time, _ *Out) {
	*s.log = append(*s.log, fmt.Sprintf("%s expire %d", s.name, now))
	s.deadline = Never
}

func (s *spy) Finish(end capture.Time, _ *Out) {
	*s.log = append(*s.log, fmt.Sprintf("%s finish %d", s.name, end))
}

func (s *spy) Count(c *Counts) { c.NTP.Requests += s.frames }
func (s *spy) Evicted() uint64 { return 0 }

type nowhere struct{}

func (nowhere) Take(*Out) {}

func newSpies(specs ...Spec) (*Dispatcher, *[]string, map[string]*spy) {
	var log []string
	spies := make(map[string]*spy)
	for i := range specs {
		name := specs[i].Name
		specs[i].New = func(*Config) Tracker {
			s := &spy{name: name, log: &log, deadline: Never}
			spies[name] = s
			return s
		}
	}
	return NewDispatcher(specs, &Config{}, nowhere{}), &log, spies
}

func udp(at capture.Time, src, dst uint16) *wire.Frame {
	return &wire.Frame{Time: at, IPVersion: 4, Proto: wire.ProtoUDP, SrcPort: src, DstPort: dst,
		Src: wire.MustAddr("10.0.0.1"), Dst: wire.MustAddr("10.0.0.2")}
}

// Deadlines pass in their order, across trackers, before the frame that comes
// after them; one at the frame's own time passes too.
func TestDeadlinesBeforeFrames(t *testing.T) {
	d, log, _ := newSpies(Spec{Name: "a", UDP: []uint16{1}}, Spec{Name: "b", UDP: []uint16{2}})
	d.Frame(udp(100, 9, 2)) // b expires at 110
	d.Frame(udp(105, 9, 1)) // a expires at 115
	d.Frame(udp(115, 9, 2))
	d.Tick(124)
	d.Finish(200)
	want := []string{"b frame 100", "a frame 105", "b expire 110", "a expire 115", "b frame 115", "b expire 125", "a finish 200", "b finish 200"}
	if !slices.Equal(*log, want) {
		t.Errorf("got  %q\nwant %q", *log, want)
	}
}

func TestDelivery(t *testing.T) {
	all := func() (*Dispatcher, *[]string, map[string]*spy) {
		return newSpies(
			Spec{Name: "udp69", UDP: []uint16{69}}, Spec{Name: "tcp80", TCP: []uint16{80}},
			Spec{Name: "arp", Kinds: ARP}, Spec{Name: "icmp", Kinds: ICMP}, Spec{Name: "tcp", Kinds: TCP},
			Spec{Name: "udp", Kinds: UDP}, Spec{Name: "frag", Kinds: Fragments}, Spec{Name: "link", Kinds: LinkLayer},
			Spec{Name: "answers", Kinds: Answers}, Spec{Name: "rpc", Kinds: RPC})
	}
	for _, c := range []struct {
		name  string
		frame wire.Frame
		want  []string
	}{
		{"to the port", wire.Frame{IPVersion: 4, Proto: 17, SrcPort: 2000, DstPort: 69}, []string{"udp69", "udp"}},
		{"from the port", wire.Frame{IPVersion: 4, Proto: 17, SrcPort: 69, DstPort: 2000}, []string{"udp69", "udp"}},
		{"the port of the other protocol", wire.Frame{IPVersion: 4, Proto: 6, SrcPort: 69, DstPort: 80}, []string{"tcp80"}},
		{"arp", wire.Frame{ARP: wire.ARP{Op: 1}}, []string{"arp"}},
		{"icmp", wire.Frame{IPVersion: 4, Proto: 1}, []string{"icmp"}},
		{"icmpv6", wire.Frame{IPVersion: 6, Proto: 58}, []string{"icmp"}},
		{"cut icmp has no type", wire.Frame{IPVersion: 4, Proto: 1, Stop: wire.StopICMPShort}, nil},
		{"a later fragment has no ports", wire.Frame{IPVersion: 4, Proto: 17, Stop: wire.StopFragment, Fragment: wire.Later}, []string{"frag"}},
		{"a reassembled datagram", wire.Frame{IPVersion: 4, Proto: 17, DstPort: 69, Fragment: wire.Reassembled}, []string{"udp69", "udp", "frag"}},
		{"spanning tree", wire.Frame{Stop: wire.StopLLC}, []string{"link"}},
		{"a SYN is no answer", wire.Frame{IPVersion: 4, Proto: 6, TCP: wire.TCP{Flags: wire.SYN}}, []string{"tcp"}},
		{"a FIN of no service", wire.Frame{IPVersion: 4, Proto: 6, TCP: wire.TCP{Flags: wire.FIN | wire.ACK}}, []string{"tcp"}},
		{"data of no service", wire.Frame{IPVersion: 4, Proto: 6, TCP: wire.TCP{Flags: wire.ACK}, Payload: []byte("data")}, nil},
		{"a record of RPC", wire.Frame{IPVersion: 4, Proto: 6, Payload: []byte{0x80, 0, 0, 40, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2}}, []string{"rpc"}},
		{"SYN, ACK", wire.Frame{IPVersion: 4, Proto: 6, TCP: wire.TCP{Flags: wire.SYN | wire.ACK}}, []string{"tcp", "answers"}},
		{"an RPC call", wire.Frame{IPVersion: 4, Proto: 17, Payload: []byte{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2}}, []string{"udp", "rpc"}},
		{"a call of another version", wire.Frame{IPVersion: 4, Proto: 17, Payload: []byte{1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 3}}, []string{"udp"}},
		{"an RPC reply", wire.Frame{IPVersion: 4, Proto: 17, Payload: []byte{1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 1}}, []string{"udp", "rpc"}},
		{"a cut RPC reply", wire.Frame{IPVersion: 4, Proto: 17, Payload: []byte{1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0}}, []string{"udp"}},
		{"cut udp has no ports", wire.Frame{IPVersion: 4, Proto: 17, DstPort: 69, Stop: wire.StopUDPShort}, nil},
	} {
		d, log, _ := all()
		d.Frame(&c.frame)
		var got []string
		for _, l := range *log {
			var name string
			fmt.Sscan(l, &name)
			got = append(got, name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: delivered to %q, want %q", c.name, got, c.want)
		}
	}
}

// What was counted stays after the end, and frames that come later are ignored.
func TestDispatcherEnds(t *testing.T) {
	d, log, _ := newSpies(Spec{Name: "a", UDP: []uint16{1}})
	d.Frame(udp(100, 9, 1))
	var before, after Counts
	d.Count(&before)
	if before.NTP.Requests != 1 {
		t.Fatalf("got %d frames counted, want 1", before.NTP.Requests)
	}
	d.Finish(200)
	d.Finish(300)
	n := len(*log)
	if x := d.Frame(udp(300, 9, 1)); x != nil {
		t.Errorf("after the end: met %v", x)
	}
	d.Tick(400)
	d.Count(&after)
	if diff := cmp.Diff(before, after); diff != "" || len(d.Evicted()) != 0 || len(*log) != n {
		t.Errorf("after the end: counts %s, evicted %v, log %q", diff, d.Evicted(), *log)
	}
}

// A tracker that says it is quiet gets nothing.
func TestQuiet(t *testing.T) {
	d, log, _ := newSpies(Spec{Name: "a", UDP: []uint16{1}})
	q := NewDispatcher([]Spec{{Name: "q", UDP: []uint16{1}, Kinds: UDP | Fragments, New: func(*Config) Tracker { return quiet{d.trackers[0]} }}}, nil, d.sink)
	q.Frame(udp(100, 9, 1))
	if len(*log) != 0 {
		t.Errorf("got %q, want nothing", *log)
	}
}

type quiet struct{ Tracker }

func (quiet) Quiet() bool { return true }

// What a tracker expects is delivered to it until its time is over, in both
// directions, and for that address alone.
func TestExpectation(t *testing.T) {
	d, log, spies := newSpies(Spec{Name: "tftp", UDP: []uint16{69}})
	spies["tftp"].expect = &Expectation{Proto: wire.ProtoUDP, Addr: wire.MustAddr("10.0.0.1"), Port: 2070, Service: "tftp", Tracker: "tftp", Until: 1000}
	d.Frame(udp(1, 2070, 69))
	if x := d.Frame(udp(2, 2070, 49152)); x == nil || x.Service != "tftp" {
		t.Errorf("from the client: got %v", x)
	}
	back := udp(3, 49152, 2070)
	back.Src, back.Dst = back.Dst, back.Src
	if x := d.Frame(back); x == nil {
		t.Error("to the client: no expectation met")
	}
	short := udp(4, 2070, 49152)
	short.Stop = wire.StopUDPShort
	if x := d.Frame(short); x != nil {
		t.Errorf("a header that is not all there: got %v", x)
	}
	if x := d.Frame(udp(4, 49152, 2070)); x != nil {
		t.Errorf("another host's port 2070: got %v", x)
	}
	if x := d.Frame(udp(1001, 2070, 49152)); x != nil {
		t.Errorf("after its time: got %v", x)
	}
	if got := len(*log); got != 4 { // 3 frames, and the deadline after the last of them
		t.Errorf("got %q", *log)
	}
}

// What changes at the ports of a way is seen, however much changed elsewhere.
func TestRouteMissesChanges(t *testing.T) {
	for n := range 3 * numChanges {
		d, _, spies := newSpies(Spec{Name: "tftp", UDP: []uint16{69}})
		data := udp(1, 2070, 49152)
		r := d.Route(data)
		expect := func(port uint16) {
			spies["tftp"].expect = &Expectation{Proto: wire.ProtoUDP, Addr: data.Src, Port: port, Service: "tftp", Tracker: "tftp", Until: 1000}
			d.Frame(udp(2, 9, 69))
		}
		expect(2070)
		for i := range n {
			expect(3000 + uint16(i))
		}
		if x := d.Routed(udp(3, 2070, 49152), &r); x == nil {
			t.Errorf("with %d changes elsewhere: nothing is expected", n)
		}
	}
}

// Segments of a port come to those who watch it, and to the trackers of Kind TCP
// when a service is expected there.
func TestWatch(t *testing.T) {
	d, log, spies := newSpies(Spec{Name: "tcp", Kinds: TCP}, Spec{Name: "rpc", UDP: []uint16{111}})
	data := udp(1, 2070, 49152)
	data.Proto = wire.ProtoTCP
	r := d.Route(data)
	see := func(want ...string) {
		t.Helper()
		*log = nil
		d.Routed(data, &r)
		if !slices.Equal(*log, want) {
			t.Errorf("got %q, want %q", *log, want)
		}
	}
	see()
	spies["rpc"].watch = 49152
	d.Frame(udp(1, 9, 111))
	see("rpc frame 1")
	spies["rpc"].expect = &Expectation{Proto: wire.ProtoTCP, Addr: wire.MustAddr("10.9.9.9"), Port: 49152, Tracker: "rpc", Until: 1000}
	d.Frame(udp(1, 9, 111))
	see("tcp frame 1", "rpc frame 1")
}

// However many expectations are announced, the table stays within its bound
// and the ports of what was evicted are forgotten.
func TestExpectationBound(t *testing.T) {
	d, _, spies := newSpies(Spec{Name: "tftp", UDP: []uint16{69}})
	for i := range maxExpected + 100 {
		spies["tftp"].expect = &Expectation{Proto: wire.ProtoUDP, Addr: wire.Addr{byte(i), byte(i >> 8)}, Port: uint16(i), Tracker: "tftp", Until: 1 << 40}
		d.Frame(udp(capture.Time(i), 2070, 69))
	}
	if got := d.expected.Len(); got != maxExpected {
		t.Errorf("got %d expectations, want %d", got, maxExpected)
	}
	if d.udp.expected[0] != 0 || d.udp.expected[99] != 0 || d.udp.expected[100] != 1 {
		t.Error("ports of evicted expectations are still marked")
	}
	if d.Evicted()["expectations"] != 100 {
		t.Errorf("got %v", d.Evicted())
	}
}

func TestCopies(t *testing.T) {
	frame := func(at time.Duration, id uint32, payload string) *wire.Frame {
		f := udp(capture.Time(at), 68, 5000)
		f.IPID, f.Payload, f.PayloadLen = id, []byte(payload), len(payload)
		return f
	}
	ms := time.Millisecond
	for _, c := range []struct {
		name   string
		first  *wire.Frame
		second *wire.Frame
		want   bool
	}{
		{"the same again", frame(0, 7, "hello, world"), frame(ms, 7, "hello, world"), true},
		{"routed: TTL and MAC differ", frame(0, 7, "hello, world"), func() *wire.Frame {
			f := frame(ms, 7, "hello, world")
			f.TTL, f.SrcMAC = 63, wire.MAC{2}
			return f
		}(), true},
		{"on a trunk: the tag differs", frame(0, 7, "hello, world"), func() *wire.Frame {
			f := frame(ms, 7, "hello, world")
			f.Tags[0], f.TagCount = 5, 1
			return f
		}(), true},
		{"a retry has another IP id", frame(0, 7, "hello, world"), frame(ms, 8, "hello, world"), false},
		{"a retry with a constant id is later", frame(0, 0, "hello, world"), frame(200*ms, 0, "hello, world"), false},
		{"another payload", frame(0, 7, "hello, world"), frame(ms, 7, "hello, word!"), false},
		{"another short payload", frame(0, 7, "ab"), frame(ms, 7, "ac"), false},
	} {
		x := NewCopies(20 * ms)
		if x.Seen(c.first, c.first.Time) {
			t.Errorf("%s: the first one is a copy", c.name)
		}
		if got := x.Seen(c.second, c.second.Time); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	x := NewCopies(20 * ms)
	i := uint32(0)
	f := frame(0, 0, "payload of some length")
	if got := testing.AllocsPerRun(5000, func() { i++; f.IPID = i; f.Time += 1000; x.Seen(f, f.Time) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// A way that was found before something is expected leads to it all the same,
// and no longer when its time is over or others took its place.
func TestRouteIsKeptUpToDate(t *testing.T) {
	d, _, spies := newSpies(Spec{Name: "tftp", UDP: []uint16{69}})
	data := udp(1, 2070, 49152)
	r := d.Route(data)
	if x := d.Routed(data, &r); x != nil {
		t.Errorf("before: got %v", x)
	}
	want := &Expectation{Proto: wire.ProtoUDP, Addr: data.Src, Port: 2070, Service: "tftp", Tracker: "tftp", Until: 1000}
	expect := func(e *Expectation) {
		spies["tftp"].expect = e
		d.Frame(udp(2, 9, 69))
	}
	expect(want)
	at := func(now capture.Time) *Expectation {
		f := udp(now, 2070, 49152)
		return d.Routed(f, &r)
	}
	if x := at(3); x == nil || x.Service != "tftp" {
		t.Errorf("after: got %v", x)
	}
	if x := at(1001); x != nil {
		t.Errorf("too late: got %v", x)
	}
	longer := *want
	longer.Until = 2000
	expect(&longer)
	if x := at(1500); x == nil {
		t.Error("renewed: nothing is expected")
	}
	for i := range maxExpected {
		other := *want
		other.Addr = wire.Addr4([4]byte{10, 1, byte(i >> 8), byte(i)})
		expect(&other)
	}
	if x := at(1600); x != nil {
		t.Errorf("pushed out: got %v", x)
	}
}
