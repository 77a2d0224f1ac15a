package text

import (
	"io"

	"github.com/pxescope/pxescope/capture/live"
)

// Devices lists interfaces, one a line.
func Devices(w io.Writer, list []live.Device, s Style) error {
	rows := make([][]string, len(list))
	for i, d := range list {
		state, addr, may := d.State, "", "yes"
		for j, a := range d.Addrs {
			if j > 0 {
				addr += " "
			}
			addr += a.String()
		}
		if !d.Permitted {
			may = "no: " + Escape(d.Why)
		}
		rows[i] = []string{Escape(d.Name), state, d.Link.String(), d.MAC, addr, may}
	}
	_, err := io.WriteString(w, s.table([]string{"INTERFACE", "STATE", "LINK TYPE", "MAC", "ADDRESSES", "CAPTURE"}, rows, 6))
	return err
}
