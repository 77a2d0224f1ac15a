package dhcp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

var node = synth.MAC("3c:ec:ef:01:02:03")

func parse(d synth.DHCP) (Message, *Options) {
	m := Message(d.Bytes())
	o := new(Options)
	o.Parse(m, len(m))
	return m, o
}

func TestMessageFields(t *testing.T) {
	m := Message(synth.DHCP{
		Type: synth.DHCPOffer, XID: 0xdeadbeef, Secs: 12, Flags: 0x8000, Hops: 2, MAC: node,
		CIAddr: "10.0.0.1", YIAddr: "10.0.0.2", SIAddr: "10.0.0.3", GIAddr: "10.0.0.4",
	}.Bytes())
	if !m.Valid() {
		t.Fatal("Valid() = false")
	}
	type fields struct {
		Op, HType, HLen, Hops byte
		XID                   uint32
		Secs, Flags           uint16
		Broadcast, Cookie     bool
		CI, YI, SI, GI        string
		MAC                   string
	}
	got := fields{
		m.Op(), m.HType(), m.HLen(), m.Hops(), m.XID(), m.Secs(), m.Flags(), m.Broadcast(), m.HasCookie(),
		m.CIAddr().String(), m.YIAddr().String(), m.SIAddr().String(), m.GIAddr().String(), m.CHAddr().String(),
	}
	want := fields{2, 1, 6, 2, 0xdeadbeef, 12, 0x8000, true, true, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "3c:ec:ef:01:02:03"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestValid(t *testing.T) {
	whole := synth.DHCP{Type: synth.DHCPDiscover, MAC: node}.Bytes()
	bad := bytes.Clone(whole)
	bad[0] = 3
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"whole", whole, true}, {"to chaddr", whole[:44], true}, {"one byte short", whole[:43], false}, {"empty", nil, false}, {"op 3", bad, false},
	} {
		if got := Message(tt.b).Valid(); got != tt.want {
			t.Errorf("%s: Valid() = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCHAddrLength(t *testing.T) {
	for _, tt := range []struct {
		name        string
		htype, hlen byte
		want        wire.MAC
	}{
		{"Ethernet", 1, 6, wire.MAC(node)},
		{"IPoIB has none, RFC 4390", 32, 0, wire.MAC{}},
		{"short", 7, 1, wire.MAC{0x3c}},
		{"EUI-64", 27, 8, wire.MAC(node)},
		{"hostile length", 1, 228, wire.MAC(node)},
	} {
		m := Message(synth.DHCP{Type: 1, MAC: node, HType: tt.htype, HLen: tt.hlen, RawHLen: true}.Bytes())
		if got := m.CHAddr(); got != tt.want {
			t.Errorf("%s: CHAddr() = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTypeString(t *testing.T) {
	for typ, want := range map[Type]string{
		0: "", Discover: "DISCOVER", Nak: "NAK", Inform: "INFORM", ForceRenew: "FORCERENEW", LeaseActive: "LEASEACTIVE", TLS: "TLS", 19: "TYPE19", 255: "TYPE255",
	} {
		if got := typ.String(); got != want {
			t.Errorf("Type(%d).String() = %q, want %q", typ, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	long := strings.Repeat("x", 300)
	raw := func(tail ...byte) synth.DHCP {
		return synth.DHCP{Op: 2, MAC: node, NoEnd: true, Tail: tail}
	}
	type want struct {
		typ     Type
		order   []byte
		get     map[byte]string // "-": absent
		damaged bool
		file    string
		server  string
	}
	for _, tt := range []struct {
		name string
		d    synth.DHCP
		want want
	}{
		{"plain", synth.DHCP{Type: 2, File: "a.0", SName: "boot", Options: []synth.Opt{synth.OptAddr(54, "10.0.0.2"), synth.OptBytes(80)}},
			want{Offer, []byte{53, 54, 80}, map[byte]string{54: "\x0a\x00\x00\x02", 80: "", 1: "-"}, false, "a.0", "boot"}},
		{"pad between", raw(0, 0, 53, 1, 5, 0, 0, 1, 4, 255, 255, 255, 0, 0, 255),
			want{Ack, []byte{53, 1}, map[byte]string{1: "\xff\xff\xff\x00", 0: "-", 255: "-"}, false, "", ""}},
		{"overload file", synth.DHCP{Type: 2, SName: "boot", File: "lost", FileOptions: []synth.Opt{synth.OptText(67, "in-file.efi"), synth.OptAddr(3, "10.0.0.1")}, Options: []synth.Opt{synth.OptBytes(52, 1)}},
			want{Offer, []byte{53, 52}, map[byte]string{67: "in-file.efi", 3: "\x0a\x00\x00\x01"}, false, "in-file.efi", "boot"}},
		{"overload sname", synth.DHCP{Type: 2, File: "a.0", SNameOptions: []synth.Opt{synth.OptText(66, "10.9.8.7")}, Options: []synth.Opt{synth.OptBytes(52, 2)}},
			want{Offer, []byte{53, 52}, map[byte]string{66: "10.9.8.7"}, false, "a.0", "10.9.8.7"}},
		{"overload both: file before sname", synth.DHCP{Type: 2, FileOptions: []synth.Opt{synth.OptText(15, "lab.")}, SNameOptions: []synth.Opt{synth.OptText(15, "test")},
			Options: []synth.Opt{synth.OptText(15, "my."), synth.OptBytes(52, 3)}},
			want{Offer, []byte{53, 15, 52}, map[byte]string{15: "my.lab.test"}, false, "", ""}},
		{"overload without a name", synth.DHCP{Type: 2, File: "", FileOptions: []synth.Opt{synth.OptText(12, "n")}, Options: []synth.Opt{synth.OptBytes(52, 1)}},
			want{Offer, []byte{53, 52}, map[byte]string{12: "n"}, false, "", ""}},
		{"overload inside file does not loop", synth.DHCP{Type: 2, SName: "boot", FileOptions: []synth.Opt{synth.OptBytes(52, 3), synth.OptText(12, "n")}, Options: []synth.Opt{synth.OptBytes(52, 1)}},
			want{Offer, []byte{53, 52}, map[byte]string{12: "n", 52: "\x01\x03"}, false, "", "boot"}},
		{"overload in two pieces, the first empty", synth.DHCP{Type: 2, File: "a.0", Options: []synth.Opt{synth.OptBytes(52), synth.OptBytes(52, 1)}, FileOptions: []synth.Opt{synth.OptText(67, "b")}},
			want{Offer, []byte{53, 52}, map[byte]string{52: "\x01", 67: "b"}, false, "b", ""}},
		{"type hidden in file", synth.DHCP{Op: 2, FileOptions: []synth.Opt{synth.OptBytes(53, 5)}, Options: []synth.Opt{synth.OptBytes(52, 1)}},
			want{Ack, []byte{52}, nil, false, "", ""}},
		{"split long option", synth.DHCP{Type: 2, Options: []synth.Opt{synth.OptText(67, long), synth.OptAddr(1, "255.0.0.0")}},
			want{Offer, []byte{53, 67, 1}, map[byte]string{67: long, 1: "\xff\x00\x00\x00"}, false, long, ""}},
		{"split with others between", raw(53, 1, 2, 67, 2, 'a', 'b', 1, 0, 67, 1, 'c', 67, 0, 67, 1, 'd', 255),
			want{Offer, []byte{53, 67, 1}, map[byte]string{67: "abcd", 1: ""}, false, "abcd", ""}},
		{"missing END", raw(53, 1, 2, 1, 4, 255, 255, 0, 0),
			want{Offer, []byte{53, 1}, map[byte]string{1: "\xff\xff\x00\x00"}, true, "", ""}},
		{"length overrun drops the option", raw(53, 1, 2, 67, 9, 'a'),
			want{Offer, []byte{53}, map[byte]string{67: "-"}, true, "", ""}},
		{"code at the very end", raw(53, 1, 2, 67), want{Offer, []byte{53}, map[byte]string{67: "-"}, true, "", ""}},
		{"NULs behind a name", synth.DHCP{Type: 2, Options: []synth.Opt{synth.OptText(67, "pxelinux.0\x00\x00")}},
			want{Offer, []byte{53, 67}, map[byte]string{67: "pxelinux.0\x00\x00"}, false, "pxelinux.0", ""}},
		{"0xFF behind a name stays visible", synth.DHCP{Type: 2, Options: []synth.Opt{synth.OptText(67, "pxelinux.0\xff")}},
			want{Offer, []byte{53, 67}, nil, false, "pxelinux.0\xff", ""}},
		{"options behind END do not count", synth.DHCP{Type: 2, Tail: []byte{1, 4, 1, 2, 3, 4}},
			want{Offer, []byte{53}, map[byte]string{1: "-"}, false, "", ""}},
		{"no cookie", synth.DHCP{Op: 2, NoCookie: true, File: "kernel", Pad: 300}, want{0, nil, map[byte]string{53: "-"}, false, "kernel", ""}},
		{"empty type", raw(53, 0, 255), want{0, []byte{53}, map[byte]string{53: ""}, false, "", ""}},
		{"file that fills its field", synth.DHCP{Op: 2, File: strings.Repeat("f", 128), Options: []synth.Opt{}}, want{0, nil, nil, false, strings.Repeat("f", 128), ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, o := parse(tt.d)
			if got := o.Type(); got != tt.want.typ {
				t.Errorf("Type() = %v, want %v", got, tt.want.typ)
			}
			if got := o.Order(); !bytes.Equal(got, tt.want.order) {
				t.Errorf("Order() = %v, want %v", got, tt.want.order)
			}
			for code, want := range tt.want.get {
				got := o.Get(code)
				switch {
				case want == "-":
					if got != nil || o.Has(code) {
						t.Errorf("Get(%d) = %q, want absent", code, got)
					}
				case got == nil || string(got) != want || !o.Has(code):
					t.Errorf("Get(%d) = %q, want %q", code, got, want)
				}
			}
			if o.Damaged() != tt.want.damaged || o.Cut() {
				t.Errorf("Damaged() = %v, Cut() = %v, want %v, false", o.Damaged(), o.Cut(), tt.want.damaged)
			}
			if got := File(m, o); got != tt.want.file {
				t.Errorf("File() = %q, want %q", got, tt.want.file)
			}
			if got := ServerName(m, o); got != tt.want.server {
				t.Errorf("ServerName() = %q, want %q", got, tt.want.server)
			}
		})
	}
}

// TestCutEverywhere cuts a message at each byte: what is left must agree with
// the whole, and what may be missing must be said to be.
func TestCutEverywhere(t *testing.T) {
	server := synth.DHCPServer{Host: synth.NewHost("00:25:90:00:00:01", "10.0.0.2"), Shape: synth.Dnsmasq, Router: "10.0.0.1", File: "bootx64.efi"}
	whole := server.Offer(synth.UEFI("3c:ec:ef:01:02:03", 7).Discover(1, 0), "10.0.0.57").Bytes()
	var all, o Options
	all.Parse(whole, len(whole))
	end := bytes.LastIndexByte(whole, 255) // padding follows
	for n := range len(whole) {
		m := Message(whole[:n])
		if !m.Valid() {
			continue
		}
		o.Parse(m, len(whole))
		if want := n <= end; o.Cut() != want {
			t.Errorf("cut to %d of %d bytes: Cut() = %v, want %v", n, len(whole), o.Cut(), want)
		}
		if o.Damaged() {
			t.Errorf("cut to %d bytes: Damaged() = true, but the capture cut it", n)
		}
		for _, c := range o.Order() {
			if !bytes.Equal(o.Get(c), all.Get(c)) {
				t.Errorf("cut to %d bytes: option %d = %x, want %x", n, c, o.Get(c), all.Get(c))
			}
		}
		if o.Type() == 0 && n > 242 {
			t.Errorf("cut to %d bytes: no type", n)
		}
		if got := File(m, &o); got != "" && got != "bootx64.efi" {
			t.Errorf("cut to %d bytes: File() = %q", n, got)
		}
		NewLease(&wire.Frame{}, m, &o)
	}
}

// TestCutHidesOverload: a boot file that may be options must not be believed.
func TestCutHidesOverload(t *testing.T) {
	d := synth.DHCP{Type: 2, FileOptions: []synth.Opt{synth.OptText(67, "real.efi")}, Options: []synth.Opt{synth.OptAddr(54, "10.0.0.2"), synth.OptBytes(52, 1)}}
	b := d.Bytes()
	var o Options
	o.Parse(b[:249], len(b)) // behind option 54
	if got := File(b[:249], &o); got != "" || !o.Cut() {
		t.Errorf("File() = %q, Cut() = %v, want none and true", got, o.Cut())
	}
}

func TestOptionValues(t *testing.T) {
	_, o := parse(synth.DHCP{Type: 2, Options: []synth.Opt{
		synth.OptAddr(3, "10.0.0.1", "10.0.0.2"), synth.OptBytes(6, 10, 0, 0, 9, 1, 2), synth.OptU16(93, 7), synth.OptU32(51, 3600),
		synth.OptBytes(54, 1, 2, 3), synth.OptBytes(57, 1), synth.OptText(12, "node\x00"),
	}})
	if got, want := o.Addrs(3, nil), []wire.Addr{wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2")}; !cmp.Equal(got, want) {
		t.Errorf("Addrs(3) = %v, want %v", got, want)
	}
	if got := o.Addrs(6, nil); len(got) != 1 || got[0] != wire.MustAddr("10.0.0.9") {
		t.Errorf("Addrs(6) = %v, want 10.0.0.9 and nothing of the rest", got)
	}
	if got := o.Addr(54); got != (wire.Addr{}) {
		t.Errorf("Addr(54) of three bytes = %v, want none", got)
	}
	if v, ok := o.Uint16(93); v != 7 || !ok {
		t.Errorf("Uint16(93) = %d, %v, want 7, true", v, ok)
	}
	if v, ok := o.Uint32(51); v != 3600 || !ok {
		t.Errorf("Uint32(51) = %d, %v, want 3600, true", v, ok)
	}
	if _, ok := o.Uint16(57); ok {
		t.Error("Uint16 of one byte is true")
	}
	if got := o.String(12); got != "node" {
		t.Errorf("String(12) = %q, want node", got)
	}
}

// TestParseAgain: nothing of the message before may show through.
func TestParseAgain(t *testing.T) {
	var o Options
	a := Message(synth.DHCP{Type: 2, Options: []synth.Opt{synth.OptText(67, strings.Repeat("a", 300)), synth.OptBytes(52, 3)}}.Bytes())
	b := Message(synth.DHCP{Type: 1, Options: []synth.Opt{synth.OptText(12, "n")}}.Bytes())
	o.Parse(a, len(a))
	o.Parse(b, len(b))
	file, sname := o.Overloaded()
	if o.Has(67) || o.Has(52) || file || sname || o.Type() != Discover || !bytes.Equal(o.Order(), []byte{53, 12}) {
		t.Errorf("after a second Parse: 67 %v, overload %v %v, type %v, order %v", o.Has(67), file, sname, o.Type(), o.Order())
	}
}

func TestParseAllocs(t *testing.T) {
	b := Message(synth.UEFI("3c:ec:ef:01:02:03", 7).Discover(1, 0).With(synth.OptText(43, strings.Repeat("v", 300))).Bytes())
	var o Options
	o.Parse(b, len(b))
	n := testing.AllocsPerRun(200, func() {
		o.Parse(b, len(b))
		if o.Type() != Discover || len(o.Get(43)) != 300 || o.Get(60) == nil {
			t.Error("wrong values")
		}
	})
	if n != 0 {
		t.Errorf("Parse and Get allocate %v times, want 0", n)
	}
}

func BenchmarkParse(b *testing.B) {
	m := Message(synth.UEFI("3c:ec:ef:01:02:03", 7).Discover(1, 0).Bytes())
	var o Options
	b.ReportAllocs()
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		o.Parse(m, len(m))
		if o.Type() != Discover {
			b.Fatal("wrong type")
		}
	}
}

// FuzzMessage: whatever the bytes, the views stay inside them and agree with
// each other.
func FuzzMessage(f *testing.F) {
	c := synth.IPXE("3c:ec:ef:01:02:03", 7)
	d := c.Discover(1, 8)
	s := synth.DHCPServer{Host: synth.NewHost("00:25:90:00:00:01", "10.0.0.2"), Shape: synth.Dnsmasq, File: "bootx64.efi"}
	for _, x := range []synth.DHCP{
		d, s.Offer(d, "10.0.0.9"), s.Nak(d, "no"), s.ProxyOffer(d, synth.OptBytes(6, 8), synth.OptBytes(8, 0x80, 0, 1, 10, 0, 0, 2)),
		{Type: 2, FileOptions: []synth.Opt{synth.OptText(67, "x")}, SNameOptions: []synth.Opt{synth.OptBytes(52, 3)}, Options: []synth.Opt{synth.OptBytes(52, 3)}},
		{Op: 1, RawHLen: true, HLen: 228}, synth.MAASProbe("00:25:90:00:00:01").Discover(7, 0),
	} {
		f.Add(x.Bytes(), uint16(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, more uint16) {
		m := Message(b)
		if !m.Valid() {
			return
		}
		var o Options
		o.Parse(m, len(b)+int(more))
		if o.Cut() && more == 0 {
			t.Error("Cut() of a whole message")
		}
		if o.Cut() && o.Damaged() && o.overload == 0 {
			t.Error("both cut and damaged")
		}
		total := 0
		for c := range 256 {
			v := o.Get(byte(c))
			if (v != nil) != o.Has(byte(c)) {
				t.Errorf("option %d: Get %x, Has %v", c, v, o.Has(byte(c)))
			}
			total += len(v)
		}
		if total > len(b) {
			t.Errorf("options hold %d bytes of a message of %d", total, len(b))
		}
		for i, c := range o.Order() {
			if !o.Has(c) || bytes.IndexByte(o.Order(), c) != i {
				t.Errorf("Order() %v: %d is absent or twice", o.Order(), c)
			}
		}
		l := NewLease(&wire.Frame{}, m, &o)
		if len(l.BootServers) > maxBootServers {
			t.Errorf("%d boot servers", len(l.BootServers))
		}
		ClientKind(m, &o)
		UserClass(&o)
		IPXESecs(m, &o)
	})
}
