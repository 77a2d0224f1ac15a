package record

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
)

// smallDisk is a file system of a quarter of a MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	netlab.Root(t, "CAP_SYS_ADMIN to mount a small file system")
	dir := t.TempDir()
	if err := unix.Mount("pxescope-test", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// A full disk is said once; the file ends with a whole block; when there is
// space, writing goes on, and the file tells how much it lacks.
func TestDiskFull(t *testing.T) {
	for _, tt := range []struct {
		name       string
		unbuffered bool
		step       time.Duration // between packets
	}{
		{"x.pcapng", true, time.Millisecond},
		{"x.pcapng", false, time.Millisecond},
		{"x.pcapng", false, 0},
		{"x.pcap", true, time.Millisecond},
		{"x.pcap", false, time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%s unbuffered %v %v", tt.name, tt.unbuffered, tt.step), func(t *testing.T) {
			dir := smallDisk(t)
			var said []string
			path := filepath.Join(dir, tt.name)
			w := create(t, Options{Path: path, Unbuffered: tt.unbuffered, Interfaces: eth, Notice: func(s string) { said = append(said, s) }})
			at, number := time.Duration(0), 0
			send := func(n int) {
				for range n {
					number++
					write(t, w, eth, packet(number, at, 700+number%800))
					at += tt.step
				}
			}
			send(1000)
			write(t, w, eth, tick(at))
			if len(said) != 1 || !strings.Contains(said[0], path+": no space left on device: packets are not written") {
				t.Fatalf("got %q, want it once", said)
			}
			if err := w.Err(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("got %v, want ENOSPC", err)
			}
			if _, err := whole(path); err != nil {
				t.Errorf("on the full disk: %v", err)
			}
			if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=2m"); err != nil {
				t.Fatal(err)
			}
			at += 2 * time.Second
			send(20)
			if err := w.Err(); err != nil {
				t.Errorf("with space again: %v", err)
			}
			s := w.Stats()
			if len(said) != 2 || !strings.Contains(said[1], fmt.Sprintf("%s: written again; %d packets are missing", path, s.NotWritten)) {
				t.Errorf("got %q of %+v", said, s)
			}
			if err := w.Close(eth); err != nil {
				t.Fatal(err)
			}
			f := read(t, path)
			if got := uint64(len(f.Packets)); got != s.Packets || got+s.NotWritten != uint64(number) || s.NotWritten == 0 {
				t.Errorf("got %d packets in the file of %d, %+v", got, number, s)
			}
			if last := f.Packets[len(f.Packets)-1]; !strings.HasSuffix(last, fmt.Sprintf("packet %d", number)) {
				t.Errorf("the last one is %q", last)
			}
			if want := (capture.Count{Known: true, N: s.NotWritten}); tt.name == "x.pcapng" && f.Ifaces[0].Dropped != want {
				t.Errorf("the file tells of %+v dropped, want %+v", f.Ifaces[0].Dropped, want)
			}
		})
	}
}

// A disk that stays full: the end is told too, and what was in memory counts
// as not written.
func TestDiskFullToTheEnd(t *testing.T) {
	dir := smallDisk(t)
	var said []string
	w := create(t, Options{Path: filepath.Join(dir, "x"), Interfaces: eth, RotateBytes: 100_000, Notice: func(s string) { said = append(said, s) }})
	const n = 2000
	for i := range n {
		write(t, w, eth, packet(i+1, time.Duration(i)*10*time.Millisecond, 1000))
	}
	err := w.Close(eth)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	if len(said) != 1 {
		t.Errorf("got %q, want it once", said)
	}
	var got uint64
	for _, name := range list(t, dir) {
		k, err := whole(filepath.Join(dir, name))
		if st, _ := os.Stat(filepath.Join(dir, name)); err != nil && st.Size() > 0 {
			t.Errorf("%s: %v", name, err)
		}
		got += k
	}
	if s := w.Stats(); s.Packets != got || s.Packets+s.NotWritten != n {
		t.Errorf("got %d packets in files, %+v, of %d", got, s, n)
	}
}

// A limit of the shell (ulimit -f) is an error like a full disk, and not the
// signal SIGXFSZ.
func TestFileSizeLimit(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -f 100; exec "$0"`, exe)
	cmd.Env = append(os.Environ(), killEnv+"="+dir, killEnv+"_HOW=limit")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "x: file too large: packets are not written") || strings.Count(string(out), "\n") != 2 {
		t.Errorf("got %q", out)
	}
	if n, err := whole(filepath.Join(dir, "x")); err != nil || n == 0 {
		t.Errorf("got %d packets, %v", n, err)
	}
}
