package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

const second = capture.Time(time.Second)

// start is the time of a test's first packet: 2026-01-02 03:04:05 UTC.
const start = 1767323045 * second

var eth = []capture.Interface{{Name: "eth1", Link: capture.LinkEthernet, SnapLen: 262144, Filter: "udp"}}

// packet is frame number of a test at start + after, with n bytes.
func packet(number int, after time.Duration, n int) *capture.Packet {
	data := make([]byte, n)
	copy(data, fmt.Sprintf("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5packet %d", number))
	return &capture.Packet{ID: capture.NewFrameID(0, uint64(number)), Time: start.Add(after), Link: capture.LinkEthernet, WireLen: n, Data: data}
}

func tick(after time.Duration) *capture.Packet { return &capture.Packet{Time: start.Add(after)} }

func create(t testing.TB, o Options) *Writer {
	t.Helper()
	if o.Start == 0 {
		o.Start = start
	}
	w, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t testing.TB, w *Writer, ifaces []capture.Interface, packets ...*capture.Packet) {
	t.Helper()
	for _, p := range packets {
		if err := w.Write(p, ifaces); err != nil {
			t.Fatal(err)
		}
	}
}

// A read file is what pcapfile finds in it.
type readFile struct {
	Packets []string // time after start, length, data as far as it is text
	Ifaces  []capture.Interface
	Info    capture.FileInfo
}

func read(t testing.TB, path string) readFile {
	t.Helper()
	src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var f readFile
	var p capture.Packet
	for {
		err := src.Next(&p)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimRight(string(p.Data[min(14, len(p.Data)):]), "\x00")
		f.Packets = append(f.Packets, fmt.Sprintf("%v %d %s", p.Time.Sub(start), len(p.Data), text))
	}
	f.Ifaces, f.Info = src.Interfaces(), src.Files()[0]
	if f.Info.Truncated || f.Info.Damage != "" {
		t.Errorf("%s is truncated or damaged: %q", path, f.Info.Damage)
	}
	return f
}

// list is the names in a directory.
func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWriterPcapng(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w := create(t, Options{Path: path, Section: pcapfile.Section{Application: "pxescope"}, Interfaces: eth})
	if f := read(t, path); len(f.Ifaces) != 1 || len(f.Packets) != 0 {
		t.Errorf("at the start: got %+v", f)
	}
	two := append(eth[:1:1], capture.Interface{Name: "wg0", Link: capture.LinkRaw})
	raw := &capture.Packet{ID: 3, Time: start.Add(2 * time.Second), Link: capture.LinkRaw, Iface: 1, WireLen: 20, Data: make([]byte, 20)}
	write(t, w, eth, packet(1, 0, 60))
	write(t, w, two, packet(2, time.Second, 1500), raw)
	two[0].Received, two[0].Dropped = capture.Count{Known: true, N: 7}, capture.Count{Known: true, N: 5}
	if err := w.Close(two); err != nil {
		t.Fatal(err)
	}
	f := read(t, path)
	want := []string{"0s 60 packet 1", "1s 1500 packet 2", "2s 20 "}
	if d := cmp.Diff(want, f.Packets); d != "" {
		t.Errorf("packets: want -, got +\n%s", d)
	}
	two[0].End, two[1].End = raw.Time, raw.Time
	if d := cmp.Diff(two, f.Ifaces); d != "" {
		t.Errorf("interfaces: want -, got +\n%s", d)
	}
	if s := w.Stats(); s.Packets != 3 || s.Files != 1 || s.NotWritten != 0 {
		t.Errorf("got %+v", s)
	}
	if err := w.Write(packet(4, 0, 60), eth); err == nil {
		t.Error("got no error of a write after Close")
	}
}

func TestWriterPcapRefusesASecondLinkType(t *testing.T) {
	dir := t.TempDir()
	var said []string
	w := create(t, Options{Path: filepath.Join(dir, "x.PCAP"), Notice: func(s string) { said = append(said, s) }})
	write(t, w, eth, packet(1, 0, 60))
	raw := &capture.Packet{ID: 2, Time: start, Link: capture.LinkRaw, Iface: 1}
	err := w.Write(raw, nil)
	if !errors.Is(err, ErrLinkType) || !strings.Contains(err.Error(), "RAW beside EN10MB") || !strings.Contains(err.Error(), "write pcapng") {
		t.Errorf("got %v", err)
	}
	if again := w.Write(packet(3, 0, 60), eth); again != err {
		t.Errorf("got %v of the next packet, want the same", again)
	}
	if len(said) != 1 || !strings.Contains(said[0], "no more packets are written") {
		t.Errorf("got %q", said)
	}
	if again := w.Close(eth); again != err {
		t.Errorf("got %v of Close, want the same", again)
	}
	if f := read(t, filepath.Join(dir, "x.PCAP")); f.Info.Format != "pcap" || len(f.Packets) != 1 {
		t.Errorf("got %+v", f)
	}
	mixed := append(eth[:1:1], capture.Interface{Link: capture.LinkRaw})
	if _, err := Create(Options{Path: filepath.Join(dir, "y.cap"), Interfaces: mixed}); !errors.Is(err, ErrLinkType) {
		t.Errorf("at the start: got %v", err)
	}
	if got := list(t, dir); len(got) != 1 {
		t.Errorf("got %v, want nothing of the refused one", got)
	}
}
