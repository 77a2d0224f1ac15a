package dhcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// An op is a question that a client asks besides DISCOVER.
type op uint8

const (
	opRequest    op = iota // SELECTING and INIT-REBOOT
	opRenew                // RENEWING and REBINDING
	opInform               // RFC 2131 section 4.3.5
	opBOOTP                // a request without a message type
	opBINL                 // to port 4011
	opBootServer           // with option 43.71
	numOps
)

var opNames = [numOps]string{"REQUEST", "RENEW", "INFORM", "BOOTP", "BINL", "BOOT-SERVER"}

// A requestState is the client's state in which it sends a REQUEST, told by
// the fields of table 4 of RFC 2131 section 4.3.2.
type requestState uint8

const (
	selecting  requestState = iota // names the server it chose: must be answered
	initReboot                     // asks for an earlier address: silence is legal
	renewing                       // unicast to the server of its lease
	rebinding                      // asks anybody: silence is legal
)

var stateNames = [...]string{"SELECTING", "INIT-REBOOT", "RENEWING", "REBINDING"}

func stateOf(f *wire.Frame, m Message, o *Options) requestState {
	switch {
	case m.CIAddr().IsZero() && o.Has(OptServerID):
		return selecting
	case m.CIAddr().IsZero():
		return initReboot
	case f.Dst.IsMulticast() || !m.GIAddr().IsZero():
		return rebinding
	}
	return renewing
}

// An attempt is one question and its repetitions.
type attempt struct {
	op     op
	state  requestState
	xid    uint32
	server finding.Endpoint // named by the request, or its destination
	asked  wire.Addr        // the address asked for

	subject     string
	iface       int
	first, last capture.Time
	tries       int
	waiting     graces
	overdue     int
	deadlineAt  capture.Time // of the last overdue try
	frames      evidence

	done       bool // answered or refused
	refused    bool // by a NAK
	unreadable bool // a reply was seen of which the rest is unknown
	closed     bool // ICMP called the server's port closed
	abandoned  bool // the client gave up: it released its lease, or searches anew
	accused    *finding.Rule
	said       throttle
	finish     bool // the capture is over
}

// begin starts a new question of c in place of an older one.
func (t *tracker) begin(f *wire.Frame, m Message, c *client, k op, out *track.Out) *attempt {
	a := c.attempts[k]
	if a == nil {
		a = new(attempt)
		c.attempts[k] = a
	} else if !a.done && !a.unreadable && a.tries > 0 && a.waiting.pending() > 0 {
		x := t.attemptExchange(c, a, track.Unanswered, a.last)
		x.Detail = "given up by the client"
		out.Exchange(x)
	}
	*a = attempt{op: k, xid: m.XID(), iface: f.Iface, first: f.Time, last: f.Time}
	return a
}

func (a *attempt) try(f *wire.Frame, grace time.Duration) {
	a.tries++
	a.last = f.Time
	a.frames.add(f.ID)
	if !a.done && !a.unreadable {
		a.waiting.add(f.Time.Add(grace))
	}
}

// attemptOverdue judges a question whose next deadline has come.
func (t *tracker) attemptOverdue(c *client, a *attempt, now capture.Time, out *track.Out) {
	a.overdue += a.waiting.expire(now)
	a.deadlineAt = now
	if a.done || a.unreadable || a.closed || !a.said.pass(a.overdue) {
		return
	}
	t.accuse(c, a, now, out)
}

func (t *tracker) accuse(c *client, a *attempt, now capture.Time, out *track.Out) {
	x := t.attemptExchange(c, a, track.Unanswered, now)
	switch {
	case a.op == opRequest && a.state == initReboot, a.op == opRenew && a.state == rebinding:
		x.Detail = stateNames[a.state] + ": a server without a record of the lease stays silent"
	case a.op == opBOOTP:
		x.Detail = "few servers answer plain BOOTP"
	}
	out.Exchange(x)
	switch {
	case a.op == opBINL || a.op == opBootServer:
		t.bootSilence(c, a, now, false, out)
	case a.op == opRequest && a.state == selecting && a.overdue >= 2:
		t.requestSilence(c, a, finding.Error, now, out)
	}
}

// attemptFinish reports a question that is still open at the end.
func (t *tracker) attemptFinish(c *client, a *attempt, end capture.Time, out *track.Out) {
	switch {
	case a.done || a.unreadable || a.closed || a.tries == 0:
	case a.overdue == 0 && a.waiting.pending() > 0:
		out.Exchange(t.attemptExchange(c, a, track.Open, a.last))
	case a.accused != nil && a.waiting.pending() > 0:
		a.finish = true
		t.accuse(c, a, a.deadlineAt, out)
	}
}

func (t *tracker) attemptExchange(c *client, a *attempt, o track.Outcome, last capture.Time) track.Exchange {
	x := track.Exchange{
		Service: serviceDHCP, Stage: track.StageDHCP, Op: opNames[a.op], Subject: a.subject, Outcome: o,
		Client: c.endpoint(), Server: a.server, VLAN: c.key.vlan, Iface: a.iface,
		First: a.first, Last: last, Tries: a.tries, Frames: a.frames.frames(), Lease: c.said,
	}
	if a.op == opBINL || a.op == opBootServer {
		x.Service, x.Stage = serviceProxy, track.StageProxyDHCP
	}
	return x
}

// requestSilence: the server that the client chose neither grants nor refuses.
func (t *tracker) requestSilence(c *client, a *attempt, s finding.Severity, now capture.Time, out *track.Out) {
	g := finding.Finding{
		Rule: RuleRequestUnanswered, Subject: c.kind().String(), Severity: s, Confidence: finding.Certain,
		Node: c.endpoint(), Server: a.server, VLAN: c.key.vlan, Iface: a.iface, First: a.first, Last: now, Frames: a.frames.frames(),
		Summary: fmt.Sprintf("%s for %s to %s, neither ACK nor NAK", count(a.tries, "REQUEST"), a.asked, a.server.Addr),
		Facts: append([]finding.Fact{
			{Key: "requests", Value: a.tries}, {Key: "requested", Value: a.asked.String()}, {Key: "server", Value: a.server.Addr.String()},
			{Key: "state", Value: stateNames[a.state]},
		}, c.clientFacts()...),
	}
	if a.finish {
		g.Facts = append(g.Facts, finding.Fact{Key: "still_retrying", Value: a.waiting.pending()})
	}
	a.accused = RuleRequestUnanswered
	out.Find(g)
}

// renewFailed: the client went on to ask everybody (REBINDING, at T2), so its
// own server answered none of the renewals before (RFC 2131 section 4.4.5).
func (t *tracker) renewFailed(c *client, a *attempt, f *wire.Frame, out *track.Out) {
	if a.tries < 2 || a.overdue < 2 {
		return
	}
	t.requestSilence(c, a, finding.Warning, f.Time, out)
	a.done = true
}
