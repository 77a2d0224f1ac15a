package boot

import (
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// watched tells in two look-ups whether a frame may be one of a node from which
// a load is awaited, where there is any: most frames are not. It counts such nodes
// by the last byte of their MAC and of their leased address; behind a router only
// that is seen.
type watched struct {
	nodes       int
	macs, addrs [256]uint16
}

// A watch is what a node is counted under.
type watch struct {
	on   bool
	mac  wire.MAC
	addr wire.Addr
}

func (w *watched) add(v *Node) {
	v.watch = watch{on: true, mac: v.MAC}
	if v.Lease != nil {
		v.watch.addr = v.Lease.Addr
	}
	w.nodes++
	w.macs[v.watch.mac[5]]++
	w.addrs[v.watch.addr[15]]++
}

func (w *watched) drop(v *Node) {
	if !v.watch.on {
		return
	}
	w.nodes--
	w.macs[v.watch.mac[5]]--
	w.addrs[v.watch.addr[15]]--
	v.watch = watch{}
}

// Watches reports whether f may be of a node from which a load is awaited: then
// Heard has to be told of it.
func (n *Nodes) Watches(f *wire.Frame) bool {
	return n.watched.nodes != 0 && n.watched.macs[f.SrcMAC[5]]|n.watched.addrs[f.Src[15]] != 0
}

// Heard tells of a frame. A node of which a load is awaited and that speaks TCP,
// or UDP on a port of its own, loads: on whatever port the URL names.
func (n *Nodes) Heard(f *wire.Frame, out *track.Out) {
	if f.Stop != wire.StopNone || f.Dst.IsMulticast() || f.DstMAC.IsGroup() {
		return
	}
	switch f.Proto {
	case wire.ProtoTCP:
		if f.TCP.Flags&wire.RST != 0 {
			return
		}
	case wire.ProtoUDP:
		if preparation(f.DstPort) {
			return
		}
	default:
		return
	}
	v := n.Get(Key{MAC: f.SrcMAC})
	if v == nil || v.wait != waitLoad {
		k, ok := n.byAddress(f.Src, f.VLAN())
		if !ok {
			return
		}
		v = n.Get(k)
	}
	if v != nil && v.wait == waitLoad && v.watch.on {
		n.changed(v)
		n.busy(v, out)
	}
}

// preparation lists the UDP ports of what a node may do without loading: DHCP,
// names, time, logs.
func preparation(port uint16) bool {
	switch port {
	case 53, 67, 68, 123, 137, 138, 514, 546, 547, 4011:
		return true
	}
	return false
}
