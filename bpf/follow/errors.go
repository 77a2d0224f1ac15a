package follow

import "errors"

// ErrUnsupported is matched by errors that say that this system cannot filter
// so: not Linux, or a kernel without what the program needs.
var ErrUnsupported = errors.New("not supported")

// ErrPermission is matched by errors that say that a right is missing.
var ErrPermission = errors.New("permission denied")

// An Error carries what to do about it.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
