package privilege

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Drop gives up all privileges on every thread and says what was done, in the
// order of its doing. After an error the process may hold some of them still:
// end it. Kernels without landlock do the rest, and what was done says so.
func Drop(n Needs) (done []string, err error) {
	var to *Account
	switch {
	case n.User != "":
		if to, err = Lookup(n.User); err != nil {
			return nil, err
		}
	case os.Geteuid() != os.Getuid():
		to = &Account{UID: os.Getuid(), GID: os.Getgid()}
	}
	// What Go reads at its first use has to be read before landlock.
	_, _ = time.Now().Zone()

	// Landlock opens the paths, which may need the rights that go after it.
	if n.NoLandlock {
		done = append(done, "landlock was left out")
	} else {
		said, err := restrict(n)
		if err != nil {
			return done, err
		}
		done = append(done, said)
	}
	if err := clearBounding(); err != nil {
		return done, err
	}
	if err := all("clear ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return done, err // EINVAL: older than Linux 4.3, there are none
	}
	if to != nil {
		if err := become(to); err != nil {
			return done, err
		}
		name := to.Name
		if name == "" {
			name = "who started it"
		}
		done = append(done, fmt.Sprintf("user %s (%d)", name, to.UID))
	}
	if err := clearCapabilities(); err != nil {
		return done, err
	}
	done = append(done, "no capabilities")
	if err := all("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return done, err
	}
	return append(done, "no new privileges"), nil
}

// all does a system call on every thread, with cgo or without.
func all(what string, nr, a, b, c uintptr) error {
	if _, _, errno := psx.Syscall6(nr, a, b, c, 0, 0, 0); errno != 0 {
		return fmt.Errorf("%s: %w", what, errno)
	}
	return nil
}

// clearBounding takes from later programs what they could get. Without
// CAP_SETPCAP it cannot be done, and no_new_privs has to do.
func clearBounding() error {
	held, err := Held()
	if err != nil || held&(1<<unix.CAP_SETPCAP) == 0 {
		return nil
	}
	for c := uintptr(0); c < 64; c++ {
		set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if err != nil {
			break // past the last capability of this kernel
		}
		if set == 0 {
			continue
		}
		if err := all("clear the capability bounding set", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0); err != nil {
			return err
		}
	}
	return nil
}

// become changes the user. The syscall package does it on every thread.
func become(a *Account) error {
	if a.UID == os.Getuid() && a.UID == os.Geteuid() && a.UID != 0 {
		return nil
	}
	if a.Groups != nil {
		if err := syscall.Setgroups(a.Groups); err != nil {
			return fmt.Errorf("set the groups of user %s: %w", a.Name, err)
		}
	}
	if err := syscall.Setresgid(a.GID, a.GID, a.GID); err != nil {
		return fmt.Errorf("become group %d: %w", a.GID, err)
	}
	if err := syscall.Setresuid(a.UID, a.UID, a.UID); err != nil {
		return fmt.Errorf("become user %d: %w", a.UID, err)
	}
	return nil
}

// clearCapabilities empties the effective, permitted and inheritable sets.
func clearCapabilities() error {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if _, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&none[0])), 0); errno != 0 {
		return fmt.Errorf("clear capabilities: %w", errno)
	}
	return nil
}
