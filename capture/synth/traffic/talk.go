package traffic

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/pxescope/pxescope/capture/synth"
)

func addr(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

// Servers of the network.
var (
	rack   = synth.Host{MAC: [6]byte{0x52, 0x54, 0, 0, 0, 2}, IP: addr(10, 1, 255, 2)}
	images = synth.Host{MAC: [6]byte{0x52, 0x54, 0, 0, 0, 3}, IP: addr(10, 1, 255, 3)}
	admin  = synth.Host{MAC: [6]byte{0x52, 0x54, 0, 0, 0, 4}, IP: addr(10, 1, 255, 4)}
)

var dhcpServer = synth.DHCPServer{
	Host: rack, Shape: synth.ISCDhcpd, Router: "10.1.255.1", DNS: []string{"10.1.255.2"}, Next: "10.1.255.2", File: "lpxelinux.0",
}

// lease is DISCOVER, OFFER, REQUEST and ACK; one machine in 50 gets no answer.
func (h *host) lease(c synth.DHCPClient) bool {
	h.xid++
	d := c.Discover(h.xid, 0)
	h.put(d.Broadcast())
	h.pause(h.rtt)
	if h.rnd.IntN(50) == 0 {
		return false
	}
	own := h.IP.String()
	offer := dhcpServer.Offer(d, own)
	h.put(dhcpServer.Frame(offer))
	h.pause(20 * h.rtt)
	q := c.Request(offer, 0)
	h.put(q.Broadcast())
	h.pause(h.rtt)
	h.put(dhcpServer.Frame(dhcpServer.Ack(q, own)))
	h.pause(100 * h.rtt)
	return true
}

func (h *host) arp(of synth.Host) {
	h.put(synth.ARP(1, h.Host, synth.Host{IP: of.IP}))
	h.pause(h.rtt)
	h.put(synth.ARP(2, of, h.Host))
	h.pause(h.rtt)
}

// tftp loads a file of n bytes from the rack in blocks of a size.
func (h *host) tftp(file string, n, size int) {
	port, server := h.ephemeral(), h.ephemeral()
	h.put(h.ip().UDP(h.Host, rack, port, 69, synth.TFTPRead(file, "octet", "blksize", strconv.Itoa(size), "tsize", "0")))
	h.pause(h.rtt)
	h.udp(rack, h.Host, server, port, synth.TFTPOack("blksize", strconv.Itoa(size), "tsize", strconv.Itoa(n)))
	h.udp(h.Host, rack, port, server, synth.TFTPAck(0))
	for block := uint16(1); ; block++ {
		part := min(n, size)
		h.udp(rack, h.Host, server, port, synth.TFTPData(block, h.bytes(part)))
		h.udp(h.Host, rack, port, server, synth.TFTPAck(block))
		if n -= part; part < size {
			return
		}
	}
}

// A stream is a TCP connection of a host.
type stream struct {
	h     *host
	ends  [2]synth.Host
	ports [2]uint16
	seq   [2]uint32
}

const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

func (v *stream) put(side int, flags uint8, payload []byte) {
	s := synth.Segment{Flags: flags, Seq: v.seq[side], Ack: v.seq[1-side], Payload: payload}
	if flags&syn != 0 {
		s.MSS = 1460
	}
	if flags&ack == 0 {
		s.Ack = 0
	}
	v.h.put(v.h.ip().TCP(v.ends[side], v.ends[1-side], v.ports[side], v.ports[1-side], s))
	v.seq[side] += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		v.seq[side]++
	}
	v.h.pause(v.h.rtt)
}

// dial opens a connection from one end to a port of the other; one in 200
// is not answered.
func (h *host) dial(from, to synth.Host, port uint16) *stream {
	v := &stream{h: h, ends: [2]synth.Host{from, to}, ports: [2]uint16{h.ephemeral(), port}, seq: [2]uint32{h.rnd.Uint32(), h.rnd.Uint32()}}
	v.put(0, syn, nil)
	if h.rnd.IntN(200) == 0 {
		return nil
	}
	v.put(1, syn|ack, nil)
	v.put(0, ack, nil)
	return v
}

// send is data in segments of at most size bytes, acknowledged every other time.
func (v *stream) send(side int, data []byte, size int) {
	for i := 0; len(data) > 0; i++ {
		n := min(size, len(data))
		v.put(side, psh|ack, data[:n])
		if data = data[n:]; i%2 == 1 || len(data) == 0 {
			v.put(1-side, ack, nil)
		}
	}
}

func (v *stream) close() {
	v.put(0, fin|ack, nil)
	v.put(1, fin|ack, nil)
	v.put(0, ack, nil)
}

// http gets n bytes of an image.
func (h *host) http(path string, n int) {
	v := h.dial(h.Host, images, 80)
	if v == nil {
		return
	}
	v.send(0, []byte("GET "+path+" HTTP/1.1\r\nHost: 10.1.255.3\r\nUser-Agent: iPXE/1.21.1\r\n\r\n"), 1448)
	v.send(1, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: "+strconv.Itoa(n)+"\r\n\r\n"), 1448)
	for n > 0 {
		part := min(n, 1<<18)
		v.send(1, h.bytes(part), 1448)
		n -= part
	}
	v.close()
}

// chat is a conversation of small messages on a port: SSH, TLS, the rack's
// region connection, a proxy.
func (h *host) chat(from, to synth.Host, port uint16, messages, size int) {
	v := h.dial(from, to, port)
	if v == nil {
		return
	}
	for i := range messages {
		v.put(i%2, psh|ack, h.bytes(8+h.rnd.IntN(size)))
		v.put(1-i%2, ack, nil)
	}
	v.close()
}

// nfs mounts a root and reads it in pieces of size bytes.
func (h *host) nfs(calls, size int) {
	h.portmap(synth.RPCNFS)
	v := h.dial(h.Host, images, 2049)
	if v == nil {
		return
	}
	for range calls {
		h.xid++
		v.send(0, synth.RPCRecord(synth.NFSCall(h.xid, 3, 6, "node", 0, 0, uint32(size))), 1448)
		reply := synth.RPCReply(h.xid, synth.Words(0, 0, uint32(size), 0), synth.Opaque(h.bytes(size)))
		v.send(1, synth.RPCRecord(reply), 1448)
	}
	v.close()
}

func (h *host) portmap(prog uint32) {
	h.xid++
	port := h.ephemeral()
	h.udp(h.Host, images, port, 111, synth.PortmapGetport(h.xid, prog, 3, 6))
	h.udp(images, h.Host, 111, port, synth.RPCReply(h.xid, synth.Words(2049)))
}

// dns asks for an address; one question in 4096 is not answered.
func (h *host) dns() {
	id, port := uint16(h.rnd.Uint32()), h.ephemeral()
	q := []byte{byte(id >> 8), byte(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6, 'm', 'i', 'r', 'r', 'o', 'r', 3, 'l', 'a', 'n', 0, 0, 1, 0, 1}
	h.udp(h.Host, rack, port, 53, q)
	if h.rnd.IntN(4096) == 0 {
		return
	}
	a := append(append([]byte{}, q...), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 255, 3)
	a[2], a[7] = 0x85, 1
	h.udp(rack, h.Host, 53, port, a)
}

func (h *host) ntp() {
	b := make([]byte, 48)
	b[0] = 0x23
	binary.BigEndian.PutUint64(b[40:], h.rnd.Uint64())
	h.udp(h.Host, rack, 123, 123, b)
	a := append([]byte{}, b...)
	a[0] = 0x24
	copy(a[24:32], b[40:])
	h.udp(rack, h.Host, 123, 123, a)
}

func (h *host) syslog() {
	h.udp(h.Host, admin, h.port, 514, []byte("<30>node systemd[1]: Started Daily apt upgrade, run "+strconv.Itoa(h.rnd.IntN(1e6))))
}

// strange is traffic of no service.
func (h *host) strange(n int) {
	port, server := h.ephemeral(), uint16(20000+h.rnd.IntN(4000))
	for range n {
		h.udp(h.Host, admin, port, server, h.bytes(20+h.rnd.IntN(45)))
	}
}
