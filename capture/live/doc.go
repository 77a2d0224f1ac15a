// Package live captures from the interfaces of the machine that it runs on.
// A Capture is a capture.Source.
//
// On Linux it is an own TPACKET_V3 ring (packet(7), packet_mmap in the
// kernel's documentation), without cgo: a filter is attached before the socket
// is bound, packets are handed out in place, tags that the kernel took out of
// a frame are in Packet.VLAN. Other systems have libpcap, and so has Linux on
// request, when built with it.
//
// Packet.Data and Packet.WireLen are as the kernel delivers them: without the
// tag of Packet.VLAN.
//
// # Order and time
//
// One ring yields its packets in the order of the kernel. Several rings are
// merged by time: a packet waits while another ring holds packets that it has
// not handed over yet. The kernel hands over a block when it is full or, at the
// latest, after blockTimeout; so the wait is bounded by that. Order is given up
// when a ring that waits is more than half full, rather than lose packets: then
// packets may be late by blockTimeout. With libpcap and several interfaces they
// may be late by 50 ms for each.
//
// When blocks come fast the reader leaves the rings alone for up to nap at a
// time, and lets them fill by an eighth at the most.
//
// A tick says that all rings were empty when its time was read from the host's
// clock. It is put back by inFlight, because a packet is stamped a little before
// it can be seen in the ring: no packet that comes later has an earlier time.
// (libpcap's buffer cannot be looked into: there a tick is put back by its
// timeout as well. Where an adapter stamps by a clock of its own, ticks follow
// it by what was seen of it.)
//
// # Interfaces that come and go
//
// An interface that goes down is waited for. One that is removed is waited for
// under its name, and the socket that is there is bound again, which needs no
// right. One that is renamed is followed. So a ring never ends by itself, since
// no removal is known to be for good: Next returns io.EOF after Stop.
// libpcap's handles end with their interface, the capture with the last.
package live
