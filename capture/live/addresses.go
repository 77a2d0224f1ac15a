package live

import (
	"net"
	"net/netip"
)

// addresses are those of an interface, none when they cannot be read.
func addresses(i *net.Interface) (list []netip.Prefix) {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			ip, ok := netip.AddrFromSlice(n.IP)
			ones, _ := n.Mask.Size()
			if ok {
				list = append(list, netip.PrefixFrom(ip.Unmap(), ones))
			}
		}
	}
	return list
}
