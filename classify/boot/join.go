package boot

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/dhcp"
)

// nextStage is how long after a complete transfer the next stage is awaited
// before a loader that does not suit the machine is an error (FM-16).
const nextStage = 60 * time.Second

// Exchange joins x to its node's boot.
func (n *Nodes) Exchange(x *track.Exchange, out *track.Out) {
	if x.Outcome == track.Answered && !x.Server.Addr.IsZero() && x.Stage != track.StageUnknown && len(n.servers) < maxNames {
		n.servers[x.Server.Addr] = true
	}
	if x.Op == "ARP" {
		n.arp(x, out)
		return
	}
	v := n.identify(x)
	if v == nil {
		return
	}
	v = n.settle(v, x)
	n.changed(v)
	v.addVLAN(x.VLAN)
	v.Iface = x.Iface
	v.addStep(x)
	switch x.Stage {
	case track.StageDHCP, track.StageProxyDHCP:
		n.dhcp(v, x, out)
	case track.StageUnknown: // whatever it is, the node does not wait for its user
		n.busy(v, out)
	default:
		n.load(v, x, out)
	}
	v.reach(x.Stage)
	if v.looping {
		n.rebooted(v, out)
	}
}

// Expected tells that a client is fetching a file right now: its first packet
// is enough, the exchange itself is reported when it ends.
func (n *Nodes) Expected(e *track.Expectation, now capture.Time, out *track.Out) {
	if e.Server || e.Service != "tftp" {
		return
	}
	if k, ok := n.byAddr[addrKey{anyVLAN, e.Addr}]; ok {
		if v := n.Get(k); v != nil && v.rank > stranger {
			n.changed(v)
			n.busy(v, out)
			n.progress(v, now, out)
			v.reach(track.StageTFTP)
		}
	}
}

func (n *Nodes) dhcp(v *Node, x *track.Exchange, out *track.Out) {
	l := x.Lease
	if l == nil {
		return
	}
	if l.Arch >= 0 {
		v.Arch = l.Arch
	}
	if l.Hostname != "" {
		v.Hostname = l.Hostname
	}
	v.Kind = l.Kind
	if v.asked == nil {
		v.asked = l
	}
	switch x.Op {
	case "DISCOVER":
		n.discover(v, x, out)
	case "RENEW", "INFORM":
		v.Renewed = v.Renewed || !v.loaded && !l.Kind.Boots()
	}
	switch {
	case x.Op == "DISCOVER" && x.Outcome == track.Unanswered:
		n.secondStage(v, x, out)
	case (x.Op == "BINL" || x.Op == "BOOT-SERVER") && (x.Outcome == track.Unanswered || x.Outcome == track.Refused):
		if v.wait == waitLoad && l.Kind != track.ClientIPXE {
			n.await(v, waitNothing, 0, 0) // it waits for that answer, not for the load; iPXE goes on without
		}
	}
	if x.Outcome != track.Answered {
		return
	}
	if v.inVain && l.Kind != track.ClientPXE && l.Kind != track.ClientHTTP {
		v.inVain = false
		out.Withdraw(track.Withdrawal{Rule: RuleSecondDHCP, Node: v.endpoint()})
	}
	n.served(x)
	switch x.Op {
	case "REQUEST", "RENEW", "BOOTP":
		v.given = l
		if v.addAddr(l.Addr) || !l.Addr.IsZero() {
			n.learn(x.VLAN, l.Addr, v.Key)
		}
		n.acked(v, x)
		n.chained(v, l.Kind)
		if v.loaded && l.Kind == track.ClientOther {
			v.os = true
			if len(v.Boots) > 0 {
				v.Boots[len(v.Boots)-1].System = true
			}
			n.progress(v, x.Last, out)
		}
	}
	if l.BootInfo && l.Kind.Boots() && (x.Op == "REQUEST" || x.Op == "BOOTP" || x.Op == "BINL" || x.Op == "BOOT-SERVER") {
		v.Lease = l
		v.loading = false
		v.ackAt, v.ackFrames = x.Last, x.Frames
		n.await(v, waitLoad, x.Last, n.site.Thresholds.LoadGrace)
	}
}

// discover notices a firmware start: a PXE or HTTP boot client that looks for
// a server for the first time, or again after it had loaded something. Firmware
// that loads by PXE and then tries HTTP has not started again.
func (n *Nodes) discover(v *Node, x *track.Exchange, out *track.Out) {
	v.asked = x.Lease
	k := x.Lease.Kind
	if k != track.ClientPXE && k != track.ClientHTTP {
		return
	}
	fresh := true
	if len(v.Boots) > 0 {
		b := &v.Boots[len(v.Boots)-1]
		if b.At == x.First {
			return // reported again
		}
		bit := uint8(1) << k
		fresh = v.loaded && b.kinds&bit != 0
		b.kinds |= bit
		if !v.loaded {
			return // another try of the same start
		}
	}
	if v.wait == waitNext { // the loader led back to the firmware
		n.await(v, waitNothing, 0, 0)
		v.ledBack = v.loader.file
		n.wrongLoader(v, ledBack, x.First, out)
	}
	v.loaded, v.os, v.loader, v.blamed = false, false, load{}, false
	if !fresh {
		return
	}
	if len(v.Boots) >= maxFiles {
		v.Boots = append(v.Boots[:0], v.Boots[1:]...)
	}
	v.Boots = append(v.Boots, Boot{At: x.First, Frames: x.Frames, Stage: track.StageDHCP, kinds: 1 << k})
	v.starts++
	n.rebooted(v, out)
}

// served notes that a server answers in a VLAN, for wrong-vlan.
func (n *Nodes) served(x *track.Exchange) {
	if n.vlans[x.VLAN] == nil {
		n.vlans[x.VLAN] = &vlanSeen{nodes: make(map[Key]bool)}
	}
}

// acked counts who was acknowledged where.
func (n *Nodes) acked(v *Node, x *track.Exchange) {
	if s := n.vlans[x.VLAN]; len(s.nodes) < maxServed {
		s.nodes[v.Key] = true
	}
}

// chained marks the loads before an iPXE-class exchange, for the loop rule.
func (n *Nodes) chained(v *Node, k track.ClientKind) {
	if k != track.ClientIPXE {
		return
	}
	for i := range v.loads {
		v.loads[i].ipxe = true
	}
}

// load is any exchange after DHCP.
func (n *Nodes) load(v *Node, x *track.Exchange, out *track.Out) {
	n.busy(v, out)
	if x.Op != "RRQ" || x.Subject != v.loader.file {
		n.progress(v, x.First, out)
	}
	done := x.Outcome == track.Answered && (x.Complete && x.Op != "WRQ" || x.Op == "CONNECT" && x.Bytes > 0 || x.Op == "NFS")
	if !done {
		return
	}
	v.loaded = true
	if x.Op != "RRQ" {
		return
	}
	l := load{file: x.Subject, at: x.Last, server: x.Server, frames: x.Frames, start: v.starts}
	if len(v.loads) >= maxFiles {
		v.loads = append(v.loads[:0], v.loads[1:]...)
	}
	v.loads = append(v.loads, l)
	n.looped(v, out)
	n.uefiOverTFTP(v, x, out)
	if fits, known := dhcp.LoaderFits(v.Arch, x.Subject); known && !fits && v.Lease != nil && x.Subject == v.Lease.File {
		v.loader = l
		end := ""
		if v.ledBack == x.Subject {
			end = ledBack // once more
		}
		n.wrongLoader(v, end, x.Last, out)
		n.await(v, waitNext, x.Last, nextStage)
	}
}

// ledBack is how the run of a loader ends that the firmware cannot start.
const ledBack = "the firmware started again after it"

// busy ends the wait for a load: the node does something.
func (n *Nodes) busy(v *Node, out *track.Out) {
	if v.wait == waitLoad {
		n.await(v, waitNothing, 0, 0)
	}
	v.loading = true
	if v.Lease != nil && v.noLoad.Addr == v.Lease.Server && !v.noLoad.IsZero() {
		out.Withdraw(track.Withdrawal{Rule: RuleNoLoad, Node: v.endpoint(), Server: v.noLoad})
		v.noLoad = finding.Endpoint{}
	}
}

// progress takes back what was said of a loader: the boot goes on after it.
func (n *Nodes) progress(v *Node, at capture.Time, out *track.Out) {
	if !v.blamed || at <= v.loader.at {
		return
	}
	if v.wait == waitNext {
		n.await(v, waitNothing, 0, 0)
	}
	v.blamed, v.ledBack = false, ""
	out.Withdraw(track.Withdrawal{Rule: RuleWrongLoader, Node: v.endpoint(), Server: v.loader.server, Subject: v.loader.file})
}

func (n *Nodes) overdue(v *Node, at capture.Time, out *track.Out) {
	n.changed(v)
	w := v.wait
	v.wait = waitNothing
	switch w {
	case waitLoad:
		if !v.loading {
			n.noLoad(v, at, out)
		}
	case waitNext:
		n.wrongLoader(v, fmt.Sprintf("nothing followed for %v", at.Sub(v.loader.at)), at, out)
	}
}

// Review judges, while a capture goes on, what Finish would judge now. What it
// says is the same for any number of calls.
func (n *Nodes) Review(out *track.Out) {
	n.Each(func(v *Node) { n.wrongVLAN(v, v.last(), out) })
}

// Finish judges what only the end of the capture can show.
func (n *Nodes) Finish(end capture.Time, out *track.Out) {
	n.Expire(end, out)
	n.Each(func(v *Node) {
		n.rebooted(v, out)
		n.wrongVLAN(v, end, out)
	})
}
