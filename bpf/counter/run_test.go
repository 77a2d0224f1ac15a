//go:build linux

package counter

import (
	"testing"

	"github.com/pxescope/pxescope/classify/catalog"
)

func TestX(t *testing.T) {
	l, err := NewLayout(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMaps(l, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range Hooks() {
		p, err := m.program(h, 0, false, true)
		if err != nil {
			t.Errorf("%s: %+v", h, err)
			continue
		}
		i, _ := p.Info()
		n, _ := i.VerifiedInstructions()
		ins, _ := i.Instructions()
		t.Log(h, len(ins), n)
	}
}
