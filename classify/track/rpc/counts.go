package rpc

import (
	"slices"
	"strconv"

	"github.com/pxescope/pxescope/classify/track"
)

// maxKeys bounds the program and procedure numbers counted by themselves that
// no table names; a scan of program numbers would name millions. What is over
// goes under otherKey.
const maxKeys = 512

const otherKey = "other"

// maxNamed is more than the procedures of any version in programs.
const maxNamed = 24

type tally struct{ calls, unanswered uint64 }

// A ledger counts calls by program and procedure, those with a name in arrays.
type ledger struct {
	named   [][5][maxNamed]tally // by index in programs, version, procedure
	unnamed map[uint64]*tally    // by program<<32 | procedure
	other   tally
}

func newLedger() ledger {
	return ledger{named: make([][5][maxNamed]tally, len(programs)), unnamed: make(map[uint64]*tally)}
}

// of is the tally of a procedure.
func (l *ledger) of(prog, vers, proc uint32) *tally {
	if i := programIndex(prog); i >= 0 && proc < maxNamed {
		if vers >= 5 || programs[i].procedures[vers] == nil {
			vers = 0
		}
		if names := programs[i].procedures[vers]; proc < uint32(len(names)) && names[proc] != "" {
			return &l.named[i][vers][proc]
		}
	}
	k := uint64(prog)<<32 | uint64(proc)
	t := l.unnamed[k]
	if t == nil {
		if len(l.unnamed) >= maxKeys {
			return &l.other
		}
		t = new(tally)
		l.unnamed[k] = t
	}
	return t
}

// add merges the ledger into c; pending calls are unanswered as of now.
func (l *ledger) add(c *track.RPCCounts) {
	if c.Calls == nil {
		c.Calls = make(map[string]uint64)
	}
	if c.Unanswered == nil {
		c.Unanswered = make(map[string]uint64)
	}
	put := func(key string, t tally) {
		if t.calls > 0 {
			c.Calls[key] += t.calls
		}
		if t.unanswered > 0 {
			c.Unanswered[key] += t.unanswered
		}
	}
	for i := range l.named {
		for v := range l.named[i] {
			for p, t := range l.named[i][v] {
				if t != (tally{}) {
					put(strconv.FormatUint(uint64(programs[i].number), 10)+":"+programs[i].procedures[v][p], t)
				}
			}
		}
	}
	for k, t := range l.unnamed {
		put(strconv.FormatUint(k>>32, 10)+":"+strconv.FormatUint(k&0xffffffff, 10), *t)
	}
	put(otherKey, l.other)
}

// clone copies l, so that pending calls can be added for one report.
func (l *ledger) clone() ledger {
	n := ledger{named: slices.Clone(l.named), unnamed: make(map[uint64]*tally, len(l.unnamed)), other: l.other}
	for k, t := range l.unnamed {
		c := *t
		n.unnamed[k] = &c
	}
	return n
}
