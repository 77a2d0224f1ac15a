package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
)

// tree writes files into a new directory and changes into it.
func tree(t testing.TB, files map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// open opens a timeline that the test closes.
func open(t testing.TB, opt Options, paths ...string) *Timeline {
	t.Helper()
	tl, err := Open(paths, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tl.Close() })
	return tl
}

// labels drains the timeline: the data of the packets.
func labels(t testing.TB, tl *Timeline) []string {
	t.Helper()
	got, err := drain(tl)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(got))
	for i, p := range got {
		out[i] = p.Data
	}
	return out
}

func wantLabels(t testing.TB, tl *Timeline, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, labels(t, tl)); d != "" {
		t.Errorf("packets: want -, got +\n%s", d)
	}
}

func names(tl *Timeline) (out []string) {
	for _, f := range tl.Files() {
		out = append(out, f.Name)
	}
	return out
}

func TestTimelineOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		secs map[string][]int // by file, in the order of names
		want string
	}{
		{"one after the other, named in the wrong order", map[string][]int{"a": {30, 31}, "b": {10, 11}, "c": {20, 21}}, "b10 b11 c20 c21 a30 a31"},
		{"overlapping", map[string][]int{"a": {1, 4, 7}, "b": {2, 3, 9}, "c": {5, 6, 8}}, "a1 b2 b3 a4 c5 c6 a7 c8 b9"},
		{"equal times go by name", map[string][]int{"a": {1, 1, 2}, "b": {1, 2, 2}}, "a1 a1 b1 a2 b2 b2"},
		{"a clock that steps back keeps the file's order", map[string][]int{"a": {10, 20, 5, 6, 25}, "b": {15, 22}}, "a10 b15 a20 a5 a6 b22 a25"},
		{"one inside the other", map[string][]int{"a": {1, 100}, "b": {50, 51}}, "a1 b50 b51 a100"},
		{"an empty one", map[string][]int{"a": {}, "b": {1}}, "b1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string][]byte{}
			for name, secs := range tt.secs {
				files[name] = pcapAt(t, name, secs...)
			}
			tree(t, files)
			paths := slices.Sorted(func(yield func(string) bool) {
				for name := range files {
					if !yield(name) {
						return
					}
				}
			})
			var want []string
			for _, w := range strings.Fields(tt.want) {
				want = append(want, w[:1]+" "+w[1:])
			}
			tl := open(t, Options{}, paths...)
			got, err := drain(tl)
			if err != nil {
				t.Fatal(err)
			}
			number := map[int]uint64{}
			for i, p := range got {
				if i >= len(want) || p.Data != want[i] {
					t.Fatalf("packet %d: got %q, want %v", i, p.Data, want)
				}
				number[p.File]++
				if f := tl.Files()[p.File]; f.Name != p.Data[:1] || p.Number != number[p.File] {
					t.Errorf("%q: got frame %d of %s, want %d", p.Data, p.Number, f.Name, number[p.File])
				}
				if f := tl.Interfaces()[p.Iface].File; f != p.File {
					t.Errorf("%q: got an interface of file %d, want %d", p.Data, f, p.File)
				}
			}
			if len(got) != len(want) {
				t.Errorf("got %d packets, want %d", len(got), len(want))
			}
			for _, f := range tl.Files() {
				if f.Packets != uint64(len(tt.secs[f.Name])) || f.Format != "pcap" {
					t.Errorf("got %+v, want %d packets of pcap", f, len(tt.secs[f.Name]))
				}
			}
		})
	}
}

// Many rotated files, shuffled: in order, with few open at any time.
func TestManyFiles(t *testing.T) {
	const n = 400
	files := map[string][]byte{}
	var want []string
	for i := range n {
		name := fmt.Sprintf("%03d.pcap", (i*7919)%n) // names say nothing of the time
		files[name] = pcapAt(t, "f", 10*i, 10*i+1, 10*i+12)
	}
	for i := range n { // the last packet of each lies behind the first two of the next
		if i > 0 {
			want = append(want, label("f", 10*i), label("f", 10*i+1), label("f", 10*(i-1)+12))
		} else {
			want = append(want, label("f", 0), label("f", 1))
		}
	}
	want = append(want, label("f", 10*(n-1)+12))
	tree(t, files)
	tl := open(t, Options{}, ".")
	var p capture.Packet
	var got []string
	most := 0
	for {
		err := tl.Next(&p)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p.Data))
		most = max(most, tl.open)
		if len(tl.disk.open) > maxOpen {
			t.Fatalf("got %d open files, want at most %d", len(tl.disk.open), maxOpen)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("packets: want -, got +\n%s", d)
	}
	if most > keepOpen+2 {
		t.Errorf("got %d readers at a time, want at most %d", most, keepOpen+2)
	}
}

// The merge against sorting, with random files.
func TestMergeProperty(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		files := map[string][]byte{}
		type key struct {
			at   int
			file string
			no   int
		}
		var all []key
		for f := range 1 + rnd.IntN(40) {
			name := fmt.Sprintf("%02d", f)
			var secs []int
			start, step := rnd.IntN(300), 1+rnd.IntN(10)
			for i := range rnd.IntN(30) {
				start += rnd.IntN(step)
				secs = append(secs, start)
				all = append(all, key{start, name, i})
			}
			files[name] = pcapAt(t, name, secs...)
		}
		slices.SortFunc(all, func(a, b key) int {
			if a.at != b.at {
				return a.at - b.at
			}
			if a.file != b.file {
				return strings.Compare(a.file, b.file)
			}
			return a.no - b.no
		})
		tree(t, files)
		want := []string{}
		for _, k := range all {
			want = append(want, label(k.file, k.at))
		}
		if d := cmp.Diff(want, labels(t, open(t, Options{}, "."))); d != "" {
			t.Fatalf("packets: want -, got +\n%s", d)
		}
	}
}

func TestInterfacesOfTheTimeline(t *testing.T) {
	a := newRaw(false).section(nil).
		iface(1, 0, func(b *raw) { b.option(ifName, 'a', '0').option(ifTSResol, 0) }).epb(0, 10, "p", nil).
		iface(1, 0, func(b *raw) { b.option(ifName, 'a', '1').option(ifTSResol, 0) }).epb(1, 30, "r", nil).
		block(blockStatistics, func(b *raw) { b.u32(1, 0, 0).option(isbIfDrop, new64(b, 4)...) }).
		iface(1, 0, func(b *raw) { b.option(ifName, 'a', '2') }) // no packet
	b := newRaw(true).section(nil).
		iface(101, 0, func(b *raw) { b.option(ifName, 'b', '0').option(ifTSResol, 0) }).epb(0, 20, "q", nil)
	tree(t, map[string][]byte{"a": a.b, "b": b.b})
	tl := open(t, Options{}, "a", "b")
	got, err := drain(tl)
	if err != nil {
		t.Fatal(err)
	}
	want := []seen{
		{File: 0, Number: 1, Time: 10e9, Link: 1, Iface: 0, WireLen: 1, Data: "p"},
		{File: 1, Number: 1, Time: 20e9, Link: 101, Iface: 2, WireLen: 1, Data: "q"},
		{File: 0, Number: 2, Time: 30e9, Link: 1, Iface: 1, WireLen: 1, Data: "r"},
	}
	if len(got) == 3 { // the number of an interface is free, what it names is not
		for i, name := range []string{"a0", "b0", "a1"} {
			if f := tl.Interfaces()[got[i].Iface]; f.Name != name || f.File != got[i].File || f.Link != got[i].Link {
				t.Errorf("packet %d: got interface %+v, want %s", i, f, name)
			}
			want[i].Iface = got[i].Iface
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("packets: want -, got +\n%s", d)
	}
	var list []string
	for _, f := range tl.Interfaces() {
		list = append(list, fmt.Sprintf("%s %v", f.Name, f.Dropped))
	}
	slices.Sort(list)
	if d := cmp.Diff([]string{"a0 {false 0}", "a1 {true 4}", "a2 {false 0}", "b0 {false 0}"}, list); d != "" {
		t.Errorf("interfaces: want -, got +\n%s", d)
	}
	if f := tl.Files()[0]; !slices.Equal(f.Ifaces, []string{"a0", "a1", "a2"}) || f.Dropped != (capture.Count{Known: true, N: 4}) {
		t.Errorf("got %+v", f)
	}
}

func TestDirectory(t *testing.T) {
	tree(t, map[string][]byte{
		"d/b.pcap":        pcapAt(t, "b", 2),
		"d/a/x.pcap":      pcapAt(t, "x", 1),
		"d/notes.txt":     []byte("nothing to see\n"),
		"d/empty":         nil,
		"d/cut.pcap":      pcapAt(t, "c", 3, 4)[:60],
		"d/late/only.gz":  compress(t, "gzip", []byte("log line\n")),
		"none/readme.txt": []byte("hello\n"),
	})
	if err := os.Symlink("b.pcap", "d/latest.pcap"); err != nil {
		t.Logf("no links here: %v", err)
	}
	tl := open(t, Options{}, "d")
	wantLabels(t, tl, "x 1", "b 2", "c 3")
	if d := cmp.Diff([]string{"d/a/x.pcap", "d/b.pcap", "d/cut.pcap"}, names(tl)); d != "" {
		t.Errorf("files: want -, got +\n%s", d)
	}
	if got := tl.Skipped(); got != 4 {
		t.Errorf("got %d skipped, want 4: notes.txt, empty, only.gz and the link", got)
	}
	if f := tl.Files()[2]; !f.Truncated || f.Packets != 1 || !strings.Contains(f.Damage, "frame 2 (byte 43)") {
		t.Errorf("got %+v, want a file cut in frame 2", f)
	}

	_, err := Open([]string{"none"}, Options{})
	if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "none: the directory holds no capture file (1 files looked at)") {
		t.Errorf("got %v", err)
	}
	// Beside a capture it is a line in Files.
	tl = open(t, Options{}, "none", "d/b.pcap")
	wantLabels(t, tl, "b 2")
	if f := tl.Files()[0]; f.Name != "none" || f.Damage == "" {
		t.Errorf("got %+v, want the directory with its damage", f)
	}
}

func TestUnreadable(t *testing.T) {
	tree(t, map[string][]byte{
		"a.pcap":     pcapAt(t, "a", 1),
		"empty":      nil,
		"notes.txt":  []byte("hello\n"),
		"broken":     pcapAt(t, "b", 1)[:30],
		"clean.pcap": pcapAt(t, "c"),
		"secret":     pcapAt(t, "s", 1),
	})
	for _, tt := range []struct {
		name  string
		paths []string
		want  []string // nil: readable
		is    error
	}{
		{"no paths", nil, []string{"no input named"}, ErrUnreadable},
		{"missing", []string{"missing"}, []string{"missing: no such file or directory"}, fs.ErrNotExist},
		{"empty", []string{"empty"}, []string{"empty: is empty"}, ErrUnreadable},
		{"several", []string{"missing", "notes.txt"}, []string{"missing: ", "notes.txt: not a capture file (starts with \"hello\\n\"); is a text file"}, ErrUnreadable},
		{"damaged at the first frame", []string{"broken"}, []string{"broken: frame 1 (byte 24): the file ends after 6 of the 16 bytes of a record header"}, ErrUnreadable},
		{"no packets but sound", []string{"clean.pcap"}, nil, nil},
		{"one of them readable", []string{"missing", "a.pcap", "broken"}, nil, nil},
		{"no standard input", []string{"-"}, []string{"-: standard input"}, ErrUnreadable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tl, err := Open(tt.paths, Options{})
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				defer tl.Close()
				if len(tl.Files()) != len(tt.paths) {
					t.Errorf("got %d files, want %d", len(tl.Files()), len(tt.paths))
				}
				return
			}
			if err == nil || tl != nil {
				t.Fatalf("got a timeline, want an error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("got %q, want %q", lines, tt.want)
			}
			for i := range lines {
				if !strings.HasPrefix(lines[i], tt.want[i]) {
					t.Errorf("got %q, want %q", lines[i], tt.want[i])
				}
			}
			if !errors.Is(err, tt.is) || !errors.Is(err, ErrUnreadable) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
	if os.Geteuid() == 0 {
		t.Log("root may read everything: permission is tested by its error only")
	}
	e := explain("secret", &fs.PathError{Op: "open", Path: "secret", Err: fs.ErrPermission})
	if got := e.Error(); got != "secret: permission denied; read it as its owner, or with sudo" {
		t.Errorf("got %q", got)
	}
}

func TestSameFileTwice(t *testing.T) {
	tree(t, map[string][]byte{"a.pcap": pcapAt(t, "a", 1, 2)})
	wantLabels(t, open(t, Options{}, "a.pcap", ".", "./a.pcap"), "a 1", "a 2")
}

func TestStdin(t *testing.T) {
	tree(t, map[string][]byte{"b": pcapAt(t, "b", 2)})
	in := pcapAt(t, "in", 1, 3)
	for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), bytes.NewReader(compress(t, "gzip", in))} {
		wantLabels(t, open(t, Options{Stdin: r}, "b", "-"), "in 1", "b 2", "in 3")
	}
	tl := open(t, Options{Stdin: bytes.NewReader(in)}, "-", "-")
	wantLabels(t, tl, "in 1", "in 3")
	if f := tl.Files()[1]; !strings.Contains(f.Damage, "only once") {
		t.Errorf("got %+v for standard input named twice", f)
	}
}

// A packet on a pipe is delivered although nothing follows it.
func TestPipeIsNotReadAhead(t *testing.T) {
	r, w := io.Pipe()
	step := make(chan bool)
	go func() {
		b := pcapAt(t, "a", 1, 2)
		w.Write(b[:24])
		w.Write(b[24:43])
		<-step // only when frame 1 was delivered
		w.Write(b[43:])
		w.Close()
	}()
	tl := open(t, Options{Stdin: r}, "-")
	var p capture.Packet
	if err := tl.Next(&p); err != nil || string(p.Data) != "a 1" {
		t.Fatalf("got %q, %v", p.Data, err)
	}
	step <- true
	if err := tl.Next(&p); err != nil || string(p.Data) != "a 2" {
		t.Fatalf("got %q, %v", p.Data, err)
	}
	if err := tl.Next(&p); err != io.EOF {
		t.Fatalf("got %v, want EOF", err)
	}
}

// A reader that blocks must not keep Close waiting.
func TestCloseWhileAPipeBlocks(t *testing.T) {
	zipped := compress(t, "gzip", bulk(t, false, 80, 1<<20))
	r, w := io.Pipe()
	go w.Write(zipped[:len(zipped)-100]) // and nothing more
	tl, err := Open([]string{"-"}, Options{Stdin: r})
	if err != nil {
		t.Fatal(err)
	}
	if err := tl.Close(); err != nil {
		t.Error(err)
	}
	if err := tl.Next(&capture.Packet{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v after Close, want %v", err, fs.ErrClosed)
	}
	w.Close()
}

func TestReplacedFile(t *testing.T) {
	files := map[string][]byte{}
	for i := range keepOpen + maxOpen + 2 {
		files[fmt.Sprintf("%03d", i)] = pcapAt(t, "f", i)
	}
	tree(t, files)
	tl := open(t, Options{}, ".")
	const victim = "020" // parked, and evicted by those after it
	if err := os.WriteFile("new", pcapAt(t, "other", 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("new", victim); err != nil {
		t.Fatal(err)
	}
	got := labels(t, tl)
	if len(got) != len(files)-1 || slices.Contains(got, "other 5000") {
		t.Errorf("got %d packets, want those of %d files", len(got), len(files)-1)
	}
	if f := tl.Files()[20]; f.Name != victim || !strings.Contains(f.Damage, "replaced") {
		t.Errorf("got %+v, want the replaced file told", f)
	}
}

func TestProgress(t *testing.T) {
	tree(t, map[string][]byte{
		"a":    bulk(t, false, 530, 3<<20),
		"b.gz": compress(t, "gzip", bulk(t, true, 80, 1<<20)),
	})
	var last, end int64
	opt := Options{Progress: func(done, total int64) {
		if done < last && total <= end || done > total {
			t.Errorf("got %d of %d after %d of %d", done, total, last, end)
		}
		last, end = done, total
	}}
	labels(t, open(t, opt, "a", "b.gz"))
	if last != end || end < 3<<20 {
		t.Errorf("got %d of %d at the end", last, end)
	}
}

func TestFileLimit(t *testing.T) {
	tree(t, map[string][]byte{"a": pcapAt(t, "a", 1), "b": pcapAt(t, "b", 2), "c": pcapAt(t, "c", 3), "d": pcapAt(t, "d", 4)})
	tl := open(t, Options{Limits: Limits{Files: 2}}, ".")
	wantLabels(t, tl, "a 1", "b 2")
	if f := tl.Files(); len(f) != 3 || !strings.Contains(f[2].Damage, "more than 2 inputs") {
		t.Errorf("got %+v", f)
	}
}
