//go:build unix

package record

import (
	"os"
	"syscall"
)

// owner is the user to whom a file belongs.
func owner(fi os.FileInfo) (uid uint32, ok bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
