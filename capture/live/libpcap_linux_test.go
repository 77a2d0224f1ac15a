//go:build cgo && libpcap

package live

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// libpcap yields what was sent, with the filter, direction and length asked
// for, ticks when idle, and ends when stopped.
func TestLibpcap(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	s := l.open(Options{Interfaces: []string{"eth1", "eth2"}, Engine: EngineLibpcap, SnapLen: 128, Filter: classic(t, "ether proto 0x88b5")})
	foreign := frame(1, 90)
	foreign[13] = 0xb6
	for i, name := range []string{"eth1", "eth2"} {
		w := l.Wire(l.Far, name)
		for k := range uint32(3) {
			f := frame(k+1, 100+int(k)*100)
			w.Send(foreign, f)
			p := s.take(1)[0]
			want := f[:min(len(f), 128)]
			if !bytes.Equal(p.data, want) || p.WireLen != len(f) || p.Iface != i || p.Link != capture.LinkEthernet {
				t.Fatalf("got %+v, % x", p.Packet, p.data)
			}
		}
	}
	s.until("a tick", (*capture.Packet).Tick)
	if d := time.Now().UnixNano() - int64(func() capture.Time {
		var p capture.Packet
		for !p.Tick() || p.Time == 0 {
			if err := s.Next(&p); err != nil {
				t.Fatal(err)
			}
		}
		return p.Time
	}()); d < 0 {
		t.Errorf("a tick is %d ns ahead of the clock", -d)
	}
	for i, st := range s.Stats() {
		if want := []string{"eth1", "eth2"}[i]; st.Name != want || !st.Received.Known || st.Received.N < 3 || st.RingDropped.N != 0 {
			t.Errorf("got %+v", st)
		}
	}
	if i := s.Interfaces(); len(i) != 2 || i[1].SnapLen != 128 || i[1].Filter != "ether proto 0x88b5" {
		t.Errorf("got %+v", i)
	}
	if got := s.rest(); len(got) != 0 {
		t.Errorf("got %d packets more", len(got))
	}
	var p capture.Packet
	if err := s.Next(&p); !errors.Is(err, io.EOF) {
		t.Errorf("got %v after the end", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); len(st) != 2 || st[0].Received.N < 3 {
		t.Errorf("got %+v after Close", st)
	}
}

// A tag is in the data: libpcap puts it back.
func TestLibpcapTag(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}, Engine: EngineLibpcap, Direction: In, Filter: classic(t, "vlan 10")})
	f := tagged(frame(1, 90), 0x8100_000a)
	l.Wire(l.Near, "eth1").Send(f)
	l.Wire(l.Far, "eth1").Send(frame(2, 90), f)
	got := s.take(1)
	got = append(got, s.rest()...)
	if len(got) != 1 || !bytes.Equal(got[0].data, f) || got[0].VLAN.Present {
		t.Errorf("got %d packets, the first % x", len(got), got[0].data[:20])
	}
}

// The device of all interfaces has a link type that fits into the binding's
// byte, and one whose type is not read is refused.
func TestLibpcapLinks(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{Any}, Engine: EngineLibpcap})
	l.Wire(l.Far, "eth1").Send(frame(1, 90))
	if p := s.take(1)[0]; p.Link != capture.LinkSLL || len(p.data) != 16+90-14 {
		t.Errorf("got link type %s, %d bytes", p.Link, len(p.data))
	}
	l.IP("-n", l.Near, "link", "set", "lo", "up")
	s = l.open(Options{Interfaces: []string{"lo"}, Engine: EngineLibpcap})
	l.Wire(l.Near, "lo").Send(frame(1, 90))
	if got := s.take(1); got[0].Link != capture.LinkEthernet {
		t.Errorf("got link type %s", got[0].Link)
	}
	if got := s.rest(); len(got) != 0 {
		t.Errorf("lo: got %d packets twice", len(got))
	}
}

// One interface is removed, the capture goes on; the last one, and it ends.
func TestLibpcapRemoved(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	s := l.open(Options{Interfaces: []string{"eth1", "eth2"}, Engine: EngineLibpcap})
	l.IP("-n", l.Near, "link", "del", "eth1")
	s.waitFor("eth1 ended")
	s.wantNext(l.Wire(l.Far, "eth2"), 1, 5)
	if st := s.Stats(); st[0].State != "gone" {
		t.Errorf("got %+v", st)
	}
	l.IP("-n", l.Near, "link", "del", "eth2")
	var p capture.Packet
	for end := time.Now().Add(limit); ; {
		if err := s.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil || time.Now().After(end) {
			t.Fatalf("got %v, want the end", err)
		}
	}
}

func TestLibpcapErrors(t *testing.T) {
	l := newLab(t, "eth1")
	if _, err := Open(Options{Interfaces: []string{"eth7"}, NetNS: l.Near, Engine: EngineLibpcap}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(Options{Interfaces: []string{"eth1"}, NetNS: l.Near, Engine: EngineLibpcap, Filter: Filter{ProgFD: 3}}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	dropRights(t)
	if _, err := Open(Options{Interfaces: []string{"lo"}, Engine: EngineLibpcap}); !errors.Is(err, ErrPermission) {
		t.Errorf("got %v", err)
	}
}
