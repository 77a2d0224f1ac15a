// Command pxescope tells why a machine does not boot from the network.
package main

import (
	"os"

	"github.com/pxescope/pxescope/cmd/internal/cli"
)

func main() {
	paceCollector()
	os.Exit(cli.Run(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
