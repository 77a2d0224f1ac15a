// Package classify is the engine: it decodes packets, keeps the clock of the
// traffic, hands frames to the trackers, joins what they say into nodes, and
// judges. It knows no input and no output: packets come as capture.Packet, the
// result is a Report.
//
// The one invariant: the same packets in the same order give the same report,
// whether they come from a file or an interface.
package classify

import (
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/arp"
	"github.com/pxescope/pxescope/classify/track/dhcp"
	"github.com/pxescope/pxescope/classify/track/flow"
	"github.com/pxescope/pxescope/classify/track/frag"
	"github.com/pxescope/pxescope/classify/track/icmp"
	"github.com/pxescope/pxescope/classify/track/query"
	"github.com/pxescope/pxescope/classify/track/rpc"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tftp"
)

// Trackers is the one list of protocols. A new protocol is a folder under
// classify/track and a line here.
func Trackers() []track.Spec {
	return []track.Spec{
		dhcp.Spec, tftp.Spec, rpc.Spec, tcp.Spec, arp.Spec, icmp.Spec, frag.Spec, flow.Spec, query.Spec,
	}
}

// Rules are all findings, in the order of the trackers, each once.
func Rules() []*finding.Rule {
	var rules []*finding.Rule
	seen := make(map[*finding.Rule]bool)
	add := func(rs []*finding.Rule) {
		for _, r := range rs {
			if !seen[r] {
				seen[r] = true
				rules = append(rules, r)
			}
		}
	}
	for _, s := range Trackers() {
		add(s.Rules)
	}
	add(boot.Rules)
	return rules
}
