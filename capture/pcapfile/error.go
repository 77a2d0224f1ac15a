package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrUnreadable is what errors.Is finds in an error of Open or NewReader when
// no packet could be read from any input.
var ErrUnreadable = errors.New("unreadable input")

// An Error says where reading an input stopped, why, and what helps.
type Error struct {
	File      string // as in capture.FileInfo.Name; empty for a bare Reader
	Frame     uint64 // the frame that was being read, from 1; 0: not in a frame
	Offset    int64  // of that record or block, in the uncompressed file
	Reason    string
	Remedy    string // what to do next, where known
	Truncated bool   // the input ends inside a record
	Err       error  // the cause, if another package told it
}

// Error is "file: frame 7 (byte 4096): reason; remedy".
func (e *Error) Error() string {
	if e.File == "" {
		return e.Detail()
	}
	return e.File + ": " + e.Detail()
}

// Detail is Error without the file's name, as in capture.FileInfo.Damage.
func (e *Error) Detail() string {
	var b strings.Builder
	if e.Frame != 0 {
		fmt.Fprintf(&b, "frame %d (byte %d): ", e.Frame, e.Offset)
	}
	b.WriteString(e.Reason)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// An OpenError lists why none of the inputs could be read.
type OpenError struct{ Inputs []*Error }

// Error has one line per input.
func (e *OpenError) Error() string {
	if len(e.Inputs) == 0 {
		return "no input named"
	}
	lines := make([]string, len(e.Inputs))
	for i, in := range e.Inputs {
		lines[i] = in.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.Is find ErrUnreadable and each cause, such as
// fs.ErrNotExist.
func (e *OpenError) Unwrap() []error {
	errs := []error{ErrUnreadable}
	for _, in := range e.Inputs {
		errs = append(errs, in)
	}
	return errs
}

// isCut reports whether err means that the input is shorter than it says.
func isCut(err error) bool {
	return err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
}
