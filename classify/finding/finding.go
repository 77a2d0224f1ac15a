// Package finding holds what a verdict is made of: the Rule, which is the one
// documentation of a finding, and the Finding, which is a rule met by traffic.
//
// The one invariant: a finding carries facts and frames only; its prose beyond
// the one-sentence summary is the rule's.
package finding

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Severity ranks findings, best first.
type Severity uint8

// Severities. OK findings are normal behaviour worth explaining.
const (
	OK Severity = iota
	Note
	Warning
	Error
)

var severityNames = [...]string{"ok", "note", "warning", "error"}

func (s Severity) String() string { return severityNames[s] }

// ParseSeverity reads the name of a severity.
func ParseSeverity(s string) (Severity, bool) {
	for i, n := range severityNames {
		if n == s {
			return Severity(i), true
		}
	}
	return 0, false
}

// A Confidence says how conclusive the wire is.
type Confidence uint8

// Confidences: possible needs a second observation, likely has one dominant
// cause, certain is what the protocol says.
const (
	Possible Confidence = iota
	Likely
	Certain
)

var confidenceNames = [...]string{"possible", "likely", "certain"}

func (c Confidence) String() string { return confidenceNames[c] }

// ParseConfidence reads the name of a confidence.
func ParseConfidence(s string) (Confidence, bool) {
	for i, n := range confidenceNames {
		if n == s {
			return Confidence(i), true
		}
	}
	return 0, false
}

// Lower is one step less sure.
func (c Confidence) Lower() Confidence {
	if c == Possible {
		return Possible
	}
	return c - 1
}

// A Rule is one kind of finding. Its ID never changes: people put it in tickets.
type Rule struct {
	ID         string   // a slug: dhcp-no-offer
	Ref        string   // FM-nn of the field catalogue, empty for rules of our own
	Severity   Severity // the usual one; a finding may differ
	Confidence Confidence
	Title      string   // one line, no full stop
	Detect     string   // how it is detected, thresholds by name
	Means      string   // what it means, causes in order of likelihood
	Next       string   // what to check next; the finding's Next may be more precise
	Traps      string   // what looks alike and is normal
	References []string // RFC and section, specifications, projects

	// Absence is set when the rule claims that something did not happen: the
	// gates for one-sided, filtered, lossy and cut captures apply to it.
	Absence bool
	// Rank orders root causes by 8.3 of the field catalogue: the lowest rank
	// among a node's errors is its root cause. 0: never a root cause.
	Rank int
}

// Ranks in the order of blocking stages. Within a stage the earlier finding wins.
const (
	RankLink = 10 * (iota + 1)
	RankRogue
	RankNoOffer
	RankOffer
	RankRequest
	RankProxy
	RankLoad
	RankTransfer
	RankLoop
	RankSecondDHCP
	RankRoot
	RankControl
	RankBackground
)

// A Finding is one rule met by traffic.
type Finding struct {
	Rule *Rule
	// Subject makes findings of one rule distinct: the same Rule, Node, Server
	// and Subject is the same finding, reported again (with more frames, a
	// higher severity) it replaces the earlier one.
	Subject    string
	Severity   Severity
	Confidence Confidence

	Node   Endpoint // the machine that suffers; zero for findings about the segment
	Server Endpoint // the machine that it wanted, or that misbehaves
	VLAN   uint16
	Iface  int

	Summary string // one sentence; packet strings inside it are quoted with %q
	Next    string // replaces Rule.Next when not empty
	Facts   []Fact // in the order to be shown
	Frames  []capture.FrameID
	First   capture.Time
	Last    capture.Time // for an absence: its deadline

	LoweredBy []string // gates that lowered severity or confidence, filled by judgement
}

// A Fact is one piece of evidence. Value is a string, an int, an int64, a
// uint64, a float64, a bool, or a []string.
type Fact struct {
	Key   string // lower case with underscores; stable, it is a JSON name
	Value any
}

// An Endpoint is one side of an exchange as far as it is known.
type Endpoint struct {
	MAC  wire.MAC
	Addr wire.Addr
	Port uint16
}

// IsZero reports whether nothing is known of e.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// MaxFrames bounds the frames kept as evidence of one finding or exchange: the
// first ones and, from there on, the last one.
const MaxFrames = 64

// AppendFrame adds id to frames within MaxFrames.
func AppendFrame(frames []capture.FrameID, id capture.FrameID) []capture.FrameID {
	if len(frames) < MaxFrames {
		return append(frames, id)
	}
	frames[MaxFrames-1] = id
	return frames
}

// Count is a number of things as summaries and details give it: "1 packet",
// "2 packets".
func Count[N int | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
