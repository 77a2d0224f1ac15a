package track

import (
	"hash/maphash"

	"github.com/pxescope/pxescope/capture"
)

// A Table is a bounded map with deadlines. When it is full the oldest entry is
// evicted, and counted. Deadlines pass in their order and only through Expire.
// A Table is for one goroutine.
type Table[K comparable, V any] struct {
	limit   int
	n       int
	index   []place // open addressing, linear probing, at most half full
	seed    maphash.Seed
	slots   []slot[K, V]
	free    []int32
	oldest  int32 // insertion order, doubly linked
	newest  int32
	due     dues         // min-heap; a slot's entry may be earlier than its deadline, never later
	first   capture.Time // of due, or Never
	evicted uint64
	onEvict func(K, *V)
}

type slot[K comparable, V any] struct {
	key        K
	val        V
	deadline   capture.Time
	queued     capture.Time // the deadline under which the slot stands in due, or Never
	prev, next int32
	gen        uint32 // tells a slot used again from the one a heap entry meant
	low        uint32 // part of the key's hash, as in the index
}

// A place of the index names a slot: the upper half is the slot's number + 1,
// the lower half part of the key's hash, so that few look-ups meet a wrong slot
// and a deletion need not touch any. 0 is a free place.
type place uint64

func (p place) slot() int32 { return int32(p>>32) - 1 }

type due struct {
	at   capture.Time
	slot int32
	gen  uint32
}

const none = -1

// NewTable makes a Table of at most limit entries. onEvict, if not nil, is
// told of each entry that a full table drops, before it goes.
func NewTable[K comparable, V any](limit int, onEvict func(K, *V)) *Table[K, V] {
	return &Table[K, V]{limit: limit, seed: maphash.MakeSeed(), oldest: none, newest: none, first: Never, onEvict: onEvict}
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Evicted is how many entries a full table dropped.
func (t *Table[K, V]) Evicted() uint64 { return t.evicted }

// Get returns the entry of k, or nil. The pointer is valid until the next Put.
func (t *Table[K, V]) Get(k K) *V {
	if t.n == 0 {
		return nil
	}
	if p := t.index[t.find(&k, t.hash(&k))]; p != 0 {
		return &t.slots[p.slot()].val
	}
	return nil
}

// hash is the part of k's hash that the index holds.
func (t *Table[K, V]) hash(k *K) uint32 { return uint32(maphash.Comparable(t.seed, *k)) }

// find is the place of k in the index, or the free one where it would go. There
// is an index.
func (t *Table[K, V]) find(k *K, low uint32) int {
	mask := len(t.index) - 1
	for at := int(low) & mask; ; at = (at + 1) & mask {
		p := t.index[at]
		if p == 0 || uint32(p) == low && t.slots[p.slot()].key == *k {
			return at
		}
	}
}

// grow makes room in the index for one more entry.
func (t *Table[K, V]) grow() {
	if 2*(t.n+1) <= len(t.index) {
		return
	}
	old := t.index
	t.index = make([]place, max(16, 2*len(old)))
	mask := len(t.index) - 1
	for _, p := range old {
		if p == 0 {
			continue
		}
		at := int(uint32(p)) & mask
		for t.index[at] != 0 {
			at = (at + 1) & mask
		}
		t.index[at] = p
	}
}

// vacate frees a place of the index and moves up what was pushed behind it.
func (t *Table[K, V]) vacate(at int) {
	mask := len(t.index) - 1
	for next := (at + 1) & mask; t.index[next] != 0; next = (next + 1) & mask {
		home := int(uint32(t.index[next])) & mask
		if (next-home)&mask >= (next-at)&mask {
			t.index[at] = t.index[next]
			at = next
		}
	}
	t.index[at] = 0
}

// Put returns a zero entry for k, in place of one that was there. It has no
// deadline. The pointer is valid until the next Put.
func (t *Table[K, V]) Put(k K) *V {
	low := t.hash(&k)
	if t.n > 0 {
		if at := t.find(&k, low); t.index[at] != 0 {
			t.remove(at)
		}
	}
	if t.n >= t.limit {
		old := t.oldest
		gen := t.slots[old].gen
		if t.onEvict != nil {
			t.onEvict(t.slots[old].key, &t.slots[old].val)
		}
		if t.slots[old].gen == gen { // onEvict did not delete it
			t.remove(t.placeOf(old))
		}
		t.evicted++
	}
	var i int32
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		t.slots = append(t.slots, slot[K, V]{})
		i = int32(len(t.slots) - 1)
	}
	s := &t.slots[i]
	s.key, s.low, s.deadline, s.queued = k, low, Never, Never
	s.prev, s.next = t.newest, none
	if t.newest != none {
		t.slots[t.newest].next = i
	} else {
		t.oldest = i
	}
	t.newest = i
	t.grow()
	t.index[t.find(&k, low)] = place(i+1)<<32 | place(low)
	t.n++
	return &s.val
}

// placeOf is where the index names a slot in use.
func (t *Table[K, V]) placeOf(slot int32) int {
	mask := len(t.index) - 1
	at := int(t.slots[slot].low) & mask
	for t.index[at].slot() != slot {
		at = (at + 1) & mask
	}
	return at
}

// Delete removes k, if it is there.
func (t *Table[K, V]) Delete(k K) {
	if t.n == 0 {
		return
	}
	if at := t.find(&k, t.hash(&k)); t.index[at] != 0 {
		t.remove(at)
	}
}

// remove takes out the entry at a place of the index. Its value is zero then.
func (t *Table[K, V]) remove(at int) {
	i := t.index[at].slot()
	s := &t.slots[i]
	if s.prev != none {
		t.slots[s.prev].next = s.next
	} else {
		t.oldest = s.next
	}
	if s.next != none {
		t.slots[s.next].prev = s.prev
	} else {
		t.newest = s.prev
	}
	t.vacate(at)
	t.n--
	var zero V
	s.val = zero
	s.gen++
	t.free = append(t.free, i)
}

// SetDeadline sets when k expires; Never takes the deadline away. It does
// nothing when k is not there.
func (t *Table[K, V]) SetDeadline(k K, at capture.Time) {
	if t.n == 0 {
		return
	}
	p := t.index[t.find(&k, t.hash(&k))]
	if p == 0 {
		return
	}
	i := p.slot()
	s := &t.slots[i]
	s.deadline = at
	if at < s.queued {
		s.queued = at
		t.push(due{at, i, s.gen})
	}
}

// Deadline is a time not later than the earliest deadline, or Never.
func (t *Table[K, V]) Deadline() capture.Time {
	return t.first
}

// Expire calls expired for every entry whose deadline is <= now, in order of
// deadlines, after clearing its deadline; the entry stays in the table unless
// expired deletes it, and expired may set a new deadline.
func (t *Table[K, V]) Expire(now capture.Time, expired func(k K, v *V, deadline capture.Time)) {
	for len(t.due) > 0 && t.due[0].at <= now {
		d := t.due[0]
		t.pop()
		s := &t.slots[d.slot]
		if s.gen != d.gen || s.queued != d.at {
			continue // deleted, or queued again earlier
		}
		s.queued = Never
		switch {
		case s.deadline == Never:
		case s.deadline > d.at:
			s.queued = s.deadline
			t.push(due{s.deadline, d.slot, d.gen})
		default:
			at := s.deadline
			s.deadline = Never
			expired(s.key, &s.val, at)
		}
	}
}

// Each calls f for every entry, oldest first. f may delete the entry it got.
func (t *Table[K, V]) Each(f func(k K, v *V, deadline capture.Time)) {
	for i := t.oldest; i != none; {
		s := &t.slots[i]
		next := s.next
		f(s.key, &s.val, s.deadline)
		i = next
	}
}

type dues []due

func (d due) before(e due) bool {
	return d.at < e.at || d.at == e.at && d.slot < e.slot
}

func (t *Table[K, V]) push(d due) {
	if len(t.due) >= 64+2*t.n {
		t.compact()
	}
	t.due = append(t.due, d)
	t.up(len(t.due) - 1)
	t.first = t.due[0].at
}

// compact drops the heap entries of deleted slots, which would otherwise stay
// until their time: a table of short exchanges would grow a heap of ghosts.
func (t *Table[K, V]) compact() {
	live := t.due[:0]
	for _, d := range t.due {
		if s := &t.slots[d.slot]; s.gen == d.gen && s.queued == d.at {
			live = append(live, d)
		}
	}
	t.due = live
	for i := range live {
		t.up(i)
	}
}

func (t *Table[K, V]) up(i int) {
	h := t.due
	for i > 0 {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (t *Table[K, V]) pop() {
	h := t.due
	n := len(h) - 1
	h[0] = h[n]
	h = h[:n]
	t.due = h
	h.down()
	t.first = Never
	if n > 0 {
		t.first = h[0].at
	}
}

// down puts the first entry in its place.
func (h dues) down() {
	n := len(h)
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return
		}
		if c+1 < n && h[c+1].before(h[c]) {
			c++
		}
		if !h[c].before(h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}
