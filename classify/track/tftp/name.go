package tftp

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/pxescope/pxescope/classify/lazy"
)

// A kind is what a file is to a boot, told by its name.
type kind uint8

const (
	kindOther kind = iota
	kindLoader
	kindKernel // kernel, initial ramdisk, image
	kindConfig
)

var kindNames = [...]string{"file", "loader", "kernel or image", "configuration"}

func (k kind) String() string { return kindNames[k] }

// A listID is a search list: names that a client asks for one after the other
// and of which most are not there.
type listID uint8

const (
	listNone listID = iota
	listPXELINUX
	listGRUBConfig
	listGRUBFiles
	listIPXE
	listShim
	listWindows
)

var listNames = [...]string{
	listPXELINUX: "PXELINUX configuration", listGRUBConfig: "GRUB configuration", listGRUBFiles: "GRUB module lists",
	listIPXE: "iPXE scripts", listShim: "shim's optional files", listWindows: "optional files of the Windows boot manager",
}

func (l listID) String() string { return listNames[l] }

// A fileName is what a name tells.
type fileName struct {
	kind kind
	list listID
	dir  string // that the list is searched in
	last bool   // the list ends with this element: when it is missing too, nothing is left
}

var (
	uuidRE     = lazy.Regexp(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	macRE      = lazy.Regexp(`(?:[0-9a-f]{2}[-:]){5}[0-9a-f]{2}|(?:^|[^0-9a-f])[0-9a-f]{12}(?:$|[^0-9a-f])`)
	hexIPRE    = lazy.Regexp(`^[0-9a-f]{1,8}$`)
	hostnameRE = lazy.Regexp(`^(?:hostname|host|mac|uuid|serial)-`)
)

// classify tells what a file is. Names are compared without case, with / for
// the backslash of the Windows loaders.
func classify(name string) fileName {
	p := strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	dir, base := path.Split(p)
	if i := strings.LastIndex(p, "pxelinux.cfg/"); i >= 0 {
		return pxelinuxName(p[:i+len("pxelinux.cfg/")], p[i+len("pxelinux.cfg/"):])
	}
	switch {
	case strings.HasPrefix(base, "grub.cfg"):
		return grubName(dir, base)
	case strings.HasPrefix(base, "ipxe.cfg-"):
		return fileName{kind: kindConfig, list: listIPXE, dir: dir, last: strings.HasPrefix(base, "ipxe.cfg-default")}
	case strings.HasSuffix(base, ".ipxe") && (base == "autoexec.ipxe" || macRE().MatchString(base) || uuidRE().MatchString(base) || hostnameRE().MatchString(base)):
		return fileName{kind: kindConfig, list: listIPXE, dir: dir}
	case strings.HasSuffix(base, ".lst"), strings.HasSuffix(base, ".pf2"), strings.HasSuffix(base, ".gmo"), strings.HasSuffix(base, ".mo"):
		return fileName{list: listGRUBFiles}
	case base == "revocations.efi", strings.HasPrefix(base, "shim_certificate") && strings.HasSuffix(base, ".efi"):
		return fileName{list: listShim}
	case base == "hiberfil.sys", strings.HasSuffix(base, ".ttf"), strings.HasSuffix(base, ".mui"):
		return fileName{list: listWindows}
	}
	return fileName{kind: kindOf(p, base)}
}

// pxelinuxName: UUID, hardware type and MAC, the address in 8 to 1 hexadecimal
// digits, then "default" (syslinux, core/fs/pxe); U-Boot tries default-ARCH-...
// before it.
func pxelinuxName(dir, element string) fileName {
	n := fileName{kind: kindConfig, list: listPXELINUX, dir: dir}
	switch {
	case element == "default":
		n.last = true
	case uuidRE().MatchString(element), macRE().MatchString(element), hexIPRE().MatchString(element), strings.HasPrefix(element, "default-"):
	default:
		n.list = listNone // a file that a configuration names
	}
	return n
}

// grubName: Red Hat's grub.cfg-01-MAC, grub.cfg-HEXIP, grub.cfg; MAAS's
// grub.cfg, grub.cfg-MAC, grub.cfg-default-ARCH.
func grubName(dir, base string) fileName {
	n := fileName{kind: kindConfig, list: listGRUBConfig, dir: dir}
	rest := strings.TrimPrefix(base, "grub.cfg")
	switch {
	case rest == "", strings.HasPrefix(rest, "-default-"):
		n.last = true
	case strings.HasPrefix(rest, "-") && (macRE().MatchString(rest) || uuidRE().MatchString(rest) || hexIPRE().MatchString(rest[1:])):
	default:
		n.list = listNone
	}
	return n
}

func kindOf(p, base string) kind {
	ext := strings.TrimPrefix(path.Ext(base), ".")
	switch ext {
	case "efi", "0", "kpxe", "kkpxe", "kkkpxe", "pxe", "lkrn", "c32", "n12", "com", "elf", "e32", "e64", "xnba":
		return kindLoader
	case "cfg", "conf", "ipxe", "gpxe", "menu", "ks", "xml", "sif", "yaml", "scr":
		return kindConfig
	case "img", "gz", "xz", "zst", "cpio", "squashfs", "wim", "sdi", "iso", "dtb", "dsk", "uimg":
		return kindKernel
	}
	switch {
	case strings.HasPrefix(base, "bootmgr"), strings.HasPrefix(base, "wdsmgfw"), strings.HasPrefix(base, "undionly"), strings.HasPrefix(base, "snponly"),
		strings.HasPrefix(base, "bootx64"), strings.HasPrefix(base, "bootppc64"), strings.HasPrefix(base, "core."), strings.HasPrefix(base, "yaboot"):
		return kindLoader
	case strings.Contains(base, "vmlinu"), strings.Contains(base, "initr"), strings.Contains(base, "bzimage"), strings.Contains(base, "boot-kernel"),
		strings.HasPrefix(base, "linux"), strings.HasPrefix(base, "kernel"), strings.HasPrefix(base, "zimage"), base == "image", strings.HasPrefix(base, "genesis."):
		return kindKernel
	case base == "bcd", strings.Contains(p, "/nodes/"), strings.Contains(p, ".cfg"):
		return kindConfig
	}
	return kindOther
}

// garbled reports whether a name holds what no configuration writes: control
// characters, or bytes that are no UTF-8, such as option 255 read as a part of
// option 67.
func garbled(name string) bool {
	if !utf8.ValidString(name) {
		return true
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return true
		}
	}
	return false
}

// junkAfter returns the loader of served that name is, plus letters or digits
// directly after its end: a second stage derived from a buffer without its NUL.
func junkAfter(name string, served []string) string {
	for _, s := range served {
		if len(name) > len(s) && strings.HasPrefix(name, s) && kindOf(s, path.Base(s)) == kindLoader && path.Ext(s) != "" && alphanumeric(name[len(s)]) {
			return s
		}
	}
	return ""
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// alternatives reports whether a client that misses a and then gets b has what
// it wanted: the same list, the same file elsewhere, or of the same kind and
// make. A kernel does not stand in for an initial ramdisk.
func alternatives(a, b string) bool {
	x, y := classify(a), classify(b)
	if x.list != listNone && x.list == y.list && x.dir == y.dir {
		return true
	}
	pa, pb := strings.ToLower(strings.ReplaceAll(a, `\`, "/")), strings.ToLower(strings.ReplaceAll(b, `\`, "/"))
	if path.Base(pa) == path.Base(pb) {
		return true
	}
	if x.kind != y.kind || x.kind == kindOther {
		return false
	}
	if x.kind == kindKernel {
		return stem(path.Base(pa)) == stem(path.Base(pb))
	}
	return path.Ext(pa) != "" && path.Ext(pa) == path.Ext(pb)
}

// stem is the word that a kernel's or ramdisk's name starts with.
func stem(base string) string {
	for i := 0; i < len(base); i++ {
		if base[i] < 'a' || base[i] > 'z' {
			return base[:i]
		}
	}
	return base
}

// nearest picks from served, oldest first, the name that is most like name, or
// nothing when none is.
func nearest(name string, served []string) string {
	low := strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	best, score := "", 0
	for _, s := range served {
		c := strings.ToLower(strings.ReplaceAll(s, `\`, "/"))
		n := 0
		switch {
		case s == name:
			continue
		case c == low:
			n = 1000 // only case or slashes differ
		case path.Base(c) == path.Base(low):
			n = 500
		case path.Ext(c) == path.Ext(low) && common(c, low)*2 >= len(low):
			n = common(c, low)
		}
		if n > 0 && n >= score {
			best, score = s, n
		}
	}
	return best
}

func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
