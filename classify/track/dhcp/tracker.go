package dhcp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Limits of the state. A client takes 2 KB, 6 KB when four servers and as many
// steps of its boot are remembered, a transaction about 150 bytes: 80 MB with
// all tables full of ordinary clients, 200 MB at the very worst.
const (
	maxTransactions = 1 << 16
	maxAddresses    = 1 << 14 // address to client
)

// A place is the table that a client is in: a flood of made-up addresses fills
// the first one and pushes out other strangers only.
type place uint8

const (
	stranger    place = iota
	persistent        // nobody answered, and it asked again, as attackers hardly do
	leaseholder       // got an ACK: only a server's pool can fill this one
	numPlaces
)

var maxClients = [numPlaces]int{1 << 14, 1 << 12, 1 << 14}

type tracker struct {
	cfg *track.Config
	th  *site.Thresholds
	opt Options

	servers      *Servers
	transactions transactions
	clients      [numPlaces]*track.Table[clientKey, *client]
	addrs        *track.Table[addrKey, clientKey]
	spare        *client // the last one evicted, to be used again
	evicted      uint64  // clients dropped with something still to be judged

	awaited    int  // clients whose next step would take a finding back
	sawTraffic bool // something else than DHCP was captured, so it could be
	noOffers   noOfferReports
	relays     relays
	offload    offload
}

// An addrKey finds a client by its address. Addresses repeat across VLANs.
type addrKey struct {
	addr wire.Addr
	vlan uint16
}

func newTracker(cfg *track.Config) *tracker {
	t := &tracker{cfg: cfg, th: &cfg.Site.Thresholds, servers: newServers(cfg)}
	t.transactions.init()
	evict := func(_ clientKey, c **client) { t.evict(*c) }
	for s := range t.clients {
		t.clients[s] = track.NewTable(maxClients[s], evict)
	}
	t.addrs = track.NewTable[addrKey, clientKey](maxAddresses, nil)
	return t
}

func (t *tracker) evict(c *client) {
	if c.deadline() != track.Never {
		t.evicted++
	}
	t.stopAwaiting(c)
	t.spare = c
}

// Frame implements track.Tracker.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	switch {
	case f.ARP.Op != 0:
		t.arp(f, out)
	case f.IPVersion == 0:
		t.servers.Link(f, out)
	case f.Proto == wire.ProtoICMP:
		t.icmp(f, out)
	case f.Proto != wire.ProtoUDP:
	case track.IsDHCPPort(f.SrcPort) || track.IsDHCPPort(f.DstPort):
		t.datagram(f, out)
	case f.DstPort == portTFTP:
		t.sawTraffic = true
		t.uses(f, f.SrcMAC, f.Src, out)
		t.alive(f.SrcMAC, f.Src, f.VLAN(), out)
	}
	return true
}

// isBOOTP reports whether f uses a port below 1024 that is DHCP's alone.
func isBOOTP(f *wire.Frame) bool {
	return f.DstPort == PortServer || f.DstPort == PortClient || f.SrcPort == PortServer || f.SrcPort == PortClient
}

func (t *tracker) datagram(f *wire.Frame, out *track.Out) {
	m := Message(f.Payload)
	if !m.Valid() {
		return
	}
	if f.Fragment == wire.First {
		// The datagram is read when its last fragment comes; should that be
		// lost, a reply was sent all the same.
		if m.Op() == BootReply && !f.Copy {
			t.halfReply(f, m)
		}
		return
	}
	if !isBOOTP(f) && !m.HasCookie() && !f.Cut() {
		return // port 4011 is also some client's ephemeral port
	}
	t.opt.Parse(m, f.PayloadLen)
	o := &t.opt
	hw := hardware(m, o)
	x := t.transactions.message(f, m, o, hw)
	if f.Copy {
		t.sighting(f, m, o, hw, x)
		return
	}
	t.servers.Message(f, m, o, out)
	switch {
	case o.Type() == 0 && o.Cut():
		if m.Op() == BootReply {
			t.halfReply(f, m)
		}
	case m.Op() == BootRequest:
		t.request(f, m, o, hw, x, out)
	default:
		t.reply(f, m, o, hw, x, out)
	}
}

// halfReply is a reply of which only the fixed fields are known. It proves
// that somebody answers this client.
func (t *tracker) halfReply(f *wire.Frame, m Message) {
	hw := hardware(m, nil)
	c := t.replyTo(f, hw, m.XID(), t.transactions.get(m.XID(), hw))
	if c == nil {
		return
	}
	c.burst.unreadable = true
	c.burst.waiting.clear()
	for _, a := range c.attempts {
		if a != nil && a.xid == m.XID() {
			a.waiting.clear()
			a.unreadable = true
		}
	}
	t.schedule(c)
}

// Deadline implements track.Tracker.
func (t *tracker) Deadline() capture.Time {
	return min(t.clients[stranger].Deadline(), t.clients[persistent].Deadline(), t.clients[leaseholder].Deadline())
}

// Expire implements track.Tracker.
func (t *tracker) Expire(now capture.Time, out *track.Out) {
	expired := func(_ clientKey, v **client, at capture.Time) {
		c := *v
		t.overdue(c, at, out)
		t.schedule(c)
	}
	for {
		at := t.Deadline()
		if at > now {
			return
		}
		for _, c := range t.clients {
			if c.Deadline() == at {
				c.Expire(at, expired)
				break
			}
		}
	}
}

// overdue judges whatever of c has reached its deadline.
func (t *tracker) overdue(c *client, now capture.Time, out *track.Out) {
	t.burstOverdue(c, now, out)
	for _, a := range c.attempts {
		if a != nil && a.waiting.next() <= now {
			t.attemptOverdue(c, a, now, out)
		}
	}
	t.nakOverdue(c, now, out)
	t.loadOverdue(c, now, out)
}

// Finish implements track.Tracker.
func (t *tracker) Finish(end capture.Time, out *track.Out) {
	finish := func(_ clientKey, v **client, _ capture.Time) {
		t.burstFinish(*v, end, out)
		for _, a := range (*v).attempts {
			if a != nil {
				t.attemptFinish(*v, a, end, out)
			}
		}
		t.nakFinish(*v, out)
		t.loadFinish(*v, out)
	}
	for s := numPlaces; s > 0; s-- {
		t.clients[s-1].Each(finish)
	}
	t.noOffers.finish(out)
	t.servers.Finish(end, out)
}

// Count implements track.Tracker.
func (t *tracker) Count(c *track.Counts) { t.transactions.count(&c.DHCP4) }

// Evicted implements track.Tracker.
func (t *tracker) Evicted() uint64 {
	return t.evicted + t.transactions.evicted + t.servers.Evicted()
}

// endpoint is c as the node of a finding or the client of an exchange.
func (c *client) endpoint() finding.Endpoint {
	return finding.Endpoint{MAC: c.mac, Addr: c.addr, Port: PortClient}
}
