//go:build linux

package main

import "encoding/binary"

// ipv4 is an Ethernet frame with an IPv4 header (RFC 791) between a node and a
// server, to the server or with answer from it.
func ipv4(node, server byte, proto byte, answer bool, payload []byte) []byte {
	n := []byte{2, 0, 0, 0, 1, node, 10, 0, 1, node}
	s := []byte{2, 0, 0, 0, 2, server, 10, 0, 0, 1 + server}
	if answer {
		n, s = s, n
	}
	f := append(append([]byte(nil), s[:6]...), n[:6]...)
	f = append(f, 8, 0, 0x45, 0)
	f = binary.BigEndian.AppendUint16(f, uint16(20+len(payload)))
	f = append(f, 0, 0, 0x40, 0, 64, proto, 0, 0)
	f = append(append(f, n[6:]...), s[6:]...)
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum+sum>>16))
	return append(f, payload...)
}

// datagram is UDP (RFC 768), without a checksum.
func datagram(node, server byte, client, service uint16, answer bool, data []byte) []byte {
	if answer {
		client, service = service, client
	}
	u := binary.BigEndian.AppendUint16(nil, client)
	u = binary.BigEndian.AppendUint16(u, service)
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(data)))
	return ipv4(node, server, 17, answer, append(append(u, 0, 0), data...))
}

// segment is TCP (RFC 9293) with an ACK and 36 bytes.
func segment(node, server byte, client, service uint16, answer bool) []byte {
	if answer {
		client, service = service, client
	}
	t := binary.BigEndian.AppendUint16(nil, client)
	t = binary.BigEndian.AppendUint16(t, service)
	t = append(t, 0, 0, 0, 1, 0, 0, 0, 1, 5<<4, 0x10, 0xff, 0xff, 0, 0, 0, 0)
	return ipv4(node, server, 6, answer, append(t, make([]byte, 36)...))
}

// ntp is a client's request or a server's answer (RFC 5905 section 7.3), of
// stratum 2.
func ntp(answer bool) []byte {
	p := make([]byte, 48)
	if p[0] = 4<<3 | 3; answer {
		p[0], p[1] = 4<<3|4, 2
		copy(p[24:], "\xea\x00\x00\x00\x00\x00\x00\x01")
		copy(p[32:], "\xea\x00\x00\x01\x00\x00\x00\x01")
	}
	copy(p[40:], "\xea\x00\x00\x00\x00\x00\x00\x01")
	return p
}

// dns is a question for an address, or the answer that there is none (RFC 1035
// section 4), of 48 bytes.
func dns(id uint16, answer bool) []byte {
	p := binary.BigEndian.AppendUint16(nil, id)
	flags := byte(0)
	if answer {
		flags = 0x84
	}
	p = append(p, flags|1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for _, label := range []string{"image-server-00001", "example", "com"} {
		p = append(append(p, byte(len(label))), label...)
	}
	return append(p, 0, 0, 1, 0, 1)
}
