package tftp

import "testing"

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		name string
		want fileName
	}{
		{"bootx64.efi", fileName{kind: kindLoader}},
		{"pxelinux.0", fileName{kind: kindLoader}},
		{"ldlinux.c32", fileName{kind: kindLoader}},
		{`boot\x64\wdsmgfw.efi`, fileName{kind: kindLoader}},
		{"undionly.kpxe", fileName{kind: kindLoader}},
		{"bootppc64.bin", fileName{kind: kindLoader}},
		{"images/vmlinuz", fileName{kind: kindKernel}},
		{"debian-installer/amd64/linux", fileName{kind: kindKernel}},
		{"images/initrd.img", fileName{kind: kindKernel}},
		{"boot.wim", fileName{kind: kindKernel}},
		{"autoinst/node.cfg", fileName{kind: kindConfig}},
		{"menu.ipxe", fileName{kind: kindConfig}},
		{"boot.msg", fileName{kind: kindOther}},
		{"a8:a1:59:b7:4c:3b/2", fileName{kind: kindOther}},
		{"pxelinux.cfg/default", fileName{kind: kindConfig, list: listPXELINUX, dir: "pxelinux.cfg/", last: true}},
		{"a/pxelinux.cfg/564d332d-8d33-5c80-1a7c-4be5538096e2", fileName{kind: kindConfig, list: listPXELINUX, dir: "a/pxelinux.cfg/"}},
		{"pxelinux.cfg/01-00-0c-29-80-96-e2", fileName{kind: kindConfig, list: listPXELINUX, dir: "pxelinux.cfg/"}},
		{"pxelinux.cfg/C0A8620A", fileName{kind: kindConfig, list: listPXELINUX, dir: "pxelinux.cfg/"}},
		{"pxelinux.cfg/C", fileName{kind: kindConfig, list: listPXELINUX, dir: "pxelinux.cfg/"}},
		{"pxelinux.cfg/default-arm-rpi", fileName{kind: kindConfig, list: listPXELINUX, dir: "pxelinux.cfg/"}},
		{"pxelinux.cfg/install.cfg", fileName{kind: kindConfig, dir: "pxelinux.cfg/"}},
		{"/grub/grub.cfg", fileName{kind: kindConfig, list: listGRUBConfig, dir: "/grub/", last: true}},
		{"grub.cfg-01-52-54-00-12-34-56", fileName{kind: kindConfig, list: listGRUBConfig}},
		{"grub.cfg-0A00", fileName{kind: kindConfig, list: listGRUBConfig}},
		{"grub/grub.cfg-52:54:00:12:34:56", fileName{kind: kindConfig, list: listGRUBConfig, dir: "grub/"}},
		{"grub/grub.cfg-default-amd64", fileName{kind: kindConfig, list: listGRUBConfig, dir: "grub/", last: true}},
		{"/grub/x86_64-efi/command.lst", fileName{list: listGRUBFiles}},
		{"ipxe.cfg-52:54:00:12:34:56", fileName{kind: kindConfig, list: listIPXE}},
		{"ipxe.cfg-default-amd64", fileName{kind: kindConfig, list: listIPXE, last: true}},
		{"MAC-525400123456.ipxe", fileName{kind: kindConfig, list: listIPXE}},
		{"autoexec.ipxe", fileName{kind: kindConfig, list: listIPXE}},
		{"revocations.efi", fileName{list: listShim}},
		{`\hiberfil.sys`, fileName{list: listWindows}},
	} {
		if got := classify(c.name); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestGarbled(t *testing.T) {
	for name, want := range map[string]bool{
		"pxelinux.0": false, "käse/größe.efi": false, "ブート.efi": false, "a b.efi": false, "": false,
		"pxelinux.0\xff": true, "boot\x01.efi": true, "boot\x7f": true, "kaf\xe9.efi": true, "a\u0085b": true, "x\ufffd": true,
	} {
		if got := garbled(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestAlternatives(t *testing.T) {
	for _, c := range []struct {
		missed, got string
		want        bool
	}{
		{"pxelinux.cfg/C0A8", "pxelinux.cfg/default", true},
		{"a/pxelinux.cfg/C0A8", "b/pxelinux.cfg/default", false},
		{"boot/ldlinux.c32", "ldlinux.c32", true},
		{"Boot/BCD", `boot\bcd`, true},
		{"grubx64.efi", "mmx64.efi", true},
		{"custom.ipxe", "default.ipxe", true},
		{"vmlinuz-6.1", "vmlinuz", true},
		{"vmlinuz", "initrd.img", false},
		{"initrd.img", "vmlinuz", false},
		{"grubx64.efi", "grub/grub.cfg", false},
		{"readme", "notes", false},
	} {
		if got := alternatives(c.missed, c.got); got != c.want {
			t.Errorf("%q for %q: got %v, want %v", c.got, c.missed, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	served := []string{"pxelinux.0", "images/ubuntu/vmlinuz", "EFI/bootx64.efi", "grub/grub.cfg"}
	for _, c := range []struct{ name, want string }{
		{"vmlinuz", "images/ubuntu/vmlinuz"},
		{`efi\BOOTX64.EFI`, "EFI/bootx64.efi"},
		{"images/ubuntu/vmlinux", "images/ubuntu/vmlinuz"},
		{"memtest", ""},
		{"pxelinux.0", ""},
	} {
		if got := nearest(c.name, served); got != c.want {
			t.Errorf("nearest to %q: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJunkAfter(t *testing.T) {
	served := []string{"shimx64.efi", "vmlinuz"}
	for _, c := range []struct{ name, want string }{
		{"shimx64.efiOnboard", "shimx64.efi"},
		{"shimx64.efi.signed", ""},
		{"shimx64.efi", ""},
		{"vmlinuz2", ""},
	} {
		if got := junkAfter(c.name, served); got != c.want {
			t.Errorf("%q: got %q, want %q", c.name, got, c.want)
		}
	}
}
