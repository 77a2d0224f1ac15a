package boot

import (
	"time"

	"github.com/pxescope/pxescope/capture"
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
	if n.strangers.Get(v.Key) == v && x.Outcome == track.Answered {
		v = n.settle(v)
	}
	v.addVLAN(x.VLAN)
	v.Iface = x.Iface
	v.addStep(x)
	switch x.Stage {
	case track.StageDHCP, track.StageProxyDHCP:
		n.dhcp(v, x, out)
	case track.StageUnknown:
	default:
		n.load(v, x, out)
	}
	v.reach(x.Stage)
}

// Expected tells that a client is fetching a file right now: its first packet
// is enough, the exchange itself is reported when it ends.
func (n *Nodes) Expected(e *track.Expectation, now capture.Time, out *track.Out) {
	if e.Server || e.Service != "tftp" {
		return
	}
	if k, ok := n.byAddr[addrKey{anyVLAN, e.Addr}]; ok {
		if v := n.nodes.Get(k); v != nil {
			n.started(v, track.StageTFTP, now, out)
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
	switch x.Op {
	case "DISCOVER":
		n.discover(v, x)
	case "RENEW", "INFORM":
		v.Renewed = v.Renewed || !v.loaded && !l.Kind.Boots()
	}
	if x.Outcome == track.Unanswered {
		switch x.Op {
		case "DISCOVER":
			n.secondStage(v, x, out)
		case "BINL", "BOOT-SERVER":
			if v.wait == waitLoad && l.Kind != track.ClientIPXE {
				n.await(v, waitNothing, 0, 0) // it waits for that answer, not for the load; iPXE goes on without
			}
		}
	}
	if x.Outcome != track.Answered {
		return
	}
	if v.inVain && l.Kind != track.ClientPXE && l.Kind != track.ClientHTTP {
		v.inVain = false
		out.Withdraw(track.Withdrawal{Rule: RuleSecondDHCP, Node: v.endpoint()})
	}
	v.Kind = l.Kind
	switch x.Op {
	case "REQUEST", "RENEW", "BOOTP":
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
			n.started(v, track.StageDHCP, x.Last, out)
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
// a server for the first time, or again after it had loaded something.
func (n *Nodes) discover(v *Node, x *track.Exchange) {
	v.asked = x.Lease
	if k := x.Lease.Kind; k != track.ClientPXE && k != track.ClientHTTP {
		return
	}
	if len(v.Boots) > 0 && !v.loaded {
		return // another try of the same start
	}
	if len(v.Boots) > 0 && v.Boots[len(v.Boots)-1].At == x.First {
		return
	}
	if len(v.Boots) >= maxFiles {
		v.Boots = append(v.Boots[:0], v.Boots[1:]...)
	}
	v.Boots = append(v.Boots, Boot{At: x.First, Frames: x.Frames, Stage: track.StageDHCP})
	v.loaded, v.os, v.loads = false, false, nil
}

// acked counts who was acknowledged where, for wrong-vlan.
func (n *Nodes) acked(v *Node, x *track.Exchange) {
	s := n.vlans[x.VLAN]
	if s == nil {
		s = &vlanSeen{nodes: make(map[Key]bool)}
		n.vlans[x.VLAN] = s
	}
	if len(s.nodes) < maxVLANs && !s.nodes[v.Key] {
		s.nodes[v.Key] = true
		s.acks++
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
	v = n.settle(v)
	n.started(v, x.Stage, x.First, out)
	done := x.Outcome == track.Answered && (x.Complete || x.Op == "CONNECT" && x.Bytes > 0 || x.Op == "NFS")
	if !done {
		return
	}
	v.loaded = true
	if x.Op != "RRQ" {
		return
	}
	l := load{file: x.Subject, at: x.Last, server: x.Server, frames: x.Frames}
	if len(v.loads) >= maxFiles {
		v.loads = append(v.loads[:0], v.loads[1:]...)
	}
	v.loads = append(v.loads, l)
	n.looped(v, out)
	n.uefiOverTFTP(v, x, out)
	if fits, known := dhcp.LoaderFits(v.Arch, x.Subject); known && !fits && v.Lease != nil && x.Subject == v.Lease.File {
		v.loader = l
		n.wrongLoader(v, false, x.Last, out)
		n.await(v, waitNext, x.Last, nextStage)
	}
}

// started withdraws what was said for want of a next step.
func (n *Nodes) started(v *Node, s track.Stage, at capture.Time, out *track.Out) {
	switch {
	case v.wait == waitNext && at > v.loader.at && s >= track.StageDHCP:
		n.await(v, waitNothing, 0, 0)
		out.Withdraw(track.Withdrawal{Rule: RuleWrongLoader, Node: v.endpoint(), Server: v.loader.server, Subject: v.loader.file})
	case v.wait == waitLoad && s > track.StageProxyDHCP:
		n.await(v, waitNothing, 0, 0)
	}
	if s > track.StageProxyDHCP && !v.loading {
		v.loading = true
		if v.Lease != nil {
			out.Withdraw(track.Withdrawal{Rule: RuleNoLoad, Node: v.endpoint(), Server: n.leaseServer(v)})
		}
	}
}

func (n *Nodes) overdue(v *Node, at capture.Time, out *track.Out) {
	w := v.wait
	v.wait = waitNothing
	switch w {
	case waitLoad:
		if !v.loading {
			n.noLoad(v, at, out)
		}
	case waitNext:
		n.wrongLoader(v, true, at, out)
	}
}

// Finish judges what only the end of the capture can show.
func (n *Nodes) Finish(end capture.Time, out *track.Out) {
	n.Expire(end, out)
	n.Each(func(v *Node) {
		n.rebooted(v, out)
		n.wrongVLAN(v, end, out)
	})
}
