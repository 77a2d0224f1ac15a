// Package oui names the maker of a network card by its Ethernet address.
//
// The table is IEEE's public listing of MA-L, MA-M, MA-S and IAB assignments,
// with the legal forms of the names left out. It is searched where it lies in the
// program, so that it takes no memory and no time at the start.
package oui

import (
	"bytes"
	_ "embed" // table.bin
	"encoding/binary"
	"errors"
	"sort"
	"sync"

	"github.com/pxescope/pxescope/classify/wire"
)

//go:generate go run gen.go

//go:embed table.bin
var embedded string

// virtual are prefixes of virtual machines and containers: what the registry
// says of them, if anything, does not tell what they are.
var virtual = []struct {
	prefix []byte
	name   string
}{
	{[]byte{0x52, 0x54, 0x00}, "QEMU/libvirt"},
	{[]byte{0xfe, 0x54, 0x00}, "libvirt tap"}, // the host's side of a guest's card
	{[]byte{0x52, 0x55, 0x0a}, "QEMU user network"},
	{[]byte{0x00, 0x16, 0x3e}, "Xen/LXD"},
	{[]byte{0xfa, 0x16, 0x3e}, "OpenStack"},
	{[]byte{0x08, 0x00, 0x27}, "VirtualBox"},
	{[]byte{0x0a, 0x00, 0x27}, "VirtualBox host-only"},
	{[]byte{0x00, 0x50, 0x56}, "VMware"},
	{[]byte{0x00, 0x0c, 0x29}, "VMware"},
	{[]byte{0x00, 0x15, 0x5d}, "Microsoft Hyper-V"},
	{[]byte{0x02, 0x42}, "Docker"},
}

// LocallyAdministered is what Vendor says of an address whose U/L bit is set
// and whose prefix is not a known virtual one (IEEE 802-2014 section 8.4).
const LocallyAdministered = "locally administered"

// Vendor is the maker that mac is registered to, in short; empty when it is
// not registered, a group address, or zero.
func Vendor(mac wire.MAC) string {
	if mac.IsZero() || mac.IsGroup() {
		return ""
	}
	for _, v := range virtual {
		if bytes.HasPrefix(mac[:], v.prefix) {
			return v.name
		}
	}
	if mac[0]&2 != 0 {
		return LocallyAdministered
	}
	return whole().vendor(mac)
}

// Virtual reports whether mac belongs to a virtual machine, a container or
// their network by its prefix.
func Virtual(mac wire.MAC) bool {
	for _, v := range virtual {
		if bytes.HasPrefix(mac[:], v.prefix) {
			return true
		}
	}
	return false
}

// A table is what gen.go writes, all numbers in network order: the number of
// names, where each starts, where the last ends, and the names; then for each
// block size the number of blocks, their prefixes, ascending, in as few bytes as
// hold them, and the index of each one's name in 16 bits.
type table struct {
	starts string // 4 bytes each, one more than there are names
	text   string
	blocks [3]blocks
}

// blocks are those of one size.
type blocks struct {
	bits     uint // leading bits of the address
	prefixes string
	names    string
}

var blockBits = [3]uint{36, 28, 24}

// wide is the number of bytes of a prefix.
func (b *blocks) wide() int { return int(b.bits+7) / 8 }

func (b *blocks) len() int { return len(b.names) / 2 }

func (b *blocks) prefix(i int) uint64 {
	return number(b.prefixes[i*b.wide() : (i+1)*b.wide()])
}

// number is one in network order.
func number(s string) (n uint64) {
	for i := range len(s) {
		n = n<<8 | uint64(s[i])
	}
	return n
}

// name is the name of block i of b.
func (t *table) name(b *blocks, i int) string {
	k := 4 * int(number(b.names[2*i:2*i+2]))
	if k+8 > len(t.starts) {
		return ""
	}
	from, to := number(t.starts[k:k+4]), number(t.starts[k+4:k+8])
	if from > to || to > uint64(len(t.text)) {
		return ""
	}
	return t.text[from:to]
}

func (t *table) vendor(mac wire.MAC) string {
	addr := uint64(binary.BigEndian.Uint32(mac[:]))<<16 | uint64(binary.BigEndian.Uint16(mac[4:]))
	for i := range t.blocks {
		b := &t.blocks[i]
		p := addr >> (48 - b.bits)
		if j := sort.Search(b.len(), func(j int) bool { return b.prefix(j) >= p }); j < b.len() && b.prefix(j) == p {
			return t.name(b, j)
		}
	}
	return ""
}

var whole = sync.OnceValue(func() *table {
	t, err := open(embedded)
	if err != nil {
		// The data is compiled in and a test reads all of it.
		panic("oui: embedded table: " + err.Error())
	}
	return t
})

var errLength = errors.New("its parts do not add up to its length")

// open finds the parts of a table.
func open(b string) (*table, error) {
	ok := true
	take := func(n uint64) string {
		if n > uint64(len(b)) {
			ok, n = false, uint64(len(b))
		}
		part := b[:n]
		b = b[n:]
		return part
	}
	t := &table{starts: take(4 * (number(take(4)) + 1))}
	if len(t.starts) >= 4 {
		t.text = take(number(t.starts[len(t.starts)-4:]))
	}
	for i, bits := range blockBits {
		n := number(take(4))
		x := &t.blocks[i]
		x.bits = bits
		x.prefixes = take(n * uint64(x.wide()))
		x.names = take(2 * n)
	}
	if !ok || len(b) != 0 {
		return nil, errLength
	}
	return t, nil
}
