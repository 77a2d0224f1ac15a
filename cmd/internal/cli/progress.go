package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pxescope/pxescope/cmd/internal/text"
)

// A progress shows on standard error how far a long input was read. It keeps
// quiet for the first second, and wherever there is no terminal.
type progress struct {
	w       io.Writer
	started time.Time
	shown   time.Time
	drawn   bool
}

func newProgress(s Streams, quiet bool) *progress {
	p := &progress{started: time.Now()}
	if f, ok := s.Err.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) {
		p.w = f
	}
	return p
}

// update is told of the bytes read so far, of total, 0 if that is not known.
func (p *progress) update(read, total int64) {
	if p.w == nil {
		return
	}
	now := time.Now()
	if now.Sub(p.started) < time.Second || now.Sub(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown, p.drawn = now, true
	rate := float64(read) / now.Sub(p.started).Seconds()
	if total > 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%3d%%  %s of %s  %s/s", min(100, 100*read/total), text.Size(read), text.Size(total), text.Size(int64(rate)))
		return
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s  %s/s", text.Size(read), text.Size(int64(rate)))
}

// done takes the line away.
func (p *progress) done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}
