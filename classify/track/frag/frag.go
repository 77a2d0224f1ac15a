// Package frag follows IP fragments: which flows never get a fragmented
// datagram through.
//
// The one invariant: nothing is said of a capture that holds first fragments
// only. A capture filter on ports drops the others, which have no ports, and
// then their absence says nothing about the network.
package frag

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Spec describes the tracker.
var Spec = track.Spec{
	Name:  "frag",
	Rules: []*finding.Rule{RuleLost},
	Kinds: track.Fragments,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

const (
	// grace is how long the rest of a datagram may take after its first
	// fragment. Fragments leave back to back; no queue holds them for seconds.
	grace = 2 * time.Second
	// maxPending bounds the datagrams waited for. The decoder gives up the
	// oldest of wire.MaxDatagrams incomplete ones, so that beyond that many
	// nothing is known.
	maxPending = wire.MaxDatagrams
	// maxFlows bounds the flows with incomplete datagrams.
	maxFlows   = 1024
	keptFrames = 8
)

type tracker struct {
	enough   int
	services *track.Services
	pending  *track.Table[uint32, wire.Flow] // by wire.Frame.Datagram
	flows    *track.Table[wire.Flow, flow]
	later    bool // a later fragment was captured, of whatever flow
}

// A flow is what became of one flow's fragmented datagrams.
type flow struct {
	lost, complete int
	bytes          int // of the largest first fragment's datagram part
	next           int // report again at this many
	found          bool
	first, last    capture.Time
	src, dst       wire.MAC
	vlan           uint16
	iface          int
	seen           int
	frames         [keptFrames]capture.FrameID
	node, server   finding.Endpoint
}

func newTracker(cfg *track.Config) *tracker {
	th := site.DefaultThresholds()
	if cfg != nil && cfg.Site != nil {
		th = cfg.Site.Thresholds
	}
	return &tracker{
		enough: th.Fragments, services: track.NewServices(cfg),
		pending: track.NewTable[uint32, wire.Flow](maxPending, nil),
		flows:   track.NewTable[wire.Flow, flow](maxFlows, nil),
	}
}

// Learn takes a port that another tracker learnt, as TFTP's data port.
func (t *tracker) Learn(e track.Expectation) { t.services.Learn(e) }

// Frame reads a fragment.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	if f.Fragment == wire.Later || f.FragOffset != 0 {
		t.later = true
	}
	switch {
	case f.Datagram == 0:
	case f.Fragment == wire.Reassembled:
		t.complete(f, out)
	case f.CapLen < f.WireLen:
		t.pending.Delete(f.Datagram) // cut by the snap length: it cannot be complete
	case f.Fragment == wire.First && !f.Copy:
		t.first(f)
	}
	return true
}

// first begins to wait for the rest of a datagram.
func (t *tracker) first(f *wire.Frame) {
	if f.SrcPort == 0 || f.DstPort == 0 || f.Proto != wire.ProtoUDP && f.Proto != wire.ProtoTCP {
		return
	}
	if t.pending.Get(f.Datagram) != nil {
		return
	}
	k := f.Flow()
	*t.pending.Put(f.Datagram) = k
	t.pending.SetDeadline(f.Datagram, f.Time.Add(grace))
	w := t.flows.Get(k)
	if w == nil {
		w = t.flows.Put(k)
		w.first, w.next = f.Time, t.enough
	}
	w.last = f.Time
	w.src, w.dst, w.vlan, w.iface = f.SrcMAC, f.DstMAC, f.VLAN(), f.Iface
	w.bytes = max(w.bytes, f.PayloadLen)
	w.frames[min(w.seen, keptFrames-1)] = f.ID
	w.seen++
}

// complete notes a datagram that arrived whole, and takes back what was said.
func (t *tracker) complete(f *wire.Frame, out *track.Out) {
	t.pending.Delete(f.Datagram)
	w := t.flows.Get(f.Flow())
	if w == nil { // its first fragment came last
		w = t.flows.Put(f.Flow())
		w.first, w.next = f.Time, t.enough
	}
	w.complete++
	if w.found {
		w.found = false
		out.Withdraw(track.Withdrawal{Rule: RuleLost, Node: w.node, Server: w.server, Subject: subject(f.Flow())})
	}
}

// Deadline is when the next datagram counts as lost.
func (t *tracker) Deadline() capture.Time { return t.pending.Deadline() }

// Expire counts the datagrams that did not become complete.
func (t *tracker) Expire(now capture.Time, out *track.Out) {
	t.pending.Expire(now, func(id uint32, k *wire.Flow, at capture.Time) {
		flow := *k
		t.pending.Delete(id)
		w := t.flows.Get(flow)
		if w == nil {
			return
		}
		if w.lost++; w.lost >= w.next && t.later && w.complete == 0 {
			w.next = 2 * w.lost
			t.report(flow, w, at, out)
		}
	})
}

// Finish reports flows whose losses could not be believed before a later
// fragment was seen, and the last count of the others.
func (t *tracker) Finish(end capture.Time, out *track.Out) {
	if !t.later {
		return
	}
	t.flows.Each(func(k wire.Flow, w *flow, _ capture.Time) {
		if w.complete == 0 && w.lost >= t.enough && (!w.found || w.lost > w.next/2) {
			t.report(k, w, min(end, w.last.Add(grace)), out)
		}
	})
}

// Count adds nothing: the report has no count of fragments.
func (t *tracker) Count(*track.Counts) {}

// Evicted is how many flows were dropped.
func (t *tracker) Evicted() uint64 { return t.flows.Evicted() }

func (t *tracker) report(k wire.Flow, w *flow, at capture.Time, out *track.Out) {
	id, toServer := t.services.Of(k, w.last)
	f := finding.Finding{
		Rule: RuleLost, Subject: subject(k), Severity: finding.Error, Confidence: finding.Likely,
		VLAN: w.vlan, Iface: w.iface, First: w.first, Last: at,
		Frames: slices.Clone(w.frames[:min(w.seen, keptFrames)]),
	}
	name := "an unknown service"
	if id == "" {
		f.Severity = finding.Note
	} else if v := t.services.By(id); v != nil {
		name = v.Name
	}
	if !w.found {
		// Of an unknown flow the receiver suffers.
		w.node, w.server = finding.Endpoint{MAC: w.dst, Addr: k.Dst, Port: k.DstPort}, finding.Endpoint{MAC: w.src, Addr: k.Src, Port: k.SrcPort}
		if id != "" && toServer {
			w.node, w.server = w.server, w.node
		}
	}
	w.found = true
	f.Node, f.Server = w.node, w.server
	f.Summary = fmt.Sprintf("%d datagrams from %s to %s (%s) came without their later fragments, and none came whole",
		w.lost, netip.AddrPortFrom(k.Src.Netip(), k.SrcPort), netip.AddrPortFrom(k.Dst.Netip(), k.DstPort), name)
	f.Facts = []finding.Fact{
		{Key: "incomplete", Value: w.lost}, {Key: "first_fragment_bytes", Value: w.bytes}, {Key: "service", Value: id},
		{Key: "from", Value: k.Src.String()}, {Key: "to", Value: k.Dst.String()},
	}
	out.Find(f)
}

func subject(k wire.Flow) string {
	return fmt.Sprintf("%s > %s", netip.AddrPortFrom(k.Src.Netip(), k.SrcPort), netip.AddrPortFrom(k.Dst.Netip(), k.DstPort))
}
