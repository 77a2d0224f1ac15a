package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// No block of a pcapng file crosses a page, whatever the sizes and whenever it
// is flushed, and all that was written is read again. Larger ones begin a page.
func TestBlocksKeepToPages(t *testing.T) {
	const seeds = 40
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 7))
		path := filepath.Join(t.TempDir(), "x")
		s := pcapfile.Section{Application: strings.Repeat("a", r.IntN(200)), Comment: strings.Repeat("c", r.IntN(4500))}
		w := create(t, Options{Path: path, Section: s, Interfaces: eth, Unbuffered: seed%5 == 0})
		var want []string
		ifaces := append([]capture.Interface{}, eth...)
		for i := range 500 {
			n := 14 + r.IntN(1500)
			switch r.IntN(20) {
			case 0:
				n = 4000 + r.IntN(100) // about a page
			case 1:
				n = 14 + r.IntN(70000)
			case 2:
				if len(ifaces) < 20 {
					ifaces = append(ifaces, capture.Interface{Name: strings.Repeat("i", r.IntN(20)), Link: capture.LinkEthernet})
				}
			}
			p := packet(i+1, time.Duration(i), n)
			p.Iface = r.IntN(len(ifaces))
			write(t, w, ifaces, p)
			want = append(want, fmt.Sprintf("%v %d %s", time.Duration(i), n, fmt.Sprintf("packet %d", i+1)[:min(n-14, len(fmt.Sprintf("packet %d", i+1)))]))
			if r.IntN(30) == 0 {
				write(t, w, ifaces, tick(time.Duration(i)))
			}
		}
		if err := w.Close(ifaces); err != nil {
			t.Fatal(err)
		}
		f := read(t, path)
		if len(f.Packets) != len(want) {
			t.Fatalf("seed %d: got %d packets, want %d", seed, len(f.Packets), len(want))
		}
		for i := range want {
			if f.Packets[i] != want[i] {
				t.Fatalf("seed %d: got %q, want %q", seed, f.Packets[i], want[i])
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(b); {
			n := int(binary.LittleEndian.Uint32(b[at+4:]))
			if at/pageSize != (at+n-1)/pageSize && (n <= pageSize || at%pageSize != 0) {
				t.Fatalf("seed %d: block of %d bytes at %d crosses a page", seed, n, at)
			}
			at += n
		}
	}
}

// filled writes a file in which many blocks are lengthened, and what tshark
// shall say of its frames.
func filled(t *testing.T) (path, frames string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.pcapng")
	w := create(t, Options{Path: path, Interfaces: eth})
	var want strings.Builder
	for i := range 200 {
		p := packet(i+1, time.Duration(i)*time.Millisecond, 14+(i*97)%1500)
		write(t, w, eth, p)
		if i%7 == 0 {
			write(t, w, eth, tick(time.Duration(i)*time.Millisecond)) // so that fillers are blocks too
		}
		fmt.Fprintf(&want, "%d|%d||\n", i+1, len(p.Data))
	}
	if err := w.Close(eth); err != nil {
		t.Fatal(err)
	}
	return path, want.String()
}

// Filling is nothing to gopacket's reader.
func TestFillingAgainstGopacket(t *testing.T) {
	path, _ := filled(t)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		data, _, err := r.ReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil || len(data) != 14+(n*97)%1500 {
			t.Fatalf("packet %d: got %d bytes, %v", n+1, len(data), err)
		}
	}
	if n != 200 {
		t.Errorf("got %d packets, want 200", n)
	}
}

// Filling is nothing to tshark and tcpdump, and nothing of it counts as a
// frame.
func TestFillingAgainstTshark(t *testing.T) {
	for _, tool := range []string{"tshark", "tcpdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	path, want := filled(t)
	out, err := exec.Command("tcpdump", "-r", path, "--count").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "200 packets") {
		t.Errorf("tcpdump: %v\n%s", err, out)
	}
	out, err = exec.Command("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "frame.len", "-e", "frame.comment", "-e", "_ws.malformed").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := string(out)
	if i := strings.Index(got, "1|"); i >= 0 {
		got = got[i:] // after tshark's warning to root
	}
	if got != want {
		t.Errorf("tshark says\n%.500s\nwant\n%.500s", got, want)
	}
}

// stdout puts another file in the place of standard output.
func stdout(t *testing.T, f *os.File) {
	t.Helper()
	old := os.Stdout
	os.Stdout = f
	t.Cleanup(func() { os.Stdout = old })
}

func TestStandardOutputIsAPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	stdout(t, out)
	w := create(t, Options{Path: "-", Interfaces: eth})
	write(t, w, eth, packet(1, 0, 1514), packet(2, 0, 1514), packet(3, 0, 1514), tick(0))
	// What came is there without an end.
	b := make([]byte, 64<<10)
	n, err := in.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	for n < 4600 {
		k, err := in.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	r, err := pcapfile.NewReader(bytes.NewReader(b[:n]))
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	for i := range 3 {
		if err := r.Next(&p); err != nil {
			t.Fatalf("packet %d: %v", i+1, err)
		}
	}
	if err := r.Next(&p); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	in.Close()
	write(t, w, eth, packet(4, 0, 60))
	if err := w.Write(tick(0), eth); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
		t.Errorf("without a reader: got %v", err)
	}
	if err := w.Close(eth); err == nil {
		t.Error("Close: got no error")
	}
	out.Close()
}

// Standard output may be a file; what is in it stays.
func TestStandardOutputIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stdout(t, f)
	for range 2 { // the second is another section
		w := create(t, Options{Path: "-", Interfaces: eth})
		write(t, w, eth, packet(1, 0, 60))
		if err := w.Close(eth); err != nil {
			t.Fatal(err)
		}
	}
	if f := read(t, path); len(f.Packets) != 2 {
		t.Errorf("got %v", f.Packets)
	}
}

func TestWriterAllocatesNothing(t *testing.T) {
	for _, name := range []string{"x.pcap", "x.pcapng"} {
		w := create(t, Options{Path: filepath.Join(t.TempDir(), name), Interfaces: eth, RotateBytes: 100 << 20, RotateEvery: time.Hour})
		defer w.Close(nil)
		p := packet(1, 0, 590)
		for range 2000 {
			write(t, w, eth, p)
		}
		n := testing.AllocsPerRun(2000, func() {
			if err := w.Write(p, eth); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: got %v allocations per packet, want 0", name, n)
		}
	}
}

// What a packet costs, to a file that is thrown away again and again.
func BenchmarkWrite(b *testing.B) {
	for _, name := range []string{"x.pcap", "x.pcapng"} {
		for _, n := range []int{90, 1514} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				w := create(b, Options{Path: filepath.Join(b.TempDir(), name), Interfaces: eth, RotateBytes: 64 << 20, Files: 1})
				p := packet(1, 0, n)
				b.ReportAllocs()
				for b.Loop() {
					p.Time += 2000
					if err := w.Write(p, eth); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(w.Stats().Bytes)/float64(b.N), "bytes/packet")
				if err := w.Close(eth); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
