package classify

import (
	"slices"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// services tells the service of each frame and counts by service.
type services struct {
	cat     *catalog.Catalog
	site    *site.Site
	roles   bool // some roles are told, so shared ports can be told apart
	byFrame []frameKind
	follow  [catalog.MaxServices + 1]bool
	count   [catalog.MaxServices + 1]serviceCount
}

type serviceCount struct {
	packets, bytes, toServer uint64
}

type frameKind struct {
	catalog.FrameKind
	index catalog.Index
}

func newServices(c *catalog.Catalog, s *site.Site, phase, platform string) *services {
	v := &services{cat: c, site: s, roles: len(s.BMCNets)+len(s.Racks)+len(s.Regions) > 0}
	for _, x := range c.Services() {
		v.follow[x.Index] = (phase == "" || x.In(catalog.Phase(phase))) && x.On(catalog.Platform(platform))
		for _, k := range x.Frames {
			v.byFrame = append(v.byFrame, frameKind{k, x.Index})
		}
		// Traffic on unknown ports may be TFTP data, or RPC on a port that
		// portmap told before the capture began.
		if v.follow[x.Index] && (x.ID == "tftp" || len(x.Programs) > 0) {
			v.follow[catalog.None] = true
		}
	}
	return v
}

// of is the service of f by its ports, whether f goes to the server, and
// whether the trackers should see f.
func (v *services) of(f *wire.Frame) (svc catalog.Index, toServer, follow bool) {
	switch {
	case f.Proto == wire.ProtoUDP || f.Proto == wire.ProtoTCP:
		svc, toServer = v.cat.Lookup(f.Proto, f.SrcPort, f.DstPort)
		if f.Proto == wire.ProtoUDP && track.IsDHCPPort(f.SrcPort) && track.IsDHCPPort(f.DstPort) && len(f.Payload) > 0 {
			toServer = f.Payload[0] == 1 // relays and BINL use one port on both sides: op tells (RFC 2131 section 2)
		}
		if v.roles && svc != catalog.None {
			svc = v.refine(f, svc, toServer)
		}
	case f.Stop != wire.StopNone && f.Stop != wire.StopEtherType && f.Stop != wire.StopLLC && f.Stop != wire.StopIPProto:
	default:
		svc, toServer = v.frame(f)
	}
	// ARP, ICMP and what the switch sends are evidence in every phase.
	return svc, toServer, v.follow[svc] || f.Proto != wire.ProtoUDP && f.Proto != wire.ProtoTCP
}

func (v *services) refine(f *wire.Frame, svc catalog.Index, toServer bool) catalog.Index {
	client, server, port := f.Src, f.Dst, f.DstPort
	if !toServer {
		client, server, port = f.Dst, f.Src, f.SrcPort
	}
	return v.cat.Refine(svc, f.Proto, port, track.RoleOf(v.site, client), track.RoleOf(v.site, server))
}

// frame recognizes traffic without ports: LLDP, STP, router advertisements.
func (v *services) frame(f *wire.Frame) (catalog.Index, bool) {
	for i := range v.byFrame {
		k := &v.byFrame[i]
		switch {
		case k.EtherType != 0:
			if f.EtherType == k.EtherType {
				return k.index, f.ARP.Op != 2
			}
		case k.ICMP.Proto != 0:
			if f.Proto == k.ICMP.Proto && f.Stop == wire.StopNone && f.ICMP.Type >= k.ICMP.First && f.ICMP.Type <= k.ICMP.Last {
				return k.index, true
			}
		}
	}
	return catalog.None, false
}

// add counts f for svc.
func (v *services) add(f *wire.Frame, svc catalog.Index, toServer bool) {
	c := &v.count[svc] // of None too, without a branch that nobody can predict
	c.packets++
	c.bytes += uint64(f.WireLen)
	c.toServer += count(toServer)
}

// expected is the service that an expectation names, which knows better than
// the ports: it was agreed in the traffic.
func (v *services) expected(f *wire.Frame, x *track.Expectation) (catalog.Index, bool) {
	i := x.Index()
	if i == catalog.None {
		return catalog.None, false
	}
	toServer := f.DstPort == x.Port && f.Dst == x.Addr
	if !x.Server {
		toServer = !toServer
	}
	return i, toServer
}

// count is 1 for true, without a branch that nobody can predict.
func count(b bool) (n uint64) {
	if b {
		n = 1
	}
	return n
}

// report lists the services that were seen, most packets first.
func (v *services) report() []ServiceCount {
	var out []ServiceCount
	for _, s := range v.cat.Services() {
		c := v.count[s.Index]
		if c.packets == 0 {
			continue
		}
		out = append(out, ServiceCount{
			ID: s.ID, Name: s.Name, Phase: string(s.Phase), Packets: c.packets, Bytes: c.bytes, ToServer: c.toServer, FromServer: c.packets - c.toServer,
		})
	}
	slices.SortStableFunc(out, func(a, b ServiceCount) int {
		switch {
		case a.Packets > b.Packets:
			return -1
		case a.Packets < b.Packets:
			return 1
		}
		return 0
	})
	return out
}
