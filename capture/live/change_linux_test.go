package live

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
)

// wantNext sends frames and wants them to be what comes next.
func (s *session) wantNext(w *netlab.Wire, first, n uint32) {
	s.t.Helper()
	w.Send(numbered(first, n, 100)...)
	for i, p := range s.take(int(n)) {
		if got := number(p.data); got != first+uint32(i) {
			s.t.Fatalf("got packet %d, want %d", got, first+uint32(i))
		}
	}
}

func TestDownAndUp(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	s := l.open(Options{Interfaces: []string{"eth1", "eth2"}})
	one, two := l.Wire(l.Far, "eth1"), l.Wire(l.Far, "eth2")
	s.wantNext(one, 1, 10)
	l.IP("-n", l.Near, "link", "set", "eth1", "down")
	s.waitFor("eth1 went down")
	if st := s.Stats(); st[0].State != "down" || st[1].State != "up" {
		t.Errorf("got %+v", st)
	}
	s.wantNext(two, 100, 10) // it goes on with the others
	l.IP("-n", l.Near, "link", "set", "eth1", "up")
	s.waitFor("eth1 is up")
	s.wantNext(one, 200, 10)
	if st := s.Stats(); st[0].State != "up" || st[0].Received.N != 20 || st[1].Received.N != 10 {
		t.Errorf("got %+v", st)
	}
}

// An interface that is down when the capture begins is waited for.
func TestDownAtFirst(t *testing.T) {
	l := newLab(t, "eth1")
	l.IP("-n", l.Near, "link", "set", "eth1", "down")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	if got := s.said.String(); got != "eth1 is down: waiting for it to come up" {
		t.Errorf("got %q", got)
	}
	l.IP("-n", l.Near, "link", "set", "eth1", "up")
	s.waitFor("eth1 is up")
	s.wantNext(l.Wire(l.Far, "eth1"), 1, 5)
}

func TestCarrier(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	l.IP("-n", l.Far, "link", "set", "eth1", "down")
	s.waitFor("eth1 has no carrier")
	l.IP("-n", l.Far, "link", "set", "eth1", "up")
	s.waitFor("eth1 has a carrier again")
	s.wantNext(l.Wire(l.Far, "eth1"), 1, 5)
}

func TestRename(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	w := l.Wire(l.Far, "eth1")
	s.wantNext(w, 1, 5)
	l.IP("-n", l.Near, "link", "set", "eth1", "down")
	l.IP("-n", l.Near, "link", "set", "eth1", "name", "enp1s0")
	l.IP("-n", l.Near, "link", "set", "enp1s0", "up")
	s.waitFor("eth1 is called enp1s0 now")
	s.until("it to be up", func(*capture.Packet) bool { return s.Stats()[0].State == "up" })
	s.wantNext(w, 10, 5)
	if st, i := s.Stats()[0], s.Interfaces()[0]; st.Name != "enp1s0" || i.Name != "eth1" {
		t.Errorf("got %q, %q", st.Name, i.Name)
	}
}

// An interface is removed and made again, many times, without a right: the
// thread that reads has none by then.
func TestRemovedAndBack(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	s := l.open(Options{Interfaces: []string{"eth1", "eth2"}, Filter: classic(t, "ether proto 0x88b5"), SnapLen: 90})
	two := l.Wire(l.Far, "eth2")
	dropRights(t)
	for i := range uint32(3) {
		s.wantNext(l.Wire(l.Far, "eth1"), 100*i+1, 5)
		l.IP("-n", l.Near, "link", "del", "eth1")
		s.waitFor("eth1 was removed: waiting for it to come back")
		if st := s.Stats()[0]; st.State != "gone" {
			t.Errorf("got %+v", st)
		}
		s.wantNext(two, 100*i+50, 5)
		s.said.list = nil
		l.Pair("eth1")
		s.waitFor("eth1 is back")
		s.until("it to be up", func(*capture.Packet) bool { return s.Stats()[0].State == "up" })
		// Promiscuous again, and the filter still there.
		w := l.Wire(l.Far, "eth1")
		foreign := frame(1, 100)
		foreign[13] = 0xb6
		w.Send(foreign)
		s.wantNext(w, 100*i+70, 5)
	}
	if n := s.Stats()[0].Received.N; n != 3*10 {
		t.Errorf("got %d packets on eth1, want 30", n)
	}
	if len(s.Interfaces()) != 2 {
		t.Errorf("got %+v", s.Interfaces())
	}
}

// The last interface is gone: the capture waits, and Stop ends it.
func TestLastRemoved(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	l.IP("-n", l.Near, "link", "del", "eth1")
	s.waitFor("eth1 was removed")
	if got := s.rest(); len(got) != 0 {
		t.Errorf("got %d packets", len(got))
	}
	var p capture.Packet
	if err := s.Next(&p); err != io.EOF {
		t.Errorf("got %v after the end, want EOF", err)
	}
}

// Something else under the name is not taken for the interface.
func TestBackAsAnother(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	l.IP("-n", l.Near, "link", "del", "eth1")
	s.waitFor("eth1 was removed")
	fd := l.tun("eth1")
	s.waitFor("eth1 is another kind of interface now")
	unix.Close(fd)
	s.said.list = nil
	end := time.Now().Add(limit)
	for {
		// The tun interface goes some time after its file.
		if err := inNetNS(l.Near, func() error { _, err := s.engine.(*rings).net.find("eth1"); return err }); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the tun interface does not go")
		}
	}
	l.Pair("eth1")
	s.waitFor("eth1 is back")
	s.wantNext(l.Wire(l.Far, "eth1"), 1, 5)
}

// With any, interfaces come and go; each has an entry when it sends.
func TestAny(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{Any}})
	w := l.Wire(l.Far, "eth1")
	broadcast := frame(1, 100)
	copy(broadcast, "\xff\xff\xff\xff\xff\xff")
	w.Send(broadcast)
	if p := s.take(1)[0]; s.Interfaces()[p.Iface].Name != "eth1" || p.Link != capture.LinkEthernet || len(p.data) != 100 {
		t.Errorf("got %+v of %+v", p.Packet, s.Interfaces())
	}
	l.Pair("eth9")
	l.Wire(l.Far, "eth9").Send(frame(2, 100))
	p := s.take(1)[0]
	if i := s.Interfaces(); len(i) != 3 || i[0].Name != Any || i[1].Name != "eth1" || i[2].Name != "eth9" || p.Iface != 2 {
		t.Errorf("got packet of interface %d of %+v", p.Iface, i)
	}
	l.IP("-n", l.Near, "link", "del", "eth9")
	l.Pair("eth9")
	l.Wire(l.Far, "eth9").Send(frame(3, 100))
	if p := s.take(1)[0]; p.Iface != 2 || number(p.data) != 3 {
		t.Errorf("got a packet of interface %d, want it under the entry that it had", p.Iface)
	}
	i := s.Interfaces()
	for n, want := range []uint64{3, 1, 2} {
		if i[n].Received.N != want {
			t.Errorf("%s: got %d packets, want %d", i[n].Name, i[n].Received.N, want)
		}
	}
	if f := s.Files()[0]; f.Packets != 3 || len(f.Links) != 1 {
		t.Errorf("got %+v", f)
	}
}
