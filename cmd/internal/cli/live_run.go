package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live"
	"github.com/pxescope/pxescope/capture/record"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// A liveRun is one capture. Everything that happens at a packet happens in the
// goroutine of loop; signals and keys leave a wish in todo, which it looks at
// between two packets.
type liveRun struct {
	o      *liveOptions
	s      Streams
	choice liveChoice
	style  text.Style
	out    *output

	capture  *live.Capture
	src      capture.Source // capture, or what --filter leaves of it
	kept     *filtered      // nil: everything
	kernel   kernelFilter
	engine   *classify.Engine
	writer   *record.Writer
	recorder *record.Recorder
	saves    bool  // --flight-recorder: each finding is saved
	skipped  error // why findings were not saved, as told last
	saved    growth
	teller   teller
	screen   *liveScreen // nil: none

	todo    atomic.Uint32
	ifaces  []capture.Interface
	packets uint64
	asked   capture.Time  // when news was asked for last
	askedAt uint64        // after so many packets
	every   time.Duration // between two times
	failure error         // that ended the capture
	report  *classify.Report
}

// Wishes of todo.
const (
	wishCounters = 1 << iota // SIGUSR1
	wishReload               // SIGHUP
	wishWrite                // a key of the screen
)

// News is asked for so often while packets come. A question may cost a
// twentieth of the time, so that on a busy network there is more between two;
// a finding is told within a second of its deadline all the same.
const (
	newsEvery   = 200 * time.Millisecond
	newsAtLeast = 700 * time.Millisecond
	newsShare   = 20
	manyPackets = 4096
)

func liveCommand(cmd *cobra.Command, s Streams, o *liveOptions) error {
	out, err := openOutput(s, "")
	if err != nil {
		return err
	}
	defer out.discard()
	r := &liveRun{o: o, s: s, out: out, every: newsEvery}
	if r.choice, err = o.choose(out.tty && isTerminal(s.In)); err != nil {
		return err
	}
	if r.style, err = o.look.style(out); err != nil {
		return err
	}
	opt, err := o.place.engine()
	if err != nil {
		return err
	}
	opt.Version = version()
	_ = time.Local.String() // read the zone while files may be read
	// Signals first: from here on they end the capture and not the program.
	signals := watchSignals(r)
	defer signals.stop()
	defer r.close()
	if err := r.open(opt); err != nil {
		return liveError(err, o.ifaces)
	}
	signals.ends(r.capture)
	if o.duration > 0 {
		t := time.AfterFunc(o.duration, r.capture.Stop)
		defer t.Stop()
	}
	if err := r.run(); err != nil {
		return err
	}
	return r.finish()
}

// run captures until it is told to end.
func (r *liveRun) run() error {
	if r.screen == nil {
		return r.loop()
	}
	return r.screen.run(r)
}

// loop is the life of a packet: source, files, engine, news.
func (r *liveRun) loop() error {
	var p capture.Packet
	for r.o.count == 0 || r.packets < r.o.count {
		if err := r.src.Next(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				r.failure = err
			}
			break
		}
		if r.todo.Load() != 0 {
			r.attend()
		}
		if p.Tick() {
			r.ifaces = r.src.Interfaces()
		} else {
			r.packets++
			if p.Iface >= len(r.ifaces) { // any: interfaces come as they speak
				r.ifaces = r.src.Interfaces()
			}
		}
		if r.writer != nil {
			if err := r.writer.Write(&p, r.ifaces); errors.Is(err, record.ErrLimit) {
				break
			}
		}
		if r.recorder != nil {
			r.recorder.Packet(&p, r.ifaces)
		}
		r.engine.Packet(&p)
		// A clock that steps back is told from interfaces whose clocks differ: on
		// the next tick, or after many packets.
		if d := p.Time.Sub(r.asked); d >= r.every || d < 0 && (p.Tick() || r.packets >= r.askedAt+manyPackets) {
			if err := r.news(p.Time); err != nil {
				return err
			}
		}
	}
	r.engine.Finish()
	return r.news(0)
}

// news tells what became true. at 0 is the end.
func (r *liveRun) news(at capture.Time) error {
	began := time.Now()
	n := r.engine.News(r.src)
	if n.Report != nil {
		r.report = n.Report
	}
	if r.saves {
		r.save(n.Findings)
	}
	err := r.teller.tell(&n, at)
	if r.screen != nil && at != 0 {
		r.screen.update(r, at)
	}
	r.asked, r.askedAt = at, r.packets
	r.every = min(max(newsShare*time.Since(began), newsEvery), newsAtLeast)
	return err
}

// finish prints the report and gives the exit status.
func (r *liveRun) finish() error {
	if r.kept != nil {
		r.kept.warn(r.s.Err)
	}
	rep := r.report // of the last news, which came after the engine's end
	if err := r.teller.end(rep); err != nil {
		return fmt.Errorf("write %s: %w", r.out.name, err)
	}
	if err := r.out.commit(); err != nil {
		return err
	}
	if r.saves {
		if n := r.recorder.Stats().Skipped; n > 0 {
			fmt.Fprintf(r.s.Err, "pxescope: flight recorder: %s findings were not saved\n", text.Number(uint64(n)))
		}
	}
	if r.writer != nil {
		werr := r.writer.Close(r.src.Interfaces())
		r.told()
		r.writer = nil
		if werr != nil {
			return &statusError{status: ExitUnreadable, err: fmt.Errorf("-w: %w", werr)}
		}
	}
	if r.failure != nil {
		e := liveError(r.failure, r.o.ifaces)
		var se *statusError
		if errors.As(e, &se) && se.status == ExitUsage {
			se.status = ExitUnreadable
		}
		return e
	}
	return verdictStatus(rep, r.choice.failOn)
}

// told says what -w wrote.
func (r *liveRun) told() {
	s := r.writer.Stats()
	if s.NotWritten > 0 {
		fmt.Fprintf(r.s.Err, "pxescope: -w: %s of %s packets were not written\n", text.Number(s.NotWritten), text.Number(s.NotWritten+s.Packets))
	}
}

// say is for what happens beside the packets: a line on standard error, or on
// the screen while there is one.
func (r *liveRun) say(line string) {
	if r.screen != nil && r.screen.notice(line) {
		return
	}
	fmt.Fprintf(r.s.Err, "pxescope: %s\n", text.Escape(line))
}

func (r *liveRun) close() {
	if r.writer != nil {
		r.writer.Close(r.ifaces)
	}
	if r.recorder != nil {
		r.recorder.Close()
	}
	if r.kernel.follow != nil {
		r.kernel.follow.Close()
	}
	if r.capture != nil {
		r.capture.Close()
	}
}

// attend does what signals and keys asked for.
func (r *liveRun) attend() {
	w := r.todo.Swap(0)
	if w&wishCounters != 0 {
		r.counters()
	}
	if w&wishReload != 0 {
		r.reload()
	}
	if w&wishWrite != 0 && r.screen != nil {
		for _, node := range r.screen.wanted() {
			r.writeNode(node)
		}
	}
}

// reload reads the files of --site and --catalog again. When one cannot be
// read, or is wrong, that is said and everything stays as it is.
func (r *liveRun) reload() {
	if r.o.place.site == "" && len(r.o.place.catalogs) == 0 {
		r.say("SIGHUP: there is no --site and no --catalog file to read again")
		return
	}
	opt, err := r.o.place.engine()
	if err != nil {
		r.say("SIGHUP: what was read before stays: " + err.Error())
		return
	}
	r.engine.Reload(opt.Site, opt.Catalog)
	r.say("SIGHUP: read again; the kernel's filter and the waiting times of transfers stay")
}

// isTerminal reports whether keys can be read.
func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && isTTY(f)
}
