//go:build linux

package counter

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// compareTotals reports what two counts disagree about.
func compareTotals(t *testing.T, got, want *Totals) {
	t.Helper()
	for _, x := range []*Totals{got, want} {
		slices.SortFunc(x.Services, func(a, b ServiceCount) int { return cmp.Compare(a.ID, b.ID) })
		for i := range x.Interfaces {
			s := x.Interfaces[i].Services
			slices.SortFunc(s, func(a, b ServiceCount) int { return cmp.Compare(a.ID, b.ID) })
		}
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("counts differ, -want +got:\n%s", d)
	}
	sum := got.Other.Packets + got.Fragments.Packets + got.Undecodable.Packets
	for _, s := range got.Services {
		sum += s.Packets
	}
	if sum != got.Packets {
		t.Errorf("got %d packets in all kinds, want the total %d", sum, got.Packets)
	}
}
