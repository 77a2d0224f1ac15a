package arp

import (
	"fmt"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// An ownerKey is an address on a segment.
type ownerKey struct {
	addr wire.Addr
	seg  segment
}

// A claim is one machine that says an address is its own.
type claim struct {
	mac   wire.MAC
	last  capture.Time
	frame capture.FrameID
	own   bool // used as its own: in a request, an announcement, or a reply that nobody asked for
}

// heard is c with the claim of f added.
func (c claim) heard(f *wire.Frame, own bool) claim {
	return claim{f.ARP.SenderMAC, f.Time, f.ID, c.own || own}
}

// An owner is who claims one address: who has it, who else said so, and how
// often the two took turns.
type owner struct {
	has, other claim
	turns      int // 0: the two never took turns
	next       int // report again at this many turns
	probe      bool
	found      bool
	node       finding.Endpoint // as first reported: they name the finding
	server     finding.Endpoint
	first      capture.Time
	iface      int
	frames     [keptFrames]capture.FrameID
	kept       int
}

const (
	// proxyAddresses is from how many claimed addresses on a machine is taken
	// for a router with proxy ARP, whose claims mean nothing.
	proxyAddresses = 5
	// proxyMemory is how long a claim counts for that: leases move on.
	proxyMemory = time.Hour
)

// claimed reads the sender fields of f.
func (t *tracker) claimed(f *wire.Frame, seg segment, out *track.Out) {
	m := f.ARP.SenderMAC
	if f.Link == capture.LinkSLL || f.Link == capture.LinkSLL2 {
		return // several networks in one capture: the same address may stand in each
	}
	if m.IsZero() || m.IsGroup() || shared(m) || m != f.SrcMAC {
		return // somebody speaks for another, or for a group of machines
	}
	own := f.ARP.Op == opRequest || !t.solicited(f, seg)
	seg.iface = uint16(f.Iface)
	k := ownerKey{f.ARP.Sender, seg}
	o := t.owners.At(k)
	news := false
	switch m {
	case o.has.mac:
		news = own && !o.has.own
		t.turn(k, o, &o.has, &o.other, f, own, out)
	case o.other.mac:
		news = own && !o.other.own
		t.turn(k, o, &o.other, &o.has, f, own, out)
	default:
		if !o.add(claim{}.heard(f, own), t.conflict) {
			return // a third one; two are enough to follow
		}
		news = true
	}
	if news && t.standing > 0 {
		t.review(m, f.Time, out)
	}
	t.probeAnswered(k, f, out)
}

// add puts a newcomer beside the owner, in place of whom nobody heard of for
// longer than the window. What was found of the old pair stands.
func (w *owner) add(c claim, window time.Duration) bool {
	switch {
	case w.has.mac.IsZero():
		w.has = c
	case w.other.mac.IsZero():
		w.other = c
	case c.last.Sub(min(w.has.last, w.other.last)) > window:
		if w.other.last > w.has.last {
			w.has = w.other
		}
		*w = owner{has: w.has, other: c}
	default:
		return false
	}
	return true
}

// turn notes that c speaks again. When o spoke since c's last word, both are
// alive: that is a turn. An announcement is how a fail-over looks, so it makes
// c the owner and forgets the other until that one speaks again.
func (t *tracker) turn(k ownerKey, w *owner, c, o *claim, f *wire.Frame, own bool, out *track.Out) {
	if f.Time.Sub(c.last) <= t.copies {
		return // a copy, or one answer to several questions
	}
	alternates := !o.mac.IsZero() && o.last >= c.last && f.Time.Sub(o.last) <= t.conflict && o.last.Sub(c.last) <= t.conflict
	if !alternates {
		*c = c.heard(f, own)
		return
	}
	if f.ARP.Sender == f.ARP.Target {
		w.has, w.other = c.heard(f, own), claim{}
		return
	}
	if w.kept == 0 {
		w.first = c.last
		w.keep(c.frame)
		w.keep(o.frame)
	}
	w.turns++
	w.keep(f.ID)
	*c = c.heard(f, own)
	w.iface = f.Iface
	if !w.found {
		w.node = finding.Endpoint{MAC: w.other.mac, Addr: k.addr}
		w.server = finding.Endpoint{MAC: w.has.mac, Addr: k.addr}
	}
	if w.turns >= w.next {
		w.next = 2 * w.turns
		t.report(k, w, f.Time, out)
	}
}

func (w *owner) keep(id capture.FrameID) {
	w.frames[min(w.kept, keptFrames-1)] = id
	w.kept = min(w.kept+1, keptFrames)
}

// report says that two machines use one address, unless they look like one
// machine or like a router.
func (t *tracker) report(k ownerKey, w *owner, now capture.Time, out *track.Out) {
	a, b := w.node.MAC, w.server.MAC
	if t.excused(w, now) || t.together(a, b, out) {
		if w.found {
			t.withdraw(k, w, out)
		}
		return
	}
	f := finding.Finding{
		Rule: RuleDuplicateAddress, Subject: k.addr.String(), Severity: finding.Error, Confidence: finding.Likely,
		Node: w.node, Server: w.server, VLAN: k.seg.vlan, Iface: w.iface,
		Frames: slices.Clone(w.frames[:w.kept]), First: w.first, Last: now,
		Facts: []finding.Fact{
			{Key: "address", Value: k.addr.String()}, {Key: "machines", Value: []string{b.String(), a.String()}},
		},
	}
	if w.probe {
		f.Confidence = finding.Certain
		f.Summary = fmt.Sprintf("%s asked whether %s is free, and %s answered that it uses the address", a, k.addr, b)
		f.Facts = append(f.Facts, finding.Fact{Key: "probe", Value: true})
	} else {
		f.Summary = fmt.Sprintf("two machines use %s: %s and %s claimed it in turn", k.addr, b, a)
		f.Facts = append(f.Facts, finding.Fact{Key: "turns", Value: w.turns})
	}
	if w.turns > 1 {
		f.Confidence = finding.Certain
	}
	if !w.found {
		w.found = true
		t.standing++
	}
	out.Find(f)
}

// solicited reports whether f answers a request of a moment ago.
func (t *tracker) solicited(f *wire.Frame, seg segment) bool {
	a := t.asks.Get(askKey{f.ARP.TargetMAC, f.ARP.Sender, seg})
	return a != nil && f.Time.Sub(a.last) <= answerGrace
}

// helps reports whether c only answers questions about the address, and has
// another one of its own: a second port of the machine that owns it. Linux
// answers for all its addresses on all its ports (arp_ignore 0).
func (t *tracker) helps(c *claim) bool {
	if c.own {
		return false
	}
	another := false
	t.owners.Each(func(_ ownerKey, o *owner, _ capture.Time) {
		for _, x := range []*claim{&o.has, &o.other} {
			another = another || x.mac == c.mac && x.own
		}
	})
	return another
}

// together reports whether a and b claim another address in company as well:
// two ports of one machine, each of which answers for all its addresses. What
// was found of them before is taken back.
func (t *tracker) together(a, b wire.MAC, out *track.Out) bool {
	n := 0
	t.owners.Each(func(_ ownerKey, o *owner, _ capture.Time) {
		if o.between(a, b) {
			n++
		}
	})
	if n < 2 {
		return false
	}
	t.owners.Each(func(k ownerKey, o *owner, _ capture.Time) {
		if o.found && !o.probe && o.between(a, b) {
			t.withdraw(k, o, out)
		}
	})
	return true
}

func (w *owner) between(a, b wire.MAC) bool {
	return w.has.mac == a && w.other.mac == b || w.has.mac == b && w.other.mac == a
}

func (t *tracker) withdraw(k ownerKey, w *owner, out *track.Out) {
	w.found = false
	t.standing--
	out.Withdraw(track.Withdrawal{Rule: RuleDuplicateAddress, Node: w.node, Server: w.server, Subject: k.addr.String()})
}

// isProxy reports whether m claimed many addresses lately.
func (t *tracker) isProxy(m wire.MAC, now capture.Time) bool {
	n := 0
	t.owners.Each(func(_ ownerKey, o *owner, _ capture.Time) {
		for _, c := range []*claim{&o.has, &o.other} {
			if c.mac == m && now.Sub(c.last) <= proxyMemory {
				n++
			}
		}
	})
	return n >= proxyAddresses
}

// excused reports whether the two of w look like one machine, or one of them
// like a router.
func (t *tracker) excused(w *owner, now capture.Time) bool {
	a, b := w.node.MAC, w.server.MAC
	return sameCard(a, b) || t.isProxy(a, now) || t.isProxy(b, now) ||
		!w.probe && (t.helps(&w.has) || t.helps(&w.other))
}

// review looks again at what was found of m, which has claimed an address for
// the first time, or as its own.
func (t *tracker) review(m wire.MAC, now capture.Time, out *track.Out) {
	t.owners.Each(func(k ownerKey, o *owner, _ capture.Time) {
		if o.found && (o.node.MAC == m || o.server.MAC == m) && t.excused(o, now) {
			t.withdraw(k, o, out)
		}
	})
}
