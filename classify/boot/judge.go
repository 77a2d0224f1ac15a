package boot

import (
	"fmt"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/dhcp"
	"github.com/pxescope/pxescope/classify/wire"
)

func (n *Nodes) leaseServer(v *Node) finding.Endpoint {
	return finding.Endpoint{MAC: v.Lease.ServerMAC, Addr: v.Lease.Server}
}

func (n *Nodes) noLoad(v *Node, at capture.Time, out *track.Out) {
	l := v.Lease
	v.noLoad = n.leaseServer(v)
	out.Find(finding.Finding{
		Rule: RuleNoLoad, Severity: RuleNoLoad.Severity, Confidence: RuleNoLoad.Confidence,
		Node: v.endpoint(), Server: v.noLoad, VLAN: v.lastVLAN(), Iface: v.Iface,
		Summary: fmt.Sprintf("%s acknowledged %s with boot file %q; no TFTP, HTTP or NFS followed within %v",
			l.Server, l.Addr, l.File, at.Sub(v.ackAt)),
		Facts:  append(leaseFacts(l), finding.Fact{Key: "architecture", Value: dhcp.ArchName(v.Arch)}),
		Frames: slices.Clone(v.ackFrames), First: v.ackAt, Last: at,
	})
}

func leaseFacts(l *track.Lease) []finding.Fact {
	var from []string
	for _, a := range l.BootServers {
		from = append(from, a.String())
	}
	return []finding.Fact{
		{Key: "boot_file", Value: l.File}, {Key: "boot_servers", Value: from}, {Key: "siaddr", Value: l.NextServer.String()},
		{Key: "server_name", Value: l.ServerName}, {Key: "server_id", Value: l.Server.String()}, {Key: "address", Value: l.Addr.String()},
	}
}

// wrongLoader reports a loader that does not suit its machine. end says how its
// run ended, empty as long as that is not known.
func (n *Nodes) wrongLoader(v *Node, end string, at capture.Time, out *track.Out) {
	v.blamed = true
	f := finding.Finding{
		Rule: RuleWrongLoader, Severity: finding.Warning, Confidence: finding.Possible, Subject: v.loader.file,
		Node: v.endpoint(), Server: v.loader.server, VLAN: v.lastVLAN(), Iface: v.Iface,
		Summary: fmt.Sprintf("%q does not suit %s", v.loader.file, dhcp.ArchName(v.Arch)),
		Facts: []finding.Fact{{Key: "file", Value: v.loader.file}, {Key: "architecture", Value: dhcp.ArchName(v.Arch)},
			{Key: "nothing_followed", Value: end != ""}},
		Frames: slices.Clone(v.loader.frames), First: v.loader.at, Last: at,
	}
	if end != "" {
		f.Severity, f.Confidence = finding.Error, finding.Likely
		f.Summary += "; it was loaded completely and " + end
	}
	out.Find(f)
}

// loopGap is the longest time between two loads of a loader that loads itself
// without an iPXE class that would tell (FM-17).
const loopGap = 60 * time.Second

// looped looks for a loader that was loaded again by itself: in one start with
// iPXE's DHCP between, or three times in a row with nothing else loaded.
func (n *Nodes) looped(v *Node, out *track.Out) {
	last := v.loads[len(v.loads)-1]
	if !isLoader(v, last.file) {
		return
	}
	var same []load
	chained := 0
	for _, l := range v.loads {
		if l.file != last.file || l.start != last.start {
			continue
		}
		if len(same) > 0 && same[len(same)-1].ipxe {
			chained++
		}
		same = append(same, l)
	}
	run := v.loads[len(v.loads)-1:]
	for i := len(v.loads) - 2; i >= 0 && v.loads[i].file == last.file && v.loads[i+1].at.Sub(v.loads[i].at) < loopGap; i-- {
		run = v.loads[i:]
	}
	if chained < 1 {
		if len(run) < 3 {
			return
		}
		same = run
	}
	var frames []capture.FrameID
	for _, l := range same {
		frames = finding.AppendFrame(frames, l.frames[0])
	}
	out.Find(finding.Finding{
		Rule: RuleChainloadLoop, Severity: RuleChainloadLoop.Severity, Confidence: RuleChainloadLoop.Confidence, Subject: last.file,
		Node: v.endpoint(), Server: last.server, VLAN: v.lastVLAN(), Iface: v.Iface,
		Summary: fmt.Sprintf("%q was loaded %d times, each time by itself", last.file, len(same)),
		Facts:   []finding.Fact{{Key: "file", Value: last.file}, {Key: "loads", Value: len(same)}, {Key: "ipxe_dhcp_between", Value: chained}},
		Frames:  frames, First: same[0].at, Last: last.at,
	})
}

// isLoader tells the file that DHCP named from those that a loader fetches of
// its own accord: a menu that is read again is no loop.
func isLoader(v *Node, file string) bool {
	if v.Lease != nil && v.Lease.File == file {
		return true
	}
	return v.asked != nil && len(v.loads) > 0 && v.loads[0].file == file
}

func (n *Nodes) uefiOverTFTP(v *Node, x *track.Exchange, out *track.Out) {
	if !dhcp.ArchUEFI(v.Arch) || dhcp.ArchHTTP(v.Arch) {
		return
	}
	out.Find(finding.Finding{
		Rule: RuleUEFIOverTFTP, Severity: RuleUEFIOverTFTP.Severity, Confidence: RuleUEFIOverTFTP.Confidence,
		Node: v.endpoint(), Server: x.Server, VLAN: x.VLAN, Iface: x.Iface,
		Summary: fmt.Sprintf("%s loads %q over TFTP", dhcp.ArchName(v.Arch), x.Subject),
		Facts:   []finding.Fact{{Key: "architecture", Value: dhcp.ArchName(v.Arch)}, {Key: "file", Value: x.Subject}},
		Frames:  slices.Clone(x.Frames), First: x.First, Last: x.Last,
	})
}

// secondStage is for DISCOVERs that stay unanswered after the firmware's were
// answered and something was loaded.
func (n *Nodes) secondStage(v *Node, x *track.Exchange, out *track.Out) {
	k := x.Lease.Kind
	if !v.loaded || k == track.ClientPXE || k == track.ClientHTTP || k == track.ClientProbe {
		return
	}
	var last load
	if len(v.loads) > 0 {
		last = v.loads[len(v.loads)-1]
	}
	v.inVain = true
	f := finding.Finding{
		Rule: RuleSecondDHCP, Severity: n.searchSeverity(x), Confidence: RuleSecondDHCP.Confidence,
		Node: v.endpoint(), VLAN: x.VLAN, Iface: x.Iface,
		Summary: fmt.Sprintf("the firmware's DHCP worked, then %s of the next stage (%s) got no answer", discovers(x.Overdue), k),
		Facts:   []finding.Fact{{Key: "stage", Value: k.String()}, {Key: "discovers", Value: x.Overdue}},
		Frames:  slices.Clone(x.Frames), First: x.First, Last: x.Last,
	}
	if last.file != "" {
		f.Facts = append(f.Facts, finding.Fact{Key: "last_file", Value: last.file},
			finding.Fact{Key: "seconds_after_last_file", Value: x.First.Sub(last.at).Seconds()})
	}
	if v.Lease != nil {
		f.Facts = append(f.Facts, finding.Fact{Key: "firmware_server", Value: v.Lease.Server.String()})
	}
	out.Find(f)
}

// searchSeverity weighs a search without an answer as dhcp-no-offer does: a
// single DISCOVER may have been lost while the link came up.
func (n *Nodes) searchSeverity(x *track.Exchange) finding.Severity {
	t := &n.site.Thresholds
	switch {
	case x.Overdue >= t.DiscoverError, x.Overdue > 2 && x.Last.Sub(x.First) >= t.DiscoverSpan:
		return finding.Error
	case x.Overdue >= t.DiscoverWarning:
		return finding.Warning
	}
	return finding.Note
}

// arp judges an unanswered ARP request: it matters when the lease made the
// node depend on the target.
func (n *Nodes) arp(x *track.Exchange, out *track.Out) {
	k, ok := n.Resolve(x.Client, x.VLAN)
	if !ok {
		return
	}
	v := n.Get(k)
	n.changed(v)
	v.addStep(x)
	v.reach(track.StageDHCP)
	target := finding.Endpoint{Addr: x.Server.Addr}
	if x.Outcome == track.Answered {
		out.Withdraw(track.Withdrawal{Rule: RuleARPNoAnswer, Node: v.endpoint(), Server: target, Subject: target.Addr.String()})
		return
	}
	role, l := arpRole(v, target.Addr)
	if x.Outcome != track.Unanswered || role == "" {
		return
	}
	out.Find(finding.Finding{
		Rule: RuleARPNoAnswer, Severity: RuleARPNoAnswer.Severity, Confidence: RuleARPNoAnswer.Confidence,
		Subject: target.Addr.String(), Node: v.endpoint(), Server: target, VLAN: x.VLAN, Iface: x.Iface,
		Summary: fmt.Sprintf("%d ARP requests for %s (%s), no reply", x.Tries, target.Addr, role),
		Facts: append([]finding.Fact{{Key: "target", Value: target.Addr.String()}, {Key: "role", Value: role}, {Key: "requests", Value: x.Tries}},
			arpFacts(l)...),
		Frames: slices.Clone(x.Frames), First: x.First, Last: x.Last,
	})
}

// Roles of an address in a lease.
const (
	roleRouter = "router"
	roleBoot   = "boot server"
	roleDNS    = "DNS server"
	roleDHCP   = "DHCP server"
)

// arpRole is what an address is to a node, by the last lease that names it.
func arpRole(v *Node, a wire.Addr) (string, *track.Lease) {
	for _, l := range [...]*track.Lease{v.Lease, v.given} {
		switch {
		case l == nil:
		case slices.Contains(l.Routers, a):
			return roleRouter, l
		case a == l.NextServer || slices.Contains(l.BootServers, a):
			return roleBoot, l
		case slices.Contains(l.DNS, a):
			return roleDNS, l
		case a == l.Server:
			return roleDHCP, l
		}
	}
	return "", nil
}

func arpFacts(l *track.Lease) []finding.Fact {
	var r []string
	for _, a := range l.Routers {
		r = append(r, a.String())
	}
	return []finding.Fact{{Key: "address", Value: l.Addr.String()}, {Key: "netmask", Value: l.Mask.String()}, {Key: "routers", Value: r}}
}

func discovers(n int) string {
	if n == 1 {
		return "1 DISCOVER"
	}
	return fmt.Sprintf("%d DISCOVERs", n)
}

// rebooted reports a loop of firmware starts, and takes it back when the
// machine gets further.
func (n *Nodes) rebooted(v *Node, out *track.Out) {
	f, ok := n.rebootLoop(v)
	switch {
	case ok:
		out.Find(f)
	case v.looping:
		out.Withdraw(track.Withdrawal{Rule: RuleRebootLoop, Node: v.endpoint()})
	}
	v.looping = ok
}

func (n *Nodes) rebootLoop(v *Node) (f finding.Finding, ok bool) {
	t := &n.site.Thresholds
	if v.os || len(v.Boots) < t.RebootCount {
		return f, false
	}
	b := v.Boots[len(v.Boots)-t.RebootCount:]
	last := len(b) - 1
	if b[last].At.Sub(b[0].At) > t.RebootWindow {
		return f, false
	}
	var frames []capture.FrameID
	for i := range b {
		// The last boot may still be on its way.
		if i < last && b[i].Stage != b[0].Stage || b[i].Stage > b[0].Stage || b[i].Stage >= track.StageMetadata || b[i].System {
			return f, false
		}
		if len(b[i].Frames) > 0 {
			frames = finding.AppendFrame(frames, b[i].Frames[0])
		}
	}
	f = finding.Finding{
		Rule: RuleRebootLoop, Severity: RuleRebootLoop.Severity, Confidence: RuleRebootLoop.Confidence,
		Node: v.endpoint(), VLAN: v.lastVLAN(), Iface: v.Iface,
		Summary: fmt.Sprintf("%d firmware starts within %v, none got past %s", len(b), b[last].At.Sub(b[0].At).Round(time.Second), b[0].Stage),
		Facts:   []finding.Fact{{Key: "starts", Value: v.starts}, {Key: "furthest", Value: b[0].Stage.String()}},
		Frames:  frames, First: b[0].At, Last: b[last].At,
	}
	for i := len(v.Steps) - 1; i >= 0; i-- {
		if s := v.Steps[i]; s.Op == "RRQ" && s.Complete {
			f.Facts = append(f.Facts, finding.Fact{Key: "last_download", Value: s.Subject})
			break
		}
	}
	return f, true
}

// wrongVLAN compares a node that nobody answered with the VLANs where others
// boot, and takes back what it said of a node that was answered since.
func (n *Nodes) wrongVLAN(v *Node, end capture.Time, out *track.Out) {
	f, found := n.misplaced(v, end)
	switch {
	case found:
		v.misplaced = true
		out.Find(f)
	case v.misplaced:
		v.misplaced = false
		out.Withdraw(track.Withdrawal{Rule: RuleWrongVLAN, Node: v.endpoint()})
	}
}

func (n *Nodes) misplaced(v *Node, end capture.Time) (f finding.Finding, found bool) {
	if len(v.VLANs) != 1 || len(v.Steps) == 0 {
		return f, false
	}
	mine := v.VLANs[0]
	if n.vlans[mine] != nil {
		return f, false
	}
	var asked *track.Exchange
	for _, s := range v.Steps {
		if s.Outcome == track.Answered {
			return f, false
		}
		if s.Op == "DISCOVER" && s.Outcome == track.Unanswered {
			asked = s
		}
	}
	if asked == nil || asked.Overdue < n.site.Thresholds.DiscoverWarning {
		return f, false // one DISCOVER may have been lost
	}
	best, acks := uint16(0), 0
	for id, s := range n.vlans {
		if len(s.nodes) > acks || len(s.nodes) == acks && id < best {
			best, acks = id, len(s.nodes)
		}
	}
	if acks < 2 {
		return f, false
	}
	f = finding.Finding{
		Rule: RuleWrongVLAN, Severity: finding.Warning, Confidence: finding.Likely,
		Node: v.endpoint(), VLAN: mine, Iface: v.Iface,
		Summary: fmt.Sprintf("asks in %s only, where nobody was served; %d nodes were served in %s", vlanName(mine), acks, vlanName(best)),
		Facts:   []finding.Fact{{Key: "vlan", Value: int(mine)}, {Key: "served_vlan", Value: int(best)}, {Key: "served_nodes", Value: acks}},
		Frames:  slices.Clone(asked.Frames), First: asked.First, Last: end,
	}
	if mine == 0 || best == 0 {
		f.Severity, f.Confidence = finding.Note, finding.Possible
	}
	return f, true
}

func vlanName(v uint16) string {
	if v == 0 {
		return "untagged frames"
	}
	return fmt.Sprintf("VLAN %d", v)
}

func (n *Node) lastVLAN() uint16 {
	if len(n.VLANs) == 0 {
		return 0
	}
	return n.VLANs[len(n.VLANs)-1]
}
