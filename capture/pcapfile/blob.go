package pcapfile

import (
	"bufio"
	"fmt"
	"io"
)

// A blob is a run of bytes somewhere: a file, a stream, a member of an
// archive. It can be read several times unless once is set.
type blob struct {
	name     string
	root     *root
	archives int // archives around it
	layers   int // layers of compression around it

	at        io.ReaderAt             // random access to off, size; or nil
	off, size int64                   // size is negative when it is not known
	inMemory  bool                    // at is
	end       error                   // what ends the bytes, when they are cut
	again     func() (*stream, error) // opens it when at is nil
	now       *stream                 // already open; comes before again
	once      bool                    // a pipe, whose reads may block for ever
}

// A root is what the user named: all blobs inside it share an allowance.
type root struct {
	allow allowance
	file  *diskFile // nil: a pipe
	size  int64
	held  bool // all captures in it are in memory
}

// A stream is an opened blob.
type stream struct {
	*bufio.Reader
	ahead *readAhead // what the bufio.Reader reads, if it is one
	close func()
}

const streamBuffer = 32 << 10

func newStream(r io.Reader, close func()) *stream {
	return &stream{Reader: bufio.NewReaderSize(r, streamBuffer), close: close}
}

// open opens b at its start.
func (b *blob) open() (*stream, error) {
	switch {
	case b.now != nil:
		s := b.now
		b.now = nil
		return s, nil
	case b.at != nil:
		if b.size == 0 && b.end == nil {
			return newStream(eof{}, func() {}), nil
		}
		return newStream(&span{at: b.at, off: b.off, left: b.size, end: b.end}, func() {}), nil
	case b.again != nil:
		return b.again()
	}
	return nil, fmt.Errorf("%s can be read only once", b.name)
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// peek returns the first bytes without reading on more than it must: a pipe
// may have sent only the header of a capture.
func (s *stream) peek() ([]byte, error) {
	if head, err := s.Peek(len(snoopMagic)); err != nil || sniff(head).capture() {
		return head, err
	}
	return s.Peek(sniffLen)
}

// A limitError is a limit that an input exceeds.
type limitError string

func (e limitError) Error() string { return string(e) }

// descend opens b and takes off its compression. It returns the stream
// inside, what it is, its first bytes and what reading them returned.
func (b *blob) descend() (s *stream, k kind, layers int, head []byte, cause, err error) {
	if s, err = b.open(); err != nil {
		return nil, 0, 0, nil, nil, err
	}
	limit := b.root.allow.limits.Nesting + 1
	for {
		head, cause = s.peek()
		k = sniff(head)
		if !k.compressed() {
			return s, k, layers, head, cause, nil
		}
		if layers++; b.layers+layers > limit {
			s.close()
			return nil, 0, 0, nil, nil, limitError(fmt.Sprintf("compressed more than %d times, the limit", limit))
		}
		s = s.unpack(k, b.root, !b.once)
	}
}

// unpack decompresses s in a goroutine of its own.
func (s *stream) unpack(k kind, rt *root, wait bool) *stream {
	var stop func()
	return rt.ahead(func() (r io.Reader, err error) {
		r, stop, err = decompress(k, s.Reader, &rt.allow)
		if err != nil {
			return eof{}, err
		}
		return r, nil
	}, func() {
		if stop != nil {
			stop()
		}
	}, s.close, wait)
}

// ahead reads what open returns in a goroutine, as long as the allowance
// lasts. finish runs in the goroutine, closed when the stream is closed; with
// wait, after the goroutine has ended.
func (rt *root) ahead(open func() (io.Reader, error), finish, closed func(), wait bool) *stream {
	a := newReadAhead(aheadSize, func() (io.Reader, error) {
		r, err := open()
		return &metered{r, &rt.allow}, err
	}, finish)
	s := newStream(a, func() {
		a.Close(wait)
		closed()
	})
	s.ahead = a
	return s
}

// metered accounts for what is decompressed.
type metered struct {
	r io.Reader
	a *allowance
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if n > 0 {
		if over := m.a.spend(n); over != nil {
			return n, over
		}
	}
	return n, err
}
