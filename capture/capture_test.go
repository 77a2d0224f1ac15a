package capture

import (
	"io"
	"testing"
	"time"
)

func TestFrameID(t *testing.T) {
	for _, c := range []struct {
		file   int
		number uint64
	}{{0, 1}, {0, 0}, {3, 4711}, {1<<20 - 1, 1<<44 - 1}} {
		id := NewFrameID(c.file, c.number)
		if id.File() != c.file || id.Number() != c.number {
			t.Errorf("got file %d frame %d, want %d and %d", id.File(), id.Number(), c.file, c.number)
		}
		p := Packet{ID: id}
		if got := p.Tick(); got != (c.number == 0) {
			t.Errorf("frame %d: got tick %v", c.number, got)
		}
	}
}

func TestTime(t *testing.T) {
	at := Time(1767323045123456789)
	if got, want := at.Std().Format(time.RFC3339Nano), "2026-01-02T03:04:05.123456789Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := at.Add(time.Second).Sub(at); got != time.Second {
		t.Errorf("got %v, want 1s", got)
	}
	if got := Time(-1).Std().Year(); got != 1969 {
		t.Errorf("before the epoch: got year %d, want 1969", got)
	}
}

func TestLinkType(t *testing.T) {
	for l, want := range map[LinkType]string{LinkEthernet: "EN10MB", LinkSLL2: "LINUX_SLL2", LinkNull: "NULL", 147: "LINKTYPE_147"} {
		if got := l.String(); got != want {
			t.Errorf("%d: got %s, want %s", l, got, want)
		}
	}
}

// A counter is a Source of n packets, which has no batches.
type counter struct {
	Source
	n uint64
}

func (c *counter) Next(p *Packet) error {
	if p.ID.Number() == c.n {
		return io.EOF
	}
	p.ID++
	return nil
}

func TestBatches(t *testing.T) {
	b := Batches(&counter{n: 3})
	if Batches(b) != b {
		t.Error("got batches of batches")
	}
	for want := FrameID(1); want <= 3; want++ {
		if p, err := b.NextBatch(9); err != nil || len(p) != 1 || p[0].ID != want {
			t.Fatalf("got %v, %v, want frame %d", p, err, want)
		}
	}
	if p, err := b.NextBatch(9); err != io.EOF || len(p) != 0 {
		t.Errorf("got %v, %v, want EOF", p, err)
	}
}
