package pcapfile_test

import (
	"bytes"
	"fmt"
	"io"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// Several captures are one timeline; here one that comes on standard input.
func ExampleOpen() {
	var file bytes.Buffer
	w, err := pcapfile.NewPcapWriter(&file, capture.LinkEthernet, 0, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 2 {
		w.WritePacket(&capture.Packet{Time: capture.Time(i) * 1e9, Link: capture.LinkEthernet, Data: make([]byte, 60)})
	}

	t, err := pcapfile.Open([]string{"-"}, pcapfile.Options{Stdin: &file})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	var p capture.Packet
	for t.Next(&p) != io.EOF {
		fmt.Println(t.Files()[p.ID.File()].Name, "frame", p.ID.Number(), p.Time.Std().Format("05.000"), p.Link, len(p.Data))
	}
	// Output:
	// - frame 1 00.000 EN10MB 60
	// - frame 2 01.000 EN10MB 60
}

// Where damage ends a stream, the error says the frame and the reason.
func ExampleReader_Next() {
	var file bytes.Buffer
	w, err := pcapfile.NewPcapWriter(&file, capture.LinkEthernet, 0, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	w.WritePacket(&capture.Packet{Link: capture.LinkEthernet, Time: 1e9, Data: make([]byte, 60)})
	file.WriteString("and half a record")

	r, err := pcapfile.NewReader(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	var p capture.Packet
	for err = r.Next(&p); err == nil; err = r.Next(&p) {
		fmt.Println("frame", p.ID.Number())
	}
	fmt.Println(err)
	// Output:
	// frame 1
	// frame 2 (byte 100): record length 1914724640 exceeds the limit of 16777216 bytes
}
