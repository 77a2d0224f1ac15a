package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The collector comes first at first, which a small capture never reaches. From
// then on it comes at roomy, and when more than that is live, whenever the heap
// has grown by a twentieth: per packet nothing is allocated, so that is seldom, and
// keeps the peak near what is live.
const (
	first  = 8 << 20
	roomy  = 22 << 20
	growth = 5 // percent
)

// paceCollector sets when the collector comes first and then, after each
// collection, when it comes next.
func paceCollector() {
	debug.SetGCPercent(first * 100 / (4 << 20)) // of 4 MB, the least that counts as live
	afterCollection(func() {
		reserve()
		pace()
	})
}

func pace() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	n := max(int64(live[0].Value.Uint64()), 1)
	debug.SetGCPercent(int(max(growth, (roomy-n)*100/n)))
	afterCollection(pace)
}

// afterCollection calls f when the next collection has come.
func afterCollection(f func()) {
	runtime.AddCleanup(new([64]byte), func(f func()) { f() }, f)
}
