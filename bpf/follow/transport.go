package follow

import "github.com/cilium/ebpf/asm"

// ports reads the two ports of UDP or TCP and goes to label_known, label_cold,
// or to passes when one of them was learnt.
func (w *writer) ports(label string, base int32) {
	w.here(label)
	w.add(asm.JLT.Imm(left, 4, "passes"))
	w.need(4, "passes")
	w.load(asm.R1, 0, asm.Word)
	w.load(asm.R2, 0, asm.Half) // source port
	w.add(
		asm.StoreMem(fp, ports, asm.R1, asm.Word),
		asm.Add.Imm(asm.R2, base),
	)
	w.entry(index, "passes")
	w.add(
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.StoreMem(fp, srcEntry, asm.R1, asm.DWord),
		asm.LoadMem(asm.R2, fp, ports+2, asm.Half), // destination port
		asm.Add.Imm(asm.R2, base),
	)
	w.entry(index, "passes")
	w.add(
		asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R1, fp, srcEntry, asm.DWord),
		asm.Mov.Reg(asm.R4, asm.R1),
		asm.Or.Reg(asm.R4, asm.R2),
		asm.JSet.Imm(asm.R4, portPasses, label+"_known"),
		asm.JEq.Imm(asm.R4, 0, label+"_cold"),
		// One of them was learnt somewhere, once.
		asm.RSh.Imm(asm.R2, flagBits),
		asm.StoreMem(fp, dstEntry, asm.R2, asm.DWord),
	)
	w.now()
	w.add(
		asm.RSh.Imm(asm.R0, epochShift),
		asm.LoadMem(asm.R1, fp, srcEntry, asm.DWord),
		asm.RSh.Imm(asm.R1, flagBits),
		asm.LoadMem(asm.R2, fp, dstEntry, asm.DWord),
	)
	for _, r := range []asm.Register{asm.R1, asm.R2} {
		w.add(
			asm.Add.Imm(r, w.m.hintFor()),
			asm.JGT.Reg(r, asm.R0, label+"_hot"),
		)
	}
	w.jump(label + "_cold")

	w.here(label + "_hot")
	for _, end := range [][2]int16{{addrDst, ports + 2}, {addrSrc, ports}} {
		w.key(end[0], end[1])
		if base == tableUDP {
			w.look(w.m.clients, label+"_used")
		}
		w.look(w.m.servers, label+"_used")
	}
	w.jump(label + "_cold")

	// R0 is the entry, R1 the time, R2 until when it holds.
	w.here(label + "_used")
	w.add(
		asm.LoadMem(asm.R3, asm.R0, 8, asm.DWord),
		asm.Add.Reg(asm.R1, asm.R3),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.Sub.Reg(asm.R3, asm.R2),
		constant(asm.R4, renewed),
		asm.JLT.Reg(asm.R3, asm.R4, "passes"),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
	)
	w.hint(base, "passes")
}

// look asks a map for the key; what is over is as if it were not there.
func (w *writer) look(fd int, found string) {
	none := w.next()
	w.mapAt(fd, portKey)
	w.add(
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
		asm.LoadMem(asm.R1, fp, clock, asm.DWord),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord),
		asm.JLE.Reg(asm.R1, asm.R2, found),
	)
	w.here(none)
}

// hintFor is how many epochs ago a port must have been used to be looked up.
func (m *machine) hintFor() int32 {
	return int32(max(m.tftp, m.rpc)>>epochShift) + 1
}

// key builds a key of an address and a port on the stack; the protocol is the
// packet's.
func (w *writer) key(addr, port int16) {
	w.add(
		asm.LoadMem(asm.R1, fp, addr, asm.DWord),
		asm.LoadMem(asm.R2, fp, addr+8, asm.DWord),
		asm.LoadMem(asm.R3, fp, port, asm.Half),
		asm.Mov.Reg(asm.R4, proto),
		asm.LSh.Imm(asm.R4, 16),
		asm.Or.Reg(asm.R3, asm.R4),
		asm.StoreMem(fp, portKey, asm.R1, asm.DWord),
		asm.StoreMem(fp, portKey+8, asm.R2, asm.DWord),
		asm.StoreMem(fp, portKey+16, asm.R3, asm.DWord),
	)
}

// hint notes in a port's entry that it is used now, and goes on at a label; the
// port is the key's, the time on the stack.
func (w *writer) hint(base int32, then string) {
	w.add(
		asm.LoadMem(asm.R2, fp, portKey+16, asm.DWord),
		asm.And.Imm(asm.R2, 0xffff),
		asm.Add.Imm(asm.R2, base),
	)
	w.entry(index, then)
	w.add(
		asm.LoadMem(asm.R1, fp, clock, asm.DWord),
		asm.RSh.Imm(asm.R1, epochShift),
		asm.Add.Imm(asm.R1, 1),
		asm.LSh.Imm(asm.R1, flagBits),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord),
		asm.And.Imm(asm.R2, 1<<flagBits-1),
		asm.Or.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
	)
	w.jump(then)
}

// learn opens the key for a time and goes on at a label.
func (w *writer) learn(fd int, span int64, counter int16, then string) {
	known, full, hint, udp := w.next(), w.next(), w.next(), w.next()
	w.now()
	w.add(
		constant(asm.R1, span),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.StoreMem(fp, portValue, asm.R0, asm.DWord),
		asm.StoreMem(fp, portValue+8, asm.R1, asm.DWord),
	)
	w.mapAt(fd, portKey)
	w.add(
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, known),
	)
	w.put(fd, portKey, portValue)
	w.add(asm.JNE.Imm(asm.R0, 0, full))
	w.count(counter, hint)
	w.here(full)
	w.count(countFailures, then)
	w.here(known)
	w.add(
		asm.LoadMem(asm.R1, fp, portValue, asm.DWord),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
	)
	w.here(hint)
	w.add(
		asm.LoadMem(asm.R1, fp, portKey+16, asm.DWord),
		asm.RSh.Imm(asm.R1, 16),
		asm.JNE.Imm(asm.R1, protoTCP, udp),
	)
	w.hint(0, then)
	w.here(udp)
	w.hint(tableUDP, then)
}

// udp goes on with a datagram whose ports are read.
func (w *writer) udp() {
	w.here("udp_known")
	w.add(asm.JSet.Imm(asm.R4, portTeaches, "udp_teaches"))
	w.jump("passes")
	w.here("udp_teaches")
	w.add(asm.LoadMem(asm.R3, fp, ports+2, asm.Half))
	w.add(asm.JNE.Imm(asm.R3, w.raw(portTFTP), "udp_portmap"))
	w.key(addrSrc, ports)
	w.learn(w.m.clients, w.m.tftp, countTFTP, "passes")
	w.here("udp_portmap")
	w.add(asm.Add.Imm(at, 8))
	w.jump("message")

	w.here("udp_cold")
	w.add(asm.JLT.Imm(left, 8, "passes"))
	w.need(8, "passes")
	w.load(asm.R1, 4, asm.Half) // length
	w.add(
		host(asm.R1, asm.Half),
		asm.JEq.Imm(asm.R1, 0, "udp_length"),
		asm.JLT.Imm(asm.R1, 8, "passes"),
	)
	w.here("udp_length")
	w.add(asm.JLT.Imm(left, 8+24, "udp_sample"))
	w.copy(copied, 24, "udp_sample", asm.Mov.Reg(asm.R2, at), asm.Add.Imm(asm.R2, 8))
	w.isCall(0, "udp_sample")
	w.here("udp_sample")
	w.add(
		asm.LoadMem(asm.R1, fp, addrSrc+12, asm.Word),
		asm.LoadMem(asm.R2, fp, addrDst+12, asm.Word),
		asm.LoadMem(asm.R3, fp, ports, asm.Word),
	)
	w.sample("passes", "drops")

	// The same for the fast way, which stores nothing.
	w.here("sample")
	w.sample("pass", "drop")
}

// A multiplier with well mixed bits, 2^64 over the golden ratio.
const golden = 0x9e3779b97f4a7c15

// sample lets one packet of a conversation pass each second; R1 and R2 are the
// ends of the addresses, R3 the ports.
func (w *writer) sample(pass, drop string) {
	label := w.next()
	mix := uint64(golden)
	w.add(
		asm.LSh.Imm(asm.R2, 32),
		asm.Or.Reg(asm.R1, asm.R2),
		constant(asm.R4, int64(mix)),
		asm.Mul.Reg(asm.R1, asm.R4),
		asm.Xor.Reg(asm.R1, asm.R3),
		asm.Mul.Reg(asm.R1, asm.R4),
		asm.RSh.Imm(asm.R1, 64-stampBits),
		asm.Mov.Reg(at, asm.R1),
	)
	w.time()
	w.add(
		asm.Mov.Reg(asm.R2, at),
		asm.Add.Imm(asm.R2, tableStamps),
		asm.Mov.Reg(at, asm.R0),
		asm.RSh.Imm(at, stampShift),
	)
	w.entry(number, pass)
	w.add(
		asm.LoadMem(asm.R2, asm.R0, 0, asm.DWord),
		asm.JEq.Imm(asm.R2, 0, label),
		asm.Mov.Reg(asm.R3, at),
		asm.Sub.Reg(asm.R3, asm.R2),
		asm.JSLE.Imm(asm.R3, sampled>>stampShift, drop),
	)
	w.here(label)
	w.add(asm.StoreMem(asm.R0, 0, at, asm.DWord))
	w.count(countSamples, pass)
}

// isCall learns the destination when the message at an offset of the copy is a
// call to one of Sun's programs or to an NFSv4 client (RFC 5531, as package
// rpc's looksLikeCall).
func (w *writer) isCall(off int16, otherwise string) {
	sun := w.next()
	w.load(asm.R1, off+4, asm.Word)
	w.load(asm.R2, off+8, asm.Word)
	w.add(
		asm.JNE.Imm(asm.R1, 0, otherwise),
		asm.Mov.Imm32(asm.R1, w.raw32(2)),
		asm.JNE.Reg(asm.R1, asm.R2, otherwise),
	)
	w.load(asm.R1, off+20, asm.Word)
	w.load(asm.R2, off+12, asm.Word)
	w.add(
		host(asm.R1, asm.Word),
		asm.JGT.Imm(asm.R1, maxProcedure, otherwise),
		host(asm.R2, asm.Word),
		asm.JEq.Imm(asm.R2, programCallback, sun),
		asm.JLT.Imm(asm.R2, programPortmap, otherwise),
		asm.JGE.Imm(asm.R2, programPortmap+programBlock, otherwise),
	)
	w.here(sun)
	w.key(addrDst, ports+2)
	w.jump("learn_server")
}

// Programs (https://www.iana.org/assignments/rpc-program-numbers).
const (
	programPortmap  = 100000
	programBlock    = 500
	programCallback = 0x40000000
	maxProcedure    = 255
)

// tcp goes on with a segment whose ports are read.
func (w *writer) tcp() {
	header := func(otherwise string) {
		w.add(asm.JLT.Imm(left, 20, otherwise))
		w.copy(copied, 2, otherwise, asm.Mov.Reg(asm.R2, at), asm.Add.Imm(asm.R2, 12))
		w.load(asm.R1, 0, asm.Byte)
		w.load(asm.R2, 1, asm.Byte)
		w.add(
			asm.RSh.Imm(asm.R1, 4),
			asm.LSh.Imm(asm.R1, 2),
			asm.JLT.Imm(asm.R1, 20, otherwise),
			asm.JGT.Reg(asm.R1, left, otherwise),
		)
	}
	w.here("tcp_known")
	w.add(asm.JSet.Imm(asm.R4, portTeaches, "tcp_portmap"))
	w.jump("passes")
	w.here("tcp_portmap")
	header("passes")
	w.add(
		asm.Add.Reg(at, asm.R1),
		asm.Add.Imm(at, 4), // the record's mark
	)
	w.jump("message")

	w.here("tcp_cold")
	header("passes")
	w.add(asm.JSet.Imm(asm.R2, 6, "passes")) // RST, SYN
	w.add(
		asm.Sub.Reg(left, asm.R1),
		asm.JLT.Imm(left, 28, "drops"),
		asm.Add.Reg(at, asm.R1),
	)
	w.need(28, "drops")
	w.load(asm.R1, 0, asm.Byte)
	w.add(asm.JLT.Imm(asm.R1, 0x80, "drops"))
	w.isCall(4, "drops")
}
