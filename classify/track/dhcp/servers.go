package dhcp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Servers watches who answers: uninvited and several servers, answers that
// disagree, identities used twice, ports that do not forward yet.
type Servers struct {
	cfg *track.Config
}

func newServers(cfg *track.Config) *Servers { return &Servers{cfg: cfg} }

// Message reads one DHCP message that is no copy.
func (s *Servers) Message(f *wire.Frame, m Message, o *Options, out *track.Out) {}

// NoOffer says that a client's DISCOVERs stayed unanswered (dhcp-no-offer).
func (s *Servers) NoOffer(mac wire.MAC, vlan uint16, at capture.Time, out *track.Out) {}

// Link reads one link-layer frame (track.LinkLayer): spanning tree's BPDUs.
func (s *Servers) Link(f *wire.Frame, out *track.Out) {}

// Finish ends the capture.
func (s *Servers) Finish(end capture.Time, out *track.Out) {}

// Evicted is how many live entries were dropped because a table was full.
func (s *Servers) Evicted() uint64 { return 0 }

var serverRules []*finding.Rule
