package pcapfile

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// member is a blob inside the archive b, which has layers of compression.
func (b *blob) member(name string, layers int) *blob {
	name = name[:min(len(name), maxMember)]
	return &blob{name: b.name + "!" + name, root: b.root, archives: b.archives + 1, layers: b.layers + layers, once: b.once}
}

// tooDeep reports whether b is one archive too many.
func (w *walker) tooDeep(b *blob) bool {
	if b.archives < w.opt.Limits.Nesting {
		return false
	}
	w.fail(b.name, &Error{Reason: fmt.Sprintf("more than %d archives inside each other, the limit", w.opt.Limits.Nesting), Remedy: "unpack it"})
	return true
}

// ended notes how an archive ended; err is nil at its proper end.
func (w *walker) ended(b *blob, kind string, err error, found, looked int, named bool) {
	switch {
	case err != nil:
		e := &Error{Reason: kind + ": " + strings.TrimPrefix(err.Error(), "archive/"+kind+": "), Err: err, Truncated: isCut(err)}
		if e.Truncated {
			e.Reason = "the " + kind + " archive ends early: members at its end are missing"
		}
		w.fail(b.name, e)
	case named && w.found == found:
		w.fail(b.name, &Error{Reason: w.nothingIn("the "+kind+" archive", looked), Err: ErrUnreadable})
	}
}

// tar adds the captures in a tar archive, which s reads.
//
// The members of a plain tar in a file are read where they are. Those of a
// compressed one, or of a stream, come by once: what may be a capture is held
// in memory as long as there is room, and a larger member is read by going
// through the archive again. Only a stream cannot do that.
func (w *walker) tar(b *blob, layers int, s *stream, named bool) {
	if w.tooDeep(b) {
		return
	}
	found, looked := w.found, w.looked
	var err error
	if b.at != nil && layers == 0 {
		err = w.tarInPlace(b)
	} else {
		err = w.tarInPassing(b, layers, s)
	}
	w.ended(b, "tar", err, found, looked, named)
}

func (w *walker) tarInPlace(b *blob) error {
	size := b.size
	if size < 0 {
		size = b.root.size
	}
	sec := io.NewSectionReader(b.at, b.off, size)
	tr := tar.NewReader(sec)
	for !w.full {
		h, err := tr.Next()
		if err == io.EOF {
			return b.end
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		pos, _ := sec.Seek(0, io.SeekCurrent)
		m := b.member(h.Name, 0)
		if sparse(h) {
			m.now = newStream(tr, func() {})
			if err := w.hold(m, h.Size); err != nil {
				w.fail(m.name, err)
				continue
			}
		} else {
			m.at, m.off, m.size = b.at, b.off+pos, h.Size
			if rest := size - pos; m.size > rest {
				m.size, m.end = max(rest, 0), io.ErrUnexpectedEOF
			}
		}
		w.member(m)
	}
	return nil
}

// member looks into a member of an archive. Memory that holds none of the
// captures is free again.
func (w *walker) member(m *blob) {
	inputs, held := len(w.t.inputs), w.memory
	w.blob(m, false)
	if len(w.t.inputs) == inputs {
		w.memory = held
		if m.inMemory {
			w.memory += m.size
		}
	}
}

// sparse reports whether the member's bytes are not in one piece.
func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

func (w *walker) tarInPassing(b *blob, layers int, s *stream) error {
	again := &tarPasses{t: w.t, b: b}
	w.t.archives = append(w.t.archives, again)
	tr := tar.NewReader(s)
	now := newStream(tr, func() {})
	b.root.held = true
	for i := 0; !w.full; i++ {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse {
			continue
		}
		m := b.member(h.Name, layers)
		now.Reset(tr)
		m.now = now
		if head, err := m.now.peek(); sniff(head) == kindOther && (err == nil || err == io.EOF) {
			w.skip()
			continue
		}
		switch {
		case h.Size <= w.memory:
			if err := w.hold(m, h.Size); err != nil {
				w.fail(m.name, err)
				continue
			}
		case b.once:
			w.fail(m.name, limitOf(m, h.Size, w.memory))
			continue
		default:
			b.root.held = false
			m.again = func() (*stream, error) { return again.open(i) }
		}
		w.member(m)
	}
	return nil
}

func limitOf(m *blob, size, left int64) *Error {
	return &Error{
		File:   m.name,
		Reason: fmt.Sprintf("%d bytes in an archive that cannot be read at random exceed the %d left of the memory limit", size, left),
		Remedy: "unpack it, or name the archive as a file",
	}
}

// hold reads m, of at most size bytes, into memory. What is cut stays cut.
func (w *walker) hold(m *blob, size int64) error {
	if size > w.memory {
		return limitOf(m, size, w.memory)
	}
	data, err := io.ReadAll(io.LimitReader(m.now, size))
	if err != nil && !isCut(err) {
		// What came before the damage is kept; the cause follows it.
		m.end = err
	} else if err != nil {
		m.end = io.ErrUnexpectedEOF
	}
	m.now.close()
	w.memory -= int64(len(data))
	m.now, m.at, m.size, m.once, m.inMemory = nil, bytes.NewReader(data), int64(len(data)), false, true
	return nil
}

// tarPasses goes through a tar archive again for a member that memory does
// not hold. A pass that is past its member serves a later one.
type tarPasses struct {
	t    *Timeline
	b    *blob // without its compression
	idle *tarPass
}

type tarPass struct {
	s    *stream
	tr   *tar.Reader
	next int
}

func (a *tarPasses) open(i int) (*stream, error) {
	p := a.idle
	a.idle = nil
	if p != nil && p.next > i {
		p.s.close()
		p = nil
	}
	if p == nil {
		a.t.progress.grow(a.b.root.size)
		s, k, _, _, cause, err := a.b.descend()
		if err != nil {
			return nil, err
		}
		if k != kindTar {
			s.close()
			return nil, fmt.Errorf("the tar archive changed while it was read: %v", cause)
		}
		p = &tarPass{s: s, tr: tar.NewReader(s)}
	}
	for ; p.next <= i; p.next++ {
		if _, err := p.tr.Next(); err != nil {
			p.s.close()
			return nil, noEOF(err)
		}
	}
	return newStream(p.tr, func() {
		if a.idle != nil {
			a.idle.s.close()
		}
		a.idle = p
	}), nil
}

func (a *tarPasses) close() {
	if a.idle != nil {
		a.idle.s.close()
		a.idle = nil
	}
}

// zip adds the captures in a zip archive, which s reads. It needs to be read
// at random, so in a stream or another archive it must fit into memory.
func (w *walker) zip(b *blob, layers int, s *stream, named bool) {
	if w.tooDeep(b) {
		return
	}
	found, looked := w.found, w.looked
	var at io.ReaderAt
	size := b.size
	if b.at != nil && layers == 0 {
		if size < 0 {
			size = b.root.size
		}
		at = io.NewSectionReader(b.at, b.off, size)
	} else {
		data, err := io.ReadAll(io.LimitReader(s, w.memory+1))
		if int64(len(data)) > w.memory {
			e := limitOf(b, int64(len(data)), w.memory)
			e.Reason = "a zip archive here must fit into memory: " + e.Reason
			w.fail(b.name, e)
			return
		}
		if err != nil {
			w.ended(b, "zip", err, found, looked, named)
			return
		}
		w.memory -= int64(len(data))
		at, size = bytes.NewReader(data), int64(len(data))
	}
	w.ended(b, "zip", w.zipMembers(b, layers, at, size), found, looked, named)
}

func (w *walker) zipMembers(b *blob, layers int, at io.ReaderAt, size int64) error {
	zr, err := zip.NewReader(at, size)
	if errors.Is(err, zip.ErrFormat) {
		return errors.New("no list of members at its end: it is cut or damaged")
	}
	if err != nil {
		return err
	}
	zr.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(r) })
	zr.RegisterDecompressor(12, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	zr.RegisterDecompressor(93, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)))
	for _, f := range zr.File {
		if w.full {
			break
		}
		if !f.Mode().IsRegular() {
			continue
		}
		if f.Flags&1 != 0 {
			w.skip()
			w.secret++
			continue
		}
		m := b.member(f.Name, layers)
		m.once = false
		m.again = func() (*stream, error) { return zipOpen(b.root, f) }
		w.member(m)
	}
	return nil
}

func zipOpen(rt *root, f *zip.File) (*stream, error) {
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	return rt.ahead(func() (io.Reader, error) { return bufio.NewReader(rc), nil }, func() { rc.Close() }, func() {}, true), nil
}
