//go:build !linux

package counter

import (
	"fmt"
	"runtime"

	"github.com/pxescope/pxescope/capture"
)

// A Counter counts in the kernel of Linux, and nowhere else.
type Counter struct{}

func unsupported() error {
	return &Error{
		err:  fmt.Errorf("counting in the kernel on %s: %w", runtime.GOOS, ErrUnsupported),
		Hint: "run it on Linux, or count a capture: pxescope analyze FILE",
	}
}

// Open fails.
func Open(Config) (*Counter, error) { return nil, unsupported() }

// Hook is none.
func (*Counter) Hook() Hook { return "" }

// Read fails.
func (*Counter) Read() (*Totals, error) { return nil, unsupported() }

// Close does nothing.
func (*Counter) Close() error { return nil }

// Compare fails.
func Compare(Config, capture.Source) (*Comparison, error) { return nil, unsupported() }
