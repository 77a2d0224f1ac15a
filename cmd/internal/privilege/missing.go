package privilege

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// An Error is an error of opening a socket or a filter with what is missing
// and what grants it.
type Error struct {
	err     error
	Missing []Capability // empty: none, something else forbids it
	Hint    string       // lines of commands
}

func (e *Error) Error() string { return e.err.Error() }

// Unwrap is the error of opening.
func (e *Error) Unwrap() error { return e.err }

// Missing is which of the capabilities the process does not hold. Where there
// are no capabilities it is none.
func Missing(want ...Capability) []Capability {
	held, err := Held()
	if err != nil {
		return nil
	}
	var list []Capability
	for _, c := range want {
		if held&(1<<c) == 0 {
			list = append(list, c)
		}
	}
	return list
}

// Explain adds to a permission error what is missing for want and the commands
// that grant it. command is what was asked for, as "live eth1".
func Explain(err error, command string, want ...Capability) error {
	if err == nil {
		return nil
	}
	return explain(err, command, Missing(want...), runtime.GOOS, os.Geteuid())
}

func explain(err error, command string, missing []Capability, system string, euid int) *Error {
	sudo := "sudo pxescope " + command
	switch {
	case system == "windows":
		return &Error{err: err, Hint: "start it as administrator, with Npcap installed"}
	case system != "linux":
		return &Error{err: err, Hint: "as root: " + sudo + "\nor give yourself the right to read /dev/bpf*, as Wireshark's ChmodBPF does"}
	case len(missing) == 0:
		return &Error{err: err, Hint: "no capability is missing: a container's seccomp profile, a user namespace or a security module forbids it;\ntry it on the host, in its network namespace"}
	case euid == 0:
		flags := make([]string, len(missing))
		for i, c := range missing {
			flags[i] = "--cap-add " + strings.TrimPrefix(c.String(), "CAP_")
		}
		return &Error{err: fmt.Errorf("%w: %s missing", err, names(missing)), Missing: missing,
			Hint: "root without it is a container or a service: run the container with " + strings.Join(flags, " ") + ",\nor the service with AmbientCapabilities=" + names(missing)}
	}
	return &Error{err: fmt.Errorf("%w: %s missing", err, names(missing)), Missing: missing, Hint: strings.Join([]string{
		"once:      " + sudo,
		"for all:   sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon=ep $(command -v pxescope)",
		"a service: sudo systemctl start pxescope@IFACE, with the unit pxescope@.service",
	}, "\n")}
}

func names(list []Capability) string {
	s := make([]string, len(list))
	for i, c := range list {
		s[i] = c.String()
	}
	return strings.Join(s, " ")
}
