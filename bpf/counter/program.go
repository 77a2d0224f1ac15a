package counter

import (
	"encoding/binary"
	"strconv"

	"github.com/cilium/ebpf/asm"
)

// The program, as it would read in C. The same text is emitted for every hook;
// only how a header is reached (need) and how it ends differ.
//
//	at = start of the frame
//	with a filter (prefix.go): if it does not match: slot = filtered; goto count
//	(the plain case first, plain.go, not for sockets: IPv4 without options, not a
//	fragment, UDP or TCP, one known port at most and no split one: count at once)
//
//	long (a function of its own):
//	tc, also before a filter: if less than 128 bytes lie in the linear part and
//	    there are more: pull them in
//	need 14; type = at[12:14]; at += 14
//
//	ether:
//	while type is 0x8100, 0x88a8 or 0x9100:      // 802.1Q, 802.1ad, old QinQ
//	    need 4; 8 tags at most; type = at[2:4]; at += 4
//	if IPv4: goto ip4; if IPv6: goto ip6
//	if type <= 1500: llc                        // SNAP goes back to ether, SAP 6 to ip4
//	slot = service of the type (an ARP packet has to be whole), or other
//
//	ip4:
//	need 20; version 4, header length hl >= 20, total length 0 or >= hl
//	left = total length ? total length - hl : plenty
//	if fragment: key = src, dst, id, protocol; later fragment: goto later; first = true
//	at += hl; goto transport
//
//	ip6:
//	need 40; version 6; left = payload length, or plenty when that is 0
//	at += 40
//
//	transport:
//	if UDP or TCP:
//	    need 4, left >= 4                       // the ports are enough
//	    dst = ports[proto][at[2:4]]; src = ports[proto][at[0:2]]; 0 and rank 0 for a port of no service
//	    slot, side, other = dst, to, source port
//	    if rank[src] > rank[dst]: slot, side, other = src, from, destination port
//	    if slot is split: slot = the split's, when other is one of its clients
//	else if ICMP, ICMPv6: need 8; slot = service of the type, or other
//	else if an extension header: skip it (10 at most, with tags); a fragment
//	    header as in ip4; goto transport
//	else slot = other
//	if first: fragments[key] = slot, side       // least recently used of 4,096 goes
//
//	count:
//	counters[cpu][interface][direction][side][slot] += {1, length of the frame}
//
//	later: slot, side = fragments[key], or slot = fragments; goto count
//	a need that fails before the ports: slot = undecodable; goto count
//	    (in a first fragment: fragments, for the rest of the header is in the next)
//
// Two fields of the frame are compared and looked up as they lie in memory, in
// network order: the constants and the port tables are turned instead.

// Registers with one meaning all the way. R0 to R5 are scratch, and lost in
// helper calls; only a socket filter has such calls before count.
const (
	at    = asm.R6 // the present header: a packet pointer, or in a socket filter an offset; then the counter's number, slot | toPort
	ctx   = asm.R7 // struct __sk_buff or struct xdp_md
	end   = asm.R8 // end of the packet's linear part; not in a socket filter
	proto = asm.R9 // IP protocol, then the offset of its port table
	fp    = asm.RFP
)

// Offsets from the frame pointer.
const (
	fragKey     = -40 // src 16, dst 16, id 4, version<<8|protocol 4
	fragKeySize = 40
	fragKind    = -48 // one of the three below
	rounds      = -56 // tags and extension headers so far
	ipVersion   = -64
	fragValue   = -72
	copied      = -112   // a socket filter's copy of the present header
	filterFrame = copied // a filter's memory lies below
)

// What a packet was found to be.
const (
	notFragment    = 0
	firstFragment  = 1
	atomicFragment = 2
)

// Sizes and limits.
const (
	maxTags    = 8  // as wire.MaxTags
	maxRounds  = 10 // tags, SNAP and IPv6 extension headers together; each more costs the verifier a fifth
	linearPart = 128
	plenty     = 1 << 20 // left of a packet whose IP header does not state its length
	minEther   = 0x600
	tagLength  = 4
	snapLength = 8

	tableUDP       = 1 << 16 // offset of the UDP port table
	tableRank      = 2 << 16
	tableExtension = tableRank + maxSlots // extensionShifts
	tableTag       = tableExtension + 256 // the length of a tag, for skip
	tableSNAP      = tableTag + 1
	tableSize      = tableTag + 64

	pairBits = 4 // a counter is two uint64: packets, bytes
	pairSize = 1 << pairBits

	toBit  = 8 // of a counter's number: the packet goes to the slot's port
	toPort = 1 << toBit
)

// Fields of struct __sk_buff and struct xdp_md (linux/bpf.h).
const (
	skbLen         = 0
	skbPktType     = 4
	skbVLANPresent = 20
	skbVLANProto   = 28
	skbData        = 76
	skbDataEnd     = 80
	xdpData        = 0
	xdpDataEnd     = 4

	packetOutgoing = 4 // PACKET_OUTGOING of linux/if_packet.h
)

// Return values.
const (
	tcxNext = -1
	xdpPass = 2
	drop    = 0 // of a socket filter: nothing goes to the socket
)

// A place is where a program's counters lie and what it is for.
type place struct {
	hook     Hook
	order    binary.ByteOrder // of the machine
	cpus     int
	stride   int // bytes of counters per CPU
	base     int // of this interface and direction in them
	egress   int // a socket filter adds it for sent packets
	xdpFrags bool
	echo     bool    // return the number of the counter instead: for test runs
	filter   *prefix // nil: every packet is counted
	countFD  int
	tableFD  int
	fragsFD  int
}

// emit writes the program for one place.
func emit(l *Layout, p place) asm.Instructions {
	w := &writer{l: l, p: p}
	w.start()
	if p.hook.packetPointers() {
		w.plain()
		w.count(short)
		w.here("long")
		w.add(asm.Mov.Reg(asm.R1, ctx), asm.Call.Label("headers"), asm.Return())
		// Another function.
		w.here("headers")
		w.add(asm.Mov.Reg(ctx, asm.R1))
	}
	w.long()
	w.ether()
	w.ip4()
	w.ip6()
	w.transport()
	w.noPorts()
	w.ports()
	w.llc()
	w.fragments()
	w.count("")
	return w.ins
}

// short is the suffix of labels in the function of plain packets.
const short = "_short"

// A writer appends instructions; a label waits for the next one.
type writer struct {
	l     *Layout
	p     place
	ins   asm.Instructions
	label string
}

func (w *writer) add(ins ...asm.Instruction) {
	for _, i := range ins {
		if w.label != "" {
			i, w.label = i.WithSymbol(w.label), ""
		}
		w.ins = append(w.ins, i)
	}
}

// at names the next instruction.
func (w *writer) here(label string) {
	if w.label != "" {
		panic("two labels at one instruction: " + w.label + ", " + label)
	}
	w.label = label
}

func (w *writer) jump(label string) { w.add(asm.Ja.Label(label)) }

// left is the register with the number of IP payload bytes from at on, by the
// IP header's word. A copy of a header takes R4.
func (w *writer) left() asm.Register {
	if w.p.hook.packetPointers() {
		return asm.R4
	}
	return asm.R8
}

// need makes n bytes from at on readable, or jumps.
func (w *writer) need(n int32, otherwise string) {
	if w.p.hook.packetPointers() {
		w.add(
			asm.Mov.Reg(asm.R0, at),
			asm.Add.Imm(asm.R0, n),
			asm.JGT.Reg(asm.R0, end, otherwise),
		)
		return
	}
	w.add(
		asm.Mov.Reg(asm.R1, ctx),
		asm.Mov.Reg(asm.R2, at),
		asm.Mov.Reg(asm.R3, fp),
		asm.Add.Imm(asm.R3, copied),
		asm.Mov.Imm(asm.R4, n),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, otherwise),
	)
}

// within jumps when r lies beyond the end of the packet.
func (w *writer) within(r asm.Register, otherwise string) {
	if w.p.hook.packetPointers() {
		w.add(asm.JGT.Reg(r, end, otherwise))
		return
	}
	w.add(
		asm.LoadMem(asm.R5, ctx, skbLen, asm.Word),
		asm.JGT.Reg(r, asm.R5, otherwise),
	)
}

// load reads from the header that need made readable.
func (w *writer) load(r asm.Register, off int16, size asm.Size) {
	if w.p.hook.packetPointers() {
		w.add(asm.LoadMem(r, at, off, size))
		return
	}
	w.add(asm.LoadMem(r, fp, copied+off, size))
}

// raw is a number as a load from the packet sees it.
func (w *writer) raw(n uint16) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return int32(w.p.order.Uint16(b[:]))
}

// raw4 is a word of these bytes as a load from the packet sees it.
func (w *writer) raw4(b ...byte) int32 { return int32(w.p.order.Uint32(b)) }

// host turns a number from the packet into the machine's order.
func host(r asm.Register) asm.Instruction { return asm.HostTo(asm.BE, r, asm.Half) }

// choose sets the counter and goes on.
func (w *writer) choose(slot int, label string) {
	w.add(asm.Mov.Imm32(at, int32(slot)))
	w.jump(label)
}

// start asks the filter.
func (w *writer) start() {
	w.here("counter")
	w.add(asm.Mov.Reg(ctx, asm.R1))
	if w.p.filter == nil {
		return
	}
	if w.p.hook == TCX {
		w.pull()
	} else {
		w.packet()
	}
	w.prefix()
}

// long begins the way through all headers.
func (w *writer) long() {
	w.add(
		asm.Mov.Imm(asm.R0, notFragment),
		asm.StoreMem(fp, fragKind, asm.R0, asm.DWord),
		asm.StoreMem(fp, rounds, asm.R0, asm.DWord),
	)
	if w.p.hook == TCX && w.p.filter == nil {
		w.pull()
	} else {
		w.packet()
	}
	w.need(14, "undecodable")
	w.load(asm.R1, 12, asm.Half)
	w.add(asm.Add.Imm(at, 14))
}

// packet sets at and end to those of the packet.
func (w *writer) packet() {
	if w.p.hook == Socket {
		w.add(asm.Mov.Imm(at, 0))
		return
	}
	w.add(
		asm.LoadMem(at, ctx, w.dataField(), asm.Word),
		asm.LoadMem(end, ctx, w.dataEndField(), asm.Word),
	)
}

func (w *writer) dataField() int16 {
	if w.p.hook.xdp() {
		return xdpData
	}
	return skbData
}

func (w *writer) dataEndField() int16 {
	if w.p.hook.xdp() {
		return xdpDataEnd
	}
	return skbDataEnd
}

// pull makes the headers of a socket buffer lie in its linear part. Most do:
// it is the sending of large packets from user space that leaves them outside.
func (w *writer) pull() {
	w.packet()
	w.add(
		asm.Mov.Reg(asm.R0, at),
		asm.Add.Imm(asm.R0, linearPart),
		asm.JLE.Reg(asm.R0, end, "linear"),
		asm.Mov.Reg(asm.R0, end),
		asm.Sub.Reg(asm.R0, at),
		asm.LoadMem(asm.R2, ctx, skbLen, asm.Word),
		asm.JGE.Reg(asm.R0, asm.R2, "linear"),
		asm.JLE.Imm(asm.R2, linearPart, "pull"),
		asm.Mov.Imm(asm.R2, linearPart),
	)
	w.here("pull")
	w.add(
		asm.Mov.Reg(asm.R1, ctx),
		asm.FnSkbPullData.Call(),
	)
	w.packet()
	w.here("linear")
}

// ether: R1 is the Ethernet type, at what follows it.
func (w *writer) ether() {
	w.here("ether")
	w.add(
		asm.JEq.Imm(asm.R1, w.raw(0x0800), "ip4"),
		asm.JEq.Imm(asm.R1, w.raw(0x86dd), "ip6"),
		asm.JEq.Imm(asm.R1, w.raw(0x8100), "tag"),
		asm.JEq.Imm(asm.R1, w.raw(0x88a8), "tag"),
		asm.JEq.Imm(asm.R1, w.raw(0x9100), "tag"),
		asm.JEq.Imm(asm.R1, w.raw(0x0806), "arp"),
	)
	for _, r := range w.l.ethers {
		label := w.next()
		w.add(asm.JNE.Imm(asm.R1, w.raw(r.typ), label))
		w.choose(int(r.slot), "count")
		w.here(label)
	}
	w.add(
		host(asm.R1),
		asm.JLE.Imm(asm.R1, 1500, "llc"),
	)
	w.choose(slotOther, "count")

	// A packet of other addresses than Ethernet's and IPv4's is ARP all the same.
	w.here("arp")
	w.need(8, "undecodable")
	w.load(asm.R1, 0, asm.Half)
	w.add(asm.JEq.Imm(asm.R1, w.raw(1), "arp_ethernet"), asm.JNE.Imm(asm.R1, w.raw(6), "arp_done"))
	w.here("arp_ethernet")
	w.load(asm.R1, 2, asm.Half)
	w.add(asm.JNE.Imm(asm.R1, w.raw(0x0800), "arp_done"))
	w.load(asm.R1, 4, asm.Half)
	w.add(asm.JNE.Imm(asm.R1, w.raw(0x0604), "arp_done"))
	w.need(28, "undecodable")
	w.here("arp_done")
	w.choose(w.l.etherSlot(0x0806), "count")

	w.here("tag")
	w.need(4, "undecodable")
	w.round(maxTags)
	w.load(asm.R1, 2, asm.Half)
	w.skip(tableTag, tagLength)
	w.jump("ether")
}

// skip adds n to at in a way that hides the sum from the verifier: packets at
// different, known offsets are different states to it, and it would go through
// all that follows for each.
func (w *writer) skip(where uint32, n int32) {
	w.add(
		asm.LoadMapValue(asm.R2, w.p.tableFD, where),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.Byte),
		asm.And.Imm(asm.R2, n),
		asm.Add.Reg(at, asm.R2),
	)
}

// round counts a turn of a loop, which the verifier wants to see end.
func (w *writer) round(limit int32) {
	w.add(
		asm.LoadMem(asm.R1, fp, rounds, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.JGT.Imm(asm.R1, limit, "undecodable"),
		asm.StoreMem(fp, rounds, asm.R1, asm.DWord),
	)
}

// next makes up the name of a place that only the instruction before jumps to.
func (w *writer) next() string {
	return "next_" + strconv.Itoa(len(w.ins))
}
