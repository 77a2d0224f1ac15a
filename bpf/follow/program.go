package follow

import (
	"encoding/binary"
	"strconv"

	"github.com/cilium/ebpf/asm"
)

// The program, as it would read in C.
//
//	fast: 36 bytes from the Ethernet type on, in one call; less: slow
//	if IPv4 without options, whole, as long as it says, UDP or TCP:
//	    e = ports[source] | ports[destination]
//	    if e passes: pass, or slow if it teaches
//	    if e was learnt somewhere: slow
//	    TCP: SYN or RST: pass; no RPC call: drop
//	    UDP: no RPC call: sample
//	slow:
//	at = start of the frame
//	need 14; type = at[12:14]; at += 14
//	ether:
//	while type is 0x8100, 0x88a8 or 0x9100:      // 802.1Q, 802.1ad, old QinQ
//	    need 4; more than 4 tags: pass; type = at[2:4]; at += 4
//	storage, MACsec: drop; not IP: pass
//	ip4:
//	need 20; version, header length, total length; src, dst = addresses
//	if fragment: key = src, dst, id, protocol; later one: goto later; first = true
//	at += header length
//	ip6:
//	need 40; version; src, dst = addresses; at += 40
//	transport:                                   // left = bytes of the IP payload from at on
//	UDP, TCP: below
//	else what protos says: pass, drop, or skip an extension header (more than 4:
//	    pass; a fragment header as in ip4) and again
//
//	udp, tcp:
//	need 4; e = ports[source] | ports[destination]
//	if e passes:
//	    to 69: clients[src, source port] = now
//	    to 111: calls[src, source port, xid] = what is asked for
//	    from 111: servers[src, port that the reply tells] = now, if calls has the question
//	    pass
//	if one of the two was learnt within the last minutes:
//	    if clients or servers have dst, destination or src, source and it is not over:
//	        it was used now; pass
//	header broken or cut: pass
//	TCP: SYN or RST: pass
//	an RPC call to one of Sun's programs: servers[dst, destination port] = now; pass
//	TCP: drop
//	sample:
//	stamp of a hash of addresses and ports older than a second: set it; pass; else drop
//
//	later: pass or drop as fragments[key] says, if that is not over;
//	    else pass, 2,048 per eighth of a second
//	pass, drop: if first: fragments[key] = pass or drop
//	a need that fails: pass
//
// Fields of the frame are compared and looked up as they lie in memory, in
// network order: constants and tables are turned instead. The fast way stores
// nothing on the stack: for who lacks CAP_PERFMON each store is a barrier.

// Registers with one meaning all the way. R0 to R5 are scratch, and lost in
// helper calls.
const (
	at    = asm.R6 // offset of the present header
	ctx   = asm.R7 // struct __sk_buff
	left  = asm.R8 // bytes of the IP payload from at on
	proto = asm.R9 // IP protocol
	fp    = asm.RFP
)

// Offsets from the frame pointer. Without CAP_PERFMON older kernels (6.1) refuse
// what is written in parts to a slot of 8 bytes: so each slot is written whole,
// or in one part alone.
const (
	addrSrc  = -40 // 16, as wire.Addr
	addrDst  = -24 // 16
	fragKey  = addrSrc
	fragRest = -8 // id, version<<40, protocol<<32

	fragKeySize = 40

	first    = -48 // 1 in a first fragment
	index    = -52 // of the table, 4
	srcEntry = -64 // of the table, for the source port
	dstEntry = -232
	ports    = -72 // source and destination as in the packet, 4
	clock    = -80 // now, where it was asked for

	portKey     = -104 // address 16, protocol<<16|port 8
	portKeySize = 24
	portValue   = -120 // until 8, how long 8

	callKey       = -144 // client's address 16, xid<<32|protocol<<16|port 8
	callKeySize   = 24
	callValue     = -168 // protocol asked for<<8|kind 8, server's address 16
	callValueSize = 24

	fragValue = -184 // until 8, verdict 8
	valueSize = 16

	copied = -224 // 40 bytes, the present header
	fast   = -320 // the IP header of the fast way; two bytes before it the Ethernet type
	number = fast + 4
	zero   = fast + 28
)

// Kinds of questions to portmap.
const (
	asksPort    = 1 // GETPORT, CALLIT: the answer is a number
	asksAddress = 2 // GETADDR, GETVERSADDR: a universal address
)

// Verdicts about a fragmented datagram.
const (
	verdictDrop = 0
	verdictPass = 1
)

// Sizes and limits.
const (
	maxTags     = 4  // what has more passes
	maxHeaders4 = 1  // authentication headers in IPv4; more: pass
	maxHeaders6 = 4  // extension headers
	fastLength  = 36 // type, IPv4 header, 14 bytes of TCP's

	passesFor = 30e9  // ns: a fragment's verdict, as Linux waits (net.ipv4.ipfrag_time)
	dropsFor  = 500e6 // ns: short, for ids come again soon where there is bulk
	renewed   = 1e9   // ns: a use within that of the last one is not noted
	sampled   = 1e9   // ns between two samples

	straysPerWindow = 2048
	windowShift     = 27  // 134 ms
	stampShift      = 20  // of the clock, for 32 bits: 1.05 ms
	epochShift      = 36  // 69 s
	maxAuth         = 400 // bytes, RFC 5531 section 8.2
)

// Counters, per processor.
const (
	countPassed = iota
	countDropped
	countTFTP
	countRPC
	countFragments
	countFailures
	countSamples
	countStrays
	countExcess
	countWindow // no count: in which window the strays are
	countInWindow
	counters
)

// struct __sk_buff (linux/bpf.h).
const skbLen = 0

// IP protocol numbers (IANA protocol-numbers).
const (
	protoTCP = 6
	protoUDP = 17
)

// A machine is what the program is emitted for.
type machine struct {
	order   binary.ByteOrder
	coarse  bool // bpf_ktime_get_coarse_ns is there, Linux 5.11
	told    bool // the time is in the table: for test runs
	snap    uint32
	tftp    int64 // ns
	rpc     int64
	table   int // file descriptors of maps
	counts  int
	clients int
	servers int
	calls   int
	frags   int
}

// emit writes the program.
func emit(m machine) asm.Instructions {
	w := &writer{m: m}
	w.fastWay()
	w.start()
	w.ether()
	w.ip4()
	w.ip6()
	w.transport()
	w.ports("udp", tableUDP)
	w.ports("tcp", 0)
	w.udp()
	w.tcp()
	w.portmap()
	w.later()
	w.ends()
	return w.ins
}

// A writer appends instructions; a label waits for the next one.
type writer struct {
	m     machine
	ins   asm.Instructions
	label string
	names int
}

func (w *writer) add(ins ...asm.Instruction) {
	for _, i := range ins {
		if w.label != "" {
			i, w.label = i.WithSymbol(w.label), ""
		}
		w.ins = append(w.ins, i)
	}
}

// here names the next instruction.
func (w *writer) here(label string) {
	if w.label != "" {
		panic("two labels at one instruction: " + w.label + ", " + label)
	}
	w.label = label
}

func (w *writer) jump(label string) { w.add(asm.Ja.Label(label)) }

// next makes up the name of a place nearby.
func (w *writer) next() string {
	w.names++
	return "next_" + strconv.Itoa(w.names)
}

// copy reads n bytes from offset off of the frame, which may be at plus a
// number, to the stack, or jumps.
func (w *writer) copy(to, n int32, otherwise string, off ...asm.Instruction) {
	w.add(off...)
	w.add(
		asm.Mov.Reg(asm.R1, ctx),
		asm.Mov.Reg(asm.R3, fp),
		asm.Add.Imm(asm.R3, to),
		asm.Mov.Imm(asm.R4, n),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, otherwise),
	)
}

// need copies n bytes from at on, or jumps.
func (w *writer) need(n int32, otherwise string) {
	w.copy(copied, n, otherwise, asm.Mov.Reg(asm.R2, at))
}

// load reads from the header that need copied.
func (w *writer) load(r asm.Register, off int16, size asm.Size) {
	w.add(asm.LoadMem(r, fp, copied+off, size))
}

// raw is a number as a load from the packet sees it.
func (w *writer) raw(n uint16) int32 { return int32(raw(w.m.order, n)) }

func (w *writer) raw32(n uint32) int32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return int32(w.m.order.Uint32(b[:]))
}

// host turns a number from the packet into the machine's order.
func host(r asm.Register, size asm.Size) asm.Instruction { return asm.HostTo(asm.BE, r, size) }

// time puts the time into R0.
func (w *writer) time() {
	switch {
	case w.m.told:
		w.add(asm.Mov.Imm(asm.R2, tableClock))
		w.entry(number, "pass")
		w.add(asm.LoadMem(asm.R0, asm.R0, 0, asm.DWord))
	case w.m.coarse:
		w.add(asm.FnKtimeGetCoarseNs.Call())
	default:
		w.add(asm.FnKtimeGetNs.Call())
	}
}

// now puts the time into R0 and on the stack.
func (w *writer) now() {
	w.time()
	w.add(asm.StoreMem(fp, clock, asm.R0, asm.DWord))
}

// entry looks up the table at the number in R2, which is stored in a word of
// the stack; R0 points to the entry.
func (w *writer) entry(slot int16, never string) {
	w.add(asm.StoreMem(fp, slot, asm.R2, asm.Word))
	w.mapAt(w.m.table, int32(slot))
	w.add(
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, never),
	)
}

// counters puts the address of this processor's into R0; R1 to R5 are lost.
func (w *writer) counters(never string) {
	w.add(asm.Mov.Imm(asm.R1, 0), asm.StoreMem(fp, zero, asm.R1, asm.Word))
	w.mapAt(w.m.counts, zero)
	w.add(
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, never),
	)
}

// increment adds one to a counter of those at R0; R1 is lost.
func (w *writer) increment(which int16) {
	w.add(
		asm.LoadMem(asm.R1, asm.R0, 8*which, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 8*which, asm.R1, asm.DWord),
	)
}

// count adds one to a counter and goes on at a label; R0 to R5 are lost.
func (w *writer) count(which int16, then string) {
	w.counters(then)
	w.increment(which)
	w.jump(then)
}

// mapAt has R1 the map and R2 the key on the stack.
func (w *writer) mapAt(fd int, key int32) {
	w.add(
		asm.LoadMapPtr(asm.R1, fd),
		asm.Mov.Reg(asm.R2, fp),
		asm.Add.Imm(asm.R2, key),
	)
}

// put stores an entry; R0 is 0 if the kernel did.
func (w *writer) put(fd int, key, value int32) {
	w.mapAt(fd, key)
	w.add(
		asm.Mov.Reg(asm.R3, fp),
		asm.Add.Imm(asm.R3, value),
		asm.Mov.Imm(asm.R4, 0), // BPF_ANY
		asm.FnMapUpdateElem.Call(),
	)
}

// pair puts into high the two words that lie one after the other in memory; low
// is the first.
func (w *writer) pair(low, high asm.Register) {
	if raw(w.m.order, 1) == 1 {
		w.add(asm.LSh.Imm(low, 32))
	} else {
		w.add(asm.LSh.Imm(high, 32))
	}
	w.add(asm.Or.Reg(high, low))
}

// constant puts a 64-bit number into a register.
func constant(r asm.Register, n int64) asm.Instruction { return asm.LoadImm(r, n, asm.DWord) }
