package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/oui"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A standing is what of a server matters to the judgement of others.
type standing struct {
	gave, named, boot, bootless, terms bool
}

func (v *server) stands() standing {
	return standing{v.gave, v.named > 0, v.boot > 0, v.bootless > 0, v.hasTerms}
}

// said is what was reported of a server last: it is reported again when that
// changes, not for each packet.
type said struct {
	rule       *finding.Rule
	severity   finding.Severity
	confidence finding.Confidence
	harmed     int
	naks       bool
	gave       bool
}

// judge follows a message of, or to, v.
func (s *Servers) judge(v *server, to *served, out *track.Out) {
	changed := s.evaluate(v, out)
	if now := v.stands(); now != v.standing {
		v.standing = now
		s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
			if u != v && shareSegment(u, v) {
				s.evaluate(u, out)
			}
		})
		changed = true
	}
	if v.verdict != nil && to != nil && to.harmed() {
		s.findNode(v, to, out)
	}
	if changed {
		s.several(v.key.vlan, v.key.face, out)
	}
}

// evaluate decides whether v is uninvited and reports it when that, or what it
// does, has changed.
func (s *Servers) evaluate(v *server, out *track.Out) (changed bool) {
	r := s.verdict(v)
	if r != v.verdict {
		changed = true
		s.retract(v, out)
		v.verdict = r
		for i := range v.served {
			if c := &v.served[i]; r != nil && c.harmed() {
				s.findNode(v, c, out)
			}
		}
		if r != nil {
			for _, w := range v.quarrels {
				out.Withdraw(w)
			}
			v.quarrels = nil
		}
	}
	if v.verdict == nil {
		return changed
	}
	now := said{rule: v.verdict, naks: v.naks > 0, gave: v.gave}
	now.severity, now.confidence = s.weight(v)
	for i := range v.served {
		if v.served[i].harmed() {
			now.harmed++
		}
	}
	if now != v.said {
		v.said = now
		s.findServer(v, out)
	}
	return changed
}

// retract withdraws what was said of v as uninvited.
func (s *Servers) retract(v *server, out *track.Out) {
	if v.verdict == nil {
		return
	}
	w := track.Withdrawal{Rule: v.verdict, Server: v.endpoint(), Subject: v.key.id.String()}
	out.Withdraw(w)
	for i := range v.served {
		if c := &v.served[i]; c.reported {
			c.reported = false
			w.Node = c.node()
			out.Withdraw(w)
		}
	}
	v.said = said{}
}

// verdict is the rule by which v is uninvited, or nil. It hands out addresses,
// refuses them, or a client asks it for one.
func (s *Servers) verdict(v *server) *finding.Rule {
	silent := !v.gave && v.naks == 0
	if silent && (v.named == 0 || s.relays.Get(v.key.id) != nil) || s.invited(v) {
		return nil
	}
	if score, _ := s.libvirt(v); score >= libvirtReport {
		return RuleRogueLibvirt
	}
	if s.cfg.Site.HasDHCPAllowList() {
		return RuleRogueServer
	}
	if v.gave && s.outranked(v) != nil {
		return RuleRogueServer
	}
	return nil
}

// invited reports whether the operator named v, another address of the same
// machine, or a failover peer that gives exactly what a named one gives.
func (s *Servers) invited(v *server) bool {
	if !s.cfg.Site.HasDHCPAllowList() {
		return false
	}
	if s.cfg.Site.IsDHCPServer(v.key.id) {
		return true
	}
	found := false
	s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
		if u == v || !s.cfg.Site.IsDHCPServer(u.key.id) {
			return
		}
		found = found || same(u, v) || peers(u, v)
	})
	return found
}

// peers reports whether two servers of a segment place clients in one network
// in one way, as the two halves of a failover pair do.
func peers(a, b *server) bool {
	return a.hasTerms && b.hasTerms && !a.terms.subnet.IsZero() && shareSegment(a, b) && len(a.terms.network(&b.terms)) == 0
}

// outranked returns the server that the segment belongs to rather than to v,
// judged by what both do: v is of a kind that nobody invites, or it has
// nothing to boot for clients that boot, in a network of its own, while the
// other has. Without such a difference there are just several servers.
func (s *Servers) outranked(v *server) (by *server) {
	if v.boot > 0 {
		return nil
	}
	s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
		if by != nil || u == v || !u.gave || same(u, v) || !shareSegment(u, v) {
			return
		}
		switch {
		case v.uninvited() != "" && u.uninvited() == "":
			by = u
		case u.boot > 0 && v.bootless > 0 && v.hasTerms && u.hasTerms && v.terms.subnet != u.terms.subnet && u.uninvited() == "":
			by = u
		}
	})
	return by
}

// weight is the severity and confidence of what is said of v.
func (s *Servers) weight(v *server) (finding.Severity, finding.Confidence) {
	switch {
	case v.verdict == RuleRogueLibvirt:
		if score, _ := s.libvirt(v); score < libvirtCertain {
			return finding.Error, finding.Likely
		}
		return finding.Error, finding.Certain
	case s.cfg.Site.HasDHCPAllowList() && v.offers+v.acks+v.naks == 0:
		return finding.Error, finding.Likely // only asked for: it may be another address of an invited machine
	case s.cfg.Site.HasDHCPAllowList():
		return finding.Error, finding.Certain
	}
	return finding.Warning, finding.Likely
}

// findServer reports v to the segment.
func (s *Servers) findServer(v *server, out *track.Out) {
	sev, conf := s.weight(v)
	out.Find(finding.Finding{
		Rule: v.verdict, Subject: v.key.id.String(), Severity: sev, Confidence: conf,
		Server: v.endpoint(), VLAN: v.key.vlan, Iface: int(v.key.face),
		Summary: v.tally() + " " + s.describe(v),
		Next:    s.next(v), Facts: s.card(v), Frames: v.frames, First: v.first, Last: v.last,
	})
}

// findNode reports what v did to one client.
func (s *Servers) findNode(v *server, c *served, out *track.Out) {
	if c.mac.IsZero() {
		return
	}
	c.reported = true
	sev, conf := s.weight(v)
	var what string
	switch {
	case c.acked:
		what = fmt.Sprintf("took %s from %s", c.addr, s.describe(v))
	case c.naked:
		what = fmt.Sprintf("was refused by %s", s.describe(v))
	case c.named:
		what = fmt.Sprintf("asked %s for its lease", s.describe(v))
	default:
		what = fmt.Sprintf("was offered nothing to boot by %s, and heard no better", s.describe(v))
	}
	out.Find(finding.Finding{
		Rule: v.verdict, Subject: v.key.id.String(), Severity: sev, Confidence: conf,
		Node: c.node(), Server: v.endpoint(), VLAN: v.key.vlan, Iface: int(v.key.face),
		Summary: what, Next: s.next(v),
		Facts: append(s.card(v), finding.Fact{Key: "address", Value: c.addr.String()},
			finding.Fact{Key: "acked", Value: c.acked}, finding.Fact{Key: "naked", Value: c.naked}, finding.Fact{Key: "offers_heard", Value: c.offers}),
		Frames: c.frames, First: c.first, Last: c.last,
	})
}

// describe names v in a sentence.
func (s *Servers) describe(v *server) string {
	what := "DHCP server "
	if v.verdict == RuleRogueLibvirt {
		what = "libvirt's DHCP server "
	} else if k := v.uninvited(); k != "" {
		what = "the DHCP server of a " + k + " "
	}
	what += v.key.id.String()
	if m := v.key.mac; !m.IsZero() {
		what += " (" + m.String()
		if n := oui.Vendor(m); n != "" {
			what += ", " + n
		}
		what += ")"
	}
	return what
}

// tally says what v did, up to its name.
func (v *server) tally() string {
	if v.offers+v.acks+v.naks == 0 {
		return count(v.named, "REQUEST") + " but no captured answer for"
	}
	return fmt.Sprintf("%s, %s and %s to %s by", count(v.offers, "OFFER"), count(v.acks, "ACK"), count(v.naks, "NAK"), count(len(v.served)+v.more, "client"))
}

// card is the identity card of a server.
func (s *Servers) card(v *server) []finding.Fact {
	facts := []finding.Fact{{Key: "server_id", Value: v.key.id.String()}}
	add := func(key, value string) {
		if value != "" {
			facts = append(facts, finding.Fact{Key: key, Value: value})
		}
	}
	add("server_mac", v.key.mac.String())
	add("vendor", oui.Vendor(v.key.mac))
	add("program", v.shape.program())
	add("kind", v.kind())
	if v.hasTerms {
		if !v.terms.subnet.IsZero() {
			add("subnet", fmt.Sprintf("%s/%d", v.terms.subnet, maskBits(v.terms.mask)))
		}
		add("router", v.terms.router.given)
		add("dns", v.terms.dns.given)
		add("domain", v.terms.domain)
		add("boot_file", v.terms.file.given)
		facts = append(facts, finding.Fact{Key: "lease_time", Value: int64(v.shape.lease)})
	}
	facts = append(facts,
		finding.Fact{Key: "offers", Value: v.offers}, finding.Fact{Key: "acks", Value: v.acks},
		finding.Fact{Key: "naks", Value: v.naks}, finding.Fact{Key: "requests_naming_it", Value: v.named})
	var took []string
	for i := range v.served {
		if c := &v.served[i]; c.harmed() {
			took = append(took, c.mac.String())
		}
	}
	if len(took) > 0 {
		facts = append(facts, finding.Fact{Key: "clients", Value: took})
	}
	if v.key.vlan != 0 {
		facts = append(facts, finding.Fact{Key: "vlan", Value: int(v.key.vlan)})
	}
	add("first_seen", v.first.Std().Format("2006-01-02T15:04:05.000000000Z"))
	if v.verdict == RuleRogueLibvirt {
		score, parts := s.libvirt(v)
		facts = append(facts, finding.Fact{Key: "score", Value: score}, finding.Fact{Key: "score_parts", Value: parts})
	} else if u := s.outranked(v); u != nil && !s.cfg.Site.HasDHCPAllowList() {
		add("beside", u.key.id.String())
	}
	return facts
}

func (v *server) kind() string {
	switch {
	case v.verdict == RuleRogueLibvirt:
		return "libvirt network"
	case v.uninvited() != "":
		return v.uninvited()
	case v.homeRouter():
		return "home router, by its address"
	}
	return ""
}

// next says what to do about v.
func (s *Servers) next(v *server) string {
	where := "Find the host: "
	if m := v.key.mac; m.IsZero() {
		where += "capture on its own segment to learn its MAC address, then look that up in the switches' MAC tables"
	} else {
		where += "look up " + m.String() + " in the switches' MAC tables"
	}
	if v.key.vlan != 0 {
		where += fmt.Sprintf(" of VLAN %d", v.key.vlan)
	}
	if v.verdict == RuleRogueLibvirt {
		return where + ". There run \"virsh net-destroy default\" and \"virsh net-autostart --disable default\" (\"virsh net-list\" names the network " +
			"if it is another), or take the physical NIC out of the bridge. Until then boots fail now and then only: iPXE takes the last OFFER it hears."
	}
	return where + ". Unplug it, switch its DHCP service off, or filter its port; then enable DHCP snooping with only the uplinks of the right servers trusted. " +
		"If it belongs here, add " + v.key.id.String() + " to the allow-list (--dhcp-server)."
}

func maskBits(mask wire.Addr) int {
	n := 0
	for _, b := range mask.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			n++
		}
	}
	return n
}
