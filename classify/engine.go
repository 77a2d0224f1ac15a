package classify

import (
	"errors"
	"io"
	"math"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Options are what a caller can choose. The zero value analyzes everything
// with the built-in catalog and no site facts.
type Options struct {
	Catalog *catalog.Catalog // nil: catalog.Default()
	Site    *site.Site       // nil: site.Default()
	// Phase and Platform, when set, leave packets of other phases' and
	// platforms' services out of tracking; they are still counted by service.
	Phase    string
	Platform string
	Version  string // of the program, for the report
	// OnExchange, if set, is told of every exchange as it is decided.
	OnExchange func(*track.Exchange)
	// Spent, if set, is what the program took so far: time on the wall, and of
	// processors, 0 where that is not known. Run finds out by it whether a second
	// core helps with a large capture. nil: one core.
	Spent func() (wall, cpu time.Duration)
}

// An Engine analyzes one capture. It is for one goroutine.
type Engine struct {
	opt      Options
	cat      *catalog.Catalog
	site     *site.Site
	dec      *wire.Decoder
	frame    wire.Frame
	clock    clock
	talks    *talks
	copies   *track.Copies
	dispatch *track.Dispatcher
	nodes    *boot.Nodes
	verdicts *judgement
	quality  *quality
	services *services
	joined   track.Out // what the boot join says, apart from the trackers' Out

	packets   uint64
	undecoded [wire.NumStops]uint64
	unread    unread
	finished  bool
	desk      newsDesk
}

// New makes an Engine.
func New(opt Options) *Engine {
	if opt.Catalog == nil {
		opt.Catalog = catalog.Default()
	}
	if opt.Site == nil {
		opt.Site = site.Default()
	}
	cfg := &track.Config{Catalog: opt.Catalog, Site: opt.Site}
	t := &opt.Site.Thresholds
	e := &Engine{
		opt: opt, cat: opt.Catalog, site: opt.Site, dec: wire.NewDecoder(),
		clock:  clock{back: t.ClockBack, forward: t.ClockForward},
		copies: track.NewCopies(t.Duplicate), nodes: boot.New(cfg),
		talks: new(talks), services: newServices(opt.Catalog, opt.Site, opt.Phase, opt.Platform),
	}
	e.quality = newQuality(opt.Site, opt.Catalog)
	e.verdicts = newJudgement(e.nodes, &e.clock)
	e.dispatch = track.NewDispatcher(Trackers(), cfg, e)
	return e
}

// Run reads src to its end, or until limit packets if limit is not 0, and
// closes the analysis. An error of src that is not io.EOF is returned, after
// everything before it was analyzed.
func (e *Engine) Run(src capture.Source, limit uint64) error {
	if limit == 0 {
		limit = math.MaxUint64
	}
	batches := capture.Batches(src)
	var err error
	if h, ok := batches.(capture.Holder); ok && e.opt.Spent != nil {
		err = e.onTwoCores(h, limit)
	}
	if err == nil {
		err = e.onOneCore(batches, limit)
	}
	return e.end(src, err)
}

// end closes the analysis of src, which err ended.
func (e *Engine) end(src capture.Source, err error) error {
	ended := errors.Is(err, io.EOF)
	if ended {
		e.quietEnd(src)
	}
	e.Finish()
	if ended {
		return nil
	}
	return err
}

// onOneCore analyzes what src yields, until limit packets were analyzed or src
// ends.
func (e *Engine) onOneCore(src capture.BatchSource, limit uint64) error {
	for e.packets < limit {
		packets, err := src.NextBatch(int(min(limit-e.packets, math.MaxInt32)))
		if err != nil {
			return err
		}
		for i := range packets {
			e.Packet(&packets[i])
		}
	}
	return nil
}

// mostQuiet bounds the silence at the end of a capture that counts: every
// deadline is shorter.
const mostQuiet = 10 * time.Minute

// quietEnd lets the time pass from the last packet to the end of the capture,
// where files record it: what nobody answered until then is unanswered, as it
// was while capturing.
func (e *Engine) quietEnd(src capture.Source) {
	if !e.clock.started {
		return
	}
	at, end := e.clock.last(), capture.Time(0)
	for _, i := range src.Interfaces() {
		end = max(end, i.End)
	}
	end = min(end, at.Add(mostQuiet))
	for at < end {
		at = min(at.Add(time.Second), end)
		e.Packet(&capture.Packet{Time: at})
	}
}

// Packet analyzes one packet, or lets time pass when p is a tick.
func (e *Engine) Packet(p *capture.Packet) {
	if p.Tick() {
		now := e.clock.set(p.Time, p.ID)
		e.expireNodes(now)
		e.dispatch.Tick(now)
		return
	}
	e.dec.Decode(p, &e.frame)
	e.judge(&e.frame)
}

// judge analyzes a packet that is decoded.
func (e *Engine) judge(f *wire.Frame) {
	own := f.Time
	if !e.clock.on(own) {
		f.Time = e.clock.set(own, f.ID)
		own = e.clock.own(own)
	}
	if e.nodes.Deadline() <= f.Time {
		e.expireNodes(f.Time)
	}
	e.packets++
	t := e.talks.of(f)
	if !t.met(f) {
		e.meet(t, f)
	}
	var expected *track.Expectation
	if t.follow {
		// Bulk TCP is never judged by copies; its trackers go by sequence numbers.
		if (f.Proto != wire.ProtoTCP || f.TCP.Flags&(wire.SYN|wire.RST) != 0) && f.IPVersion != 0 {
			f.Copy = e.copies.Seen(f, own)
		}
		expected = e.dispatch.Routed(f, &t.route)
		if e.nodes.Watches(f) {
			e.nodes.Heard(f, &e.joined)
			e.take()
		}
	}
	svc, toServer, role := t.service, t.toServer, t.role
	if expected != nil {
		svc, toServer = e.services.expected(f, expected)
		role = e.quality.role(t.headers, svc, toServer)
	}
	e.services.add(f, svc, toServer)
	e.quality.frame(f, t, svc, toServer, role)
}

// meet decides what the headers of f decide.
func (e *Engine) meet(t *talk, f *wire.Frame) {
	t.hash = f.Headers
	if f.Stop != wire.StopNone {
		e.undecoded[f.Stop]++
		e.unread.frame(f)
	}
	t.service, t.toServer, t.follow = e.services.of(f)
	t.route = e.dispatch.Route(f)
	t.segment, t.headers = e.quality.meet(f)
	t.role = e.quality.role(t.headers, t.service, t.toServer)
	if f.Proto == wire.ProtoUDP && (track.IsDHCPPort(f.SrcPort) || track.IsDHCPPort(f.DstPort)) {
		t.forget() // the direction is in the message
	}
}

// expireNodes lets the deadlines of trackers and nodes pass in their order.
func (e *Engine) expireNodes(now capture.Time) {
	for {
		at := e.nodes.Deadline()
		if at > now {
			return
		}
		e.dispatch.Tick(at)
		e.nodes.Expire(at, &e.joined)
		e.desk.dirty = true
		e.take()
	}
}

// Finish ends the capture. Calling it again does nothing.
func (e *Engine) Finish() {
	if e.finished {
		return
	}
	e.finished, e.desk.dirty = true, true
	e.expireNodes(e.clock.now)
	e.dispatch.Finish(e.clock.now)
	e.nodes.Finish(e.clock.now, &e.joined)
	e.take()
}

// Take implements track.Sink: it joins what the trackers say.
func (e *Engine) Take(out *track.Out) {
	e.desk.dirty = true
	for i := range out.Expected {
		e.nodes.Expected(&out.Expected[i], e.clock.now, &e.joined)
	}
	for i := range out.Exchanges {
		x := &out.Exchanges[i]
		e.nodes.Exchange(x, &e.joined)
		if !e.clock.spans(x.First, x.Last) {
			e.quality.exchange(x)
		}
		if e.opt.OnExchange != nil {
			told := *x
			told.First, told.Last = e.clock.packet(x.First), e.clock.packet(x.Last)
			e.opt.OnExchange(&told)
		}
	}
	for i := range out.Findings {
		e.verdicts.find(out.Findings[i])
	}
	for _, w := range out.Withdrawn {
		e.verdicts.withdraw(w)
	}
	e.take()
}

func (e *Engine) take() {
	if e.joined.Empty() {
		return
	}
	e.desk.dirty = true
	for i := range e.joined.Findings {
		e.verdicts.find(e.joined.Findings[i])
	}
	for _, w := range e.joined.Withdrawn {
		e.verdicts.withdraw(w)
	}
	e.joined.Reset()
}

// Findings are what stands so far, before the quality gates, for tests.
func (e *Engine) Findings() []*finding.Finding { return e.verdicts.all() }
