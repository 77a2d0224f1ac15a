// Package icmp reads ICMP errors as evidence: who rejects which packet of which
// service (RFC 792, RFC 4443).
//
// The one invariant: an error is judged by the packet that it quotes. One that
// quotes nothing we know, or no ports, says nothing.
package icmp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Spec describes the tracker.
var Spec = track.Spec{
	Name:  "icmp",
	Rules: []*finding.Rule{RuleBlocked},
	Kinds: track.ICMP,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

// maxBlocks bounds the flows that are told apart; a scan of a network behind a
// firewall drops the oldest.
const maxBlocks = 2048

type tracker struct {
	site     *site.Site
	services *track.Services
	blocks   *track.Table[blockKey, block]
}

func newTracker(cfg *track.Config) *tracker {
	t := &tracker{site: site.Default(), services: track.NewServices(cfg)}
	if cfg != nil && cfg.Site != nil {
		t.site = cfg.Site
	}
	t.blocks = track.NewTable[blockKey, block](maxBlocks, nil)
	return t
}

// Learn takes a port that another tracker learnt, as TFTP's data port.
func (t *tracker) Learn(e track.Expectation) { t.services.Learn(e) }

// Frame reads an ICMP message.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	if !f.ICMP.HasQuote || f.Copy {
		return false
	}
	why := reasonOf(f)
	if why == reasonNone {
		return false
	}
	t.rejected(f, why, out)
	return true
}

// Deadline is Never: an error speaks for itself.
func (t *tracker) Deadline() capture.Time { return track.Never }

// Expire has nothing to do.
func (t *tracker) Expire(capture.Time, *track.Out) {}

// Finish reports the last word on flows that were rejected more often than
// reported.
func (t *tracker) Finish(_ capture.Time, out *track.Out) {
	t.blocks.Each(func(k blockKey, b *block, _ capture.Time) {
		if b.count > b.told {
			t.report(k, b, out)
		}
	})
}

// Count adds nothing: the report has no count of ICMP.
func (t *tracker) Count(*track.Counts) {}

// Evicted is how many rejected flows were dropped, all of them reported.
func (t *tracker) Evicted() uint64 { return t.blocks.Evicted() }
