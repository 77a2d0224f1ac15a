package rpc

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// How long a server may put clients off. A grace period after a restart is 90
// seconds (RFC 7530 section 9.6.2, knfsd's default).
const (
	busyTooLong  = 30 * time.Second
	graceTooLong = 90 * time.Second
)

// nfsError counts the errors that are no everyday business: what does not
// exist yet or already is asked for all the time.
func (t *tracker) nfsError(f *wire.Frame, c *call, status uint32, out *track.Out) {
	severity, count := finding.Error, nfsErrors
	switch status {
	case statusStale:
		severity, count = finding.Warning, 1
	case statusBadFH, statusIO:
	case statusRofs, statusNospc:
		severity = finding.Warning
	case statusExpired, statusWrong:
		if c.vers != 4 {
			return
		}
	case statusPerm, statusAcces:
		if !(c.vers == 3 && c.proc == procFSInfo) && c.walksRoot != yes {
			return
		}
		count = 1
	default:
		return
	}
	t.nfsFault(f, c, status, severity, count, out)
}

// nfsBusy measures how long a server puts the client off without doing
// anything else for it.
func (t *tracker) nfsBusy(f *wire.Frame, c *call, status uint32, out *track.Out) {
	w := &c.pair.nfs
	if w.busy == 0 {
		w.busy = f.Time
	}
	limit := busyTooLong
	if status == statusGrace {
		limit = graceTooLong
	}
	if f.Time.Sub(w.busy) > limit {
		t.nfsFault(f, c, status, finding.Warning, 1, out)
	}
}

func (t *tracker) nfsFault(f *wire.Frame, c *call, status uint32, severity finding.Severity, count int, out *track.Out) {
	r := t.refused(f, c, RuleNFSError, status, "", count, 0)
	name := statusName(c.vers, status)
	r.status, r.reason = status, "status "+name
	r.subject = fmt.Sprintf("v%d %s", c.vers, procedureName(programNFS, c.vers, c.proc))
	if r.count == 1 {
		w := watch{vers: c.vers, proc: c.proc, from: c.from, port: c.port}
		x := w.exchange(c.pair, track.Refused, []capture.FrameID{c.frame, f.ID}, c.first, f.Time)
		x.Reason = r.reason
		out.Exchange(x)
	}
	if r.count < count || r.count > nfsErrors && r.count&(r.count-1) != 0 {
		return // a row is reported when it counts, and whenever it has doubled
	}
	t.refusals.SetDeadline(r.key, track.Never)
	x := c.pair.finding(RuleNFSError, name)
	x.Severity = severity
	if status == statusStale && r.count >= nfsErrors {
		x.Severity = finding.Error
	}
	x.Server.Port = c.port
	x.First, x.Last = r.first, r.last
	x.Frames = append(x.Frames, r.frames...)
	switch status {
	case statusDelay, statusGrace:
		x.First = c.pair.nfs.busy
		x.Summary = fmt.Sprintf("%s answers NFS calls with %s for %.0f s now, and does nothing else", c.pair.key.server, name, f.Time.Sub(x.First).Seconds())
	default:
		x.Summary = fmt.Sprintf("%d NFS %s from %s, last to %s: %s", r.count, errorReplies(r.count), c.pair.key.server, r.subject, name)
	}
	x.Next = nfsNext[status]
	x.Facts = c.pair.facts([]finding.Fact{{Key: "status", Value: name}, {Key: "count", Value: r.count}, {Key: "procedure", Value: r.subject}})
	out.Find(x)
}

func errorReplies(n int) string {
	if n == 1 {
		return "error reply"
	}
	return "error replies"
}
