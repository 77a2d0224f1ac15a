package frag

import "github.com/pxescope/pxescope/classify/finding"

// RuleLost: the fragments of a flow's datagrams never all arrive.
var RuleLost = &finding.Rule{
	ID:         "fragments-lost",
	Ref:        "FM-39",
	Severity:   finding.Error,
	Confidence: finding.Likely,
	Title:      "IP fragments are lost",
	Detect: "At least \"fragments\" datagrams of one flow whose first fragment was captured and whose rest was not, two seconds after the first fragment, and " +
		"no fragmented datagram of that flow that was complete. Only when the capture holds later fragments of some flow. An error for a known service, a note for any other flow.",
	Means: "In order of likelihood: a firewall or access list on the way drops fragments, which have no ports to match; a link with a smaller MTU or an overlay drops the full-size " +
		"ones; a network card or switch runs out of buffers at a burst of fragments. The receiver gets nothing at all: a datagram with a missing fragment is thrown away whole.",
	Next: "Make the datagrams fit: TFTP block size 1428 or less, rsize and wsize of 1024 for NFS over UDP, or use TCP. Then look for a rule on the path that drops fragments.",
	Traps: "Not reported: captures without a single later fragment, because a capture filter on ports drops them all; fragments cut by the snap length; a flow in which other fragmented " +
		"datagrams were complete, which is ordinary loss; datagrams still on their way when the capture ends.",
	References: []string{"RFC 791 section 3.2", "RFC 8900 section 3.7", "RFC 1350 section 2"},
	Absence:    true,
	Rank:       finding.RankTransfer,
}
