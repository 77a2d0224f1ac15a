package track

import (
	"encoding/binary"
	"maps"
	"math/bits"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
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
	cat      *catalog.Catalog
	udp, tcp *[1 << 16]mask // by port, either side
	tcpAll   mask
	answers  mask
	udpAll   mask
	rpc      mask
	arp      mask
	icmp     mask
	frags    mask
	link     mask

	expected *Table[portKey, expectation]
	// expectedPorts counts expectations by port, so that most packets need no
	// look-up: index 0 UDP, 1 TCP.
	expectedPorts [2][1 << 16]uint16
	// portsUDP and portsTCP have a bit for each port with a mask or with
	// expectations: ephemeral ports are all over the tables, which are larger
	// than a processor's nearest cache, and the bits are not.
	portsUDP, portsTCP PortSet
	// version counts what changes in expected, but for the Until of one.
	version uint32

	learners []Learner
	deadline capture.Time // earliest of all
	sink     Sink
	out      Out
	ended    *ending // after Finish
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
	if cfg != nil {
		d.cat = cfg.Catalog
	}
	for i, s := range specs {
		m := mask(1) << i
		d.trackers = append(d.trackers, s.New(cfg))
		if q, ok := d.trackers[i].(Quiet); ok && q.Quiet() {
			m = 0
		}
		if l, ok := d.trackers[i].(Learner); ok {
			d.learners = append(d.learners, l)
		}
		d.names = append(d.names, s.Name)
		for _, p := range s.UDP {
			d.udp[p] |= m
			d.portsUDP.Add(p)
		}
		for _, p := range s.TCP {
			d.tcp[p] |= m
			d.portsTCP.Add(p)
		}
		for _, k := range []struct {
			kind Kind
			to   *mask
		}{{ARP, &d.arp}, {ICMP, &d.icmp}, {TCP, &d.tcpAll}, {Answers, &d.answers}, {UDP, &d.udpAll}, {RPC, &d.rpc}, {Fragments, &d.frags}, {LinkLayer, &d.link}} {
			if s.Kinds&k.kind != 0 {
				*k.to |= m
			}
		}
	}
	return d
}

// A Route is what the headers of a frame decide: who gets it and all others with
// the same addresses and ports.
type Route struct {
	expected *expectation // of the destination, or else of the source, or nil
	version  uint32       // for which expected was looked up
	to       mask
}

// Route finds the way of f by its headers.
func (d *Dispatcher) Route(f *wire.Frame) Route {
	r := Route{version: d.version - 1}
	switch f.Proto {
	case wire.ProtoUDP:
		r.to = d.udpAll
		if d.portsUDP.Has(f.SrcPort) || d.portsUDP.Has(f.DstPort) {
			r.to |= d.udp[f.SrcPort] | d.udp[f.DstPort]
		}
	case wire.ProtoTCP:
		r.to = d.tcpAll
		if d.portsTCP.Has(f.SrcPort) || d.portsTCP.Has(f.DstPort) {
			r.to |= d.tcp[f.SrcPort] | d.tcp[f.DstPort]
		}
	}
	return r
}

// Frame delivers f. The result is the expectation that f met, or nil; it is
// valid until the next call.
func (d *Dispatcher) Frame(f *wire.Frame) *Expectation {
	r := d.Route(f)
	return d.Routed(f, &r)
}

// Routed is Frame for a frame whose Route is known. r is that of the same
// Dispatcher, and is kept up to date.
func (d *Dispatcher) Routed(f *wire.Frame, r *Route) *Expectation {
	if d.ended != nil {
		return nil
	}
	if f.Time >= d.deadline {
		d.Tick(f.Time)
	}
	var to mask
	var met *Expectation
	if f.Stop == wire.StopNone && (f.Proto == wire.ProtoUDP || f.Proto == wire.ProtoTCP) {
		to, met = d.transport(f, r)
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

func (d *Dispatcher) transport(f *wire.Frame, r *Route) (to mask, met *Expectation) {
	to = r.to
	if f.Proto == wire.ProtoTCP {
		if f.TCP.Flags&(wire.SYN|wire.ACK) == wire.SYN|wire.ACK {
			to |= d.answers
		}
	} else if mayBeRPC(f.Payload) {
		to |= d.rpc
	}
	if r.version != d.version {
		r.version = d.version
		if r.expected = d.expectedAt(&f.Dst, f.DstPort, f.Proto); r.expected == nil {
			r.expected = d.expectedAt(&f.Src, f.SrcPort, f.Proto)
		}
	}
	e := r.expected
	if e == nil {
		return to, nil
	}
	if e.Until < f.Time { // perhaps of the destination, and the source has one too
		if e = d.expectedAt(&f.Src, f.SrcPort, f.Proto); e == nil || e.Until < f.Time {
			return to, nil
		}
	}
	return to | e.to, &e.Expectation
}

// mayBeRPC reports whether b, the payload of a datagram, begins as a message of
// ONC RPC (RFC 5531 section 9): after the transaction id a call of version 2, or
// a reply that is accepted or denied. Few other datagrams do, and many are looked
// at: mountd has a port that only portmap tells.
func mayBeRPC(b []byte) bool {
	if len(b) < 12 {
		return false
	}
	w := binary.BigEndian.Uint64(b[4:])
	return w == 2 || w>>1 == 1<<31
}

// expectedAt is what is expected of an address and port, or nil. Most ports have
// nothing.
func (d *Dispatcher) expectedAt(a *wire.Addr, port uint16, proto uint8) *expectation {
	ports, i := &d.portsUDP, 0
	if proto == wire.ProtoTCP {
		ports, i = &d.portsTCP, 1
	}
	if !ports.Has(port) || d.expectedPorts[i][port] == 0 {
		return nil
	}
	return d.expected.Get(portKey{*a, port, proto})
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
	for ; to != 0; to &= to - 1 {
		t := d.trackers[bits.TrailingZeros16(uint16(to))]
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

// Finish passes the deadlines up to end and closes every tracker. What they
// counted stays; what they knew is given up, so that a report can be built in
// its place. Frames that come later are ignored.
func (d *Dispatcher) Finish(end capture.Time) {
	if d.ended != nil {
		return
	}
	d.Tick(end)
	for _, t := range d.trackers {
		t.Finish(end, &d.out)
		d.drain()
	}
	last := &ending{evicted: d.Evicted()}
	d.Count(&last.counts)
	*d = Dispatcher{ended: last, deadline: Never}
}

// An ending is what remains of a Dispatcher that has finished.
type ending struct {
	counts  Counts
	evicted map[string]uint64
}

// Count adds up the trackers' arithmetic in c, which is empty.
func (d *Dispatcher) Count(c *Counts) {
	if d.ended != nil {
		*c = d.ended.counts
		return
	}
	for _, t := range d.trackers {
		t.Count(c)
	}
}

// Evicted is how many live entries each tracker dropped, by name.
func (d *Dispatcher) Evicted() map[string]uint64 {
	if d.ended != nil {
		return maps.Clone(d.ended.evicted)
	}
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
		x = d.expected.Put(k) // which moves and drops others
		d.version++
		d.ports(k)[k.port]++
		if k.proto == wire.ProtoTCP {
			d.portsTCP.Add(k.port)
		} else {
			d.portsUDP.Add(k.port)
		}
	}
	e.index = catalog.None
	if d.cat != nil {
		if s := d.cat.ByID(e.Service); s != nil {
			e.index = s.Index
		}
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
