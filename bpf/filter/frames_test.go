package filter

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// Frames and expressions draw from the same small pools, so that they meet.
var (
	poolPorts = []uint16{0, 1, 22, 53, 66, 67, 68, 69, 70, 80, 111, 123, 443, 1023, 1024, 2049, 3000, 4011, 5240, 5248, 5250, 5259, 49152, 65535}
	poolV4    = []string{"10.0.0.1", "10.0.0.2", "10.1.2.3", "192.168.1.1", "255.255.255.255", "224.0.0.1", "0.0.0.0", "172.16.5.4"}
	poolV6    = []string{"fe80::1", "2001:db8::1", "2001:db8::2", "ff02::1:2", "::1", "2001:db8:1::7"}
	poolMAC   = []string{"52:54:00:12:34:56", "52:54:00:00:00:01", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00"}
	poolVLAN  = []uint16{0, 1, 10, 100, 4095}
)

// A frame is complete, or its tail is missing.
type frame struct {
	data    []byte
	wireLen int
	cut     bool
}

type maker struct{ *rand.Rand }

func pick[T any](r maker, list []T) T { return list[r.IntN(len(list))] }

func (r maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// l4 is a transport header with some payload.
func (r maker) l4(proto byte) []byte {
	b := r.bytes(24 + r.IntN(60))
	binary.BigEndian.PutUint16(b, pick(r, poolPorts))
	binary.BigEndian.PutUint16(b[2:], pick(r, poolPorts))
	switch proto {
	case 17:
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		if r.IntN(2) == 0 {
			binary.BigEndian.PutUint16(b[8:], uint16(r.IntN(7)))
		}
	case 6:
		b[12] = 0x50
		b[13] = 1 << r.IntN(8)
	case 1, 58:
		b[0], b[1] = byte(pick(r, []int{0, 3, 8, 11, 128, 134, 135})), byte(r.IntN(4))
	}
	return b
}

var protocols = []byte{1, 2, 6, 6, 6, 17, 17, 17, 17, 58, 132, 132, 47, 50, 51, 103, 112}

func (r maker) ipv4() []byte {
	p := pick(r, protocols)
	options := 0
	if r.IntN(4) == 0 {
		options = 4 * r.IntN(11)
	}
	h := append(make([]byte, 20), r.bytes(options)...)
	body := r.l4(p)
	h[0] = 0x45 + byte(options/4)
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(body)))
	switch r.IntN(8) {
	case 0:
		binary.BigEndian.PutUint16(h[6:], 0x2000)
	case 1:
		binary.BigEndian.PutUint16(h[6:], uint16(1+r.IntN(0x1fff)))
	case 2:
		binary.BigEndian.PutUint16(h[6:], 0x2000|uint16(r.IntN(0x1fff)))
	case 3:
		binary.BigEndian.PutUint16(h[6:], 0x4000)
	}
	h[8], h[9] = byte(r.Uint32()), p
	copy(h[12:], address(pick(r, poolV4)))
	copy(h[16:], address(pick(r, poolV4)))
	return append(h, body...)
}

func address(s string) []byte { return parseAddress(s).AsSlice() }

func (r maker) ipv6() []byte {
	p := pick(r, protocols)
	body := r.l4(p)
	h := make([]byte, 40)
	h[0] = 0x60
	h[6], h[7] = p, 64
	switch r.IntN(8) {
	case 0: // fragment
		body = append([]byte{p, 0, byte(r.Uint32()), byte(r.Uint32()), 1, 2, 3, 4}, body...)
		h[6] = 44
	case 1: // hop-by-hop options
		body = append([]byte{p, 0, 1, 4, 0, 0, 0, 0}, body...)
		h[6] = 0
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(body)))
	copy(h[8:], address(pick(r, poolV6)))
	copy(h[24:], address(pick(r, poolV6)))
	return append(h, body...)
}

func (r maker) arp() []byte {
	b := append([]byte{0, 1, 8, 0, 6, 4, 0, byte(1 + r.IntN(2))}, r.bytes(20)...)
	copy(b[14:], address(pick(r, poolV4)))
	copy(b[24:], address(pick(r, poolV4)))
	return append(b, make([]byte, 18)...)
}

// packet is what follows a type field, and that field.
func (r maker) packet(deep int) (uint16, []byte) {
	switch n := r.IntN(40); {
	case n < 16:
		return typeIP, r.ipv4()
	case n < 25:
		return typeIPv6, r.ipv6()
	case n < 28:
		return typeARP, r.arp()
	case n < 29:
		return typeRARP, r.arp()
	case n < 34 && deep < 3:
		t, b := r.packet(deep + 1)
		h := make([]byte, 4, 4+len(b))
		binary.BigEndian.PutUint16(h, pick(r, poolVLAN)|uint16(r.IntN(8))<<13)
		binary.BigEndian.PutUint16(h[2:], t)
		return pick(r, []uint16{typeVLAN, typeVLAN, typeQinQ, typeQinQ91}), append(h, b...)
	case n < 36:
		b := r.ipv4()
		if r.IntN(3) == 0 {
			b = r.ipv6()
		}
		for i := range 1 + r.IntN(3) {
			l := make([]byte, 4)
			binary.BigEndian.PutUint32(l, uint32(pick(r, poolVLAN))<<12|64)
			if i == 0 {
				l[2] |= 1
			}
			b = append(l, b...)
		}
		return typeMPLS, b
	case n < 38:
		h := []byte{0x11, 0, 0, byte(pick(r, poolVLAN)), 0, 0, 0, 0x21}
		b := r.ipv4()
		if r.IntN(3) == 0 {
			h[7], b = 0x57, r.ipv6()
		}
		return typePPPoES, append(h, b...)
	case n < 39:
		return pick(r, []uint16{typePPPoED, 0x88cc, 0x0842}), r.bytes(60)
	}
	return uint16(3 + r.IntN(1400)), append([]byte{pick(r, []byte{0x42, 0xaa, 6}), 0x42, 3}, r.bytes(57)...)
}

func (r maker) ethernet() []byte {
	t, b := r.packet(0)
	f := make([]byte, 14, 14+len(b))
	d, s := parseMAC(pick(r, poolMAC)), parseMAC(pick(r, poolMAC))
	copy(f, d[:])
	copy(f[6:], s[:])
	binary.BigEndian.PutUint16(f[12:], t)
	return append(f, b...)
}

// linked is a frame of another link type.
func (r maker) linked(l capture.LinkType) []byte {
	switch l {
	case capture.LinkEthernet:
		return r.ethernet()
	case capture.LinkSLL:
		t, b := r.packet(9)
		h := append(make([]byte, 14), byte(t>>8), byte(t))
		if t <= 1500 {
			h[14], h[15] = 0, 4
		}
		return append(h, b...)
	case capture.LinkSLL2:
		t, b := r.packet(9)
		return append(append([]byte{byte(t >> 8), byte(t)}, make([]byte, 18)...), b...)
	}
	if l == capture.LinkIPv6 || l == capture.LinkRaw && r.IntN(2) == 0 {
		return r.ipv6()
	}
	return r.ipv4()
}

// frames are crafted ones, mutated ones, and for Ethernet those of the corpus.
// Complete ones have bytes wherever headers can claim some.
func frames(t testing.TB, seed uint64, link capture.LinkType, n int) []frame {
	r := maker{rand.New(rand.NewPCG(seed, uint64(link)))}
	var out []frame
	add := func(b []byte, cut bool) { out = append(out, frame{data: b, wireLen: len(b), cut: cut}) }
	if link == capture.LinkEthernet {
		for _, b := range corpusFrames(t, n/5) {
			add(b, false)
		}
	}
	for len(out) < n {
		b := r.linked(link)
		switch k := r.IntN(10); {
		case k < 6:
			add(append(b, make([]byte, 64)...), false)
		case k < 9: // mutated, with room for whatever a header now says
			for range 1 + r.IntN(4) {
				b[r.IntN(min(len(b), 80))] = byte(r.Uint32())
			}
			add(append(b, r.bytes(200)...), false)
		default:
			out = append(out, frame{data: b[:r.IntN(len(b)+1)], wireLen: len(b), cut: true})
		}
	}
	return out
}

// corpusFrames are complete Ethernet frames of real captures, evenly chosen.
func corpusFrames(t testing.TB, n int) [][]byte {
	dir := filepath.Join("..", "..", "..", "shared", "corpus")
	if _, err := os.Stat(dir); err != nil {
		t.Logf("no corpus at %s: crafted frames only", dir)
		return nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.pcap*"))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	each := n/max(len(files), 1) + 8
	for _, f := range files {
		if len(out) >= n {
			break
		}
		src, err := pcapfile.Open([]string{f}, pcapfile.Options{})
		if err != nil {
			continue
		}
		var p capture.Packet
		for i := 0; i < each; {
			err := src.Next(&p)
			if errors.Is(err, io.EOF) || err != nil {
				break
			}
			if p.Link == capture.LinkEthernet && p.WireLen == len(p.Data) && len(p.Data) >= 60 {
				out = append(out, append([]byte(nil), p.Data...))
				i++
			}
		}
		src.Close()
	}
	return out[:min(n, len(out))]
}
