package synth

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
)

// A Host is one end of a frame. Router, when set, is the MAC that stands for
// the host on this segment.
type Host struct {
	MAC [6]byte
	IP  netip.Addr
}

// NewHost parses a MAC like "52:54:00:12:34:56" and an address; an empty
// address is 0.0.0.0. It panics on nonsense: scenarios are code.
func NewHost(mac, ip string) Host {
	if ip == "" {
		ip = "0.0.0.0"
	}
	return Host{MAC: MAC(mac), IP: netip.MustParseAddr(ip)}
}

// MAC parses a MAC address and panics on nonsense.
func MAC(s string) (m [6]byte) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != 6 {
		panic("synth: bad MAC " + s)
	}
	return [6]byte(b)
}

// Everyone is the limited broadcast, at IP and Ethernet level.
var Everyone = NewHost("ff:ff:ff:ff:ff:ff", "255.255.255.255")

// Nobody is 0.0.0.0 with the MAC of h: a client without an address.
func (h Host) Nobody() Host { return Host{MAC: h.MAC, IP: netip.IPv4Unspecified()} }

// At is h under another address.
func (h Host) At(ip string) Host { return Host{MAC: h.MAC, IP: netip.MustParseAddr(ip)} }

// Eth builds an Ethernet II frame with 802.1Q tags, outermost first.
func Eth(dst, src [6]byte, etherType uint16, payload []byte, tags ...uint16) []byte {
	b := append(append(make([]byte, 0, 14+4*len(tags)+len(payload)), dst[:]...), src[:]...)
	for _, t := range tags {
		b = append(b, 0x81, 0x00, byte(t>>8), byte(t))
	}
	b = append(b, byte(etherType>>8), byte(etherType))
	return append(b, payload...)
}

// IP holds the header fields of a datagram that a scenario may want to set.
type IP struct {
	TTL, TOS uint8
	ID       uint16
	DF       bool
	Tags     []uint16
}

func (o IP) header(proto uint8, src, dst netip.Addr, payload []byte) (etherType uint16, b []byte) {
	if o.TTL == 0 {
		o.TTL = 64
	}
	if src.Is4() {
		b = make([]byte, 20, 20+len(payload))
		b[0], b[1] = 0x45, o.TOS
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
		binary.BigEndian.PutUint16(b[4:], o.ID)
		if o.DF {
			b[6] = 0x40
		}
		b[8], b[9] = o.TTL, proto
		s, d := src.As4(), dst.As4()
		copy(b[12:], s[:])
		copy(b[16:], d[:])
		binary.BigEndian.PutUint16(b[10:], ^sum(b, 0))
		return 0x0800, append(b, payload...)
	}
	b = make([]byte, 40, 40+len(payload))
	b[0], b[1] = 0x60|o.TOS>>4, o.TOS<<4
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	b[6], b[7] = proto, o.TTL
	s, d := src.As16(), dst.As16()
	copy(b[8:], s[:])
	copy(b[24:], d[:])
	return 0x86dd, append(b, payload...)
}

// Datagram builds an Ethernet frame with any IP payload.
func (o IP) Datagram(src, dst Host, proto uint8, payload []byte) []byte {
	et, b := o.header(proto, src.IP, dst.IP, payload)
	return Eth(dst.MAC, src.MAC, et, b, o.Tags...)
}

// UDP builds an Ethernet frame with a UDP datagram and a right checksum.
func (o IP) UDP(src, dst Host, sport, dport uint16, payload []byte) []byte {
	u := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(u, sport)
	binary.BigEndian.PutUint16(u[2:], dport)
	binary.BigEndian.PutUint16(u[4:], uint16(8+len(payload)))
	u = append(u, payload...)
	binary.BigEndian.PutUint16(u[6:], ^sum(u, pseudo(src.IP, dst.IP, 17, len(u))))
	return o.Datagram(src, dst, 17, u)
}

// A Segment is a TCP segment.
type Segment struct {
	Flags    uint8 // wire.SYN ...
	Seq, Ack uint32
	Window   uint16 // 0: 64240
	MSS      uint16 // option, on a SYN
	Payload  []byte
}

// TCP builds an Ethernet frame with a TCP segment and a right checksum.
func (o IP) TCP(src, dst Host, sport, dport uint16, s Segment) []byte {
	t := make([]byte, 20, 24+len(s.Payload))
	binary.BigEndian.PutUint16(t, sport)
	binary.BigEndian.PutUint16(t[2:], dport)
	binary.BigEndian.PutUint32(t[4:], s.Seq)
	binary.BigEndian.PutUint32(t[8:], s.Ack)
	if s.Window == 0 {
		s.Window = 64240
	}
	t[12], t[13] = 5<<4, s.Flags
	binary.BigEndian.PutUint16(t[14:], s.Window)
	if s.MSS != 0 {
		t[12] = 6 << 4
		t = append(t, 2, 4, byte(s.MSS>>8), byte(s.MSS))
	}
	t = append(t, s.Payload...)
	binary.BigEndian.PutUint16(t[16:], ^sum(t, pseudo(src.IP, dst.IP, 6, len(t))))
	return o.Datagram(src, dst, 6, t)
}

// UDP builds a UDP frame with plain IP fields.
func UDP(src, dst Host, sport, dport uint16, payload []byte) []byte {
	return IP{}.UDP(src, dst, sport, dport, payload)
}

// TCP builds a TCP frame with plain IP fields.
func TCP(src, dst Host, sport, dport uint16, s Segment) []byte {
	return IP{}.TCP(src, dst, sport, dport, s)
}

// ICMPError builds an ICMPv4 error from src to dst that quotes frame, an
// untagged Ethernet/IPv4 frame: its IP header and the next 8 bytes (RFC 792).
// rest is the second word: the next-hop MTU of code 4.
func ICMPError(src, dst Host, typ, code uint8, rest uint32, frame []byte) []byte {
	quote := frame[14:]
	n := int(quote[0]&15)*4 + 8
	b := make([]byte, 8, 8+n)
	b[0], b[1] = typ, code
	binary.BigEndian.PutUint32(b[4:], rest)
	b = append(b, quote[:min(n, len(quote))]...)
	binary.BigEndian.PutUint16(b[2:], ^sum(b, 0))
	return IP{}.Datagram(src, dst, 1, b)
}

// Echo builds an ICMPv4 echo request, or its reply.
func Echo(src, dst Host, reply bool, id, seq uint16) []byte {
	b := []byte{8, 0, 0, 0, byte(id >> 8), byte(id), byte(seq >> 8), byte(seq)}
	if reply {
		b[0] = 0
	}
	binary.BigEndian.PutUint16(b[2:], ^sum(b, 0))
	return IP{}.Datagram(src, dst, 1, b)
}

// ARP builds an ARP packet: a broadcast request, or a reply to target.
func ARP(op uint16, sender Host, target Host, tags ...uint16) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, byte(op >> 8), byte(op)}
	b = append(b, sender.MAC[:]...)
	s, t := sender.IP.As4(), target.IP.As4()
	b = append(b, s[:]...)
	dst := target.MAC
	if op == 1 {
		b = append(b, 0, 0, 0, 0, 0, 0)
		dst = Everyone.MAC
	} else {
		b = append(b, target.MAC[:]...)
	}
	b = append(b, t[:]...)
	return Eth(dst, sender.MAC, 0x0806, b, tags...)
}

// Fragments splits an untagged Ethernet/IPv4 frame into IP fragments of at
// most mtu bytes of IP packet.
func Fragments(frame []byte, mtu int) [][]byte {
	hl := int(frame[14]&15) * 4
	head, body := frame[:14+hl], frame[14+hl:]
	step := (mtu - hl) &^ 7
	var out [][]byte
	for off := 0; off < len(body); off += step {
		part := body[off:min(off+step, len(body))]
		f := append(append([]byte{}, head...), part...)
		ip := f[14:]
		binary.BigEndian.PutUint16(ip[2:], uint16(hl+len(part)))
		fl := uint16(off / 8)
		if off+step < len(body) {
			fl |= 0x2000
		}
		binary.BigEndian.PutUint16(ip[6:], fl)
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^sum(ip[:hl], 0))
		out = append(out, f)
	}
	return out
}

func pseudo(src, dst netip.Addr, proto uint8, n int) uint32 {
	s, d := src.AsSlice(), dst.AsSlice()
	t := uint32(proto) + uint32(n)
	for i := 0; i < len(s); i += 2 {
		t += uint32(s[i])<<8 | uint32(s[i+1])
		t += uint32(d[i])<<8 | uint32(d[i+1])
	}
	return t
}

// sum is the Internet checksum (RFC 1071) before its complement.
func sum(b []byte, t uint32) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		t += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		t += uint32(b[len(b)-1]) << 8
	}
	for t>>16 != 0 {
		t = t&0xffff + t>>16
	}
	return uint16(t)
}
