//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// liveSignals turns signals into wishes.
type liveSignals struct {
	end, wish chan os.Signal
	r         *liveRun
}

// watchSignals takes over the signals. Those that end the program before there
// is a capture wait for it.
func watchSignals(r *liveRun) *liveSignals {
	l := &liveSignals{end: make(chan os.Signal, 1), wish: make(chan os.Signal, 4), r: r}
	signal.Notify(l.end, os.Interrupt, syscall.SIGTERM)
	signal.Notify(l.wish, syscall.SIGUSR1, syscall.SIGHUP)
	go func() {
		for s := range l.wish {
			if s == syscall.SIGHUP {
				r.todo.Or(wishReload)
			} else {
				r.todo.Or(wishCounters)
			}
		}
	}()
	return l
}

// again is how long after the first signal another one counts as the same:
// timeout(1) sends it to the process and to its group.
const again = 300 * time.Millisecond

// ends has the first signal end the capture, so that the report is printed; a
// second one, later than that, ends the program at once.
func (l *liveSignals) ends(c interface{ Stop() }) {
	go func() {
		if _, ok := <-l.end; ok {
			c.Stop()
			time.Sleep(again)
			signal.Reset(os.Interrupt, syscall.SIGTERM)
		}
	}()
}

func (l *liveSignals) stop() {
	signal.Stop(l.end)
	signal.Stop(l.wish)
	close(l.end)
	close(l.wish)
}
