package dhcp

import (
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A txnKey is what pairs a reply with its request. The transaction id alone
// does not: firmware derives it from the end of its MAC address, and xCAT's
// probe always uses the same one (RFC 2131 section 4.1).
type txnKey struct {
	xid uint32
	hw  hwAddr
}

// A txn is what was seen under one transaction id of one client.
type txn struct {
	seen      typeSet
	bootp     uint8 // requests and replies without a type: 1 << op
	requested bool  // home holds where the client's own request was seen
	home      uint16
	viaSet    bool
	via       [4]byte // giaddr under which this transaction's tries are counted
	relay     [4]byte // giaddr of the last relayed sighting
	secs      uint16
	lastTry   capture.Time
	offerAt   capture.Time // the last OFFER or ACK with an address, in file order
}

// A typeSet is a set of message types below 32.
type typeSet uint32

func (s *typeSet) add(t Type)                { *s |= 1 << (t & 31) }
func (s typeSet) has(t Type) bool            { return s&(1<<t) != 0 }
func (s typeSet) lacks(types ...Type) bool   { return !s.any(types...) }
func (s typeSet) any(types ...Type) (b bool) { return slices.ContainsFunc(types, s.has) }

// relaySighting is how far apart two sightings of one try on both sides of a
// relay may be when the far side was captured first.
const relaySighting = time.Second

// try reports whether a request is a new try of its client. The same message
// is also seen behind a relay, with giaddr set, and behind a second relay on
// the same segment (RFC 1542 section 4.1.1): that is one try.
func (x *txn) try(f *wire.Frame, m Message) bool {
	gi := m.GIAddr().As4()
	if gi != ([4]byte{}) {
		x.relay = gi
	}
	again := false
	switch {
	case !x.viaSet:
		x.viaSet, x.via = true, gi
	case gi == x.via:
	case gi == [4]byte{}:
		again = f.Time.Sub(x.lastTry) < relaySighting && m.Secs() == x.secs
		x.via = gi
	default:
		return false
	}
	x.requested, x.home = true, f.VLAN()
	x.lastTry, x.secs = f.Time, m.Secs()
	return !again
}

// transactions does the plain arithmetic of report-json's "dhcp4".
type transactions struct {
	table   *track.Table[txnKey, txn]
	evicted uint64 // while a reply could still have changed the count

	messages [256]uint64 // by type
	bootp    [3]uint64   // without a type, by op
	cut      uint64      // without a type because of the snap length
	relayed  uint64
	total    uint64
	servers  map[[4]byte]struct{}

	gone unanswered // of evicted transactions
}

type unanswered struct{ discover, request uint64 }

// maxServers bounds the servers listed; a rogue that makes up its server id
// for each message must not fill memory.
const maxServers = 4096

func (t *transactions) init() {
	t.servers = make(map[[4]byte]struct{})
	t.table = track.NewTable(maxTransactions, func(_ txnKey, x *txn) {
		if t.gone.add(x) {
			t.evicted++
		}
	})
}

// add counts x and reports whether it is unanswered.
func (u *unanswered) add(x *txn) bool {
	d := x.seen.has(Discover) && x.seen.lacks(Offer, Ack)
	r := x.seen.has(Request) && x.seen.lacks(Ack, Nak)
	if d {
		u.discover++
	}
	if r {
		u.request++
	}
	return d || r
}

func (t *transactions) get(xid uint32, hw hwAddr) *txn { return t.table.Get(txnKey{xid, hw}) }

// message counts m and returns its transaction, valid until the next message.
func (t *transactions) message(f *wire.Frame, m Message, o *Options, hw hwAddr) *txn {
	k := txnKey{m.XID(), hw}
	x := t.table.Get(k)
	if x == nil {
		x = t.table.Put(k)
		t.total++
	}
	if !m.GIAddr().IsZero() {
		t.relayed++
	}
	typ := o.Type()
	switch {
	case typ != 0:
		t.messages[typ]++
		if typ < 32 {
			x.seen.add(typ)
		}
	case o.Cut():
		t.cut++
	default:
		t.bootp[m.Op()]++
		x.bootp |= 1 << m.Op()
	}
	if typ == Offer || typ == Ack {
		if id := o.Addr(OptServerID); !id.IsZero() && len(t.servers) < maxServers {
			t.servers[id.As4()] = struct{}{}
		}
		if !m.YIAddr().IsZero() {
			x.offerAt = f.Time
		}
	}
	return x
}

func (t *transactions) count(c *track.DHCP4Counts) {
	if c.Messages == nil {
		c.Messages = make(map[string]uint64)
	}
	add := func(name string, n uint64) {
		if n > 0 {
			c.Messages[name] += n
		}
	}
	for typ, n := range t.messages {
		add(Type(typ).String(), n)
	}
	add("BOOTREQUEST", t.bootp[BootRequest])
	add("BOOTREPLY", t.bootp[BootReply])
	add("CUT", t.cut)
	c.Relayed += t.relayed
	c.Transactions += t.total
	u := t.gone
	t.table.Each(func(_ txnKey, x *txn, _ capture.Time) { u.add(x) })
	c.DiscoverUnanswered += u.discover
	c.RequestUnanswered += u.request
	for s := range t.servers {
		c.Servers = append(c.Servers, wire.Addr4(s).String())
	}
	slices.Sort(c.Servers)
}
