package traffic

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// digest is what a source plays, and how much of it.
func digest(t *testing.T, s *Source) (sum string, packets int, bytes int) {
	t.Helper()
	defer s.Close()
	h := sha256.New()
	var p capture.Packet
	last := capture.Time(0)
	for {
		err := s.Next(&p)
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)[:8]), packets, bytes
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Time < last {
			t.Fatalf("packet %d is at %v, before the one before it", packets+1, p.Time)
		}
		last = p.Time
		packets++
		bytes += len(p.Data)
		h.Write(p.Data)
	}
}

// The same seed plays the same packets, another seed others; the sizes are as
// documented.
func TestTraffic(t *testing.T) {
	for name, x := range map[string]struct {
		open     func(uint64) *Source
		low, top int // bytes a packet
	}{"mix": {Mix, 480, 600}, "small": {Small, 60, 108}} {
		t.Run(name, func(t *testing.T) {
			a, packets, bytes := digest(t, x.open(1).Packets(60_000))
			b, _, _ := digest(t, x.open(1).Packets(60_000))
			c, _, _ := digest(t, x.open(2).Packets(60_000))
			if a != b || a == c {
				t.Errorf("got %s and %s for one seed, %s for another", a, b, c)
			}
			if packets != 60_000 {
				t.Errorf("got %d packets, want 60000", packets)
			}
			if mean := bytes / packets; mean < x.low || mean > x.top {
				t.Errorf("got %d bytes a packet, want %d to %d", mean, x.low, x.top)
			}
		})
	}
}

// A limit of bytes is that of the pcap file.
func TestBytes(t *testing.T) {
	_, packets, bytes := digest(t, Small(1).Bytes(1<<20))
	if n := bytes + packets*record; n < 1<<20 || n > 1<<20+200 {
		t.Errorf("got %d bytes, want about %d", n, 1<<20)
	}
}
