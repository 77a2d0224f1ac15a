package record

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// Of pcapng (draft-ietf-opsawg-pcapng): block types and where their options
// begin, and an option code for local use, which has the highest bit set.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockStatistics = 5
	blockEnhanced   = 6

	optFill   = 0x8fff
	fillerMin = 24 // bytes of a statistics block without options
)

// optionsAt is where the options of a block begin.
func optionsAt(block []byte) int {
	switch binary.LittleEndian.Uint32(block) {
	case blockSection:
		return 24
	case blockInterface:
		return 16
	case blockStatistics:
		return 20
	case blockEnhanced:
		return 28 + int(binary.LittleEndian.Uint32(block[20:])+3)&^3
	}
	return len(block) // a block that NgWriter does not write
}

// lengthen adds n bytes, a multiple of four, to the block that is buf[start:],
// by an option that means nothing.
func lengthen(buf []byte, start, n int) []byte {
	block := buf[start:]
	total := uint32(len(block) + n)
	hasOptions := optionsAt(block) < len(block)-4
	binary.LittleEndian.PutUint32(block[4:], total)
	// Off with the length at the end, and the end of options before it.
	buf = buf[:len(buf)-4]
	if hasOptions {
		buf = buf[:len(buf)-4]
	} else {
		n -= 4 // there was no end of options
	}
	if n > 0 {
		buf = binary.LittleEndian.AppendUint16(buf, optFill)
		buf = binary.LittleEndian.AppendUint16(buf, uint16(n-4))
		buf = append(buf, zeros[:n-4]...)
	}
	buf = append(buf, 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(buf, total)
}

var zeros [pageSize]byte

// statisticsFiller is a statistics block of n bytes for the first interface
// that says no more than the time.
func statisticsFiller(scratch []byte, now capture.Time, n int) []byte {
	b := binary.LittleEndian.AppendUint32(scratch[:0], blockStatistics)
	b = binary.LittleEndian.AppendUint32(b, fillerMin)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(now)>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(now))
	b = binary.LittleEndian.AppendUint32(b, fillerMin)
	if n > fillerMin {
		b = lengthen(b, 0, n-fillerMin)
	}
	return b
}
