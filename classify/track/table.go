package track

import (
	"hash/maphash"
	"math/rand/v2"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Table is a bounded map with deadlines. When it is full the oldest entry is
// evicted, and counted. Deadlines pass in their order and only through Expire.
// A Table is for one goroutine.
type Table[K comparable, V any] struct {
	limit   int
	n       int
	index   []place // open addressing, linear probing, at most half full
	hash    func(seed uint64, k K) uint64
	seed    uint64
	slots   []*[chunk]slot[K, V] // in chunks, so that entries stay where they are
	used    int32                // slots that were ever in use
	last    int32                // the slot that Get, Put or At returned last, or none
	free    []int32
	oldest  int32 // insertion order, doubly linked
	newest  int32
	due     dues         // min-heap; a slot's entry may be earlier than its deadline, never later
	first   capture.Time // of due, or Never
	evicted uint64
	onEvict func(K, *V)
}

// What the table itself reads of a slot is in one piece: values may be large. They
// come first, so that one that knows its size begins with a cache line.
type slot[K comparable, V any] struct {
	val        V
	key        K
	prev, next int32
	gen        uint32 // tells a slot used again from the one a heap entry meant
	low        uint32 // part of the key's hash, as in the index
	deadline   capture.Time
	queued     capture.Time // the deadline under which the slot stands in due, or Never
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

// chunk is how many slots are allocated at a time.
const chunk = 16

// NewTable makes a Table of at most limit entries. onEvict, if not nil, is
// told of each entry that a full table drops, before it goes.
func NewTable[K comparable, V any](limit int, onEvict func(K, *V)) *Table[K, V] {
	seed := maphash.MakeSeed()
	return NewHashed(limit, func(_ uint64, k K) uint64 { return maphash.Comparable(seed, k) }, onEvict)
}

// NewHashed is NewTable with a hash for the keys, for tables that many packets
// look into: for a key of several fields Go's own takes five times as long as
// Mix. The seed is the table's own, drawn anew in each run, so that nobody can
// choose keys that meet in one place.
func NewHashed[K comparable, V any](limit int, hash func(seed uint64, k K) uint64, onEvict func(K, *V)) *Table[K, V] {
	return &Table[K, V]{
		limit: limit, hash: hash, seed: rand.Uint64(), last: none, oldest: none, newest: none, first: Never, onEvict: onEvict,
	}
}

// HashAddr is a hash for NewHashed.
func HashAddr(seed uint64, a wire.Addr) uint64 { return wire.MixAddr(seed, &a) }

// HashFlow is a hash for NewHashed.
func HashFlow(seed uint64, f wire.Flow) uint64 {
	return wire.Mix(wire.MixAddr(wire.MixAddr(seed, &f.Src), &f.Dst), uint64(f.SrcPort)<<16|uint64(f.DstPort), uint64(f.Proto))
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Evicted is how many entries a full table dropped.
func (t *Table[K, V]) Evicted() uint64 { return t.evicted }

// Get returns the entry of k, or nil. The pointer is valid as long as the entry
// is in the table; when it goes it becomes zero, and then another key's.
func (t *Table[K, V]) Get(k K) *V {
	if t.n == 0 {
		return nil
	}
	p := t.index[t.find(&k, uint32(t.hash(t.seed, k)))]
	if p == 0 {
		return nil
	}
	t.last = p.slot()
	return &t.slot(t.last).val
}

// At returns the entry of k, a new one like Put's if there is none.
func (t *Table[K, V]) At(k K) *V {
	low := uint32(t.hash(t.seed, k))
	if t.n > 0 {
		if p := t.index[t.find(&k, low)]; p != 0 {
			t.last = p.slot()
			return &t.slot(t.last).val
		}
	}
	return t.insert(&k, low)
}

// Last names the entry that Get, At or Put returned last, for In. It is not 0.
func (t *Table[K, V]) Last() uint16 { return uint16(t.last + 1) }

// In returns what is where Last said: the same entry, or after it left the table a
// zero value or another key's, as a pointer of Get would show.
func (t *Table[K, V]) In(last uint16) *V { return &t.slot(int32(last) - 1).val }

// slotOf is the slot of k, or none. Mostly it is of the entry returned last.
func (t *Table[K, V]) slotOf(k *K) int32 {
	switch {
	case t.n == 0:
		return none
	case t.last != none && t.slot(t.last).key == *k:
		return t.last
	}
	return t.index[t.find(k, uint32(t.hash(t.seed, *k)))].slot()
}

func (t *Table[K, V]) slot(i int32) *slot[K, V] { return &t.slots[uint32(i)/chunk][uint32(i)%chunk] }

// find is the place of k in the index, or the free one where it would go. There
// is an index.
func (t *Table[K, V]) find(k *K, low uint32) int {
	mask := len(t.index) - 1
	for at := int(low) & mask; ; at = (at + 1) & mask {
		p := t.index[at]
		if p == 0 || uint32(p) == low && t.slot(p.slot()).key == *k {
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
// deadline.
func (t *Table[K, V]) Put(k K) *V {
	low := uint32(t.hash(t.seed, k))
	if t.n > 0 {
		if at := t.find(&k, low); t.index[at] != 0 {
			t.remove(at)
		}
	}
	return t.insert(&k, low)
}

// insert makes an entry for k, which has none.
func (t *Table[K, V]) insert(k *K, low uint32) *V {
	if t.n >= t.limit {
		old := t.oldest
		gen := t.slot(old).gen
		if t.onEvict != nil {
			t.onEvict(t.slot(old).key, &t.slot(old).val)
		}
		if t.slot(old).gen == gen { // onEvict did not delete it
			t.remove(t.placeOf(old))
		}
		t.evicted++
	}
	var i int32
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		if i = t.used; i%chunk == 0 {
			t.slots = append(t.slots, new([chunk]slot[K, V]))
		}
		t.used++
	}
	s := t.slot(i)
	s.key, s.low, s.deadline, s.queued = *k, low, Never, Never
	s.prev, s.next = t.newest, none
	if t.newest != none {
		t.slot(t.newest).next = i
	} else {
		t.oldest = i
	}
	t.newest, t.last = i, i
	t.grow()
	mask := len(t.index) - 1
	at := int(low) & mask
	for t.index[at] != 0 {
		at = (at + 1) & mask
	}
	t.index[at] = place(i+1)<<32 | place(low)
	t.n++
	return &s.val
}

// placeOf is where the index names a slot in use.
func (t *Table[K, V]) placeOf(slot int32) int {
	mask := len(t.index) - 1
	at := int(t.slot(slot).low) & mask
	for t.index[at].slot() != slot {
		at = (at + 1) & mask
	}
	return at
}

// Delete removes k, if it is there.
func (t *Table[K, V]) Delete(k K) {
	if i := t.slotOf(&k); i != none {
		t.remove(t.placeOf(i))
	}
}

// remove takes out the entry at a place of the index. Its value is zero then.
func (t *Table[K, V]) remove(at int) {
	i := t.index[at].slot()
	if i == t.last {
		t.last = none
	}
	s := t.slot(i)
	if s.prev != none {
		t.slot(s.prev).next = s.next
	} else {
		t.oldest = s.next
	}
	if s.next != none {
		t.slot(s.next).prev = s.prev
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
	i := t.slotOf(&k)
	if i == none {
		return
	}
	s := t.slot(i)
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
		s := t.slot(d.slot)
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
		s := t.slot(i)
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
		if s := t.slot(d.slot); s.gen == d.gen && s.queued == d.at {
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
