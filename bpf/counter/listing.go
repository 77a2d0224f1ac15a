package counter

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Listing writes the program of a hook as it is loaded on a little-endian
// machine with two CPUs, one instruction a line, for people who want to know
// what runs in their kernel.
func Listing(w io.Writer, l *Layout, h Hook) error {
	ins := emit(l, place{
		hook: h, order: binary.LittleEndian, cpus: 2, stride: stride(2), egress: block,
		countFD: 3, tableFD: 4, fragsFD: 5,
	})
	_, err := fmt.Fprintf(w, "; %s, %d instructions; map 3: counters, 4: ports, 5: fragments\n%v", h, len(ins), ins)
	return err
}
