package traffic

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
)

// Nodes is how many machines take part.
const Nodes = 400

// Mix is a rack that is installed: 400 nodes boot by PXE, a few at a time, with
// DHCP, TFTP, HTTP images, NFS reads, portmap, DNS, NTP, syslog, SSH, TLS,
// MAAS's 5240 and a proxy: about 530 bytes a packet.
func Mix(seed uint64) *Source {
	s := &Source{info: synthInfo("mix.pcap")}
	pool := newPool(seed)
	for no := range uint64(Nodes) {
		h := newHost(seed, no+1, pool)
		s.add(time.Duration(h.rnd.Int64N(int64(300*time.Second))), h, (*host).install)
	}
	return s
}

// install is a machine that is installed again and again.
func (h *host) install() {
	mac := fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", h.MAC[0], h.MAC[1], h.MAC[2], h.MAC[3], h.MAC[4], h.MAC[5])
	size := []int{512, 1408, 1468}[h.rnd.IntN(3)]
	firmware, loader := synth.PXERom(mac), "lpxelinux.0"
	if size != 512 {
		firmware, loader = synth.UEFI(mac, 7), "bootx64.efi"
	}
	for {
		for !h.lease(firmware) {
			h.pause(4 * time.Second)
		}
		h.arp(rack)
		h.tftp(loader, 90_000+h.rnd.IntN(20_000), size)
		h.tftp("pxelinux.cfg/01-"+mac, 400, size)
		h.tftp("boot-kernel", 500_000+h.rnd.IntN(100_000), size)
		h.http("/images/ubuntu/amd64/boot-initrd", 950_000+h.rnd.IntN(400_000))
		for !h.lease(synth.Dhclient(mac)) {
			h.pause(4 * time.Second)
		}
		h.arp(images)
		h.nfs(60, 4096)
		h.nfs(150, 400)
		for range 10 {
			h.dns()
			h.chat(h.Host, images, 443, 6, 900)
		}
		h.ntp()
		h.chat(h.Host, rack, 5240, 20, 400)
		h.chat(h.Host, admin, 3128, 30, 1000)
		for range 20 {
			h.syslog()
			h.pause(50 * time.Millisecond)
		}
		h.chat(admin, h.Host, 22, 300, 120)
		h.pause(30 * time.Second)
	}
}
