package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// long is a file of many buffers, with packets of any size up to some that are
// larger than a buffer. ifaces is that of pcapng interfaces, of which all but
// the first begin in the middle; 0 makes a pcap.
func long(rnd *rand.Rand, ifaces int) []byte {
	data := string(bytes.Repeat([]byte("0123456789abcdef"), 20<<10))
	f := newRaw(false)
	if ifaces == 0 {
		f.pcapHeader(magicMicro, 2, 4, 0, 1)
	} else {
		f.section(nil).iface(1, 0, nil)
	}
	for i := range 600 {
		size := rnd.IntN(9000)
		if rnd.IntN(100) == 0 {
			size = rnd.IntN(len(data))
		}
		d := fmt.Sprint(i) + data[:size]
		switch {
		case ifaces == 0:
			f.u32(t0, uint32(i), uint32(len(d)), uint32(len(d))).text(d)
		case ifaces > 1 && i > 400:
			if i == 401 {
				f.iface(1, 0, nil)
			}
			f.epb(uint32(i%2), t0*1e6+uint64(i), d, nil)
		default:
			f.epb(0, t0*1e6+uint64(i), d, nil)
		}
	}
	return f.b
}

// Packets stay as they are for as many turns as were asked for, whatever the
// source is asked in between, and are those of Next.
func TestHeldPacketsStay(t *testing.T) {
	type kept struct {
		turn uint64
		got  capture.Packet
		data []byte
	}
	for seed := range uint64(24) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		ifaces, turns := int(seed%3), 1+rnd.IntN(6)
		path := filepath.Join(t.TempDir(), "long")
		if err := os.WriteFile(path, long(rnd, ifaces), 0o600); err != nil {
			t.Fatal(err)
		}
		held, single := openAll(t, path), openAll(t, path)
		held.inputs[0].r.hold(turns)
		var all []kept
		most, unheld, began := 0, 0, uint64(0)
		for n := 0; ; {
			packets, turn, err := []capture.Packet(nil), uint64(0), error(nil)
			if rnd.IntN(50) > 0 {
				packets, turn, err = held.NextHeld(1 + rnd.IntN(100))
				if began = max(began, turn); err == nil && turn == 0 {
					unheld++
					began++ // perhaps
				}
			} else {
				all = nil
				packets, err = held.NextBatch(1 + rnd.IntN(100))
			}
			for i := range packets {
				var want capture.Packet
				if err := single.Next(&want); err != nil || !bytes.Equal(packets[i].Data, want.Data) || packets[i].ID != want.ID {
					t.Fatalf("seed %d: packet %d is %v, want %v, %v", seed, n, packets[i].ID, want.ID, err)
				}
				n++
				if turn != 0 {
					all = append(all, kept{turn, packets[i], bytes.Clone(packets[i].Data)})
				}
			}
			for len(all) > 0 && all[0].turn+uint64(turns) <= began {
				all = all[1:]
			}
			for _, k := range all {
				if !bytes.Equal(k.got.Data, k.data) {
					t.Fatalf("seed %d: packet %v of turn %d has changed in turn %d, held for %d", seed, k.got.ID, k.turn, began, turns)
				}
			}
			most = max(most, len(all))
			if err != nil {
				if !errors.Is(err, io.EOF) || n != 600 {
					t.Errorf("seed %d: %v after %d packets, want 600", seed, err, n)
				}
				break
			}
		}
		if began < 5 || most < 10*turns || (unheld > 1) != (ifaces > 1) {
			t.Errorf("seed %d: %d turns, %d packets held, %d not", seed, began, most, unheld)
		}
	}
}

// Only a large plain file is held.
func TestHold(t *testing.T) {
	f := newRaw(false).pcapHeader(magicMicro, 2, 4, 0, 1)
	f.u32(t0, 0, 4, 4).text("0123")
	path := filepath.Join(t.TempDir(), "large.pcap")
	if err := os.WriteFile(path, f.b, 0o600); err != nil {
		t.Fatal(err)
	}
	if openAll(t, path).Hold(2) {
		t.Error("a small file is held")
	}
	if err := os.Truncate(path, holdLeast); err != nil {
		t.Fatal(err)
	}
	if !openAll(t, path).Hold(2) {
		t.Error("a large file is not held")
	}
	other := filepath.Join(t.TempDir(), "small.pcap")
	if err := os.WriteFile(other, f.b, 0o600); err != nil {
		t.Fatal(err)
	}
	if openAll(t, path, other).Hold(2) {
		t.Error("one of several files is held")
	}
	piped, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(f.b)})
	if err != nil {
		t.Fatal(err)
	}
	if piped.Hold(2) {
		t.Error("a pipe is held")
	}
}

func openAll(t *testing.T, paths ...string) *Timeline {
	t.Helper()
	tl, err := Open(paths, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tl.Close() })
	return tl
}
