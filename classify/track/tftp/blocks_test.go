package tftp

import (
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// feed sends blocks 1 to n of size bytes, each acknowledged, rolling over as
// told, and a last one of last bytes.
func feed(b *blocks, n, size, last int, roll uint16) {
	raw := uint16(0)
	for i := 1; i <= n; i++ {
		if raw == 65535 {
			raw = roll
		} else {
			raw++
		}
		if i == n {
			size = last
		}
		at := capture.Time(i) * capture.Time(time.Millisecond)
		b.data(raw, size, at)
		b.ack(raw, at)
	}
}

func TestBlocksRollOver(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		to   uint16
	}{
		{"none", 65535, 0}, {"to 0", 65537, 0}, {"to 1", 65537, 1}, {"to 0 three times", 3*65536 + 5, 0}, {"to 1 three times", 3*65536 + 5, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlocks()
			feed(&b, c.n, 512, 100, c.to)
			if b.high != int64(c.n) || b.acked != int64(c.n) {
				t.Errorf("got block %d, ACK %d, want %d", b.high, b.acked, c.n)
			}
			if want := int64(c.n-1)*512 + 100; b.bytes() != want {
				t.Errorf("bytes: got %d, want %d", b.bytes(), want)
			}
			if !b.complete() || b.repeated != 0 {
				t.Errorf("got complete %v, %d retransmissions, want a complete transfer without any", b.complete(), b.repeated)
			}
			if got := b.index(b.highRaw-1, false); c.n > 3*65536 && got != b.high-1 {
				t.Errorf("block before the highest: got %d, want %d", got, b.high-1)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	const ms = capture.Time(time.Millisecond)
	for _, c := range []struct {
		name string
		play func(b *blocks)
		want func(b *blocks) bool
	}{
		{"short block not acknowledged", func(b *blocks) { b.data(1, 10, 0) }, func(b *blocks) bool { return b.final == 1 && !b.complete() }},
		{"size reached without a short block", func(b *blocks) {
			b.tsize = 1024
			feed(b, 2, 512, 512, 0)
		}, func(b *blocks) bool { return b.complete() && !b.shortFinal }},
		{"empty last block after the size", func(b *blocks) {
			b.tsize = 1024
			feed(b, 3, 512, 0, 0)
		}, func(b *blocks) bool { return b.complete() && b.shortFinal && b.bytes() == 1024 }},
		{"block size told by an OACK that is not in the capture", func(b *blocks) { feed(b, 3, 1468, 7, 0) }, func(b *blocks) bool { return b.complete() && b.bytes() == 2*1468+7 }},
		{"smaller block size without its OACK is not the end", func(b *blocks) {
			b.data(1, 128, 0)
			b.data(2, 128, ms)
		}, func(b *blocks) bool { return b.high == 2 && b.final == 2 }},
		{"window with a gap goes back", func(b *blocks) {
			b.window = 4
			for _, n := range []uint16{1, 2, 3, 4} {
				b.data(n, 512, 0)
			}
			b.ack(2, ms)
			for _, n := range []uint16{3, 4, 5, 6} {
				b.data(n, 512, 2*ms)
			}
			b.ack(6, 3*ms)
		}, func(b *blocks) bool { return b.high == 6 && b.acked == 6 && b.repeated == 2 && b.bytes() == 6*512 }},
		{"ACK n-1 repeated", func(b *blocks) {
			b.data(1, 512, 0)
			b.ack(1, 0)
			b.data(2, 512, ms)
			b.ack(1, 2*ms)
		}, func(b *blocks) bool { return b.behind == 1 && b.idleACKs == 1 && b.ackSends == 2 }},
		{"begins in the middle", func(b *blocks) { b.data(40000, 512, 0); b.data(40001, 512, 0) }, func(b *blocks) bool { return b.high == 40001 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlocks()
			c.play(&b)
			if !c.want(&b) {
				t.Errorf("got %+v", b)
			}
		})
	}
}
