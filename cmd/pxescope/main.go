// Command pxescope tells why a machine does not boot from the network.
package main

import (
	"os"
	"runtime/debug"

	"github.com/pxescope/pxescope/cmd/internal/cli"
)

func main() {
	// Per packet nothing is allocated, so collecting twice as often costs next
	// to nothing and keeps the peak near what is live.
	debug.SetGCPercent(50)
	os.Exit(cli.Run(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
