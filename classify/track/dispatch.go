package track

import (
	"encoding/binary"
	"maps"
	"math"
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
	// What every frame needs comes first, and near together.
	deadline capture.Time // earliest of all
	// version counts what changes in the tables below, but for the Until of an
	// expectation, and changes has the ports of the last ones.
	version  uint32
	segments mask // of Kind TCP
	answers  mask
	udpAll   mask
	rpc      mask
	arp      mask
	icmp     mask
	frags    mask
	link     mask
	trackers [maxTrackers]Tracker // so many as there are names
	out      Out
	changes  [numChanges]uint16
	ended    *ending // after Finish

	names    []string
	cat      *catalog.Catalog
	udp, tcp *ports
	expected *Table[portKey, Expectation]

	learners []Learner
	sink     Sink
}

type mask uint16

// ports are what is said and expected of the ports of one protocol, either side.
type ports struct {
	// used has those that anything is said or was expected of: ephemeral ports are
	// all over the tables, which are larger than a processor's nearest cache, and
	// the bits are not.
	used     PortSet
	to       [1 << 16]mask
	expected [1 << 16]uint16 // how many expectations: most need no look-up
}

// add lets trackers have what comes from and goes to a port.
func (p *ports) add(port uint16, to mask) {
	p.used.Add(port)
	p.to[port] |= to
}

// maxTrackers have a bit each in a mask.
const maxTrackers = 16

// numChanges are remembered: a Route that missed more is found anew.
const numChanges = 32

type portKey struct {
	addr  wire.Addr
	port  uint16
	proto uint8
}

// maxExpected bounds the expectations that stand at one time.
const maxExpected = 8192

// NewDispatcher makes the trackers of specs, at most maxTrackers, and a
// Dispatcher over them. What they say goes to sink.
func NewDispatcher(specs []Spec, cfg *Config, sink Sink) *Dispatcher {
	d := &Dispatcher{udp: new(ports), tcp: new(ports), deadline: Never, sink: sink}
	d.expected = NewTable(maxExpected, func(k portKey, _ *Expectation) { d.uncount(k) })
	if cfg != nil {
		d.cat = cfg.Catalog
	}
	for i, s := range specs {
		m := mask(1) << i
		d.trackers[i] = s.New(cfg)
		if q, ok := d.trackers[i].(Quiet); ok && q.Quiet() {
			m = 0
		}
		if l, ok := d.trackers[i].(Learner); ok {
			d.learners = append(d.learners, l)
		}
		d.names = append(d.names, s.Name)
		for _, p := range s.UDP {
			d.udp.add(p, m)
		}
		for _, p := range s.TCP {
			d.watch(p, m)
		}
		for _, k := range []struct {
			kind Kind
			to   *mask
		}{{ARP, &d.arp}, {ICMP, &d.icmp}, {TCP, &d.segments}, {Answers, &d.answers}, {UDP, &d.udpAll}, {RPC, &d.rpc}, {Fragments, &d.frags}, {LinkLayer, &d.link}} {
			if s.Kinds&k.kind != 0 {
				*k.to |= m
			}
		}
	}
	if d.cat != nil {
		for port, e := range d.cat.Table(wire.ProtoTCP) {
			if e.Index() != catalog.None {
				d.watch(uint16(port), d.segments)
			}
		}
	}
	return d
}

// watch lets trackers have all segments of a port.
func (d *Dispatcher) watch(port uint16, to mask) {
	if d.tcp.to[port]&to == to {
		return
	}
	d.tcp.add(port, to)
	d.changed(port)
}

// named is the tracker of a name, or none.
func (d *Dispatcher) named(name string) mask {
	for i, n := range d.names {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// all are the trackers in their order.
func (d *Dispatcher) all() []Tracker { return d.trackers[:len(d.names)] }

// A Route is what the headers of a frame decide: who gets it and all others with
// the same addresses and ports.
type Route struct {
	expected *Expectation // of the destination, or else of the source, or nil
	version  uint32       // of the Dispatcher, when the rest was looked up
	to       mask
	place    uint16 // Out.Place
}

// Route finds the way of f by its headers.
func (d *Dispatcher) Route(f *wire.Frame) Route {
	r := Route{version: d.version}
	if f.Stop != wire.StopNone || d.ended != nil { // stopped perhaps behind its ports
		return r
	}
	switch f.Proto {
	case wire.ProtoUDP:
		r.to = d.udpAll
	case wire.ProtoTCP:
	default:
		return r
	}
	p := d.ports(f.Proto)
	if p.used.Has(f.DstPort) {
		r.to |= p.to[f.DstPort]
		r.expected = d.expectedAt(&f.Dst, f.DstPort, f.Proto)
	}
	if p.used.Has(f.SrcPort) {
		r.to |= p.to[f.SrcPort]
		if r.expected == nil {
			r.expected = d.expectedAt(&f.Src, f.SrcPort, f.Proto)
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
func (d *Dispatcher) Routed(f *wire.Frame, r *Route) (met *Expectation) {
	if f.Time >= d.deadline && !d.reach(f.Time) {
		return nil
	}
	if r.version != d.version {
		d.renew(f, r)
	}
	var to mask
	switch {
	case f.Stop != wire.StopNone:
		to = d.other(f)
	case f.Proto == wire.ProtoTCP:
		to = r.to
		if f.TCP.Flags&(wire.SYN|wire.FIN|wire.RST) != 0 {
			to |= d.segments
			if f.TCP.Flags&(wire.SYN|wire.ACK) == wire.SYN|wire.ACK {
				to |= d.answers
			}
		}
		if mayBeRecord(f.Payload) {
			to |= d.rpc
		}
	case f.Proto == wire.ProtoUDP:
		to = r.to
		if mayBeRPC(f.Payload) {
			to |= d.rpc
		}
	default:
		to = d.other(f)
	}
	if e := r.expected; e != nil {
		if e.Until < f.Time {
			e = d.stands(f)
		}
		if e != nil {
			to, met = to|e.to, e
		}
	}
	if f.Fragment != wire.Whole {
		to |= d.frags
	}
	if to == 0 {
		return met
	}
	d.out.Place = r.place
	if to&(to-1) != 0 {
		d.several(f, to)
	} else if i := first(to); d.trackers[i].Frame(f, &d.out) {
		d.deadline = min(d.deadline, d.trackers[i].Deadline())
		d.drain()
	}
	r.place = d.out.Place
	return met
}

// reach passes the deadlines up to now. It is false after the end.
func (d *Dispatcher) reach(now capture.Time) bool {
	d.Tick(now)
	return d.ended == nil
}

// several delivers f to more than one tracker; all of them read it before
// anybody hears what they say.
func (d *Dispatcher) several(f *wire.Frame, to mask) {
	news := false
	for ; to != 0; to &= to - 1 {
		if t := d.trackers[first(to)]; t.Frame(f, &d.out) {
			d.deadline = min(d.deadline, t.Deadline())
			news = true
		}
	}
	if news {
		d.drain()
	}
}

// first is the number of the first tracker of a mask.
func first(to mask) int { return bits.TrailingZeros16(uint16(to)) % maxTrackers }

// renew brings r, of the ports of f, up to date. Mostly what changed is of other
// ports.
func (d *Dispatcher) renew(f *wire.Frame, r *Route) {
	stale := d.version-r.version > numChanges
	for v := r.version; v != d.version && !stale; v++ {
		p := d.changes[v%numChanges]
		stale = p == f.SrcPort || p == f.DstPort
	}
	if stale {
		place := r.place
		*r = d.Route(f)
		r.place = place
	}
	r.version = d.version
}

// changed notes that what is said or expected of a port changes.
func (d *Dispatcher) changed(port uint16) {
	d.changes[d.version%numChanges] = port
	d.version++
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

// mayBeRecord reports whether b, the payload of a segment, begins as a call of
// ONC RPC does in a record of one fragment (RFC 5531 section 11).
func mayBeRecord(b []byte) bool {
	return len(b) >= 16 && b[0]&0x80 != 0 && binary.BigEndian.Uint64(b[8:]) == 2
}

// stands is what is expected of the source of f, where that of the destination
// is over, or nil.
func (d *Dispatcher) stands(f *wire.Frame) *Expectation {
	e := d.expectedAt(&f.Src, f.SrcPort, f.Proto)
	if e == nil || e.Until < f.Time {
		return nil
	}
	return e
}

// expectedAt is what is expected of an address and port, or nil. Most ports have
// nothing.
func (d *Dispatcher) expectedAt(a *wire.Addr, port uint16, proto uint8) *Expectation {
	if d.ports(proto).expected[port] == 0 {
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

// Tick passes every deadline that is <= now, across trackers in their order.
func (d *Dispatcher) Tick(now capture.Time) {
	if d.ended != nil {
		return
	}
	for d.deadline <= now {
		first, at := -1, Never
		for i, t := range d.all() {
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
	for _, t := range d.all() {
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
	for _, t := range d.all() {
		t.Finish(end, &d.out)
		d.drain()
	}
	last := &ending{evicted: d.Evicted()}
	d.Count(&last.counts)
	*d = Dispatcher{ended: last, deadline: math.MinInt64} // every frame finds it reached, and the end
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
	for _, t := range d.all() {
		t.Count(c)
	}
}

// Evicted is how many live entries each tracker dropped, by name.
func (d *Dispatcher) Evicted() map[string]uint64 {
	if d.ended != nil {
		return maps.Clone(d.ended.evicted)
	}
	m := make(map[string]uint64)
	for i, t := range d.all() {
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
	for _, w := range d.out.watched {
		d.watch(w.port, d.named(w.tracker))
	}
	d.out.watched = d.out.watched[:0]
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
		d.changed(k.port)
		p := d.ports(k.proto)
		p.used.Add(k.port)
		p.expected[k.port]++
		if k.proto == wire.ProtoTCP {
			d.watch(k.port, d.segments)
		}
	}
	e.index = catalog.None
	if d.cat != nil {
		if s := d.cat.ByID(e.Service); s != nil {
			e.index = s.Index
		}
	}
	e.to = d.named(e.Tracker)
	*x = e
}

func (d *Dispatcher) uncount(k portKey) {
	d.ports(k.proto).expected[k.port]--
	d.changed(k.port)
}

// ports are those of TCP, or else of UDP.
func (d *Dispatcher) ports(proto uint8) *ports {
	if proto == wire.ProtoTCP {
		return d.tcp
	}
	return d.udp
}
