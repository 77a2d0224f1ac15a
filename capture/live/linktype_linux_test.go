package live

import (
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

// setLinkType makes a tun interface say that it is of another hardware type.
func (l *lab) setLinkType(fd int, name string, hatype int) {
	l.t.Helper()
	l.IP("-n", l.Near, "link", "set", name, "down")
	if err := unix.IoctlSetInt(fd, unix.TUNSETLINK, hatype); err != nil {
		l.t.Fatal(err)
	}
	l.IP("-n", l.Near, "link", "set", name, "up")
}

// datagram is an IPv4 header with UDP ports.
func datagram(port uint16, size int) []byte {
	p := make([]byte, size)
	p[0], p[9] = 0x45, 17
	binary.BigEndian.PutUint16(p[2:], uint16(size))
	binary.BigEndian.PutUint16(p[22:], port)
	return p
}

// Interfaces without a link layer give IP packets, and a filter is made for
// them.
func TestLinkTypes(t *testing.T) {
	for _, c := range []struct {
		name   string
		hatype int // 0: as tun has it
	}{{"none", 0}, {"PPP", unix.ARPHRD_PPP}, {"raw", unix.ARPHRD_RAWIP}} {
		l := newLab(t)
		fd := l.tun("tun0")
		if c.hatype != 0 {
			l.setLinkType(fd, "tun0", c.hatype)
		}
		s := l.open(Options{Interfaces: []string{"tun0"}, Filter: classic(t, "udp port 69")})
		for _, port := range []uint16{80, 69, 53} {
			if _, err := unix.Write(fd, datagram(port, 60)); err != nil {
				t.Fatal(err)
			}
		}
		got := s.rest()
		if len(got) != 1 || got[0].Link != capture.LinkRaw || len(got[0].data) != 60 || got[0].data[23] != 69 {
			t.Errorf("%s: got %d packets: %+v", c.name, len(got), got)
		}
		if i := s.Interfaces()[0]; i.Link != capture.LinkRaw {
			t.Errorf("%s: got %+v", c.name, i)
		}
	}
}

// A hardware type that is not read is refused, and left out of any.
func TestUnreadLinkType(t *testing.T) {
	l := newLab(t, "eth1")
	fd := l.tun("can0")
	l.setLinkType(fd, "can0", unix.ARPHRD_CAN)
	_, err := Open(Options{Interfaces: []string{"can0"}, NetNS: l.Near})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "link type 280") {
		t.Errorf("got %v", err)
	}
	s := l.open(Options{Interfaces: []string{Any}, Filter: classic(t, "ether proto 0x88b5")})
	for range 3 {
		if _, err := unix.Write(fd, datagram(69, 60)); err != nil {
			t.Fatal(err)
		}
	}
	s.wantNext(l.Wire(l.Far, "eth1"), 1, 3)
	if got := s.said.String(); strings.Count(got, "can0 is left out") != 1 {
		t.Errorf("it said %q, want once that can0 is left out", got)
	}
	if i := s.Interfaces(); len(i) != 2 || i[1].Name != "eth1" {
		t.Errorf("got %+v", i)
	}
	list, err := Devices(l.Near)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.Permitted == (d.Name == "can0") {
			t.Errorf("got %+v", d)
		}
	}
}

// An adapter that cannot stamp is told of, and the kernel stamps.
func TestNoAdapterStamps(t *testing.T) {
	for _, kind := range []string{"adapter", "adapter_unsynced"} {
		l := newLab(t, "eth1")
		s := l.open(Options{Interfaces: []string{"eth1"}, Timestamps: kind})
		if !strings.Contains(s.said.String(), "eth1 does not stamp packets") {
			t.Errorf("it said %q", s.said)
		}
		s.wantNext(l.Wire(l.Far, "eth1"), 1, 3)
		if f := s.Files()[0]; f.First.Std().Year() < 2024 {
			t.Errorf("got %v", f.First.Std())
		}
	}
}

// An adapter's clock that is far off is used as it is or not at all, and
// ticks follow it.
func TestAdapterClock(t *testing.T) {
	for _, c := range []struct {
		kind string
		skew capture.Time
		used bool
		said int
	}{
		{"adapter", 1e6, true, 0},
		{"adapter", 37e9, false, 1},
		{"adapter_unsynced", -3600e9, true, 0},
	} {
		said := &notices{}
		d := &device{name: "eth1"}
		s := &rings{o: &Options{Timestamps: c.kind, Notice: said.add}, devs: []*device{d}}
		r := &ring{fd: -1, dev: d, stamped: true}
		for range 3 {
			host := capture.Time(time.Now().UnixNano())
			p := capture.Packet{Time: host + c.skew}
			s.stamp(r, d, &p)
			off := p.Time - host
			if c.used {
				off -= c.skew
			}
			if off < -capture.Time(maxSkew) || off > capture.Time(maxSkew) {
				t.Errorf("%s: a packet is %v off", c.kind, off)
			}
			if tick := s.tickTime(time.Now()); tick > p.Time+capture.Time(maxSkew) {
				t.Errorf("%s: a tick is %v ahead of a packet", c.kind, tick-p.Time)
			}
		}
		r.stamped = false // the kernel's, as for what leaves
		p := capture.Packet{Time: 5}
		if s.stamp(r, d, &p); p.Time != 5 {
			t.Errorf("%s: a stamp of the kernel was changed", c.kind)
		}
		if got := len(said.list); got != c.said {
			t.Errorf("%s: it said %q", c.kind, said)
		}
	}
}

func TestBlockSize(t *testing.T) {
	for _, c := range []struct{ buffer, snap, size, count int }{
		{DefaultBuffer, DefaultSnapLen, 128 << 10, 32},
		{32 << 20, DefaultSnapLen, 128 << 10, 256},
		{DefaultBuffer, 128, 64 << 10, 64},
		{512 << 10, DefaultSnapLen, 64 << 10, 8},
		{1, DefaultSnapLen, 64 << 10, 4},
		{3<<20 + 1, 65536, 128 << 10, 24},
	} {
		if size, count := blockSize(c.buffer, c.snap); size != c.size || count != c.count {
			t.Errorf("%d, %d: got %d blocks of %d, want %d of %d", c.buffer, c.snap, count, size, c.count, c.size)
		}
	}
}

// The counters of struct rtnl_link_stats64 are read from their places.
func TestLinkStats(t *testing.T) {
	stats := make([]byte, 25*8)
	for i := range 25 {
		binary.NativeEndian.PutUint64(stats[8*i:], 1<<i)
	}
	attr := func(kind uint16, value []byte) []byte {
		b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
		return append(binary.NativeEndian.AppendUint16(b, kind), value...)
	}
	message := func(attrs ...[]byte) *syscall.NetlinkMessage {
		m := &syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWLINK}, Data: make([]byte, unix.SizeofIfInfomsg)}
		for _, a := range attrs {
			m.Data = append(m.Data, a...)
		}
		return m
	}
	mtu := attr(unix.IFLA_MTU, []byte{0, 0, 0, 5})
	if got, ok := linkStats(message(mtu, attr(unix.IFLA_STATS64, stats))); !ok || got != 1<<14+1<<15 {
		t.Errorf("got %b, %v", got, ok)
	}
	for name, m := range map[string]*syscall.NetlinkMessage{
		"without": message(mtu), "short": message(attr(unix.IFLA_STATS64, stats[:64])), "cut": message(attr(unix.IFLA_STATS64, stats)[:40]),
	} {
		if got, ok := linkStats(m); ok {
			t.Errorf("%s: got %d", name, got)
		}
	}
	lo, err := openNetwork()
	if err != nil {
		t.Fatal(err)
	}
	defer lo.close()
	if _, ok := lo.missed(1); !ok {
		t.Error("the kernel tells nothing of lo")
	}
	if _, ok := lo.missed(1 << 30); ok {
		t.Error("the kernel tells of an interface that is not there")
	}
	if _, ok := lo.missed(1); !ok {
		t.Error("nothing of lo after an error")
	}
}
