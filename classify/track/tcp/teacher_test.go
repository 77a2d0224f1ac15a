package tcp_test

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A teacher expects NFS on the port that its first frame goes to.
type teacher struct{}

func (teacher) Frame(f *wire.Frame, out *track.Out) bool {
	out.Expect(track.Expectation{
		Proto: f.Proto, Addr: f.Dst, Port: f.DstPort, Server: true, Service: "nfs", Tracker: "teacher", Until: track.Never,
	})
	return true
}
func (teacher) Deadline() capture.Time          { return track.Never }
func (teacher) Expire(capture.Time, *track.Out) {}
func (teacher) Finish(capture.Time, *track.Out) {}
func (teacher) Count(*track.Counts)             {}
func (teacher) Evicted() uint64                 { return 0 }
