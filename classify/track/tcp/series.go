package tcp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	// maxSeries: a few services of a few thousand nodes, 4 MB at most.
	maxSeries = 8192
	// answerGrace is how long one SYN waits: the initial retransmission timeout
	// of RFC 6298 section 2.
	answerGrace = time.Second
	// seriesGap parts two series of SYNs; the longest SYN timer of Linux is 69 s.
	seriesGap = 2 * time.Minute
	// pause parts two exchanges in which the same client reaches the same port.
	pause = time.Minute
	// retell is how often the bytes of an exchange are reported while it lasts.
	retell = 10 * time.Second
	// keptFrames are the frames of a series kept as evidence.
	keptFrames = 8
)

// A seriesKey is one client and one port of one server, whatever the client's
// port.
type seriesKey struct {
	client, server wire.Addr
	port           uint16
}

func hashSeries(seed uint64, k seriesKey) uint64 {
	return wire.Mix(wire.MixAddr(wire.MixAddr(seed, &k.client), &k.server), uint64(k.port), 0)
}

func keyOf(flow wire.Flow) seriesKey { return seriesKey{flow.Src, flow.Dst, flow.DstPort} }

// A series is what a client's attempts to reach a port came to.
type series struct {
	service, name  string
	stage          track.Stage
	boot           bool // the service belongs to provisioning
	client, server finding.Endpoint
	vlan           uint16
	iface          int

	run      run
	refusals *refusals // nothing, mostly
	episode  episode
}

// A run is the SYNs since the last answer of any kind.
type run struct {
	first, last capture.Time
	enough      capture.Time // when there were syn_tries
	tries       int
	next        int  // after the finding: tell again at this many tries
	told        bool // the exchange was reported as unanswered
	found       bool // the finding was reported
	counted     bool // among the client's tries without an answer
	rejected    bool // an ICMP error answers these SYNs
	frames      frames
}

// refusals are the RSTs since the last SYN/ACK.
type refusals struct {
	begun       capture.Time // the first refusal
	first, last capture.Time // of those within refused_window of one another
	n           int
	next        int
	found       bool
	reason      string
	frames      frames
}

// nothing is the refusals of a series without any; it is never written.
var nothing refusals

// An episode is the exchange that is being reported.
type episode struct {
	outcome     track.Outcome // Open: none yet
	first, last capture.Time
	tries       int
	reason      string
	detail      string
	bytes       int64
	complete    bool
	changed     bool // since it was told
	told        capture.Time
	frames      frames
}

// frames are the first frames of something and its last.
type frames struct {
	id [keptFrames]capture.FrameID
	n  int
}

func (l *frames) add(id capture.FrameID) {
	l.id[min(l.n, keptFrames-1)] = id
	l.n = min(l.n+1, keptFrames)
}

func (l *frames) list() []capture.FrameID { return slices.Clone(l.id[:l.n]) }

// stages are the boot stages that services belong to.
var stages = map[string]track.Stage{
	"http": track.StageHTTP, "https": track.StageHTTP, "maas-http-boot": track.StageHTTP,
	"smee": track.StageHTTP, "warewulf": track.StageHTTP, "ironic-images": track.StageHTTP,
	"foreman-proxy": track.StageHTTP,
	"maas-region":   track.StageMetadata,
	"portmap":       track.StageMount, "rpc-mount": track.StageMount,
	"nfs": track.StageNFS,
}

// begin is the series of a flow to a known service, made when it is not there;
// nil for any other flow.
func (t *tracker) begin(flow wire.Flow, now capture.Time) (seriesKey, *series) {
	k := keyOf(flow)
	if s := t.series.Get(k); s != nil {
		return k, s
	}
	id, toServer := t.services.Of(flow, now)
	if id == "" || !toServer {
		return k, nil
	}
	s := t.series.Put(k)
	s.service, s.stage = id, stages[id]
	if v := t.services.By(id); v != nil {
		s.name, s.boot = v.Name, v.In(catalog.Provisioning)
	}
	s.refusals = &nothing
	s.client = finding.Endpoint{Addr: flow.Src, Port: flow.SrcPort}
	s.server = finding.Endpoint{Addr: flow.Dst, Port: flow.DstPort}
	return k, s
}

// meet fills in what f tells of both machines. What a finding has named stays.
func (s *series) meet(f *wire.Frame, toServer bool) {
	if s.run.found || s.refusals.found || !s.client.MAC.IsZero() && !s.server.MAC.IsZero() {
		return
	}
	from, to := &s.client, &s.server
	if !toServer {
		from, to = to, from
	}
	if from.MAC.IsZero() {
		from.MAC = f.SrcMAC
	}
	if to.MAC.IsZero() && f.HasDstMAC {
		to.MAC = f.DstMAC
	}
	s.vlan, s.iface = f.VLAN(), f.Iface
}

// tell reports the present episode, again under the same first time.
func (t *tracker) tell(k seriesKey, s *series, now capture.Time, out *track.Out) {
	e := &s.episode
	e.changed, e.told = false, now
	out.Exchange(track.Exchange{
		Service: s.service, Stage: s.stage, Op: "CONNECT", Subject: k.String(), Outcome: e.outcome, Reason: e.reason,
		Client: s.client, Server: s.server, VLAN: s.vlan, Iface: s.iface,
		First: e.first, Last: e.last, Tries: e.tries, Frames: e.frames.list(),
		Bytes: e.bytes, Complete: e.complete, Detail: e.detail,
	})
}

// String is the server's address and port: what the client asked for.
func (k seriesKey) String() string { return netip.AddrPortFrom(k.server.Netip(), k.port).String() }

// schedule sets the next time at which s has something to say.
func (t *tracker) schedule(k seriesKey, s *series) {
	at := min(t.silenceDue(s), t.refusalDue(s))
	if s.episode.changed {
		at = min(at, s.episode.last.Add(pause))
	}
	t.series.SetDeadline(k, at)
}

// expire handles what is due of s.
func (t *tracker) expire(k seriesKey, s *series, at capture.Time, out *track.Out) {
	if t.silenceDue(s) <= at {
		t.unanswered(k, s, at, out)
	}
	if t.refusalDue(s) <= at {
		t.gaveUp(k, s, at, out)
	}
	if s.episode.changed && s.episode.last.Add(pause) <= at {
		t.tell(k, s, at, out)
	}
	t.schedule(k, s)
}

// close reports what is left of s at the end of the capture.
func (t *tracker) close(k seriesKey, s *series, end capture.Time, out *track.Out) {
	r := &s.run
	switch {
	case r.tries == 0 || r.rejected:
	case !r.told:
		s.episode = episode{outcome: track.Open, first: r.first, last: r.last, tries: r.tries, frames: r.frames, changed: true}
	case r.found && r.tries > s.episode.tries:
		t.unanswered(k, s, end, out)
	}
	if s.refusals.found && s.refusals.n > s.refusals.next/2 {
		t.findRefused(k, s, end, out)
	}
	if s.episode.changed {
		t.tell(k, s, end, out)
	}
}
