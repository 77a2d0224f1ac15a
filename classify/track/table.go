package track

import "github.com/pxescope/pxescope/capture"

// A Table is a bounded map with deadlines. When it is full the oldest entry is
// evicted, and counted. Deadlines pass in their order and only through Expire.
// A Table is for one goroutine.
type Table[K comparable, V any] struct {
	limit   int
	index   map[K]int32
	slots   []slot[K, V]
	free    []int32
	oldest  int32 // insertion order, doubly linked
	newest  int32
	due     []due // min-heap; a slot's entry may be earlier than its deadline, never later
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
}

type due struct {
	at   capture.Time
	slot int32
	gen  uint32
}

const none = -1

// NewTable makes a Table of at most limit entries. onEvict, if not nil, is
// told of each entry that a full table drops, before it goes.
func NewTable[K comparable, V any](limit int, onEvict func(K, *V)) *Table[K, V] {
	return &Table[K, V]{limit: limit, index: make(map[K]int32), oldest: none, newest: none, onEvict: onEvict}
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return len(t.index) }

// Evicted is how many entries a full table dropped.
func (t *Table[K, V]) Evicted() uint64 { return t.evicted }

// Get returns the entry of k, or nil. The pointer is valid until the next Put.
func (t *Table[K, V]) Get(k K) *V {
	i, ok := t.index[k]
	if !ok {
		return nil
	}
	return &t.slots[i].val
}

// Put returns a zero entry for k, in place of one that was there. It has no
// deadline. The pointer is valid until the next Put.
func (t *Table[K, V]) Put(k K) *V {
	t.Delete(k)
	if len(t.index) >= t.limit {
		old := t.oldest
		if t.onEvict != nil {
			t.onEvict(t.slots[old].key, &t.slots[old].val)
		}
		t.Delete(t.slots[old].key)
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
	var zero V
	s.key, s.val, s.deadline, s.queued = k, zero, Never, Never
	s.prev, s.next = t.newest, none
	if t.newest != none {
		t.slots[t.newest].next = i
	} else {
		t.oldest = i
	}
	t.newest = i
	t.index[k] = i
	return &s.val
}

// Delete removes k, if it is there.
func (t *Table[K, V]) Delete(k K) {
	i, ok := t.index[k]
	if !ok {
		return
	}
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
	delete(t.index, k)
	var zeroV V
	s.val = zeroV
	s.gen++
	t.free = append(t.free, i)
}

// SetDeadline sets when k expires; Never takes the deadline away. It does
// nothing when k is not there.
func (t *Table[K, V]) SetDeadline(k K, at capture.Time) {
	i, ok := t.index[k]
	if !ok {
		return
	}
	s := &t.slots[i]
	s.deadline = at
	if at < s.queued {
		s.queued = at
		t.push(due{at, i, s.gen})
	}
}

// Deadline is a time not later than the earliest deadline, or Never.
func (t *Table[K, V]) Deadline() capture.Time {
	if len(t.due) == 0 {
		return Never
	}
	return t.due[0].at
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

func (d due) before(e due) bool {
	return d.at < e.at || d.at == e.at && d.slot < e.slot
}

func (t *Table[K, V]) push(d due) {
	if len(t.due) >= 64+2*len(t.index) {
		t.compact()
	}
	t.due = append(t.due, d)
	t.up(len(t.due) - 1)
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
