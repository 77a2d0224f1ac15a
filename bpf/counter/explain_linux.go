package counter

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// rights are the capabilities that a hook needs (Linux 5.8 and later; before,
// CAP_SYS_ADMIN). CAP_PERFMON is for offsets that the verifier cannot know,
// into the packet and the tables.
func (h Hook) rights() []capability {
	if h == Socket {
		return []capability{{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}, {"CAP_NET_RAW", unix.CAP_NET_RAW}}
	}
	return []capability{{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}}
}

type capability struct {
	name string
	bit  int
}

// missing names the rights that the process does not have.
func (h Hook) missing() (names []string) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return nil
	}
	has := func(bit int) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
	if has(unix.CAP_SYS_ADMIN) && has(unix.CAP_NET_ADMIN) && has(unix.CAP_NET_RAW) {
		return nil // CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON
	}
	for _, c := range h.rights() {
		if !has(c.bit) {
			names = append(names, c.name)
		}
	}
	return names
}

// surroundings are what tells one refusal from another.
type surroundings struct {
	missing  []string // rights of the hook
	lockdown bool     // for confidentiality
}

// explain turns a refusal of the kernel into one line and a remedy.
func explain(err error, h Hook, iface string) error {
	return surroundings{h.missing(), lockedDown()}.explain(err, h, iface)
}

func (s surroundings) explain(err error, h Hook, iface string) error {
	var verifier *ebpf.VerifierError
	switch {
	case len(s.missing) > 0 && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.As(err, &verifier)):
		return &Error{fmt.Errorf("counting by %s needs %s: %w", h, strings.Join(s.missing, ", "), ErrPermission),
			"run it as root, or: setcap " + setcap(h) + " " + executable()}
	case errors.Is(err, unix.EPERM) && s.lockdown:
		return &Error{fmt.Errorf("the kernel is locked down for confidentiality and refuses eBPF: %w", ErrUnsupported),
			"boot with lockdown=integrity or none, or count a capture: pxescope analyze FILE"}
	case errors.Is(err, unix.EPERM):
		return &Error{fmt.Errorf("counting by %s: %w", h, ErrPermission),
			"a container or a security policy forbids eBPF: run it on the host"}
	case errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.ENOSYS):
		hint := "use --attach socket"
		if h == Socket {
			hint = "a kernel of 5.4 or later with eBPF is needed; or count a capture: pxescope analyze FILE"
		}
		return &Error{fmt.Errorf("this kernel has no %s: %w", h, ErrUnsupported), hint}
	case errors.Is(err, unix.ENOMEM):
		return &Error{fmt.Errorf("the kernel has no memory for the counters: %w", err),
			"before Linux 5.11 locked memory is limited: ulimit -l unlimited; in a container raise its limit of memory"}
	case h.xdp() && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST)):
		return &Error{fmt.Errorf("%s has an XDP program already, and room for one", iface),
			"use --attach tcx, which counts beside it; 'ip link show " + iface + "' names the program"}
	case h.xdp() && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EINVAL)):
		return &Error{fmt.Errorf("the driver of %s takes no XDP program: %w", iface, ErrUnsupported),
			"use --attach xdp-generic or --attach tcx; with a large MTU some drivers want a smaller one"}
	case errors.As(err, &verifier) || errors.Is(err, unix.E2BIG):
		return &Error{fmt.Errorf("the kernel's verifier refuses the counter: %w", err),
			"with --filter a shorter expression may do; else please report this with 'uname -r'"}
	case iface != "":
		return fmt.Errorf("count on %s by %s: %w", iface, h, err)
	}
	return fmt.Errorf("count by %s: %w", h, err)
}

// explainLearn is explain for the sockets of Config.Learn.
func explainLearn(err error) error {
	if errors.Is(err, unix.EPERM) {
		return &Error{fmt.Errorf("learning ports needs CAP_NET_RAW: %w", ErrPermission),
			"run it as root, leave out --learn, or: setcap cap_bpf,cap_perfmon,cap_net_admin,cap_net_raw+ep " + executable()}
	}
	return err
}

func setcap(h Hook) string {
	if h == Socket {
		return "cap_bpf,cap_perfmon,cap_net_raw+ep"
	}
	return "cap_bpf,cap_perfmon,cap_net_admin+ep"
}

func executable() string {
	if name, err := os.Executable(); err == nil {
		return name
	}
	return "pxescope"
}

// lockedDown reports whether the kernel runs in the mode that forbids reading
// its memory, and eBPF with it (kernel_lockdown(7)).
func lockedDown() bool {
	b, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(b), "[confidentiality]")
}
