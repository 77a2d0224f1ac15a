package wire_test

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// The hosts of the test packets, and what a Frame says of them.
var (
	client  = synth.NewHost("52:54:00:aa:bb:01", "192.0.2.10")
	server  = synth.NewHost("52:54:00:aa:bb:02", "192.0.2.1")
	client6 = synth.NewHost("52:54:00:aa:bb:01", "2001:db8::10")
	server6 = synth.NewHost("52:54:00:aa:bb:02", "2001:db8::1")
	vtep1   = synth.NewHost("02:00:00:00:00:01", "198.51.100.1")
	vtep2   = synth.NewHost("02:00:00:00:00:02", "198.51.100.2")

	clientAddr, serverAddr   = wire.MustAddr("192.0.2.10"), wire.MustAddr("192.0.2.1")
	client6Addr, server6Addr = wire.MustAddr("2001:db8::10"), wire.MustAddr("2001:db8::1")
	clientMAC, serverMAC     = wire.MAC(client.MAC), wire.MAC(server.MAC)
)

// hx reads lines of hexadecimal bytes; what follows // is a comment.
func hx(s string) []byte {
	var digits strings.Builder
	for _, line := range strings.Split(s, "\n") {
		line, _, _ = strings.Cut(line, "//")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		panic(err)
	}
	return b
}

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// eth is a frame from client to server.
func eth(typ uint16, body []byte) []byte { return synth.Eth(server.MAC, client.MAC, typ, body) }

// l3 is what a frame of synth carries above Ethernet.
func l3(frame []byte) []byte { return frame[14:] }

// udp4 is an IPv4 packet from client to server.
func udp4(dport uint16, payload string) []byte {
	return l3(synth.UDP(client, server, 40000, dport, []byte(payload)))
}

func udp6(dport uint16, payload string) []byte {
	return l3(synth.UDP(client6, server6, 40000, dport, []byte(payload)))
}

// udpHeader is a UDP header without checksum.
func udpHeader(sport, dport, length uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint16(b, length)
	return append(b, 0, 0)
}

// ip4 is an IPv4 packet from client to server with any payload.
func ip4(proto uint8, payload []byte) []byte {
	return l3(synth.IP{}.Datagram(client, server, proto, payload))
}

func ip6(next uint8, payload []byte) []byte {
	return l3(synth.IP{}.Datagram(client6, server6, next, payload))
}

// between is an outer packet from one tunnel end to the other.
func between(proto uint8, payload []byte) []byte {
	return synth.IP{}.Datagram(vtep1, vtep2, proto, payload)
}

// set changes bytes of a copy.
func set(b []byte, at int, v ...byte) []byte {
	b = append([]byte{}, b...)
	copy(b[at:], v)
	return b
}

// packet is b as a Source would yield it.
func packet(link capture.LinkType, b []byte) *capture.Packet {
	return &capture.Packet{ID: capture.NewFrameID(0, 1), Time: synth.Start, Link: link, WireLen: len(b), Data: b}
}

// Frames that expectations start from.

func wantEth(f wire.Frame) wire.Frame {
	f.SrcMAC, f.DstMAC, f.HasDstMAC = clientMAC, serverMAC, true
	return f
}

func want4(f wire.Frame) wire.Frame {
	f.EtherType, f.IPVersion, f.TTL = wire.EtherIPv4, 4, 64
	f.Src, f.Dst = clientAddr, serverAddr
	return f
}

func want6(f wire.Frame) wire.Frame {
	f.EtherType, f.IPVersion, f.TTL = wire.EtherIPv6, 6, 64
	f.Src, f.Dst = client6Addr, server6Addr
	return f
}

// wantUDP is a datagram from client's port 40000.
func wantUDP(f wire.Frame, dport uint16, payload string) wire.Frame {
	f.Proto, f.SrcPort, f.DstPort = wire.ProtoUDP, 40000, dport
	f.Payload, f.PayloadLen = []byte(payload), len(payload)
	return f
}

func udpOver4(dport uint16, payload string) wire.Frame {
	return wantUDP(want4(wire.Frame{}), dport, payload)
}

func udpOver6(dport uint16, payload string) wire.Frame {
	return wantUDP(want6(wire.Frame{}), dport, payload)
}

// with changes a frame in place, for one-line variations.
func with(f wire.Frame, change func(f *wire.Frame)) wire.Frame {
	change(&f)
	return f
}
