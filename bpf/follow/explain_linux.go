package follow

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// permitted reports whether the process may load the program: CAP_BPF, or
// CAP_SYS_ADMIN, which includes it.
func permitted() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return true // not known
	}
	has := func(bit int) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
	return has(unix.CAP_BPF) || has(unix.CAP_SYS_ADMIN)
}

// explain turns a refusal of the kernel into one line and a remedy.
func explain(err error) error {
	var verifier *ebpf.VerifierError
	refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	switch {
	case !permitted() && (refused || errors.As(err, &verifier)):
		name, e := os.Executable()
		if e != nil {
			name = "pxescope"
		}
		return &Error{fmt.Errorf("the filter that learns ports needs CAP_BPF: %w", ErrPermission),
			"run it as root, or: setcap cap_bpf,cap_net_raw+ep " + name}
	case errors.Is(err, unix.EPERM) && lockedDown():
		return &Error{fmt.Errorf("the kernel is locked down for confidentiality, which forbids eBPF: %w", ErrUnsupported),
			"boot with lockdown=integrity or none, or use the classic filter, which learns no ports"}
	case errors.Is(err, unix.EPERM):
		return &Error{fmt.Errorf("load the filter that learns ports: %w", ErrPermission),
			"a container or a security policy forbids eBPF: run it on the host"}
	case errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.ENOSYS) || errors.As(err, &verifier):
		return &Error{fmt.Errorf("this kernel takes no filter that learns ports: %w: %w", ErrUnsupported, err),
			"a kernel of 5.8 or later is needed; or use the classic filter, which learns no ports"}
	}
	return fmt.Errorf("filter with eBPF: %w", err)
}

// lockedDown reports whether the kernel runs in the mode that forbids reading
// its memory, and eBPF with it (kernel_lockdown(7)).
func lockedDown() bool {
	b, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(b), "[confidentiality]")
}
