package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// explain turns a refusal of the kernel into one line and a remedy.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return &Error{fmt.Errorf("capturing needs CAP_NET_RAW: %w: %w", ErrPermission, err),
			"run it with sudo, or once: sudo setcap cap_net_raw,cap_net_admin,cap_bpf=ep " + executable()}
	case errors.Is(err, unix.EAFNOSUPPORT):
		return &Error{fmt.Errorf("%w: %w", err, ErrUnsupported), "the kernel is without packet sockets (CONFIG_PACKET)"}
	}
	return err
}

// executable is the file that setcap wants.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "pxescope"
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return path
}
