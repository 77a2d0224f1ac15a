package record

import (
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	bufferSize = 256 << 10 // bytes; a flush of it costs what copying costs
	pageSize   = 4096      // the least unit in which Linux ends a write
)

// A blockFile writes whole blocks to a file or a stream. What a writer of
// pcapfile gives to Write is one block.
type blockFile struct {
	f       *os.File
	base    int64      // bytes of whole blocks that are in the file
	buf     []byte     // blocks to be written
	ends    []blockEnd // of each block in buf
	align   bool       // pcapng in a file: no block crosses a page
	regular bool       // can be truncated
	filler  func(n int) []byte
	err     error // why the last flush failed; what it left is in buf
	dead    bool  // err is for good: a reader is gone, or a half block cannot be removed
}

type blockEnd struct {
	at     int
	packet bool
}

// reset makes b write to f, which is new or a stream.
func (b *blockFile) reset(f *os.File, pcapng bool) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	*b = blockFile{f: f, buf: b.buf[:0], ends: b.ends[:0], filler: b.filler}
	if st.Mode().IsRegular() {
		// Standard output may be a file that holds something already.
		at, err := f.Seek(0, io.SeekCurrent)
		if err == nil && at == st.Size() {
			b.base, b.regular, b.align = at, true, pcapng
		}
	}
	return nil
}

// size is the length that the file has when everything is written.
func (b *blockFile) size() int64 { return b.base + int64(len(b.buf)) }

// Write takes a block. It fails only for good.
func (b *blockFile) Write(p []byte) (int, error) {
	if b.dead {
		return 0, b.err
	}
	if len(b.buf)+len(p)+pageSize > bufferSize && len(b.buf) > 0 && b.err == nil {
		b.flush()
	}
	if b.align {
		b.approach(len(p))
	}
	b.append(p)
	if b.align {
		// A later filler needs room for the smallest block.
		if rest := b.rest(); rest < fillerMin {
			b.lengthen(rest)
		}
	}
	return len(p), nil
}

func (b *blockFile) append(p []byte) {
	b.buf = append(b.buf, p...)
	b.ends = append(b.ends, blockEnd{at: len(b.buf)})
}

// markPacket says that the last block holds a packet.
func (b *blockFile) markPacket() {
	if n := len(b.ends); n > 0 {
		b.ends[n-1].packet = true
	}
}

// packets counts the packets that wait.
func (b *blockFile) packets() (n uint64) {
	for _, e := range b.ends {
		if e.packet {
			n++
		}
	}
	return n
}

// rest is how many bytes there are from the end to a page boundary.
func (b *blockFile) rest() int { return int(-b.size() & (pageSize - 1)) }

// approach fills the page when a block of n bytes does not fit into its rest.
func (b *blockFile) approach(n int) {
	rest := b.rest()
	if rest == 0 || n <= rest {
		return
	}
	if len(b.ends) > 0 {
		b.lengthen(rest)
		return
	}
	// The block before is in the file already.
	if p := b.filler(rest); p != nil {
		b.append(p)
	}
}

// lengthen adds n bytes, a multiple of four, to the last block in the buffer.
func (b *blockFile) lengthen(n int) {
	if n == 0 || len(b.ends) == 0 {
		return
	}
	last := len(b.ends) - 1
	start := 0
	if last > 0 {
		start = b.ends[last-1].at
	}
	b.buf = lengthen(b.buf, start, n)
	b.ends[last].at = len(b.buf)
}

// chunk is the number of blocks from k on that go with one write: a page
// boundary inside it is the end of a block too, but a block that crosses one
// goes alone. at is where block k begins in the buffer.
func (b *blockFile) chunk(k, at int) int {
	if !b.regular {
		return len(b.ends) - k
	}
	for i, e := range b.ends[k:] {
		if (b.base+int64(at))/pageSize != (b.base+int64(e.at)-1)/pageSize {
			return max(i, 1)
		}
		at = e.at
	}
	return len(b.ends) - k
}

// flush writes what is in the buffer. After an error the file ends with a
// whole block, and what is not in it stays in the buffer.
func (b *blockFile) flush() error {
	if b.dead {
		return b.err
	}
	b.err = nil
	k, at := 0, 0 // blocks and bytes written
	for k < len(b.ends) && b.err == nil {
		n := 0
		n, b.err = b.f.Write(b.buf[at:b.ends[k+b.chunk(k, at)-1].at])
		half := at + n
		for k < len(b.ends) && b.ends[k].at <= half {
			at = b.ends[k].at
			k++
		}
		switch {
		case b.err != nil && !b.regular:
			b.dead = true // what the reader of the stream got is unknown
		case half != at:
			b.dropHalf(b.base + int64(at))
		}
	}
	b.base += int64(at)
	b.buf = b.buf[:copy(b.buf, b.buf[at:])]
	b.ends = b.ends[:copy(b.ends, b.ends[k:])]
	for i := range b.ends {
		b.ends[i].at -= at
	}
	return b.err
}

// dropHalf cuts the file to size, which is the end of a block.
func (b *blockFile) dropHalf(size int64) {
	err := b.f.Truncate(size)
	if err == nil {
		_, err = b.f.Seek(size, io.SeekStart)
	}
	if err != nil {
		b.err, b.dead = errors.Join(b.err, fmt.Errorf("remove the half block: %w", err)), true
	}
}
