package traffic

import (
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Small is what costs an analyzer most for its bytes: frames of 60 to 108 bytes,
// short TCP conversations, TFTP in blocks of 48 bytes, DNS, NTP, syslog,
// portmap, and a fifth of the packets of no service.
func Small(seed uint64) *Source {
	s := &Source{info: synthInfo("small.pcap")}
	pool := newPool(seed)
	for no := range uint64(Nodes) {
		h := newHost(seed, no+1, pool)
		s.add(time.Duration(h.rnd.Int64N(int64(2*time.Second))), h, (*host).chatter)
	}
	return s
}

func (h *host) chatter() {
	h.rtt = 4 * time.Millisecond
	h.arp(rack)
	ports := []uint16{22, 80, 443, 5240, 3128, 8000}
	for {
		h.pause(5 * time.Millisecond)
		switch n := h.rnd.IntN(100); {
		case n < 46:
			h.dns()
		case n < 61:
			h.ntp()
		case n < 85:
			h.syslog()
		case n < 90:
			h.portmap(100005)
		case n < 93:
			h.strange(150)
		case n < 94:
			h.tftp("pxelinux.cfg/default", 48*(150+h.rnd.IntN(100)), 48)
		default:
			to := images
			if h.rnd.IntN(4) == 0 {
				to = rack
			}
			h.chat(h.Host, to, ports[h.rnd.IntN(len(ports))], 30+h.rnd.IntN(150), 45)
		}
	}
}

func synthInfo(name string) capture.FileInfo {
	return capture.FileInfo{Name: name, Format: "pcap", Links: []capture.LinkType{capture.LinkEthernet}}
}
