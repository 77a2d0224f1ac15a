package follow

import "github.com/cilium/ebpf/asm"

// portmap reads a message from or to port 111, which begins at at.
func (w *writer) portmap() {
	w.here("message")
	if !w.m.asks {
		w.jump("passes")
		return
	}
	w.need(32, "short_message")
	w.jump("whole_message")
	w.here("short_message") // an empty reply's
	w.need(12, "passes")
	w.here("whole_message")
	w.load(asm.R1, 4, asm.Word)
	w.add(
		asm.JEq.Imm(asm.R1, 0, "call"),
		asm.Mov.Imm32(asm.R2, w.raw32(1)),
		asm.JEq.Reg(asm.R1, asm.R2, "reply"),
	)
	w.jump("passes")
	w.call()
	w.reply()
	w.dump()

	// again says where to go on: 0 passes, 1 with the server that was asked, if
	// another one answered, more: with the next line of DUMP.
	w.here("learn_server")
	w.learn(w.m.servers, w.m.rpc, countRPC, "learnt")
	w.here("learnt")
	w.add(
		asm.LoadMem(asm.R3, fp, again, asm.DWord),
		asm.JEq.Imm(asm.R3, 0, "passes"),
		asm.JNE.Imm(asm.R3, 1, "dump_next"),
		asm.LoadMem(asm.R1, fp, callValue+8, asm.DWord),
		asm.LoadMem(asm.R2, fp, callValue+16, asm.DWord),
		asm.Mov.Imm(asm.R3, 0),
		asm.StoreMem(fp, again, asm.R3, asm.DWord),
		asm.StoreMem(fp, portKey, asm.R1, asm.DWord),
		asm.StoreMem(fp, portKey+8, asm.R2, asm.DWord),
		asm.LoadMem(asm.R3, fp, addrSrc+8, asm.DWord),
		asm.JNE.Reg(asm.R2, asm.R3, "learn_server"),
		asm.LoadMem(asm.R3, fp, addrSrc, asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R3, "learn_server"),
	)
	w.jump("passes")
}

// opaque passes the authentication data whose flavor and length are at an
// offset of the copy; at goes to what follows.
func (w *writer) opaque(off int16) {
	w.load(asm.R1, off+4, asm.Word)
	w.add(
		host(asm.R1, asm.Word),
		asm.JGT.Imm(asm.R1, maxAuth, "passes"),
		asm.Add.Imm(asm.R1, 3),
		asm.And.Imm(asm.R1, 1023&^3),
		asm.Add.Reg(at, asm.R1),
		asm.Add.Imm(at, int32(off)+8),
	)
}

// questionKey builds the key of a question: the client's address and port, the
// xid at the start of the copy.
func (w *writer) questionKey(addr, port int16) {
	w.load(asm.R4, 0, asm.Word)
	w.add(
		asm.LoadMem(asm.R1, fp, addr, asm.DWord),
		asm.LoadMem(asm.R2, fp, addr+8, asm.DWord),
		asm.LoadMem(asm.R3, fp, port, asm.Half),
		asm.StoreMem(fp, callKey, asm.R1, asm.DWord),
		asm.StoreMem(fp, callKey+8, asm.R2, asm.DWord),
		asm.StoreMem(fp, callKey+16, asm.R3, asm.Half),
		asm.StoreMem(fp, callKey+18, proto, asm.Half),
		asm.StoreMem(fp, callKey+20, asm.R4, asm.Word),
	)
}

// call remembers what portmap is asked for (RFC 1833 sections 2 and 3).
func (w *writer) call() {
	w.here("call")
	w.need(32, "passes")
	w.load(asm.R1, 8, asm.Word)
	w.load(asm.R2, 12, asm.Word)
	w.load(asm.R4, 16, asm.Word)
	w.load(asm.R5, 20, asm.Word)
	w.add(
		asm.LoadMem(asm.R3, fp, ports+2, asm.Half),
		asm.JNE.Imm(asm.R3, w.raw(portPortmap), "passes"),
		host(asm.R1, asm.Word),
		asm.JNE.Imm(asm.R1, 2, "passes"),
		host(asm.R2, asm.Word),
		asm.JNE.Imm(asm.R2, programPortmap, "passes"),
		host(asm.R4, asm.Word),
		host(asm.R5, asm.Word),
		asm.Mov.Imm(asm.R1, asksPort),
		asm.Mov.Imm(asm.R2, 0),
		asm.JEq.Imm(asm.R4, 2, "version_2"),
		asm.Mov.Imm(asm.R1, asksAddress),
	)
	w.here("version_2")
	w.add(
		asm.JEq.Imm(asm.R5, 3, "kind"), // GETPORT, GETADDR
		asm.JEq.Imm(asm.R5, 9, "kind"), // GETVERSADDR
		asm.JEq.Imm(asm.R5, 5, "callit"),
		asm.JNE.Imm(asm.R5, 4, "passes"), // DUMP
		asm.JNE.Imm(asm.R1, asksPort, "passes"),
		asm.Mov.Imm(asm.R1, asksAll),
	)
	w.here("callit")
	w.add(asm.Mov.Imm(asm.R2, protoUDP))
	w.here("kind")
	w.add(
		asm.StoreMem(fp, callValue, asm.R1, asm.Word),
		asm.StoreMem(fp, callValue+4, asm.R2, asm.Word),
	)
	w.questionKey(addrSrc, ports)
	w.opaque(24)
	w.need(8, "passes")
	w.opaque(0)
	w.add(
		asm.LoadMem(asm.R2, fp, callValue+4, asm.Word),
		asm.JNE.Imm(asm.R2, 0, "ask"), // CALLIT's answer is of UDP, DUMP's says it
	)
	w.need(16, "passes")
	w.load(asm.R2, 8, asm.Word)
	w.load(asm.R3, 12, asm.Word)
	w.add(
		asm.LoadMem(asm.R1, fp, callValue, asm.Word),
		host(asm.R2, asm.Word),
		asm.JEq.Imm(asm.R1, asksPort, "asked_proto"),
		// A netid: tcp, udp, tcp6, udp6.
		host(asm.R3, asm.Word),
		asm.JEq.Imm(asm.R2, 4, "netid_6"),
		asm.JNE.Imm(asm.R2, 3, "passes"),
		asm.And.Imm(asm.R3, ^0xff),
		asm.Or.Imm(asm.R3, '6'),
	)
	w.here("netid_6")
	w.add(
		asm.LSh.Imm(asm.R3, 32), // And and Or filled the upper half with the sign
		asm.RSh.Imm(asm.R3, 32),
		asm.Mov.Imm(asm.R2, protoTCP),
		asm.JEq.Imm(asm.R3, 't'<<24|'c'<<16|'p'<<8|'6', "asked_proto"),
		asm.Mov.Imm(asm.R2, protoUDP),
		asm.JNE.Imm(asm.R3, 'u'<<24|'d'<<16|'p'<<8|'6', "passes"),
	)
	w.here("asked_proto")
	w.add(
		asm.StoreMem(fp, callValue+4, asm.R2, asm.Word),
		asm.JEq.Imm(asm.R2, protoTCP, "ask"),
		asm.JNE.Imm(asm.R2, protoUDP, "passes"),
	)
	w.here("ask")
	w.add(
		asm.LoadMem(asm.R1, fp, addrDst, asm.DWord),
		asm.LoadMem(asm.R2, fp, addrDst+8, asm.DWord),
		asm.StoreMem(fp, callValue+8, asm.R1, asm.DWord),
		asm.StoreMem(fp, callValue+16, asm.R2, asm.DWord),
	)
	w.put(w.m.calls, callKey, callValue)
	w.add(asm.JEq.Imm(asm.R0, 0, "passes"))
	w.count(countFailures)
	w.jump("passes")
}

// reply learns what portmap tells, if it was asked.
func (w *writer) reply() {
	w.here("reply")
	w.load(asm.R1, 8, asm.Word)
	w.add(
		asm.JNE.Imm(asm.R1, 0, "passes"), // denied
		asm.LoadMem(asm.R3, fp, ports, asm.Half),
		asm.JNE.Imm(asm.R3, w.raw(portPortmap), "passes"),
	)
	w.questionKey(addrDst, ports+2)
	w.mapAt(w.m.calls, callKey)
	w.add(
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "passes"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R2, asm.R0, 8, asm.DWord),
		asm.LoadMem(asm.R3, asm.R0, 16, asm.DWord),
		asm.StoreMem(fp, callValue, asm.R1, asm.DWord),
		asm.StoreMem(fp, callValue+8, asm.R2, asm.DWord),
		asm.StoreMem(fp, callValue+16, asm.R3, asm.DWord),
		asm.Add.Imm(at, 12),
	)
	w.need(8, "passes")
	w.opaque(0)
	w.need(8, "passes")
	w.load(asm.R1, 0, asm.Word)
	w.load(asm.R5, 4, asm.Word)
	w.add(
		asm.JNE.Imm(asm.R1, 0, "passes"), // not SUCCESS
		asm.LoadMem(asm.R1, fp, callValue, asm.Word),
		asm.Add.Imm(at, 4),
		asm.JEq.Imm(asm.R1, asksAll, "dump"),
		host(asm.R5, asm.Word),
		asm.JEq.Imm(asm.R1, asksPort, "told"),
	)
	w.address()
	// R5 is the port.
	w.here("told")
	w.add(
		asm.JEq.Imm(asm.R5, 0, "passes"), // not registered
		asm.JGT.Imm(asm.R5, 0xffff, "passes"),
		host(asm.R5, asm.Half),
	)
	w.key(addrSrc, ports)
	w.add(
		asm.LoadMem(asm.R1, fp, callValue+4, asm.Word),
		asm.StoreMem(fp, portKey+16, asm.R5, asm.Half),
		asm.StoreMem(fp, portKey+18, asm.R1, asm.Half),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(fp, again, asm.R1, asm.DWord),
	)
	w.jump("learn_server")
}

// address reads the port off a universal address: the last two numbers, high
// byte first (RFC 5665 section 5.2.3). Its length is in R5, its last 8 bytes
// are read from behind. At least one number and a dot stand before them.
func (w *writer) address() {
	w.add(
		asm.JLT.Imm(asm.R5, 6, "passes"),
		asm.JGT.Imm(asm.R5, 128, "passes"),
		asm.Add.Reg(at, asm.R5),
		asm.Add.Imm(at, -4),
	)
	w.need(8, "passes")
	w.add(
		asm.Mov.Imm(asm.R1, 0), // number
		asm.Mov.Imm(asm.R2, 1), // weight of the next digit
		asm.Mov.Imm(asm.R3, 0), // 1 behind the first dot
		asm.Mov.Imm(asm.R5, 0), // port
	)
	for i := int16(7); i >= 0; i-- {
		digit, next := w.next(), w.next()
		w.load(asm.R4, i, asm.Byte)
		w.add(
			asm.JNE.Imm(asm.R4, '.', digit),
			asm.JGT.Imm(asm.R1, 255, "passes"),
			asm.JEq.Imm(asm.R2, 1, "passes"),
			asm.JNE.Imm(asm.R3, 0, "address_done"),
			asm.Mov.Reg(asm.R5, asm.R1),
			asm.Mov.Imm(asm.R1, 0),
			asm.Mov.Imm(asm.R2, 1),
			asm.Mov.Imm(asm.R3, 1),
		)
		w.jump(next)
		w.here(digit)
		w.add(
			asm.Sub.Imm(asm.R4, '0'),
			asm.JGT.Imm(asm.R4, 9, "passes"),
			asm.JGT.Imm(asm.R2, 100, "passes"),
			asm.Mul.Reg(asm.R4, asm.R2),
			asm.Add.Reg(asm.R1, asm.R4),
			asm.Mul.Imm(asm.R2, 10),
		)
		w.here(next)
		w.add(asm.Mov.Imm(asm.R4, 0)) // for the label
	}
	w.jump("passes")
	w.here("address_done")
	w.add(
		asm.LSh.Imm(asm.R1, 8),
		asm.Or.Reg(asm.R5, asm.R1),
	)
}

// dump learns the lines of a DUMP reply.
func (w *writer) dump() {
	w.here("dump")
	w.add(asm.Mov.Imm(asm.R3, 1))
	w.here("dump_next") // R3 is the turn
	w.add(
		asm.Add.Imm(asm.R3, 1),
		asm.JGT.Imm(asm.R3, 1+maxMappings, "passes"),
		asm.StoreMem(fp, again, asm.R3, asm.DWord),
	)
	w.need(20, "passes")
	w.load(asm.R1, 0, asm.Word)
	w.load(asm.R2, 4, asm.Word)
	w.load(asm.R4, 12, asm.Word)
	w.load(asm.R5, 16, asm.Word)
	w.add(
		asm.Add.Imm(at, 20),
		asm.LoadMem(asm.R3, fp, again, asm.DWord),
		host(asm.R1, asm.Word),
		asm.JNE.Imm(asm.R1, 1, "passes"), // the end
		host(asm.R2, asm.Word),
		asm.JLT.Imm(asm.R2, programPortmap, "dump_next"),
		asm.JGE.Imm(asm.R2, programPortmap+programBlock, "dump_next"),
		host(asm.R5, asm.Word),
		asm.JEq.Imm(asm.R5, 0, "dump_next"),
		asm.JGT.Imm(asm.R5, 0xffff, "dump_next"),
		host(asm.R5, asm.Half),
		host(asm.R4, asm.Word),
		asm.JEq.Imm(asm.R4, protoUDP, "dump_learn"),
		asm.JNE.Imm(asm.R4, protoTCP, "dump_next"),
	)
	w.here("dump_learn")
	w.add(
		asm.LoadMem(asm.R1, fp, addrSrc, asm.DWord),
		asm.LoadMem(asm.R2, fp, addrSrc+8, asm.DWord),
		asm.StoreMem(fp, portKey, asm.R1, asm.DWord),
		asm.StoreMem(fp, portKey+8, asm.R2, asm.DWord),
		asm.StoreMem(fp, portKey+16, asm.R5, asm.Half),
		asm.StoreMem(fp, portKey+18, asm.R4, asm.Half),
	)
	w.jump("learn_server")
}
