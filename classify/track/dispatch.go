package track

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Sink takes what trackers say, in the order of traffic time.
type Sink interface {
	Take(out *Out)
}

// A Dispatcher hands each frame to the trackers that want it, after every
// deadline that passed before it. It is the engine without the joins, and what
// tracker tests run on.
type Dispatcher struct {
	trackers []Tracker
	names    []string
	udp, tcp *[1 << 16]mask // by port, either side
	tcpAll   mask
	udpAll   mask
	arp      mask
	icmp     mask
	frags    mask
	link     mask

	expected *Table[portKey, expectation]
	// expectedPorts counts expectations by port, so that most packets need no
	// look-up: index 0 UDP, 1 TCP.
	expectedPorts [2][1 << 16]uint16

	learners []Learner
	deadline capture.Time // earliest of all
	sink     Sink
	out      Out
}

type mask uint16

type portKey struct {
	addr  wire.Addr
	port  uint16
	proto uint8
}

type expectation struct {
	Expectation
	to mask
}

// maxExpected bounds the expectations that stand at one time.
const maxExpected = 8192

// NewDispatcher makes the trackers of specs, at most 16, and a Dispatcher over
// them. What they say goes to sink.
func NewDispatcher(specs []Spec, cfg *Config, sink Sink) *Dispatcher {
	d := &Dispatcher{udp: new([1 << 16]mask), tcp: new([1 << 16]mask), deadline: Never, sink: sink}
	d.expected = NewTable(maxExpected, func(k portKey, _ *expectation) { d.uncount(k) })
	for i, s := range specs {
		m := mask(1) << i
		d.trackers = append(d.trackers, s.New(cfg))
		if l, ok := d.trackers[i].(Learner); ok {
			d.learners = append(d.learners, l)
		}
		d.names = append(d.names, s.Name)
		for _, p := range s.UDP {
			d.udp[p] |= m
		}
		for _, p := range s.TCP {
			d.tcp[p] |= m
		}
		for _, k := range []struct {
			kind Kind
			to   *mask
		}{{ARP, &d.arp}, {ICMP, &d.icmp}, {TCP, &d.tcpAll}, {UDP, &d.udpAll}, {Fragments, &d.frags}, {LinkLayer, &d.link}} {
			if s.Kinds&k.kind != 0 {
				*k.to |= m
			}
		}
	}
	return d
}

// Frame delivers f. The result is the expectation that f met, or nil; it is
// valid until the next call.
func (d *Dispatcher) Frame(f *wire.Frame) *Expectation {
	if f.Time >= d.deadline {
		d.Tick(f.Time)
	}
	var to mask
	var met *Expectation
	if f.Stop == wire.StopNone {
		to, met = d.transport(f)
	} else {
		to = d.other(f)
	}
	if f.Fragment != wire.Whole {
		to |= d.frags
	}
	if to != 0 {
		d.deliver(f, to)
	}
	return met
}

func (d *Dispatcher) transport(f *wire.Frame) (to mask, met *Expectation) {
	var ports *[1 << 16]uint16
	switch f.Proto {
	case wire.ProtoUDP:
		to = d.udp[f.SrcPort] | d.udp[f.DstPort] | d.udpAll
		ports = &d.expectedPorts[0]
	case wire.ProtoTCP:
		to = d.tcp[f.SrcPort] | d.tcp[f.DstPort] | d.tcpAll
		ports = &d.expectedPorts[1]
	default:
		return d.other(f), nil
	}
	if ports[f.DstPort]|ports[f.SrcPort] != 0 {
		e := d.expected.Get(portKey{f.Dst, f.DstPort, f.Proto})
		if e == nil || e.Until < f.Time {
			e = d.expected.Get(portKey{f.Src, f.SrcPort, f.Proto})
		}
		if e != nil && e.Until >= f.Time {
			to |= e.to
			met = &e.Expectation
		}
	}
	return to, met
}

func (d *Dispatcher) other(f *wire.Frame) mask {
	switch {
	case f.ARP.Op != 0:
		return d.arp
	case f.Stop == wire.StopNone && (f.Proto == wire.ProtoICMP || f.Proto == wire.ProtoICMPv6):
		return d.icmp
	case f.IPVersion == 0:
		return d.link
	}
	return 0
}

func (d *Dispatcher) deliver(f *wire.Frame, to mask) {
	for i, t := range d.trackers {
		if to&(1<<i) == 0 {
			continue
		}
		t.Frame(f, &d.out)
		if at := t.Deadline(); at < d.deadline {
			d.deadline = at
		}
	}
	d.drain()
}

// Tick passes every deadline that is <= now, across trackers in their order.
func (d *Dispatcher) Tick(now capture.Time) {
	for d.deadline <= now {
		first, at := -1, Never
		for i, t := range d.trackers {
			if dl := t.Deadline(); dl < at {
				first, at = i, dl
			}
		}
		d.deadline = at
		if at > now {
			return
		}
		// A tracker's Deadline may be early; Expire then moves it on.
		d.trackers[first].Expire(at, &d.out)
		d.drain()
		d.deadline = d.earliest()
	}
}

func (d *Dispatcher) earliest() capture.Time {
	at := Never
	for _, t := range d.trackers {
		at = min(at, t.Deadline())
	}
	return at
}

// Finish passes the deadlines up to end and closes every tracker.
func (d *Dispatcher) Finish(end capture.Time) {
	d.Tick(end)
	for _, t := range d.trackers {
		t.Finish(end, &d.out)
		d.drain()
	}
}

// Count adds up the trackers' arithmetic.
func (d *Dispatcher) Count(c *Counts) {
	for _, t := range d.trackers {
		t.Count(c)
	}
}

// Evicted is how many live entries each tracker dropped, by name.
func (d *Dispatcher) Evicted() map[string]uint64 {
	m := make(map[string]uint64)
	for i, t := range d.trackers {
		if n := t.Evicted(); n > 0 {
			m[d.names[i]] = n
		}
	}
	if n := d.expected.Evicted(); n > 0 {
		m["expectations"] = n
	}
	return m
}

func (d *Dispatcher) drain() {
	if d.out.Empty() {
		return
	}
	for _, e := range d.out.Expected {
		d.expect(e)
		for _, l := range d.learners {
			l.Learn(e)
		}
	}
	d.sink.Take(&d.out)
	d.out.Reset()
}

func (d *Dispatcher) expect(e Expectation) {
	k := portKey{e.Addr, e.Port, e.Proto}
	x := d.expected.Get(k)
	if x == nil {
		x = d.expected.Put(k)
		d.ports(k)[k.port]++
	}
	*x = expectation{Expectation: e}
	for i, n := range d.names {
		if n == e.Tracker {
			x.to = 1 << i
		}
	}
}

func (d *Dispatcher) uncount(k portKey) { d.ports(k)[k.port]-- }

func (d *Dispatcher) ports(k portKey) *[1 << 16]uint16 {
	if k.proto == wire.ProtoTCP {
		return &d.expectedPorts[1]
	}
	return &d.expectedPorts[0]
}
