package rpc

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/classify/wire"
)

// Portmap and rpcbind procedures (RFC 1833 sections 2 and 3).
const (
	procGetport     = 3 // GETADDR of versions 3 and 4
	procDump        = 4
	procCallit      = 5
	procGetversaddr = 9 // version 4

	maxNetid = 16
	// maxUaddr is longer than the longest universal address, an IPv6 address
	// with its zone and two port bytes.
	maxUaddr = 128
	// maxMappings bounds what one DUMP teaches; a server has some 20 to 60.
	maxMappings = 256
)

// A mapping is a program on a port, or the question for it.
type mapping struct {
	prog, vers uint32
	proto      uint8 // wire.ProtoUDP, wire.ProtoTCP or 0
	port       uint16
}

// String is what is asked for: mount v3 tcp.
func (m mapping) String() string {
	s := programName(m.prog) + " v" + strconv.FormatUint(uint64(m.vers), 10)
	switch m.proto {
	case wire.ProtoUDP:
		s += " udp"
	case wire.ProtoTCP:
		s += " tcp"
	}
	return s
}

// readQuestion reads the arguments of GETPORT, GETADDR, GETVERSADDR and CALLIT.
func readQuestion(vers, proc uint32, args []byte) (m mapping) {
	x := xdr{b: args}
	m.prog, m.vers = x.u32(), x.u32()
	switch {
	case proc == procCallit:
		m.proto = wire.ProtoUDP
	case vers == 2:
		switch x.u32() {
		case wire.ProtoTCP:
			m.proto = wire.ProtoTCP
		case wire.ProtoUDP:
			m.proto = wire.ProtoUDP
		}
	default:
		m.proto = netidProto(x.opaque(maxNetid))
	}
	return m
}

func netidProto(b []byte) uint8 {
	switch string(b) {
	case "tcp", "tcp6":
		return wire.ProtoTCP
	case "udp", "udp6":
		return wire.ProtoUDP
	}
	return 0
}

// readPort reads the result of GETPORT, GETADDR or CALLIT; ok is false when it
// was not captured. Port 0: not registered.
func readPort(vers uint32, results []byte) (port uint16, ok bool) {
	x := xdr{b: results}
	if vers == 2 {
		p := x.u32()
		return uint16(p), !x.short && p <= 0xffff
	}
	a := x.opaque(maxUaddr)
	if x.short {
		return 0, false
	}
	if len(a) == 0 {
		return 0, true
	}
	return uaddrPort(string(a))
}

// uaddrPort is the port of a universal address: the last two numbers, high
// byte first, after an address in its usual text form (RFC 5665 section 5.2.3).
func uaddrPort(s string) (port uint16, ok bool) {
	i := strings.LastIndexByte(s, '.')
	j := strings.LastIndexByte(s[:max(i, 0)], '.')
	if j < 0 {
		return 0, false
	}
	if _, err := netip.ParseAddr(s[:j]); err != nil {
		return 0, false
	}
	hi, err1 := strconv.ParseUint(s[j+1:i], 10, 8)
	lo, err2 := strconv.ParseUint(s[i+1:], 10, 8)
	return uint16(hi<<8 | lo), err1 == nil && err2 == nil
}

// eachMapping calls f for the mappings of a DUMP reply as far as captured.
func eachMapping(vers uint32, results []byte, f func(mapping)) {
	x := xdr{b: results}
	for range maxMappings {
		if x.u32() != 1 {
			return
		}
		m := mapping{prog: x.u32(), vers: x.u32()}
		if vers == 2 {
			if p := x.u32(); p == wire.ProtoTCP || p == wire.ProtoUDP {
				m.proto = uint8(p)
			}
			m.port = uint16(x.u32())
		} else {
			m.proto = netidProto(x.opaque(maxNetid))
			m.port, _ = uaddrPort(string(x.opaque(maxUaddr)))
			x.opaque(maxBody)
		}
		if x.short {
			return
		}
		if m.proto != 0 && m.port != 0 {
			f(m)
		}
	}
}

// maxBody bounds strings that are passed over.
const maxBody = 1024
