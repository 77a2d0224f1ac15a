//go:build linux

package counter

import "testing"

// The verifier goes through the program in well under its limit of a million
// instructions: what it takes is what a start of `pxescope count` takes.
func TestVerified(t *testing.T) {
	l := testLayout(t)
	for _, c := range testPrograms {
		r := newRunner(t, l, c.hook, c.xdpFrags)
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
		t.Logf("%s: %d instructions, %d verified", c.name, len(ins), n)
		if n > 150_000 {
			t.Errorf("%s: got %d verified instructions, want 150,000 at most", c.name, n)
		}
	}
}
