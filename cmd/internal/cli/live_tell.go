package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/report"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// A teller writes what becomes true, and the end.
type teller interface {
	exchange(x *track.Exchange)
	// tell writes what was told since the last call, in the order of traffic; at
	// is 0 at the end.
	tell(n *classify.News, at capture.Time) error
	end(r *classify.Report) error
}

func newTeller(r *liveRun) teller {
	switch r.choice.format {
	case "text":
		return &textTeller{out: r.out, style: r.style, booted: make(map[string]*heldNode), asks: newAllowance(shownBurst), news: newAllowance(shownBurst)}
	case "ndjson":
		return &lineTeller{out: r.out, findings: make(map[string]*heldFinding), nodes: make(map[string]*heldNode), asks: newAllowance(dhcpBurst), news: newAllowance(dhcpBurst)}
	case "json":
		return &endTeller{func(rep *classify.Report) error { return report.JSON(r.out, rep) }}
	case "screen":
		return &endTeller{func(rep *classify.Report) error {
			style := r.style
			style.Width = r.out.width() // the terminal may have another size by now
			return text.Report(r.out, rep, style)
		}}
	}
	return &endTeller{func(rep *classify.Report) error { return text.Report(r.s.Err, rep, r.style) }} // packets are on standard output
}

// An endTeller writes nothing before the end.
type endTeller struct {
	write func(*classify.Report) error
}

func (*endTeller) exchange(*track.Exchange)                {}
func (*endTeller) tell(*classify.News, capture.Time) error { return nil }
func (t *endTeller) end(r *classify.Report) error          { return t.write(r) }

// A told is one line and when it became true.
type told struct {
	at   classify.Time
	line []byte
}

// inOrder writes lines in the order of their times; those of one time in the
// order in which they came.
func inOrder(out *output, list []told) error {
	slices.SortStableFunc(list, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	for _, l := range list {
		if _, err := out.Write(l.line); err != nil {
			return fmt.Errorf("write %s: %w", out.name, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", out.name, err)
	}
	return nil
}

// A textTeller writes a line per event for people: requests as they are decided,
// findings, and verdicts that turn.
type textTeller struct {
	out     *output
	style   text.Style
	queue   []told
	started bool
	last    classify.Time        // of what was written
	asked   map[requestRef]asked // requests that were told of
	grown   growth
	booted  map[string]*heldNode // not told yet: most go on to the next stage

	asks, news allowance // of lines about exchanges and nodes in a flood
	left       omitted
	leftAt     capture.Time
}

// mostExchanges is how many exchanges are shown of one telling: nobody reads
// more in the fifth of a second.
const mostExchanges = 50

func (t *textTeller) exchange(x *track.Exchange) {
	if t.style.Quiet || t.style.Verbose == 0 && (x.Stage == track.StageUnknown || x.Op == "ARP" || x.Outcome == track.Open || t.stale(x)) {
		return
	}
	if len(t.queue) >= mostExchanges || onlyDHCP(x) && !t.asks.take() {
		t.left.Exchanges++
		return
	}
	t.add(text.OfExchange(x))
}

// A requestRef names a request while it is tried again and again.
type requestRef struct {
	service, op, subject string
	client, server       finding.Endpoint
	vlan                 uint16
	first                capture.Time
}

// asked is what was told of it.
type asked struct {
	outcome        track.Outcome
	reason, detail string
	bytes          int64
	tries          int
}

// mostAsked bounds how many requests are remembered; they are forgotten
// together, and then told of once more.
const mostAsked = 4096

// stale reports whether a request was told of already and is only tried once
// more. Of one without an answer a line comes when it was tried twice as often;
// findings say the rest.
func (t *textTeller) stale(x *track.Exchange) bool {
	ref := requestRef{x.Service, x.Op, x.Subject, x.Client, x.Server, x.VLAN, x.First}
	now := asked{x.Outcome, x.Reason, x.Detail, x.Bytes, x.Tries}
	was, known := t.asked[ref]
	if known && (x.Outcome != track.Unanswered || now.tries < 2*was.tries) {
		if was.tries = now.tries; was == now {
			return true
		}
	}
	if t.asked == nil || len(t.asked) >= mostAsked {
		t.asked = make(map[requestRef]asked)
	}
	t.asked[ref] = now
	return false
}

// add puts an event into the queue. One that is told late, as a connection that
// ended and is forgotten only now, has the time of being told.
func (t *textTeller) add(e text.Event) {
	e.Time = max(e.Time, t.last)
	t.queue = append(t.queue, told{e.Time, []byte(e.Line(t.style))})
}

func (t *textTeller) tell(n *classify.News, at capture.Time) error {
	t.asks.refill(at)
	t.news.refill(at)
	for i := range n.Findings {
		if f := &n.Findings[i]; t.worth(f) {
			t.add(text.OfFinding(f))
		}
	}
	for i := range n.Nodes {
		t.node(&n.Nodes[i], at)
	}
	for name, v := range t.booted {
		if at.Sub(v.since) >= holdFor {
			t.addNode(&v.NodeNews)
			delete(t.booted, name)
		}
	}
	due := t.left.due(at, &t.leftAt)
	if len(t.queue) == 0 && !(due && t.started) {
		return nil
	}
	if !t.started {
		t.started = true
		t.queue = slices.Insert(t.queue, 0, told{0, []byte(text.EventHead(t.queue[0].at, t.style))})
	}
	if due {
		t.queue = append(t.queue, told{max(classify.Time(at), t.last), fmt.Appendf(nil, "and %d more exchanges, %d more nodes\n", t.left.Exchanges, t.left.Nodes)})
		t.left = omitted{}
	}
	for _, l := range t.queue {
		t.last = max(t.last, l.at)
	}
	err := inOrder(t.out, t.queue)
	t.queue = t.queue[:0]
	return err
}

// addNode tells of a node, unless it may be nobody and too many were told of.
func (t *textTeller) addNode(v *classify.NodeNews) {
	if maybeNobody(v) && !t.news.take() {
		t.left.Nodes++
		return
	}
	t.add(text.OfNode(v))
}

// node tells of a verdict that turned. That a machine is up is told when it has
// asked for nothing more for some time.
func (t *textTeller) node(v *classify.NodeNews, at capture.Time) {
	name := v.Name()
	held := t.booted[name]
	switch {
	case v.Gone, v.Was == nil && v.Outcome == "in-progress":
		delete(t.booted, name)
	case v.Outcome == "booted":
		if v.Was == nil || held != nil || v.Was.Outcome != "booted" {
			t.booted[name] = &heldNode{*v, at}
		}
	case v.Was == nil, held == nil && v.Outcome != v.Was.Outcome, v.RootCause != v.Was.RootCause:
		t.addNode(v)
		delete(t.booted, name)
	default:
		delete(t.booted, name)
	}
}

// worth reports whether a finding is told: when it is new, weighs more or less
// than before, is about twice as many nodes, or is taken back for good.
func (t *textTeller) worth(f *classify.FindingNews) bool {
	more := t.grown.doubled(f)
	switch {
	case f.Severity == "ok" && t.style.Verbose < 2:
		return false
	case f.Withdrawn:
		return !f.Replaced
	case f.Was == nil:
		return true
	}
	return f.Severity != f.Was.Severity || f.Confidence != f.Was.Confidence || more
}

func (t *textTeller) end(r *classify.Report) error {
	if t.started {
		if _, err := io.WriteString(t.out, "\n"); err != nil {
			return err
		}
	}
	return text.Report(t.out, r, t.style)
}

// A lineTeller writes objects, one a line. What is new, turned or taken back is
// told at once; what only goes on, as a request that is tried once more, is
// told every ten seconds, and at the end.
type lineTeller struct {
	out      *output
	queue    []told
	findings map[string]*heldFinding
	nodes    map[string]*heldNode
	err      error

	asks, news allowance // of lines about exchanges and new nodes in a flood
	left       omitted
	leftAt     capture.Time
}

type heldFinding struct {
	classify.FindingNews
	since capture.Time
}

type heldNode struct {
	classify.NodeNews
	since capture.Time
}

const holdFor = 10 * time.Second

func (t *lineTeller) put(at classify.Time, write func(io.Writer) error) {
	var b bytes.Buffer
	if err := write(&b); err != nil && t.err == nil {
		t.err = err
	}
	t.queue = append(t.queue, told{at, b.Bytes()})
}

func (t *lineTeller) exchange(x *track.Exchange) {
	if onlyDHCP(x) && !t.asks.take() {
		t.left.Exchanges++
		return
	}
	t.put(classify.Time(x.Last), func(w io.Writer) error { return report.Exchange(w, x) })
}

func (t *lineTeller) tell(n *classify.News, at capture.Time) error {
	t.asks.refill(at)
	t.news.refill(at)
	for i := range n.Findings {
		f := &n.Findings[i]
		key := f.Key()
		held := t.findings[key]
		if held != nil {
			f.Was = held.Was
		}
		switch {
		case f.Was == nil || f.Withdrawn || f.Severity != f.Was.Severity || f.Confidence != f.Was.Confidence:
			delete(t.findings, key)
			t.finding(f)
		case held != nil:
			held.FindingNews = *f
		default:
			t.findings[key] = &heldFinding{*f, at}
		}
	}
	for i := range n.Nodes {
		v := &n.Nodes[i]
		name := v.Name()
		held := t.nodes[name]
		if held != nil {
			v.Was = held.Was
		}
		switch {
		case v.Gone && v.Was == nil:
			delete(t.nodes, name) // nobody was told of it
			t.left.Nodes++
		case v.Gone, v.Turned() && t.may(v):
			delete(t.nodes, name)
			t.node(v)
		case held != nil:
			held.NodeNews = *v
		default:
			t.nodes[name] = &heldNode{*v, at}
		}
	}
	t.overdue(at)
	if t.left.due(at, &t.leftAt) {
		now := classify.Time(max(at, t.asks.at))
		t.put(now, func(w io.Writer) error { return t.left.write(w, now) })
		t.left = omitted{}
	}
	if len(t.queue) == 0 || t.err != nil {
		return t.err
	}
	err := inOrder(t.out, t.queue)
	t.queue = t.queue[:0]
	return err
}

// overdue tells what was held back long enough; at the end, everything.
func (t *lineTeller) overdue(at capture.Time) {
	for key, f := range t.findings {
		if at == 0 || at.Sub(f.since) >= patience(&f.FindingNews) {
			delete(t.findings, key)
			t.finding(&f.FindingNews)
		}
	}
	for name, v := range t.nodes {
		if at == 0 || (v.Turned() || at.Sub(v.since) >= holdFor) && t.may(&v.NodeNews) {
			delete(t.nodes, name)
			t.node(&v.NodeNews)
		}
	}
}

// may reports whether there is a line for v: for a new one that may be nobody
// they are few.
func (t *lineTeller) may(v *classify.NodeNews) bool {
	return v.Was != nil || !maybeNobody(v) || t.news.take()
}

func (t *lineTeller) finding(f *classify.FindingNews) {
	t.put(f.Last, func(w io.Writer) error { return report.FindingNews(w, f) })
}

func (t *lineTeller) node(n *classify.NodeNews) {
	t.put(n.At, func(w io.Writer) error { return report.NodeNews(w, n) })
}

func (t *lineTeller) end(r *classify.Report) error { return report.End(t.out, r) }
