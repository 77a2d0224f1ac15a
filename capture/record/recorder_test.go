package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// FuzzRing compares the ring with a list from which the oldest are taken.
func FuzzRing(f *testing.F) {
	f.Add(uint16(400), []byte{1, 200, 3, 90, 90, 255, 0, 17})
	f.Add(uint16(1000), []byte(strings.Repeat("packets of many sizes", 20)))
	f.Fuzz(func(t *testing.T, size uint16, sizes []byte) {
		r := ring{buf: make([]byte, size)}
		var model []capture.Packet
		sizes = sizes[:min(len(sizes), 300)]
		for i, n := range sizes {
			data := make([]byte, n)
			for j := range data {
				data[j] = byte(i + j)
			}
			p := capture.Packet{
				ID: capture.NewFrameID(2, uint64(i+1)), Time: start.Add(time.Duration(i)), Link: capture.LinkSLL2, Iface: i % 3, WireLen: 300 + i,
				VLAN: capture.VLAN{Present: i%2 == 0, TCI: uint16(i), TPID: 0x8100}, Data: data,
			}
			r.put(&p, 200)
			p.Data = data[:min(200, len(data))]
			if slotSize(len(p.Data)) <= len(r.buf) {
				model = append(model, p)
			}
			if r.count > len(model) {
				t.Fatalf("got %d packets of %d", r.count, len(model))
			}
			// It may hold fewer than memory could, because of the wrap, but
			// the newest are there, and not less than half of memory.
			model = model[len(model)-r.count:]
			if i%13 != 0 && i != len(sizes)-1 {
				continue
			}
			var got []capture.Packet
			used := 0
			r.each(func(p *capture.Packet) bool {
				got = append(got, *p)
				used += slotSize(len(p.Data))
				return true
			})
			if d := cmp.Diff(model, got); d != "" {
				t.Fatalf("after %d: want -, got +\n%s", i+1, d)
			}
			if i+1 > r.count && len(model) > 0 && used+2*slotSize(200) < len(r.buf)/2 {
				t.Fatalf("after %d: %d bytes of %d are used", i+1, used, len(r.buf))
			}
		}
	})
}

func TestRecorderAllocatesNothing(t *testing.T) {
	r := newRecorder(t, RecorderOptions{Memory: 64 << 10})
	p := packet(1, 0, 590)
	if n := testing.AllocsPerRun(1000, func() { r.Packet(p, eth) }); n != 0 {
		t.Errorf("got %v allocations per packet, want 0", n)
	}
	if s := r.Stats(); s.Packets < 50 || s.Packets > 110 || s.Oldest != start {
		t.Errorf("got %+v", s)
	}
}

func newRecorder(t testing.TB, o RecorderOptions) *Recorder {
	t.Helper()
	r, err := NewRecorder(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

var (
	nodeMAC  = [6]byte{0x52, 0x54, 0, 1, 2, 3}
	otherMAC = [6]byte{0x52, 0x54, 0, 9, 9, 9}
	srvMAC   = [6]byte{0x52, 0x54, 0, 0, 0, 1}
	toAllMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	nodeAddr = netip.MustParseAddr("192.0.2.50")
	srvAddr  = netip.MustParseAddr("192.0.2.1")
)

// frame is number of a test at start + after: IPv4 and UDP, as far as the
// addresses go.
func frame(number int, after time.Duration, dst, src [6]byte, from, to, payload string) *capture.Packet {
	b := append(append([]byte{}, dst[:]...), src[:]...)
	b = append(b, 0x08, 0x00, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+len(payload)))
	b = append(b, 0, 0, 0, 0, 64, 17, 0, 0)
	b = append(b, netip.MustParseAddr(from).AsSlice()...)
	b = append(b, netip.MustParseAddr(to).AsSlice()...)
	b = append(append(b, 0, 68, 0, 67, 0, byte(8+len(payload)), 0, 0), payload...)
	return &capture.Packet{ID: capture.NewFrameID(0, uint64(number)), Time: start.Add(after), Link: capture.LinkEthernet, WireLen: len(b), Data: b}
}

func TestSave(t *testing.T) {
	r := newRecorder(t, RecorderOptions{Before: 5 * time.Second, Section: pcapfile.Section{Application: "pxescope"}})
	arp := frame(13, 10*time.Second, otherMAC, srvMAC, "0.0.0.0", "0.0.0.0", string(srvAddr.AsSlice()))
	arp.Data[13] = 6
	for _, p := range []*capture.Packet{
		frame(1, 0, toAllMAC, nodeMAC, "0.0.0.0", "255.255.255.255", "too early, but cited"),
		frame(2, 1*time.Second, toAllMAC, nodeMAC, "0.0.0.0", "255.255.255.255", "too early"),
		frame(10, 10*time.Second, toAllMAC, nodeMAC, "0.0.0.0", "255.255.255.255", "of the node"),
		frame(11, 10*time.Second, toAllMAC, srvMAC, "192.0.2.1", "255.255.255.255", "of the server to all"),
		frame(12, 10*time.Second, otherMAC, srvMAC, "192.0.2.1", "192.0.2.60", "of the server to another"),
		arp,
		frame(14, 11*time.Second, toAllMAC, srvMAC, "192.0.2.9", "255.255.255.255", "chaddr "+string(nodeMAC[:])),
		frame(15, 11*time.Second, srvMAC, otherMAC, "192.0.2.60", "192.0.2.1", "of another"),
		frame(16, 12*time.Second, srvMAC, otherMAC, "192.0.2.60", "192.0.2.1", "of another, but cited"),
		frame(17, 13*time.Second, srvMAC, srvMAC, "192.0.2.50", "192.0.2.1", "by the node's address"),
		frame(18, 60*time.Second, nodeMAC, srvMAC, "192.0.2.1", "192.0.2.50", "after the last"),
	} {
		r.Packet(p, eth)
	}
	r.Packet(tick(61*time.Second), eth)
	path, err := r.Save(Incident{
		Rule: "dhcp-no-offer", Node: "52:54:00:01:02:03/../\x1b[2Jeth0", Summary: "no DHCP offer reached node 7",
		MACs: [][6]byte{nodeMAC, {}, toAllMAC}, Addrs: []netip.Addr{nodeAddr, netip.IPv4Unspecified()}, Servers: []netip.Addr{srvAddr},
		Cites: []Cite{
			{capture.NewFrameID(0, 1), "the first DISCOVER"},
			{capture.NewFrameID(0, 16), ""},
			{capture.NewFrameID(0, 10), "DISCOVER again"},
			{capture.NewFrameID(0, 10), "from the wrong port"},
			{capture.NewFrameID(0, 9), "gone"},
		},
		First: start.Add(10 * time.Second), Last: start.Add(20 * time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := filepath.Base(path), "20260102T030506Z_52-54-00-01-02-03-..---2Jeth0_dhcp-no-offer.pcapng"; got != want {
		t.Errorf("got name %s, want %s", got, want)
	}
	f := read(t, path)
	var numbers []string
	for _, p := range f.Packets {
		numbers = append(numbers, p[:strings.Index(p, "s ")+1])
	}
	if want := []string{"0s", "10s", "10s", "10s", "11s", "12s", "13s", "1m0s"}; !cmp.Equal(numbers, want) {
		t.Errorf("got packets of %v, want %v", numbers, want)
	}
	comment := "no DHCP offer reached node 7\nfinding: dhcp-no-offer, node: 52:54:00:01:02:03/../\x1b[2Jeth0\n" +
		"8 packets, of the frames 1 to 18 of the capture; 1 of the frames that the finding cites were not in memory any more"
	if d := cmp.Diff(comment, f.Info.Comment); d != "" {
		t.Errorf("comment: want -, got +\n%s", d)
	}
	if f.Ifaces[0].Name != "eth1" || f.Ifaces[0].Filter != "udp" {
		t.Errorf("got %+v", f.Ifaces)
	}
	// The same again gets a name of its own.
	again, err := r.Save(Incident{Rule: "dhcp-no-offer", Node: "52:54:00:01:02:03/../\x1b[2Jeth0", MACs: [][6]byte{nodeMAC}})
	if err != nil || !strings.HasSuffix(again, "_2.pcapng") {
		t.Errorf("got %s, %v", again, err)
	}
	if got := list(t, r.dir); len(got) != 2 {
		t.Errorf("got %v, want the two files and nothing else", got)
	}

	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed: comments are not checked")
	}
	out, err := exec.Command("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "frame.comment").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "1|frame 1: the first DISCOVER\n2|frame 10: DISCOVER again; from the wrong port\n3|\n4|\n5|\n6|frame 16\n7|\n8|\n"
	if d := cmp.Diff(want, string(out)); d != "" {
		t.Errorf("comments: want -, tshark +\n%s", d)
	}
}

func TestSaveNothingInMemory(t *testing.T) {
	r := newRecorder(t, RecorderOptions{})
	path, err := r.Save(Incident{Rule: "x", Cites: []Cite{{capture.NewFrameID(0, 1), "gone"}}})
	if err != nil {
		t.Fatal(err)
	}
	if f := read(t, path); !strings.Contains(f.Info.Comment, "no packet of it was in memory any more") {
		t.Errorf("got comment %q", f.Info.Comment)
	}
	if !strings.Contains(path, "_segment_x.pcapng") {
		t.Errorf("got name %s", path)
	}
}

func TestSaveIsBounded(t *testing.T) {
	r := newRecorder(t, RecorderOptions{MaxFiles: 5, Burst: 3})
	n := Incident{Rule: "x", MACs: [][6]byte{nodeMAC}}
	save := func(after time.Duration, want error) {
		t.Helper()
		r.Packet(frame(1, after, toAllMAC, nodeMAC, "0.0.0.0", "255.255.255.255", "x"), eth)
		if _, err := r.Save(n); !errors.Is(err, want) {
			t.Errorf("after %v: got %v, want %v", after, err, want)
		}
	}
	for range 3 {
		save(0, nil)
	}
	save(0, ErrRate)
	save(500*time.Millisecond, ErrRate)
	save(1100*time.Millisecond, nil)
	save(time.Hour, nil)
	save(2*time.Hour, ErrFull)
	if s := r.Stats(); s.Files != 5 || s.Skipped != 3 || s.Bytes == 0 {
		t.Errorf("got %+v", s)
	}
	small := newRecorder(t, RecorderOptions{MaxBytes: 10})
	if _, err := small.Save(n); err != nil {
		t.Errorf("the first: got %v", err)
	}
	if _, err := small.Save(n); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "1 files with") {
		t.Errorf("the second: got %v", err)
	}
}

// A file that cannot be written leaves nothing.
func TestSaveFails(t *testing.T) {
	r := newRecorder(t, RecorderOptions{})
	if err := r.Ready(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Save(Incident{Rule: "x"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "save "+r.dir) {
		t.Errorf("got %v", err)
	}
	if err := r.Ready(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Ready: got %v", err)
	}
	if _, err := NewRecorder(filepath.Join(r.dir, "none"), RecorderOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("NewRecorder: got %v", err)
	}
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"dhcp-no-offer": "dhcp-no-offer", "..": "-.", "_x": "-x", "-rf": "-rf", "a/b\\c:d": "a-b-c-d", "ä€": "--", "CON.": "CON.",
		strings.Repeat("x", 99): strings.Repeat("x", 20),
	} {
		if got := safeName(in, 20); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func BenchmarkRecorder(b *testing.B) {
	r := newRecorder(b, RecorderOptions{})
	p := packet(1, 0, 300)
	b.ReportAllocs()
	for b.Loop() {
		r.Packet(p, eth)
	}
}

func BenchmarkSave(b *testing.B) {
	r := newRecorder(b, RecorderOptions{MaxFiles: 1 << 30, MaxBytes: 1 << 40, Burst: 1 << 30})
	for i := range 100_000 {
		r.Packet(frame(i, time.Duration(i)*time.Millisecond, toAllMAC, otherMAC, "192.0.2.60", "192.0.2.9", strings.Repeat("x", 100)), eth)
	}
	for b.Loop() {
		if _, err := r.Save(Incident{Rule: fmt.Sprint("r", b.N), MACs: [][6]byte{nodeMAC}, Addrs: []netip.Addr{nodeAddr}, Servers: []netip.Addr{srvAddr}}); err != nil {
			b.Fatal(err)
		}
		r.root.Remove(list(b, r.dir)[0])
	}
}
