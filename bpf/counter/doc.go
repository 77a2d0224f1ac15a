// Package counter counts packets per service and port inside the Linux kernel.
//
// A program is written from the catalog for each interface and direction
// (Listing prints it), attached by tcx, XDP or a socket filter, and adds to
// counters that a Counter reads. Nothing of a packet reaches user space.
//
// The one invariant: each packet is counted in exactly one Slot, so the totals
// add up to what the hook saw. Which slot is decided by the same rule as in
// catalog.Lookup; Reference is that rule in Go, and tests hold the program in
// the kernel against it frame by frame.
//
// With Config.Filter a filter stands in front of the program: packets that do
// not match are counted as Filtered and nothing else. With Config.Learn ports
// that portmap tells of are added to the kernel's table while it counts.
//
// What the counter does not do: it enters no tunnel (a VXLAN packet is its
// outer UDP datagram), keeps no conversation (TFTP's data ports are "other"),
// and knows nothing of roles.
package counter
