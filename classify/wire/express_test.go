package wire_test

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// twoWays decodes a stream as Decode does, into a Frame that the packet before
// left dirty, and the general way, into an empty one.
type twoWays struct {
	normal, general *wire.Decoder
	frame           wire.Frame
}

func newTwoWays() *twoWays { return newTwoWaysOf(wire.NewDecoder) }

func newTwoWaysOf(newDecoder func() *wire.Decoder) *twoWays {
	return &twoWays{normal: newDecoder(), general: newDecoder()}
}

// decode asserts that both ways agree on every field, the unexported too.
func (w *twoWays) decode(t testing.TB, p *capture.Packet) *wire.Frame {
	t.Helper()
	var want wire.Frame
	w.general.DecodeGeneral(p, &want)
	w.frame.Copy = true // as the engine may have
	w.normal.Decode(p, &w.frame)
	if !reflect.DeepEqual(want, w.frame) {
		t.Errorf("frame %d, %x of %d bytes: Decode differs (-general +Decode):\n%s\n%+v\n%+v",
			p.ID.Number(), p.Data, p.WireLen, cmp.Diff(want, w.frame, frameOptions), want, w.frame)
	}
	return &w.frame
}

// Both ways of Decode agree on plain packets with all kinds of small
// deviations, among packets of any kind.
func TestDecodeWaysAgree(t *testing.T) {
	const rounds = 100_000
	data := pattern(1, 40)
	plain := [][]byte{
		synth.UDP(client, server, 40000, 69, data),
		synth.UDP(client, server, 40000, 69, nil),
		synth.TCP(client, server, 40000, 80, synth.Segment{Seq: 1, Ack: 2, Flags: wire.ACK | wire.PSH, Window: 3, Payload: data}),
		synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.ACK}),
		synth.IP{Tags: []uint16{100}}.UDP(client, server, 40000, 69, data),
		synth.IP{Tags: []uint16{100}}.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.ACK, Payload: data}),
	}
	inner := synth.UDP(client, server, 1000, 1001, data)
	other := [][]byte{
		synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.SYN, MSS: 1460}),
		synth.IP{Tags: []uint16{200, 100}}.UDP(client, server, 40000, 69, data),
		synth.UDP(client6, server6, 40000, 69, data),
		synth.ARP(1, client, server), synth.Echo(client, server, false, 1, 1),
		synth.ICMPError(server, client, 3, 3, 0, plain[0]),
		synth.UDP(vtep1, vtep2, 40000, 4789, cat(hx("08 000000 00002a 00"), inner)),
		synth.UDP(vtep1, vtep2, 40000, 4789, data), // no VXLAN, but its port
		between(47, cat(hx("2000 0800 00000007"), l3(inner))),
		eth(0x88cc, data), eth(38, data),
	}
	sent := cat(hx("0004 0001 0006 525400aabb01 0000 0800"), l3(inner)) // by the capturing host, cooked
	other = append(other, split4(7, pattern(1, 100), 60)...)

	for name, newDecoder := range map[string]func() *wire.Decoder{"tunnels": wire.NewDecoder, "outer": wire.NewOuterDecoder} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			w := newTwoWaysOf(newDecoder)
			for i := 0; i < rounds && !t.Failed(); i++ {
				from := plain
				if r.IntN(4) == 0 {
					from = other
				}
				p := packet(capture.LinkEthernet, append(make([]byte, 0, 256), from[r.IntN(len(from))]...))
				p.ID, p.Time, p.Iface = capture.NewFrameID(0, uint64(i+1)), synth.Start.Add(1000), r.IntN(3)
				if r.IntN(16) == 0 {
					p.Link, p.Data = capture.LinkSLL, append(make([]byte, 0, 256), sent...)
				}
				for range r.IntN(3) {
					deviate(r, p)
				}
				w.decode(t, p)
			}
			if n := w.normal.Generals(); n < rounds/4 || n > 3*rounds/4 {
				t.Errorf("%d of %d packets went the general way, want both often", n, rounds)
			}
		})
	}
}

// What plain packets set lies in three cache lines, as Frame says.
func TestFrameLayout(t *testing.T) {
	rest, _ := reflect.TypeFor[wire.Frame]().FieldByName("FragOffset")
	if rest.Offset > 192 {
		t.Errorf("the front of a Frame takes %d bytes, want no more than 192", rest.Offset)
	}
}

// deviate changes one thing about p.
func deviate(r *rand.Rand, p *capture.Packet) {
	const ip = 14 // start of the IP header
	b := p.Data
	if len(b) == 0 {
		return
	}
	nudge := func(at int) { // a length that is a little off
		if at+2 <= len(b) {
			binary.BigEndian.PutUint16(b[at:], binary.BigEndian.Uint16(b[at:])+uint16(r.IntN(9))-4)
		}
	}
	headers := min(len(b), ip+40)
	switch r.IntN(12) {
	case 0: // any byte of the headers
		b[r.IntN(headers)] = byte(r.Uint32())
	case 1:
		b[r.IntN(headers)] ^= 1 << r.IntN(8)
	case 2: // padding, or a trailer
		p.Data = append(b, make([]byte, r.IntN(30))...)
		p.WireLen = len(p.Data)
	case 3: // the snap length
		p.Data = b[:r.IntN(len(b)+1)]
	case 4:
		p.WireLen = r.IntN(200)
	case 5:
		p.VLAN = capture.VLAN{Present: true, TCI: uint16(r.Uint32()), TPID: 0x8100}
	case 6:
		p.Link = fuzzLinks[r.IntN(len(fuzzLinks))]
	case 7:
		nudge(ip + 2) // total length
	case 8:
		nudge(ip + 20 + 4) // UDP length
	case 9: // TCP header length
		if at := ip + 20 + 12; at < len(b) {
			b[at] += byte(r.IntN(3)-1) << 4
		}
	case 10: // a port
		if at := ip + 20 + 2*r.IntN(2); at+2 <= len(b) {
			ports := []uint16{0, 67, 4789, 4790, 6081, 8472, uint16(r.Uint32())}
			binary.BigEndian.PutUint16(b[at:], ports[r.IntN(len(ports))])
		}
	case 11: // flags and fragment offset
		if at := ip + 6; at+2 <= len(b) {
			flags := []uint16{0, 0x8000, 0x4000, 0x2000, 1, 0x1fff}
			binary.BigEndian.PutUint16(b[at:], flags[r.IntN(len(flags))])
		}
	}
}

// Both ways of Decode agree on every fixture of the module.
func TestDecodeWaysAgreeOnFixtures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcap", "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	packets := 0
	for _, name := range files {
		decodeFile(t, name, func(p *capture.Packet, f *wire.Frame) {
			checkFrame(t, p, f)
			packets++
		})
	}
	if packets < 1000 {
		t.Errorf("got %d packets of %d fixtures, want them all", packets, len(files))
	}
}
