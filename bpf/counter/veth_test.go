//go:build linux

package counter

import (
	"encoding/binary"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// A lab has one pair, veth0: the test counts in Near.
type lab struct {
	*netlab.Lab
	t testing.TB
}

func newLab(t testing.TB) *lab {
	t.Helper()
	return &lab{netlab.New(t, "veth0"), t}
}

// in runs do on a thread inside a namespace.
func (l *lab) in(ns string, do func() error) {
	l.t.Helper()
	privileged(l.t, netlab.In(ns, do))
}

// send puts frames on the wire from one end.
func (l *lab) send(ns string, frames [][]byte) {
	l.t.Helper()
	l.Wire(ns, "veth0").Send(frames...)
}

// Counts equal what was sent, on every hook: every port of the catalog both
// ways, tags, IPv6, extension headers, fragments, from 60 to 9,014 bytes.
func TestExact(t *testing.T) {
	layout := testLayout(t)
	for _, hook := range Hooks() {
		t.Run(string(hook), func(t *testing.T) {
			l := newLab(t)
			var c *Counter
			l.in(l.Near, func() (err error) {
				c, err = Open(Config{Hook: hook, Interfaces: []string{"veth0"}})
				return err
			})
			defer c.Close()
			in, out := traffic(layout, 1), traffic(layout, 2)
			l.send(l.Far, in)
			l.send(l.Near, out)
			want := expect(layout, hook, in, out)
			got, err := c.Read()
			// The last packet may still be in a queue: look again until all came, or not.
			for end := time.Now().Add(5 * time.Second); err == nil && got.Packets < want.Packets && time.Now().Before(end); {
				got, err = c.Read()
			}
			if err != nil {
				t.Fatal(err)
			}
			compareTotals(t, got, want)
			t.Logf("%d packets, %d bytes, %d services, %d ports", got.Packets, got.Bytes, len(got.Services), len(got.Ports))
		})
	}
}

// A filter leaves out what it should on every hook, whole packets beyond the
// linear part and tags beside and in the packet included, and nothing is lost
// in between. XDP sees what was sent, as the predicate does; what tcx and
// sockets see, a tag beside the packet, the kernel's own classic machine tells.
func TestExactFiltered(t *testing.T) {
	layout := testLayout(t)
	for _, text := range []string{
		"udp portrange 67-70 or (vlan and (udp port 53 or vlan 7)) or len > 8000", "udp[3800] = 0 or (vlan and tcp[3000:4] = 0)",
		"not udp and greater 1000",
	} {
		e := parsed(t, text)
		for _, hook := range Hooks() {
			t.Run(string(hook)+"/"+text, func(t *testing.T) {
				l := newLab(t)
				var c *Counter
				oracle := l.classic(e)
				l.in(l.Near, func() (err error) {
					c, err = Open(Config{Hook: hook, Interfaces: []string{"veth0"}, Filter: e})
					return err
				})
				defer c.Close()
				in, out := traffic(layout, 1), traffic(layout, 2)
				l.send(l.Far, in)
				l.send(l.Near, out)
				want := expectFiltered(t, layout, hook, e, in, out)
				got := waitFor(t, c, func(x *Totals) bool {
					return x.Packets+x.Filtered.Packets >= want.Packets+want.Filtered.Packets
				})
				if hook.xdp() {
					compareTotals(t, got, want)
				} else if n := uint64(len(in) + len(out)); got.Packets+got.Filtered.Packets != n {
					t.Errorf("got %d matches and %d left out, want %d in all", got.Packets, got.Filtered.Packets, n)
				} else if n := oracle(); got.Packets != n {
					t.Errorf("got %d matches, want %d as the classic machine", got.Packets, n)
				}
				if got.Packets == 0 || got.Filtered.Packets == 0 {
					t.Errorf("got %d matches and %d left out: this proves nothing", got.Packets, got.Filtered.Packets)
				}
				t.Logf("%d matched, %d left out", got.Packets, got.Filtered.Packets)
			})
		}
	}
}

// classic counts on the near interface by a classic filter on a socket: what
// it returns tells how many packets passed.
func (l *lab) classic(e *filter.Expr) func() uint64 {
	l.t.Helper()
	p, err := filter.Compile(e, filter.Target{Link: capture.LinkEthernet, Live: true, Snaplen: 64})
	if err != nil {
		l.t.Fatal(err)
	}
	program := make([]unix.SockFilter, len(p))
	for i, in := range p {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	var f *os.File
	l.in(l.Near, func() error {
		ifc, err := net.InterfaceByName("veth0")
		if err == nil {
			f, err = filteredSocket(*ifc, program)
		}
		return err
	})
	l.t.Cleanup(func() { f.Close() })
	return func() uint64 {
		// Both what was queued and what found no room.
		s, err := unix.GetsockoptTpacketStats(int(f.Fd()), unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			l.t.Fatal(err)
		}
		return uint64(s.Packets)
	}
}

// expect counts the frames with the Reference.
func expect(l *Layout, h Hook, in, out [][]byte) *Totals {
	return expectFiltered(nil, l, h, nil, in, out)
}

// expectFiltered counts the frames that match with the Reference.
func expectFiltered(t *testing.T, l *Layout, h Hook, e *filter.Expr, in, out [][]byte) *Totals {
	match := func([]byte, int) bool { return true }
	if e != nil {
		m, err := filter.NewMatcher(e, capture.LinkEthernet)
		if err != nil {
			t.Fatal(err)
		}
		match = m.Match
	}
	counts := [][]pair{make([]pair, 2*len(l.slots)), make([]pair, 2*len(l.slots))}
	ref := NewReference(l)
	for place, frames := range [][][]byte{in, out} {
		if place == 1 && !h.Egress() {
			continue
		}
		for i, f := range frames {
			c := Cell{Slot: slotFiltered}
			if match(f, len(f)) {
				c = ref.Cell(&capture.Packet{ID: capture.NewFrameID(0, uint64(i+1)), Link: capture.LinkEthernet, WireLen: len(f), Data: f})
			}
			n := c.Slot << 1
			if c.ToPort {
				n |= 1
			}
			counts[place][n].packets++
			counts[place][n].bytes += uint64(len(f))
		}
	}
	x := l.totals(h, []string{"veth0"}, counts)
	if e != nil {
		x.Filter = e.String()
	}
	return x
}

// traffic is of known composition; id tells two of them apart.
func traffic(l *Layout, id byte) (frames [][]byte) {
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	node6, rack6 := node.At("fd00::1"), rack.At("fd00::2")
	size, n := []int{1, 18, 100, 512, 1400, 4000, 8900}, 0
	payload := func() []byte {
		n++
		return make([]byte, size[n%len(size)])
	}
	for i, s := range l.slots {
		if s.Kind != PortKind {
			continue
		}
		for _, tags := range [][]uint16{nil, {120}, {120, 7}} {
			o := synth.IP{ID: uint16(i), Tags: tags}
			for _, ends := range [][2]synth.Host{{node, rack}, {node6, rack6}} {
				if s.Proto == catalog.UDP {
					frames = append(frames, o.UDP(ends[0], ends[1], 40000, s.Port, payload()), o.UDP(ends[1], ends[0], s.Port, 40000, payload()))
				} else {
					seg := synth.Segment{Payload: payload()}
					frames = append(frames, o.TCP(ends[0], ends[1], 1000, s.Port, seg), o.TCP(ends[1], ends[0], s.Port, 40000, seg))
				}
			}
		}
	}
	frames = append(frames, fragments4(id, node, rack, 69)...)
	frames = append(frames, fragments6(id, node6, rack6, 69)...)
	frames = append(frames, fragments4(id+100, node, rack, 69)[1:]...) // without the first
	frames = append(frames, extended(node6, rack6), synth.UDP(node, rack, 50000, 50001, payload()))
	frames = append(frames, synth.Eth(rack.MAC, node.MAC, 0x88cc, make([]byte, 46)), synth.Eth(rack.MAC, node.MAC, 0x0800, make([]byte, 46)))
	return frames
}

// fragments4 is a UDP datagram to port in three IPv4 fragments.
func fragments4(id byte, src, dst synth.Host, port uint16) (frames [][]byte) {
	udp := synth.UDP(src, dst, 40000, port, make([]byte, 3000))[34:]
	for off := 0; off < len(udp); off += 1024 {
		end := min(off+1024, len(udp))
		f := synth.IP{ID: uint16(id)}.Datagram(src, dst, 17, udp[off:end])
		flags := uint16(off / 8)
		if end < len(udp) {
			flags |= 0x2000
		}
		binary.BigEndian.PutUint16(f[20:], flags)
		frames = append(frames, f)
	}
	return frames
}

// fragments6 is a UDP datagram to port in three IPv6 fragments.
func fragments6(id byte, src, dst synth.Host, port uint16) (frames [][]byte) {
	udp := synth.UDP(src, dst, 40000, port, make([]byte, 3000))[54:]
	for off := 0; off < len(udp); off += 1024 {
		end := min(off+1024, len(udp))
		h := []byte{17, 0, byte(off >> 8), byte(off), 0, 0, 0, id}
		if end < len(udp) {
			h[3] |= 1
		}
		frames = append(frames, synth.IP{}.Datagram(src, dst, 44, append(h, udp[off:end]...)))
	}
	return frames
}

// extended is a DNS query behind hop-by-hop, routing, authentication and
// destination headers.
func extended(src, dst synth.Host) []byte {
	udp := synth.UDP(src, dst, 40000, 53, make([]byte, 30))[54:]
	ext := append([]byte{43, 0, 1, 4, 0, 0, 0, 0}, 51, 2, 4, 0, 0, 0, 0, 0)
	ext = append(ext, make([]byte, 16)...)
	ext = append(ext, 60, 4, 0, 0)
	ext = append(ext, make([]byte, 20)...)
	ext = append(ext, 17, 1, 1, 12)
	ext = append(ext, make([]byte, 12)...)
	return synth.IP{}.Datagram(src, dst, 0, append(ext, udp...))
}

// bpfDir is a BPF file system of the test's own.
func bpfDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	privileged(t, unix.Mount("bpf", dir, "bpf", 0, ""))
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A pinned counter goes on after Close, a later run reads it, and removing the
// directory takes it off: XDP has room for one, so another can be attached.
func TestPin(t *testing.T) {
	layout := testLayout(t)
	l := newLab(t)
	open := func(c Config) (n *Counter, err error) {
		l.in(l.Near, func() error {
			n, err = Open(c)
			return nil
		})
		return n, err
	}
	pin := bpfDir(t) + "/counter"
	c, err := open(Config{Hook: XDPGeneric, Interfaces: []string{"veth0"}, Pin: pin})
	privileged(t, err)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	frames := traffic(layout, 1)
	l.send(l.Far, frames)
	if _, err := open(Config{Hook: XDPGeneric, Interfaces: []string{"veth0"}, Pin: pin}); err == nil {
		t.Error("got no error for an interface beside a pinned counter")
	}
	if _, err := open(Config{Pin: pin, Catalog: listedCatalog(t)}); err == nil {
		t.Error("got no error for another catalog")
	}
	c, err = open(Config{Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := expect(layout, XDPGeneric, frames, nil)
	got, err := c.Read()
	for end := time.Now().Add(5 * time.Second); err == nil && got.Packets < want.Packets && time.Now().Before(end); {
		got, err = c.Read()
	}
	if err != nil {
		t.Fatal(err)
	}
	compareTotals(t, got, want)
	if _, err := open(Config{Hook: XDPGeneric, Interfaces: []string{"veth0"}}); err == nil {
		t.Error("got no error for a second XDP program")
	}
	if err := os.RemoveAll(pin); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; {
		n, err := open(Config{Hook: XDPGeneric, Interfaces: []string{"veth0"}})
		if err == nil {
			n.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after removing the pins: %v", err)
		}
	}
	if _, err := open(Config{Hook: TCX, Interfaces: []string{"veth0"}, Pin: t.TempDir() + "/counter"}); err == nil {
		t.Error("got no error for a directory that is in no BPF file system")
	}
	if _, err := open(Config{Hook: Socket, Interfaces: []string{"veth0"}, Pin: pin}); err == nil || pinnedAt(pin) {
		t.Errorf("got %v for a pinned socket filter, want an error and nothing pinned", err)
	}
}

// What a pinned counter is, is told to a later run: the filter, and what was
// learnt before and after that run opened it.
func TestPinLearn(t *testing.T) {
	l := newLab(t)
	pin := bpfDir(t) + "/counter"
	e := parsed(t, "ip or ip6 or vlan")
	var first *Counter
	l.in(l.Near, func() (err error) {
		first, err = Open(Config{Hook: XDPGeneric, Interfaces: []string{"veth0"}, Pin: pin, Learn: true, Filter: e})
		return err
	})
	defer first.Close()
	later, err := Open(Config{Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	l.send(l.Far, portmapTraffic())
	waitFor(t, first, func(x *Totals) bool { return len(x.Learnt) == len(wantLearnt) })
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	l.send(l.Far, [][]byte{synth.UDP(node, rack, 900, 40123, nil)})
	has := func(x *Totals) bool {
		for _, s := range x.Services {
			if s.ID == "rpc-mount" && s.To == 1 {
				return true
			}
		}
		return false
	}
	waitFor(t, first, has)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	last, err := Open(Config{Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	for name, c := range map[string]*Counter{"opened before": later, "opened after": last} {
		got := waitFor(t, c, has)
		if !has(got) || got.Filter != e.String() || len(got.Learnt) != len(wantLearnt) {
			t.Errorf("%s: got %+v, want mountd's packet, the filter and %d learnt ports", name, got, len(wantLearnt))
		}
	}
}
