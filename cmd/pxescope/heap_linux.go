package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve has the heap grow into pages of 2 MB: on a virtual machine each of the
// thousands of small ones costs microseconds when it is touched first. The memory
// is taken in one piece, untouched, so that the kernel can be told of it, and
// given back to the heap at once.
func reserve() {
	const page, size, never = 2 << 20, 12 << 20, 5000
	// A collection under way would keep the piece. With no limit at all, -1, the
	// runtime takes the heap for a huge one and puts its tables into large pages
	// too: 2 to 4 MB more.
	debug.SetGCPercent(never)
	var piece strings.Builder
	piece.Grow(size + page) // make would fill it with zeros where part of it was in use before
	piece.WriteByte(0)
	b := unsafe.Slice(unsafe.StringData(piece.String()), size+page)
	off := -uintptr(unsafe.Pointer(&b[0])) & (page - 1)
	_ = unix.Madvise(b[off:off+size], unix.MADV_HUGEPAGE) // refused: the pages are small, as ever
	runtime.GC()
}
