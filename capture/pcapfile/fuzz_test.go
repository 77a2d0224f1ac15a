package pcapfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// FuzzReader reads any bytes as one stream and as whatever Open finds in
// them, one by one and in batches. None may crash, deliver more than limits allow,
// or lose count.
func FuzzReader(f *testing.F) {
	for _, g := range append(pcapGoldens(), ngGoldens()...) {
		f.Add(g.b)
	}
	whole := pcapAt(f, "p", 1, 2, 3)
	for _, k := range compressions {
		f.Add(compress(f, k, whole))
		f.Add(compress(f, k, tarOf(f, file{"a", whole}, file{"b.gz", compress(f, "gzip", whole)})))
	}
	f.Add(tarOf(f, file{"a", whole}, file{"t", []byte("text")}))
	f.Add(zipOf(f, zip.Deflate, file{"a", whole}, file{"t", []byte("text")}))
	f.Add(zipOf(f, zip.Store, file{"a", whole}, file{"t.tar", tarOf(f, file{"b", whole})}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := NewReader(bytes.NewReader(b)); err == nil {
			n, err := exhaust(t, r)
			if i := r.Info(); i.Packets != n || (err == io.EOF) != (i.Damage == "") || i.Truncated && i.Damage == "" || i.First > i.Last {
				t.Errorf("%d packets, %v, but %+v", n, err, i)
			}
		} else if !errors.Is(err, ErrUnreadable) || r != nil {
			t.Errorf("%v is not ErrUnreadable", err)
		}

		limits := Limits{Record: 1 << 16, Memory: 1 << 20, Expanded: 1 << 22, Ratio: 4, Files: 100}
		stepBytes(t, b, limits, rand.New(rand.NewPCG(uint64(len(b)), 1)))
		tl, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(b), Limits: limits})
		if err != nil {
			var o *OpenError
			if !errors.As(err, &o) || len(o.Inputs) == 0 || !errors.Is(err, ErrUnreadable) {
				t.Errorf("%v tells no input", err)
			}
			return
		}
		defer tl.Close()
		n, err := exhaust(t, tl)
		if err != io.EOF {
			t.Errorf("got %v from Next, want only EOF", err)
		}
		for _, i := range tl.Files() {
			n -= i.Packets
		}
		if n != 0 {
			t.Errorf("packets and files differ by %d: %+v", int64(n), tl.Files())
		}
	})
}

// exhaust reads all packets and checks each; err ended them.
func exhaust(t *testing.T, r interface {
	nexter
	Interfaces() []capture.Interface
}) (n uint64, err error) {
	var p capture.Packet
	last := map[int]uint64{}
	for {
		if err := r.Next(&p); err != nil {
			return n, err
		}
		n++
		if no := p.ID.Number(); no <= last[p.ID.File()] {
			t.Fatalf("frame %d of file %d after %d", no, p.ID.File(), last[p.ID.File()])
		}
		last[p.ID.File()] = p.ID.Number()
		if len(p.Data) > MaxRecord || p.WireLen < 0 || p.Time < 0 || p.Time > maxTime {
			t.Fatalf("packet %d: %d bytes of %d at %d", n, len(p.Data), p.WireLen, p.Time)
		}
		if n < 100 {
			if i := r.Interfaces()[p.Iface]; i.Link != p.Link || i.File != p.ID.File() {
				t.Fatalf("packet of %v in file %d on interface %+v", p.Link, p.ID.File(), i)
			}
		}
	}
}
