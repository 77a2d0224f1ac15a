// Package lazy makes what most starts of the program have no use of when it is
// first used.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp is a regular expression that is compiled when it is first called for.
// Then it panics where regexp.MustCompile would. It is safe for use by several
// goroutines.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
