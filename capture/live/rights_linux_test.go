package live

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// dropRights takes every capability from the thread that the test runs on, and
// gives them back at its end.
func dropRights(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&hdr, &had[0]); err != nil {
		t.Fatal(err)
	}
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Capset(&hdr, &had[0]); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
}
