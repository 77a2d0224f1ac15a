package classify

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/finding"
)

// News is what became different in the Report since it was asked for last. Who
// applies all news in order, by Finding.Key and Node.Name, has the findings and
// nodes of the Report: both are judged by the same gates and verdicts.
type News struct {
	Findings []FindingNews // in traffic order, what was taken back first
	Nodes    []NodeNews    // in traffic order, those that are gone first
	// Report is the state of this moment, for reading; nil when nothing happened
	// that could have changed it.
	Report *Report
}

// FindingNews is a finding that is new, different, or taken back.
type FindingNews struct {
	Finding
	Was       *Finding // as it was told last, nil when it is new
	Withdrawn bool     // it does not stand any more
	// Replaced says of a finding taken back that what it said of its nodes is in
	// another one with the same id now: that of several nodes.
	Replaced bool
}

// NodeNews is a node that is new, different, or not followed any more.
type NodeNews struct {
	Node
	At   Time  // when it came to be so: of its last step, or of what it stopped at
	Was  *Node // as it was told last, nil when it is new
	Gone bool  // it had to make room, or turned out to be another
}

// Turned reports whether stage, outcome or root cause are others than before,
// rather than only how often something was tried.
func (n *NodeNews) Turned() bool {
	return n.Was == nil || n.Gone || n.Stage != n.Was.Stage || n.Outcome != n.Was.Outcome || n.RootCause != n.Was.RootCause
}

// recheck is how often the gates are asked anew while packets come that change
// no exchange: what a capture can show depends on all of them. Verdicts of
// nodes in progress depend on the time alone.
const recheck = time.Second

// newsDesk remembers what was told.
type newsDesk struct {
	dirty    bool // an exchange, finding or deadline since the last judgement
	at       capture.Time
	packets  uint64
	awaited  bool // some node is in progress
	findings map[findingRef]*Finding
	nodes    map[string]*Node

	// What was concluded of nodes, in the last Report and in the one under way:
	// of thousands, few change between two questions.
	asked        bool
	shown, fresh map[boot.Key]shownNode
}

// A shownNode is a conclusion, and what it rests on.
type shownNode struct {
	version  uint64
	findings []*finding.Finding
	node     Node
	root     int // index in findings, or -1
}

// recall returns what was concluded of n before, where nothing that it rests on
// is different. Of a node in progress the time decides too, and where findings
// are withheld the limits of the capture.
func (d *newsDesk) recall(n *boot.Node, findings []*finding.Finding, doubted bool) (Node, int, bool) {
	s, ok := d.shown[n.Key]
	if !ok || doubted || s.version != n.Version || !slices.EqualFunc(s.findings, findings, sameEvidence) {
		return Node{}, -1, false
	}
	d.fresh[n.Key] = s
	return s.node, s.root, true
}

func (d *newsDesk) keep(n *boot.Node, findings []*finding.Finding, node Node, root int) {
	if d.asked && (node.Outcome == string(boot.Booted) || node.Outcome == string(boot.Stopped)) {
		d.fresh[n.Key] = shownNode{n.Version, findings, node, root}
	}
}

// turn ends a Report: what it did not ask for is forgotten.
func (d *newsDesk) turn() {
	if d.asked {
		d.shown, d.fresh = d.fresh, make(map[boot.Key]shownNode, len(d.fresh))
	}
}

// sameEvidence compares what verdicts read of findings.
func sameEvidence(a, b *finding.Finding) bool {
	return a.Rule == b.Rule && a.Severity == b.Severity && a.Confidence == b.Confidence && a.First == b.First && a.Last == b.Last &&
		a.Node == b.Node && a.Server == b.Server && a.VLAN == b.VLAN && a.Iface == b.Iface && a.Subject == b.Subject && a.Summary == b.Summary &&
		slices.Equal(a.Frames, b.Frames)
}

// News tells what is different in the Report since the last call. It is cheap
// when nothing happened, else it costs what Report costs: a caller asks some
// times a second.
func (e *Engine) News(src capture.Source) News {
	d := &e.desk
	if !d.dirty && (e.clock.now.Sub(d.at) < recheck || e.packets == d.packets && !d.awaited) {
		return News{}
	}
	if !d.asked {
		d.asked, d.fresh = true, make(map[boot.Key]shownNode)
	}
	if !e.finished {
		e.nodes.Review(&e.joined)
		e.take()
	}
	r := e.Report(src)
	d.dirty, d.at, d.packets = false, e.clock.now, e.packets
	return News{Findings: d.compareFindings(r), Nodes: d.compareNodes(r), Report: r}
}

func (d *newsDesk) compareFindings(r *Report) (out []FindingNews) {
	now := make(map[findingRef]*Finding, len(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		now[f.ref] = f
		if was := d.findings[f.ref]; was == nil || !sameFinding(f, was) {
			out = append(out, FindingNews{Finding: *f, Was: was})
		}
	}
	var covered map[[2]string]bool
	for ref, was := range d.findings {
		if now[ref] != nil {
			continue
		}
		if covered == nil {
			covered = coverage(r)
		}
		out = append(out, FindingNews{Finding: *was, Was: was, Withdrawn: true, Replaced: isCovered(covered, was)})
	}
	slices.SortFunc(out, func(a, b FindingNews) int {
		return cmp.Or(first(a.Withdrawn, b.Withdrawn), cmp.Compare(a.Last, b.Last), cmp.Compare(a.First, b.First), strings.Compare(a.Key(), b.Key()))
	})
	d.findings = now
	return out
}

// coverage lists which nodes a report names under which id.
func coverage(r *Report) map[[2]string]bool {
	m := make(map[[2]string]bool)
	for i := range r.Findings {
		f := &r.Findings[i]
		m[[2]string{f.ID, f.Node}] = true
		for _, n := range f.Nodes {
			m[[2]string{f.ID, n}] = true
		}
	}
	return m
}

func isCovered(m map[[2]string]bool, f *Finding) bool {
	if len(f.Nodes) == 0 {
		return m[[2]string{f.ID, f.Node}]
	}
	return !slices.ContainsFunc(f.Nodes, func(n string) bool { return !m[[2]string{f.ID, n}] })
}

func (d *newsDesk) compareNodes(r *Report) (out []NodeNews) {
	now := make(map[string]*Node, len(r.Nodes))
	d.awaited = false
	stopped := make(map[string]Time)
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, name := range f.RootCauseOf {
			stopped[name] = f.Last
		}
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		name := n.Name()
		now[name] = n
		d.awaited = d.awaited || n.Outcome == string(boot.InProgress)
		if was := d.nodes[name]; was == nil || !sameNode(n, was) {
			out = append(out, NodeNews{Node: *n, Was: was, At: max(n.last(), stopped[name])})
		}
	}
	for name, was := range d.nodes {
		if now[name] == nil {
			out = append(out, NodeNews{Node: *was, Was: was, Gone: true, At: was.last()})
		}
	}
	slices.SortFunc(out, func(a, b NodeNews) int {
		return cmp.Or(first(a.Gone, b.Gone), cmp.Compare(a.At, b.At), strings.Compare(a.Name(), b.Name()))
	})
	d.nodes = now
	return out
}

// first sorts what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (n *Node) last() (t Time) {
	for i := range n.Timeline {
		t = max(t, n.Timeline[i].Last)
	}
	return t
}

// A findingRef tells findings of a report apart, as findingKey does inside; one
// of several nodes has no node and no subject.
type findingRef struct {
	id, subject  string
	node, server hostKey
	// Of one of several nodes, what promote groups by.
	group, severity string
	vlan            uint16
}

// Key names f among the findings of a report, and stays the same while what it
// says changes.
func (f *Finding) Key() string {
	r := &f.ref
	key := r.id + "/" + r.node.String() + "/" + cmp.Or(r.group, r.server.String()) + "/" + r.subject
	if r.severity != "" {
		key += "/" + r.severity + "/" + strconv.Itoa(int(r.vlan))
	}
	return key
}

func (h hostKey) String() string { return cmp.Or(h.mac.String(), h.addr.String()) }

func sameFinding(a, b *Finding) bool {
	return a.ID == b.ID && a.Severity == b.Severity && a.Confidence == b.Confidence && a.Node == b.Node && a.Server == b.Server &&
		a.VLAN == b.VLAN && a.Interface == b.Interface && a.Title == b.Title && a.Summary == b.Summary && a.Next == b.Next &&
		a.First == b.First && a.Last == b.Last && a.File == b.File && slices.Equal(a.Nodes, b.Nodes) && slices.Equal(a.Frames, b.Frames) &&
		slices.Equal(a.Files, b.Files) && slices.Equal(a.LoweredBy, b.LoweredBy) && slices.Equal(a.RootCauseOf, b.RootCauseOf) &&
		slices.EqualFunc(a.Facts, b.Facts, func(x, y Fact) bool { return x.Key == y.Key && reflect.DeepEqual(x.Value, y.Value) })
}

func sameNode(a, b *Node) bool {
	same := len(a.Timeline) == len(b.Timeline) && len(a.Timeline) > 0 && &a.Timeline[0] == &b.Timeline[0] // recalled
	return a.MAC == b.MAC && a.Vendor == b.Vendor && a.Hostname == b.Hostname && a.Arch == b.Arch && a.Boots == b.Boots && a.Stage == b.Stage &&
		a.Outcome == b.Outcome && a.Verdict == b.Verdict && a.NextExpected == b.NextExpected && a.RootCause == b.RootCause && a.File == b.File &&
		slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.VLAN, b.VLAN) && slices.Equal(a.Findings, b.Findings) &&
		slices.Equal(a.Frames, b.Frames) && (same || slices.EqualFunc(a.Timeline, b.Timeline, sameStep))
}

func sameStep(a, b Step) bool {
	return a.Stage == b.Stage && a.Op == b.Op && a.Subject == b.Subject && a.Outcome == b.Outcome && a.First == b.First && a.Last == b.Last &&
		a.File == b.File && a.Server == b.Server && a.Tries == b.Tries && a.Bytes == b.Bytes && a.Detail == b.Detail && slices.Equal(a.Frames, b.Frames)
}
