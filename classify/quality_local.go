package classify

import (
	"fmt"
	"strings"

	"github.com/pxescope/pxescope/classify/finding"
)

// localVirt is CQ-LOCALVIRT: a virtual network of the capturing host, where
// its own DHCP server is at home.
func (q *quality) localVirt(i *interfaceSum) *limit {
	if !isLocalVirt(q.iface(i.iface).Name) {
		return nil
	}
	return &limit{
		gate: "local-virt", severity: "note",
		detail: fmt.Sprintf("%s is a virtual network of the capturing host; its own DHCP server is at home there", q.ifaceName(i.iface)),
		doubts: func(f *finding.Finding) doubt {
			if f.Iface == i.iface && isRogue(f.Rule.ID) {
				return withhold
			}
			return noDoubt
		},
	}
}

// localServer is CQ-LOCALVIRT for a capture on "any": the accused server is the
// capturing host itself.
func (q *quality) localServer() *limit {
	if len(q.local) == 0 {
		return nil
	}
	return &limit{
		gate: "local-virt", severity: "note", onlyIfMet: true,
		detail: "a DHCP server that runs on the capturing host answered on one of its interfaces; captured on \"any\", its virtual networks cannot be told from the real ones",
		doubts: func(f *finding.Finding) doubt {
			if f.Rule.ID == "dhcp-rogue-libvirt" && q.local[f.Server.MAC] {
				return withhold
			}
			return noDoubt
		},
	}
}

func isRogue(id string) bool {
	return strings.HasPrefix(id, "dhcp-rogue-") || id == "dhcp-several-servers"
}

func isLocalVirt(name string) bool {
	for _, p := range []string{"virbr", "vnet", "tap", "lxdbr", "docker", "veth"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// offload is CQ-OFFLOAD: frames that no wire carries come from a host that
// captures its own packets before the network card cuts and checks them.
func (q *quality) offload(sums []*interfaceSum) *limit {
	var n uint64
	for _, i := range sums {
		n += i.oversize
	}
	if n == 0 {
		return nil
	}
	sent := func(e finding.Endpoint, more int) bool {
		for _, h := range q.oversize {
			if h.len > more && h.mac == e.MAC && !e.MAC.IsZero() {
				return true
			}
		}
		return false
	}
	return &limit{
		gate: "offload", severity: "note",
		detail: fmt.Sprintf("%d frames are longer than %d bytes: captured before the network card cut them and set their checksums, or jumbo frames", n, maxFrame),
		doubts: func(f *finding.Finding) doubt {
			switch f.Rule.ID {
			case "bad-udp-checksum-reply":
				if sent(f.Server, maxFrame) {
					return withhold
				}
			case "path-mtu-black-hole", "fragments-lost": // jumbo frames may be the very cause
				if sent(f.Server, maxJumbo) || sent(f.Node, maxJumbo) {
					return withhold
				}
			}
			return noDoubt
		},
	}
}
