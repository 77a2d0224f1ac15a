package pcapfile

import (
	"fmt"
	"math/bits"

	"github.com/pxescope/pxescope/capture"
)

// A resolution is the unit of the timestamps of a pcapng interface
// (if_tsresol, if_tsoffset; section 4.2): 10^-exp or 2^-exp seconds, counted
// from offset seconds after the epoch. All arithmetic is exact; what lies
// between two nanoseconds is cut off.
type resolution struct {
	binary bool
	exp    uint
	offset int64
}

func (s resolution) String() string {
	if s.binary {
		return fmt.Sprintf("2^-%d s", s.exp)
	}
	return fmt.Sprintf("10^-%d s", s.exp)
}

// valid reports whether 64 bits of such ticks can tell a time: 2^64 ticks of
// 10^-20 s are less than a second.
func (s resolution) valid() bool {
	if s.binary {
		return s.exp <= 63
	}
	return s.exp <= 19
}

// fast returns mul and limit so that the time of ticks is ticks*mul while
// ticks < limit; without such a mul, limit is 0.
func (s resolution) fast() (mul, limit uint64) {
	if s.binary || s.exp > 9 || s.offset != 0 {
		return 0, 0
	}
	mul = pow10[9-s.exp]
	return mul, maxTime/mul + 1
}

// time converts ticks; it stays within 0 and maxTime.
func (s resolution) time(ticks uint64) capture.Time {
	var sec, ns uint64
	if s.binary {
		sec = ticks >> s.exp
		hi, lo := bits.Mul64(ticks&(1<<s.exp-1), 1e9)
		ns = hi<<(64-s.exp) | lo>>s.exp
	} else {
		unit := pow10[s.exp]
		sec = ticks / unit
		if frac := ticks % unit; s.exp <= 9 {
			ns = frac * pow10[9-s.exp]
		} else {
			ns = frac / pow10[s.exp-9]
		}
	}
	const far = maxTime / 1_000_000_000 // seconds
	if s.offset >= 0 {
		sec = addSaturating(sec, uint64(s.offset))
	} else if back := uint64(-s.offset); back <= sec { // -MinInt64 is 1<<63 as it must be
		sec -= back
	} else {
		return 0
	}
	if sec >= far {
		return maxTime
	}
	return capture.Time(sec*1_000_000_000 + ns)
}

var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
