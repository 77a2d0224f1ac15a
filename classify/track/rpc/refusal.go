package rpc

import (
	"fmt"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	// fallbackWindow is how long after a negative answer another version or
	// transport may succeed, and make it part of a normal search.
	fallbackWindow = 5 * time.Second
	// errorWindow is the time within which refusals of one kind are counted
	// together.
	errorWindow = 60 * time.Second
	// nfsErrors of one kind within errorWindow are a fault.
	nfsErrors = 3
	// authErrors are more than the one refresh of a GSS context.
	authErrors = 2
	// maxVersion is the highest version of the NFS family; scanners of RPC
	// programs ask for others in order to be told which there are.
	maxVersion = 4
	// firstUnprivileged is the first port that any program may bind.
	firstUnprivileged = 1024
)

// A refusalKey names what was refused: a program, an export path, a status.
type refusalKey struct {
	client, server wire.Addr
	rule           *finding.Rule
	what           uint32
	path           string
}

// A refusal is a negative answer until another attempt succeeds or the time
// for that has passed.
type refusal struct {
	key     refusalKey
	pair    *pair
	first   capture.Time
	last    capture.Time
	count   int
	due     capture.Time // when it is reported unless it was taken back
	frames  []capture.FrameID
	reason  string // the answer, in the words of its protocol
	subject string
	tried   []string
	from    uint16
	status  uint32
	port    uint16
	open    bool // counted in pair.open
	shown   *finding.Finding
}

func (r *refusal) dropped() {
	if r.open {
		r.pair.open--
	}
}

// refused notes a negative answer; needed is how many make a finding.
func (t *tracker) refused(f *wire.Frame, c *call, rule *finding.Rule, what uint32, path string, needed int, wait time.Duration) *refusal {
	p := c.pair
	k := refusalKey{p.key.client, p.key.server, rule, what, path}
	var r *refusal
	if e := t.refusals.Get(k); e != nil {
		r = *e
	} else {
		r = &refusal{key: k, pair: p, first: f.Time}
		*t.refusals.Put(k) = r
	}
	if f.Time.Sub(r.last) > errorWindow || r.count < needed && f.Time.Sub(r.first) > errorWindow {
		r.first, r.count, r.frames, r.tried, r.due = f.Time, 0, nil, nil, 0
	}
	if r.shown == nil && !r.open && wait > 0 {
		r.open = true
		p.open++
	}
	r.count++
	r.last, r.from, r.port = f.Time, c.from, c.port
	if len(r.frames) == 0 || r.frames[len(r.frames)-1] != c.frame {
		r.frames = finding.AppendFrame(r.frames, c.frame)
	}
	r.frames = finding.AppendFrame(r.frames, f.ID)
	if r.count >= needed && r.due == 0 {
		r.due = f.Time.Add(wait)
		t.refusals.SetDeadline(k, r.due)
	}
	return r
}

// settle reports a refusal that nothing took back.
func (t *tracker) settle(r *refusal, at capture.Time, final bool, out *track.Out) {
	if r.due == 0 {
		return
	}
	t.showRefusal(r, final && at < r.due, out)
}

// takeBack forgets a refusal because the client got what it wanted.
func (t *tracker) takeBack(k refusalKey, out *track.Out) {
	e := t.refusals.Get(k)
	if e == nil {
		return
	}
	r := *e
	if r.shown != nil {
		withdraw(r.shown, out)
	}
	r.dropped()
	t.refusals.Delete(k)
}

// served takes back what a success of a program contradicts. It runs for every
// reply while the pair has open refusals, and for none otherwise.
func (t *tracker) served(p *pair, prog uint32, now capture.Time, out *track.Out) {
	k := refusalKey{client: p.key.client, server: p.key.server, rule: RuleAuthError, what: prog}
	if e := t.refusals.Get(k); e != nil && (*e).shown == nil {
		t.takeBack(k, out) // another flavor was agreed on
	}
	k.rule = RuleNotRegistered
	e := t.refusals.Get(k)
	if e == nil {
		return
	}
	r := *e
	if r.shown == nil {
		t.takeBack(k, out)
		return
	}
	// It was not there when it was needed, and came later.
	x := *r.shown
	x.Severity = finding.Note
	x.Summary += fmt.Sprintf("; it was there %.0f s later", now.Sub(r.last).Seconds())
	x.Last = now
	x.Facts = append(x.Facts[:len(x.Facts):len(x.Facts)], finding.Fact{Key: "registered_after_ms", Value: ms(now.Sub(r.last))})
	out.Find(x)
	r.dropped()
	t.refusals.Delete(k)
}

// needed is the index in pair.served of the programs without which a mount, or
// its locks, fail; -1 for others.
func needed(prog uint32) int {
	switch prog {
	case programNFS:
		return 0
	case programMount:
		return 1
	case programNLM:
		return 2
	}
	return -1
}

// notRegistered notes that a server has no such program, version or transport.
func (t *tracker) notRegistered(f *wire.Frame, c *call, asked mapping, reason string, out *track.Out) {
	i := needed(asked.prog)
	if i < 0 || asked.vers > maxVersion || !unicast(f) || c.prog == programMount && (c.proc == procUMNT || c.proc == procUMNTALL) {
		return
	}
	if at := c.pair.served[i]; at != 0 && f.Time.Sub(at) <= fallbackWindow {
		return // it has what it wants, and looks what else there is
	}
	r := t.refused(f, c, RuleNotRegistered, asked.prog, "", 1, fallbackWindow)
	r.reason = reason
	if s := asked.String(); len(r.tried) < 8 && !slices.Contains(r.tried, s) {
		r.tried = append(r.tried, s)
	}
	t.refresh(r, out)
}

// rejected notes a reply that says no to the call as such.
func (t *tracker) rejected(f *wire.Frame, m *message, c *call, out *track.Out) {
	switch {
	case m.denied && m.stat == rejectAuthError:
		r := t.refused(f, c, RuleAuthError, c.prog, "", authErrors, fallbackWindow)
		r.reason = authName(m.authStat)
		r.status = m.authStat
		r.subject = programName(c.prog) + " " + procedureName(c.prog, c.vers, c.proc)
		t.refresh(r, out)
		if m.authStat == authTooWeak {
			t.unprivileged(f, c, r.reason, out)
		}
	case !m.denied && (m.stat == acceptProgUnavail || m.stat == acceptProgMismatch):
		asked := mapping{prog: c.prog, vers: c.vers, proto: wire.ProtoTCP}
		if c.udp {
			asked.proto = wire.ProtoUDP
		}
		t.notRegistered(f, c, asked, m.refusal(), out)
	}
}

// denied notes a MNT that was refused.
func (t *tracker) denied(f *wire.Frame, c *call, status uint32, out *track.Out) {
	r := t.refused(f, c, RuleMountDenied, 0, c.request.path, 1, fallbackWindow)
	r.status = status
	r.reason = fmt.Sprintf("status %d %s", status, statusName(c.vers, status))
	r.subject = fmt.Sprintf("mount v%d", c.vers)
	t.refresh(r, out)
	if status == statusPerm || status == statusAcces {
		t.unprivileged(f, c, r.reason, out)
	}
}

// unprivileged notes a refusal of a call from a port that any program may
// bind; many exports want a privileged one.
func (t *tracker) unprivileged(f *wire.Frame, c *call, reason string, out *track.Out) {
	p := c.pair
	if c.from < firstUnprivileged {
		p.lowDenied = true
		t.takeBack(refusalKey{p.key.client, p.key.server, RulePrivilegedPort, 0, ""}, out)
		return
	}
	if p.lowDenied || p.highServed {
		return
	}
	r := t.refused(f, c, RulePrivilegedPort, 0, "", 1, fallbackWindow)
	r.reason = reason
	r.subject = programName(c.prog) + " " + procedureName(c.prog, c.vers, c.proc)
	t.refresh(r, out)
}

// mounted takes back what an accepted MNT contradicts.
func (t *tracker) mounted(f *wire.Frame, c *call, out *track.Out) {
	p := c.pair
	if c.from >= firstUnprivileged {
		p.highServed = true
	}
	if p.open == 0 {
		return
	}
	k := refusalKey{p.key.client, p.key.server, RuleMountDenied, 0, c.request.path}
	t.takeBack(k, out)
	k.rule, k.path = RulePrivilegedPort, ""
	t.takeBack(k, out)
}

// mountedV4 takes back what an NFSv4 mount makes irrelevant: version 4 needs
// neither portmap nor mountd. known is false when it is only likely that the
// mount succeeded.
func (t *tracker) mountedV4(p *pair, f *wire.Frame, c *call, known bool, out *track.Out) {
	if p.portmap.tries() > 0 {
		t.broken(&p.portmap, out)
	}
	if p.mount.tries() > 0 {
		t.broken(&p.mount, out)
	}
	if p.open > 0 {
		t.refusals.Each(func(k refusalKey, r **refusal, _ capture.Time) {
			if (*r).pair != p {
				return
			}
			switch k.rule {
			case RuleMountDenied, RulePrivilegedPort, RuleNotRegistered:
				t.takeBack(k, out)
			}
		})
	}
	if !p.asked && c.walksRoot == yes && known {
		p.asked = true // once
		x := p.finding(RuleV4NoPortmap, "")
		x.Server.Port = c.port
		x.First, x.Last = c.first, f.Time
		x.Frames = []capture.FrameID{c.frame, f.ID}
		x.Summary = fmt.Sprintf("NFSv4 mount from %s over port %d alone: version 4 needs neither portmap nor mountd", p.key.server, c.port)
		x.Facts = p.facts(nil)
		out.Find(x)
	}
}
