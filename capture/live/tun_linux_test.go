package live

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// tun makes an interface of IP packets without a link layer in the near
// namespace: what is written to it is received.
func (l *lab) tun(name string) int {
	l.t.Helper()
	fd := -1
	l.In(l.Near, func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	})
	l.t.Cleanup(func() { unix.Close(fd) })
	l.IP("-n", l.Near, "link", "set", name, "up")
	return fd
}

// socketProgram is an eBPF filter that takes packets of 64 bytes.
func socketProgram(t *testing.T) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, License: "MIT", Instructions: asm.Instructions{
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Word), // __sk_buff.len
		asm.Mov.Imm(asm.R0, 0),
		asm.JNE.Imm(asm.R1, 64, "end"),
		asm.Mov.Imm(asm.R0, 1<<18),
		asm.Return().WithSymbol("end"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
