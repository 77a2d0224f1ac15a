//go:build !linux

package follow

import (
	"fmt"
	"runtime"
)

// A Filter runs in the kernel of Linux, and nowhere else.
type Filter struct{}

// Load fails.
func Load(Config) (*Filter, error) {
	return nil, &Error{
		Err:  fmt.Errorf("filtering with eBPF on %s: %w", runtime.GOOS, ErrUnsupported),
		Hint: "use the classic filter, which learns no ports",
	}
}

// FD is no descriptor.
func (*Filter) FD() int { return -1 }

// Stats are none.
func (*Filter) Stats() (Stats, error) { return Stats{}, ErrUnsupported }

// Close does nothing.
func (*Filter) Close() error { return nil }
