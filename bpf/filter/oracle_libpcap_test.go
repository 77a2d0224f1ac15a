//go:build libpcap

package filter

import (
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcap"
	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

const oracleName = "libpcap"

func askOracle(text string, link capture.LinkType) ([]bpf.RawInstruction, error) {
	n := int(link)
	if n > 255 { // gopacket's LinkType is a byte
		return askTcpdump(text, link)
	}
	if link == capture.LinkRaw {
		n = int(capture.LinkRawBSD) // DLT_RAW of Linux
	}
	p, err := pcap.CompileBPFFilter(layers.LinkType(n), DefaultSnaplen, text)
	if err != nil {
		return nil, &errRefused{err.Error()}
	}
	out := make([]bpf.RawInstruction, len(p))
	for i, in := range p {
		out[i] = bpf.RawInstruction{Op: in.Code, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return out, nil
}
