package pcapfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// maxOpen is how many files a disk keeps open.
const maxOpen = 128

// A disk reads any number of files with a bounded number of them open: a file
// that was closed meanwhile is opened again for the next read.
type disk struct {
	mu     sync.Mutex
	open   []*diskFile
	clock  uint64
	closed bool
	read   func(n int) // told of each read
}

// A diskFile is a regular file, read at random.
type diskFile struct {
	d     *disk
	path  string
	id    fs.FileInfo // of the first open
	f     *os.File    // nil: not open now
	users int         // reads that run now
	used  uint64      // by the disk's clock
	total atomic.Int64
}

func (d *disk) file(path string) *diskFile { return &diskFile{d: d, path: path} }

// ReadAt implements io.ReaderAt.
func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	h, err := f.acquire()
	if err != nil {
		return 0, err
	}
	n, err := h.ReadAt(p, off)
	f.total.Add(int64(n))
	f.release()
	f.d.read(n)
	return n, err
}

func (f *diskFile) acquire() (*os.File, error) {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fs.ErrClosed
	}
	if f.f == nil {
		h, err := os.Open(f.path)
		if err != nil {
			return nil, bare(err)
		}
		id, err := h.Stat()
		if err != nil {
			h.Close()
			return nil, bare(err)
		}
		if f.id == nil {
			f.id = id
		} else if !os.SameFile(f.id, id) {
			h.Close()
			return nil, errors.New("the file was replaced by another one while it was read")
		}
		f.f = h
		d.open = append(d.open, f)
		d.evict()
	}
	f.users++
	d.clock++
	f.used = d.clock
	return f.f, nil
}

// evict closes the file that was unused for longest.
func (d *disk) evict() {
	if len(d.open) <= maxOpen {
		return
	}
	oldest := -1
	for i, f := range d.open[:len(d.open)-1] {
		if f.users == 0 && (oldest < 0 || f.used < d.open[oldest].used) {
			oldest = i
		}
	}
	if oldest >= 0 {
		d.drop(oldest)
	}
}

func (d *disk) drop(i int) {
	f := d.open[i]
	f.f.Close()
	f.f = nil
	d.open[i] = d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
}

func (f *diskFile) release() {
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	f.users--
	if d.closed && f.users == 0 {
		d.drop(slices.Index(d.open, f))
	}
}

// close closes all files; those being read now follow after the read.
func (d *disk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for i := len(d.open) - 1; i >= 0; i-- {
		if d.open[i].users == 0 {
			d.drop(i)
		}
	}
}

// bare strips operation and path from a file error: they are told anyway.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// A span reads part of an io.ReaderAt in sequence.
type span struct {
	at   io.ReaderAt
	off  int64
	left int64 // negative: up to the end
	end  error // returned at the end instead of io.EOF
}

func (s *span) Read(p []byte) (int, error) {
	if s.left >= 0 && int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n := 0
	err := io.EOF
	if len(p) > 0 {
		n, err = s.at.ReadAt(p, s.off)
	}
	s.off += int64(n)
	if s.left >= 0 {
		s.left -= int64(n)
	}
	if n > 0 && err == io.EOF {
		err = nil // and the next call says so
	}
	if err == io.EOF && s.end != nil {
		err = s.end
	}
	return n, err
}
