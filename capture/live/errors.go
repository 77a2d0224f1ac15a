package live

import "errors"

// ErrPermission is matched by errors that say that a right is missing.
var ErrPermission = errors.New("permission denied")

// ErrNoInterface is matched by errors that say that there is no such interface.
var ErrNoInterface = errors.New("no such interface")

// ErrUnsupported is matched by errors that say that this system, this build or
// this interface cannot be captured from in the way asked for.
var ErrUnsupported = errors.New("not supported")

// An Error carries what to do about it.
type Error struct {
	Err  error
	Hint string // empty when nothing is known
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
