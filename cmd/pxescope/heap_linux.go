package main

import (
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reserve has the heap grow into pages of 2 MB: on a virtual machine each of the
// thousands of small ones costs microseconds when it is touched first. The memory
// is taken in one piece, untouched, so that the kernel can be told of it, and
// given back to the heap at once.
func reserve() {
	const page, size = 2 << 20, 32 << 20
	debug.SetGCPercent(-1) // a collection under way would keep the piece
	b := make([]byte, size+page)
	off := -uintptr(unsafe.Pointer(&b[0])) & (page - 1)
	_ = unix.Madvise(b[off:off+size], unix.MADV_HUGEPAGE) // refused: the pages are small, as ever
	runtime.GC()
}
