// Package tcp follows the handshakes of all TCP connections and, for known
// services, who was answered, who was refused, who was not heard, and how much
// data came.
//
// The one invariant: a data segment costs one look-up in a fixed array and
// changes counters there; everything that allocates waits for a SYN, a RST, a
// retransmission of a full-size segment or a deadline.
package tcp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Spec describes the tracker.
var Spec = track.Spec{
	Name:  "tcp",
	Rules: []*finding.Rule{RuleSYNUnanswered, RuleRefused, RulePathMTU},
	Kinds: track.TCP | track.ICMP,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

type tracker struct {
	site     *site.Site
	th       site.Thresholds
	services *track.Services

	attempts *track.Table[wire.Flow, attempt]
	series   *track.Table[seriesKey, series]
	clients  *track.Table[wire.Addr, client]
	streams  streams
	troubles *track.Table[wire.Flow, trouble]

	counts  track.TCPCounts // of attempts that left the table
	evicted uint64
}

func newTracker(cfg *track.Config) *tracker {
	here := site.Default()
	if cfg != nil && cfg.Site != nil {
		here = cfg.Site
	}
	t := &tracker{site: here, th: here.Thresholds, services: track.NewServices(cfg)}
	t.attempts = track.NewHashed(maxAttempts, track.HashFlow, func(_ wire.Flow, a *attempt) {
		a.count(&t.counts)
		if a.seen&(sawSYN|sawAnswer|sawReset) == sawSYN {
			t.evicted++
		}
	})
	t.series = track.NewHashed(maxSeries, hashSeries, func(_ seriesKey, s *series) {
		if s.run.tries > 0 {
			t.evicted++
		}
	})
	t.clients = track.NewHashed[wire.Addr, client](maxClients, track.HashAddr, nil)
	t.troubles = track.NewTable[wire.Flow, trouble](maxTroubles, nil)
	if cfg != nil && cfg.Catalog != nil {
		t.streams.services(cfg.Catalog)
	}
	return t
}

// Learn takes a port that another tracker learnt, as mountd's from portmap.
func (t *tracker) Learn(e track.Expectation) {
	if e.Proto == wire.ProtoTCP {
		t.services.Learn(e)
		t.streams.ports.Add(e.Port)
	}
}

// Deadline is when the next series is due.
func (t *tracker) Deadline() capture.Time { return t.series.Deadline() }

// Expire judges the series that are due.
func (t *tracker) Expire(now capture.Time, out *track.Out) {
	t.series.Expire(now, func(k seriesKey, s *series, deadline capture.Time) { t.expire(k, s, deadline, out) })
}

// Finish reports what is still open, and what was received so far.
func (t *tracker) Finish(end capture.Time, out *track.Out) {
	t.streams.each(func(s *stream) { t.flush(s, nil, byServer) })
	t.series.Each(func(k seriesKey, s *series, _ capture.Time) { t.close(k, s, end, out) })
}

// Count adds the handshakes.
func (t *tracker) Count(c *track.Counts) {
	n := t.counts
	t.attempts.Each(func(_ wire.Flow, a *attempt, _ capture.Time) { a.count(&n) })
	c.TCP.Connections += n.Connections
	c.TCP.SYNUnanswered += n.SYNUnanswered
	c.TCP.Refused += n.Refused
}

// Evicted is how many undecided handshakes were dropped.
func (t *tracker) Evicted() uint64 { return t.evicted }
