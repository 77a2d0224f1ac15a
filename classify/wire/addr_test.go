package wire_test

import (
	"net/netip"
	"testing"

	"github.com/pxescope/pxescope/classify/wire"
)

func TestAddr(t *testing.T) {
	for _, c := range []struct {
		addr            wire.Addr
		text            string
		is4, zero, many bool
	}{
		{wire.Addr{}, "", false, true, false},
		{wire.Addr4([4]byte{192, 0, 2, 10}), "192.0.2.10", true, false, false},
		{wire.MustAddr("0.0.0.0"), "0.0.0.0", true, true, false},
		{wire.MustAddr("255.255.255.255"), "255.255.255.255", true, false, true},
		{wire.MustAddr("224.0.0.18"), "224.0.0.18", true, false, true},
		{wire.MustAddr("239.255.255.250"), "239.255.255.250", true, false, true},
		{wire.MustAddr("240.0.0.1"), "240.0.0.1", true, false, false},
		{wire.MustAddr("2001:db8::1"), "2001:db8::1", false, false, false},
		{wire.MustAddr("ff02::1:2"), "ff02::1:2", false, false, true},
		{wire.MustAddr("0:0:0:0:1:ffff:c000:20a"), "::1:ffff:c000:20a", false, false, false},
	} {
		a := c.addr
		if a.String() != c.text || a.Is4() != c.is4 || a.IsZero() != c.zero || a.IsMulticast() != c.many {
			t.Errorf("got %q, IPv4 %v, zero %v, multicast %v, want %q, %v, %v, %v",
				a, a.Is4(), a.IsZero(), a.IsMulticast(), c.text, c.is4, c.zero, c.many)
		}
		if back := wire.AddrFrom(a.Netip()); back != a {
			t.Errorf("%v: got %v back from netip", a, back)
		}
	}
	if got := wire.AddrFrom(netip.Addr{}); got != (wire.Addr{}) {
		t.Errorf("no address: got %v, want the zero Addr", got)
	}
	if got := wire.MustAddr("192.0.2.10").As4(); got != [4]byte{192, 0, 2, 10} {
		t.Errorf("As4: got %v, want 192.0.2.10", got)
	}
}

func TestMAC(t *testing.T) {
	for _, c := range []struct {
		mac         wire.MAC
		text        string
		zero, group bool
	}{
		{wire.MAC{}, "", true, false},
		{wire.MAC{0x52, 0x54, 0, 0xAA, 0xBB, 1}, "52:54:00:aa:bb:01", false, false},
		{wire.MAC{1, 0x80, 0xc2, 0, 0, 0x0e}, "01:80:c2:00:00:0e", false, true},
		{wire.Broadcast, "ff:ff:ff:ff:ff:ff", false, true},
	} {
		if m := c.mac; m.String() != c.text || m.IsZero() != c.zero || m.IsGroup() != c.group {
			t.Errorf("got %q, zero %v, group %v, want %q, %v, %v", m, m.IsZero(), m.IsGroup(), c.text, c.zero, c.group)
		}
	}
}

func TestFrameVLAN(t *testing.T) {
	for _, c := range []struct {
		tags []uint16
		want uint16
	}{
		{nil, 0}, {[]uint16{100}, 100}, {[]uint16{0}, 0}, {[]uint16{200, 100}, 100}, {[]uint16{200, 0}, 200},
	} {
		var f wire.Frame
		f.TagCount = uint8(copy(f.Tags[:], c.tags))
		if got := f.VLAN(); got != c.want {
			t.Errorf("tags %v: got VLAN %d, want %d", c.tags, got, c.want)
		}
	}
}

func TestFlow(t *testing.T) {
	f := udpOver4(69, "rrq")
	want := wire.Flow{Src: serverAddr, Dst: clientAddr, SrcPort: 69, DstPort: 40000, Proto: wire.ProtoUDP}
	if got := f.Flow().Reverse(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if f.Flow().Reverse().Reverse() != f.Flow() {
		t.Error("reversed twice a flow is another")
	}
}

// Every reason that is damage has a key in the report, and no two share one.
func TestStopNames(t *testing.T) {
	fine := map[wire.Stop]bool{wire.StopNone: true, wire.StopEtherType: true, wire.StopLLC: true, wire.StopIPProto: true, wire.StopFragment: true}
	seen := make(map[string]wire.Stop)
	for s := range wire.NumStops {
		name := s.String()
		if (name == "") != fine[s] {
			t.Errorf("stop %d: got name %q, want one: %v", s, name, !fine[s])
		}
		if other, ok := seen[name]; ok && name != "" {
			t.Errorf("stops %d and %d are both %q", other, s, name)
		}
		seen[name] = s
	}
	if got := (wire.NumStops + 1).String(); got != "" {
		t.Errorf("out of range: got %q, want nothing", got)
	}
}
