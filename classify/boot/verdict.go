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
		if f.Rule.Rank == 0 || f.Severity < finding.Warning || v.recovered(f) {
			continue
		}
		if root == nil || worse(f, root) {
			root = f
		}
	}
	return root
}

func worse(a, b *finding.Finding) bool {
	if a.Rule.Rank != b.Rule.Rank {
		return a.Rule.Rank < b.Rule.Rank
	}
	if a.Severity != b.Severity {
		return a.Severity > b.Severity
	}
	return a.First < b.First
}

// recovered reports whether the node went on after f.
func (n *Node) recovered(f *finding.Finding) bool {
	need := blockedStage(f.Rule.Rank)
	if f.Rule.Rank >= finding.RankBackground {
		return n.delivered()
	}
	for i := range n.Steps {
		s := &n.Steps[i]
		if s.Outcome != track.Answered || s.Last <= f.Last || s.Op == "ARP" || s.Op == "DISCOVER" {
			continue
		}
		if s.First <= f.First && s.Op == "CONNECT" {
			continue // the connection that the finding is about goes on, and gets nowhere
		}
		if s.Stage > need || s.Stage == need && f.Rule.Rank != finding.RankRogue && f.Rule.Rank != finding.RankLoop {
			if s.Op != "RRQ" || s.Complete {
				return true
			}
		}
	}
	return false
}

// blockedStage is the stage that findings of a rank keep a node from passing.
func blockedStage(rank int) track.Stage {
	switch {
	case rank <= finding.RankRequest:
		return track.StageDHCP
	case rank <= finding.RankProxy:
		return track.StageProxyDHCP
	case rank <= finding.RankTransfer:
		return track.StageTFTP
	case rank <= finding.RankLoop:
		return track.StageHTTP
	case rank <= finding.RankSecondDHCP:
		return track.StageDHCP
	case rank <= finding.RankRoot:
		return track.StageMount
	}
	return track.StageMetadata
}

func rootStage(v *Node, f *finding.Finding) track.Stage {
	for i := range v.Steps {
		s := &v.Steps[i]
		if s.Stage == track.StageUnknown {
			continue // ARP: the stage is what the node had reached
		}
		if s.First == f.First || len(f.Frames) > 0 && slices.Contains(s.Frames, f.Frames[len(f.Frames)-1]) {
			return s.Stage
		}
	}
	if f.Rule.Rank <= finding.RankRequest {
		return track.StageDHCP
	}
	return v.Stage
}

// delivered reports whether the node got what it asked for: a loader or more
// came over, or it runs a system that got its address.
func (n *Node) delivered() bool {
	if len(n.Steps) == 0 {
		return false
	}
	for i := len(n.Steps) - 1; i >= 0; i-- {
		s := &n.Steps[i]
		if s.Op == "ARP" {
			continue
		}
		if s.Outcome == track.Open || s.Op == "RRQ" && s.Outcome == track.Answered && !s.Complete {
			return false
		}
		break
	}
	if n.loaded || n.os {
		return true
	}
	return !n.Kind.Boots() && n.Kind != track.ClientBOOTP && n.answered("REQUEST", "RENEW")
}

func (n *Node) answered(ops ...string) bool {
	for i := range n.Steps {
		if s := &n.Steps[i]; s.Outcome == track.Answered && slices.Contains(ops, s.Op) {
			return true
		}
	}
	return false
}

func (n *Node) open() bool {
	for i := range n.Steps {
		if n.Steps[i].Outcome == track.Open {
			return true
		}
	}
	return false
}

func (n *Node) last() capture.Time {
	var t capture.Time
	for i := range n.Steps {
		t = max(t, n.Steps[i].Last)
	}
	return t
}

var stageTitles = [...]string{"an unknown stage", "the link", "DHCP", "proxyDHCP", "TFTP", "HTTP", "the RPC mount", "NFS", "metadata", "the end"}

func stageTitle(s track.Stage) string { return stageTitles[s] }

// history is the boot in one line: the last good step of each stage.
func (n *Node) history() string {
	var parts []string
	var seen [len(stageTitles)]bool
	for i := range n.Steps {
		s := &n.Steps[i]
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
		return "nothing was answered in this capture"
	}
	return strings.Join(parts, ", ")
}

// next names the packet that should have come next.
func (n *Node) next(root *finding.Finding) string {
	var s *track.Exchange
	for i := len(n.Steps) - 1; i >= 0; i-- {
		if n.Steps[i].Op != "ARP" {
			s = &n.Steps[i]
			break
		}
	}
	if s == nil {
		return ""
	}
	switch {
	case root == nil:
	case root.Rule == RuleNoLoad && n.Lease != nil:
		return loadOf(n.Lease)
	case root.Rule.Rank == finding.RankRogue:
		return "a lease with boot information from a server of this place"
	}
	switch s.Outcome {
	case track.Unanswered, track.Open:
		return answerTo(s)
	case track.Refused:
		return "another try with what the server accepts, or " + answerTo(s)
	}
	switch s.Op {
	case "DISCOVER":
		return "a DHCPREQUEST from the node"
	case "REQUEST", "BINL", "BOOT-SERVER":
		if s.Lease != nil && s.Lease.Kind.Boots() {
			return loadOf(s.Lease)
		}
	case "RRQ":
		if !s.Complete {
			return "the next DATA block from " + s.Server.Addr.String()
		}
		return "the next stage's first request: DHCPDISCOVER of the loader, or its configuration file"
	case "GETPORT":
		return "a MOUNT call to the port that portmap told"
	case "MNT":
		return "NFS calls to " + s.Server.Addr.String()
	}
	return ""
}

func loadOf(l *track.Lease) string {
	if len(l.BootServers) == 0 || l.File == "" {
		return "a request for the boot file"
	}
	if strings.Contains(l.File, "://") {
		return fmt.Sprintf("a request for %q", l.File)
	}
	return fmt.Sprintf("a TFTP read request for %q to %s", l.File, l.BootServers[0])
}

func answerTo(s *track.Exchange) string {
	from := ""
	if a := s.Server.Addr; !a.IsZero() && !a.IsMulticast() {
		from = " from " + a.String()
	}
	switch s.Op {
	case "DISCOVER":
		return "a DHCPOFFER"
	case "REQUEST", "RENEW", "INFORM", "BINL", "BOOT-SERVER":
		return "a DHCPACK" + from
	case "BOOTP":
		return "a BOOTREPLY"
	case "RRQ", "WRQ":
		return "OACK or the first DATA block" + from
	case "CONNECT":
		return "SYN, ACK" + from
	case "GETPORT":
		return "the portmap reply" + from
	case "MNT":
		return "the MOUNT reply" + from
	case "NFS":
		return "the NFS reply" + from
	}
	return "an answer" + from
}

// ArchName names the node's architecture, empty when the client did not say.
func (n *Node) ArchName() string {
	if n.Arch < 0 {
		return ""
	}
	return dhcp.ArchName(n.Arch)
}
