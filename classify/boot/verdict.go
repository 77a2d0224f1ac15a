package boot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/dhcp"
)

// An Outcome is how a node's boot stands at the end of the capture.
type Outcome string

// Outcomes; their text is the contract of the report.
const (
	Booted     Outcome = "booted"      // everything that it asked for came
	Stopped    Outcome = "stopped"     // a finding explains why it got no further
	InProgress Outcome = "in-progress" // the capture ended first
	Unknown    Outcome = "unknown"
)

// A Verdict is the conclusion about one node.
type Verdict struct {
	Outcome Outcome
	Root    *finding.Finding // the root cause of a stopped node
	Text    string
	Next    string // the packet that should have come next
}

// Judge concludes on v from its findings, those that passed the quality gates.
func Judge(v *Node, findings []*finding.Finding, end capture.Time, s *site.Site) Verdict {
	root := rootCause(v, findings)
	switch {
	case root != nil:
		return Verdict{Stopped, root, "stopped at " + stageTitle(rootStage(v, root)) + ": " + root.Summary, v.next(root)}
	case v.delivered():
		return Verdict{Outcome: Booted, Text: v.history()}
	case v.open() || end.Sub(v.last()) < s.Thresholds.LoadGrace:
		return Verdict{Outcome: InProgress, Text: "in progress when the capture ended: " + v.history(), Next: v.next(nil)}
	}
	return Verdict{Outcome: Unknown, Text: "no conclusion: " + v.history(), Next: v.next(nil)}
}

// rootCause is the finding of the earliest blocking stage (field catalogue,
// 8.3) that the node did not get over later.
func rootCause(v *Node, findings []*finding.Finding) *finding.Finding {
	var root *finding.Finding
	for _, f := range findings {
		if f.Rule.Rank == 0 || f.Severity < finding.Warning || v.recovered(f) || v.besideTheBoot(f) {
			continue
		}
		if root == nil || worse(f, root) {
			root = f
		}
	}
	return root
}

func worse(a, b *finding.Finding) bool {
	if a.Severity != b.Severity {
		return a.Severity > b.Severity
	}
	if a.Rule.Rank != b.Rule.Rank {
		return a.Rule.Rank < b.Rule.Rank
	}
	return a.First < b.First
}

// besideTheBoot reports whether f is about a connection to a service that is no
// stage of a boot, of a machine that was not seen booting: a file share that a
// running system does not reach stops no boot.
func (n *Node) besideTheBoot(f *finding.Finding) bool {
	if n.loaded || f.Rule.Rank < finding.RankRoot {
		return false
	}
	s := n.stepOf(f)
	if s == nil { // before the machine was known to boot
		return len(n.Steps) > 0 && f.Last < n.Steps[0].First
	}
	return s.Op == "CONNECT" && s.Stage == track.StageUnknown
}

// stepOf is the step that f is about: the one that has the last frame of its
// evidence, or that began with it. ARP counts last.
func (n *Node) stepOf(f *finding.Finding) *track.Exchange {
	var found *track.Exchange
	for i := len(n.Steps) - 1; i >= 0; i-- {
		s := n.Steps[i]
		if s.First != f.First && (len(f.Frames) == 0 || !slices.Contains(s.Frames, f.Frames[len(f.Frames)-1])) {
			continue
		}
		if s.Stage != track.StageUnknown {
			return s
		}
		if found == nil {
			found = s
		}
	}
	return found
}

func rootStage(v *Node, f *finding.Finding) track.Stage {
	if s := v.stepOf(f); s != nil && s.Stage != track.StageUnknown {
		return s.Stage
	}
	if f.Rule.Rank <= finding.RankRequest {
		return track.StageDHCP
	}
	return v.Stage
}

// delivered reports whether the node got what it asked for: a loader or more
// came over, or it runs a system that got its address; and what it asked for
// last is not what it waits for.
func (n *Node) delivered() bool {
	for i := len(n.Steps) - 1; i >= 0; i-- {
		s := n.Steps[i]
		if s.Stage == track.StageUnknown || s.Op == "INFORM" || s.Op == "RRQ" && s.Outcome == track.Refused {
			continue // beside the boot, or a file that may be missing
		}
		if s.Outcome != track.Answered || s.Op == "RRQ" && !s.Complete {
			return false
		}
		if l := s.Lease; l != nil && l.BootInfo && l.Kind.Boots() {
			return false // a loader that was told what to load, and has not begun
		}
		break
	}
	if n.loaded || n.os {
		return true
	}
	return !n.Kind.Boots() && n.Kind != track.ClientBOOTP && n.answered("REQUEST", "RENEW")
}

func (n *Node) answered(ops ...string) bool {
	for _, s := range n.Steps {
		if s.Outcome == track.Answered && slices.Contains(ops, s.Op) {
			return true
		}
	}
	return false
}

func (n *Node) open() bool {
	for _, s := range n.Steps {
		if s.Outcome == track.Open {
			return true
		}
	}
	return false
}

func (n *Node) last() capture.Time {
	var t capture.Time
	for _, s := range n.Steps {
		t = max(t, s.Last)
	}
	return t
}

var stageTitles = [...]string{"an unknown stage", "the link", "DHCP", "proxyDHCP", "TFTP", "HTTP", "the RPC mount", "NFS", "metadata", "the end"}

func stageTitle(s track.Stage) string { return stageTitles[s] }

// history is the boot in one line: the last good step of each stage.
func (n *Node) history() string {
	var parts []string
	var seen [len(stageTitles)]bool
	for _, s := range n.Steps {
		if s.Outcome != track.Answered || s.Op == "ARP" || s.Op == "DISCOVER" || seen[s.Stage] {
			continue
		}
		switch s.Op {
		case "REQUEST", "RENEW", "BOOTP":
			if s.Lease != nil {
				parts = append(parts, fmt.Sprintf("%s from %s", s.Lease.Addr, s.Server.Addr))
			}
		case "RRQ":
			if !s.Complete {
				continue
			}
			parts = append(parts, fmt.Sprintf("%q by TFTP", s.Subject))
		case "CONNECT":
			if s.Stage == track.StageUnknown {
				continue
			}
			parts = append(parts, fmt.Sprintf("%s from %s", strings.ToUpper(s.Service), s.Server.Addr))
		case "MNT":
			parts = append(parts, fmt.Sprintf("mounted %q", s.Subject))
		case "NFS":
			parts = append(parts, fmt.Sprintf("NFS from %s", s.Server.Addr))
		default:
			continue
		}
		seen[s.Stage] = true
	}
	if len(parts) == 0 {
		return n.begun()
	}
	return strings.Join(parts, ", ")
}

// begun is the history of a node that got nothing to the end.
func (n *Node) begun() string {
	for i := len(n.Steps) - 1; i >= 0; i-- {
		s := n.Steps[i]
		switch {
		case s.Op == "WRQ" && s.Complete:
			return fmt.Sprintf("wrote %q by TFTP", s.Subject)
		case (s.Op == "RRQ" || s.Op == "WRQ") && s.Bytes > 0:
			return fmt.Sprintf("%q by TFTP under way", s.Subject)
		case s.Op == "DISCOVER" && s.Outcome == track.Answered && s.Lease != nil && !s.Lease.Addr.IsZero():
			return fmt.Sprintf("%s offered by %s", s.Lease.Addr, s.Server.Addr)
		}
	}
	return "nothing was answered in this capture"
}

// ArchName names the node's architecture, empty when the client did not say.
func (n *Node) ArchName() string {
	if n.Arch < 0 {
		return ""
	}
	return dhcp.ArchName(n.Arch)
}
