package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// plausible fills the bytes that no test has asked for, so that a packet reads
// as one: addresses, the version and length of IP. nil when there is nothing to
// fill.
func plausible(data []byte, tests []asked, link capture.LinkType) []byte {
	l, ok := links[link]
	if !ok {
		return nil
	}
	out := append([]byte(nil), data...)
	typ, ip := uint32(0), int(l.payload)
	switch {
	case l.media == ethernet:
		for at := 12; at+2 <= len(out); at += 4 {
			typ, ip = uint32(binary.BigEndian.Uint16(out[at:])), at+2
			if typ != typeVLAN && typ != typeQinQ && typ != typeQinQ91 {
				break
			}
		}
	case l.typ != 0 || l.media == cooked2:
		if int(l.typ)+2 <= len(out) {
			typ = uint32(binary.BigEndian.Uint16(out[l.typ:]))
		}
	case l.media == onlyIPv4:
		typ = typeIP
	case l.media == onlyIPv6:
		typ = typeIPv6
	case ip < len(out):
		typ = map[byte]uint32{4: typeIP, 6: typeIPv6}[out[ip]>>4]
	}
	header := 20
	touched := make([]bool, len(out))
	if typ == typeIP && ip < len(out) {
		for _, t := range tests {
			if t.v.kind == transport {
				header = 4 * int(out[ip]&15)
			}
		}
	}
	for _, t := range tests {
		at := int(t.v.off)
		switch t.v.kind {
		case transport:
			at += header
		case fixed:
		default:
			continue
		}
		for i := range int(t.v.size) {
			if at+i < len(out) {
				touched[at+i] = true
			}
		}
	}
	put := func(at int, b ...byte) {
		for i := range b {
			if at+i >= len(out) || touched[at+i] {
				return
			}
		}
		copy(out[at:], b)
	}
	if l.media == ethernet {
		put(0, 0x52, 0x54, 0, 0, 0, 2)
		put(6, 0x52, 0x54, 0, 0x12, 0x34, 0x56)
		if typ == 0 {
			put(12, 0x88, 0xb5) // IEEE 802 local experimental
		}
	}
	room := max(len(out)-ip, 0)
	switch typ {
	case typeIP:
		if ip < len(out) {
			out[ip] = 0x40 | out[ip]&15
		}
		if header == 20 {
			put(ip, 0x45)
			if ip < len(out) && out[ip]&15 < 5 && !touched[ip] {
				out[ip] = 0x45
			} else if ip < len(out) && out[ip]&15 == 0 {
				out[ip] |= 5
			}
		}
		put(ip+2, byte(room>>8), byte(room))
		put(ip+8, 64)
		put(ip+9, 17)
		put(ip+12, 10, 0, 0, 57)
		put(ip+16, 10, 0, 0, 2)
	case typeIPv6:
		room = max(room-40, 0)
		put(ip, 0x60)
		put(ip+4, byte(room>>8), byte(room))
		put(ip+6, 17)
		put(ip+7, 64)
		// RFC 3849 section 2
		put(ip+8, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x57)
		put(ip+24, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
	}
	return out
}

// inWords says what a packet is.
func inWords(data []byte, link capture.LinkType) string {
	var f wire.Frame
	p := capture.Packet{Link: link, Data: data, WireLen: len(data)}
	p.ID = capture.NewFrameID(0, 1) // 0 is a tick
	wire.NewOuterDecoder().Decode(&p, &f)
	var b strings.Builder
	fmt.Fprintf(&b, "%d bytes", len(data))
	for _, t := range f.Tags[:f.TagCount] {
		fmt.Fprintf(&b, ", VLAN %d", t)
	}
	switch {
	case f.IPVersion != 0:
		proto := fmt.Sprintf("IP protocol %d", f.Proto)
		for name, n := range ipProtocols {
			if n == uint32(f.Proto) {
				proto = strings.ToUpper(string(name))
			}
		}
		ports := f.Stop == wire.StopNone && (f.Proto == 6 || f.Proto == 17) && f.Fragment != wire.Later
		end := func(a netip.Addr, port uint16) string {
			if !a.IsValid() {
				a = netip.IPv6Unspecified()
			}
			if ports {
				return fmt.Sprintf("%s port %d", a, port)
			}
			return a.String()
		}
		fmt.Fprintf(&b, ", IPv%d, %s, %s > %s", f.IPVersion, proto, end(f.Src.Netip(), f.SrcPort), end(f.Dst.Netip(), f.DstPort))
		switch f.Fragment {
		case wire.First:
			b.WriteString(", first fragment")
		case wire.Later:
			fmt.Fprintf(&b, ", fragment at byte %d", f.FragOffset)
		}
	case f.EtherType != 0:
		fmt.Fprintf(&b, ", Ethernet type 0x%04x", f.EtherType)
	}
	if f.Stop != wire.StopNone && f.Stop != wire.StopEtherType && f.Stop != wire.StopIPProto && f.Stop.String() != "" {
		fmt.Fprintf(&b, " (%s)", f.Stop)
	}
	return b.String()
}
