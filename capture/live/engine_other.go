//go:build !linux

package live

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
)

const defaultEngine = EngineLibpcap

func openRings(*Options) (engine, error) {
	return nil, &Error{fmt.Errorf("the ring of packet sockets on %s: %w", runtime.GOOS, ErrUnsupported),
		"it is Linux's; use --engine libpcap"}
}

func inNetNS(name string, do func() error) error {
	if name == "" {
		return do()
	}
	return &Error{fmt.Errorf("network namespaces on %s: %w", runtime.GOOS, ErrUnsupported), ""}
}

func devices(netns string) (list []Device, err error) {
	err = inNetNS(netns, func() error {
		list, err = libpcapDevices()
		return err
	})
	if errors.Is(err, ErrUnsupported) {
		return knownDevices(err.Error())
	}
	return list, err
}

// knownDevices lists the interfaces as the system sees them, for a build that
// cannot capture.
func knownDevices(why string) ([]Device, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	slices.SortFunc(ifs, func(a, b net.Interface) int { return a.Index - b.Index })
	var list []Device
	for _, i := range ifs {
		d := Device{Name: i.Name, State: "down", Index: i.Index, MAC: i.HardwareAddr.String(), Addrs: addresses(&i), Why: why}
		if i.Flags&net.FlagUp != 0 {
			d.State = "up"
		}
		list = append(list, d)
	}
	return list, nil
}
