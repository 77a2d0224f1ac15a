package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/term"
)

// An output is standard output or the file of -o. A file appears under its
// name only when it is complete: it is written beside it and renamed.
type output struct {
	*bufio.Writer
	name     string
	file     *os.File // nil: a stream
	tty      bool
	terminal *os.File // nil: none
	cols     int      // columns of the terminal, 0 when it is none
	done     bool
}

func openOutput(s Streams, path string) (*output, error) {
	if path == "" || path == "-" {
		o := &output{Writer: bufio.NewWriter(s.Out), name: "standard output"}
		if f, ok := s.Out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			o.tty, o.terminal = true, f
			o.cols = o.width()
		}
		// As with other tools, COLUMNS asks for a width where no terminal has one.
		if w, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && o.cols == 0 {
			o.cols = w
		}
		return o, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		e := &statusError{status: ExitUsage, err: fmt.Errorf("-o: %w", err)}
		if errors.Is(err, fs.ErrPermission) {
			e.status = ExitPermission
		}
		return nil, e
	}
	return &output{Writer: bufio.NewWriter(f), name: path, file: f}, nil
}

// width is the columns of the terminal now.
func (o *output) width() int {
	if o.terminal == nil {
		return o.cols
	}
	w, _, err := term.GetSize(int(o.terminal.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// commit flushes, and gives a file its name.
func (o *output) commit() error {
	o.done = true
	err := o.Flush()
	if o.file == nil {
		if err != nil {
			return fmt.Errorf("write %s: %w", o.name, err)
		}
		return nil
	}
	err = errors.Join(err, o.file.Chmod(0o644), o.file.Close())
	if err == nil {
		err = os.Rename(o.file.Name(), o.name)
	}
	if err != nil {
		os.Remove(o.file.Name())
		return fmt.Errorf("write %s: %w", o.name, err)
	}
	return nil
}

// done writes what was rendered, unless rendering failed.
func done(out *output, err error) error {
	if err != nil {
		return err
	}
	return out.commit()
}

// writeJSON writes one document for people and programs.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// discard removes the unfinished file of a run that failed.
func (o *output) discard() {
	if o.done {
		return
	}
	o.done = true
	if o.file == nil {
		o.Flush() // lines of a stream that were decided before the failure
		return
	}
	o.file.Close()
	os.Remove(o.file.Name())
}
