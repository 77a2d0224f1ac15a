//go:build !linux

package privilege

import (
	"fmt"
	"runtime"
)

// Drop does nothing on this system and says so; to become another user is an
// error.
func Drop(n Needs) (done []string, err error) {
	if n.User != "" {
		return nil, fmt.Errorf("become user %q: only on Linux; on %s start as that user, with access to the capture devices", n.User, runtime.GOOS)
	}
	return []string{"privileges are kept: dropping them is only done on Linux"}, nil
}
