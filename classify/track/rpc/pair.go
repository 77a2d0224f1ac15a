package rpc

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

type pairKey struct{ client, server wire.Addr }

func hashPair(seed uint64, k pairKey) uint64 {
	return wire.MixAddr(wire.MixAddr(seed, &k.client), &k.server)
}

// A pair is a client and a server, and how they get on. Sessions, streams and
// calls point to it, so it lives as long as one of them.
type pair struct {
	key            pairKey
	client, server finding.Endpoint
	vlan           uint16
	iface          int
	machine        string    // the client's name of itself, from AUTH_SYS
	stray          wire.Addr // another address that the server answered from
	dropsStray     bool      // and the client did not take it

	portmap, mount silence
	nfs            watch
	open           int             // refusals that a success may take back
	asked          bool            // the client called portmap or mountd
	lowDenied      bool            // refused from a privileged port too
	highServed     bool            // a MOUNT from an unprivileged port was accepted
	shown          [2]bool         // an answer of NLM, NSM was reported
	served         [3]capture.Time // last success of the programs of needed

	armed capture.Time // the deadline that is set
}

// pairOf is the pair of a call, a SYN: from client to server.
func (t *tracker) pairOf(f *wire.Frame) *pair {
	k := pairKey{f.Src, f.Dst}
	if p := t.pairs.Get(k); p != nil {
		return *p
	}
	p := &pair{
		key: k, client: finding.Endpoint{MAC: f.SrcMAC, Addr: f.Src}, server: finding.Endpoint{Addr: f.Dst},
		vlan: f.VLAN(), iface: f.Iface, armed: track.Never,
	}
	if f.HasDstMAC && !f.DstMAC.IsGroup() {
		p.server.MAC = f.DstMAC
	}
	*t.pairs.Put(k) = p
	return p
}

// named keeps the client's machine name; most calls repeat it.
func (p *pair) named(machine []byte) {
	if string(machine) != p.machine {
		p.machine = string(machine)
	}
}

// arm makes Expire come to p at the latest at that time.
func (t *tracker) arm(p *pair, at capture.Time) {
	if at < p.armed {
		p.armed = at
		t.pairs.SetDeadline(p.key, at)
	}
}

// judge looks at everything of p that silence could have decided by now.
func (t *tracker) judge(p *pair, now capture.Time, final bool, out *track.Out) {
	t.judgeSilence(p, &p.portmap, now, final, out)
	t.judgeSilence(p, &p.mount, now, final, out)
	t.judgeNFS(p, now, out)
}

// finding begins a finding about p. The server's address is in the subject,
// because servers behind a router share its MAC.
func (p *pair) finding(r *finding.Rule, subject string) finding.Finding {
	f := finding.Finding{
		Rule: r, Subject: p.key.server.String(), Severity: r.Severity, Confidence: r.Confidence,
		Node: p.client, Server: p.server, VLAN: p.vlan, Iface: p.iface,
	}
	if subject != "" {
		f.Subject += " " + subject
	}
	return f
}

// facts are what is worth knowing of the pair in every finding.
func (p *pair) facts(list []finding.Fact) []finding.Fact {
	if p.machine != "" {
		list = append(list, finding.Fact{Key: "machine", Value: p.machine})
	}
	if p.stray != (wire.Addr{}) {
		list = append(list, finding.Fact{Key: "reply_from", Value: p.stray.String()})
	}
	return list
}

func withdraw(f *finding.Finding, out *track.Out) {
	out.Withdraw(track.Withdrawal{Rule: f.Rule, Node: f.Node, Server: f.Server, Subject: f.Subject})
}
