// Package tracktest runs a synthetic capture through the decoder and one or
// more trackers, as the engine does, and keeps what they said.
package tracktest

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Result is what trackers said about a capture.
type Result struct {
	// Findings as they stand at the end: replaced and withdrawn ones are gone.
	Findings  []finding.Finding
	Exchanges []track.Exchange // in the order in which they were reported
	Expected  []track.Expectation
	Counts    track.Counts
}

// Config is the default catalog and a site of which nothing is known.
func Config() *track.Config {
	return &track.Config{Catalog: catalog.Default(), Site: site.Default()}
}

// Run plays c to the trackers of specs; cfg nil means Config().
func Run(t testing.TB, c *synth.Capture, cfg *track.Config, specs ...track.Spec) *Result {
	t.Helper()
	return play(t, c.Source("test.pcap"), cfg, specs)
}

// File plays a capture file to the trackers of specs; nil when it cannot be
// read.
func File(t testing.TB, path string, specs ...track.Spec) *Result {
	t.Helper()
	src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
	if err != nil {
		return nil
	}
	defer src.Close()
	return play(t, src, nil, specs)
}

func play(t testing.TB, src capture.Source, cfg *track.Config, specs []track.Spec) *Result {
	t.Helper()
	if cfg == nil {
		cfg = Config()
	}
	r := &Result{}
	specs = slices.Clone(specs)
	for i := range specs {
		specs[i] = Sworn(t, specs[i])
	}
	d := track.NewDispatcher(specs, cfg, r)
	dec := wire.NewDecoder()
	copies := track.NewCopies(cfg.Site.Thresholds.Duplicate)
	var p capture.Packet
	var f wire.Frame
	var end capture.Time
	for {
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dec.Decode(&p, &f)
		end = max(end, p.Time)
		f.Time = end
		f.Copy = copies.Seen(&f, f.Time)
		d.Frame(&f)
	}
	d.Finish(end)
	d.Count(&r.Counts)
	return r
}

// Take implements track.Sink.
func (r *Result) Take(out *track.Out) {
	for _, f := range out.Findings {
		r.drop(track.Withdrawal{Rule: f.Rule, Node: f.Node, Server: f.Server, Subject: f.Subject})
		r.Findings = append(r.Findings, f)
	}
	for _, w := range out.Withdrawn {
		r.drop(w)
	}
	r.Exchanges = append(r.Exchanges, out.Exchanges...)
	r.Expected = append(r.Expected, out.Expected...)
}

func (r *Result) drop(w track.Withdrawal) {
	for i, f := range r.Findings {
		if track.Same(f, w) {
			r.Findings = append(r.Findings[:i], r.Findings[i+1:]...)
			return
		}
	}
}

// IDs are the rule ids of the findings, in order.
func (r *Result) IDs() []string {
	ids := []string{}
	for _, f := range r.Findings {
		ids = append(ids, f.Rule.ID)
	}
	return ids
}

// Find returns the first finding of a rule, or nil.
func (r *Result) Find(id string) *finding.Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule.ID == id {
			return &r.Findings[i]
		}
	}
	return nil
}
