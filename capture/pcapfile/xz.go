package pcapfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// An xzReader reads the xz container (https://tukaani.org/xz/xz-file-format.txt)
// around the LZMA2 decoder of ulikunitz/xz. That package's own container
// reader allocates whatever dictionary a block asks for, up to 4 GiB, again
// for each block; this one bounds the size and has each paid for.
type xzReader struct {
	src   *countedReader
	pay   func(int) error // for the memory of a block
	check byte            // kind of integrity check of the stream
	open  bool            // inside a stream
	begun bool            // there was a stream
	block *lzma.Reader2
	start int64 // src.n at the start of the block's data
	sum   hash.Hash
	err   error
}

const (
	xzHeaderMagic = "\xfd7zXZ\x00"
	xzFooterMagic = "YZ"
	xzFilterLZMA2 = 0x21
)

// xzCheckSize is the size of each kind of integrity check, section 2.1.1.2.
var xzCheckSize = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// newXzReader reads all streams of src; pay is asked before memory is used.
func newXzReader(src *bufio.Reader, pay func(int) error) *xzReader {
	return &xzReader{src: &countedReader{r: src}, pay: pay}
}

func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, err := x.block.Read(p)
		if x.sum != nil {
			x.sum.Write(p[:n])
		}
		if err == io.EOF {
			err = x.endBlock()
		}
		x.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

// next goes to the next block, of this stream or the next one.
func (x *xzReader) next() error {
	if !x.open {
		return x.streamHeader()
	}
	size, err := x.src.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	if size == 0 {
		x.open = false
		return x.indexAndFooter()
	}
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if err := x.full(h[1:]); err != nil {
		return err
	}
	return x.startBlock(h)
}

// streamHeader reads a stream header, after any padding.
func (x *xzReader) streamHeader() error {
	var h [12]byte
	for {
		if _, err := x.src.r.Peek(1); err == io.EOF && x.begun {
			return io.EOF
		}
		if err := x.full(h[:4]); err != nil {
			return err
		}
		if !x.begun || [4]byte(h[:4]) != [4]byte{} {
			break
		}
	}
	if err := x.full(h[4:]); err != nil {
		return err
	}
	if string(h[:6]) != xzHeaderMagic || h[6] != 0 || h[7] > 15 {
		return errors.New("xz: bad stream header")
	}
	if crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errors.New("xz: checksum error in stream header")
	}
	x.check, x.open, x.begun = h[7], true, true
	return nil
}

// startBlock reads block header h, section 3.1.
func (x *xzReader) startBlock(h []byte) error {
	body, crc := h[:len(h)-4], binary.LittleEndian.Uint32(h[len(h)-4:])
	if crc32.ChecksumIEEE(body) != crc {
		return errors.New("xz: checksum error in block header")
	}
	flags, b := body[1], bytes.NewReader(body[2:])
	if flags&0x3c != 0 {
		return errors.New("xz: reserved block flags are set")
	}
	size := uint64(maxWindow) // of the data, when the header tells it
	for _, bit := range []byte{0x40, 0x80} {
		if flags&bit == 0 {
			continue
		}
		v, err := binary.ReadUvarint(b)
		if err != nil {
			return errors.New("xz: bad block header")
		}
		if bit == 0x80 {
			size = v
		}
	}
	id, err1 := binary.ReadUvarint(b)
	propLen, err2 := binary.ReadUvarint(b)
	prop, err3 := b.ReadByte()
	if err1 != nil || err2 != nil || err3 != nil {
		return errors.New("xz: bad block header")
	}
	if flags&3 != 0 || id != xzFilterLZMA2 || propLen != 1 {
		return errors.New("xz: filters other than LZMA2 are not supported: unpack the file with xz")
	}
	dict, err := lzma.DecodeDictCap(prop)
	if err != nil {
		return fmt.Errorf("xz: bad block header: %w", err)
	}
	if dict > maxWindow {
		return fmt.Errorf("xz: dictionary of %d bytes exceeds the limit of %d", dict, maxWindow)
	}
	dict = max(lzma.MinDictCap, min(dict, int64(min(size, maxWindow))))
	if err := x.pay(int(dict)); err != nil {
		return err
	}
	x.start = x.src.n
	if x.block, err = (lzma.Reader2Config{DictCap: int(dict)}).NewReader2(x.src); err != nil {
		return fmt.Errorf("xz: %w", err)
	}
	switch x.check {
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		x.sum = sha256.New()
	default:
		x.sum = nil
	}
	return nil
}

// endBlock reads the padding and the integrity check.
func (x *xzReader) endBlock() error {
	x.block = nil
	var b [64]byte
	if err := x.full(b[:-(x.src.n-x.start)&3]); err != nil {
		return err
	}
	want := b[:xzCheckSize[x.check]]
	if err := x.full(want); err != nil {
		return err
	}
	if x.sum == nil {
		return nil
	}
	got := x.sum.Sum(nil)
	if x.check != 10 { // sums of CRCs are stored little-endian
		for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
			got[i], got[j] = got[j], got[i]
		}
	}
	if !bytes.Equal(got, want) {
		return errors.New("xz: checksum error in the data")
	}
	return nil
}

// indexAndFooter passes over the index, section 4, and reads the footer.
func (x *xzReader) indexAndFooter() error {
	start := x.src.n - 1
	records, err := binary.ReadUvarint(x.src)
	for ; err == nil && records > 0; records-- {
		for range 2 {
			if _, err = binary.ReadUvarint(x.src); err != nil {
				break
			}
		}
	}
	if err != nil {
		return noEOF(err)
	}
	var b [12]byte
	if err := x.full(b[:-(x.src.n-start)&3]); err != nil {
		return err
	}
	if err := x.full(b[:4]); err != nil { // its checksum guards nothing of ours
		return err
	}
	if err := x.full(b[:]); err != nil {
		return err
	}
	if string(b[10:]) != xzFooterMagic || crc32.ChecksumIEEE(b[4:10]) != binary.LittleEndian.Uint32(b[:]) {
		return errors.New("xz: bad stream footer")
	}
	return nil
}

// full fills b; the end of the input is not allowed here.
func (x *xzReader) full(b []byte) error {
	_, err := io.ReadFull(x.src, b)
	return noEOF(err)
}

// A countedReader counts what is read of r.
type countedReader struct {
	r *bufio.Reader
	n int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countedReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
