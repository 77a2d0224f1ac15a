package classify

import (
	"slices"

	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// maxFindings bounds the findings kept. A capture with more is under attack or
// of a whole data centre; the least severe go first, and are counted.
const maxFindings = 8192

// judgement keeps the findings as they stand: one per rule, node, server and
// subject, the latest word winning.
type judgement struct {
	nodes   *boot.Nodes
	list    []*entry
	index   map[findingKey]*entry
	dropped uint64
}

type findingKey struct {
	rule         *finding.Rule
	subject      string
	node, server hostKey
}

type hostKey struct {
	mac  wire.MAC
	addr wire.Addr
}

type entry struct {
	finding.Finding
	node boot.Key // zero: about the segment, or about no node we know
	gone bool
}

func newJudgement(nodes *boot.Nodes) *judgement {
	return &judgement{nodes: nodes, index: make(map[findingKey]*entry)}
}

func keyOf(r *finding.Rule, subject string, node, server finding.Endpoint) findingKey {
	return findingKey{r, subject, hostOf(node), hostOf(server)}
}

// hostOf is what tells endpoints apart, as track.Same does: the MAC, or the
// address where no MAC is known.
func hostOf(e finding.Endpoint) hostKey {
	if !e.MAC.IsZero() {
		return hostKey{mac: e.MAC}
	}
	return hostKey{addr: e.Addr}
}

func (j *judgement) find(f finding.Finding) {
	k := keyOf(f.Rule, f.Subject, f.Node, f.Server)
	e := j.index[k]
	if e == nil {
		if len(j.index) >= maxFindings && !j.makeRoom(f.Severity) {
			j.dropped++
			return
		}
		e = &entry{}
		j.index[k] = e
		j.list = append(j.list, e)
	}
	e.Finding = f
	if !f.Node.IsZero() {
		e.node, _ = j.nodes.Resolve(f.Node, f.VLAN)
	}
}

// makeRoom drops the oldest finding that is less severe than s.
func (j *judgement) makeRoom(s finding.Severity) bool {
	for i, e := range j.list {
		if !e.gone && e.Severity < s {
			j.remove(e)
			j.list = slices.Delete(j.list, i, i+1)
			j.dropped++
			return true
		}
	}
	return false
}

func (j *judgement) withdraw(w track.Withdrawal) {
	if e := j.index[keyOf(w.Rule, w.Subject, w.Node, w.Server)]; e != nil {
		j.remove(e)
		j.list = slices.DeleteFunc(j.list, func(x *entry) bool { return x == e })
	}
}

func (j *judgement) remove(e *entry) {
	e.gone = true
	delete(j.index, keyOf(e.Rule, e.Subject, e.Node, e.Server))
}

func (j *judgement) all() []*finding.Finding {
	out := make([]*finding.Finding, len(j.list))
	for i, e := range j.list {
		out[i] = &e.Finding
	}
	return out
}

// A verdict is what stands after the gates.
type verdict struct {
	findings   []*entry
	suppressed map[string]int // rule id -> findings that a gate took back
	affects    map[string][]string
}

// judge passes every finding through the quality gates and returns what stands,
// worst first.
func (j *judgement) judge(q *quality, c *clock) *verdict {
	v := &verdict{suppressed: make(map[string]int), affects: make(map[string][]string)}
	for _, e := range j.list {
		x := *e
		x.LoweredBy = nil
		keep := true
		for _, g := range q.gates(&x.Finding, c) {
			if !slices.Contains(v.affects[g.gate], x.Rule.ID) {
				v.affects[g.gate] = append(v.affects[g.gate], x.Rule.ID)
			}
			if g.suppress {
				keep = false
				continue
			}
			x.LoweredBy = append(x.LoweredBy, g.gate)
			x.Confidence = x.Confidence.Lower()
		}
		if !keep {
			v.suppressed[x.Rule.ID]++
			continue
		}
		v.findings = append(v.findings, &x)
	}
	v.explain()
	slices.SortStableFunc(v.findings, func(a, b *entry) int {
		if a.Severity != b.Severity {
			return int(b.Severity) - int(a.Severity)
		}
		if a.First != b.First {
			if a.First < b.First {
				return -1
			}
			return 1
		}
		return 0
	})
	return v
}

// explains lists the findings that are the usual consequence of another one of
// the same node: they are shown as notes beside it (field catalogue, 8.3).
var explains = map[string][]string{
	"second-stage-dhcp-fails":       {"dhcp-no-offer"},
	"wrong-vlan":                    {"dhcp-no-offer"},
	"dhcp-rogue-libvirt":            append([]string{"dhcp-rogue-server"}, rogueBrings...),
	"dhcp-rogue-server":             rogueBrings,
	"rpc-portmap-no-answer":         {"tcp-syn-unanswered", "tcp-refused"},
	"rpc-mount-no-answer":           {"tcp-syn-unanswered", "tcp-refused"},
	"nfs-server-not-responding":     {"tcp-syn-unanswered", "tcp-refused"},
	"privileged-port-refused":       {"nfs-mount-denied", "rpc-auth-error"},
	"blocked-by-firewall":           {"tcp-refused", "tcp-syn-unanswered", "tftp-no-answer", "rpc-mount-no-answer", "rpc-portmap-no-answer", "nfs-server-not-responding"},
	"reply-filtered":                {"dhcp-offer-ignored"},
	"bad-udp-checksum-reply":        {"dhcp-offer-ignored"},
	"fragments-lost":                {"tftp-stalled"},
	"path-mtu-black-hole":           {"tftp-stalled"},
	"wrong-loader-for-architecture": {"reboot-loop"},
}

// rogueBrings are the usual consequences of an uninvited DHCP server.
var rogueBrings = []string{"dhcp-several-servers", "dhcp-answers-disagree", "dhcp-no-boot-info", "dhcp-nak", "dhcp-offer-ignored",
	"arp-no-answer", "no-load-after-ack"}

func (v *verdict) explain() {
	for _, e := range v.findings {
		if e.Severity < finding.Warning {
			continue
		}
		for _, id := range explains[e.Rule.ID] {
			for _, x := range v.findings {
				if x.Rule.ID == id && x.Severity > finding.Note && related(e, x) {
					x.Severity = finding.Note
					x.LoweredBy = append(x.LoweredBy, e.Rule.ID)
				}
			}
		}
	}
}

// related reports whether x can be a consequence of e: the same node, or the
// segment when neither names one, and the same server where both name one and
// the pair is about transport.
func related(e, x *entry) bool {
	if e.node != x.node || e.VLAN != x.VLAN {
		return false
	}
	if e.Server.IsZero() || x.Server.IsZero() || e.Rule.Rank == finding.RankRogue {
		return true
	}
	return e.Server.Addr == x.Server.Addr
}
