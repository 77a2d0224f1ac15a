package live

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

func devices(netns string) (list []Device, err error) {
	err = inNetNS(netns, func() error {
		list, err = devicesHere()
		return err
	})
	return list, err
}

func devicesHere() ([]Device, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	n, err := openNetwork()
	if err != nil {
		return nil, err
	}
	defer n.close()
	slices.SortFunc(ifs, func(a, b net.Interface) int { return a.Index - b.Index })
	why := refused()
	var list []Device
	for _, i := range ifs {
		d, err := n.find(i.Name)
		if err != nil {
			continue // removed meanwhile
		}
		dev := Device{Name: i.Name, Index: i.Index, MAC: i.HardwareAddr.String(), Link: d.link, State: d.state(), Why: why}
		if d.up && !d.carrier {
			dev.State = "no carrier"
		}
		if !d.known {
			dev.Why = fmt.Sprintf("link type %d of Linux (ARPHRD) is not read", d.hatype)
		}
		dev.Permitted = dev.Why == ""
		dev.Addrs = addresses(&i)
		list = append(list, dev)
	}
	if more, err := libpcapDevices(); err == nil {
		for _, d := range more {
			has := func(o Device) bool { return o.Name == d.Name }
			if d.Permitted && d.Name != Any && !slices.ContainsFunc(list, has) {
				d.Why = "with --engine libpcap"
				list = append(list, d)
			}
		}
	}
	return append(list, Device{Name: Any, State: "up", Link: capture.LinkEthernet, Permitted: why == "", Why: why}), nil
}

// refused says why a packet socket cannot be had; empty when it can.
func refused() string {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "needs CAP_NET_RAW"
	case err != nil:
		return err.Error()
	}
	unix.Close(fd)
	return ""
}
