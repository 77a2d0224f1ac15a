package boot

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	for i := range n.Steps {
		s := &n.Steps[i]
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
	s := &n.Steps[i]
	for j := range n.Steps[:i] {
		p := &n.Steps[j]
		if p.Op == s.Op && p.Subject == s.Subject && p.Server.Addr == s.Server.Addr && good(p) {
			return false
		}
	}
	return true
}

// stepOf is the step that f is about: the one that has the last frame of its
// evidence, or that began with it. ARP counts last.
func (n *Node) stepOf(f *finding.Finding) *track.Exchange {
	var found *track.Exchange
	for i := len(n.Steps) - 1; i >= 0; i-- {
		s := &n.Steps[i]
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
		s := &n.Steps[i]
		if s.Stage == track.StageUnknown || s.Op == "INFORM" || s.Op == "RRQ" && s.Outcome == track.Refused {
			continue // beside the boot, or a file that may be missing
		}
		if s.Outcome != track.Answered || s.Op == "RRQ" && !s.Complete {
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

// next names the packet that should have come next: the answer that the root
// cause is about, else what follows the last step.
func (n *Node) next(root *finding.Finding) string {
	var s *track.Exchange
	if root != nil {
		switch {
		case root.Rule == RuleNoLoad && n.Lease != nil:
			return loadOf(n.Lease)
		case root.Rule == RuleARPNoAnswer:
			return "an ARP reply for " + root.Server.Addr.String()
		case root.Rule == RuleWrongLoader, root.Rule == RuleChainloadLoop:
			return "the loader's own first request: another file, or its DHCPDISCOVER"
		case root.Rule == RuleRebootLoop:
			return "a DHCPDISCOVER of the system that was loaded"
		case root.Rule.Rank == finding.RankRogue && root.Rule.ID != "dhcp-nak":
			return "a lease with boot information from a server of this place"
		}
		s = n.stepOf(root)
	}
	for i := len(n.Steps) - 1; s == nil && i >= 0; i-- {
		if n.Steps[i].Stage != track.StageUnknown {
			s = &n.Steps[i]
		}
	}
	if s == nil {
		return ""
	}
	switch s.Outcome {
	case track.Unanswered, track.Open:
		return answerTo(s)
	case track.Refused:
		return acceptance(s)
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
	case "CONNECT":
		if root != nil {
			return "data from " + s.Server.Addr.String()
		}
	}
	return ""
}

// acceptance is what should have come in place of a refusal.
func acceptance(s *track.Exchange) string {
	switch s.Op {
	case "REQUEST", "RENEW":
		return "a DHCPDISCOVER from the node, and a lease that the server grants"
	case "RRQ":
		return fmt.Sprintf("OACK or the first DATA block of %q from %s", s.Subject, s.Server.Addr)
	}
	return answerTo(s) + " that accepts"
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
