package dhcp

import (
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A serverKey is a server as it shows itself: its option 54, the MAC that its
// frames come from, and where. The MAC is zero when a relay or a router sent
// the frame on, so that the server cannot be told by it.
type serverKey struct {
	id   wire.Addr
	mac  wire.MAC
	vlan uint16
	face int32 // index of the capture interface
}

// A server is what is known of one DHCP server.
type server struct {
	key         serverKey
	first, last capture.Time
	frames      []capture.FrameID

	offers, acks, naks, named int
	gave                      bool // handed out an address
	local                     bool // answered clients on this segment, not through a relay
	giaddrs                   []wire.Addr
	relayed                   bool // some answers came through a relay: its own frames were not seen
	foreign                   bool // some reply was not sent by the capturing host
	cooked                    bool // captured on "any": no telling on which network

	shape    shape
	hasTerms bool
	terms    terms
	termSum  uint64
	bootless int // answers without boot information to clients that boot
	boot     int // answers with

	served   []served
	more     int // clients beyond maxServed
	standing standing
	verdict  *finding.Rule // why it is uninvited, nil when it is not
	said     said
	quarrels []track.Withdrawal // what dhcp-answers-disagree said of it
}

// served is one client of one server.
type served struct {
	mac      wire.MAC
	addr     wire.Addr
	kind     track.ClientKind
	offers   int
	bootless bool // it boots and was offered nothing to boot
	acked    bool
	naked    bool
	named    bool // it named the server in a REQUEST
	other    bool // it chose another server since, or was offered better
	reported bool
	first    capture.Time
	last     capture.Time
	frames   []capture.FrameID
}

// harmed reports whether the client depends on what the server does: it took
// its lease, was refused by it, or hears nothing better.
func (c *served) harmed() bool {
	return c.acked || c.naked || c.named || c.bootless && c.offers > 1 && !c.other
}

// server returns the record of k, a new one if need be. A server that shows no
// MAC, because it was only named or a relay stands before it, is taken for the
// one with that id; and it keeps its record when it shows its MAC.
func (s *Servers) server(k serverKey, f *wire.Frame, out *track.Out) *server {
	v := s.servers.Get(k)
	if v != nil {
		return v
	}
	bare := k
	bare.mac = wire.MAC{}
	if k == bare {
		s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
			if x := u.key; v == nil && x.id == k.id && x.vlan == k.vlan && x.face == k.face {
				v = u
			}
		})
		if v != nil {
			return v
		}
	}
	fresh := server{first: f.Time}
	if old := s.servers.Get(bare); old != nil {
		s.retract(old, out)
		fresh = *old
		fresh.verdict = nil
		s.servers.Delete(bare)
	}
	v = s.servers.Put(k)
	*v = fresh
	v.key = k
	return v
}

// evidence keeps the first frames of a server and its last one.
func (v *server) evidence(f *wire.Frame) {
	const most = 16
	if len(v.frames) < most {
		v.frames = append(v.frames, f.ID)
	} else {
		v.frames[most-1] = f.ID
	}
}

// client returns the record of a client, or nil.
func (v *server) client(mac wire.MAC) *served {
	for i := range v.served {
		if v.served[i].mac == mac {
			return &v.served[i]
		}
	}
	return nil
}

// serve returns the record of a client, a new one while there is room.
func (v *server) serve(mac wire.MAC, f *wire.Frame) *served {
	if mac.IsZero() {
		return nil
	}
	c := v.client(mac)
	if c == nil {
		if len(v.served) >= maxServed {
			v.more++
			return nil
		}
		v.served = append(v.served, served{mac: mac, first: f.Time})
		c = &v.served[len(v.served)-1]
	}
	c.last = f.Time
	const most = 8
	if len(c.frames) < most {
		c.frames = append(c.frames, f.ID)
	} else {
		c.frames[most-1] = f.ID
	}
	return c
}

func (c *served) node() finding.Endpoint { return finding.Endpoint{MAC: c.mac, Addr: c.addr} }

func (v *server) endpoint() finding.Endpoint {
	return finding.Endpoint{MAC: v.key.mac, Addr: v.key.id, Port: PortServer}
}

// sorted lists the servers in the order in which they appeared.
func (s *Servers) sorted() []*server {
	var all []*server
	s.servers.Each(func(_ serverKey, v *server, _ capture.Time) { all = append(all, v) })
	return all
}

// same reports whether two records are one server: under one id, with or
// without its MAC, or one machine with several addresses.
func same(a, b *server) bool {
	return a.key.id == b.key.id || !a.key.mac.IsZero() && a.key.mac == b.key.mac
}

// shareSegment reports whether two servers answer clients of one segment: both
// on it, or both through the same relay. A capture on "any" mixes networks, so
// there they must have answered one client.
func shareSegment(a, b *server) bool {
	switch {
	case a.key.vlan != b.key.vlan || a.key.face != b.key.face:
		return false
	case a.cooked || b.cooked:
		return slices.ContainsFunc(a.served, func(c served) bool { return b.client(c.mac) != nil })
	case a.local && b.local:
		return true
	}
	return slices.ContainsFunc(a.giaddrs, func(g wire.Addr) bool { return slices.Contains(b.giaddrs, g) })
}
