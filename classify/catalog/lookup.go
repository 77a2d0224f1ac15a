package catalog

// An Entry is what a port's table says of it, packed for one load: the Index
// in the low byte, flags, and the rank in the top four bits. The kernel's
// counter uses the same tables and the same comparison.
type Entry uint16

// Flags of an Entry.
const (
	entryShared Entry = 1 << 8  // other services claim the port too: Refine
	entrySplit  Entry = 1 << 9  // the other port decides between services: Splits
	entryClient Entry = 1 << 10 // the client's own port
	rankShift         = 12
)

// Ranks decide which side of a packet is the server when both ports are in the
// catalog: the higher one, the destination when they are equal. They follow
// from who binds which ports. Ports below 512 belong to servers alone. Clients
// of RPC and rsh bind ports of 512-1023, so the servers they call rank above
// the other services there: 782 -> 2049 is NFS, and so is its reply, although
// 782 is conserver's. Any port from 1024 on may be someone's ephemeral port
// (iPXE draws from all of them).
const (
	rankListed     Entry = 1 + iota // not expected on the wire
	rankClient                      // the client's own port, as 68
	rankHigh                        // 1024 and above
	rankReserved                    // 512-1023
	rankCalled                      // the same, of a service whose clients bind reserved ports: 514
	rankCalledHigh                  // 1024 and above, of such a service: 2049
	rankLow                         // below 512
)

// Index is the service that owns the port.
func (e Entry) Index() Index { return Index(e) }

// Rank is the entry's weight against the other port's, 0 for a port of no service.
func (e Entry) Rank() uint8 { return uint8(e >> rankShift) }

// Client reports whether it is the client that listens on the port.
func (e Entry) Client() bool { return e&entryClient != 0 }

// IsSplit reports whether the other port decides the service; see Splits.
func (e Entry) IsSplit() bool { return e&entrySplit != 0 }

// IsShared reports whether Refine may know better.
func (e Entry) IsShared() bool { return e&entryShared != 0 }

// A Split gives a port to another service for some ports of the other side:
// tcp/514 is rsh for clients on 1-1023 and syslog for the rest.
type Split struct {
	Proto   Proto
	Port    uint16
	Clients Range
	Service Index
}

// Splits are all splits. Where two match, the first one counts.
func (c *Catalog) Splits() []Split { return c.splits }

// Table is the port table of a protocol, nil for one without ports. It is the
// catalog's own: do not change it.
func (c *Catalog) Table(proto uint8) *[1 << 16]Entry {
	switch Proto(proto) {
	case UDP:
		return &c.udp
	case TCP:
		return &c.tcp
	}
	return nil
}

func (c *Catalog) taken(p Proto) *[1 << 16 / 64]uint64 {
	if p == UDP {
		return &c.takenUDP
	}
	return &c.takenTCP
}

// Lookup is the service of a packet and whether the packet goes to its server;
// None and false when neither port is in the catalog. It allocates nothing.
//
// When both ports are in the catalog, the side with the higher rank is the
// server's, the destination when they are equal (DHCP relays 67 -> 67, BINL
// 4011 -> 4011, NTP 123 -> 123: the message itself knows better).
func (c *Catalog) Lookup(proto uint8, srcPort, dstPort uint16) (i Index, toServer bool) {
	var t *[1 << 16]Entry
	var taken *[1 << 16 / 64]uint64
	switch Proto(proto) {
	case UDP:
		t, taken = &c.udp, &c.takenUDP
	case TCP:
		t, taken = &c.tcp, &c.takenTCP
	default:
		return None, false
	}
	var e, s Entry
	if taken[dstPort>>6]>>(dstPort&63)&1 != 0 {
		e = t[dstPort]
	}
	if taken[srcPort>>6]>>(srcPort&63)&1 != 0 {
		s = t[srcPort]
	}
	other, toServer := srcPort, true
	if s>>rankShift > e>>rankShift {
		e, other, toServer = s, dstPort, false
	}
	if e&(entrySplit|entryClient) != 0 {
		return c.special(Proto(proto), e, other, srcPort, dstPort, toServer)
	}
	return Index(e), toServer && e != 0
}

// Port is the port by which Lookup decided: the catalog's side of the
// conversation, in both directions. 0 when neither port is in the catalog.
func (c *Catalog) Port(proto uint8, srcPort, dstPort uint16) uint16 {
	t := c.Table(proto)
	switch {
	case t == nil || t[srcPort]|t[dstPort] == 0:
		return 0
	case t[srcPort].Rank() > t[dstPort].Rank():
		return srcPort
	}
	return dstPort
}

func (c *Catalog) special(proto Proto, e Entry, other, srcPort, dstPort uint16, toServer bool) (Index, bool) {
	port := dstPort
	if !toServer {
		port = srcPort
	}
	if e&entryClient != 0 {
		toServer = !toServer
	}
	if e&entrySplit != 0 {
		for _, s := range c.splits {
			if s.Proto == proto && s.Port == port && s.Clients.Contains(other) {
				return s.Service, toServer
			}
		}
	}
	return Index(e), toServer
}
