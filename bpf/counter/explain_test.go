//go:build linux

package counter

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Each refusal is one line that names what is missing, with a remedy, and of
// the kind that callers ask for.
func TestExplain(t *testing.T) {
	all := surroundings{}
	for _, c := range []struct {
		name  string
		in    surroundings
		err   error
		hook  Hook
		want  string
		hint  string
		is    error
		isNot error
	}{
		{"no right", surroundings{missing: []string{"CAP_BPF"}}, unix.EPERM, TCX, "needs CAP_BPF", "setcap cap_bpf,cap_perfmon,cap_net_admin+ep", ErrPermission, ErrUnsupported},
		{"no right for a socket", surroundings{missing: []string{"CAP_NET_RAW"}}, unix.EPERM, Socket, "needs CAP_NET_RAW", "cap_net_raw+ep", ErrPermission, ErrUnsupported},
		{"the verifier wants CAP_PERFMON", surroundings{missing: []string{"CAP_PERFMON"}}, &ebpf.VerifierError{Cause: unix.EACCES}, XDP, "needs CAP_PERFMON", "root", ErrPermission, ErrUnsupported},
		{"no right and locked down", surroundings{[]string{"CAP_BPF"}, true}, unix.EPERM, TCX, "CAP_BPF", "setcap", ErrPermission, ErrUnsupported},
		{"locked down", surroundings{lockdown: true}, unix.EPERM, TCX, "locked down", "lockdown=integrity", ErrUnsupported, ErrPermission},
		{"a policy", all, unix.EPERM, TCX, "permission denied", "container", ErrPermission, ErrUnsupported},
		{"old kernel", all, fmt.Errorf("tcx: %w", ebpf.ErrNotSupported), TCX, "no tcx", "--attach socket", ErrUnsupported, ErrPermission},
		{"very old kernel", all, unix.ENOSYS, Socket, "no socket", "pxescope analyze FILE", ErrUnsupported, ErrPermission},
		{"XDP is taken", all, unix.EBUSY, XDP, "eth9 has an XDP program", "--attach tcx", nil, ErrUnsupported},
		{"XDP is taken, generic", all, unix.EEXIST, XDPGeneric, "eth9 has an XDP program", "ip link show eth9", nil, ErrUnsupported},
		{"no XDP in the driver", all, unix.EOPNOTSUPP, XDP, "takes no XDP", "xdp-generic", ErrUnsupported, ErrPermission},
		{"large MTU", all, unix.ERANGE, XDP, "takes no XDP", "MTU", ErrUnsupported, ErrPermission},
		{"no memory", all, unix.ENOMEM, TCX, "no memory", "ulimit -l", nil, ErrPermission},
		{"too complex", all, &ebpf.VerifierError{Cause: unix.E2BIG}, TCX, "verifier refuses", "--filter", nil, ErrPermission},
		{"something else", all, unix.EIO, TCX, "count on eth9 by tcx", "", nil, ErrPermission},
	} {
		err := c.in.explain(fmt.Errorf("load the counter: %w", c.err), c.hook, "eth9")
		var told *Error
		hint := ""
		if errors.As(err, &told) {
			hint = told.Hint
		}
		if s := err.Error(); !strings.Contains(s, c.want) || strings.Contains(s, "\n") {
			t.Errorf("%s: got %q, want one line with %q", c.name, s, c.want)
		}
		if c.hint == "" && hint != "" || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: got the hint %q, want %q", c.name, hint, c.hint)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %v, want one that is %v", c.name, err, c.is)
		}
		if errors.Is(err, c.isNot) {
			t.Errorf("%s: got %v, which is %v", c.name, err, c.isNot)
		}
	}
}

// without runs do on a thread that has lost capabilities, in a namespace.
func (l *lab) without(bits []int, do func()) {
	l.t.Helper()
	l.in(l.Near, func() error {
		runtime.LockOSThread() // it is thrown away
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&hdr, &data[0]); err != nil {
			return err
		}
		for _, b := range bits {
			data[b/32].Effective &^= 1 << (b % 32)
			data[b/32].Permitted &^= 1 << (b % 32)
			data[b/32].Inheritable &^= 1 << (b % 32)
		}
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			return err
		}
		do()
		return nil
	})
}

// A process without a right is told which, on every hook; with exactly the
// rights that the documentation names it counts.
func TestRights(t *testing.T) {
	l := newLab(t)
	every := make([]int, unix.CAP_LAST_CAP+1)
	for i := range every {
		every[i] = i
	}
	but := func(keep ...int) (drop []int) {
		for _, b := range every {
			if !slices.Contains(keep, b) {
				drop = append(drop, b)
			}
		}
		return drop
	}
	for _, c := range []struct {
		name  string
		keep  []int
		hook  Hook
		learn bool
		want  string // in the error; empty: it works
	}{
		{"none", nil, TCX, false, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"},
		{"none", nil, Socket, false, "CAP_BPF, CAP_PERFMON, CAP_NET_RAW"},
		{"none", nil, XDPGeneric, false, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"},
		{"no PERFMON", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN}, TCX, false, "needs CAP_PERFMON:"},
		{"no PERFMON", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN}, XDP, false, "needs CAP_PERFMON:"},
		{"no NET_ADMIN", []int{unix.CAP_BPF, unix.CAP_PERFMON}, TCX, false, "needs CAP_NET_ADMIN:"},
		{"no NET_ADMIN", []int{unix.CAP_BPF, unix.CAP_PERFMON}, XDP, false, "needs CAP_NET_ADMIN:"},
		{"no NET_RAW", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, Socket, false, "needs CAP_NET_RAW:"},
		{"documented", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, TCX, false, ""},
		{"documented", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, XDP, false, ""},
		{"documented", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, XDPGeneric, false, ""},
		{"documented", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_RAW}, Socket, false, ""},
		{"learn without NET_RAW", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, TCX, true, "learning ports needs CAP_NET_RAW"},
		{"learn", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}, TCX, true, ""},
		{"auto falls back", []int{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_RAW}, "", false, ""},
	} {
		name := fmt.Sprintf("%s, %s", c.name, c.hook)
		l.without(but(c.keep...), func() {
			n, err := Open(Config{Hook: c.hook, Interfaces: []string{"veth0"}, Learn: c.learn, Filter: parsed(t, "udp")})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: %v", name, err)
			case c.want != "" && (!errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%s: got %v, want %q", name, err, c.want)
			}
			if n != nil {
				if c.hook == "" && n.Hook() != Socket {
					t.Errorf("%s: got %s, want a socket", name, n.Hook())
				}
				if err := n.Close(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}
