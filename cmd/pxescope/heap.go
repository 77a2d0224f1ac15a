package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// By default the collector comes whenever the heap has doubled, first at 4 MB,
// which a small capture never reaches. From then on it comes at roomy, and when
// more than that is live, whenever the heap has grown by a fifth: per packet
// nothing is allocated, so that is seldom, and keeps the peak near what is live.
const (
	roomy  = 16 << 20
	growth = 20 // percent
)

// paceCollector waits for the first collection and then sets, after each, when
// the next one comes.
func paceCollector() {
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
