package live

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
)

// tagged puts tags into a frame.
func tagged(f []byte, tags ...uint32) []byte {
	out := append([]byte(nil), f[:12]...)
	for _, t := range tags {
		out = binary.BigEndian.AppendUint32(out, t)
	}
	return append(out, f[12:]...)
}

// The outermost tag of what comes from the wire is beside the packet.
func TestTags(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	plain := frame(7, 100)
	w := l.Wire(l.Far, "eth1")
	for _, c := range []struct {
		name string
		sent []byte
		vlan capture.VLAN
		data []byte
	}{
		{"none", plain, capture.VLAN{}, plain},
		{"802.1Q", tagged(plain, 0x8100_600a), capture.VLAN{Present: true, TCI: 0x600a, TPID: 0x8100}, plain},
		{"priority", tagged(plain, 0x8100_e000), capture.VLAN{Present: true, TCI: 0xe000, TPID: 0x8100}, plain},
		{"802.1ad", tagged(plain, 0x88a8_0064), capture.VLAN{Present: true, TCI: 100, TPID: 0x88a8}, plain},
		{"QinQ", tagged(plain, 0x88a8_0064, 0x8100_000a), capture.VLAN{Present: true, TCI: 100, TPID: 0x88a8}, tagged(plain, 0x8100_000a)},
		{"none again", plain, capture.VLAN{}, plain},
	} {
		w.Send(c.sent)
		p := s.take(1)[0]
		if p.VLAN != c.vlan || !bytes.Equal(p.data, c.data) || p.WireLen != len(c.data) {
			t.Errorf("%s: got %+v, %d bytes on the wire, % x", c.name, p.VLAN, p.WireLen, p.data[:24])
		}
	}
}

func TestDirection(t *testing.T) {
	const in, out = 1, 2
	for _, c := range []struct {
		name   string
		dir    Direction
		iface  string
		filter bool
		want   []uint32
	}{
		{"both", InOut, "eth1", false, []uint32{in, out}},
		{"in", In, "eth1", false, []uint32{in}},
		{"out", Out, "eth1", false, []uint32{out}},
		{"out, filtered", Out, "eth1", true, []uint32{out}},
		{"in, any", In, Any, false, []uint32{in}},
		{"out, any", Out, Any, false, []uint32{out}},
		{"out, any, filtered", Out, Any, true, []uint32{out}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, "eth1")
			o := Options{Interfaces: []string{c.iface}, Direction: c.dir}
			if c.filter {
				o.Filter = classic(t, "ether proto 0x88b5")
			}
			s := l.open(o)
			l.Wire(l.Far, "eth1").Send(frame(in, 80))
			l.Wire(l.Near, "eth1").Send(frame(out, 80))
			var got []uint32
			for _, p := range s.rest() {
				got = append(got, number(p.data))
			}
			if len(got) != len(c.want) || got[0] != c.want[0] || got[len(got)-1] != c.want[len(got)-1] {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if n := s.Stats()[0].Received.N; n != uint64(len(c.want)) {
				t.Errorf("%d packets came into the ring, want %d", n, len(c.want))
			}
		})
	}
}

// A loopback interface has each packet twice; one of them is handed out,
// whatever the direction.
func TestLoopback(t *testing.T) {
	for _, dir := range []Direction{InOut, In, Out} {
		for _, name := range []string{"lo", Any} {
			l := newLab(t)
			l.IP("-n", l.Near, "link", "set", "lo", "up")
			s := l.open(Options{Interfaces: []string{name}, Direction: dir})
			l.Wire(l.Near, "lo").Send(numbered(1, 5, 90)...)
			got := s.rest()
			if len(got) != 5 {
				t.Errorf("%s, direction %d: got %d packets, want 5", name, dir, len(got))
				continue
			}
			for i, p := range got {
				if number(p.data) != uint32(i+1) || p.Link != capture.LinkEthernet {
					t.Errorf("%s: got %d, link type %s", name, number(p.data), p.Link)
				}
			}
		}
	}
}

func classic(t *testing.T, text string) Filter {
	t.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Filter{Text: text, Classic: func(link capture.LinkType) ([]bpf.RawInstruction, error) {
		return filter.Compile(e, filter.Target{Link: link, Live: TagsBeside})
	}}
}

func TestSnapLen(t *testing.T) {
	for _, f := range []Filter{{}, classic(t, "ether proto 0x88b5")} {
		l := newLab(t, "eth1")
		s := l.open(Options{Interfaces: []string{"eth1"}, SnapLen: 128, Filter: f})
		l.Wire(l.Far, "eth1").Send(frame(1, 100), frame(2, 128), frame(3, 1500))
		want := []int{100, 128, 128}
		wire := []int{100, 128, 1500}
		for i, p := range s.take(3) {
			if len(p.data) != want[i] || p.WireLen != wire[i] {
				t.Errorf("filter %q: got %d bytes of %d, want %d of %d", f.Text, len(p.data), p.WireLen, want[i], wire[i])
			}
		}
		if got := s.Interfaces()[0]; got.SnapLen != 128 || got.Filter != f.Text {
			t.Errorf("got %+v", got)
		}
	}
}

// Nothing that the filter rejects slips in while the socket is being made, on
// one interface and on all.
func TestFilterFromTheStart(t *testing.T) {
	for _, name := range []string{"eth1", Any} {
		l := newLab(t, "eth1")
		w := l.Wire(l.Far, "eth1")
		var stop atomic.Bool
		ended := make(chan int)
		go func() {
			n := 0
			foreign, ours := frame(1, 90), frame(2, 90)
			foreign[13] = 0xb6
			for ; !stop.Load(); n++ {
				w.Try(foreign)
				if n%16 == 0 {
					w.Try(ours)
				}
			}
			ended <- n
		}()
		matched := 0
		for range 30 {
			s := l.open(Options{Interfaces: []string{name}, Filter: classic(t, "ether proto 0x88b5")})
			list := append(s.take(1), s.rest()...)
			for _, p := range list {
				if number(p.data) != 2 {
					t.Fatalf("%s: got a foreign packet: % x", name, p.data[:20])
				}
				matched++
			}
			s.Close()
		}
		stop.Store(true)
		if n := <-ended; n < 100 || matched < 30 {
			t.Errorf("%s: %d packets sent and %d received prove little", name, n, matched)
		}
	}
}

// An eBPF filter decides about Ethernet; with any, other interfaces have none.
func TestProgram(t *testing.T) {
	for _, name := range []string{"eth1", Any} {
		l := newLab(t, "eth1")
		tun := l.tun("tun0")
		prog := socketProgram(t)
		s := l.open(Options{Interfaces: []string{name}, Filter: Filter{ProgFD: prog.FD(), Text: "short"}})
		l.Wire(l.Far, "eth1").Send(frame(1, 64), frame(2, 500), frame(3, 64))
		want := 2
		if name == Any {
			datagram := make([]byte, 400)
			datagram[0] = 0x45
			if _, err := unix.Write(tun, datagram); err != nil {
				t.Fatal(err)
			}
			want++
		}
		got := s.rest()
		if len(got) != want {
			t.Errorf("%s: got %d packets, want %d", name, len(got), want)
		}
		ethernet, raw := 0, 0
		for _, p := range got {
			switch p.Link {
			case capture.LinkEthernet:
				ethernet++
				if len(p.data) != 64 {
					t.Errorf("%s: got %d bytes, which the filter rejects", name, len(p.data))
				}
			case capture.LinkRaw:
				raw++
				if i := s.Interfaces()[p.Iface]; i.Name != "tun0" || i.Link != capture.LinkRaw || len(p.data) != 400 {
					t.Errorf("got %+v, %d bytes", i, len(p.data))
				}
			}
		}
		if ethernet != 2 || raw != want-2 {
			t.Errorf("%s: got %d and %d packets", name, ethernet, raw)
		}
	}
}

// Handing out a packet allocates nothing.
func TestNoAllocation(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	for _, names := range [][]string{{"eth1"}, {"eth1", "eth2"}, {Any}} {
		s := l.open(Options{Interfaces: names})
		l.Wire(l.Far, "eth1").Send(numbered(1, 1000, 90)...)
		s.take(1)
		var p capture.Packet
		if n := testing.AllocsPerRun(900, func() {
			if err := s.Next(&p); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: got %v allocations for a packet, want 0", names, n)
		}
		s.Close()
	}
}
