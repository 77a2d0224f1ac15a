package pcapfile

import (
	"bufio"
	"compress/bzip2"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxWindow is the largest dictionary that a compressed stream may ask for,
// in bytes: what zstd --long and xz -9 write, with room.
const maxWindow = 128 << 20

// decompress decodes r, which is compressed as kind says. Concatenated
// streams of one kind count as one.
func decompress(k kind, r *bufio.Reader, a *allowance) (io.Reader, func(), error) {
	nothing := func() {}
	switch k {
	case kindGzip:
		z, err := gzip.NewReader(r)
		return z, nothing, noEOF(err)
	case kindZstd:
		// One goroutine is ours already.
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nothing, err
		}
		return z, z.Close, nil
	case kindXz:
		return newXzReader(r, a.spend), nothing, nil
	case kindLz4:
		return &lz4Frames{src: r, z: lz4.NewReader(r)}, nothing, nil
	case kindBzip2:
		return bzip2.NewReader(r), nothing, nil
	}
	return nil, nothing, fmt.Errorf("no decompressor for %v", k)
}

// lz4Frames reads one lz4 frame after the other.
type lz4Frames struct {
	src *bufio.Reader
	z   *lz4.Reader
}

func (f *lz4Frames) Read(p []byte) (int, error) {
	for {
		n, err := f.z.Read(p)
		if err != io.EOF || n > 0 {
			return n, err
		}
		if _, err := f.src.Peek(1); err != nil {
			return 0, err
		}
		f.z.Reset(f.src)
	}
}

// An allowance bounds what decompression of one input yields.
type allowance struct {
	limits Limits
	in     func() int64 // bytes read from the input so far, or its size
	out    atomic.Int64 // bytes that decompression made of them, at any depth
}

// spend accounts for n bytes of output.
func (a *allowance) spend(n int) error {
	out := a.out.Add(int64(n))
	if out <= a.limits.Expanded {
		return nil
	}
	if in := a.in(); out/a.limits.Ratio > in {
		return limitError(fmt.Sprintf("%d compressed bytes expand to more than %d: over %d times, the limit", in, out-int64(n), a.limits.Ratio))
	}
	return nil
}
