package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
)

// inStep reads the same inputs in batches, of up to limit() packets, and one by
// one. Packets and errors must be equal, and after each batch what is said of
// files and interfaces. It returns the number of packets and of batches.
func inStep(t *testing.T, batched, single *Timeline, limit func() int) (packets, batches int) {
	t.Helper()
	var want capture.Packet
	for {
		most := limit()
		got, err := batched.NextBatch(most)
		if err != nil {
			if len(got) != 0 {
				t.Errorf("got %d packets with the error %v", len(got), err)
			}
			if e := single.Next(&want); !errors.Is(err, e) {
				t.Errorf("after %d packets: got %v, want %v", packets, err, e)
			}
			checkSaid(t, packets, batched, single)
			return packets, batches
		}
		batches++
		if len(got) == 0 || len(got) > most {
			t.Fatalf("got a batch of %d packets, want 1 to %d", len(got), most)
		}
		for i := range got {
			packets++
			if err := single.Next(&want); err != nil {
				t.Fatalf("packet %d: got one, want %v", packets, err)
			}
			if p := &got[i]; !bytes.Equal(p.Data, want.Data) || cap(p.Data) != cap(want.Data) || p.ID != want.ID || p.Time != want.Time ||
				p.Link != want.Link || p.Iface != want.Iface || p.VLAN != want.VLAN || p.WireLen != want.WireLen {
				t.Fatalf("packet %d: got %+v, want %+v", packets, p, want)
			}
		}
		if batches < 1000 || batches%100 == 0 {
			checkSaid(t, packets, batched, single)
		}
	}
}

// checkSaid compares what two timelines say of their inputs after n packets.
func checkSaid(t *testing.T, n int, batched, single *Timeline) {
	t.Helper()
	if got, want := batched.Files(), single.Files(); !reflect.DeepEqual(got, want) {
		t.Fatalf("after %d packets: files: want -, got +\n%s", n, cmp.Diff(want, got))
	}
	if got, want := batched.Interfaces(), single.Interfaces(); !reflect.DeepEqual(got, want) {
		t.Fatalf("after %d packets: interfaces: want -, got +\n%s", n, cmp.Diff(want, got))
	}
}

// sizes are random limits of batches, many of them larger than any batch.
func sizes(rnd *rand.Rand) func() int {
	return func() int {
		if rnd.IntN(4) == 0 {
			return math.MaxInt
		}
		return 1 + rnd.IntN(2*batchSize)
	}
}

// stepBytes reads b, as a whole and in pieces, in step; it may be no capture.
func stepBytes(t *testing.T, b []byte, l Limits, rnd *rand.Rand) {
	t.Helper()
	for _, pieces := range []bool{false, true} {
		open := func() *Timeline {
			var in io.Reader = bytes.NewReader(b)
			if pieces {
				in = &choppy{in, rand.New(rand.NewPCG(uint64(len(b)), 3))}
			}
			tl, err := Open([]string{"-"}, Options{Stdin: in, Limits: l})
			if err != nil {
				return nil
			}
			return tl
		}
		batched, single := open(), open()
		if batched == nil {
			return
		}
		inStep(t, batched, single, sizes(rnd))
		batched.Close()
		single.Close()
	}
}

// A choppy reader yields what a pipe may: pieces that end anywhere.
type choppy struct {
	r   io.Reader
	rnd *rand.Rand
}

func (c *choppy) Read(p []byte) (int, error) {
	return c.r.Read(p[:min(len(p), 1+c.rnd.IntN(3000))])
}

func TestBatchesOfGoldens(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, g := range append(pcapGoldens(), ngGoldens()...) {
		t.Run(g.name, func(t *testing.T) {
			for cut := range g.b {
				stepBytes(t, g.b[:len(g.b)-cut], Limits{}, rnd)
			}
			if header := pcapFileHeader; g.b[0]&0xf != 0xa { // no pcapng: its records again and again
				if g.b[0] == snoopMagic[0] {
					header = snoopFileHeader
				}
				stepBytes(t, append(bytes.Clone(g.b), bytes.Repeat(g.b[header:], 3)...), Limits{}, rnd)
			}
		})
	}
}

// One damaged byte, anywhere.
func TestBatchesOfDamage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 6))
	pcap, ng := newRaw(false).pcapHeader(magicMicro, 2, 4, 0, 1), newRaw(false).section(nil).iface(1, 0, nil)
	for i := range uint32(12) {
		pcap.u32(t0+i, 0, i, i).text("0123456789ab"[:i])
		ng.epb(0, t0*1e6+uint64(i), "0123456789ab"[:i], nil)
	}
	for _, b := range [][]byte{pcap.b, ng.b} {
		for i := range b {
			for _, with := range []byte{1, 2, 4, 8, 0xff} {
				bad := bytes.Clone(b)
				bad[i] ^= with
				stepBytes(t, bad, Limits{}, rnd)
			}
		}
	}
}

// Batches and single packets agree on records of all kinds: cut and damaged
// anywhere, with any of their bits turned, and with a limit in their midst.
func TestBatchesAtRandom(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		b := varied(rnd, seed%2 == 1)
		switch seed % 5 {
		case 1:
			b = b[:28+rnd.IntN(len(b)-28)]
		case 2:
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		case 3:
			at := rnd.IntN(len(b))
			copy(b[at:], make([]byte, 100))
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			stepBytes(t, b, Limits{Record: 300 + rnd.IntN(1500)}, rnd)
			stepBytes(t, b, Limits{}, rnd)
		})
	}
}

// varied is a file of one interface with what may stand among usual packets.
func varied(rnd *rand.Rand, ng bool) []byte {
	f := newRaw(rnd.IntN(8) == 0)
	now := uint64(t0 * 1e6)
	if rnd.IntN(8) == 0 {
		now = 0
	}
	data := strings.Repeat("0123456789abcdef", 100)
	if ng {
		f.section(nil).iface(1, 0, func(b *raw) {
			if rnd.IntN(4) == 0 {
				b.option(ifTSResol, 0x80|20)
			}
		})
	} else {
		f.pcapHeader([]uint32{magicMicro, magicMicro, magicNano, magicModified}[rnd.IntN(4)], 2, 4-uint16(rnd.IntN(8)/6), 0, 1)
	}
	odd := 2 + rnd.IntN(100)
	for range 2000 {
		now += uint64(rnd.IntN(1000))
		if rnd.IntN(20) == 0 {
			now -= uint64(min(now, 700))
		}
		size := rnd.IntN(60)
		if rnd.IntN(10) == 0 {
			size = rnd.IntN(1500)
		}
		strange := rnd.IntN(odd) == 0
		if !ng {
			wire := uint32(size)
			if strange {
				wire = rnd.Uint32()
			}
			f.u32(uint32(now/1e6), uint32(now%1e6), uint32(size), wire)
			if f.b[0] == 0x34 || f.b[3] == 0x34 {
				f.u64(0)
			}
			f.text(data[:size])
			continue
		}
		var opts func(b *raw)
		if strange {
			switch rnd.IntN(8) {
			case 0:
				opts = func(b *raw) { b.option(epbDropCount, new64(b, 3)...) }
			case 1:
				f.block(blockSimple, func(b *raw) { b.u32(uint32(size)).text(data[:size]) })
			case 2:
				f.block(blockCustom, func(b *raw) { b.u32(32473).text("mine") })
			case 3:
				f.block(blockStatistics, func(b *raw) { b.u32(0, 0, 0).option(isbIfDrop, new64(b, now)...) })
			case 4:
				now += 1 << 55
			case 5:
				f.section(nil)
				if rnd.IntN(2) == 0 {
					f.iface(101, 0, nil)
				}
			case 6:
				f.iface(1, 0, nil)
			case 7:
				f.epb(1, now, data[:size], nil)
			}
		}
		f.epb(0, now, data[:size], opts)
	}
	return f.b
}

// Batches end where another input is earlier.
func TestBatchesOfSeveralInputs(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		files := map[string][]byte{}
		var paths []string
		for i := range 2 + rnd.IntN(4) {
			name := string(rune('a' + i))
			var secs []int
			now := rnd.IntN(200)
			for range rnd.IntN(500) {
				now += rnd.IntN(3) * rnd.IntN(1+int(seed))
				if rnd.IntN(50) == 0 {
					now -= rnd.IntN(20)
				}
				secs = append(secs, now)
			}
			files[name] = pcapAt(t, name, secs...)
			if i == 1 {
				files[name] = compress(t, "gzip", files[name])
			}
			paths = append(paths, name)
		}
		var ng []string
		for i := range rnd.IntN(300) {
			ng = append(ng, fmt.Sprintf("%d@%d", rnd.IntN(3), int(at(i))/1e6+rnd.IntN(2000)))
		}
		files["ng"] = ngOf(t, 3, ng...)
		paths = append(paths, "ng")
		files["one.ng"] = newRaw(false).section(nil).iface(1, 0, nil).b
		for range rnd.IntN(300) {
			at := uint64(at(rnd.IntN(200)) / 1000)
			files["one.ng"] = append(files["one.ng"], newRaw(false).epb(0, at, "0.ng", nil).b...)
		}
		paths = append(paths, "one.ng")
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			tree(t, files)
			inStep(t, open(t, Options{}, paths...), open(t, Options{}, paths...), sizes(rnd))
		})
	}
}

// The captures of the project, and the corpus where it is.
func TestBatchesOfCaptures(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 4))
	files := 0
	for _, dir := range []string{"../../testdata/pcap", corpus} {
		err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if testing.Short() && files > 100 {
				return filepath.SkipAll
			}
			batched, err := Open([]string{p}, Options{})
			if err != nil {
				return nil
			}
			defer batched.Close()
			files++
			t.Run(d.Name(), func(t *testing.T) { inStep(t, batched, open(t, Options{}, p), sizes(rnd)) })
			if b, err := os.ReadFile(p); err == nil && len(b) < 1<<20 {
				t.Run(d.Name()+" cut", func(t *testing.T) { stepBytes(t, b[:rnd.IntN(len(b)+1)], Limits{}, rnd) })
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files == 0 {
		t.Error("no captures")
	}
}

// Usual files come in full batches, and nothing is allocated for them.
func TestBatchesAreFull(t *testing.T) {
	for _, ng := range []bool{false, true} {
		data := bulk(t, ng, 80, 4<<20)
		open := func() *Timeline { return open(t, Options{Stdin: bytes.NewReader(data)}, "-") }
		all := func() int { return math.MaxInt }
		if packets, batches := inStep(t, open(), open(), all); packets < 9*batches*batchSize/10 {
			t.Errorf("pcapng %v: got %d packets in %d batches, want nearly %d in each", ng, packets, batches, batchSize)
		}
		tl := open()
		tl.NextBatch(batchSize) // makes room
		if got := testing.AllocsPerRun(100, func() { tl.NextBatch(batchSize) }); got > 0 {
			t.Errorf("pcapng %v: got %v allocations a batch, want none", ng, got)
		}
	}
}

// What has come through a pipe is delivered before more is waited for.
func TestBatchDoesNotWait(t *testing.T) {
	const piece, pieces = 10_000, 10
	for _, ng := range []bool{false, true} {
		header, record := pcapFileHeader, pcapRecordHeader+80
		if ng {
			header, record = len(ngOf(t, 1)), blockOverhead+20+80
		}
		data := bulk(t, ng, 80, pieces*piece)
		r, w := io.Pipe()
		more := make(chan bool)
		go func() {
			for i := range pieces {
				w.Write(data[i*piece:][:piece]) // returns when it was read
				<-more
			}
		}()
		tl := open(t, Options{Stdin: r}, "-")
		packets := 0
		for i := range pieces {
			for come := (piece*(i+1) - header) / record; packets < come; {
				p, err := tl.NextBatch(math.MaxInt)
				if err != nil {
					t.Fatal(err)
				}
				packets += len(p)
			}
			more <- true
		}
		w.Close()
	}
}
