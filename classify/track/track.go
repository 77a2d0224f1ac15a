// Package track is the contract between the engine and its trackers: what a
// tracker gets, what it may say, and the bounded Table it keeps its state in.
//
// The one invariant: a tracker does no I/O, reads no clock and keeps nothing
// of a Frame; what it says depends on the frames alone.
package track

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Tracker follows one protocol.
//
// The engine calls Expire with every deadline that has passed before it hands
// over a frame with a later time, so a tracker never meets an overdue entry.
type Tracker interface {
	// Frame reads one frame. It must not keep f or anything f points to. False
	// promises that nothing was said and Deadline is no earlier than before:
	// then nobody looks. Where that is not plain, true is always right.
	Frame(f *wire.Frame, out *Out) (news bool)
	// Deadline is the earliest time at which Expire has something to do, or
	// Never. The engine asks after each call with news, so it must be cheap.
	Deadline() capture.Time
	// Expire handles every entry whose deadline is <= now, in deadline order.
	Expire(now capture.Time, out *Out)
	// Finish ends the capture at end, the time of its last packet: what is
	// still in grace is reported as Open.
	Finish(end capture.Time, out *Out)
	// Count adds the tracker's plain arithmetic to c.
	Count(c *Counts)
	// Evicted is how many live entries were dropped because a table was full.
	Evicted() uint64
}

// Quiet is for a Tracker that may have nothing to do at all: one whose Quiet
// is true when it is made gets no frames.
type Quiet interface {
	Quiet() bool
}

// Never is a deadline that does not come.
const Never = capture.Time(1<<63 - 1)

// A Spec describes a tracker: what it is called, what it can find, which
// frames it wants and how one is made.
type Spec struct {
	Name  string
	Rules []*finding.Rule
	// UDP and TCP list ports, either side, whose frames the tracker gets.
	UDP, TCP []uint16
	// Kinds of frames that the tracker gets whatever their ports.
	Kinds Kind
	New   func(*Config) Tracker
}

// A Kind is a set of frame kinds.
type Kind uint8

// Frame kinds. ICMP are errors and echoes; Fragments are all frames with
// Fragment != Whole; Expected are frames that an Expectation of this tracker
// announced and are always delivered.
const (
	ARP Kind = 1 << iota
	ICMP
	TCP // segments with SYN, FIN or RST, and all of ports that carry a known service: the catalog's, and what a tracker expected
	UDP
	RPC // datagrams and segments that begin as an ONC RPC message does, see mayBeRPC and mayBeRecord
	Fragments
	Answers   // TCP segments with SYN and ACK
	LinkLayer // frames that ended with StopEtherType or StopLLC: STP, LACP, LLDP, EAPOL
)

// A Config is what trackers know of the place they work in.
type Config struct {
	Catalog *catalog.Catalog
	Site    *site.Site
}

// Out collects what trackers say during one call. The engine empties it after
// each; tests read it.
type Out struct {
	Findings  []finding.Finding
	Withdrawn []Withdrawal
	Exchanges []Exchange
	Expected  []Expectation
	watched   []watch

	// Place is what a tracker left here with the last frame of the same Route, or
	// 0: a hint where to look, to be checked. Of segments it belongs to the tracker
	// of all, tcp; of datagrams to tftp.
	Place uint16
}

// A watch is a tracker's wish for the segments of a port.
type watch struct {
	tracker string
	port    uint16
}

// Find reports f, or replaces what was found before under the same rule, node,
// server and subject.
func (o *Out) Find(f finding.Finding) { o.Findings = append(o.Findings, f) }

// Withdraw takes a finding back: what was missing came after all.
func (o *Out) Withdraw(w Withdrawal) { o.Withdrawn = append(o.Withdrawn, w) }

// Exchange reports a request and what became of it.
func (o *Out) Exchange(x Exchange) { o.Exchanges = append(o.Exchanges, x) }

// Expect tells the engine that traffic of an address and port is of a service.
func (o *Out) Expect(e Expectation) { o.Expected = append(o.Expected, e) }

// Watch asks for all TCP segments of a port, either side, from now on.
func (o *Out) Watch(tracker string, port uint16) { o.watched = append(o.watched, watch{tracker, port}) }

// Reset empties o and keeps its memory.
func (o *Out) Reset() {
	o.Findings = o.Findings[:0]
	o.Withdrawn = o.Withdrawn[:0]
	o.Exchanges = o.Exchanges[:0]
	o.Expected = o.Expected[:0]
	o.watched = o.watched[:0]
}

// Empty reports whether o holds nothing for a Sink.
func (o *Out) Empty() bool {
	return len(o.Findings)+len(o.Withdrawn)+len(o.Exchanges)+len(o.Expected) == 0
}

// Said is how many things were said, what is for the Dispatcher alone included.
func (o *Out) Said() int {
	return len(o.Findings) + len(o.Withdrawn) + len(o.Exchanges) + len(o.Expected) + len(o.watched)
}

// A Withdrawal names a finding by what makes it distinct.
type Withdrawal struct {
	Rule    *finding.Rule
	Node    finding.Endpoint
	Server  finding.Endpoint
	Subject string
}

// An Expectation says that, until a time, packets from or to an address and
// port belong to a service: TFTP's data port, a port learnt from portmap.
type Expectation struct {
	Until  capture.Time
	Addr   wire.Addr
	Port   uint16
	Proto  uint8 // wire.ProtoUDP or wire.ProtoTCP
	Server bool  // Addr:Port is the server's side; else the client's

	// Set by the Dispatcher, and read with the fields above for each frame.
	index catalog.Index // of Service
	to    mask          // of Tracker

	Service string // catalog service id
	Tracker string // Spec.Name that gets the frames
}

// Index is the Service's in the catalog, or None; only the Dispatcher knows it.
func (e *Expectation) Index() catalog.Index { return e.index }

// Same reports whether w names f. Findings are distinct by rule, node, server
// and subject; of an endpoint the MAC counts, or the address where no MAC is
// known, never the port.
func Same(f finding.Finding, w Withdrawal) bool {
	return f.Rule == w.Rule && f.Subject == w.Subject && sameHost(f.Node, w.Node) && sameHost(f.Server, w.Server)
}

func sameHost(a, b finding.Endpoint) bool {
	if a.MAC != b.MAC {
		return false
	}
	return !a.MAC.IsZero() || a.Addr == b.Addr
}
