package follow

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Listing writes the program as it is loaded on a little-endian machine one instruction a line, for people who want to know what
// runs in their kernel.
func Listing(out io.Writer, c Config) error {
	c, err := c.complete()
	if err != nil {
		return err
	}
	m := c.machine()
	m.order, m.coarse = binary.LittleEndian, true
	m.table, m.counts, m.clients, m.servers, m.calls, m.frags = 3, 4, 5, 6, 7, 8
	ins := emit(m)
	_, err = fmt.Fprintf(out, "; %d instructions; map 3: table, 4: counters, 5: clients, 6: servers, 7: calls, 8: fragments\n%v", len(ins), ins)
	return err
}

// machine is what of a configuration the program has in it.
func (c *Config) machine() machine {
	return machine{snap: c.SnapLen, tftp: int64(c.TFTPFor), rpc: int64(c.RPCFor), told: c.told}
}
