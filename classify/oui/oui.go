// Package oui names the maker of a network card by its Ethernet address.
//
// The table is IEEE's public listing of MA-L, MA-M, MA-S and IAB assignments,
// with the legal forms of the names left out. It is decoded on the first look-up
// that needs it, so a program that never asks pays nothing.
package oui

import (
	"bytes"
	"compress/flate"
	_ "embed" // table.flate
	"encoding/binary"
	"io"
	"slices"
	"sync"

	"github.com/pxescope/pxescope/classify/wire"
)

//go:generate go run gen.go

//go:embed table.flate
var packed []byte

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
	return decoded().vendor(mac)
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

// A table holds the blocks of each size: 36, 28 and 24 bits.
type table [3]struct {
	prefixes []uint64 // ascending, the leading bits of the address
	names    []string
}

var blockBits = [3]uint{36, 28, 24}

func (t *table) vendor(mac wire.MAC) string {
	addr := uint64(binary.BigEndian.Uint32(mac[:]))<<16 | uint64(binary.BigEndian.Uint16(mac[4:]))
	for i, bits := range blockBits {
		if j, ok := slices.BinarySearch(t[i].prefixes, addr>>(48-bits)); ok {
			return t[i].names[j]
		}
	}
	return ""
}

var decoded = sync.OnceValue(func() *table {
	t, err := decode(packed)
	if err != nil {
		// The data is compiled in and a test reads all of it.
		panic("oui: embedded table: " + err.Error())
	}
	return t
})

// decode reads what gen.go writes: a deflate stream of the number of names,
// the names each ended by a newline, then for each block size the number of
// blocks, the distance of each prefix from the one before it, and the index of
// each name; numbers are uvarints, indices 16 bits in network order.
func decode(packed []byte) (*table, error) {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, err
	}
	r := bytes.NewBuffer(raw)
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	names := make([]string, n)
	for i := range names {
		b, err := r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		names[i] = string(b[:len(b)-1])
	}
	t := new(table)
	for i := range t {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		b := &t[i]
		b.prefixes, b.names = make([]uint64, n), make([]string, n)
		var prefix uint64
		for j := range b.prefixes {
			d, err := binary.ReadUvarint(r)
			if err != nil {
				return nil, err
			}
			prefix += d
			b.prefixes[j] = prefix
		}
		for j := range b.names {
			k := r.Next(2)
			if len(k) < 2 {
				return nil, io.ErrUnexpectedEOF
			}
			b.names[j] = names[binary.BigEndian.Uint16(k)]
		}
	}
	return t, nil
}
