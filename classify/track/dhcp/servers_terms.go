package dhcp

import (
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// RuleAnswersDisagree is dhcp-answers-disagree.
var RuleAnswersDisagree = &finding.Rule{
	ID: "dhcp-answers-disagree", Ref: "FM-49", Severity: finding.Warning, Confidence: finding.Certain,
	Title: "Two DHCP servers answer one client differently",
	Detect: "Two servers offer addresses in the same transaction (xid and chaddr), and their subnet, mask, router, name servers, domain, " +
		"next server or boot file differ. An address that is the server's own counts as \"self\" too, so a pair of servers that each name themselves agrees.",
	Means: "Which answer wins depends on the client and on timing, so the node boots differently from time to time. In order of likelihood: a second " +
		"server that nobody remembers; a failover partner with an old configuration; a scope split by hand; a change that reached one server only.",
	Next:       "Compare the two answers below, correct or stop one of the servers, and boot the node again.",
	Traps:      "A proxyDHCP server beside a plain one gives no address and is no second answer. An uninvited server is reported as that, not here.",
	References: []string{"RFC 2131 section 3.1", "RFC 3074", "pxescope field catalogue FM-49"},
	Rank:       0,
}

// terms are what a server gives, fit to be compared with another's.
type terms struct {
	subnet wire.Addr
	mask   wire.Addr
	router term
	dns    term
	domain string
	next   term
	file   term
}

// A term names addresses: as given, and with the server's own replaced by
// "self". Two servers agree when either is the same: both name one of them, or
// each names itself.
type term struct{ given, own string }

func (t term) differs(u term) bool { return t.given != u.given && t.own != u.own }

// termOptions are the options that terms are read from.
var termOptions = [...]byte{OptMask, OptRouters, OptDNS, OptDomainName, OptBootFile}

// termSum is a hash (FNV-1a) over all that terms are read from, so that an
// answer like the one before needs no reading.
func termSum(m Message, o *Options) uint64 {
	h := uint64(14695981039346656037)
	add := func(b []byte) {
		h = (h ^ uint64(len(b))) * 1099511628211
		for _, x := range b {
			h = (h ^ uint64(x)) * 1099511628211
		}
	}
	add(m[offYIAddr : offSIAddr+4])
	add(fileName(m, o))
	for _, c := range termOptions {
		add(o.Get(c))
	}
	return h
}

func readTerms(m Message, o *Options, id wire.Addr) terms {
	t := terms{mask: o.Addr(OptMask)}
	if y := m.YIAddr(); !t.mask.IsZero() {
		t.subnet = masked(y, t.mask)
	}
	if n := m.SIAddr(); !n.IsZero() {
		t.next = list([]wire.Addr{n}, id)
	}
	t.router = list(o.Addrs(OptRouters, nil), id)
	t.dns = list(o.Addrs(OptDNS, nil), id)
	t.domain = clip(o.String(OptDomainName))
	file := File(m, o)
	t.file = term{clip(file), clip(strings.ReplaceAll(file, id.String(), "self"))}
	return t
}

func masked(a, mask wire.Addr) wire.Addr {
	for i := 12; i < 16; i++ {
		a[i] &= mask[i]
	}
	return a
}

func clip(s string) string { return strings.Clone(s[:min(len(s), maxTermBytes)]) }

// list is addresses in one order: pairs of servers often list themselves first.
func list(addrs []wire.Addr, self wire.Addr) term {
	const most = 8
	var given, own []string
	for _, a := range addrs[:min(len(addrs), most)] {
		given = append(given, a.String())
		if a == self {
			own = append(own, "self")
		} else {
			own = append(own, a.String())
		}
	}
	slices.Sort(given)
	slices.Sort(own)
	return term{strings.Join(slices.Compact(given), " "), strings.Join(slices.Compact(own), " ")}
}

// A difference is one term that two servers give differently.
type difference struct {
	key  string
	a, b string
}

// network compares what places a client in its network.
func (t *terms) network(u *terms) []difference {
	var d []difference
	add := func(key, a, b string) {
		if a != b {
			d = append(d, difference{key, a, b})
		}
	}
	add("subnet", t.subnet.String(), u.subnet.String())
	add("mask", t.mask.String(), u.mask.String())
	d = append(d, between("router", t.router, u.router)...)
	d = append(d, between("dns", t.dns, u.dns)...)
	add("domain", t.domain, u.domain)
	return d
}

// differ compares all terms: for answers to one request only, because the boot
// file depends on the client.
func (t *terms) differ(u *terms) []difference {
	d := append(t.network(u), between("next_server", t.next, u.next)...)
	return append(d, between("boot_file", t.file, u.file)...)
}

func between(key string, a, b term) []difference {
	if !a.differs(b) {
		return nil
	}
	return []difference{{key, a.given, b.given}}
}

// An answerKey is a transaction; xid alone is not unique.
type answerKey struct {
	mac  wire.MAC
	xid  uint32
	vlan uint16
}

// answers are the offers of one transaction, by server.
type answers struct {
	n    int
	all  [4]answer
	said bool
}

type answer struct {
	key   serverKey
	terms terms
	frame capture.FrameID
	at    capture.Time
}

// compare holds an answer with an address against those that others gave to
// the same request.
func (s *Servers) compare(f *wire.Frame, m Message, o *Options, v *server, out *track.Out) {
	if o.Cut() || m.CHAddr().IsZero() || o.Type() != Offer && !o.Has(OptRapidCommit) {
		return
	}
	k := answerKey{m.CHAddr(), m.XID(), v.key.vlan}
	a := s.answered.At(k)
	mine := answer{v.key, v.terms, f.ID, f.Time}
	for i := range a.n {
		if x := &a.all[i]; x.key.id == v.key.id || !x.key.mac.IsZero() && x.key.mac == v.key.mac {
			return // the same server again
		}
	}
	for i := range a.n {
		if d := a.all[i].terms.differ(&mine.terms); len(d) > 0 && !a.said {
			a.said = s.findDisagreement(f, m, &a.all[i], &mine, d, out)
		}
	}
	if a.n < len(a.all) {
		a.all[a.n] = mine
		a.n++
	}
}

// findDisagreement reports two answers that differ, unless one of the servers
// is uninvited: that explains it.
func (s *Servers) findDisagreement(f *wire.Frame, m Message, a, b *answer, d []difference, out *track.Out) bool {
	for _, k := range []serverKey{a.key, b.key} {
		if v := s.servers.Get(k); v != nil && s.verdict(v) != nil {
			return false
		}
	}
	keys := make([]string, len(d))
	facts := []finding.Fact{
		{Key: "servers", Value: []string{a.key.id.String(), b.key.id.String()}},
		{Key: "differences", Value: keys},
	}
	for i, x := range d {
		keys[i] = x.key
		facts = append(facts, finding.Fact{Key: x.key, Value: []string{x.a, x.b}})
	}
	w := track.Withdrawal{
		Rule: RuleAnswersDisagree, Subject: a.key.id.String() + " " + b.key.id.String(),
		Node: finding.Endpoint{MAC: m.CHAddr()}, Server: finding.Endpoint{MAC: b.key.mac, Addr: b.key.id, Port: PortServer},
	}
	for _, k := range []serverKey{a.key, b.key} {
		if v := s.servers.Get(k); v != nil && len(v.quarrels) < maxServed {
			v.quarrels = append(v.quarrels, w)
		}
	}
	out.Find(finding.Finding{
		Rule: w.Rule, Subject: w.Subject, Node: w.Node, Server: w.Server,
		Severity: w.Rule.Severity, Confidence: w.Rule.Confidence, VLAN: f.VLAN(), Iface: f.Iface,
		Summary: "servers " + a.key.id.String() + " and " + b.key.id.String() + " offer one client different " + words(keys),
		Facts:   facts, Frames: []capture.FrameID{a.frame, b.frame}, First: a.at, Last: b.at,
	})
	return true
}

// words joins names for a sentence.
func words(keys []string) string {
	s := make([]string, len(keys))
	for i, k := range keys {
		s[i] = strings.ReplaceAll(k, "_", " ")
	}
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " and " + s[len(s)-1]
}
