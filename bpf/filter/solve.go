package filter

import "math/bits"

// bitsKnown are the bits of some bytes that are known: value has no others.
type bitsKnown struct{ mask, value uint32 }

// add notes bits; false when they contradict those known.
func (b *bitsKnown) add(mask, value uint32) bool {
	both := b.mask & mask
	if b.value&both != value&both {
		return false
	}
	b.mask |= mask
	b.value |= value & mask
	return true
}

// next is the smallest value from lo on that has the known bits, of width bits.
func (b bitsKnown) next(lo uint32, width uint) (uint32, bool) {
	wrong := (lo ^ b.value) & b.mask
	if wrong == 0 {
		return lo, true
	}
	top := uint(31 - bits.LeadingZeros32(wrong))
	if b.value>>top&1 == 0 {
		// lo has a one where there must be none: carry into a free zero above.
		for top++; top < width && (lo>>top&1 == 1 || b.mask>>top&1 == 1); top++ {
		}
		if top >= width {
			return 0, false
		}
	}
	below := uint32(1)<<top - 1
	return lo&^(below|1<<top) | 1<<top | b.value&below, true
}

// fixes are the bits that a passed test makes known.
func (a *asked) fixes() bitsKnown {
	m := a.v.mask
	if m == 0 {
		m = 0xffffffff >> (32 - 8*uint32(a.v.size))
	}
	switch {
	case a.op == equal && a.outcome:
		return bitsKnown{m, a.k}
	case a.op == anyBit && !a.outcome:
		return bitsKnown{m & a.k, 0}
	case a.op == anyBit && bits.OnesCount32(m&a.k) == 1:
		return bitsKnown{m & a.k, m & a.k}
	case a.op == equal && bits.OnesCount32(m) == 1 && a.k&^m == 0: // it is not, so it is the other
		return bitsKnown{m, m &^ a.k}
	}
	return bitsKnown{}
}

// sameSpace says whether two values count from the same point.
func sameSpace(a, b value) bool { return a.kind == b.kind && a.ip == b.ip }

// sameWord says whether two values are the same bytes.
func sameWord(a, b value) bool { return sameSpace(a, b) && a.off == b.off && a.size == b.size }

// knownBits are the bits of v that the tests fix, those of other words that overlap
// it included; false when two of them contradict each other.
func knownBits(tests []asked, v value) (bitsKnown, bool) {
	var b bitsKnown
	for i := range tests {
		t := &tests[i]
		if !sameSpace(t.v, v) {
			continue
		}
		f := t.fixes()
		if f.mask == 0 {
			continue
		}
		if t.op == equal && f.value&^f.mask != 0 || t.v.kind == fixed && uint64(f.value)>>(8*t.v.size) != 0 {
			return b, false // equal to what the mask or the size rules out
		}
		if !sameWord(t.v, v) {
			if t.v.kind == metadata || t.v.kind == wireLength {
				continue
			}
			f = shifted(f, t.v, v)
		}
		if !b.add(f.mask, f.value) {
			return b, false
		}
	}
	return b, true
}

// shifted are the bits of word from, as they lie in word to.
func shifted(f bitsKnown, from, to value) bitsKnown {
	end1, end2 := int64(from.off)+int64(from.size), int64(to.off)+int64(to.size)
	by := 8 * (end2 - end1) // how far from's last byte is above to's
	if by >= 32 || by <= -32 {
		return bitsKnown{}
	}
	width := uint64(1)<<(8*to.size) - 1
	move := func(x uint32) uint32 {
		if by < 0 {
			return uint32(uint64(x) >> -by & width)
		}
		return uint32(uint64(x) << by & width)
	}
	return bitsKnown{move(f.mask), move(f.value)}
}

// A wordSearch runs through the values that a word may have.
type wordSearch struct {
	known  bitsKnown
	tests  []asked // of this word, those that do not only fix bits
	at, hi uint64
	width  uint
}

func newWordSearch(all []asked, v value, lo, hi uint32) (wordSearch, bool) {
	w := wordSearch{width: 8 * uint(v.size), at: uint64(lo), hi: min(uint64(hi), 1<<(8*uint(v.size))-1)}
	var ok bool
	if w.known, ok = knownBits(all, v); !ok {
		return w, false
	}
	for i := range all {
		t := &all[i]
		if !sameWord(t.v, v) || t.fixes().mask != 0 {
			continue
		}
		if t.v.mask == 0 {
			k := uint64(t.k)
			switch {
			case t.op == above && t.outcome:
				w.at = max(w.at, k+1)
			case t.op == above:
				w.hi = min(w.hi, k)
			case t.op == atLeast && t.outcome:
				w.at = max(w.at, k)
			case t.op == atLeast && k == 0:
				return w, false
			case t.op == atLeast:
				w.hi = min(w.hi, k-1)
			}
			if t.op == above || t.op == atLeast {
				continue
			}
		}
		w.tests = append(w.tests, *t)
	}
	return w, true
}

// maxWordTries bounds the search for one value of one word.
const maxWordTries = 4096

// next is the next value; sure is false when the search gave up.
func (w *wordSearch) next() (v uint32, ok, sure bool) {
	for range maxWordTries {
		if w.at > w.hi {
			return 0, false, true
		}
		v, ok := w.known.next(uint32(w.at), w.width)
		if !ok || uint64(v) > w.hi {
			return 0, false, true
		}
		w.at = uint64(v) + 1
		failed := false
		for i := range w.tests {
			t := &w.tests[i]
			m := t.v.mask
			if m == 0 {
				m = 0xffffffff
			}
			if decided(v&m, t.op, t.k) == t.outcome {
				continue
			}
			if t.op == anyBit {
				m &= t.k
			}
			if m == 0 {
				return 0, false, true // fails whatever the value is
			}
			// Bits below the mask make no difference.
			low := uint64(m & -m)
			w.at = max(w.at, (uint64(v)|(low-1))+1)
			failed = true
		}
		if !failed {
			return v, true, true
		}
	}
	return 0, false, false
}

// possible says whether v may have a value; true when that is not known.
func possible(tests []asked, v value) bool {
	w, ok := newWordSearch(tests, v, 0, 0xffffffff)
	if !ok {
		return false
	}
	_, ok, sure := w.next()
	return ok || !sure
}

type solution uint8

const (
	unsolvable solution = iota
	solved
	unsolved // gave up
)

// headerLengths of IPv4 in the order in which they are tried, in words of 4
// bytes: what is usual first.
var headerLengths = [...]uint32{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 4, 3, 2, 1, 0}

// solve finds a packet that passes all tests.
func solve(tests []asked, reads []readAt) ([]byte, beside, solution) {
	uses, ip := false, uint32(0)
	for _, t := range tests {
		if t.v.kind == transport {
			uses = true
			ip = t.v.ip
		}
	}
	for _, r := range reads {
		if r.v.kind == transport {
			uses = true
			ip = r.v.ip
		}
	}
	if !uses {
		return solveFixed(tests, reads)
	}
	for _, o := range tests {
		if o.v.kind == transport && o.v.ip != ip {
			return nil, beside{}, unsolved // two IP headers: of two layouts
		}
	}
	status := unsolvable
	for _, h := range headerLengths {
		at := func(v value) value {
			if v.kind == transport {
				v.kind, v.off, v.ip = fixed, v.off+4*h, 0
			}
			return v
		}
		ts := make([]asked, 0, len(tests)+1)
		for _, t := range tests {
			t.v = at(t.v)
			ts = append(ts, t)
		}
		ts = append(ts, asked{bytesOf(ip, 1).masked(15), equal, h, true})
		rs := make([]readAt, 0, len(reads)+1)
		for _, r := range reads {
			rs = append(rs, readAt{at(r.v), r.ok})
		}
		data, meta, got := solveFixed(ts, rs)
		if got == solved {
			return data, meta, got
		}
		status = max(status, got)
	}
	return nil, beside{}, status
}

// solveFixed is solve once every offset is known.
func solveFixed(tests []asked, reads []readAt) ([]byte, beside, solution) {
	need, limit := uint32(0), uint32(longestPacket)
	for _, r := range reads {
		to := r.v.off + uint32(r.v.size)
		if r.ok {
			need = max(need, to)
		} else {
			limit = min(limit, to-1)
		}
	}
	if need > limit {
		return nil, beside{}, unsolvable
	}
	n, status := solveLength(tests, max(need, shortPacket), limit)
	if status != solved {
		n, status = solveLength(tests, need, limit)
	}
	if status != solved {
		return nil, beside{}, status
	}
	var words []value
	for _, t := range tests {
		if t.v.kind != fixed && t.v.kind != metadata {
			continue
		}
		v := t.v
		v.mask = 0
		if !containsWord(words, v) {
			words = append(words, v)
		}
	}
	f := filling{budget: 2000}
	all, status := f.fill(tests, words)
	if status != solved {
		return nil, beside{}, status
	}
	data := make([]byte, n)
	var meta beside
	for i := range all {
		t := &all[i]
		b := t.fixes()
		if t.v.kind == metadata && b.mask != 0 {
			if t.v.off == metaVLANPresent {
				meta.vlan = meta.vlan || b.value != 0
			} else {
				meta.tci |= uint16(b.value)
			}
		}
		if t.v.kind != fixed {
			continue
		}
		for j := range uint32(t.v.size) {
			shift := 8 * (uint32(t.v.size) - 1 - j)
			if at := t.v.off + j; at < n {
				data[at] |= byte(b.value >> shift)
			}
		}
	}
	return data, meta, solved
}

func solveLength(tests []asked, lo, hi uint32) (uint32, solution) {
	w, ok := newWordSearch(tests, value{kind: wireLength, size: 4}, lo, hi)
	if !ok {
		return 0, unsolvable
	}
	n, ok, sure := w.next()
	switch {
	case ok:
		return n, solved
	case sure:
		return 0, unsolvable
	}
	return 0, unsolved
}

func containsWord(words []value, v value) bool {
	for _, w := range words {
		if sameWord(w, v) {
			return true
		}
	}
	return false
}

// A filling gives words their values one after the other, and goes back where
// an earlier one leaves none for a later one that overlaps it.
type filling struct{ budget int }

func (f *filling) fill(tests []asked, words []value) ([]asked, solution) {
	if len(words) == 0 {
		return tests, solved
	}
	w, ok := newWordSearch(tests, words[0], 0, 0xffffffff)
	if !ok {
		return nil, unsolvable
	}
	status := unsolvable
	for {
		if f.budget--; f.budget < 0 {
			return nil, unsolved
		}
		v, ok, sure := w.next()
		if !ok {
			if !sure {
				status = unsolved
			}
			return nil, status
		}
		got, s := f.fill(append(tests[:len(tests):len(tests)], asked{words[0], equal, v, true}), words[1:])
		if s == solved {
			return got, s
		}
		status = max(status, s)
	}
}
