package pcapfile

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/pxescope/pxescope/capture"
)

// packetReader is what both readers of pcapgo are.
type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// randomPackets are packets of many sizes, some cut, with clock jumps.
func randomPackets(n int) (out []capture.Packet) {
	rnd := rand.New(rand.NewPCG(5, 6))
	at := int64(t0 * 1e9)
	for range n {
		at += rnd.Int64N(3e9) - 1e9
		data := make([]byte, rnd.IntN(2000))
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		p := capture.Packet{Time: capture.Time(at), Link: 1, WireLen: len(data), Data: data}
		if rnd.IntN(4) == 0 {
			p.WireLen += rnd.IntN(1 << 16)
		}
		out = append(out, p)
	}
	return out
}

func seenOf(ps []capture.Packet, unit capture.Time) (out []seen) {
	for i, p := range ps {
		out = append(out, seen{Number: uint64(i + 1), Time: p.Time / unit * unit, Link: 1, WireLen: p.WireLen, Data: string(p.Data)})
	}
	return out
}

func theirs(t *testing.T, r packetReader) (out []seen) {
	t.Helper()
	for {
		b, ci, err := r.ReadPacketData()
		if err != nil {
			return out
		}
		out = append(out, seen{Number: uint64(len(out) + 1), Time: capture.Time(ci.Timestamp.UnixNano()), Link: 1, Iface: ci.InterfaceIndex, WireLen: ci.Length, Data: string(b)})
	}
}

func ours(t *testing.T, b []byte) []seen {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := drain(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Our reader on what pcapgo writes, and pcapgo's on what we write.
func TestAgainstPcapgo(t *testing.T) {
	packets := randomPackets(2000)
	ci := func(p *capture.Packet) gopacket.CaptureInfo {
		return gopacket.CaptureInfo{Timestamp: p.Time.Std(), CaptureLength: len(p.Data), Length: p.WireLen}
	}
	same := func(t *testing.T, what string, want, got []seen) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: want -, got +\n%.2000s", what, d)
		}
	}
	for _, nano := range []bool{false, true} {
		name, unit := "pcap micro", capture.Time(time.Microsecond)
		if nano {
			name, unit = "pcap nano", 1
		}
		t.Run(name, func(t *testing.T) {
			var a, b bytes.Buffer
			w := pcapgo.NewWriter(&a)
			if nano {
				w = pcapgo.NewWriterNanos(&a)
			}
			if err := w.WriteFileHeader(1<<18, layers.LinkTypeEthernet); err != nil {
				t.Fatal(err)
			}
			v, err := NewPcapWriter(&b, capture.LinkEthernet, 1<<18, nano)
			if err != nil {
				t.Fatal(err)
			}
			for i := range packets {
				if err := w.WritePacket(ci(&packets[i]), packets[i].Data); err != nil {
					t.Fatal(err)
				}
				if err := v.WritePacket(&packets[i]); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "our reader on their file", seenOf(packets, unit), ours(t, a.Bytes()))
			r, err := pcapgo.NewReader(&b)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "their reader on our file", seenOf(packets, unit), theirs(t, r))
		})
	}
	t.Run("pcapng", func(t *testing.T) {
		var a, b bytes.Buffer
		w, err := pcapgo.NewNgWriter(&a, layers.LinkTypeEthernet)
		if err != nil {
			t.Fatal(err)
		}
		v, err := NewNgWriter(&b, Section{Application: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Interface(capture.Interface{Name: "eth0", Link: 1}); err != nil {
			t.Fatal(err)
		}
		for i := range packets {
			if err := w.WritePacket(ci(&packets[i]), packets[i].Data); err != nil {
				t.Fatal(err)
			}
			if err := v.WritePacket(&packets[i], ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		same(t, "our reader on their file", seenOf(packets, 1), ours(t, a.Bytes()))
		r, err := pcapgo.NewNgReader(&b, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "their reader on our file", seenOf(packets, 1), theirs(t, r))
	})
}
