package privilege

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Held is the set of effective capabilities of this thread, one bit for each.
// It asks the kernel and not /proc, which landlock may have closed.
func Held() (uint64, error) {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&h, &d[0]); err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return uint64(d[1].Effective)<<32 | uint64(d[0].Effective), nil
}
