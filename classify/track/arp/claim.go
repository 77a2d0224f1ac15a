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
	seg.iface = uint16(f.Iface)
	k := ownerKey{f.ARP.Sender, seg}
	o := t.owners.Get(k)
	if o == nil {
		o = t.owners.Put(k)
	}
	switch m {
	case o.has.mac:
		t.turn(k, o, &o.has, &o.other, f, out)
	case o.other.mac:
		t.turn(k, o, &o.other, &o.has, f, out)
	default:
		if !o.add(claim{m, f.Time, f.ID}, t.conflict) {
			return // a third one; two are enough to follow
		}
		if t.standing > 0 && t.isProxy(m, f.Time) {
			t.acquit(m, out)
		}
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
func (t *tracker) turn(k ownerKey, w *owner, c, o *claim, f *wire.Frame, out *track.Out) {
	if f.Time.Sub(c.last) <= t.copies {
		return // a copy, or one answer to several questions
	}
	alternates := !o.mac.IsZero() && o.last >= c.last && f.Time.Sub(o.last) <= t.conflict && o.last.Sub(c.last) <= t.conflict
	if !alternates {
		c.last, c.frame = f.Time, f.ID
		return
	}
	if f.ARP.Sender == f.ARP.Target {
		w.has, w.other = claim{c.mac, f.Time, f.ID}, claim{}
		return
	}
	if w.kept == 0 {
		w.first = c.last
		w.keep(c.frame)
		w.keep(o.frame)
	}
	w.turns++
	w.keep(f.ID)
	c.last, c.frame = f.Time, f.ID
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
	if sameCard(a, b) || t.isProxy(a, now) || t.isProxy(b, now) || t.together(a, b, out) {
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

// acquit takes back what was found of a machine that turns out to be a router
// with proxy ARP.
func (t *tracker) acquit(m wire.MAC, out *track.Out) {
	t.owners.Each(func(k ownerKey, o *owner, _ capture.Time) {
		if o.found && (o.node.MAC == m || o.server.MAC == m) {
			t.withdraw(k, o, out)
		}
	})
}
