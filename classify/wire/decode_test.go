package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// A decodeCase is a packet and the frame it must become. The harness fills in
// what each frame says of its packet (time, id, lengths, link type); UDPSum is
// what the checksum tests look at, Hash and Headers what TestHash and TestHeaders do.
type decodeCase struct {
	name string
	link capture.LinkType // LinkNull means Ethernet unless null is set
	null bool
	data []byte
	snap int // cut to this many bytes
	vlan capture.VLAN
	want wire.Frame
}

var frameOptions = cmp.Options{cmpopts.IgnoreUnexported(wire.Frame{}), cmpopts.EquateEmpty()}

// runDecode decodes each case into a Frame that the case before left dirty, and
// asserts that doing so allocates nothing.
func runDecode(t *testing.T, cases []decodeCase) {
	t.Helper()
	d := wire.NewDecoder()
	var got wire.Frame
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.link == capture.LinkNull && !c.null {
				c.link = capture.LinkEthernet
			}
			p := packet(c.link, c.data)
			p.VLAN = c.vlan
			if c.snap > 0 {
				p.Data = p.Data[:c.snap]
			}
			d.Decode(p, &got)

			want := c.want
			want.Time, want.ID, want.Link = p.Time, p.ID, c.link
			want.WireLen, want.CapLen = p.WireLen+beside(p), len(p.Data)+beside(p)
			want.UDPSum, want.Hash, want.Headers = got.UDPSum, got.Hash, got.Headers
			if diff := cmp.Diff(want, got, frameOptions); diff != "" {
				t.Errorf("Decode differs (-want +got):\n%s", diff)
			}
			if n := testing.AllocsPerRun(100, func() { d.Decode(p, &got) }); n != 0 {
				t.Errorf("Decode allocates %v times, want 0", n)
			}
		})
	}
}

// beside is the length of what the kernel delivered beside p.
func beside(p *capture.Packet) int {
	if p.VLAN.Present {
		return 4
	}
	return 0
}

func TestDecodeTick(t *testing.T) {
	d := wire.NewDecoder()
	got := udpOver4(69, "left over")
	for _, link := range []capture.LinkType{capture.LinkNull, capture.LinkEthernet, capture.LinkSLL, capture.LinkRaw} {
		d.Decode(&capture.Packet{Time: 5, Link: link}, &got)
		if diff := cmp.Diff(wire.Frame{Time: 5, Link: link}, got, frameOptions); diff != "" {
			t.Errorf("Decode of a tick of link type %v differs (-want +got):\n%s", link, diff)
		}
	}
}

// A capture record may state fewer bytes on the wire than it holds.
func TestDecodeWireLenTooSmall(t *testing.T) {
	p := packet(capture.LinkEthernet, eth(wire.EtherIPv4, udp4(69, "data")))
	p.WireLen = 10
	var f wire.Frame
	wire.NewDecoder().Decode(p, &f)
	if f.WireLen != len(p.Data) || f.PayloadLen != 4 || f.Cut() {
		t.Errorf("got WireLen %d, PayloadLen %d, Cut %v, want %d, 4, false", f.WireLen, f.PayloadLen, f.Cut(), len(p.Data))
	}
}
