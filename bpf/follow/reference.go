package follow

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Reference is the filter in Go: what it says of a frame is what the program
// in the kernel says. It remembers without a bound, so it belongs to one
// capture, and to one goroutine.
type Reference struct {
	c       Config
	r       *rules
	clients map[endpoint]capture.Time // until when
	servers map[endpoint]capture.Time
	calls   map[question]asked
	frags   map[fragment]verdict
	stamps  [stamps]uint64 // ms

	window  uint64 // in which strays were let through
	strays  int
	learnt  Stats
	pending *fragment // the datagram whose first fragment is looked at
}

type endpoint struct {
	addr  wire.Addr
	port  uint16
	proto uint8
}

// A question to portmap, by who asks.
type question struct {
	endpoint
	xid uint32
}

type asked struct {
	kind   int
	proto  uint8
	server wire.Addr
}

// A fragment is what the fragments of one datagram have in common.
type fragment struct {
	src, dst wire.Addr
	id       uint32
	version  uint8
	proto    uint8 // 0 in IPv6
}

type verdict struct {
	pass  bool
	until capture.Time
}

// NewReference makes a Reference for a Config. Sizes of tables do not matter.
func NewReference(c Config) (*Reference, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	return &Reference{
		c: c, r: newRules(c), clients: make(map[endpoint]capture.Time), servers: make(map[endpoint]capture.Time),
		calls: make(map[question]asked), frags: make(map[fragment]verdict),
	}, nil
}

// Stats are what the program would have counted, without Evicted and Failures.
func (r *Reference) Stats() Stats { return r.learnt }

// Passes reports whether an Ethernet frame passes at a time, and learns from it.
func (r *Reference) Passes(frame []byte, now capture.Time) bool {
	r.pending = nil
	pass := r.ether(slices.Clip(frame), now)
	if r.pending != nil {
		v := verdict{pass, now + dropsFor}
		if pass {
			v.until = now + passesFor
		}
		r.frags[*r.pending] = v
		r.learnt.Fragments++
	}
	if pass {
		r.learnt.Passed++
	} else {
		r.learnt.Dropped++
	}
	return pass
}

func (r *Reference) ether(b []byte, now capture.Time) bool {
	if len(b) < 14 {
		return true
	}
	typ, b := binary.BigEndian.Uint16(b[12:]), b[14:]
	for tags := 0; typ == 0x8100 || typ == 0x88a8 || typ == 0x9100; tags++ {
		if len(b) < 4 || tags == maxTags {
			return true
		}
		typ, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	switch typ {
	case wire.EtherIPv4:
		return r.ip4(b, now)
	case wire.EtherIPv6:
		return r.ip6(b, now)
	}
	return !slices.Contains(bulkTypes, typ)
}

// A datagram is an IP packet, b its payload as far as it was captured; up to the
// slice's capacity goes what the frame has, padding too.
type datagram struct {
	src, dst wire.Addr
	proto    uint8
	b        []byte
}

func (r *Reference) ip4(b []byte, now capture.Time) bool {
	if len(b) < 20 {
		return true
	}
	hl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || hl < 20 || len(b) < hl || total != 0 && total < hl {
		return true
	}
	d := datagram{mapped(b[12:16]), mapped(b[16:20]), b[9], b[hl:]}
	if total != 0 && total < len(b) {
		d.b = b[hl:total]
	}
	if flags := binary.BigEndian.Uint16(b[6:]); flags&0x3fff != 0 {
		k := fragment{d.src, d.dst, uint32(binary.BigEndian.Uint16(b[4:])), 4, d.proto}
		if flags&0x1fff != 0 {
			return r.later(&k, now)
		}
		r.pending = &k
	}
	for range maxHeaders4 {
		if r.r.protos[0][d.proto] != protoWords4 {
			break
		}
		if !d.skip(4) {
			return true
		}
	}
	return r.transport(&d, 0, now)
}

func mapped(b []byte) (a wire.Addr) {
	a[10], a[11] = 0xff, 0xff
	copy(a[12:], b)
	return a
}

// skip goes behind an extension header whose length is in units; false: it is cut.
func (d *datagram) skip(unit int) bool {
	if len(d.b) < 8 {
		return false
	}
	n := 8 + int(d.b[1])*unit
	if len(d.b) < n {
		return false
	}
	d.proto, d.b = d.b[0], d.b[n:]
	return true
}

func (r *Reference) ip6(b []byte, now capture.Time) bool {
	if len(b) < 40 || b[0]>>4 != 6 {
		return true
	}
	d := datagram{wire.Addr(b[8:24]), wire.Addr(b[24:40]), b[6], b[40:]}
	if n := int(binary.BigEndian.Uint16(b[4:])); n != 0 && n < len(d.b) {
		d.b = d.b[:n]
	}
	for range maxHeaders6 {
		switch r.r.protos[1][d.proto] {
		case protoWords4:
			if !d.skip(4) {
				return true
			}
		case protoWords8:
			if !d.skip(8) {
				return true
			}
		case protoFragments:
			h := d.b
			if !d.skip(0) {
				return true
			}
			off := binary.BigEndian.Uint16(h[2:])
			if off&0xfff9 == 0 {
				break
			}
			if r.pending != nil {
				r.pending = nil // the program remembers nothing of such a packet
				return true
			}
			k := fragment{d.src, d.dst, binary.BigEndian.Uint32(h[4:]), 6, 0}
			if off&0xfff8 != 0 {
				return r.later(&k, now)
			}
			r.pending = &k
		default:
			return r.transport(&d, 1, now)
		}
	}
	return r.transport(&d, 1, now)
}

// later decides about a fragment without ports.
func (r *Reference) later(k *fragment, now capture.Time) bool {
	if v, ok := r.frags[*k]; ok && now <= v.until {
		return v.pass
	}
	if w := uint64(now) >> windowShift; w != r.window {
		r.window, r.strays = w, 0
	}
	if r.strays >= straysPerWindow {
		r.learnt.Excess++
		return false
	}
	r.strays++
	r.learnt.Strays++
	return true
}

func (r *Reference) transport(d *datagram, version int, now capture.Time) bool {
	switch d.proto {
	case wire.ProtoUDP, wire.ProtoTCP:
		return r.conversation(d, now)
	}
	return r.r.protos[version][d.proto] != protoDrops
}

func (r *Reference) conversation(d *datagram, now capture.Time) bool {
	b := d.b
	if len(b) < 4 {
		return true
	}
	i := onTCP
	if d.proto == wire.ProtoUDP {
		i = onUDP
	}
	src := endpoint{d.src, binary.BigEndian.Uint16(b), d.proto}
	dst := endpoint{d.dst, binary.BigEndian.Uint16(b[2:]), d.proto}
	if e := r.r.ports[i][src.port] | r.r.ports[i][dst.port]; e&portPasses != 0 {
		if e&portTeaches != 0 {
			r.teach(d, src, dst, now)
		}
		return true
	}
	for _, e := range []endpoint{dst, src} {
		if r.use(r.clients, e, r.c.TFTPFor, now) || r.use(r.servers, e, r.c.RPCFor, now) {
			return true
		}
	}
	if d.proto == wire.ProtoTCP {
		return r.segment(b, dst, now)
	}
	if len(b) < 8 {
		return true
	}
	if n := binary.BigEndian.Uint16(b[4:]); n != 0 && n < 8 {
		return true
	}
	if isCall(b[8:]) {
		r.learn(r.servers, dst, r.c.RPCFor, &r.learnt.RPC, now)
		return true
	}
	return r.sample(d, now)
}

// use reports whether a table has e, and renews it.
func (r *Reference) use(table map[endpoint]capture.Time, e endpoint, span time.Duration, now capture.Time) bool {
	until, ok := table[e]
	if !ok || now > until {
		return false
	}
	if fresh := now.Add(span); fresh-until >= renewed {
		table[e] = fresh
	}
	return true
}

func (r *Reference) learn(table map[endpoint]capture.Time, e endpoint, span time.Duration, count *uint64, now capture.Time) {
	if _, ok := table[e]; !ok {
		*count++
	}
	table[e] = now.Add(span)
}

func (r *Reference) segment(b []byte, dst endpoint, now capture.Time) bool {
	if len(b) < 20 {
		return true
	}
	hl := int(b[12]>>4) * 4
	if hl < 20 || hl > len(b) || b[13]&(wire.SYN|wire.RST) != 0 {
		return true
	}
	if p := b[hl:]; len(p) >= 28 && p[0]&0x80 != 0 && isCall(p[4:]) {
		r.learn(r.servers, dst, r.c.RPCFor, &r.learnt.RPC, now)
		return true
	}
	return false
}

// isCall is the check of package rpc's looksLikeCall.
func isCall(b []byte) bool {
	if len(b) < 24 || binary.BigEndian.Uint64(b[4:]) != 2 || binary.BigEndian.Uint32(b[20:]) > maxProcedure {
		return false
	}
	p := binary.BigEndian.Uint32(b[12:])
	return p-programPortmap < programBlock || p == programCallback
}

// sample lets one packet of a conversation pass each second.
func (r *Reference) sample(d *datagram, now capture.Time) bool {
	mix := uint64(golden)
	h := uint64(binary.NativeEndian.Uint32(d.src[12:])) | uint64(binary.NativeEndian.Uint32(d.dst[12:]))<<32
	h = (h*mix ^ uint64(binary.NativeEndian.Uint32(d.b))) * mix
	s, ms := &r.stamps[h>>(64-stampBits)], uint64(now)>>stampShift
	if *s != 0 && int64(ms-*s) <= sampled>>stampShift {
		return false
	}
	*s = ms
	r.learnt.Samples++
	return true
}

// teach learns from TFTP's port and portmap's.
func (r *Reference) teach(d *datagram, src, dst endpoint, now capture.Time) {
	b := d.b[:cap(d.b)]
	if d.proto == wire.ProtoUDP {
		if dst.port == portTFTP {
			r.learn(r.clients, src, r.c.TFTPFor, &r.learnt.TFTP, now)
			return
		}
		b = b[min(8, len(b)):]
	} else {
		if len(d.b) < 20 {
			return
		}
		hl := int(b[12]>>4) * 4
		if hl < 20 || hl > len(d.b) || hl+4 > len(b) {
			return
		}
		b = b[hl+4:]
	}
	if len(b) < 12 {
		return
	}
	switch binary.BigEndian.Uint32(b[4:]) {
	case 0:
		if dst.port == portPortmap {
			r.call(b, src, d.dst)
		}
	case 1:
		if src.port == portPortmap {
			r.reply(b, src, dst, now)
		}
	}
}

// opaque passes authentication data, flavor first; nil: cut or nonsense.
func opaque(b []byte) []byte {
	if len(b) < 8 {
		return nil
	}
	n := binary.BigEndian.Uint32(b[4:])
	if n > maxAuth || int(n+3)&^3 > len(b)-8 {
		return nil
	}
	return b[8+(n+3)&^3:]
}

func (r *Reference) call(b []byte, client endpoint, server wire.Addr) {
	if len(b) < 32 || binary.BigEndian.Uint32(b[8:]) != 2 || binary.BigEndian.Uint32(b[12:]) != programPortmap {
		return
	}
	a := asked{asksAddress, 0, server}
	if binary.BigEndian.Uint32(b[16:]) == 2 {
		a.kind = asksPort
	}
	args := opaque(opaque(b[24:]))
	switch binary.BigEndian.Uint32(b[20:]) {
	case 3, 9: // GETPORT, GETADDR; GETVERSADDR
		switch {
		case len(args) < 16:
			return
		case a.kind == asksPort:
			p := binary.BigEndian.Uint32(args[8:])
			if p != wire.ProtoUDP && p != wire.ProtoTCP {
				return
			}
			a.proto = uint8(p)
		default:
			id := args[12:16]
			switch n := binary.BigEndian.Uint32(args[8:]); {
			case n == 3:
				id = id[:3]
			case n != 4 || id[3] != '6':
				return
			}
			switch string(bytes.TrimSuffix(id, []byte("6"))) {
			case "tcp":
				a.proto = wire.ProtoTCP
			case "udp":
				a.proto = wire.ProtoUDP
			default:
				return
			}
		}
	case 5: // CALLIT
		if args == nil {
			return
		}
		a.proto = wire.ProtoUDP
	default:
		return
	}
	r.calls[question{client, binary.BigEndian.Uint32(b)}] = a
}

func (r *Reference) reply(b []byte, src, dst endpoint, now capture.Time) {
	a, ok := r.calls[question{dst, binary.BigEndian.Uint32(b)}]
	if !ok || binary.BigEndian.Uint32(b[8:]) != 0 {
		return
	}
	b = opaque(b[12:])
	if len(b) < 8 || binary.BigEndian.Uint32(b) != 0 {
		return
	}
	port, ok := binary.BigEndian.Uint32(b[4:]), true
	if a.kind == asksAddress {
		port, ok = lastNumbers(b[4:])
	}
	if !ok || port == 0 || port > 0xffff {
		return
	}
	r.learn(r.servers, endpoint{src.addr, uint16(port), a.proto}, r.c.RPCFor, &r.learnt.RPC, now)
	if a.server != src.addr {
		r.learn(r.servers, endpoint{a.server, uint16(port), a.proto}, r.c.RPCFor, &r.learnt.RPC, now)
	}
}

// lastNumbers is the port of a universal address behind its length.
func lastNumbers(b []byte) (port uint32, ok bool) {
	n := binary.BigEndian.Uint32(b)
	if n < 6 || n > 128 || int(n)+4 > len(b) {
		return 0, false
	}
	b = b[:n+4]
	for i := range 2 {
		dot := bytes.LastIndexByte(b, '.')
		if dot < 0 || len(b)-dot-1 < 1 || len(b)-dot-1 > 3 {
			return 0, false
		}
		x := uint32(0)
		for _, c := range b[dot+1:] {
			if c < '0' || c > '9' {
				return 0, false
			}
			x = x*10 + uint32(c-'0')
		}
		if x > 255 {
			return 0, false
		}
		port |= x << (8 * i)
		b = b[:dot]
	}
	return port, true
}
