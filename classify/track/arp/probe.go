package arp

import (
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A probe is a machine that asks, without an address of its own, whether an
// address is free (RFC 5227 section 2.1).
type probe struct {
	mac   wire.MAC
	at    capture.Time
	frame capture.FrameID
}

// A prober counts the addresses that one machine probes.
type prober struct {
	since   capture.Time
	targets int
	target  wire.Addr // the last one
}

const (
	// probeWindow is how long a reply counts as one to the probe: ANNOUNCE_WAIT
	// of RFC 5227 section 1.1.
	probeWindow = 2 * time.Second
	// scannedAddresses probed by one machine within arp_conflict make it a
	// scanner; a client whose addresses are taken comes to two or three.
	scannedAddresses = 4
)

// probed remembers a probe. Only broadcasts are probes: a switch that tracks
// its hosts asks each of them alone with sender 0.0.0.0, and all of them
// answer, as they should.
func (t *tracker) probed(f *wire.Frame, seg segment) {
	if !f.HasDstMAC || f.DstMAC != wire.Broadcast || f.ARP.Target.IsZero() {
		return
	}
	m := t.probers.At(f.ARP.SenderMAC)
	if f.Time.Sub(m.since) > t.conflict {
		*m = prober{since: f.Time}
	}
	if f.ARP.Target != m.target {
		m.target = f.ARP.Target
		m.targets++
	}
	seg.iface = uint16(f.Iface)
	k := ownerKey{f.ARP.Target, seg}
	p := t.probes.At(k)
	*p = probe{f.ARP.SenderMAC, f.Time, f.ID}
}

// probeAnswered reports a machine that answers the probe of another for the
// address it claims in f.
func (t *tracker) probeAnswered(k ownerKey, f *wire.Frame, out *track.Out) {
	p := t.probes.Get(k)
	if p == nil || f.ARP.Op != opReply || f.ARP.TargetMAC != p.mac || f.ARP.SenderMAC == p.mac ||
		f.Time.Sub(p.at) > probeWindow {
		return
	}
	if m := t.probers.Get(p.mac); m == nil || m.targets >= scannedAddresses {
		return
	}
	o := t.owners.Get(k)
	if o == nil || o.found {
		return
	}
	seen := *o // reported as found by the probe, or left as it was
	seen.probe, seen.first, seen.iface = true, p.at, f.Iface
	seen.node = finding.Endpoint{MAC: p.mac, Addr: k.addr}
	seen.server = finding.Endpoint{MAC: f.ARP.SenderMAC, Addr: k.addr}
	seen.kept = 0
	seen.keep(p.frame)
	seen.keep(f.ID)
	if t.report(k, &seen, f.Time, out); seen.found {
		*o = seen
	}
}
