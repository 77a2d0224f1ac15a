package pcapfile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// ngOf is a pcapng file of packets "interface@milliseconds" in this order; the
// data of each is its place.
func ngOf(t testing.TB, ifaces int, packets ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewNgWriter(&b, Section{})
	if err != nil {
		t.Fatal(err)
	}
	for range ifaces {
		if _, err := w.Interface(capture.Interface{Link: capture.LinkEthernet}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range packets {
		iface, ms, _ := strings.Cut(p, "@")
		i, err := strconv.Atoi(iface)
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.Atoi(ms)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WritePacket(&capture.Packet{Time: capture.Time(at) * 1e6, Link: capture.LinkEthernet, Iface: i, WireLen: len(p), Data: []byte(p)}, ""); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestSeveralInterfaces(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ifaces int
		file   string
		want   string
	}{
		{"each interface's buffer in turn", 3, "0@5000 0@5002 0@5100 1@5001 1@5003 2@5001 2@5002", "0@5000 1@5001 2@5001 0@5002 2@5002 1@5003 0@5100"},
		{"one interface keeps its order", 1, "0@5000 0@5100 0@5001", "0@5000 0@5100 0@5001"},
		{"in order", 2, "0@1 1@2 0@3 1@5000 0@9000", "0@1 1@2 0@3 1@5000 0@9000"},
		{"the clock was set back: what was before stays before", 2, "0@9000 1@9001 0@5000 1@4999 1@5003", "0@9000 1@9001 1@4999 0@5000 1@5003"},
		{"set back twice", 2, "0@9000 0@5000 0@1000 1@999", "0@9000 0@5000 1@999 0@1000"},
		{"just within the window", 2, "0@6000 1@5000 1@5001", "1@5000 1@5001 0@6000"},
		{"one packet", 2, "1@7", "1@7"},
		{"none", 2, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			written := strings.Fields(tt.file)
			tree(t, map[string][]byte{"a": ngOf(t, tt.ifaces, written...)})
			tl := open(t, Options{}, "a")
			got, err := drain(tl)
			if err != nil {
				t.Fatal(err)
			}
			var order []string
			for _, p := range got {
				order = append(order, p.Data)
				if written[p.Number-1] != p.Data || p.Data[:1] != strconv.Itoa(p.Iface) {
					t.Errorf("%s: got frame %d of interface %d", p.Data, p.Number, p.Iface)
				}
			}
			if s := strings.Join(order, " "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
			if f := tl.Files()[0]; f.Packets != uint64(len(written)) {
				t.Errorf("got %d packets, want %d", f.Packets, len(written))
			}
		})
	}
}

// Whatever stands within the window comes in the order of time, with its own
// data, and files of several interfaces are one timeline with others.
func TestSeveralInterfacesAtRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	var packets []string
	now := 10_000
	for range 20_000 { // more than may be held
		now += r.IntN(3)
		packets = append(packets, fmt.Sprintf("%d@%d", r.IntN(4), now-r.IntN(400)))
	}
	tree(t, map[string][]byte{"a": ngOf(t, 4, packets...), "b": pcapAt(t, "b", 11, 12, 13)})
	got, err := drain(open(t, Options{}, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	var data []string
	last := capture.Time(0)
	for _, p := range got {
		if p.Time < last {
			t.Fatalf("%q goes back by %s", p.Data, last.Sub(p.Time))
		}
		last = p.Time
		if p.File == 0 {
			data = append(data, p.Data)
		}
	}
	slices.Sort(data)
	slices.Sort(packets)
	if !slices.Equal(data, packets) || len(got) != len(packets)+3 {
		t.Errorf("got %d packets, %d of the first file, want %d and %d of it, each once", len(got), len(data), len(packets)+3, len(packets))
	}
}

// What is held is bounded, and costs nothing once it is held.
func TestInorderBounds(t *testing.T) {
	var packets []string
	for i := range 60_000 { // 60 in a millisecond
		packets = append(packets, fmt.Sprintf("%d@%d", i%2, 1000+i/60))
	}
	tree(t, map[string][]byte{"a": ngOf(t, 2, packets...)})
	tl := open(t, Options{}, "a")
	var p capture.Packet
	for range 30_000 {
		if err := tl.Next(&p); err != nil {
			t.Fatal(err)
		}
	}
	o := tl.cur.order
	if n := len(o.held); n > orderPackets || o.bytes > orderBytes {
		t.Errorf("got %d packets of %d bytes held, want at most %d and %d", n, o.bytes, orderPackets, orderBytes)
	}
	if got := testing.AllocsPerRun(1000, func() { tl.Next(&p) }); got > 0.01 {
		t.Errorf("got %v allocations a packet, want none", got)
	}
}
