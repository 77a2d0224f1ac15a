package filter

import (
	"math/rand/v2"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// The kernel takes every program, those for live sockets too. Attaching to a
// socket of one's own needs no privilege.
func TestKernelAccepts(t *testing.T) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no socket: %v", err)
	}
	defer unix.Close(fd)
	attach := func(p []bpf.RawInstruction) error {
		f := make([]unix.SockFilter, len(p))
		for i, in := range p {
			f[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
		}
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]})
	}
	if err := attach([]bpf.RawInstruction{{Op: opReturn}}); err != nil {
		t.Skipf("SO_ATTACH_FILTER: %v", err)
	}
	if attach([]bpf.RawInstruction{{Op: opAbsolute}}) == nil {
		t.Fatal("the kernel takes a program that does not return: this proves nothing")
	}
	n := 0
	try := func(text string, e *Expr, target Target) {
		p, err := Compile(e, target)
		if err != nil {
			return
		}
		n++
		if err := attach(p); err != nil {
			t.Errorf("%s: %d instructions: %v\n%s", text, len(p), err, Listing(p))
		}
	}
	for _, x := range examples(t) {
		e, err := Parse(x.text)
		if err != nil {
			t.Fatal(err)
		}
		try(x.text, e, Target{Link: x.link})
		try(x.text, e, Target{Link: x.link, Live: true})
	}
	for _, p := range catalog.Phases() {
		f := must(Build(&Request{Phase: p, Complete: true}))
		try(string(p), f.Expr, Ethernet)
		try(string(p), f.Expr, Target{Link: capture.LinkEthernet, Live: true})
	}
	if n < 900 {
		t.Errorf("tried %d programs, want more than 900", n)
	}
	n = 0
	r := maker{rand.New(rand.NewPCG(uint64(fromEnv(t, "FILTER_TRUTH_SEED", 1)), 31))}
	for range fromEnv(t, "FILTER_KERNEL_EXPRESSIONS", 2000) {
		text := r.expression()
		e, err := Parse(text)
		if err != nil {
			continue
		}
		try(text, e, Ethernet)
		try(text, e, Target{Link: capture.LinkEthernet, Live: true})
		try(text, e, Target{Link: capture.LinkRaw})
	}
	if n < 1000 {
		t.Errorf("tried %d random programs, want more than 1000", n)
	}
	t.Logf("%d random programs loaded", n)
}
