package follow

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// fastWay decides about most packets with one copy of their headers.
func (w *writer) fastWay() {
	const ip = fast
	w.here("follow")
	w.add(asm.Mov.Reg(ctx, asm.R1))
	w.copy(ip-2, fastLength, "slow", asm.Mov.Imm(asm.R2, 12))
	w.add(
		asm.LoadMem(asm.R1, fp, ip-2, asm.Half),
		asm.JNE.Imm(asm.R1, w.raw(0x0800), "slow"),
		asm.LoadMem(asm.R1, fp, ip, asm.Byte),
		asm.JNE.Imm(asm.R1, 0x45, "slow"),
		asm.LoadMem(asm.R1, fp, ip+6, asm.Half),
		asm.And.Imm(asm.R1, w.raw(0x3fff)), // more fragments, offset
		asm.JNE.Imm(asm.R1, 0, "slow"),
		asm.LoadMem(left, fp, ip+2, asm.Half),
		host(left, asm.Half),
		asm.LoadMem(asm.R1, ctx, skbLen, asm.Word),
		asm.Sub.Imm(asm.R1, 14),
		asm.JGT.Reg(left, asm.R1, "slow"),
		asm.LoadMem(asm.R1, fp, ip+9, asm.Byte),
		asm.JEq.Imm(asm.R1, protoTCP, "fast_tcp"),
		asm.JNE.Imm(asm.R1, protoUDP, "slow"),
		asm.JLT.Imm(left, 28, "slow"),
	)
	w.entries(tableUDP)
	w.add(
		asm.LoadMem(asm.R1, fp, ip+24, asm.Half), // length
		host(asm.R1, asm.Half),
		asm.JEq.Imm(asm.R1, 0, "fast_udp"),
		asm.JLT.Imm(asm.R1, 8, "slow"),
	)
	w.here("fast_udp")
	w.add(asm.JLT.Imm(left, 20+8+24, "fast_sample"))
	w.looksLikeCall(34+8+4, "fast_sample")
	w.here("fast_sample")
	w.add(
		asm.LoadMem(asm.R1, fp, ip+12, asm.Word),
		asm.LoadMem(asm.R2, fp, ip+16, asm.Word),
		asm.LoadMem(asm.R3, fp, ip+20, asm.Word),
	)
	w.jump("sample")

	w.here("fast_tcp")
	w.add(asm.JLT.Imm(left, 40, "slow"))
	w.entries(0)
	w.add(
		asm.LoadMem(asm.R1, fp, ip+20+13, asm.Byte),
		asm.JSet.Imm(asm.R1, 6, "slow"), // RST, SYN
		asm.LoadMem(asm.R1, fp, ip+20+12, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.LSh.Imm(asm.R1, 2),
		asm.JLT.Imm(asm.R1, 20, "slow"),
		asm.Sub.Imm(left, 20),
		asm.JGT.Reg(asm.R1, left, "slow"),
	)
	w.add(
		asm.Sub.Reg(left, asm.R1),
		asm.JLT.Imm(left, 28, "drop"),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.Add.Imm(asm.R2, 34+8),
	)
	w.looksLikeCall(0, "drop")
	w.jump("drop")
}

// looksLikeCall goes the slow way when the two words at an offset, in R2 if
// off is 0, are an RPC call's type and version.
func (w *writer) looksLikeCall(off int32, otherwise string) {
	var where []asm.Instruction
	if off != 0 {
		where = append(where, asm.Mov.Imm(asm.R2, off))
	}
	w.copy(copied, 8, otherwise, where...)
	w.load(asm.R1, 0, asm.Word)
	w.load(asm.R2, 4, asm.Word)
	w.add(
		asm.JNE.Imm(asm.R1, 0, otherwise),
		asm.Mov.Imm32(asm.R1, w.raw32(2)),
		asm.JEq.Reg(asm.R1, asm.R2, "slow"),
	)
}

// entries decides by the two ports of the fast way, where that can be; at is
// lost.
func (w *writer) entries(base int32) {
	w.add(asm.LoadMem(asm.R2, fp, fast+20, asm.Half), asm.Add.Imm(asm.R2, base))
	w.entry(number, "slow")
	w.add(
		asm.LoadMem(at, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R2, fp, fast+22, asm.Half),
		asm.Add.Imm(asm.R2, base),
	)
	w.entry(number, "slow")
	w.add(
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Or.Reg(at, asm.R1),
		asm.JSet.Imm(at, portTeaches, "slow"),
		asm.JSet.Imm(at, portPasses, "pass"),
		asm.JNE.Imm(at, 0, "slow"),
	)
}

// start begins the slow way.
func (w *writer) start() {
	w.here("slow")
	w.add(
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(fp, first, asm.R0, asm.DWord),
		asm.StoreMem(fp, fragRest, asm.R0, asm.DWord), // read in speculation
		asm.Mov.Imm(at, 0),
	)
	w.need(14, "pass")
	w.load(asm.R1, 12, asm.Half)
	w.add(asm.Add.Imm(at, 14))
}

// ether: R1 is the Ethernet type, at what follows it. Loops are unrolled: the
// verifier, for who lacks CAP_PERFMON, also walks the ways that a processor may
// take in speculation, and in a loop there is no end to them.
func (w *writer) ether() {
	for i := range maxTags + 1 {
		w.add(
			asm.JEq.Imm(asm.R1, w.raw(0x0800), "ip4"),
			asm.JEq.Imm(asm.R1, w.raw(0x86dd), "ip6"),
		)
		deeper := "pass"
		if i < maxTags {
			deeper = fmt.Sprintf("tag_%d", i+1)
		}
		for _, t := range []uint16{0x8100, 0x88a8, 0x9100} {
			w.add(asm.JEq.Imm(asm.R1, w.raw(t), deeper))
		}
		w.jump("not_ip")
		if i == maxTags {
			break
		}
		w.here(deeper)
		w.need(4, "pass")
		w.load(asm.R1, 2, asm.Half)
		w.add(asm.Add.Imm(at, 4))
	}
	w.here("not_ip")
	for _, t := range bulkTypes {
		w.add(asm.JEq.Imm(asm.R1, w.raw(t), "drop"))
	}
	w.jump("pass")
}

// ip4 reads an IPv4 header (RFC 791 section 3.1).
func (w *writer) ip4() {
	w.here("ip4")
	w.need(20, "pass")
	w.load(asm.R1, 0, asm.Byte)
	w.add(
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 4),
		asm.JNE.Imm(asm.R2, 4, "pass"),
		asm.And.Imm(asm.R1, 15),
		asm.LSh.Imm(asm.R1, 2),
		asm.JLT.Imm(asm.R1, 20, "pass"),
	)
	w.load(left, 2, asm.Half)
	w.load(proto, 9, asm.Byte)
	w.add(
		// What the frame has behind the header; the header is all there.
		asm.LoadMem(asm.R0, ctx, skbLen, asm.Word),
		asm.Sub.Reg(asm.R0, at),
		asm.JSLT.Reg(asm.R0, asm.R1, "pass"),
		asm.Sub.Reg(asm.R0, asm.R1),
		host(left, asm.Half),
		asm.JEq.Imm(left, 0, "ip4_offload"), // comes with segmentation offload
		asm.JLT.Reg(left, asm.R1, "pass"),
		asm.Sub.Reg(left, asm.R1),
		asm.JLE.Reg(left, asm.R0, "ip4_length"),
	)
	w.here("ip4_offload")
	w.add(asm.Mov.Reg(left, asm.R0))
	w.here("ip4_length")
	w.add(asm.Add.Reg(at, asm.R1))
	// Addresses as wire.Addr has them, ::ffff:a.b.c.d.
	w.load(asm.R3, 12, asm.Word)
	w.load(asm.R5, 16, asm.Word)
	for _, x := range []struct {
		r  asm.Register
		at int16
	}{{asm.R3, addrSrc}, {asm.R5, addrDst}} {
		w.add(asm.Mov.Imm(asm.R0, 0), asm.Mov.Imm32(asm.R4, w.raw32(0xffff)))
		w.pair(asm.R4, x.r)
		w.add(
			asm.StoreMem(fp, x.at, asm.R0, asm.DWord),
			asm.StoreMem(fp, x.at+8, x.r, asm.DWord),
		)
	}
	w.load(asm.R2, 6, asm.Half)
	w.add(
		asm.And.Imm(asm.R2, w.raw(0x3fff)), // more fragments, offset
		asm.JEq.Imm(asm.R2, 0, "transport4"),
	)
	w.load(asm.R3, 4, asm.Half)
	w.add(
		asm.Mov.Reg(asm.R5, proto),
		asm.Or.Imm(asm.R5, 4<<8),
		asm.LSh.Imm(asm.R5, 32),
		asm.Or.Reg(asm.R5, asm.R3),
		asm.StoreMem(fp, fragRest, asm.R5, asm.DWord),
		asm.And.Imm(asm.R2, w.raw(0x1fff)), // offset
		asm.JNE.Imm(asm.R2, 0, "later"),
		asm.Mov.Imm(asm.R0, 1),
		asm.StoreMem(fp, first, asm.R0, asm.DWord),
	)
	w.jump("transport4")
}

// ip6 reads an IPv6 header (RFC 8200 section 3).
func (w *writer) ip6() {
	w.here("ip6")
	w.need(40, "pass")
	w.load(asm.R1, 0, asm.Byte)
	w.add(
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 6, "pass"),
	)
	w.load(left, 4, asm.Half)
	w.load(proto, 6, asm.Byte)
	for i := int16(0); i < 32; i += 8 {
		w.load(asm.R1, 8+i, asm.DWord)
		w.add(asm.StoreMem(fp, addrSrc+i, asm.R1, asm.DWord))
	}
	w.add(
		asm.Add.Imm(at, 40),
		asm.LoadMem(asm.R0, ctx, skbLen, asm.Word),
		asm.Sub.Reg(asm.R0, at),
		asm.JSLT.Imm(asm.R0, 0, "pass"), // never
		host(left, asm.Half),
		asm.JEq.Imm(left, 0, "ip6_jumbo"), // RFC 2675, or segmentation offload
		asm.JLE.Reg(left, asm.R0, "transport6"),
	)
	w.here("ip6_jumbo")
	w.add(asm.Mov.Reg(left, asm.R0))
	w.jump("transport6")
}

// transport tells what proto, at at, is.
func (w *writer) transport() {
	w.protocols("transport4", tableProto4, maxHeaders4)
	w.protocols("transport6", tableProto6, maxHeaders6)
}

func (w *writer) protocols(label string, table int32, headers int) {
	w.here(label)
	for i := range headers + 1 {
		w.add(
			asm.JEq.Imm(proto, protoUDP, "udp"),
			asm.JEq.Imm(proto, protoTCP, "tcp"),
			asm.Mov.Reg(asm.R2, proto),
			asm.Add.Imm(asm.R2, table),
		)
		w.entry(index, "passes")
		w.add(
			asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
			asm.JEq.Imm(asm.R1, protoDrops, "drops"),
		)
		if i == headers {
			w.jump("passes")
			break
		}
		w.add(asm.JEq.Imm(asm.R1, protoPasses, "passes"))
		w.header(table == tableProto6)
	}
}

// header skips an extension header (RFC 8200 section 4) or an authentication
// header (RFC 4302), whose length is in words. Its kind is in R1.
func (w *writer) header(fragments bool) {
	skip := w.next()
	w.add(
		asm.JLT.Imm(left, 8, "passes"),
		asm.Mov.Reg(proto, asm.R1),
	)
	w.need(8, "passes")
	if fragments {
		// One fragment header in a packet (RFC 8200 section 4.1). One that says
		// there is one fragment changes nothing (RFC 6946).
		none := w.next()
		w.add(asm.JNE.Imm(proto, protoFragments, none))
		w.load(asm.R2, 2, asm.Half)
		w.load(asm.R3, 4, asm.Word)
		w.add(
			asm.Mov.Imm(asm.R1, 0),
			asm.And.Imm(asm.R2, w.raw(0xfff9)), // offset, more fragments
			asm.JEq.Imm(asm.R2, 0, skip),
			asm.LoadMem(asm.R0, fp, first, asm.DWord),
			asm.JNE.Imm(asm.R0, 0, "pass"),
			asm.Mov.Imm(asm.R0, 6<<8),
			asm.LSh.Imm(asm.R0, 32),
			asm.Or.Reg(asm.R0, asm.R3),
			asm.StoreMem(fp, fragRest, asm.R0, asm.DWord),
			asm.And.Imm(asm.R2, w.raw(0xfff8)), // offset
			asm.JNE.Imm(asm.R2, 0, "later"),
			asm.Mov.Imm(asm.R0, 1),
			asm.StoreMem(fp, first, asm.R0, asm.DWord),
		)
		w.jump(skip)
		w.here(none)
	}
	w.load(asm.R1, 1, asm.Byte)
	w.add(
		asm.LSh.Imm(asm.R1, 2),
		asm.JEq.Imm(proto, protoWords4, skip),
		asm.LSh.Imm(asm.R1, 1),
	)
	w.here(skip)
	w.add(
		asm.Add.Imm(asm.R1, 8),
		asm.JLT.Reg(left, asm.R1, "passes"),
		asm.Sub.Reg(left, asm.R1),
		asm.Add.Reg(at, asm.R1),
	)
	w.load(proto, 0, asm.Byte)
}

// later decides about a fragment without ports.
func (w *writer) later() {
	w.here("later")
	w.now()
	w.mapAt(w.m.frags, fragKey)
	w.add(
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "stray"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R2, fp, clock, asm.DWord),
		asm.JGT.Reg(asm.R2, asm.R1, "stray"),
		asm.LoadMem(asm.R1, asm.R0, 8, asm.DWord),
		asm.JEq.Imm(asm.R1, verdictDrop, "drop"),
	)
	w.jump("pass")

	// It came before its first, or that was not seen. Another packet of this
	// processor may come in between: the bound is no exact one.
	w.here("stray")
	w.counters("pass")
	w.add(
		asm.LoadMem(asm.R2, fp, clock, asm.DWord),
		asm.RSh.Imm(asm.R2, windowShift),
		asm.LoadMem(asm.R3, asm.R0, 8*countWindow, asm.DWord),
		asm.JEq.Reg(asm.R2, asm.R3, "window"),
		asm.StoreMem(asm.R0, 8*countWindow, asm.R2, asm.DWord),
		asm.Mov.Imm(asm.R3, 0),
		asm.StoreMem(asm.R0, 8*countInWindow, asm.R3, asm.DWord),
	)
	w.here("window")
	w.add(
		asm.LoadMem(asm.R2, asm.R0, 8*countInWindow, asm.DWord),
		asm.JGE.Imm(asm.R2, straysPerWindow, "excess"),
	)
	w.increment(countInWindow)
	w.increment(countStrays)
	w.jump("pass")
	w.here("excess")
	w.increment(countExcess)
	w.jump("drop")
}

// ends are the two ends, and the memory of first fragments on the way to them.
func (w *writer) ends() {
	w.here("passes")
	w.add(
		asm.LoadMem(asm.R0, fp, first, asm.DWord),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	)
	w.remember(verdictPass, passesFor, "pass")
	w.here("pass")
	w.count(countPassed, "passed")
	w.here("passed")
	w.add(asm.Mov.Imm32(asm.R0, int32(w.m.snap)), asm.Return())

	w.here("drops")
	w.add(
		asm.LoadMem(asm.R0, fp, first, asm.DWord),
		asm.JEq.Imm(asm.R0, 0, "drop"),
	)
	w.remember(verdictDrop, dropsFor, "drop")
	w.here("drop")
	w.count(countDropped, "dropped")
	w.here("dropped")
	w.add(asm.Mov.Imm(asm.R0, 0), asm.Return())
}

// remember keeps what was decided about a first fragment.
func (w *writer) remember(verdict int32, span int64, then string) {
	w.now()
	w.add(
		constant(asm.R1, span),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.Mov.Imm(asm.R1, verdict),
		asm.StoreMem(fp, fragValue, asm.R0, asm.DWord),
		asm.StoreMem(fp, fragValue+8, asm.R1, asm.DWord),
	)
	w.put(w.m.frags, fragKey, fragValue)
	label := w.next()
	w.add(asm.JNE.Imm(asm.R0, 0, label))
	w.count(countFragments, then)
	w.here(label)
	w.count(countFailures, then)
}
