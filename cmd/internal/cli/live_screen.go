package cli

import (
	"sync"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/cmd/internal/screen"
)

// A liveScreen connects the loop with the screen: snapshots go one way, the
// latest winning, and wishes come the other way. Neither waits for the other.
type liveScreen struct {
	program *tea.Program
	on      atomic.Bool
	latest  chan screen.Snapshot
	notices chan screen.Notice
	mu      sync.Mutex
	nodes   []string // whose packets are wanted

	since capture.Time
	rates meter
}

func newLiveScreen(r *liveRun) *liveScreen {
	l := &liveScreen{latest: make(chan screen.Snapshot, 1), notices: make(chan screen.Notice, 16)}
	style := r.style
	model := screen.New(screen.Options{Style: style, Write: func(node string) {
		l.mu.Lock()
		l.nodes = append(l.nodes, node)
		l.mu.Unlock()
		r.todo.Or(wishWrite)
	}})
	l.program = tea.NewProgram(model, tea.WithInput(r.s.In), tea.WithOutput(r.s.Out), tea.WithoutSignalHandler())
	return l
}

// run shows the screen while the loop captures, and ends one with the other.
func (l *liveScreen) run(r *liveRun) error {
	done := make(chan error, 1)
	quit := make(chan struct{})
	l.on.Store(true)
	go func() {
		for {
			select {
			case s := <-l.latest:
				l.program.Send(s)
			case n := <-l.notices:
				l.program.Send(n)
			case <-quit:
				return
			}
		}
	}()
	go func() {
		done <- r.loop()
		l.on.Store(false)
		l.program.Quit()
	}()
	_, err := l.program.Run()
	l.on.Store(false)
	close(quit)
	r.capture.Stop()
	if lerr := <-done; lerr != nil {
		return lerr
	}
	return err
}

// notice shows a line, if the screen is on.
func (l *liveScreen) notice(line string) bool {
	if !l.on.Load() {
		return false
	}
	select {
	case l.notices <- screen.Notice(line):
	default:
	}
	return true
}

// wanted are the nodes whose packets are wanted since the last call.
func (l *liveScreen) wanted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.nodes
	l.nodes = nil
	return list
}

// update hands the screen the state of this moment.
func (l *liveScreen) update(r *liveRun, at capture.Time) {
	if l.since == 0 {
		l.since = at
	}
	if r.report == nil {
		r.report = r.engine.Report(r.src)
	}
	s := screen.Snapshot{
		Now: classify.Time(at), Since: classify.Time(l.since), Report: r.report, Packets: r.packets, Filter: r.kernel.what,
	}
	if r.writer != nil {
		s.Writing = r.writer.Path()
	}
	s.Rate, s.Rates = l.rates.read(r.report, r.packets, at)
	for _, x := range r.capture.Stats() {
		i := screen.Interface{Name: x.Name, State: x.State, Received: x.Received.N}
		for _, n := range []capture.Count{x.RingDropped, x.InterfaceDropped} {
			i.Known = i.Known || n.Known
			i.Dropped += n.N
		}
		s.Interfaces = append(s.Interfaces, i)
	}
	select {
	case <-l.latest: // it was not shown: this one is newer
	default:
	}
	l.latest <- s
}

// A meter measures packets a second, over a second at least.
type meter struct {
	at       capture.Time
	packets  uint64
	services map[string]uint64
	rate     float64
	rates    map[string]float64
}

func (m *meter) read(r *classify.Report, packets uint64, at capture.Time) (float64, map[string]float64) {
	d := at.Sub(m.at).Seconds()
	if d < 1 && d >= 0 && m.rates != nil {
		return m.rate, m.rates
	}
	first := m.services == nil
	now, rates := make(map[string]uint64, len(r.Services)), make(map[string]float64, len(r.Services))
	for i := range r.Services {
		v := &r.Services[i]
		now[v.ID] = v.Packets
		if !first && d > 0 && v.Packets >= m.services[v.ID] {
			rates[v.ID] = float64(v.Packets-m.services[v.ID]) / d
		}
	}
	if !first && d > 0 {
		m.rate = float64(packets-m.packets) / d
	}
	m.at, m.packets, m.services, m.rates = at, packets, now, rates
	return m.rate, m.rates
}
