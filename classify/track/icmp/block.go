package icmp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A blockKey is a client, what it wanted, and who rejects it. The client's
// port is left out: it is another one for each try.
type blockKey struct {
	client, server, by wire.Addr
	port               uint16
	proto              uint8
	reply              bool // the server's packet was rejected
	why                reason
}

// A block is what was rejected so far.
type block struct {
	service, name string
	boot          bool
	count, told   int
	first, last   capture.Time
	typ, code     uint8
	from          wire.MAC // of the ICMP frame: the device or the router before it
	node          finding.Endpoint
	server        finding.Endpoint
	more          bool // other servers too
	vlan          uint16
	iface         int
	frames        [keptFrames]capture.FrameID
}

const keptFrames = 8

// rejected reads an ICMP error.
func (t *tracker) rejected(f *wire.Frame, why reason, out *track.Out) {
	q := f.ICMP.Quote
	if q.SrcPort == 0 || q.DstPort == 0 || f.Src == q.Src || q.Dst.IsMulticast() {
		return
	}
	own := f.Src == q.Dst
	if own && why != reasonProhibited {
		return // nothing listens there: the protocol's own finding
	}
	id, toServer := t.services.Of(q, f.Time)
	if id == "" {
		return
	}
	k := blockKey{client: q.Src, server: q.Dst, by: f.Src, port: q.DstPort, proto: q.Proto, why: why}
	if !toServer {
		if own || why != reasonProhibited && why != reasonNet {
			return // the client closed the port, is off, or its NAT forgot it
		}
		k.client, k.server, k.port, k.reply = q.Dst, q.Src, q.SrcPort, true
	}
	server := k.server
	if why == reasonNet {
		k.server = wire.Addr{} // no route: one finding for all that lies behind it
	}
	b := t.blocks.Get(k)
	if b == nil {
		b = t.blocks.Put(k)
		t.begin(b, k, server, id, q, f)
	}
	b.more = b.more || b.server.Addr != server
	b.frames[min(b.count, keptFrames-1)] = f.ID
	b.count++
	b.last = f.Time
	if b.count == 1 || b.count >= 2*b.told {
		t.report(k, b, out)
	}
}

func (t *tracker) begin(b *block, k blockKey, server wire.Addr, id string, q wire.Flow, f *wire.Frame) {
	b.service, b.first, b.typ, b.code, b.from = id, f.Time, f.ICMP.Type, f.ICMP.Code, f.SrcMAC
	b.vlan, b.iface = f.VLAN(), f.Iface
	if v := t.services.By(id); v != nil {
		b.name, b.boot = v.Name, v.In(catalog.Provisioning)
	}
	b.node, b.server = finding.Endpoint{Addr: k.client}, finding.Endpoint{Addr: server, Port: k.port}
	if k.reply {
		b.node.Port = q.DstPort
		if f.HasDstMAC {
			b.server.MAC = f.DstMAC
		}
		return
	}
	b.node.Port = q.SrcPort
	if f.HasDstMAC {
		b.node.MAC = f.DstMAC
	}
}

func (t *tracker) report(k blockKey, b *block, out *track.Out) {
	b.told = b.count
	to := netip.AddrPortFrom(b.server.Addr.Netip(), k.port).String()
	subject := to
	if k.why == reasonNet {
		subject = fmt.Sprintf("port %d", k.port)
	}
	f := finding.Finding{
		Rule: RuleBlocked, Subject: fmt.Sprintf("%s %s by %s", transport(k.proto), subject, k.by),
		Severity: finding.Error, Confidence: finding.Certain,
		Node: b.node, Server: b.server, VLAN: b.vlan, Iface: b.iface,
		First: b.first, Last: b.last, Frames: slices.Clone(b.frames[:min(b.count, keptFrames)]),
	}
	routed := k.why == reasonHost || k.why == reasonNet
	if k.why != reasonProhibited {
		f.Confidence = finding.Likely
	}
	dual := k.why == reasonNet && !k.client.Is4() // IPv4 is what the client falls back to
	if !b.boot || routed && b.count == 1 || dual || len(t.site.NodeNets) > 0 && !site.In(t.site.NodeNets, k.client) {
		f.Severity = finding.Warning
	}
	name := b.name
	if name == "" {
		name = b.service
	}
	what, whose := "packets", "to"
	if k.reply {
		what, whose = "replies", "from"
	}
	switch {
	case k.why == reasonNet:
		f.Summary = fmt.Sprintf("%s has no route for %s %s %s (%s)", k.by, what, whose, to, name)
		if b.more {
			f.Summary += " and other addresses"
		}
		f.Next = fmt.Sprintf("Look at the routes of %s; the node's gateway may be the wrong one.", k.by)
	case k.why == reasonHost:
		f.Summary = fmt.Sprintf("%s says that it cannot reach %s: packets to %s (%s) do not arrive", k.by, k.server, to, name)
		f.Next = fmt.Sprintf("Is %s on, and in the network where %s looks for it?", k.server, k.by)
	default:
		f.Summary = fmt.Sprintf("%s rejects %s %s %s (%s): %s", k.by, what, whose, to, name, k.why)
	}
	f.Facts = []finding.Fact{
		{Key: "icmp_from", Value: k.by.String()}, {Key: "icmp_type", Value: int(b.typ)}, {Key: "icmp_code", Value: int(b.code)},
		{Key: "reason", Value: k.why.String()}, {Key: "service", Value: b.service}, {Key: "transport", Value: transport(k.proto)},
		{Key: "server_port", Value: int(k.port)}, {Key: "rejected", Value: b.count},
	}
	if k.reply {
		f.Facts = append(f.Facts, finding.Fact{Key: "direction", Value: "reply"})
	}
	if !b.from.IsZero() {
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp_from_mac", Value: b.from.String()})
	}
	out.Find(f)
}

func transport(proto uint8) string {
	if proto == wire.ProtoTCP {
		return "tcp"
	}
	return "udp"
}
