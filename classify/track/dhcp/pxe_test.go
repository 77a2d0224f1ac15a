package dhcp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify/wire"
)

func TestParsePXE(t *testing.T) {
	a, b := wire.MustAddr("10.0.0.2"), wire.MustAddr("10.0.0.3")
	for _, tt := range []struct {
		name string
		b    []byte
		want PXE
		ok   bool
	}{
		{"just the boot file", []byte{6, 1, 8, 255}, PXE{HasControl: true, Control: UseBootFile}, true},
		{"no END", []byte{6, 1, 3}, PXE{HasControl: true, Control: NoBroadcast | NoMulticast}, true},
		{"dnsmasq's boot item", []byte{0x47, 4, 0x80, 0, 0, 0, 255}, PXE{HasItem: true, Item: 0x8000}, true},
		{"credentials wanted", []byte{71, 4, 0, 1, 0x80, 2}, PXE{HasItem: true, Item: 1, Layer: 0x8002}, true},
		{"servers", []byte{8, 14, 0x80, 0, 2, 10, 0, 0, 2, 10, 0, 0, 3, 0, 0, 0, 255},
			PXE{Servers: []PXEServer{{Type: 0x8000, Addrs: []wire.Addr{a, b}}, {}}}, true},
		{"menu and prompt", []byte{9, 11, 0, 0, 3, 'h', 'd', 'd', 0x80, 1, 2, 'g', 'o', 10, 4, 255, 'F', '8', '!', 255},
			PXE{Menu: []PXEItem{{0, "hdd"}, {0x8001, "go"}}, HasPrompt: true, Timeout: 255, Prompt: "F8!"}, true},
		{"multicast", []byte{7, 4, 224, 1, 2, 3}, PXE{Multicast: wire.MustAddr("224.1.2.3")}, true},
		{"pads", []byte{0, 0, 6, 1, 0, 0}, PXE{HasControl: true}, true},
		{"MTFTP only", []byte{1, 4, 224, 0, 0, 1, 255}, PXE{}, true},
		{"last server cut", []byte{8, 9, 0, 0, 1, 10, 0, 0, 2, 0, 0, 255}, PXE{Servers: []PXEServer{{Addrs: []wire.Addr{a}}}}, true},
		{"empty", nil, PXE{}, false},
		{"only END", []byte{255, 6, 1, 8}, PXE{}, false},
		{"overrun", []byte{6, 1, 8, 9, 200, 1}, PXE{}, false},
		{"another vendor", []byte{241, 4, 1, 2, 3, 4, 255}, PXE{}, false},
		{"control of two bytes", []byte{6, 2, 8, 0, 255}, PXE{}, false},
		{"text", []byte("vendor text"), PXE{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParsePXE(tt.b)
			if ok != tt.ok {
				t.Errorf("ok = %v, want %v", ok, tt.ok)
			}
			if diff := cmp.Diff(tt.want, got); ok && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzPXE(f *testing.F) {
	f.Add([]byte{6, 1, 8, 255})
	f.Add([]byte{8, 7, 0x80, 0, 1, 10, 0, 0, 2, 9, 5, 0x80, 0, 2, 'g', 'o', 10, 3, 255, 'F', '8', 71, 4, 0x80, 0, 0, 0, 255})
	f.Add([]byte{9, 255, 0, 0, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := ParsePXE(b)
		n := len(p.Prompt)
		for _, s := range p.Servers {
			n += 3 + 4*len(s.Addrs)
		}
		for _, i := range p.Menu {
			n += 3 + len(i.Text)
		}
		if n > len(b) {
			t.Errorf("%d bytes of values from %d bytes", n, len(b))
		}
		if !ok && (p.HasItem || p.HasControl) {
			t.Errorf("not ok, but %+v", p)
		}
	})
}

func TestArch(t *testing.T) {
	for _, tt := range []struct {
		code       int
		name       string
		uefi, http bool
	}{
		{-1, "", false, false}, {0, "x86 BIOS", false, false}, {7, "x64 UEFI", true, false}, {9, "EBC (x64 UEFI)", true, false},
		{11, "ARM 64-bit UEFI", true, false}, {14, "POWER OPAL v3", false, false}, {16, "x64 UEFI HTTP", true, true},
		{20, "x86 BIOS HTTP", false, true}, {22, "ARM 64-bit U-Boot", false, false}, {24, "ARM 64-bit U-Boot HTTP", false, true},
		{27, "RISC-V 64-bit UEFI", true, false}, {28, "RISC-V 64-bit UEFI HTTP", true, true}, {31, "s390 Basic", false, false},
		{40, "LoongArch 64-bit UEFI HTTP", true, true}, {41, "ARM rpiboot", false, false}, {42, "architecture 42", false, false},
		{65535, "architecture 65535", false, false},
	} {
		if got := ArchName(tt.code); got != tt.name {
			t.Errorf("ArchName(%d) = %q, want %q", tt.code, got, tt.name)
		}
		if got := ArchUEFI(tt.code); got != tt.uefi {
			t.Errorf("ArchUEFI(%d) = %v, want %v", tt.code, got, tt.uefi)
		}
		if got := ArchHTTP(tt.code); got != tt.http {
			t.Errorf("ArchHTTP(%d) = %v, want %v", tt.code, got, tt.http)
		}
	}
}

func TestLoaderFits(t *testing.T) {
	for _, tt := range []struct {
		arch        int
		file        string
		fits, known bool
	}{
		{0, "pxelinux.0", true, true}, {0, "tftpboot/undionly.kpxe", true, true}, {0, `boot\x64\wdsnbp.com`, true, true},
		{0, "bootx64.efi", false, true}, {0, "SNPONLY.EFI", false, true}, {0, "boot", false, false}, {0, "", false, false},
		{7, "bootx64.efi", true, true}, {9, "xcat/xnba.efi", true, true}, {6, "bootia32.efi", true, true},
		{7, "pxelinux.0", false, true}, {7, "undionly.kpxe", false, true}, {7, "bootaa64.efi", false, true}, {7, "shim", false, false},
		{7, "http://10.0.0.2/ipxe.efi?mac=1.0", true, true},
		{11, "grubaa64.efi", true, true}, {11, "bootx64.efi", false, true}, {11, "ipxe-arm64.efi", true, true}, {11, "ipxe.efi", false, false}, {11, "grub2.aarch64", true, true},
		{14, "core.elf", true, true}, {14, "pxelinux.0", false, true}, {14, "bootx64.efi", false, true}, {14, "vmlinux", false, false},
		{16, "http://10.0.0.2/bootx64.efi", true, true}, {16, "HTTPS://boot/x.efi", true, true}, {16, "bootx64.efi", false, true},
		{22, "bootx64.efi", false, false}, {-1, "pxelinux.0", false, false},
	} {
		if fits, known := LoaderFits(tt.arch, tt.file); fits != tt.fits || known != tt.known {
			t.Errorf("LoaderFits(%d, %q) = %v, %v, want %v, %v", tt.arch, tt.file, fits, known, tt.fits, tt.known)
		}
	}
}
