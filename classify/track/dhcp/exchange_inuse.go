package dhcp

import (
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// uses notes that a machine speaks from an address. A client that asked a
// server for it got its ACK then, whether the capture could show that unicast
// or not (RFC 2131 sections 4.1 and 4.4.1).
func (t *tracker) uses(f *wire.Frame, mac wire.MAC, addr wire.Addr, out *track.Out) {
	k := clientKey{vlan: f.VLAN()}
	copy(k.hw[:], mac[:])
	c := t.lookup(k)
	if c == nil {
		return
	}
	a := c.attempts[opRequest]
	if a == nil || a.done || a.unreadable || a.tries == 0 || a.state != selecting || a.asked != addr {
		return
	}
	given := &track.Lease{MAC: c.mac, Arch: -1, Server: a.server.Addr}
	if w := c.burst.chosen(a.server.Addr); w != nil && w.server == a.server.Addr {
		*given = *w.lease
	}
	given.Addr = addr
	l := c.merge(given, t.justSearched(c, a, false))
	t.remember(c, addr)
	t.answer(f, c, a, out)
	x := t.attemptExchange(c, a, track.Answered, f.Time)
	x.Lease, x.Detail = l, "the ACK was not captured, the client uses the address"
	out.Exchange(x)
	c.lease = l
	t.promote(c, leaseholder)
	t.acked(c, out)
	t.schedule(c)
}
