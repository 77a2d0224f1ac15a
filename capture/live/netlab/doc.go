// Package netlab gives a test networks of its own: namespaces in which nobody
// else sends, pairs of interfaces between them, sockets that put frames on the
// wire. Only tests import it.
//
// Names have the process's id, so that what a killed test leaves can be told
// from what runs; everything is removed at the end of the test. The networks
// are Linux's; elsewhere there is only the rule on what a test lacks.
package netlab

import "os"

// TB is what is used of testing.TB, so that the package does without testing.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Lacking ends a test that cannot run here, and says what is missing. That is a
// skip, but with CI=true in the environment a failure: there everything is
// installed and permitted.
func Lacking(t TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Root is for a test that only root can run; rights are those that it uses.
func Root(t TB, rights string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Lacking(t, "needs root: %s", rights)
	}
}
