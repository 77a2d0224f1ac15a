//go:build !libpcap

package filter

import (
	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

const oracleName = "tcpdump -ddd"

func askOracle(text string, link capture.LinkType) ([]bpf.RawInstruction, error) {
	return askTcpdump(text, link)
}
