// Package boot joins exchanges into one timeline per node: which machine it
// is, how far it came, what should have come next, and the findings that only
// the joined view can show (a loop, a load that never started, the wrong
// loader).
//
// The one invariant: boot never looks into packets. It reads exchanges, in
// the order of traffic time, and keeps what they say of each node.
package boot

import (
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Key names a node: by MAC, or by address where a router hides the MAC.
// Exactly one field is set.
type Key struct {
	MAC  wire.MAC
	Addr wire.Addr
}

// IsZero reports whether k names nobody.
func (k Key) IsZero() bool { return k == Key{} }

// Bounds of what is kept of one node. The first steps tell how the boot began
// and the last ones where it stopped; between them steps are dropped, counted.
const (
	maxSteps = 256
	maxAddrs = 16
	maxVLANs = 8
	maxFiles = 32
)

// A Node is one machine and its boot so far.
type Node struct {
	Key
	Addrs    []wire.Addr // in the order of being learnt
	Hostname string
	Arch     int // RFC 4578 option 93, -1 unknown
	Kind     track.ClientKind
	VLANs    []uint16
	Iface    int
	Boots    []Boot            // firmware starts, the current one last
	Steps    []*track.Exchange // one by one: a list of values leaves a smaller list behind whenever it grows
	Dropped  int               // steps dropped in the middle
	Stage    track.Stage
	Lease    *track.Lease // last acknowledged lease that has boot information
	Renewed  bool         // acts as a running system that renews its lease
	// Version is another one, never seen before, whenever the node may have
	// become different.
	Version uint64

	given     *track.Lease // last acknowledged lease of any kind
	asked     *track.Lease // what the client last said of itself
	ackAt     capture.Time
	ackFrames []capture.FrameID
	loading   bool             // something was fetched, or tried, after the last lease
	loaded    bool             // a loader, kernel or root came over since the firmware started
	noLoad    finding.Endpoint // server of the no-load-after-ack that was said
	loader    load             // last complete loader transfer, while its effect is awaited
	blamed    bool             // wrong-loader-for-architecture was said of it
	ledBack   string           // loader that does not suit the machine, after which the firmware started again
	loads     []load
	starts    int  // firmware starts, ever
	looping   bool // reboot-loop was said
	inVain    bool // second-stage-dhcp-fails was said of the search that goes on
	misplaced bool // wrong-vlan was said
	os        bool // the operating system or installer asked for an address after a load
	rank      rank
	wait      waiting
	due       capture.Time // when what it waits for is overdue
	watch     watch
}

// A Boot is one firmware start.
type Boot struct {
	At     capture.Time
	Stage  track.Stage // furthest of this boot
	System bool        // an operating system or installer got its address
	Frames []capture.FrameID
	kinds  uint8 // kinds of firmware that searched, a bit each: PXE falls back to HTTP
}

// A load is a file that came over completely.
type load struct {
	file   string
	at     capture.Time
	server finding.Endpoint
	frames []capture.FrameID
	ipxe   bool // an iPXE-class DHCP exchange came after it
	start  int  // firmware starts before it
}

// waiting says what a node's deadline is for.
type waiting uint8

const (
	waitNothing waiting = iota
	waitLoad            // the first loader packet after an ACK with boot information
	waitNext            // the stage after a loader that does not suit the machine
)

func (n *Node) endpoint() finding.Endpoint {
	e := finding.Endpoint{MAC: n.MAC, Addr: n.Addr}
	if e.Addr.IsZero() && len(n.Addrs) > 0 {
		e.Addr = n.Addrs[len(n.Addrs)-1]
	}
	return e
}

func (n *Node) addAddr(a wire.Addr) bool {
	if a.IsZero() || slices.Contains(n.Addrs, a) {
		return false
	}
	if len(n.Addrs) == maxAddrs {
		n.Addrs = append(n.Addrs[:1], n.Addrs[2:]...)
	}
	n.Addrs = append(n.Addrs, a)
	return true
}

func (n *Node) addVLAN(v uint16) {
	if !slices.Contains(n.VLANs, v) && len(n.VLANs) < maxVLANs {
		n.VLANs = append(n.VLANs, v)
	}
}

// addStep puts x into the timeline: as a new state of a step that was reported
// before, as one more of a run of like steps, or at the end.
func (n *Node) addStep(x *track.Exchange) {
	last := len(n.Steps) - 1
	for i := last; i >= 0; i-- {
		s := n.Steps[i]
		if i != last && s.First != x.First {
			continue
		}
		same := s.Op == x.Op && s.Subject == x.Subject && sameServer(s.Server, x.Server)
		if same && s.First == x.First {
			*s = *x
			return
		}
		// A file that was broken off (a question for its size) and then fetched is two steps.
		if same && i == last && s.Outcome == x.Outcome && s.Complete == x.Complete && s.Op != "REQUEST" {
			s.Tries += x.Tries
			s.Overdue += x.Overdue
			s.Last = max(s.Last, x.Last)
			s.Bytes += x.Bytes
			for _, f := range x.Frames {
				s.Frames = finding.AppendFrame(s.Frames, f)
			}
			if x.Detail != "" {
				s.Detail = x.Detail
			}
			return
		}
	}
	if len(n.Steps) >= maxSteps {
		n.Steps = slices.Delete(n.Steps, maxSteps/2, maxSteps/2+1)
		n.Dropped++
	}
	s := *x
	n.Steps = append(n.Steps, &s)
}

func sameServer(a, b finding.Endpoint) bool {
	return a.Addr == b.Addr && (a.MAC == b.MAC || !a.Addr.IsZero())
}

func (n *Node) reach(s track.Stage) {
	n.Stage = max(n.Stage, s)
	if len(n.Boots) > 0 {
		b := &n.Boots[len(n.Boots)-1]
		b.Stage = max(b.Stage, s)
	}
}
