package live

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

// Fields beside the packet that a classic program can load (include/uapi/linux/
// filter.h).
const (
	besidePktType = 1<<32 - 0x1000 + 4
	besideHatype  = 1<<32 - 0x1000 + 28
)

// Opcodes of classic BPF.
const (
	opLoadWord = 0x20 // BPF_LD|BPF_W|BPF_ABS
	opLoadImm  = 0x00 // BPF_LD|BPF_IMM
	opJumpEq   = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	opReturn   = 0x06 // BPF_RET|BPF_K
)

var reject = []bpf.RawInstruction{{Op: opReturn}}

// attach puts the filter on a ring that is not bound yet; d is nil for Any.
func (s *rings) attach(r *ring, d *device) error {
	f := s.o.Filter
	ethernet := !r.others && (d == nil || d.link == capture.LinkEthernet)
	if f.ProgFD != 0 && ethernet {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, f.ProgFD); err != nil {
			return explain(fmt.Errorf("attach the eBPF filter: %w", err))
		}
		return nil
	}
	if f.ProgFD != 0 && d != nil {
		s.o.Notice(d.name + " is not Ethernet: it has no kernel filter")
	}
	link := capture.LinkEthernet
	if d != nil {
		link = d.link
	}
	var prog []bpf.RawInstruction
	if f.Classic != nil {
		var err error
		if prog, err = f.Classic(link); err != nil {
			if d != nil {
				return fmt.Errorf("make the filter for %s, link type %s: %w", d.name, link, err)
			}
			return fmt.Errorf("make the filter: %w", err)
		}
	}
	if prog = s.program(prog, d == nil, r.others); prog == nil {
		return nil
	}
	if err := attachClassic(r.fd, prog); err != nil {
		return explain(fmt.Errorf("attach a filter of %d instructions: %w", len(prog), err))
	}
	return nil
}

// program completes a program, nil for all packets: those of the wrong
// direction do not come into the ring, what comes is cut, and with Any only
// Ethernet is asked about.
func (s *rings) program(prog []bpf.RawInstruction, any, others bool) (out []bpf.RawInstruction) {
	snap := uint32(s.o.SnapLen)
	all := bpf.RawInstruction{Op: opReturn, K: snap}
	if s.o.Direction == Out {
		// The packets of a loopback interface count as leaving.
		out = append(out,
			bpf.RawInstruction{Op: opLoadWord, K: besidePktType},
			bpf.RawInstruction{Op: opJumpEq, Jt: 3, K: unix.PACKET_OUTGOING},
			bpf.RawInstruction{Op: opLoadWord, K: besideHatype},
			bpf.RawInstruction{Op: opJumpEq, Jt: 1, K: unix.ARPHRD_LOOPBACK},
			bpf.RawInstruction{Op: opReturn},
		)
	}
	switch {
	case others:
		return append(out,
			bpf.RawInstruction{Op: opLoadWord, K: besideHatype},
			bpf.RawInstruction{Op: opJumpEq, Jt: 1, K: unix.ARPHRD_ETHER},
			bpf.RawInstruction{Op: opJumpEq, Jf: 1, K: unix.ARPHRD_LOOPBACK},
			bpf.RawInstruction{Op: opReturn},
			all,
		)
	case prog == nil && len(out) == 0 && s.o.SnapLen == DefaultSnapLen:
		return nil
	case prog == nil:
		return append(out, all)
	}
	if any {
		out = append(out,
			bpf.RawInstruction{Op: opLoadWord, K: besideHatype},
			bpf.RawInstruction{Op: opJumpEq, Jt: 2, K: unix.ARPHRD_ETHER},
			bpf.RawInstruction{Op: opJumpEq, Jt: 1, K: unix.ARPHRD_LOOPBACK},
			all,
		)
	}
	if len(out) > 0 {
		out = append(out, bpf.RawInstruction{Op: opLoadImm}) // a program may count on A being 0
	}
	for _, in := range prog {
		if in.Op == opReturn {
			in.K = min(in.K, snap)
		}
		out = append(out, in)
	}
	return out
}

func attachClassic(fd int, prog []bpf.RawInstruction) error {
	f := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		f[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]})
}

// ignoreOutgoing keeps what leaves out of the ring; a kernel before 4.20 does
// not know how, and it is left out when it is read.
func (r *ring) ignoreOutgoing() {
	unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
}
