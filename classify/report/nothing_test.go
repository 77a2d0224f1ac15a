package report

import (
	"io"

	"github.com/pxescope/pxescope/capture"
)

// nothing is a source without packets.
type nothing struct{}

func (nothing) Next(*capture.Packet) error      { return io.EOF }
func (nothing) Files() []capture.FileInfo       { return nil }
func (nothing) Interfaces() []capture.Interface { return nil }
func (nothing) Close() error                    { return nil }
