//go:build !linux

package privilege

import "errors"

// Held is an error where there are no capabilities.
func Held() (uint64, error) { return 0, errors.ErrUnsupported }
