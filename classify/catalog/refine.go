package catalog

import "slices"

// Alternatives are the services that claim a port, its owner first; none for a
// port of nobody. It is for people; the engine uses Refine.
func (c *Catalog) Alternatives(proto uint8, port uint16) []Index {
	if list := c.shared[portKey{Proto(proto), port}]; list != nil {
		return slices.Clone(list)
	}
	t := c.Table(proto)
	if t == nil || t[port] == 0 {
		return nil
	}
	return []Index{t[port].Index()}
}

// Refine is the service of i = Lookup(...) once the parts are known that both
// machines play: port 443 of a BMC is Redfish, not HTTPS boot. port is the
// server's. It changes i only when the server's role is known and speaks
// against i; the client's role then decides between those that are left. It
// allocates nothing and costs one load for a port that nobody shares.
func (c *Catalog) Refine(i Index, proto uint8, port uint16, client, server Role) Index {
	if server == NoRole {
		return i
	}
	t := c.Table(proto)
	if t == nil || !t[port].IsShared() || t[port].Index() != i {
		return i
	}
	if c.fits(i, client, server) {
		return i
	}
	fallback := i
	for _, j := range c.shared[portKey{Proto(proto), port}] {
		s := c.At(j)
		if !slices.Contains(s.To, server) {
			continue
		}
		if client == NoRole || slices.Contains(s.From, client) {
			return j
		}
		if fallback == i {
			fallback = j
		}
	}
	return fallback
}

// fits reports whether service i may run between two roles. The server's role
// counts alone when the client's would leave no service at all.
func (c *Catalog) fits(i Index, client, server Role) bool {
	s := c.At(i)
	return slices.Contains(s.To, server) && (client == NoRole || slices.Contains(s.From, client))
}

// Against reports whether a conversation that client started with server runs
// against the service's direction: the other way round it would fit, this way
// it does not. Unknown roles never speak against anything.
func (s *Service) Against(client, server Role) bool {
	if client == NoRole || server == NoRole {
		return false
	}
	forward := slices.Contains(s.From, client) && slices.Contains(s.To, server)
	reverse := slices.Contains(s.From, server) && slices.Contains(s.To, client)
	return reverse && !forward
}

// LookupEther is the service of an EtherType, or None.
func (c *Catalog) LookupEther(etherType uint16) Index {
	return c.frame(func(k FrameKind) bool { return k.EtherType != 0 && k.EtherType == etherType })
}

// LookupICMP is the service of an ICMP message; proto is 1 or 58 (ICMPv6).
func (c *Catalog) LookupICMP(proto, typ uint8) Index {
	return c.frame(func(k FrameKind) bool {
		return proto != 0 && k.ICMP.Proto == proto && k.ICMP.First <= typ && typ <= k.ICMP.Last
	})
}

// frame is the first service in order with a matching kind: few have any.
func (c *Catalog) frame(match func(FrameKind) bool) Index {
	for _, i := range c.framed {
		if slices.ContainsFunc(c.services[i-1].Frames, match) {
			return i
		}
	}
	return None
}
