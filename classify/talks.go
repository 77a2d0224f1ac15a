package classify

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// talks remembers what the headers of a packet decide, for both directions of
// the conversations met last: most packets have the headers of one before, and
// need one comparison instead of some ten look-ups. Forgetting one costs time
// and changes no result.
type talks struct {
	slots [talkSlots]talk
	once  talk // of frames that are not remembered
}

// talkSlots is how many directions are remembered, two slots a conversation.
const (
	talkBits  = 12
	talkSlots = 1 << talkBits
)

// A talk is one direction of a conversation.
type talk struct {
	src, dst         wire.Addr
	srcMAC, dstMAC   wire.MAC
	srcPort, dstPort uint16
	vlan             uint16
	proto            uint8 // 0: the slot is free
	hasDstMAC        bool
	iface            int32

	service  catalog.Index
	toServer bool
	follow   bool // the trackers see it
	route    track.Route
	sight    sight
}

// of is the talk of f. Unless it is known, the caller has to fill it.
func (v *talks) of(f *wire.Frame) (t *talk, known bool) {
	// A fragment may lack its ports. DHCP's direction is in the message, and
	// is rare.
	if f.Hash == 0 || f.Fragment != wire.Whole || f.Stop != wire.StopNone || f.Proto == wire.ProtoUDP && (isDHCPPort(f.SrcPort) || isDHCPPort(f.DstPort)) {
		v.once.proto = 0
		return &v.once, false
	}
	t = &v.slots[f.Hash>>(65-talkBits)<<1|side(f)]
	return t, t.is(f)
}

// side tells the directions of a conversation apart.
func side(f *wire.Frame) uint64 {
	a := binary.BigEndian.Uint32(f.Src[12:]) ^ uint32(f.SrcPort)<<8
	b := binary.BigEndian.Uint32(f.Dst[12:]) ^ uint32(f.DstPort)<<8
	if a > b {
		return 1
	}
	return 0
}

func (t *talk) is(f *wire.Frame) bool {
	return t.srcPort == f.SrcPort && t.dstPort == f.DstPort && t.src == f.Src && t.dst == f.Dst && t.proto == f.Proto &&
		t.srcMAC == f.SrcMAC && t.dstMAC == f.DstMAC && t.hasDstMAC == f.HasDstMAC && t.iface == int32(f.Iface) && t.vlan == f.VLAN()
}

func (t *talk) begin(f *wire.Frame) {
	*t = talk{
		src: f.Src, dst: f.Dst, srcMAC: f.SrcMAC, dstMAC: f.DstMAC, srcPort: f.SrcPort, dstPort: f.DstPort,
		vlan: f.VLAN(), proto: f.Proto, hasDstMAC: f.HasDstMAC, iface: int32(f.Iface),
	}
}
