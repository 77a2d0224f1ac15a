package track

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// model is a Table done plainly.
type model struct {
	limit   int
	order   []int
	val     map[int]int
	due     map[int]capture.Time
	evicted []int
}

func (m *model) put(k, v int) {
	m.delete(k)
	if len(m.order) >= m.limit {
		m.evicted = append(m.evicted, m.order[0])
		m.delete(m.order[0])
	}
	m.order = append(m.order, k)
	m.val[k] = v
}

func (m *model) delete(k int) {
	if i := slices.Index(m.order, k); i >= 0 {
		m.order = slices.Delete(m.order, i, i+1)
		delete(m.val, k)
		delete(m.due, k)
	}
}

func (m *model) expire(now capture.Time) (out []expired) {
	for k, at := range m.due {
		if at <= now {
			out = append(out, expired{k, at})
			delete(m.due, k)
		}
	}
	slices.SortFunc(out, compareExpired)
	return out
}

type expired struct {
	key int
	at  capture.Time
}

func compareExpired(a, b expired) int {
	if a.at != b.at {
		return int(a.at - b.at)
	}
	return a.key - b.key
}

// A Table does what the plain model does, whatever is done to it.
func TestTableAgainstModel(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var evicted []int
		few := 1 + rnd.IntN(40) // keys that share a hash
		table := NewHashed(1+rnd.IntN(20), func(seed uint64, k int) uint64 { return wire.Mix(seed, uint64(k/few), 0) },
			func(k int, _ *int) { evicted = append(evicted, k) })
		m := model{limit: table.limit, val: map[int]int{}, due: map[int]capture.Time{}}
		now := capture.Time(0)
		for step := range 3000 {
			k := rnd.IntN(40)
			switch rnd.IntN(7) {
			case 0, 1:
				*table.Put(k) = step
				m.put(k, step)
			case 2:
				table.Delete(k)
				m.delete(k)
			case 3:
				at := now + capture.Time(1+rnd.IntN(50))
				table.SetDeadline(k, at)
				if _, ok := m.val[k]; ok {
					m.due[k] = at
				}
			case 4:
				table.SetDeadline(k, Never)
				delete(m.due, k)
			case 6:
				if _, ok := m.val[k]; !ok {
					m.put(k, 0)
				}
				v := table.At(k)
				if *v != m.val[k] {
					t.Fatalf("seed %d step %d: entry %d: got %v, want %v", seed, step, k, *v, m.val[k])
				}
				*v, m.val[k] = step, step
			case 5:
				now += capture.Time(rnd.IntN(20))
				var got []expired
				table.Expire(now, func(k int, _ *int, at capture.Time) { got = append(got, expired{k, at}) })
				want := m.expire(now)
				if !slices.IsSortedFunc(got, func(a, b expired) int { return int(a.at - b.at) }) {
					t.Fatalf("seed %d step %d: deadlines pass out of order: %v", seed, step, got)
				}
				slices.SortFunc(got, compareExpired)
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d step %d: expired %v, want %v", seed, step, got, want)
				}
			}
			for k, at := range m.due {
				if table.Deadline() > at {
					t.Fatalf("seed %d step %d: Deadline %d is later than that of %d, %d", seed, step, table.Deadline(), k, at)
				}
			}
			if table.Len() != len(m.val) || !slices.Equal(evicted, m.evicted) {
				t.Fatalf("seed %d step %d: %d entries, evicted %v; want %d, %v", seed, step, table.Len(), evicted, len(m.val), m.evicted)
			}
			for _, k := range rnd.Perm(40) {
				v := table.Get(k)
				w, ok := m.val[k]
				if (v != nil) != ok || v != nil && *v != w {
					t.Fatalf("seed %d step %d: entry %d: got %v, want %v %v", seed, step, k, v, w, ok)
				}
			}
			var order []int
			table.Each(func(k int, _ *int, _ capture.Time) { order = append(order, k) })
			if !slices.Equal(order, m.order) {
				t.Fatalf("seed %d step %d: order %v, want %v", seed, step, order, m.order)
			}
		}
	}
}

// Entries that come and go with deadlines far ahead leave nothing behind, and
// cost no allocation.
func TestTableSteadyState(t *testing.T) {
	table := NewTable[int, int](1000, nil)
	k := 0
	turn := func() {
		for range 100 {
			table.Put(k)
			table.SetDeadline(k, 1<<40+capture.Time(k))
			table.Delete(k - 10)
			k++
		}
	}
	for range 100 {
		turn()
	}
	if got := testing.AllocsPerRun(100, turn); got != 0 {
		t.Errorf("got %v allocations a turn, want 0", got)
	}
	if len(table.due) > 200 || table.used > 20 {
		t.Errorf("got %d heap entries and %d slots for %d entries", len(table.due), table.used, table.Len())
	}
}

// An entry may be deleted, and set anew, from within expired.
func TestTableExpireChanges(t *testing.T) {
	table := NewTable[string, int](10, nil)
	for i, k := range []string{"a", "b", "c"} {
		table.Put(k)
		table.SetDeadline(k, capture.Time(i+1))
	}
	var got []string
	table.Expire(10, func(k string, _ *int, at capture.Time) {
		got = append(got, k)
		switch k {
		case "a":
			table.Delete("b") // not its own
		case "c":
			if at < 5 {
				table.SetDeadline("c", 5) // due again at once
			}
		}
	})
	if want := []string{"a", "c", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// An entry stays where it is while the table grows.
func TestTableStays(t *testing.T) {
	table := NewTable[int, int](1000, nil)
	first := table.Put(0)
	for k := range 999 {
		*table.Put(k + 1) = k
	}
	if *first = 7; *table.Get(0) != 7 {
		t.Error("the entry put first has moved")
	}
}

func BenchmarkTable(b *testing.B) {
	table := NewTable[[16]byte, [4]uint64](4096, nil)
	b.ReportAllocs()
	for i := range b.N {
		k := [16]byte{byte(i), byte(i >> 8)}
		if table.Get(k) == nil {
			table.Put(k)
		}
		table.SetDeadline(k, capture.Time(i+5000))
		if i%8 == 0 {
			table.Expire(capture.Time(i), func([16]byte, *[4]uint64, capture.Time) {})
		}
	}
}
