// Package arp follows the address resolution of IPv4 (RFC 826) and address
// conflicts (RFC 5227).
//
// The one invariant: an address belongs to a segment. State is keyed by VLAN
// and tunnel too, so that overlapping address plans on a trunk never meet.
package arp

import (
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Service is the service id of ARP exchanges.
const Service = "arp"

// Spec describes the tracker.
var Spec = track.Spec{
	Name:  "arp",
	Rules: []*finding.Rule{RuleDuplicateAddress},
	Kinds: track.ARP,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

// State limits: a broadcast domain of a few thousand machines, and a scan of a
// /20, fit; a larger scan only drops the oldest pairs.
const (
	maxAsks    = 8192
	maxOwners  = 8192
	maxProbers = 1024
	maxProbes  = 1024
)

// ARP operations (RFC 826).
const (
	opRequest = 1
	opReply   = 2
)

// A segment tells apart broadcast domains that one capture shows.
type segment struct {
	vni    uint32
	vlan   uint16
	iface  uint16 // only where it matters that two interfaces may be two networks
	tunnel wire.Tunnel
}

type tracker struct {
	tries    int
	span     time.Duration
	copies   time.Duration
	conflict time.Duration

	asks     *track.Table[askKey, ask]
	owners   *track.Table[ownerKey, owner]
	probers  *track.Table[wire.MAC, prober]
	probes   *track.Table[ownerKey, probe]
	standing int    // findings that were reported and not withdrawn
	evicted  uint64 // asks without an answer that a full table dropped
}

func newTracker(cfg *track.Config) *tracker {
	th := site.DefaultThresholds()
	if cfg != nil && cfg.Site != nil {
		th = cfg.Site.Thresholds
	}
	t := &tracker{tries: th.ARPTries, span: th.ARPSpan, copies: th.Duplicate, conflict: th.ARPConflict}
	t.asks = track.NewTable(maxAsks, func(_ askKey, a *ask) {
		if a.tries > 0 {
			t.evicted++
		}
	})
	t.owners = track.NewTable[ownerKey, owner](maxOwners, nil)
	t.probers = track.NewTable[wire.MAC, prober](maxProbers, nil)
	t.probes = track.NewTable[ownerKey, probe](maxProbes, nil)
	return t
}

// Frame reads an ARP packet.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	a := &f.ARP
	if a.Op != opRequest && a.Op != opReply || f.Copy {
		return false
	}
	seg := segment{vni: f.VNI, vlan: f.VLAN(), tunnel: f.Tunnel}
	switch {
	case a.Op == opReply:
		t.answer(f, seg, out)
	case a.Sender.IsZero():
		t.probed(f, seg)
	case a.Sender != a.Target && !a.Target.IsZero():
		t.asked(f, seg)
	}
	if !a.Sender.IsZero() {
		t.claimed(f, seg, out)
	}
	return true
}

// Deadline is when the next series of requests is due.
func (t *tracker) Deadline() capture.Time { return t.asks.Deadline() }

// Expire reports the series of requests that nobody answered in time.
func (t *tracker) Expire(now capture.Time, out *track.Out) {
	t.asks.Expire(now, func(k askKey, a *ask, deadline capture.Time) { t.overdue(k, a, deadline, out) })
}

// Finish reports what is still being asked.
func (t *tracker) Finish(end capture.Time, out *track.Out) {
	t.asks.Each(func(k askKey, a *ask, _ capture.Time) { t.close(k, a, end, out) })
}

// Count adds nothing: the report has no count of ARP.
func (t *tracker) Count(*track.Counts) {}

// Evicted is how many unanswered pairs were dropped.
func (t *tracker) Evicted() uint64 { return t.evicted }
