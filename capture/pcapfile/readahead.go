package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// A readAhead reads src in a goroutine of its own, a bounded number of chunks
// ahead, so that decompressing and parsing overlap.
type readAhead struct {
	full    chan chunk
	free    chan []byte
	stop    chan struct{}
	done    chan struct{} // closed when the goroutine has ended
	closing sync.Once
	cur     []byte // unread part of buf
	buf     []byte
	err     error
}

type chunk struct {
	b   []byte
	err error
}

const (
	aheadChunks = 3
	aheadSize   = 128 << 10 // bytes per chunk
)

var errStopped = errors.New("reading was stopped")

// newReadAhead starts reading what open returns; finish runs when the
// goroutine ends.
func newReadAhead(open func() (io.Reader, error), finish func()) *readAhead {
	a := &readAhead{
		full: make(chan chunk, aheadChunks),
		free: make(chan []byte, aheadChunks),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
	for range aheadChunks {
		a.free <- nil
	}
	go func() {
		defer close(a.done)
		defer finish()
		a.run(open)
	}()
	return a
}

// run fills chunks until src ends. A decompressor that panics on hostile
// input must cost its input only.
func (a *readAhead) run(open func() (io.Reader, error)) {
	var b []byte
	n := 0
	defer func() {
		if v := recover(); v != nil {
			a.send(chunk{b[:n], fmt.Errorf("decompressor: %v", v)})
		}
	}()
	src, err := open()
	for empty := 0; ; {
		select {
		case b = <-a.free:
		case <-a.stop:
			return
		}
		if b == nil {
			b = make([]byte, aheadSize)
		}
		n = 0
		for n < len(b) && err == nil {
			var m int
			m, err = src.Read(b[n:])
			n += m
			if m > 0 {
				empty = 0
			} else if empty++; empty == 100 && err == nil {
				err = io.ErrNoProgress
			}
		}
		if !a.send(chunk{b[:n], err}) || err != nil {
			return
		}
	}
}

func (a *readAhead) send(c chunk) bool {
	select {
	case a.full <- c:
		return true
	case <-a.stop:
		return false
	}
}

func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.cur) == 0 {
		if a.buf != nil {
			a.free <- a.buf[:cap(a.buf)]
			a.buf = nil
		}
		if a.err != nil {
			return 0, a.err
		}
		select {
		case c := <-a.full:
			a.cur, a.buf, a.err = c.b, c.b, c.err
		case <-a.stop:
			return 0, errStopped
		}
	}
	n := copy(p, a.cur)
	a.cur = a.cur[n:]
	return n, nil
}

// Close stops the goroutine. With wait, it has ended when Close returns:
// without, it may still be inside a Read that blocks.
func (a *readAhead) Close(wait bool) {
	a.closing.Do(func() { close(a.stop) })
	if wait {
		<-a.done
	}
}
