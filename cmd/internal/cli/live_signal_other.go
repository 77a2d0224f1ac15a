//go:build !unix

package cli

import (
	"os"
	"os/signal"
)

// liveSignals has Ctrl-C end the capture; other signals there are none.
type liveSignals struct{ end chan os.Signal }

func watchSignals(*liveRun) *liveSignals {
	l := &liveSignals{end: make(chan os.Signal, 1)}
	signal.Notify(l.end, os.Interrupt)
	return l
}

func (l *liveSignals) ends(c interface{ Stop() }) {
	go func() {
		if _, ok := <-l.end; ok {
			signal.Reset(os.Interrupt)
			c.Stop()
		}
	}()
}

func (l *liveSignals) stop() {
	signal.Stop(l.end)
	close(l.end)
}
