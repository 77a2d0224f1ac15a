package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/pxescope/pxescope/capture"
)

// keepOpen is how many inputs stay open after their first packet was read:
// the usual few files are read in one pass.
const keepOpen = 16

// A walker finds the captures in what the user named. Time order needs the
// time of each capture's first packet, so it reads that far in each.
type walker struct {
	t      *Timeline
	opt    Options
	seen   map[string]bool // real paths of files
	roots  []*root
	memory int64 // left for members held in memory
	kept   int
	failed []*Error
	found  int // captures
	looked int // files and members that are no archives
	secret int // encrypted members among them
	full   bool
	// skipped are files and members that are no captures and were not named.
	skipped int
}

// path adds what the user named p.
func (w *walker) path(p string) {
	if p == "-" {
		w.stdin()
		return
	}
	st, err := os.Stat(p)
	if err != nil {
		w.fail(p, err)
		return
	}
	if !st.IsDir() {
		w.file(p, st, true)
		return
	}
	found, looked := w.found, w.looked
	w.dir(p)
	if w.found == found && !w.full {
		w.fail(p, &Error{Reason: w.nothingIn("the directory", looked), Err: ErrUnreadable})
	}
}

// nothingIn says that a container has no capture, after looked files were
// examined before it.
func (w *walker) nothingIn(what string, looked int) string {
	s := fmt.Sprintf("%s holds no capture file (%d files looked at", what, w.looked-looked)
	if w.secret > 0 {
		s += fmt.Sprintf(", %d encrypted", w.secret)
	}
	return s + ")"
}

func (w *walker) stdin() {
	in := w.opt.Stdin
	w.opt.Stdin = nil
	if in == nil {
		w.fail("-", &Error{Reason: "standard input can be read only once"})
		return
	}
	w.pipe("-", in, nil)
}

// pipe adds a stream that cannot be read again.
func (w *walker) pipe(name string, r io.Reader, closed func()) {
	var n atomic.Int64
	w.t.progress.endless()
	rt := w.root(0, nil)
	rt.allow.in = n.Load
	if closed == nil {
		closed = func() {}
	}
	s := newStream(&countingReader{r: r, n: &n, seen: w.t.progress.add}, closed)
	w.blob(&blob{name: name, root: rt, now: s, once: true}, true)
}

type countingReader struct {
	r    io.Reader
	n    *atomic.Int64
	seen func(int)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	c.seen(n)
	return n, err
}

func (w *walker) root(size int64, f *diskFile) *root {
	rt := &root{file: f, size: size, allow: allowance{limits: w.opt.Limits}}
	if f != nil {
		rt.allow.in = func() int64 { return max(f.total.Load(), size) }
		w.roots = append(w.roots, rt)
	}
	return rt
}

// file adds a file that is no directory.
func (w *walker) file(p string, st fs.FileInfo, named bool) {
	if !st.Mode().IsRegular() {
		if !named { // a FIFO in a directory would block
			w.skip()
			return
		}
		f, err := os.Open(p)
		if err != nil {
			w.fail(p, err)
			return
		}
		w.pipe(p, f, func() { f.Close() })
		return
	}
	real := p
	if abs, err := filepath.Abs(p); err == nil {
		real = abs
		if r, err := filepath.EvalSymlinks(abs); err == nil {
			real = r
		}
	}
	if w.seen[real] { // the same packets twice would look like duplicates
		w.found++
		return
	}
	w.seen[real] = true
	f := w.t.disk.file(p)
	w.t.progress.grow(st.Size())
	w.blob(&blob{name: p, root: w.root(st.Size(), f), at: f, size: -1}, named)
}

// dir walks a directory in the order of names. Links are passed over, since
// "latest.pcap" would double a file.
func (w *walker) dir(p string) {
	entries, err := os.ReadDir(p)
	if err != nil {
		w.fail(p, err)
	}
	for _, e := range entries {
		name := filepath.Join(p, e.Name())
		switch {
		case w.full:
			return
		case e.IsDir():
			w.dir(name)
		case e.Type().IsRegular():
			st, err := e.Info()
			if err != nil {
				w.fail(name, err)
				continue
			}
			w.file(name, st, false)
		default:
			w.skip()
		}
	}
}

// skip counts what is no capture and was not named.
func (w *walker) skip() {
	w.looked++
	w.skipped++
}

// fail notes an input that cannot be read.
func (w *walker) fail(name string, err error) {
	if w.full {
		return
	}
	if len(w.t.inputs) >= w.opt.Limits.Files {
		w.full = true
		err = fmt.Errorf("more than %d inputs: this one and the rest are left out", w.opt.Limits.Files)
	}
	e := explain(name, err)
	w.failed = append(w.failed, e)
	w.t.inputs = append(w.t.inputs, &input{info: capture.FileInfo{Name: name, Truncated: e.Truncated, Damage: e.Detail()}})
}

// explain makes an Error of err.
func explain(name string, err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Reason: bare(err).Error(), Err: err}
	}
	e.File = name
	if errors.Is(err, fs.ErrPermission) && e.Remedy == "" {
		e.Remedy = "read it as its owner, or with sudo"
	}
	return e
}

// blob adds a capture, or what an archive holds. What is neither is told only
// when the user named it, but broken compression and exceeded limits are told
// always: a capture may be behind them.
func (w *walker) blob(b *blob, named bool) {
	if w.full {
		return
	}
	s, k, layers, head, cause, err := b.descend()
	if err != nil {
		w.looked++
		w.fail(b.name, err)
		return
	}
	switch {
	case k.capture():
		w.looked++
		w.capture(b, s)
		return
	case k == kindTar:
		w.tar(b, layers, s, named)
	case k == kindZip:
		w.zip(b, layers, s, named)
	case named || cause != nil && !isCut(cause) || layers > 0 && cause != nil && cause != io.EOF:
		w.looked++
		w.fail(b.name, notCapture(b.name, head, cause))
	default:
		w.skip()
	}
	s.close()
}

// capture adds the capture that s starts with: b without its compression.
func (w *walker) capture(b *blob, s *stream) {
	if len(w.t.inputs) >= w.opt.Limits.Files {
		w.fail(b.name, nil) // says so
		s.close()
		return
	}
	no := len(w.t.inputs)
	in := &input{no: no, blob: b, s: s}
	r, e := newReader(s, b.name, no, w.opt.Limits, w.t.buffer())
	if e != nil {
		s.close()
		w.fail(b.name, e)
		return
	}
	w.found++
	w.t.inputs = append(w.t.inputs, in)
	in.r = r
	w.t.open++
	switch err := in.next(&in.head); {
	case err == io.EOF:
		w.t.readable = true
		w.t.finish(in)
	case err != nil:
		w.failed = append(w.failed, err.(*Error))
		w.t.finish(in)
	default:
		w.t.readable = true
		in.key = in.head.Time
		w.t.heap.push(in)
		if !b.once && (w.kept >= keepOpen || b.again != nil) {
			w.t.park(in)
		} else {
			w.kept++
		}
	}
}
