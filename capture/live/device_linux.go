package live

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

// maxDevices bounds the interfaces of Any: where containers come and go, each
// has a name of its own. Further ones are counted as any.
const maxDevices = 4096

// A device is an interface that is captured from.
type device struct {
	asked    string // as Options has it: Interface.Name
	name     string // as it is called now
	index    int
	hatype   uint16
	link     capture.LinkType
	known    bool // link types that are read
	loopback bool
	up       bool
	carrier  bool
	gone     bool
	refused  int // index of one of its name that cannot take its place
	iface    int // Packet.Iface

	received                 uint64 // handed out
	missedBase, missedBefore uint64
	missed                   capture.Count
	clock                    adapterClock
}

func (d *device) state() string {
	switch {
	case d.gone:
		return "gone"
	case !d.up:
		return "down"
	}
	return "up"
}

// linkType is what packets of a hardware type start with (include/uapi/linux/
// if_arp.h; libpcap's map_arphrd_to_dlt).
func linkType(hatype uint16) (link capture.LinkType, ok bool) {
	switch hatype {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return capture.LinkEthernet, true
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT:
		return capture.LinkRaw, true
	case unix.ARPHRD_PPP:
		// The kernel gives its packets without a PPP header.
		return capture.LinkRaw, true
	}
	return 0, false
}

func (d *device) setType(hatype uint16) {
	d.hatype = hatype
	d.link, d.known = linkType(hatype)
	d.loopback = hatype == unix.ARPHRD_LOOPBACK
}

// device finds the interface of a packet of Any.
func (s *rings) device(link *unix.RawSockaddrLinklayer) *device {
	d := s.byIndex[link.Ifindex]
	if d == nil || d.hatype != link.Hatype {
		d = s.meet(int(link.Ifindex), link.Hatype)
		s.byIndex[link.Ifindex] = d
	}
	s.last = d
	return d
}

// meet makes the entry of an interface of Any. One that was there before under
// its name goes on.
func (s *rings) meet(index int, hatype uint16) *device {
	name, err := s.net.name(index)
	if err != nil {
		name = fmt.Sprintf("interface %d", index) // gone already
	}
	d := &device{asked: name, name: name, index: index, up: true}
	d.setType(hatype)
	if !d.known {
		s.o.Notice(fmt.Sprintf("%s is left out: link type %d of Linux (ARPHRD) is not read", name, hatype))
		return d
	}
	for _, old := range s.devs[1:] {
		if old.asked == name && old.link == d.link {
			s.rejoin(old, index)
			old.setType(hatype)
			return old
		}
	}
	if len(s.devs) >= maxDevices {
		d.iface = 0
		return d
	}
	d.iface = len(s.devs)
	d.missedBase, _ = s.net.missed(index)
	s.devs = append(s.devs, d)
	return d
}

// rejoin notes that a device has another index.
func (s *rings) rejoin(d *device, index int) {
	d.missedBefore, d.missedBase = d.missed.N, 0
	d.index, d.gone = index, false
}

// refresh sees which interfaces came, went or changed, and says so.
func (s *rings) refresh() {
	if len(s.list) == 0 {
		return
	}
	if s.any() {
		for index, d := range s.byIndex {
			if _, err := s.net.name(int(index)); errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
				d.gone = true
				delete(s.byIndex, index)
				s.last = nil
			}
		}
		return
	}
	for _, r := range s.list {
		s.refreshRing(r, r.dev)
	}
}

func (s *rings) refreshRing(r *ring, d *device) {
	name, err := s.net.name(d.index)
	switch {
	case d.gone || err != nil:
		was := d.gone
		d.gone = true
		if !s.comeBack(r, d) {
			if !was {
				s.o.Notice(d.name + " was removed: waiting for it to come back")
			}
			return
		}
	case name != d.name:
		s.o.Notice(fmt.Sprintf("%s is called %s now", d.name, name))
		d.name = name
	}
	flags, err := s.net.flags(d.name)
	if err != nil {
		return // renamed or removed meanwhile: another event tells
	}
	up, carrier := flags&unix.IFF_UP != 0, flags&unix.IFF_RUNNING != 0
	switch {
	case d.up && !up:
		s.o.Notice(d.name + " went down: waiting for it to come up")
	case !d.up && up:
		s.o.Notice(d.name + " is up")
	}
	switch {
	case up && d.carrier && !carrier:
		s.o.Notice(d.name + " has no carrier")
	case up && d.up && !d.carrier && carrier:
		s.o.Notice(d.name + " has a carrier again")
	}
	d.up = up
	if up {
		d.carrier = carrier
	}
}

// comeBack binds the socket to the interface that has the name of one that was
// removed: the name that was asked for, or the one that it had last.
func (s *rings) comeBack(r *ring, d *device) bool {
	for _, name := range []string{d.asked, d.name} {
		now, err := s.net.find(name)
		if err != nil {
			continue
		}
		if s.taken(d, now.index) {
			continue
		}
		if now.link != d.link || !now.known {
			if d.refused != now.index {
				s.o.Notice(fmt.Sprintf("%s is another kind of interface now: it is not captured", name))
			}
			d.refused = now.index
			continue
		}
		s.rejoin(d, now.index)
		d.name, d.up, d.carrier = name, now.up, now.carrier
		d.setType(now.hatype)
		if err := s.join(r, d); err != nil {
			d.gone = true
			return false
		}
		text := " is back"
		if !d.up {
			text += ", and down: waiting for it to come up"
		}
		s.o.Notice(name + text)
		return true
	}
	return false
}

// taken says that another ring has an interface.
func (s *rings) taken(d *device, index int) bool {
	for _, r := range s.list {
		if r.dev != d && !r.dev.gone && r.dev.index == index {
			return true
		}
	}
	return false
}
