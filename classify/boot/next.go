package boot

import (
	"fmt"
	"strings"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// next names the packet that should have come next: the answer that the root
// cause is about, else what follows the last step.
func (n *Node) next(root *finding.Finding) string {
	var s *track.Exchange
	if root != nil {
		switch {
		case root.Rule == RuleNoLoad && n.Lease != nil:
			return loadOf(n.Lease)
		case root.Rule == RuleARPNoAnswer:
			return "an ARP reply for " + root.Server.Addr.String()
		case root.Rule == RuleWrongLoader, root.Rule == RuleChainloadLoop:
			return "the loader's own first request: another file, or its DHCPDISCOVER"
		case root.Rule == RuleRebootLoop:
			return "a DHCPDISCOVER of the system that was loaded"
		case root.Rule.Rank == finding.RankRogue && root.Rule.ID != "dhcp-nak":
			return "a lease with boot information from a server of this place"
		}
		s = n.stepOf(root)
		if s == nil && root.Rule.Absence && root.Rule.Rank >= finding.RankLoad && !root.Server.Addr.IsZero() {
			return "an answer from " + root.Server.Addr.String() // the exchange is still open: it is tried again
		}
	}
	for i := len(n.Steps) - 1; s == nil && i >= 0; i-- {
		if n.Steps[i].Stage != track.StageUnknown {
			s = n.Steps[i]
		}
	}
	if s == nil {
		return ""
	}
	switch s.Outcome {
	case track.Unanswered, track.Open:
		return answerTo(s)
	case track.Refused:
		return acceptance(s)
	}
	switch s.Op {
	case "DISCOVER":
		return "a DHCPREQUEST from the node"
	case "REQUEST", "BINL", "BOOT-SERVER":
		if s.Lease != nil && s.Lease.Kind.Boots() {
			return loadOf(s.Lease)
		}
	case "RRQ":
		if !s.Complete {
			return "the next DATA block from " + s.Server.Addr.String()
		}
		return "the next stage's first request: DHCPDISCOVER of the loader, or its configuration file"
	case "GETPORT":
		return "a MOUNT call to the port that portmap told"
	case "MNT":
		return "NFS calls to " + s.Server.Addr.String()
	case "CONNECT":
		if root != nil {
			return "data from " + s.Server.Addr.String()
		}
	}
	return ""
}

// acceptance is what should have come in place of a refusal.
func acceptance(s *track.Exchange) string {
	switch s.Op {
	case "REQUEST", "RENEW":
		return "a DHCPDISCOVER from the node, and a lease that the server grants"
	case "RRQ":
		return fmt.Sprintf("OACK or the first DATA block of %q from %s", s.Subject, s.Server.Addr)
	}
	return answerTo(s) + " that accepts"
}

func loadOf(l *track.Lease) string {
	if len(l.BootServers) == 0 || l.File == "" {
		return "a request for the boot file"
	}
	if strings.Contains(l.File, "://") {
		return fmt.Sprintf("a request for %q", l.File)
	}
	return fmt.Sprintf("a TFTP read request for %q to %s", l.File, l.BootServers[0])
}

func answerTo(s *track.Exchange) string {
	from := ""
	if a := s.Server.Addr; !a.IsZero() && !a.IsMulticast() {
		from = " from " + a.String()
	}
	switch s.Op {
	case "DISCOVER":
		return "a DHCPOFFER"
	case "REQUEST", "RENEW", "INFORM", "BINL", "BOOT-SERVER":
		return "a DHCPACK" + from
	case "BOOTP":
		return "a BOOTREPLY"
	case "RRQ", "WRQ":
		return "OACK or the first DATA block" + from
	case "CONNECT":
		return "SYN, ACK" + from
	case "GETPORT":
		return "the portmap reply" + from
	case "MNT":
		return "the MOUNT reply" + from
	case "NFS":
		return "the NFS reply" + from
	}
	return "an answer" + from
}
