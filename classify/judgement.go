package classify

import (
	"cmp"
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
	clock   *clock
	list    []*entry // in the order of being found, with gaps where entries went
	gone    int      // gaps
	index   map[findingKey]*entry
	kept    [finding.Error + 1]int // entries by severity
	weakest int                    // nothing before it in list is less severe than what is wanted
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
	// before is the finding as it was before the clock stepped, which no doubt
	// about the step concerns.
	before *finding.Finding
	node   boot.Key // zero: about the segment, or about no node we know
	gone   bool
}

func newJudgement(nodes *boot.Nodes, c *clock) *judgement {
	return &judgement{nodes: nodes, clock: c, index: make(map[findingKey]*entry)}
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
		j.kept[f.Severity]++
	} else {
		if j.clock.spans(f.First, f.Last) && !j.clock.spans(e.First, e.Last) {
			old := e.Finding
			e.before = &old
		}
		j.kept[e.Severity]--
		j.kept[f.Severity]++
		j.weakest = 0
	}
	e.Finding = f
}

// makeRoom drops the oldest finding that is less severe than s.
func (j *judgement) makeRoom(s finding.Severity) bool {
	weaker := 0
	for _, n := range j.kept[:s] {
		weaker += n
	}
	if weaker == 0 {
		return false
	}
	for ; j.weakest < len(j.list); j.weakest++ {
		if e := j.list[j.weakest]; !e.gone && e.Severity < s {
			j.remove(e)
			j.dropped++
			return true
		}
	}
	j.weakest = 0 // what was passed over for a milder one
	return j.makeRoom(s)
}

func (j *judgement) withdraw(w track.Withdrawal) {
	if e := j.index[keyOf(w.Rule, w.Subject, w.Node, w.Server)]; e != nil {
		j.remove(e)
	}
}

func (j *judgement) remove(e *entry) {
	e.gone = true
	j.kept[e.Severity]--
	delete(j.index, keyOf(e.Rule, e.Subject, e.Node, e.Server))
	if j.gone++; j.gone > 64 && j.gone > len(j.list)/2 {
		j.list = slices.DeleteFunc(j.list, func(e *entry) bool { return e.gone })
		j.gone, j.weakest = 0, 0
	}
}

func (j *judgement) all() []*finding.Finding {
	var out []*finding.Finding
	for _, e := range j.list {
		if !e.gone {
			out = append(out, &e.Finding)
		}
	}
	return out
}

// A verdict is what stands after the gates.
type verdict struct {
	findings []*entry
	withheld []doubted
	byNode   map[boot.Key][]*entry
}

// doubted is a finding that a limit of the capture withholds.
type doubted struct {
	*entry
	limit *limit
}

// judge passes every finding through the limits of the capture and returns what
// stands, worst first.
func (j *judgement) judge(limits []*limit) *verdict {
	v := &verdict{byNode: make(map[boot.Key][]*entry)}
	for _, e := range j.list {
		if e.gone {
			continue
		}
		x := *e
		x.node, _ = j.nodes.Resolve(e.Node, e.VLAN)
		w := x.doubt(limits)
		if w != nil && w.gate == "clock" && e.before != nil {
			x.Finding = *e.before
			w = x.doubt(limits)
		}
		if w != nil {
			v.withheld = append(v.withheld, doubted{&x, w})
			continue
		}
		v.findings = append(v.findings, &x)
	}
	v.explain()
	slices.SortStableFunc(v.findings, func(a, b *entry) int {
		return cmp.Or(int(b.Severity)-int(a.Severity), cmp.Compare(a.First, b.First))
	})
	for _, x := range v.findings {
		v.byNode[x.node] = append(v.byNode[x.node], x)
	}
	return v
}

// doubt lets every limit have its say and returns the one that withholds the
// finding, if one does.
func (x *entry) doubt(limits []*limit) (by *limit) {
	x.LoweredBy = nil
	for _, l := range limits {
		if l.doubts == nil {
			continue
		}
		d := l.doubts(&x.Finding)
		if d == noDoubt {
			continue
		}
		if !slices.Contains(l.affects, x.Rule.ID) {
			l.affects = append(l.affects, x.Rule.ID)
		}
		if d == withhold {
			l.withheld++
			if by == nil || l.hides && !by.hides {
				by = l
			}
			continue
		}
		l.lowered++
		if !slices.Contains(x.LoweredBy, l.gate) {
			x.LoweredBy = append(x.LoweredBy, l.gate)
		}
		x.Confidence = x.Confidence.Lower()
		if d == milder && x.Severity == finding.Error {
			x.Severity = finding.Warning
		}
	}
	return by
}

// explains lists the findings that are the usual consequence of another one of
// the same node: they are shown as notes beside it (field catalogue, 8.3).
var explains = map[string][]string{
	"second-stage-dhcp-fails":       {"dhcp-no-offer"},
	"wrong-vlan":                    {"dhcp-no-offer", "second-stage-dhcp-fails"},
	"l2-port-not-forwarding":        {"dhcp-no-offer", "second-stage-dhcp-fails"},
	"dhcp-relay-broken":             {"dhcp-no-offer", "dhcp-offer-ignored"},
	"dhcp-pool-exhausted":           {"dhcp-no-offer", "second-stage-dhcp-fails"},
	"dhcp-rogue-libvirt":            append([]string{"dhcp-rogue-server"}, rogueBrings...),
	"dhcp-rogue-server":             rogueBrings,
	"rpc-portmap-no-answer":         {"tcp-syn-unanswered", "tcp-refused"},
	"rpc-mount-no-answer":           {"tcp-syn-unanswered", "tcp-refused"},
	"nfs-server-not-responding":     {"tcp-syn-unanswered", "tcp-refused"},
	"privileged-port-refused":       {"nfs-mount-denied", "rpc-auth-error"},
	"blocked-by-firewall":           {"tcp-refused", "tcp-syn-unanswered", "tftp-no-answer", "rpc-mount-no-answer", "rpc-portmap-no-answer", "nfs-server-not-responding"},
	"reply-filtered":                {"dhcp-offer-ignored", "dhcp-no-offer"},
	"bad-udp-checksum-reply":        {"dhcp-offer-ignored"},
	"tftp-name-garbage":             {"tftp-file-not-found", "tftp-error", "tftp-no-answer"},
	"tftp-size-limit":               {"tftp-stalled"},
	"fragments-lost":                {"tftp-stalled", "nfs-server-not-responding"},
	"path-mtu-black-hole":           {"tftp-stalled", "nfs-server-not-responding"},
	"arp-no-answer":                 {"no-load-after-ack"},
	"proxydhcp-4011-no-answer":      {"no-load-after-ack"},
	"wrong-loader-for-architecture": {"reboot-loop"},
}

// rogueBrings are the usual consequences of an uninvited DHCP server.
var rogueBrings = []string{"dhcp-several-servers", "dhcp-answers-disagree", "dhcp-no-boot-info", "dhcp-nak", "dhcp-offer-ignored",
	"arp-no-answer", "no-load-after-ack"}

// explain makes notes of the consequences of findings that stand as warnings
// or errors by themselves.
func (v *verdict) explain() {
	byNode := make(map[boot.Key][]*entry)
	for _, e := range v.findings {
		byNode[e.node] = append(byNode[e.node], e)
	}
	var causes []*entry
	for _, e := range v.findings {
		if e.Severity >= finding.Warning && explains[e.Rule.ID] != nil {
			causes = append(causes, e)
		}
	}
	for _, e := range causes {
		for _, x := range byNode[e.node] {
			if x.Severity > finding.Note && slices.Contains(explains[e.Rule.ID], x.Rule.ID) && related(e, x) {
				x.Severity = finding.Note
				x.LoweredBy = append(x.LoweredBy, e.Rule.ID)
			}
		}
	}
}

// related reports whether x, of the same node or segment, can be a consequence
// of e: it does not end before e begins, what happens below IP is in the same
// VLAN, and what happens between two hosts is with the same server, and on the
// same port where both name one.
func related(e, x *entry) bool {
	if x.Last < e.First {
		return false
	}
	if e.Rule.Rank <= finding.RankProxy && e.VLAN != x.VLAN {
		return false
	}
	if e.Rule.Rank <= finding.RankProxy || e.Server.Addr.IsZero() || x.Server.Addr.IsZero() {
		return true
	}
	if e.Rule.ID == "arp-no-answer" {
		return true // the server of a lease need not be the one that was asked for
	}
	samePort := e.Server.Port == 0 || x.Server.Port == 0 || e.Server.Port == x.Server.Port
	return e.Server.Addr == x.Server.Addr && samePort
}
