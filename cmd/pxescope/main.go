// Command pxescope tells why a machine does not boot from the network.
package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/pxescope/pxescope/cmd/internal/cli"
)

func main() {
	// The first collection comes at 16 MB, which most runs never reach. From then
	// on they come five times as often as by default: per packet nothing is
	// allocated, so that costs little and keeps the peak near what is live.
	debug.SetGCPercent(400)
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, 20)
	os.Exit(cli.Run(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
