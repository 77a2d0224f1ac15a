package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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
		{"several queues of one interface", 1, "0@5000 0@5002 0@5001 0@5100 0@5003", "0@5000 0@5001 0@5002 0@5003 0@5100"},
		{"the first two of one interface", 1, "0@5001 0@5000 0@5002", "0@5000 0@5001 0@5002"},
		{"the clock of one interface was set back", 1, "0@5000 0@5200 0@5001", "0@5000 0@5200 0@5001"},
		{"just within the window of queues", 1, "0@5000 0@5100 0@5000", "0@5000 0@5000 0@5100"},
		{"queues, and the clock was set back", 1, "0@5001 0@5000 0@5200 0@5002 0@5001", "0@5000 0@5001 0@5200 0@5001 0@5002"},
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

// A capture of one interface that is larger than the buffer: where packets are
// swapped in its beginning everything is in order, else from the first that is
// late on.
func TestSwappedFarBehind(t *testing.T) {
	const packets = 3 * bufferSize / 1024
	file := func(swaps ...int) map[string][]byte {
		order := make([]int, packets)
		for i := range order {
			order[i] = i
		}
		for _, i := range swaps {
			order[i], order[i+1] = i+1, i
		}
		var pcap, ng bytes.Buffer
		p, err := NewPcapWriter(&pcap, capture.LinkEthernet, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		n, err := NewNgWriter(&ng, Section{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Interface(capture.Interface{Link: capture.LinkEthernet}); err != nil {
			t.Fatal(err)
		}
		for _, i := range order {
			x := capture.Packet{Time: at(i / 100).Add(time.Duration(i%100) * time.Millisecond), Link: capture.LinkEthernet, WireLen: 1024, Data: make([]byte, 1024)}
			if err := errors.Join(p.WritePacket(&x), n.WritePacket(&x, "")); err != nil {
				t.Fatal(err)
			}
		}
		return map[string][]byte{"pcap": pcap.Bytes(), "pcapng": ng.Bytes()}
	}
	for _, tt := range []struct {
		name  string
		swaps []int
		late  int
	}{
		{"nowhere", nil, 0},
		{"the first two", []int{0}, 0},
		{"in the buffer", []int{100, 600}, 0},
		{"behind the buffer", []int{600}, 1},
		{"twice behind the buffer", []int{400, 402, 600}, 1},
	} {
		files := file(tt.swaps...)
		tree(t, files)
		for name := range files {
			got, err := drain(open(t, Options{}, name))
			if err != nil || len(got) != packets {
				t.Fatalf("%s, %s: got %d packets and %v, want %d", tt.name, name, len(got), err, packets)
			}
			late := 0
			for i := range got[1:] {
				if got[i+1].Time < got[i].Time {
					late++
				}
			}
			if late != tt.late {
				t.Errorf("%s, %s: got %d packets out of order, want %d", tt.name, name, late, tt.late)
			}
			inStep(t, open(t, Options{}, name), open(t, Options{}, name), func() int { return 50 })
		}
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
