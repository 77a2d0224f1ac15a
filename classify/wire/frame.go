// Package wire turns the bytes of a packet into a Frame: link layer, tags,
// tunnels, IP, UDP, TCP, ICMP and ARP, and puts IP fragments together again.
//
// The one invariant: a broken or cut packet is data, never an error. Decode
// fills what it could read and says in Frame.Stop why it went no further.
// Decode allocates nothing, but for the buffers that hold IP fragments, which
// are bounded and used again.
package wire

import "github.com/pxescope/pxescope/capture"

// MaxTags is the number of VLAN tags that Decode walks through; a deeper stack
// stops with StopTagDepth.
const MaxTags = 8

// MaxTunnels is the number of tunnel headers that Decode enters.
const MaxTunnels = 4

// A Frame is one decoded packet. The caller owns it and uses it again for the
// next packet; a field that does not apply to the packet is zero.
//
// What the common packet sets and trackers read lies in front, in three cache
// lines, ordered so that Decode sets neighbours in one store.
type Frame struct {
	Time    capture.Time
	ID      capture.FrameID
	Iface   int
	WireLen int // with a tag that the kernel delivered beside the packet
	CapLen  int

	// Payload holds the captured bytes above UDP, TCP or ICMP's first 8 bytes.
	// Of a Later fragment: the fragment's data. Where Decode stopped for
	// StopEtherType, StopLLC, StopIPProto: what follows the Ethernet type, from
	// the LLC header on, what follows the IP headers.
	Payload    []byte
	PayloadLen int // bytes on the wire; larger than len(Payload) when cut

	// Network and transport layer.
	Src, Dst Addr
	// Hash is of both addresses and ports, the same for both directions, so that
	// who looks for a conversation need not compute one again. 0 unless UDP's or
	// TCP's ports were read. It is not seeded: a hint where to look, never an
	// identity.
	Hash uint64
	// Headers is of all that decides where a frame belongs: addresses, ports,
	// protocol, MACs, VLAN, interface and link type. Its lowest bit tells the two
	// directions of a conversation apart. It holds a secret of this process: two
	// frames of a capture that differ in any of these have the same only by a chance
	// that does not come. 0 where Hash is, of fragments, and where Decode stopped.
	Headers          uint64
	SrcPort, DstPort uint16
	UDPSum           uint16 // UDP checksum field as captured
	TTL              uint8  // or hop limit
	Proto            uint8  // IP protocol after any extension headers
	IPID             uint32
	TOS              uint8 // or traffic class
	DF               bool
	wholeUDP         bool // for UDPChecksum: Payload is all of a datagram whose lengths agree, and Dst its last destination
	tidy             bool // see below
	TCP              TCP

	// Link layer; of the inner frame where a tunnel carries Ethernet.
	DstMAC    MAC // zero on cooked captures, see HasDstMAC
	SrcMAC    MAC // zero where the link type has none
	HasDstMAC bool
	Outgoing  bool // cooked captures: sent by the capturing host
	// Copy is set by the engine: the same datagram was seen a moment ago (a
	// SPAN port, several interfaces). Counts include copies, judgement skips them.
	Copy      bool
	IPVersion uint8 // 0, 4 or 6
	Link      capture.LinkType
	EtherType uint16 // of the network layer that was reached, or where Decode stopped; 0 for LLC and PPP
	Fragment  Fragment
	Stop      Stop
	Tunnel    Tunnel // the innermost tunnel that was entered
	TagCount  uint8
	Tags      [MaxTags]uint16 // VIDs, outermost first; 0 is a priority tag

	// The rest is of rare packets. tidy says that all of it is zero, so that
	// Decode need not clear it: who sets any of it resets tidy.

	// FragOffset is where in the datagram's payload the fragment starts, in bytes.
	FragOffset uint16
	// Datagram numbers the datagram that a fragment belongs to: the same for all
	// its fragments, the one that completes it and late copies included, and kept
	// when Decode goes on into a tunnel. 0: not a fragment, or of a protocol that
	// the Decoder does not put together. It may change when the datagram is older
	// than FragmentTimeout or more than MaxDatagrams are incomplete.
	Datagram uint32
	VNI      uint32 // VXLAN, Geneve; GRE key; ERSPAN session; MPLS bottom label
	IfIndex  uint32 // LINUX_SLL2: the interface's index on the capturing host
	ICMP     ICMP
	ARP      ARP
}

// VLAN is the innermost VLAN id that is not a priority tag, or 0 for untagged.
func (f *Frame) VLAN() uint16 {
	for i := int(f.TagCount) - 1; i >= 0; i-- {
		if v := f.Tags[i]; v != 0 {
			return v
		}
	}
	return 0
}

// Cut reports whether the snap length removed part of the payload.
func (f *Frame) Cut() bool { return len(f.Payload) < f.PayloadLen }

// Flow is the frame's 5-tuple, from sender to receiver.
func (f *Frame) Flow() Flow {
	return Flow{Src: f.Src, Dst: f.Dst, SrcPort: f.SrcPort, DstPort: f.DstPort, Proto: f.Proto}
}

// IP protocol numbers (IANA protocol-numbers).
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// Ethernet types (IEEE 802 numbers).
const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherIPv6 = 0x86dd
	EtherLLDP = 0x88cc
	EtherLACP = 0x8809
	EtherEAP  = 0x888e
)

// A Flow is a 5-tuple. It is comparable and holds no pointer, fit for a map key.
type Flow struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	Proto            uint8
}

// Reverse is the flow of the answers.
func (f Flow) Reverse() Flow {
	f.Src, f.Dst, f.SrcPort, f.DstPort = f.Dst, f.Src, f.DstPort, f.SrcPort
	return f
}

// TCP holds the header fields of RFC 9293 section 3.1 that trackers read.
type TCP struct {
	Seq, Ack uint32
	Flags    uint8
	Window   uint16
	MSS      uint16 // from a SYN's options, 0 when absent
}

// TCP flags.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// ICMP holds an ICMPv4 or ICMPv6 header and, for errors, the flow it quotes.
type ICMP struct {
	Type, Code uint8
	MTU        uint16 // next-hop MTU of "fragmentation needed" and "packet too big"
	Rest       uint32 // the second word: identifier and sequence number of an echo, gateway of a redirect
	HasQuote   bool
	Quote      Flow   // the offending datagram; ports zero when not quoted
	QuoteLen   uint16 // length that the quoted IP header states, header included
	QuoteData  []byte // what is quoted above the transport header's first 8 bytes
}

// ARP holds an Ethernet/IPv4 ARP packet (RFC 826).
type ARP struct {
	Op                   uint16 // 1 request, 2 reply; 0: the frame is no such packet
	SenderMAC, TargetMAC MAC
	Sender, Target       Addr
}

// A Fragment says which part of an IP datagram a frame carries.
type Fragment uint8

// Fragment kinds. What a First holds comes again in the Reassembled frame of
// the same Datagram, when that completes: who reads messages skips First.
const (
	Whole       Fragment = iota // not fragmented
	First                       // offset 0, more follow: ports are valid, the payload is partial
	Later                       // no transport header: ports are zero
	Reassembled                 // this frame completed the datagram; Payload is all of it
)

// A Tunnel is the kind of encapsulation that the frame was found in.
type Tunnel uint8

// Tunnels that Decode enters.
const (
	NoTunnel Tunnel = iota
	VXLAN
	Geneve
	GRE
	ERSPAN
	IPIP
	MPLS
)

// A Stop says why decoding ended before the transport layer.
type Stop uint8

// Stop reasons. StopNone: the transport layer, ARP or ICMP was read.
const (
	StopNone Stop = iota
	StopLinkType
	StopLinkShort
	StopTagDepth
	StopEtherType // not IP, ARP: LLDP, LACP, STP ... fine, nothing wrong
	StopLLC
	StopARPShort
	StopIPShort
	StopIPHeader // bad version or header length
	StopIPProto  // not UDP, TCP, ICMP: fine
	StopFragment // a later fragment whose datagram is not complete yet: fine
	StopExtension
	StopUDPShort
	StopTCPShort
	StopICMPShort
	StopTunnelShort
	StopTunnelDepth
	NumStops
)

// stopNames are the keys of counts.undecoded in the report; an empty name is
// no damage and is not counted.
var stopNames = [NumStops]string{
	StopLinkType: "link-type", StopLinkShort: "link-short", StopTagDepth: "tag-depth",
	StopARPShort: "arp-short", StopIPShort: "ip-short", StopIPHeader: "ip-header",
	StopExtension: "ip6-extension", StopUDPShort: "udp-short", StopTCPShort: "tcp-short",
	StopICMPShort: "icmp-short", StopTunnelShort: "tunnel-short", StopTunnelDepth: "tunnel-depth",
}

// String is the key in counts.undecoded, empty for what is no damage.
func (s Stop) String() string {
	if s >= NumStops {
		return ""
	}
	return stopNames[s]
}
