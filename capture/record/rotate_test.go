package record

import (
	"bytes"
	"errors"
	"fmt"
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

func TestFileName(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 678e6, time.FixedZone("CET", 3600))
	const g = time.Minute
	for _, tt := range []struct {
		base string
		o    Options
		n    int
		want string
	}{
		{"x.pcap", Options{}, 0, "x.pcap"},
		{"x%Y.pcap", Options{}, 0, "x%Y.pcap"},
		{"x%Y.pcap", Options{RotateBytes: 1}, 1, "x%Y.pcap1"},
		{"x", Options{RotateBytes: 1}, 0, "x"},
		{"x", Options{RotateBytes: 1}, 12, "x12"},
		{"x", Options{RotateBytes: 1, Files: 1}, 0, "x"},
		{"x", Options{RotateBytes: 1, Files: 2}, 0, "x0"},
		{"x", Options{RotateBytes: 1, Files: 10}, 9, "x9"},
		{"x", Options{RotateBytes: 1, Files: 11}, 9, "x09"},
		{"x", Options{RotateBytes: 1, Files: 1001}, 7, "x0007"},
		{"x", Options{RotateEvery: g, Files: 20}, 0, "x"},
		{"x-%Y%m%d-%H%M%S.pcapng", Options{RotateEvery: g}, 0, "x-20260102-150405.pcapng"},
		{"%F_%T%%", Options{RotateEvery: g}, 0, "2026-01-02_15:04:05%"},
		{"%F_%R", Options{RotateEvery: g, RotateBytes: 1, Files: 20}, 3, "2026-01-02_15:0403"},
		{"%s %j %a %b %p %I %u %w %y %z %Z %A %B %h", Options{RotateEvery: g}, 0, "1767362645 002 Fri Jan PM 03 5 5 26 +0100 CET Friday January Jan"},
	} {
		got, err := tt.o.fileName(tt.base, at, tt.n)
		if err != nil || got != tt.want {
			t.Errorf("%s, file %d: got %q, %v; want %q", tt.base, tt.n, got, err, tt.want)
		}
	}
	sunday := time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)
	if got, _ := strftime("%u%w", sunday); got != "70" {
		t.Errorf("Sunday: got %s, want 70", got)
	}
}

// The conversions say what date(1) says.
func TestStrftimeAgainstDate(t *testing.T) {
	if _, err := exec.LookPath("date"); err != nil {
		t.Skip("date is not installed")
	}
	for v := range verbs {
		at := time.Unix(1767323045, 0).UTC()
		cmd := exec.Command("date", "-u", "-d", "@1767323045", "+%"+string(v))
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		want, err := cmd.Output()
		if err != nil {
			t.Skipf("this date cannot be asked: %v", err)
		}
		if got, _ := strftime("%"+string(v), at); got+"\n" != string(want) {
			t.Errorf("%%%c: got %q, date says %q", v, got, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1_000_000, "250": 250_000_000, "4k": 4096, "4K": 4096, "2m": 2 << 20, "3G": 3 << 30,
		"": 0, "0": 0, "-1": 0, "1.5": 0, "1t": 0, "k": 0, "9223372036854775807": 0, "9000000000G": 0, "1_0": 0,
	} {
		got, err := ParseSize(s)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	in := func(s string) string { return filepath.Join(dir, s) }
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "no file named"},
		{Options{Path: "-", RotateBytes: 1}, "standard output cannot be rotated"},
		{Options{Path: in("%Q"), RotateEvery: time.Second}, "%Q is not supported: use %Y"},
		{Options{Path: in("x%"), RotateEvery: time.Second}, "ends with %"},
		{Options{Path: in("%Y/x"), RotateEvery: time.Second}, "not of a directory"},
		{Options{Path: in("x"), RotateEvery: 1500 * time.Millisecond}, "whole seconds"},
		{Options{Path: in("x"), RotateBytes: -1}, "positive"},
		{Options{Path: in("x"), Format: "snoop"}, "choose pcap or pcapng"},
		{Options{Path: in("none/x")}, "no such file or directory"},
		{Options{Path: in("none/x"), RotateBytes: 1}, "no such file or directory"},
		{Options{Path: dir}, "is a directory"},
	} {
		w, err := Create(tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.o, err, tt.want)
		}
		if w != nil {
			t.Errorf("%+v: got a writer beside the error", tt.o)
		}
	}
	if got := list(t, dir); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// Names, and what is in each file, are tcpdump's for the same packets.
func TestRotationBySizeAgainstTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	var packets []*capture.Packet
	for i := range 3000 {
		packets = append(packets, packet(i+1, time.Duration(i)*time.Millisecond, 60+(i*37)%1454))
	}
	in := filepath.Join(t.TempDir(), "in.pcap")
	w := create(t, Options{Path: in, Interfaces: eth})
	write(t, w, eth, packets...)
	if err := w.Close(eth); err != nil {
		t.Fatal(err)
	}
	for _, files := range []int{0, 1, 2, 12} {
		t.Run(fmt.Sprintf("-W %d", files), func(t *testing.T) {
			ours, theirs := t.TempDir(), t.TempDir()
			w := create(t, Options{Path: filepath.Join(ours, "x.pcap"), RotateBytes: 1_000_000, Files: files})
			write(t, w, eth, packets...)
			if err := w.Close(eth); err != nil {
				t.Fatal(err)
			}
			args := []string{"--nano", "-r", in, "-w", filepath.Join(theirs, "x.pcap"), "-C", "1"}
			if files > 0 {
				args = append(args, "-W", fmt.Sprint(files))
			}
			if os.Geteuid() == 0 {
				args = append(args, "-Z", "root")
			}
			if out, err := exec.Command("tcpdump", args...).CombinedOutput(); err != nil {
				t.Fatalf("tcpdump %v: %v\n%s", args, err, out)
			}
			if d := cmp.Diff(list(t, theirs), list(t, ours)); d != "" {
				t.Fatalf("names: tcpdump -, got +\n%s", d)
			}
			for _, name := range list(t, ours) {
				a, err := os.ReadFile(filepath.Join(theirs, name))
				if err != nil {
					t.Fatal(err)
				}
				b, err := os.ReadFile(filepath.Join(ours, name))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(a, b) {
					t.Errorf("%s: %d bytes differ from the %d of tcpdump", name, len(b), len(a))
				}
			}
		})
	}
}

// Each file of a pcapng ring is complete in itself, and their counts add up.
func TestRingOfPcapng(t *testing.T) {
	dir := t.TempDir()
	w := create(t, Options{Path: filepath.Join(dir, "r.pcapng"), RotateBytes: 100_000, Files: 3, Section: pcapfile.Section{Application: "a"}})
	known := append([]capture.Interface{}, eth[0], capture.Interface{Name: "eth2", Link: capture.LinkEthernet})
	var files, packets, received uint64
	for i := range 300 {
		p := packet(i+1, time.Duration(i)*time.Millisecond, 1000)
		p.Iface = i % 2
		known[0].Received = capture.Count{Known: true, N: uint64(i + 1)}
		known[0].Dropped = capture.Count{Known: true, N: uint64(i / 10)}
		write(t, w, known, p)
		if s := w.Stats(); s.Files > 3 {
			break // the first was just begun again
		}
		packets++
	}
	if err := w.Close(known); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, dir), []string{"r.pcapng0", "r.pcapng1", "r.pcapng2"}; !cmp.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	var dropped, in uint64
	for _, name := range []string{"r.pcapng1", "r.pcapng2", "r.pcapng0"} {
		f := read(t, filepath.Join(dir, name))
		files++
		in += f.Info.Packets
		if len(f.Ifaces) != 2 || f.Ifaces[0].Name != "eth1" || f.Ifaces[1].Name != "eth2" || f.Ifaces[0].Filter != "udp" {
			t.Errorf("%s: got interfaces %+v", name, f.Ifaces)
		}
		if !f.Ifaces[0].Received.Known || f.Ifaces[0].Received.N < f.Info.Packets-1 || f.Ifaces[0].Received.N > f.Info.Packets+1 && name != "r.pcapng0" {
			t.Errorf("%s: got received %+v of %d packets", name, f.Ifaces[0].Received, f.Info.Packets)
		}
		received += f.Ifaces[0].Received.N
		dropped += f.Ifaces[0].Dropped.N
	}
	if first := known[0].Received.N - received; first == 0 || first > packets {
		t.Errorf("the file that was replaced had %d of %d packets", first, known[0].Received.N)
	}
	if dropped == 0 || dropped >= known[0].Dropped.N {
		t.Errorf("got %d dropped in the files that are left, of %d", dropped, known[0].Dropped.N)
	}
}

// Counts are asked when a file ends and when one begins.
func TestCounts(t *testing.T) {
	dir := t.TempDir()
	now := append([]capture.Interface{}, eth...)
	w := create(t, Options{Path: filepath.Join(dir, "x"), RotateBytes: 10_000, Counts: func() []capture.Interface { return now }})
	for i := range 30 {
		now[0].Dropped = capture.Count{Known: true, N: uint64(10 * i)}
		write(t, w, eth, packet(i+1, 0, 1000)) // eth knows no counts
	}
	if err := w.Close(nil); err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, name := range list(t, dir) {
		n := read(t, filepath.Join(dir, name)).Ifaces[0].Dropped
		if n.N == 0 {
			t.Errorf("%s: got %+v dropped", name, n)
		}
		sum += n.N
	}
	if sum != 290 {
		t.Errorf("got %d dropped in all files, want 290", sum)
	}
}

func TestRotationByTime(t *testing.T) {
	dir := t.TempDir()
	w := create(t, Options{Path: filepath.Join(dir, "%s.pcapng"), RotateEvery: 10 * time.Second, Files: 3, Interfaces: eth})
	// Seconds count as tcpdump's clock does: 9.9s is 9.
	write(t, w, eth, packet(1, 0, 60), packet(2, 9900*time.Millisecond, 60), packet(3, 10*time.Second, 60))
	// Without packets a file ends with its time, and none is begun.
	write(t, w, eth, tick(19*time.Second), tick(20*time.Second), tick(100*time.Second))
	want := []string{"1767323045.pcapng", "1767323055.pcapng"}
	if got := list(t, dir); !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	write(t, w, eth, packet(4, 101*time.Second, 60), packet(5, 110*time.Second, 60))
	if err := w.Write(tick(111*time.Second), eth); !errors.Is(err, ErrLimit) {
		t.Errorf("after the third file: got %v, want ErrLimit", err)
	}
	if err := w.Write(packet(6, 112*time.Second, 60), eth); !errors.Is(err, ErrLimit) {
		t.Errorf("after the limit: got %v, want ErrLimit", err)
	}
	if err := w.Close(eth); err != nil {
		t.Error(err)
	}
	want = append(want, "1767323146.pcapng")
	if got := list(t, dir); !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i, n := range []int{2, 1, 2} {
		if f := read(t, filepath.Join(dir, want[i])); len(f.Packets) != n {
			t.Errorf("%s: got %v, want %d packets", want[i], f.Packets, n)
		}
	}
}

// With -C and -G files are numbered within their time, and -W is a ring in it.
func TestRotationByTimeAndSize(t *testing.T) {
	dir := t.TempDir()
	w := create(t, Options{Path: filepath.Join(dir, "%s-"), RotateEvery: 10 * time.Second, RotateBytes: 5000, Files: 2})
	for i := range 40 {
		write(t, w, eth, packet(i+1, time.Duration(i)*500*time.Millisecond, 1000))
	}
	if err := w.Close(eth); err != nil {
		t.Fatal(err)
	}
	want := []string{"1767323045-0", "1767323045-1", "1767323055-0", "1767323055-1"}
	if got := list(t, dir); !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNoTimeInTheName(t *testing.T) {
	var said []string
	o := Options{Path: filepath.Join(t.TempDir(), "x"), RotateEvery: time.Second, Notice: func(s string) { said = append(said, s) }}
	w := create(t, o)
	if err := w.Close(nil); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "each file replaces the one before") {
		t.Errorf("got %q", said)
	}
}
