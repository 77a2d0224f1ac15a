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
// The passes of the compiler, in order: parse (parse.go), resolve the syntax
// into tests of packet bytes (resolve.go), build a graph of decisions and
// simplify it (graph.go, simplify.go, facts.go), emit instructions backwards
// (emit.go). Match runs the same graph, worked out beforehand for the usual forms
// of frames (specialize.go, quick.go).
package filter
