package dhcp

import (
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// request reads what a client says.
func (s *Servers) request(f *wire.Frame, m Message, o *Options, out *track.Out) {
	mac := m.CHAddr()
	if mac.IsZero() || ClientProbe(m, o) != "" {
		return
	}
	c := s.callers.Get(mac)
	if c == nil {
		c = s.callers.Put(mac)
		c.kind = track.ClientOther
	}
	c.forged = forged(f, m)
	s.identify(f, m, o, c, out)
	s.discovering(f, m, o, c, out)
	typ := o.Type()
	if !o.Cut() || typ != 0 {
		c.kind = ClientKind(m, o)
	}
	c.typ, c.secs, c.xid, c.at = typ, m.Secs(), m.XID(), f.Time
	switch typ {
	case Discover:
		s.spray(f, m, out)
	case Request:
		// On port 4011 a boot server is asked for a file, not for an address.
		if id := o.Addr(OptServerID); !id.IsZero() && f.DstPort != PortPXE {
			c.chosen = id
			s.naming(f, m, o, id, c.kind, out)
		}
	case Release, Decline:
		s.free(f, m, o)
	}
}

// naming follows a REQUEST that names its server: the choice of the client.
func (s *Servers) naming(f *wire.Frame, m Message, o *Options, id wire.Addr, kind track.ClientKind, out *track.Out) {
	mac, seg := m.CHAddr(), segmentOf(f)
	s.prefer(seg, id, mac, out)
	if !m.GIAddr().IsZero() || s.relays.Get(id) != nil {
		return // behind a relay that answers for its server (RFC 5107) the id is the relay's
	}
	v := s.server(serverKey{id: id, vlan: seg.vlan, face: seg.face}, f, out)
	v.local = true
	v.named++
	v.last = f.Time
	v.evidence(f)
	c := v.serve(mac, f)
	if c != nil {
		c.named, c.other, c.kind = true, false, kind
		if a := o.Addr(OptRequestedAddr); !a.IsZero() {
			c.addr = a
		}
	}
	s.judge(v, c, out)
}

// prefer notes that a client has, or has chosen, a better server than the
// others of the segment: what only those offered it does no harm.
func (s *Servers) prefer(seg segmentKey, id wire.Addr, mac wire.MAC, out *track.Out) {
	s.servers.Each(func(k serverKey, v *server, _ capture.Time) {
		if k.id == id || k.vlan != seg.vlan || k.face != seg.face {
			return
		}
		c := v.client(mac)
		if c == nil || c.acked || c.naked || c.named {
			return
		}
		c.other = true
		if c.reported && v.verdict != nil {
			c.reported = false
			out.Withdraw(track.Withdrawal{Rule: v.verdict, Node: c.node(), Server: v.endpoint(), Subject: v.key.id.String()})
		}
	})
}

// preferred reports whether another server of the segment offered the client
// something to boot.
func (s *Servers) preferred(v *server, mac wire.MAC) bool {
	yes := false
	s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
		if u != v && u.boot > 0 && shareSegment(u, v) {
			c := u.client(mac)
			yes = yes || c != nil && c.offers > 0 && !c.bootless
		}
	})
	return yes
}

// reply reads what a server says.
func (s *Servers) reply(f *wire.Frame, m Message, o *Options, out *track.Out) {
	seg := s.segment(segmentOf(f))
	mac, typ := m.CHAddr(), o.Type()
	c := s.callers.Get(mac)
	if c != nil {
		s.heard(f, seg, c, mac, out)
	}
	if typ != Offer && typ != Ack && typ != Nak || f.SrcPort == PortPXE {
		return // BOOTP or cut away: it does not say who it is; or a boot server
	}
	id := o.Addr(OptServerID)
	gi := m.GIAddr()
	switch {
	case s.override(id, gi, o), id.IsZero() && !gi.IsZero():
		return
	case id.IsZero():
		id = f.Src
	}
	toRelay := f.DstPort == PortServer
	key := serverKey{id: id, mac: f.SrcMAC, vlan: seg.key.vlan, face: seg.key.face}
	if !gi.IsZero() && !toRelay {
		key.mac = wire.MAC{} // the relay's frame
	} else if !initialTTL(f.TTL) {
		key.mac = wire.MAC{} // the last router's frame
	}
	v := s.server(key, f, out)
	v.last = f.Time
	v.evidence(f)
	v.foreign = v.foreign || !f.Outgoing
	v.cooked = f.Link == capture.LinkSLL || f.Link == capture.LinkSLL2
	switch {
	case !toRelay:
		v.local = true
	case len(v.giaddrs) < maxGiaddrs && !slices.Contains(v.giaddrs, gi):
		v.giaddrs = append(v.giaddrs, gi)
	}
	v.relayed = v.relayed || !gi.IsZero()
	var to *served
	if c == nil || c.kind != track.ClientProbe {
		to = v.serve(mac, f)
	}
	if to != nil && c != nil {
		to.kind = c.kind
	}
	s.account(f, m, o, v, to, out)
	yi := m.YIAddr()
	if typ != Nak && !yi.IsZero() {
		v.gave = true
		s.give(f, m, o, c, v, out)
		s.compare(f, m, o, v, out)
		if typ == Ack {
			s.acked(f, seg, mac, yi, v, out)
		}
	}
	s.judge(v, to, out)
}

// override reports whether option 54 is an address that a relay put in place
// of its server's (RFC 5107).
func (s *Servers) override(id, gi wire.Addr, o *Options) bool {
	if id.IsZero() {
		return false
	}
	return id == gi || s.relays.Get(id) != nil || hasSubOption(o.Get(OptRelayAgent), 11)
}

func hasSubOption(v []byte, code byte) bool {
	for len(v) >= 2 && len(v) >= 2+int(v[1]) {
		if v[0] == code {
			return true
		}
		v = v[2+int(v[1]):]
	}
	return false
}

// initialTTL reports whether a TTL is one that systems send with, so that the
// frame's MAC is the sender's own.
func initialTTL(ttl uint8) bool {
	return ttl == 0 || ttl == 16 || ttl == 32 || ttl == 64 || ttl == 128 || ttl == 255
}

// account keeps what an answer tells of its server and its client.
func (s *Servers) account(f *wire.Frame, m Message, o *Options, v *server, to *served, out *track.Out) {
	typ := o.Type()
	switch typ {
	case Offer:
		v.offers++
	case Ack:
		v.acks++
	case Nak:
		v.naks++
		if to != nil {
			to.naked = true
		}
		return
	}
	if m.YIAddr().IsZero() {
		return // a proxy's offer, or the answer to an INFORM
	}
	if !o.Cut() {
		v.shape.read(f, m, o)
		if sum := termSum(m, o); !v.hasTerms || sum != v.termSum {
			v.hasTerms, v.termSum, v.terms = true, sum, readTerms(m, o, v.key.id)
		}
	}
	if to == nil {
		return
	}
	to.addr = m.YIAddr()
	if typ == Ack {
		to.acked, to.other = true, false
	} else {
		to.offers++
	}
	if to.kind.Boots() && !o.Cut() {
		to.bootless = !hasBootInfo(m, o)
		if to.bootless {
			v.bootless++
			to.other = to.other || s.preferred(v, to.mac)
		} else {
			v.boot++
			s.prefer(segmentOf(f), v.key.id, to.mac, out)
		}
	}
}
