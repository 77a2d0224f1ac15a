package pcapfile

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

var compressions = []string{"gzip", "zstd", "lz4", "xz"}

func compress(t testing.TB, kind string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "lz4":
		l := lz4.NewWriter(&b)
		err = l.Apply(lz4.BlockSizeOption(lz4.Block64Kb))
		w = l
	case "xz":
		w, err = xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&b)
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type file struct {
	name string
	b    []byte
}

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "dir/", Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.b))})
		if err == nil {
			_, err = w.Write(f.b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, method uint16, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		m, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: method})
		if err == nil {
			_, err = m.Write(f.b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompression(t *testing.T) {
	whole := pcapAt(t, "p", 1, 2, 3, 4)
	a, b := whole[:50], whole[50:]
	for _, k := range compressions {
		t.Run(k, func(t *testing.T) {
			tree(t, map[string][]byte{
				"one":    compress(t, k, whole),
				"joined": append(compress(t, k, a), compress(t, k, b)...),
				"twice":  compress(t, "gzip", compress(t, k, whole)),
				"bulk":   compress(t, k, bulk(t, false, 530, 2<<20)),
				"empty":  compress(t, k, nil),
			})
			for _, name := range []string{"one", "joined", "twice"} {
				tl := open(t, Options{}, name)
				wantLabels(t, tl, "p 1", "p 2", "p 3", "p 4")
				if f := tl.Files()[0]; f.Name != name || f.Format != "pcap" || f.Damage != "" {
					t.Errorf("%s: got %+v", name, f)
				}
			}
			if n := len(labels(t, open(t, Options{}, "bulk"))); n != (2<<20-24)/546+1 {
				t.Errorf("got %d packets of bulk, want %d", n, (2<<20-24)/546+1)
			}
			if _, err := Open([]string{"empty"}, Options{}); err == nil || !strings.Contains(err.Error(), "is empty") {
				t.Errorf("got %v for compressed nothing", err)
			}
		})
	}
}

// Cut and corrupt compressed captures keep what came before.
func TestCompressionDamage(t *testing.T) {
	noise := make([]byte, 1<<20)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	f := newRaw(false).pcapHeader(magicMicro, 2, 4, 0, 1)
	for i := range 1024 {
		f.u32(t0, uint32(i), 1024, 1024).add(noise[i*1024 : (i+1)*1024]...)
	}
	for _, k := range compressions {
		t.Run(k, func(t *testing.T) {
			z := compress(t, k, f.b)
			bad := bytes.Clone(z)
			for i := len(bad) * 3 / 4; i < len(bad)*3/4+64; i++ {
				bad[i] ^= 0x55
			}
			tree(t, map[string][]byte{"cut": z[:len(z)*3/4], "bad": bad, "stub": z[:8]})
			tl := open(t, Options{}, "cut")
			n := len(labels(t, tl))
			if i := tl.Files()[0]; n < 500 || n > 800 || !i.Truncated || !strings.Contains(i.Damage, "end early") {
				t.Errorf("cut: got %d packets and %+v", n, i)
			}
			// Random bytes are stored, so a flipped one may only show in a
			// checksum at the end: after all packets, or not before a block's.
			tl = open(t, Options{}, "bad")
			n = len(labels(t, tl))
			if i := tl.Files()[0]; n < 300 || i.Damage == "" {
				t.Errorf("bad: got %d packets and %+v", n, i)
			}
			if _, err := Open([]string{"stub"}, Options{}); err == nil {
				t.Error("stub: got no error")
			}
		})
	}
}

// The tools of the system agree with the libraries.
func TestCompressionTools(t *testing.T) {
	whole := pcapAt(t, "p", 1, 2, 3, 4)
	for _, cmd := range []string{"gzip -c", "bzip2 -c", "zstd -c", "zstd -19 --long=27 -c", "lz4 -c", "lz4 -l -c", "xz -c", "xz -0 --block-size=64 -c", "xz --check=sha256 -c", "xz --check=crc32 -c", "xz --check=none -c"} {
		t.Run(cmd, func(t *testing.T) {
			args := strings.Fields(cmd)
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skipf("%s is not installed", args[0])
			}
			c := exec.Command(args[0], args[1:]...)
			c.Stdin = bytes.NewReader(whole)
			z, err := c.Output()
			if err != nil {
				t.Skipf("%s: %v", cmd, err)
			}
			wantLabels(t, open(t, Options{Stdin: bytes.NewReader(z)}, "-"), "p 1", "p 2", "p 3", "p 4")
		})
	}
}

func TestXz(t *testing.T) {
	plain := pcapAt(t, "p", 1, 2)
	z := compress(t, "xz", plain)
	wide := bytes.Clone(z)
	// Block header: size, flags, filter LZMA2 with one property, 40: 4 GiB.
	i := bytes.Index(wide, []byte{0x21, 1})
	wide[i+2] = 40
	fixCRC(wide[12 : 12+4*(int(wide[12])+1)])
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"dictionary of 4 GiB", wide, "dictionary of 4294967295 bytes exceeds the limit"},
		{"broken stream header", append([]byte("\xfd7zXZ\x00\x00\x04\x00\x00\x00\x00"), z[12:]...), "checksum error in stream header"},
		{"broken block header", flip(z, 20), "checksum error in block header"},
		{"broken footer", flip(z, len(z)-1), "bad stream footer"},
		{"broken check", flip(z, len(z)-12-12-1), "xz: "},
		{"padding", append(bytes.Clone(z), 0, 0, 0, 0, 0, 0, 0, 0), ""},
		{"odd padding", append(bytes.Clone(z), 0, 0, 0), "end early"},
		{"rubbish behind", append(bytes.Clone(z), "rubbish at the end"...), "bad stream header"},
		{"two streams", append(append(bytes.Clone(z), 0, 0, 0, 0), compress(t, "xz", pcapAt(t, "q", 3)[24:])...), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tl, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(tt.b)})
			if err != nil {
				if tt.want == "" || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			defer tl.Close()
			if n := len(labels(t, tl)); n < 2 {
				t.Errorf("got %d packets, want at least 2", n)
			}
			if d := tl.Files()[0].Damage; (d == "") != (tt.want == "") || !strings.Contains(d, tt.want) {
				t.Errorf("got damage %q, want %q", d, tt.want)
			}
		})
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0xff
	return b
}

// bundle is a support bundle with captures that overlap in time.
func bundle(t testing.TB) []file {
	return []file{
		{"etc/hosts", []byte("127.0.0.1 localhost\n")},
		{"dir/b.pcap", pcapAt(t, "b", 2, 4, 6)},
		{"var/log/syslog.gz", compress(t, "gzip", bytes.Repeat([]byte("line\n"), 1000))},
		{"a.pcap.xz", compress(t, "xz", pcapAt(t, "a", 1, 3, 5))},
		{"empty", nil},
		{"c.zst", compress(t, "zstd", pcapAt(t, "c", 7))},
	}
}

var bundled = []string{"a 1", "b 2", "a 3", "b 4", "a 5", "b 6", "c 7"}

func TestArchives(t *testing.T) {
	files := bundle(t)
	plain := tarOf(t, files...)
	tree(t, map[string][]byte{
		"b.tar":      plain,
		"b.tar.gz":   compress(t, "gzip", plain),
		"b.tar.xz":   compress(t, "xz", plain),
		"b.tar.zst":  compress(t, "zstd", plain),
		"b.zip":      zipOf(t, zip.Deflate, files...),
		"stored.zip": zipOf(t, zip.Store, files...),
		"zip.gz":     compress(t, "gzip", zipOf(t, zip.Deflate, files...)),
	})
	for _, name := range []string{"b.tar", "b.tar.gz", "b.tar.xz", "b.tar.zst", "b.zip", "stored.zip", "zip.gz"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, opt := range []struct {
				how  string
				path string
				o    Options
			}{
				{"file", name, Options{}},
				{"standard input", "-", Options{Stdin: bytes.NewReader(b)}},
				{"file, no memory for members", name, Options{Limits: Limits{Memory: 1}}},
			} {
				if name == "zip.gz" && opt.o.Limits.Memory == 1 {
					continue // has to be held in memory: TestMemoryLimit
				}
				t.Run(opt.how, func(t *testing.T) {
					tl := open(t, opt.o, opt.path)
					wantLabels(t, tl, bundled...)
					want := []string{opt.path + "!dir/b.pcap", opt.path + "!a.pcap.xz", opt.path + "!c.zst"}
					if d := cmp.Diff(want, names(tl)); d != "" {
						t.Errorf("files: want -, got +\n%s", d)
					}
					if got := tl.Skipped(); got != 3 {
						t.Errorf("got %d skipped, want 3", got)
					}
					for _, f := range tl.Files() {
						if f.Damage != "" || f.Packets == 0 {
							t.Errorf("got %+v", f)
						}
					}
				})
			}
		})
	}
}

func TestNestedArchives(t *testing.T) {
	inner := zipOf(t, zip.Deflate, bundle(t)...)
	two := compress(t, "gzip", tarOf(t, file{"in.zip", inner}, file{"x.pcap", pcapAt(t, "x", 9)}))
	three := tarOf(t, file{"two.tar.gz", two})
	four := zipOf(t, zip.Deflate, file{"three.tar", three}, file{"y.pcap", pcapAt(t, "y", 10)})
	tree(t, map[string][]byte{"three.tar": three, "three.tar.gz": compress(t, "gzip", three), "four.zip": four})
	for _, name := range []string{"three.tar", "three.tar.gz"} {
		tl := open(t, Options{}, name)
		wantLabels(t, tl, append(bundled[:7:7], "x 9")...)
		if got := names(tl)[0]; got != name+"!two.tar.gz!in.zip!dir/b.pcap" {
			t.Errorf("got name %q", got)
		}
	}
	tl := open(t, Options{}, "four.zip")
	wantLabels(t, tl, "x 9", "y 10")
	if f := tl.Files()[0]; f.Name != "four.zip!three.tar!two.tar.gz!in.zip" || !strings.Contains(f.Damage, "more than 3 archives inside each other") {
		t.Errorf("got %+v, want the limit told", f)
	}
	deep := pcapAt(t, "d", 1)
	for range MaxNesting + 2 {
		deep = compress(t, "gzip", deep)
	}
	if _, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(deep)}); err == nil || !strings.Contains(err.Error(), "compressed more than 4 times") {
		t.Errorf("got %v", err)
	}
}

func TestArchiveDamage(t *testing.T) {
	files := []file{{"a", pcapAt(t, "a", 1, 2)}, {"b", pcapAt(t, "b", 3, 4)}, {"c", pcapAt(t, "c", 5)}}
	plain := tarOf(t, files...)
	// The directory, then three members of a header and one block each: cut
	// in the second packet of b.
	cut := plain[:512+1024+512+50]
	tree(t, map[string][]byte{
		"cut.tar":    cut,
		"cut.tar.gz": compress(t, "gzip", cut),
		"torn.tgz":   compress(t, "gzip", plain)[:80],
		"cut.zip":    zipOf(t, zip.Deflate, files...)[:200],
		"none.tar":   tarOf(t, file{"x", []byte("text\n")}),
		"none.zip":   zipOf(t, zip.Deflate, file{"x", []byte("text\n")}),
		"void.zip":   zipOf(t, zip.Deflate),
	})
	for _, name := range []string{"cut.tar", "cut.tar.gz"} {
		tl := open(t, Options{}, name)
		wantLabels(t, tl, "a 1", "a 2", "b 3")
		f := tl.Files()
		if len(f) != 3 || !f[1].Truncated || !f[2].Truncated || f[2].Name != name || !strings.Contains(f[2].Damage, "the tar archive ends early") {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	for name, want := range map[string]string{
		"torn.tgz": "torn.tgz: ",
		"cut.zip":  "cut.zip: zip: no list of members at its end",
		"none.tar": "none.tar: the tar archive holds no capture file (1 files looked at)",
		"none.zip": "none.zip: the zip archive holds no capture file (1 files looked at)",
		"void.zip": "void.zip: the zip archive holds no capture file (0 files looked at)",
	} {
		if _, err := Open([]string{name}, Options{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestEncryptedZip(t *testing.T) {
	z := zipOf(t, zip.Store, file{"a.pcap", pcapAt(t, "a", 1)})
	// The flags of the local header and of the central directory.
	z[6] |= 1
	z[bytes.Index(z, []byte("PK\x01\x02"))+8] |= 1
	_, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(z)})
	if err == nil || !strings.Contains(err.Error(), "1 encrypted") {
		t.Errorf("got %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	files := []file{{"a", pcapAt(t, "a", 1)}, {"big", bulk(t, false, 530, 100_000)}}
	tarred := compress(t, "gzip", tarOf(t, files...))
	limits := Options{Limits: Limits{Memory: 50_000}}
	opt := limits
	opt.Stdin = bytes.NewReader(tarred)
	tl := open(t, opt, "-")
	wantLabels(t, tl, "a 1")
	if f := tl.Files(); len(f) != 2 || f[1].Name != "-!big" || !strings.Contains(f[1].Damage, "memory limit; unpack it, or name the archive as a file") {
		t.Errorf("got %+v", f)
	}
	// The same archive as a file is gone through again.
	tree(t, map[string][]byte{"x.tgz": tarred})
	tl = open(t, limits, "x.tgz")
	if n := len(labels(t, tl)); n != 1+(100_000-24)/546+1 {
		t.Errorf("got %d packets, want %d", n, 1+(100_000-24)/546+1)
	}
	// A zip must fit.
	opt.Stdin = bytes.NewReader(zipOf(t, zip.Store, files...))
	if _, err := Open([]string{"-"}, opt); err == nil || !strings.Contains(err.Error(), "zip archive here must fit into memory") {
		t.Errorf("got %v", err)
	}
	// What is no capture frees its memory for the next member.
	logs := []file{}
	for i := range 20 {
		logs = append(logs, file{fmt.Sprintf("%d.gz", i), compress(t, "gzip", bytes.Repeat([]byte{'a', byte(i)}, 100_000))})
	}
	logs = append(logs, file{"p", pcapAt(t, "p", 1)})
	opt = Options{Limits: Limits{Memory: 1000}, Stdin: bytes.NewReader(tarOf(t, logs...))}
	wantLabels(t, open(t, opt, "-"), "p 1")
}

// A tar with members too large for memory, whose captures overlap.
func TestTarPasses(t *testing.T) {
	var files []file
	for i := range 30 {
		name := fmt.Sprintf("%02d", i)
		files = append(files, file{name + ".pcap", pcapAt(t, name, i, i+2, i+40)}, file{name + ".txt", []byte("no\n")})
	}
	tree(t, map[string][]byte{"x.tar.gz": compress(t, "gzip", tarOf(t, files...)), "x.tar": tarOf(t, files...)})
	want := labels(t, open(t, Options{}, "x.tar"))
	if len(want) != 90 {
		t.Fatalf("got %d packets, want 90", len(want))
	}
	wantLabels(t, open(t, Options{Limits: Limits{Memory: 1}}, "x.tar.gz"), want...)
}

func TestExpansionLimit(t *testing.T) {
	zeros := newRaw(false).pcapHeader(magicMicro, 2, 4, 0, 1)
	for i := range 40 {
		zeros.u32(t0, uint32(i), 1<<17, 1<<17).add(make([]byte, 1<<17)...)
	}
	limits := Limits{Expanded: 1 << 20, Ratio: 10}
	for _, k := range compressions {
		tree(t, map[string][]byte{
			"bomb":   compress(t, k, zeros.b),
			"bomb.t": compress(t, k, tarOf(t, file{"pad", make([]byte, 5<<20)}, file{"a", pcapAt(t, "a", 1)})),
		})
		tl := open(t, Options{Limits: limits}, "bomb")
		n := len(labels(t, tl))
		if f := tl.Files()[0]; n < 5 || n > 30 || !strings.Contains(f.Damage, "over 10 times, the limit") {
			t.Errorf("%s: got %d packets and %+v", k, n, f)
		}
		if _, err := Open([]string{"bomb.t"}, Options{Limits: limits}); err == nil || !strings.Contains(err.Error(), "over 10 times, the limit") {
			t.Errorf("%s in tar: got %v", k, err)
		}
		if n := len(labels(t, open(t, Options{}, "bomb"))); n != 40 {
			t.Errorf("%s: got %d packets with the default limits, want 40", k, n)
		}
	}
}
