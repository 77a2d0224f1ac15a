package counter

import "errors"

// ErrUnsupported is matched by errors that say that this system cannot count:
// not Linux, or a kernel without what the hook needs.
var ErrUnsupported = errors.New("not supported")

// ErrPermission is matched by errors that say that a right is missing.
var ErrPermission = errors.New("permission denied")

// An Error carries what to do about it.
type Error struct {
	err  error
	Hint string
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }
