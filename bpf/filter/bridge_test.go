package filter

import (
	"math/rand/v2"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// What tests outside of the package borrow: bpf/counter imports this package,
// so a test that runs both cannot be inside.

// TextsOfExamples are the Ethernet expressions of testdata.
func TextsOfExamples(t *testing.T) (texts []string) {
	for _, x := range examples(t) {
		if x.link == capture.LinkEthernet {
			texts = append(texts, x.text)
		}
	}
	return texts
}

// RandomTexts are n random expressions that parse.
func RandomTexts(seed uint64, n int) (texts []string) {
	r := maker{rand.New(rand.NewPCG(seed, 0))}
	for len(texts) < n {
		if s := r.expression(); parses(s) {
			texts = append(texts, s)
		}
	}
	return texts
}

func parses(s string) bool { _, err := Parse(s); return err == nil }

// RandomFrames are Ethernet frames, of the corpus where it is there.
func RandomFrames(t testing.TB, seed uint64, n int) (list [][]byte) {
	for _, f := range frames(t, seed, capture.LinkEthernet, n) {
		list = append(list, f.data)
	}
	return list
}
