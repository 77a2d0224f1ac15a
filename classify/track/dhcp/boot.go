package dhcp

import (
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// An offer is what one server said to one search of a client. The same server
// repeats it for each DISCOVER.
type offer struct {
	server wire.Addr // option 54, or the sender
	mac    wire.MAC  // of the sender: the server, or the relay
	proxy  bool      // no address: a proxyDHCP server
	hash   uint64
	lease  *track.Lease
	cut    bool // options were cut away, what is missing is unknown

	first, last capture.Time
	count       int
	frame       capture.FrameID // the first
	lastFrame   capture.FrameID
	late        bool // after the REQUEST

	bootAware bool // option 60 is PXEClient
	useFile   bool // option 43 says to take the file without asking further
	servers   bool // option 43 lists boot servers

	failed []string // why a client may refuse it, see acceptance
	sums   [4]int   // of its datagrams, by wire.Sum

	outgoing bool // captured on the host that sent it
	control  int  // option 43.6, -1 when absent
	group    wire.Addr
}

// maxOffers bounds the servers remembered of one search: two that give
// addresses, two proxies; with more, the first ones say enough.
const maxOffers = 4

func (w *offer) endpoint() finding.Endpoint {
	e := finding.Endpoint{Addr: w.server, Port: PortServer}
	if w.lease.Relay.IsZero() {
		e.MAC = w.mac
	}
	return e
}

// sameSource reports whether two offers are of one server: by its identifier, or
// by its Ethernet address unless that is a relay's.
func (w *offer) sameSource(v *offer) bool {
	return w.server == v.server || w.mac == v.mac && !w.mac.IsZero() && w.lease.Relay.IsZero() && v.lease.Relay.IsZero()
}

// offerOf returns the record of an OFFER in b, and whether its content is new.
// It returns nil when there are too many.
func (b *burst) offerOf(f *wire.Frame, m Message, o *Options) (w *offer, fresh bool) {
	server := o.Addr(OptServerID)
	if server.IsZero() {
		server = f.Src
	}
	proxy := m.YIAddr().IsZero()
	for _, v := range b.offers {
		if v.server == server && v.mac == f.SrcMAC && v.proxy == proxy {
			w = v
		}
	}
	h := content(m)
	switch {
	case w == nil && len(b.offers) >= maxOffers:
		return nil, false
	case w == nil:
		w = &offer{server: server, mac: f.SrcMAC, proxy: proxy, first: f.Time, frame: f.ID}
		b.offers = append(b.offers, w)
	case w.hash == h:
		return w, false
	}
	w.hash = h
	w.cut = o.Cut()
	w.lease = NewLease(f, m, o)
	w.lease.Server = server
	pxe, isPXE := replyPXE(o)
	w.bootAware = bootAware(o)
	w.useFile = isPXE && pxe.HasControl && pxe.Control&UseBootFile != 0
	w.servers = isPXE && len(pxe.Servers) > 0
	w.control, w.group = -1, pxe.Multicast
	if pxe.HasControl {
		w.control = int(pxe.Control)
	}
	w.failed = acceptance(f, m, o, b)
	return w, true
}

// content is a digest of all of a reply that may matter to a client: not its
// transaction id, nor its secs.
func content(m Message) uint64 {
	return fold(fold(hashStart, m[offFlags:offCHAddr]), m[min(offSName, len(m)):])
}

// chosen is the offer with an address that matters: the one of a server, or
// the first with boot information, or the first. nil when there is none.
func (b *burst) chosen(server wire.Addr) *offer {
	var best *offer
	for _, w := range b.offers {
		switch {
		case w.proxy || w.late:
		case !server.IsZero() && w.server == server:
			return w
		case best == nil || w.lease.BootInfo && !best.lease.BootInfo:
			best = w
		}
	}
	if !server.IsZero() && (best == nil || best.server != server) {
		return nil
	}
	return best
}

// proxy is the proxy's offer that a client would use: one that names a file
// before one that has to be asked on port 4011.
func (b *burst) proxy() *offer {
	var best *offer
	for _, w := range b.offers {
		if w.proxy && !w.late && (best == nil || w.lease.File != "" && best.lease.File == "") {
			best = w
		}
	}
	return best
}

// merge is a lease as the node will use it: what the server gave, who the
// client is and, with offers, the boot information of those it collected, in
// the order in which PXE clients choose (PXE specification 2.1 section 2.2.3;
// edk2's PxeBcDhcp4.c): the server's own file when option 43 says to take it,
// else a proxy's file, else the server's own.
func (c *client) merge(given *track.Lease, offers bool) *track.Lease {
	l := new(track.Lease)
	*l = *given
	if c.said != nil {
		l.Arch, l.Kind, l.Class, l.UserClass = c.said.Arch, c.said.Kind, c.said.Class, c.said.UserClass
		if l.Hostname == "" {
			l.Hostname = c.said.Hostname
		}
	}
	if l.MAC.IsZero() {
		l.MAC = c.mac
	}
	if !offers {
		return l
	}
	own := c.burst.chosen(given.Server)
	if own != nil && !l.BootInfo && own.lease.BootInfo {
		takeBoot(l, own.lease) // an ACK may leave out what the OFFER said
	}
	p := c.burst.proxy()
	switch {
	case p == nil || own != nil && own.useFile && l.File != "":
	case p.lease.File != "" || p.servers || l.File == "" && p.lease.BootInfo:
		takeBoot(l, p.lease)
	default:
		l.BootServers = addServers(l.BootServers, p.lease.BootServers)
	}
	return l
}

// takeBoot puts the boot information of from before that of l.
func takeBoot(l, from *track.Lease) {
	if from.File != "" {
		l.File = from.File
	}
	if !from.NextServer.IsZero() || from.ServerName != "" {
		l.NextServer, l.ServerName = from.NextServer, from.ServerName
	}
	l.BootServers = addServers(slices.Clone(from.BootServers), l.BootServers)
	l.BootInfo = l.BootInfo || from.BootInfo || from.File != ""
}

// addServers appends what list does not have, within maxBootServers.
func addServers(list, more []wire.Addr) []wire.Addr {
	for _, a := range more {
		if len(list) < maxBootServers && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// replyPXE is option 43 of a reply where it is PXE's.
func replyPXE(o *Options) (PXE, bool) {
	if !bootAware(o) {
		return PXE{}, false
	}
	return ParsePXE(o.Get(OptVendorSpecific))
}
