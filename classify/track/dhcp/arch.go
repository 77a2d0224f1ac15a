package dhcp

import (
	"strconv"
	"strings"
)

// archNames are IANA's "Processor Architecture Types" (RFC 5970 section 3.3),
// option 93 of DHCPv4 and 61 of DHCPv6.
var archNames = [...]string{
	"x86 BIOS", "NEC PC-98", "Itanium", "DEC Alpha", "ArcX86", "Intel Lean Client",
	"x86 UEFI", "x64 UEFI", "EFI Xscale", "EBC (x64 UEFI)", "ARM 32-bit UEFI", "ARM 64-bit UEFI",
	"PowerPC Open Firmware", "PowerPC ePAPR", "POWER OPAL v3",
	"x86 UEFI HTTP", "x64 UEFI HTTP", "EBC HTTP", "ARM 32-bit UEFI HTTP", "ARM 64-bit UEFI HTTP",
	"x86 BIOS HTTP", "ARM 32-bit U-Boot", "ARM 64-bit U-Boot", "ARM 32-bit U-Boot HTTP", "ARM 64-bit U-Boot HTTP",
	"RISC-V 32-bit UEFI", "RISC-V 32-bit UEFI HTTP", "RISC-V 64-bit UEFI", "RISC-V 64-bit UEFI HTTP",
	"RISC-V 128-bit UEFI", "RISC-V 128-bit UEFI HTTP", "s390 Basic", "s390 Extended",
	"MIPS 32-bit UEFI", "MIPS 64-bit UEFI", "Sunway 32-bit UEFI", "Sunway 64-bit UEFI",
	"LoongArch 32-bit UEFI", "LoongArch 32-bit UEFI HTTP", "LoongArch 64-bit UEFI", "LoongArch 64-bit UEFI HTTP",
	"ARM rpiboot",
}

// Architecture codes that several places need.
const (
	ArchBIOS   = 0
	ArchUEFI32 = 6
	ArchUEFI64 = 7
	ArchEBC    = 9 // sent by x64 firmware too, RFC 4578 errata
)

// ArchName is the registered name of an architecture code in short, or its
// number; empty for -1, no option 93.
func ArchName(code int) string {
	if code < 0 {
		return ""
	}
	if code < len(archNames) {
		return archNames[code]
	}
	return "architecture " + strconv.Itoa(code)
}

// ArchUEFI reports whether the client is UEFI firmware.
func ArchUEFI(code int) bool {
	switch {
	case code == 2, code >= 6 && code <= 11, code >= 15 && code <= 19:
		return true
	case code >= 25 && code <= 30, code >= 33 && code <= 40:
		return true
	}
	return false
}

// ArchHTTP reports whether the client wants a URL, to boot over HTTP.
func ArchHTTP(code int) bool {
	switch code {
	case 15, 16, 17, 18, 19, 20, 23, 24, 26, 28, 30, 38, 40:
		return true
	}
	return false
}

// LoaderFits reports whether a boot file suits an architecture. known is false
// where the name does not tell: names are the operator's choice, so only the
// usual ones are judged.
func LoaderFits(arch int, file string) (fits, known bool) {
	if file == "" || arch < 0 {
		return false, false
	}
	if ArchHTTP(arch) {
		return isURL(file), true
	}
	name := strings.ToLower(file)
	if isURL(name) {
		name, _, _ = strings.Cut(name, "?")
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	efi, bios := strings.HasSuffix(name, ".efi"), hasSuffix(name, biosSuffixes)
	arm := contains(name, armMarks)
	switch {
	case arch == ArchBIOS:
		if bios {
			return true, true
		}
		return false, efi
	case arch == ArchUEFI32 || arch == ArchUEFI64 || arch == ArchEBC:
		switch {
		case bios, arm:
			return false, true
		case efi:
			return true, true
		}
	case arch == 10 || arch == 11:
		switch {
		case bios, contains(name, x86Marks):
			return false, true
		case arm:
			return true, true
		}
	case arch >= 12 && arch <= 14:
		switch {
		case efi, bios:
			return false, true
		case name == "bootppc64.bin", name == "core.elf":
			return true, true
		}
	}
	return false, false
}

var (
	biosSuffixes = []string{".0", ".pxe", ".kpxe", ".kkpxe", ".kkkpxe", ".lkrn", ".n12", ".com"}
	armMarks     = []string{"aa64", "arm64", "aarch64", "armhf", "bootarm", "arm32"}
	x86Marks     = []string{"x64", "x86_64", "amd64", "ia32", "i386"}
)

func isURL(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

func hasSuffix(s string, suffixes []string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

func contains(s string, marks []string) bool {
	for _, x := range marks {
		if strings.Contains(s, x) {
			return true
		}
	}
	return false
}
