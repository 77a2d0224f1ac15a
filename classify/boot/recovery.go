package boot

import (
	"time"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// lag is how long before the deadline of an absence its last try may have been:
// what begins within it is already the next thing that the node tried.
const lag = 6 * time.Second

// recovered reports whether the node went on after f: a stage further, or in the
// same stage with the same thing, or a new one. What it had done before and
// does again, in another round of a loop, is no recovery.
func (n *Node) recovered(f *finding.Finding) bool {
	if f.Rule.Rank >= finding.RankBackground {
		return n.delivered()
	}
	if f.Rule == RuleRebootLoop {
		return false // taken back when it gets further
	}
	failed := n.stepOf(f)
	stage := stopsAt(f, failed)
	for i, s := range n.Steps {
		if !good(s) || s.Stage < stage || !after(s, f) {
			continue
		}
		if f.Rule.Rank == finding.RankRogue && f.Rule.ID != "dhcp-nak" && s.Server.Addr == f.Server.Addr {
			continue // what an uninvited server gives is no success
		}
		// A later stage may start over: only what is new tells that it got on.
		again := f.Rule.Rank == finding.RankLoop || f.Rule.Rank == finding.RankSecondDHCP
		switch {
		case s.Stage > stage:
			if !again || n.isNew(i) {
				return true
			}
		case stage == track.StageDHCP:
			if n.served(s, f) {
				return true
			}
		case stage == track.StageProxyDHCP:
			if f.Rule.Rank == finding.RankProxy {
				return true
			}
		case failed != nil && failed.Stage == stage && s.Op != failed.Op:
		case failed != nil && failed.Stage == stage && s.Subject == failed.Subject && !again, n.isNew(i):
			return true
		}
	}
	return false
}

// stopsAt is the stage that f keeps a node from passing.
func stopsAt(f *finding.Finding, failed *track.Exchange) track.Stage {
	switch {
	case f.Rule == RuleNoLoad, f.Rule == RuleARPNoAnswer:
		return track.StageProxyDHCP // another lease is no success: a load is
	case f.Rule.Rank <= finding.RankRequest, f.Rule.Rank == finding.RankSecondDHCP:
		return track.StageDHCP
	case f.Rule.Rank <= finding.RankProxy:
		return track.StageProxyDHCP
	case failed != nil && failed.Stage > track.StageProxyDHCP && f.Rule.Rank != finding.RankLoop:
		return failed.Stage
	case f.Rule.Rank <= finding.RankLoop:
		return track.StageTFTP
	case f.Rule.Rank <= finding.RankRoot:
		return track.StageMount
	}
	return track.StageMetadata
}

// good reports whether a step gave the node what it asked for.
func good(s *track.Exchange) bool {
	switch s.Op {
	case "ARP", "DISCOVER", "INFORM":
		return false
	case "RRQ":
		return s.Outcome == track.Answered && s.Complete
	}
	return s.Outcome == track.Answered
}

// after reports whether the node did s after what f is about.
func after(s *track.Exchange, f *finding.Finding) bool {
	if s.Op == "CONNECT" && s.First <= f.First {
		return false // the connection that the finding is about goes on, and gets nowhere
	}
	return s.Last > f.Last || f.Rule.Absence && f.Rule.Rank >= finding.RankLoad && s.First > max(f.First, f.Last.Add(-lag))
}

// served reports whether a lease ends what f, a finding about getting one, says:
// one with boot information where that was wanted, and of a later stage where
// a later stage failed.
func (n *Node) served(s *track.Exchange, f *finding.Finding) bool {
	if s.Lease == nil || s.Op != "REQUEST" && s.Op != "RENEW" && s.Op != "BOOTP" {
		return false
	}
	k := s.Lease.Kind
	switch {
	case f.Rule.Rank == finding.RankSecondDHCP:
		return k != track.ClientPXE && k != track.ClientHTTP
	case n.wantedBoot(f):
		return k.Boots() && s.Lease.BootInfo
	}
	return true
}

// wantedBoot reports whether the search that f is about was of a client that
// boots: most findings about DHCP have its kind as their subject.
func (n *Node) wantedBoot(f *finding.Finding) bool {
	for _, k := range []track.ClientKind{track.ClientOther, track.ClientBOOTP} {
		if f.Subject == k.String() {
			return false
		}
	}
	for _, k := range []track.ClientKind{track.ClientPXE, track.ClientHTTP, track.ClientIPXE} {
		if f.Subject == k.String() {
			return true
		}
	}
	return n.asked != nil && n.asked.Kind.Boots()
}

// isNew reports whether the node had not got before what its i-th step gave it.
func (n *Node) isNew(i int) bool {
	s := n.Steps[i]
	for _, p := range n.Steps[:i] {
		if p.Op == s.Op && p.Subject == s.Subject && p.Server.Addr == s.Server.Addr && good(p) {
			return false
		}
	}
	return true
}
