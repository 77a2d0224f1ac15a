package classify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// recordedFilter is CQ-FILTER by the filter that the file records.
func (q *quality) recordedFilter(i *interfaceSum) *limit {
	filter := q.iface(i.iface).Filter
	if filter == "" {
		return nil
	}
	return &limit{
		gate: "filtered", severity: "note", hides: true,
		detail: fmt.Sprintf("%s was captured with the filter %q: what it leaves out is unknown, not missing", q.ifaceName(i.iface), shown(filter)),
		doubts: func(f *finding.Finding) doubt {
			if !f.Rule.Absence || f.Iface != i.iface {
				return noDoubt
			}
			d := noDoubt
			for _, m := range missing(f) {
				switch passes(filter, &m) {
				case never:
					return withhold
				case maybe:
					d = lessSure
				}
			}
			return d
		},
	}
}

// shown is a filter as far as anybody reads it: that of all services of a phase
// has thousands of letters.
func shown(filter string) string {
	const most = 160
	if r := []rune(filter); len(r) > most {
		return string(r[:most]) + "..."
	}
	return filter
}

// portFilter is CQ-FILTER by what the packets show: that many, and all of one
// service, or all on the ports of people's usual filter for network boot.
func (q *quality) portFilter(i *interfaceSum) *limit {
	if i.packets < uint64(q.t.FilteredPackets) || q.iface(i.iface).Filter != "" {
		return nil
	}
	passes, what, severity := q.sameService(i), "", "note"
	switch {
	case i.packets == i.dhcp:
		what = "are DHCP: a port filter probably hides what follows"
		passes = func(m *missed) bool {
			return !m.arp && !m.fragment && (track.IsDHCPPort(m.from) || track.IsDHCPPort(m.to))
		}
	case i.packets == i.bootPorts:
		what, severity = "are on the ports 67, 68, 69 and 4011: a port filter hides TFTP data, ARP and everything after", "warning"
		passes = func(m *missed) bool { return !m.arp && !m.fragment && (bootPort(m.from) || bootPort(m.to)) }
	case passes != nil:
		what = fmt.Sprintf("are of one service (%s): a capture filter probably hides the rest", q.cat.At(i.service).Name)
	default:
		return nil
	}
	return &limit{
		gate: "filtered", severity: severity, hides: true,
		detail: fmt.Sprintf("all %d packets of %s %s", i.packets, q.ifaceName(i.iface), what),
		doubts: func(f *finding.Finding) doubt {
			if !f.Rule.Absence || f.Iface != i.iface {
				return noDoubt
			}
			for _, m := range missing(f) {
				if !passes(&m) {
					return withhold
				}
			}
			return noDoubt
		},
	}
}

func bootPort(p uint16) bool { return p == 69 || track.IsDHCPPort(p) }

// sameService tells whether a packet would be of the one service that is all
// that an interface shows; nil when it shows several, or none.
func (q *quality) sameService(i *interfaceSum) func(*missed) bool {
	v := q.cat.At(i.service)
	if i.mixed || v == nil {
		return nil
	}
	tftp := v.ID == "tftp"
	return func(m *missed) bool {
		switch {
		case m.arp:
			return slices.ContainsFunc(v.Frames, func(k catalog.FrameKind) bool { return k.EtherType == wire.EtherARP })
		case tftp && (m.from == ephemeral || m.to == ephemeral):
			return true // its data are here, or all would be on port 69
		}
		svc, _ := q.cat.Lookup(cmp.Or(m.proto, wire.ProtoUDP), m.from, m.to)
		return svc == i.service
	}
}

// onlyDHCP is CQ-FILTER for FM-46: that nothing was loaded can be said only
// where the capture shows something besides DHCP.
func (q *quality) onlyDHCP(i *interfaceSum) *limit {
	if i.packets != i.dhcp {
		return nil
	}
	return &limit{
		gate: "filtered", severity: "note", hides: true, onlyIfMet: true,
		detail: fmt.Sprintf("%s shows DHCP and nothing else, not even ARP: a filter may hide what follows", q.ifaceName(i.iface)),
		doubts: func(f *finding.Finding) doubt {
			if f.Iface == i.iface && follows(f.Rule.ID) {
				return withhold
			}
			return noDoubt
		},
	}
}

// follows lists the absences of any next step, whatever its protocol.
func follows(id string) bool {
	switch id {
	case "no-load-after-ack", "wrong-loader-for-architecture", "arp-no-answer":
		return true
	}
	return false
}

// missing are the packets, or some that stand for them, whose absence f is about.
func missing(f *finding.Finding) []missed {
	m := missed{proto: wire.ProtoUDP, server: f.Server.Addr, node: f.Node.Addr}
	server := func(proto uint8, port uint16) missed {
		m.proto, m.from, m.to = proto, port, cmp.Or(f.Node.Port, ephemeral+1)
		return m
	}
	reply := func(port uint16) missed {
		m.payload = rpcReply
		if onlyUDP(f) {
			return server(wire.ProtoUDP, port)
		}
		return server(0, port)
	}
	id := f.Rule.ID
	switch {
	case strings.HasPrefix(id, "proxydhcp-"), strings.HasPrefix(id, "boot-server-"):
		m.from, m.to = 4011, cmp.Or(f.Node.Port, 68)
		return []missed{m}
	case strings.HasPrefix(id, "tftp-"):
		m.payload = tftpReply
		return []missed{server(wire.ProtoUDP, ephemeral)}
	case id == "rpc-portmap-no-answer":
		return []missed{reply(111)}
	case id == "rpc-mount-no-answer":
		return []missed{reply(f.Server.Port)}
	case id == "nfs-server-not-responding":
		return []missed{reply(2049)}
	case strings.HasPrefix(id, "tcp-"):
		return []missed{server(wire.ProtoTCP, f.Server.Port)}
	case id == "fragments-lost":
		m.fragment = true
		return []missed{m}
	case id == "arp-no-answer":
		m.arp, m.proto = true, 0
		return []missed{m}
	case follows(id):
		web := m
		web.proto, web.from, web.to = wire.ProtoTCP, 80, ephemeral+1
		return []missed{server(wire.ProtoUDP, 69), web, {arp: true, server: m.server, node: m.node}}
	}
	m.from, m.to, m.server, m.node = 67, 68, wire.Addr{}, wire.Addr{}
	return []missed{m}
}

// onlyUDP reports whether all calls that an RPC finding counts were over UDP.
func onlyUDP(f *finding.Finding) bool {
	udp := false
	for _, x := range f.Facts {
		n, ok := x.Value.(int)
		switch x.Key {
		case "calls_udp":
			udp = ok && n > 0
		case "calls_tcp", "syns":
			if !ok || n > 0 {
				return false
			}
		}
	}
	return udp
}
