package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// A readAhead reads src in a goroutine of its own, a bounded number of chunks
// ahead, so that decompressing and parsing overlap. Chunks change hands, they are
// not copied: see exchange.
//
// Plain files are not read ahead: what the kernel copies in one core is then cold
// in the other, which cost more CPU time than it saved of the clock.
type readAhead struct {
	size    int // bytes per chunk
	full    chan chunk
	free    chan []byte
	stop    chan struct{}
	done    chan struct{} // closed when the goroutine has ended
	closing sync.Once
	buf     []byte // of the present chunk, with room in front
	lo, hi  int    // its unread part
	err     error
}

// A chunk is a buffer whose bytes from frontRoom to end were read.
type chunk struct {
	buf []byte
	end int
	err error
}

const (
	// aheadChunks are enough for both sides to work all the time; a third brought
	// nothing but half a megabyte more.
	aheadChunks = 2
	// aheadSize is large because each chunk wakes a goroutine, which is dear on a
	// virtual machine: 128 KiB took up to half as much CPU time again on a .zst,
	// and 1 MiB saves nothing more.
	aheadSize = 512 << 10
	// frontRoom is kept free before each chunk for the part of a record that
	// the chunk before ended with.
	frontRoom = 16 << 10
)

var errStopped = errors.New("reading was stopped")

// newReadAhead starts reading what open returns; finish runs when the
// goroutine ends.
func newReadAhead(size int, open func() (io.Reader, error), finish func()) *readAhead {
	a := &readAhead{
		size: size,
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
	n := frontRoom
	defer func() {
		if v := recover(); v != nil {
			a.send(chunk{b, n, fmt.Errorf("decompressor: %v", v)})
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
			b = make([]byte, frontRoom+a.size)
		}
		n = frontRoom
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
		if !a.send(chunk{b, n, err}) || err != nil {
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

// next waits for the next chunk and gives the one before back, after tail, which
// may lie in that, was copied in front of the new bytes. An error leaves both as
// they are: nobody writes into them any more.
func (a *readAhead) next(tail []byte) error {
	if a.err != nil {
		return a.err
	}
	select {
	case c := <-a.full:
		copy(c.buf[frontRoom-len(tail):], tail)
		if a.buf != nil {
			a.free <- a.buf
		}
		a.buf, a.lo, a.hi, a.err = c.buf, frontRoom, c.end, c.err
		return nil
	case <-a.stop:
		return errStopped
	}
}

func (a *readAhead) Read(p []byte) (int, error) {
	for a.lo == a.hi {
		if err := a.next(nil); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.buf[a.lo:a.hi])
	a.lo += n
	return n, nil
}

// exchange returns a buffer in which, from lo to hi, tail is followed by the
// next bytes, if any; err is what ends the stream behind them. It is valid until
// the next call. tail may lie in the buffer before, and must not be longer than
// frontRoom.
func (a *readAhead) exchange(tail []byte) (buf []byte, lo, hi int, err error) {
	if a.lo < a.hi { // Read left a part of a chunk, and tail is elsewhere
		copy(a.buf[a.lo-len(tail):], tail)
	} else if err := a.next(tail); err != nil {
		return nil, 0, 0, err
	}
	lo, hi = a.lo-len(tail), a.hi
	a.lo = a.hi
	return a.buf, lo, hi, a.err
}

// Close stops the goroutine. With wait, it has ended when Close returns:
// without, it may still be inside a Read that blocks.
func (a *readAhead) Close(wait bool) {
	a.closing.Do(func() { close(a.stop) })
	if wait {
		<-a.done
	}
}
