//go:build linux

package counter

import (
	"testing"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/classify/catalog"
)

// The verifier goes through the program in well under its limit of a million
// instructions: what it takes is what a start of `pxescope count` takes.
func TestVerified(t *testing.T) {
	l := testLayout(t)
	complete, err := filter.Build(&filter.Request{Phase: catalog.Provisioning, Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range testPrograms {
		verified(t, c.name, newRunner(t, l, c.hook, c.xdpFrags), 200_000)
		// The filter costs what it is long, not a multiple of the counter.
		verified(t, c.name+" behind provisioning", newFilterRunner(t, l, provisioning(t), c.hook, c.xdpFrags), 200_000)
		verified(t, c.name+" behind complete provisioning", newFilterRunner(t, l, complete.Expr, c.hook, c.xdpFrags), 300_000)
	}
}

func verified(t *testing.T, name string, r *runner, most uint32) {
	t.Helper()
	info, err := r.p.Info()
	if err != nil {
		t.Fatal(err)
	}
	n, ok := info.VerifiedInstructions()
	if !ok {
		t.Skip("this kernel does not tell how many instructions were verified (5.16)")
	}
	ins, err := info.Instructions()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d instructions, %d verified", name, len(ins), n)
	if n > most {
		t.Errorf("%s: got %d verified instructions, want %d at most", name, n, most)
	}
}
