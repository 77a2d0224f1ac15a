package dhcp

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// An hwAddr is chaddr, all 16 bytes of it, zero behind its length. Where a
// client has none (IPoIB, RFC 4390 section 2.1) it is a digest of its client id.
type hwAddr [16]byte

// hardware reads the address that names the client; o may be nil.
func hardware(m Message, o *Options) (hw hwAddr) {
	n := min(int(m.HLen()), len(hw))
	copy(hw[:n], m[offCHAddr:])
	if n > 0 || o == nil {
		return hw
	}
	if id := o.Get(OptClientID); len(id) > 0 {
		h := fnv.New64a()
		h.Write(id)
		binary.BigEndian.PutUint64(hw[8:], h.Sum64())
		hw[0] = 0xff // no vendor's prefix
	}
	return hw
}

// A clientKey is one machine's interface on one VLAN.
type clientKey struct {
	hw   hwAddr
	vlan uint16
}

// A client is what is known of one machine: what it asks for now, and what it
// was given.
type client struct {
	key    clientKey
	mac    wire.MAC
	addr   wire.Addr // acknowledged, or the one it claims
	iface  int
	place  place // names the table that it is in
	posted posts

	said     *track.Lease // what it last said of itself
	saidHash uint64
	probed   bool // it looked for servers with probeXID, taking no address
	probeXID uint32

	burst    burst
	past     []history        // unanswered bursts, by kind
	attempts [numOps]*attempt // nil until the first
	nak      nak
	lease    *track.Lease // of the last ACK, with the proxies' boot information
	load     loadWatch
	proxied  proxied
	sights   sights
}

// posts are the findings of normal behaviour that were already made, once for
// each client.
type posts uint8

const (
	postOK posts = 1 << iota
	postPingCheck
	postIPXEWaiting
	postUEFICollecting
	postRenew
	postProbe
	postOffRack
)

// once reports whether p was not posted yet, and marks it.
func (c *client) once(p posts) bool {
	if c.posted&p != 0 {
		return false
	}
	c.posted |= p
	return true
}

func (c *client) kind() track.ClientKind {
	if c.said == nil {
		return track.ClientOther
	}
	return c.said.Kind
}

func (t *tracker) lookup(k clientKey) *client {
	for s := numPlaces; s > 0; s-- {
		if c := t.clients[s-1].Get(k); c != nil {
			return *c
		}
	}
	return nil
}

// client returns the client of a request, new if need be.
func (t *tracker) client(f *wire.Frame, m Message, hw hwAddr, vlan uint16) *client {
	k := clientKey{hw, vlan}
	c := t.lookup(k)
	if c == nil {
		if c = t.spare; c == nil {
			c = new(client)
		}
		t.spare = nil
		slot := t.clients[stranger].Put(k) // may evict, and so set spare
		*c = client{key: k, mac: m.CHAddr(), iface: f.Iface}
		*slot = c
	}
	return c
}

// replyTo finds the client that a reply is for: on the reply's own VLAN, or
// where its request was seen, for a reply on the far side of a relay and for a
// mirror port that shows tags in one direction only. It returns nil when no
// request of such a client was seen.
func (t *tracker) replyTo(f *wire.Frame, hw hwAddr, xid uint32, x *txn) *client {
	c := t.lookup(clientKey{hw, f.VLAN()})
	if c != nil && c.expects(xid) {
		return c
	}
	if x != nil && x.requested && x.home != f.VLAN() {
		if home := t.lookup(clientKey{hw, x.home}); home != nil {
			return home
		}
	}
	return c
}

// expects reports whether c sent a request with this transaction id lately.
func (c *client) expects(xid uint32) bool {
	if c.burst.has(xid) {
		return true
	}
	for _, a := range c.attempts {
		if a != nil && a.xid == xid {
			return true
		}
	}
	return false
}

// promote moves c to the clients that are at least so well known.
func (t *tracker) promote(c *client, to place) {
	if c.place >= to {
		return
	}
	t.clients[c.place].Delete(c.key)
	c.place = to
	*t.clients[to].Put(c.key) = c
	t.schedule(c)
}

// remember lets c be found by its address.
func (t *tracker) remember(c *client, a wire.Addr) {
	if a.IsZero() || a == c.addr {
		return
	}
	c.addr = a
	*t.addrs.Put(addrKey{a, c.key.vlan}) = c.key
}

func (t *tracker) byAddr(a wire.Addr, vlan uint16) *client {
	if k := t.addrs.Get(addrKey{a, vlan}); k != nil {
		return t.lookup(*k)
	}
	return nil
}

// listen takes over what a request says of its client.
func (c *client) listen(f *wire.Frame, m Message, o *Options) {
	h := fold(fold(fold(fold(hashStart, o.Get(OptVendorClass)), o.Get(OptUserClass)), o.Get(OptClientArch)), o.Get(OptHostName))
	if o.Has(OptIPXE) {
		h ^= 1
	}
	if c.said != nil && c.saidHash == h {
		return
	}
	c.said, c.saidHash = NewLease(f, m, o), h
	c.said.Server = wire.Addr{} // a REQUEST names one, the client has none yet
}

const (
	hashStart = 0xcbf29ce484222325
	hashPrime = 0x9e3779b97f4a7c15
)

// fold adds b and its length to a hash, so that parts stay apart.
func fold(h uint64, b []byte) uint64 {
	mix := func(x uint64) {
		h = (h ^ x) * hashPrime
		h ^= h >> 29
	}
	mix(uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		mix(binary.LittleEndian.Uint64(b))
	}
	for _, x := range b {
		mix(uint64(x))
	}
	return h
}

// schedule sets when the tracker next has to look at c.
func (t *tracker) schedule(c *client) {
	t.clients[c.place].SetDeadline(c.key, c.deadline())
}

func (c *client) deadline() capture.Time {
	at := min(c.burst.deadline(), c.nak.at(), c.load.at())
	for _, a := range c.attempts {
		if a != nil {
			at = min(at, a.waiting.next())
		}
	}
	return at
}
