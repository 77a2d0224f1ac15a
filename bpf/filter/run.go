package filter

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// beside is what the kernel has beside a packet.
type beside struct {
	vlan bool
	tci  uint16
}

// execute runs a program as the kernel does, metadata included, which the VM
// of x/net/bpf refuses. TestMachines holds it against that one. It is for
// checking single packets; Matcher is many times faster.
func execute(p []bpf.RawInstruction, pkt []byte, wireLen int, meta beside) uint32 {
	keep, _ := run(p, pkt, wireLen, meta)
	return keep
}

// run is execute; false where the program gave up on a packet, for a read
// beyond its end or a division by zero.
func run(p []bpf.RawInstruction, pkt []byte, wireLen int, meta beside) (uint32, bool) {
	var a, x uint32
	var m [16]uint32
	load := func(off uint64, size uint16) (uint32, bool) {
		switch {
		case size == 0x10 && off < uint64(len(pkt)):
			return uint32(pkt[off]), true
		case size == 0x08 && off+2 <= uint64(len(pkt)):
			return uint32(binary.BigEndian.Uint16(pkt[off:])), true
		case size == 0 && off+4 <= uint64(len(pkt)):
			return binary.BigEndian.Uint32(pkt[off:]), true
		}
		return 0, false
	}
	for i := 0; i < len(p); i++ {
		in := &p[i]
		ok := true
		switch in.Op & 7 {
		case 0:
			switch in.Op & 0xe0 {
			case 0x00:
				a = in.K
			case 0x20:
				switch in.K {
				case metaVLANPresent:
					a = 0
					if meta.vlan {
						a = 1
					}
				case metaVLANTag:
					a = uint32(meta.tci)
				default:
					a, ok = load(uint64(in.K), in.Op&0x18)
				}
			case 0x40:
				a, ok = load(uint64(x)+uint64(in.K), in.Op&0x18)
			case 0x60:
				a = m[in.K]
			case 0x80:
				a = uint32(wireLen)
			}
		case 1:
			switch in.Op & 0xe0 {
			case 0x00:
				x = in.K
			case 0x60:
				x = m[in.K]
			case 0x80:
				x = uint32(wireLen)
			case 0xa0:
				x, ok = load(uint64(in.K), 0x10)
				x = x & 15 * 4
			}
		case 2:
			m[in.K] = a
		case 3:
			m[in.K] = x
		case 4:
			v := in.K
			if in.Op&8 != 0 {
				v = x
			}
			switch in.Op & 0xf0 {
			case 0x80:
				a = -a
			case 0x60:
				a <<= v
			case 0x70:
				a >>= v
			default:
				a, ok = calculate(aluNames[in.Op&0xf0], a, v)
			}
		case 5:
			v := in.K
			if in.Op&8 != 0 {
				v = x
			}
			var yes bool
			switch in.Op & 0xf0 {
			case 0x00:
				i += int(in.K)
				continue
			case 0x10:
				yes = a == v
			case 0x20:
				yes = a > v
			case 0x30:
				yes = a >= v
			case 0x40:
				yes = a&v != 0
			}
			if yes {
				i += int(in.Jt)
			} else {
				i += int(in.Jf)
			}
		case 6:
			if in.Op&0x18 == 0x10 {
				return a, true
			}
			return in.K, true
		case 7:
			if in.Op&0x80 != 0 {
				a = x
			} else {
				x = a
			}
		}
		if !ok {
			return 0, false
		}
	}
	panic("ran off the program's end")
}

var aluNames = map[uint16]word{0: "+", 0x10: "-", 0x20: "*", 0x30: "/", 0x40: "|", 0x50: "&", 0x90: "%", 0xa0: "^"}
