//go:build !windows && !(cgo && (libpcap || darwin || freebsd))

package live

import (
	"fmt"
	"runtime"
)

func openLibpcap(*Options) (engine, error) { return nil, noLibpcap() }

// libpcapDevices are the interfaces that libpcap knows.
func libpcapDevices() ([]Device, error) { return nil, noLibpcap() }

// noLibpcap says how to build with it.
func noLibpcap() error {
	hint := "build it with a C compiler and libpcap's headers: CGO_ENABLED=1 go build -tags libpcap ./cmd/pxescope"
	if runtime.GOOS == "linux" {
		hint += "; or leave --engine out"
	}
	return &Error{fmt.Errorf("libpcap in this build of pxescope: %w", ErrUnsupported), hint}
}
