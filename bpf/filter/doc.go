// Package filter builds, reads, prints, compiles and checks packet filters in
// the language of pcap-filter(7), without libpcap and without C.
//
// Parse reads what a person types; Build makes the expression for services of
// the catalog; Compile gives the classic BPF program for a Target, Match a Go
// predicate for packets in hand, Lint the packets that an expression loses, Diff
// a packet on which two expressions differ.
//
// The one invariant: what is accepted means exactly what libpcap makes of it,
// oddities included (see precedence in parse.go, and vlan). What is not
// supported is refused with its position. The tests hold every part against
// libpcap itself.
//
// A packet that ends before a byte that a program reads is rejected, as in
// libpcap, which gives three cases in which verdicts on such packets (and on no
// others) may differ from libpcap's:
//
//   - two terms are tested in another order, and only one of them is beyond the
//     end: 'A or B' keeps a packet where A holds and B cannot be read, not the
//     other way round;
//   - a test whose outcome makes no difference is left out with its read, as in
//     'ip6[4000] = 7 and ip6 or ip6', and libpcap's optimizer did not find out
//     (about 1 in 20,000 random expressions);
//   - libpcap's optimizer found out, and this package did not.
//
// TestTruncated, TestUnread and TestLibpcapFaults have examples.
//
// The passes of the compiler, in order: parse (parse.go), resolve the syntax
// into tests of packet bytes (resolve.go), build a graph of decisions and
// simplify it (graph.go, simplify.go, facts.go), emit instructions backwards
// (emit.go). Match runs the same graph, worked out beforehand for the usual forms
// of frames (specialize.go, quick.go).
package filter
