package oui

import (
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestVendor(t *testing.T) {
	for _, tt := range []struct{ name, mac, want string }{
		{"registered MA-L", "00:14:22:01:02:03", "Dell"},
		{"legal form left out", "00:00:0c:12:34:56", "Cisco Systems"},
		{"server board", "00:25:90:aa:bb:cc", "Super Micro Computer"},
		{"last address of a block", "00:14:22:ff:ff:ff", "Dell"},
		{"IAB, 36 bits", "00:50:c2:7d:50:01", "DEUTA-WERKE"},
		{"MA-M, 28 bits", "20:85:93:b0:00:01", "IOG Products"},
		{"MA-S, 36 bits", "70:b3:d5:71:90:01", "2M Technology"},
		{"block of a registrar without an owner", "70:b3:d5:ff:f0:01", ""},
		{"owner unnamed", "74:1a:e0:90:00:01", ""},
		{"not assigned", "00:ff:ff:00:00:01", ""},
		{"locally administered", "06:11:22:33:44:55", LocallyAdministered},
		{"libvirt guest", "52:54:00:12:34:56", "QEMU/libvirt"},
		{"libvirt tap", "fe:54:00:12:34:56", "libvirt tap"},
		{"LXD, registered to XenSource", "00:16:3e:00:00:01", "Xen/LXD"},
		{"VirtualBox, registered to its maker", "08:00:27:12:34:56", "VirtualBox"},
		{"VMware", "00:50:56:c0:00:08", "VMware"},
		{"Docker", "02:42:ac:11:00:02", "Docker"},
		{"QEMU user network", "52:55:0a:00:02:02", "QEMU user network"},
		{"near a virtual prefix", "52:54:01:12:34:56", LocallyAdministered},
		{"broadcast", "ff:ff:ff:ff:ff:ff", ""},
		{"multicast", "01:80:c2:00:00:00", ""},
		{"zero", "00:00:00:00:00:00", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Vendor(wire.MAC(synth.MAC(tt.mac))); got != tt.want {
				t.Errorf("Vendor(%s) = %q, want %q", tt.mac, got, tt.want)
			}
		})
	}
}

func TestVirtual(t *testing.T) {
	for mac, want := range map[string]bool{
		"52:54:00:12:34:56": true, "02:42:ac:11:00:02": true, "00:14:22:01:02:03": false, "06:11:22:33:44:55": false,
	} {
		if got := Virtual(wire.MAC(synth.MAC(mac))); got != want {
			t.Errorf("Virtual(%s) = %v, want %v", mac, got, want)
		}
	}
}

// TestTable reads the whole embedded table: binary search needs its order.
func TestTable(t *testing.T) {
	tab, err := open(embedded)
	if err != nil {
		t.Fatal(err)
	}
	for i, least := range []int{9000, 4000, 30000} {
		b := &tab.blocks[i]
		if b.len() < least || len(b.prefixes) != b.len()*b.wide() {
			t.Errorf("%d-bit blocks: %d of them, %d bytes of prefixes, want at least %d", b.bits, b.len(), len(b.prefixes), least)
		}
		for j := range b.len() {
			if j > 0 && b.prefix(j-1) >= b.prefix(j) {
				t.Errorf("%d-bit blocks are not in order at %d", b.bits, j)
			}
			if n := tab.name(b, j); n == "" || strings.TrimSpace(n) != n || len([]rune(n)) > 40 {
				t.Errorf("%d-bit block %x has the name %q", b.bits, b.prefix(j), n)
			}
		}
	}
	const most = 1 << 20
	if len(embedded) > most {
		t.Errorf("the table has %d bytes, want at most %d", len(embedded), most)
	}
}

func TestOpenDamage(t *testing.T) {
	for n := 0; n < len(embedded); n += len(embedded)/97 + 1 {
		if _, err := open(embedded[:n]); err == nil {
			t.Errorf("open of the first %d bytes: got no error", n)
		}
	}
	if _, err := open(embedded + "x"); err == nil {
		t.Error("open with a byte more: got no error")
	}
}

func TestVendorAllocs(t *testing.T) {
	mac := wire.MAC(synth.MAC("00:14:22:01:02:03"))
	Vendor(mac)
	if n := testing.AllocsPerRun(100, func() { Vendor(mac) }); n != 0 {
		t.Errorf("Vendor allocates %v times, want 0", n)
	}
}
