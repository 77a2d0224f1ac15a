package live

import (
	"slices"
	"strings"
)

// similar is the hint for an interface that is not there: those whose names
// are within two changes, else all when they are few.
func similar(name string, names []string) string {
	var near []string
	for _, n := range names {
		if distance(name, n) <= min(2, len(name)-1) {
			near = append(near, n)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return distance(name, a) - distance(name, b) })
	switch {
	case len(near) > 0:
		return "did you mean " + strings.Join(near[:min(3, len(near))], " or ") + "? 'pxescope live -D' lists them all"
	case len(names) > 0 && len(names) <= 8:
		return "there are " + strings.Join(names, ", ")
	}
	return "'pxescope live -D' lists them"
}

// distance is how many characters are to be changed, put in, left out or
// swapped with their neighbour (Damerau and Levenshtein) to make a into b.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
