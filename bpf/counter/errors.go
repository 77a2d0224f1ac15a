package counter

import "errors"

// ErrUnsupported is matched by errors that say that this system cannot count:
// not Linux, or a kernel without what the hook needs.
var ErrUnsupported = errors.New("not supported")
