package counter

import (
	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/classify/catalog"
)

// A Config says what to count where.
type Config struct {
	Catalog    *catalog.Catalog // nil: catalog.Default()
	Hook       Hook             // "": TCX where the kernel has it, else Socket
	Interfaces []string
	// Filter, if set, says which packets are counted; the others are Filtered.
	Filter *filter.Expr
	// Learn adds ports of RPC services from portmap's replies that pass by,
	// MaxLearnt at most. It needs CAP_NET_RAW besides.
	Learn bool
	// Pin, if set, is a directory of a BPF file system. A counter that is pinned
	// there is read, and no interface may be named; else one is made and keeps
	// counting after Close, until the directory is removed.
	Pin string
}

func (c *Config) layout() (*Layout, error) {
	cat := c.Catalog
	if cat == nil {
		cat = catalog.Default()
	}
	l, err := NewLayout(cat)
	if err == nil && c.Learn {
		l.reserve()
	}
	return l, err
}

func (c *Config) filterText() string {
	if c.Filter == nil {
		return ""
	}
	return c.Filter.String()
}

// A Comparison is one capture counted twice: by the program in the kernel and
// by the Reference.
type Comparison struct {
	Kernel *Totals `json:"kernel"`
	Go     *Totals `json:"go"`
	Frames uint64  `json:"frames"`
	// Differing are the numbers of frames, 100 at most, that the two count at
	// different places.
	Differing []Difference `json:"differing"`
	// LeftOut are frames that cannot be run: not Ethernet, or cut shorter than
	// the kernel accepts.
	LeftOut uint64 `json:"left_out"`
	// Cut are frames of which only the start was run and only that counted as bytes.
	Cut uint64 `json:"cut"`
}

// A Difference is one frame that kernel and Go disagree about.
type Difference struct {
	Frame  uint64 `json:"frame"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

const maxDifferences = 100
