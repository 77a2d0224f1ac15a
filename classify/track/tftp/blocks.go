package tftp

import "github.com/pxescope/pxescope/capture"

// defaultBlockSize holds without the blksize option (RFC 1350 section 2).
const defaultBlockSize = 512

// blocks follows the numbering of one transfer: DATA in one direction, ACKs in
// the other. Numbers are unwrapped to indexes that start at 1 and go on.
type blocks struct {
	high    int64 // index of the highest DATA, 0: none yet
	acked   int64 // index of the highest ACK, -1: none yet
	final   int64 // index of the last block, 0: not seen
	tsize   int64 // size of the file, 0: unknown or not to be compared
	size    int32 // block size in force
	highLen int32 // data bytes in the highest DATA
	highRaw uint16
	window  uint16 // blocks per ACK (RFC 7440)
	roll    roll

	dataSends  uint16 // how often the highest DATA was sent
	sends      uint16 // of these, since the last ACK that was progress, and one
	ackSends   uint16 // how often the highest ACK was sent
	idleACKs   uint16 // of these, since the last DATA
	behind     uint16 // repeated ACKs below the highest DATA, since it was first sent
	pairs      uint16 // blocks in a row that were sent twice or more
	ackPairs   uint16
	repeated   uint32 // DATA that were no progress, over the whole transfer
	sendSince  capture.Time
	idleSince  capture.Time
	shortFinal bool // final is a short block, not the size reached
}

// roll is what follows block 65535.
type roll uint8

const (
	rollUnknown roll = iota
	rollToZero
	rollToOne
)

func newBlocks() blocks { return blocks{acked: -1, size: defaultBlockSize, window: 1} }

// index unwraps a block number near the highest DATA. After 65535 most senders
// go to 0, some to 1: DATA decides which (learn).
func (b *blocks) index(raw uint16, learn bool) int64 {
	if b.high == 0 {
		return int64(raw)
	}
	if ahead := raw - b.highRaw; ahead < 1<<15 {
		i := b.high + int64(ahead)
		if raw >= b.highRaw {
			return i
		}
		to := b.roll
		if to == rollUnknown {
			to = rollToZero
			if raw == 1 && b.highRaw == 65535 {
				to = rollToOne
			}
			if learn {
				b.roll = to
			}
		}
		if to == rollToOne {
			i--
		}
		return i
	}
	i := b.high - int64(b.highRaw-raw)
	if raw > b.highRaw && b.roll == rollToOne {
		i++
	}
	return i
}

// data takes a DATA of n bytes and reports whether it is a new highest one.
func (b *blocks) data(raw uint16, n int, now capture.Time) (progress bool) {
	i := b.index(raw, true)
	b.idleACKs = 0
	if i <= b.high {
		if i == b.high {
			b.dataSends, b.sends = inc(b.dataSends), inc(b.sends)
		}
		b.repeated++
		return false
	}
	if b.dataSends >= 2 {
		b.pairs = inc(b.pairs)
	} else {
		b.pairs = 0
	}
	b.high, b.highRaw, b.highLen = i, raw, int32(n)
	b.dataSends, b.sends, b.behind, b.sendSince = 1, 1, 0, now
	if b.highLen > b.size { // the OACK that said so is not in the capture
		b.size = b.highLen
	}
	switch {
	case b.highLen < b.size:
		b.final, b.shortFinal = i, true
	case b.tsize > 0 && i*int64(b.size) >= b.tsize:
		b.final = i
	default:
		b.final, b.shortFinal = 0, false
	}
	return true
}

// next is data for the block after the highest one, when that was sent once, both
// are full, and it is not the last. For others it does nothing and is false.
func (b *blocks) next(raw uint16, n int, now capture.Time) bool {
	if b.high == 0 || raw == 0 || raw != b.highRaw+1 || n != int(b.size) || b.dataSends != 1 ||
		b.tsize > 0 && (b.high+1)*int64(b.size) >= b.tsize {
		return false
	}
	b.high++
	b.highRaw, b.highLen = raw, b.size
	b.pairs, b.idleACKs, b.behind, b.sends, b.sendSince = 0, 0, 0, 1, now
	b.final, b.shortFinal = 0, false
	return true
}

// nextACK is ack for the first ACK of the highest DATA, when that was sent once
// and is not the last, and so was the ACK before. For others it does nothing and
// is false.
func (b *blocks) nextACK(raw uint16, now capture.Time) bool {
	if b.high <= b.acked || raw != b.highRaw || b.high == 0 || b.final > 0 || b.ackSends > 1 || b.sends > 1 {
		return false
	}
	b.acked = b.high
	b.ackPairs, b.ackSends, b.idleACKs, b.idleSince = 0, 1, 1, now
	return true
}

// ack takes an ACK and reports whether it is a new highest one.
func (b *blocks) ack(raw uint16, now capture.Time) (progress bool) {
	i := b.index(raw, false)
	if i > b.acked {
		if b.ackSends >= 2 {
			b.ackPairs = inc(b.ackPairs)
		} else {
			b.ackPairs = 0
		}
		b.acked, b.ackSends = i, 1
		if b.sends > 1 {
			b.sends, b.sendSince = 1, now
		}
		b.idleACKs, b.idleSince = 1, now
		return true
	}
	if i == b.acked {
		b.ackSends = inc(b.ackSends)
		if b.idleACKs == 0 {
			b.idleSince = now
		}
		b.idleACKs = inc(b.idleACKs)
	}
	if i < b.high {
		b.behind = inc(b.behind)
	}
	return false
}

// oack takes the options that the server accepted.
func (b *blocks) oack(o Options, octet bool) {
	if o.BlockSize > 0 {
		b.size = int32(o.BlockSize)
	}
	if o.WindowSize > 0 {
		b.window = uint16(o.WindowSize)
	}
	if o.Size > 0 && octet { // netascii changes the length on the way (RFC 2349)
		b.tsize = o.Size
	}
}

// bytes is how much of the file was sent: all blocks but the highest are full.
func (b *blocks) bytes() int64 {
	if b.high == 0 {
		return 0
	}
	return (b.high-1)*int64(b.size) + int64(b.highLen)
}

// complete reports whether the last block was acknowledged.
func (b *blocks) complete() bool { return b.final > 0 && b.acked >= b.final }

// atLimit reports whether the transfer stands where 16 bits end.
func (b *blocks) atLimit() bool { return b.high >= 65530 && b.high <= 65537 }

func inc(n uint16) uint16 {
	if n < 1<<16-1 {
		n++
	}
	return n
}
