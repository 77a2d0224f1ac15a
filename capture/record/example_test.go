package record_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/record"
)

// A ring of two files, as tcpdump -C 1k -W 2 has it.
func ExampleWriter() {
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	size, _ := record.ParseSize("1k")
	w, err := record.Create(record.Options{Path: filepath.Join(dir, "boot.pcapng"), RotateBytes: size, Files: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	ifaces := []capture.Interface{{Name: "eth1", Link: capture.LinkEthernet}}
	for i := range 30 {
		p := capture.Packet{
			ID: capture.NewFrameID(0, uint64(i+1)), Time: capture.Time(i) * capture.Time(time.Second),
			Link: capture.LinkEthernet, WireLen: 60, Data: make([]byte, 60),
		}
		if err := w.Write(&p, ifaces); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := w.Close(ifaces); err != nil {
		fmt.Println(err)
		return
	}
	s := w.Stats()
	fmt.Println(s.Packets, "packets in", s.Files, "files, the last one", filepath.Base(w.Path()))
	// Output: 30 packets in 3 files, the last one boot.pcapng0
}
