package follow

import "github.com/cilium/ebpf/asm"

// portmap reads a message from or to port 111, which begins at at.
func (w *writer) portmap() {
	w.here("message")
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
	w.address()

	w.here("learn_server")
	w.learn(w.m.servers, w.m.rpc, countRPC, "passes")
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
		asm.LSh.Imm(asm.R4, 16),
		asm.Or.Reg(asm.R4, proto),
		asm.LSh.Imm(asm.R4, 16),
		asm.Or.Reg(asm.R4, asm.R3),
		asm.StoreMem(fp, callKey+16, asm.R4, asm.DWord),
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
		asm.JNE.Imm(asm.R5, 5, "passes"),
		asm.Mov.Imm(asm.R2, protoUDP), // CALLIT
	)
	w.here("kind")
	w.add(
		asm.LSh.Imm(asm.R2, 8),
		asm.Or.Reg(asm.R2, asm.R1),
		asm.StoreMem(fp, callValue, asm.R2, asm.DWord),
	)
	w.questionKey(addrSrc, ports)
	w.opaque(24)
	w.need(8, "passes")
	w.opaque(0)
	w.add(
		asm.LoadMem(asm.R2, fp, callValue, asm.DWord),
		asm.JGT.Imm(asm.R2, 0xff, "ask"),
	)
	w.need(16, "passes")
	w.load(asm.R2, 8, asm.Word)
	w.load(asm.R3, 12, asm.Word)
	w.add(
		asm.LoadMem(asm.R1, fp, callValue, asm.DWord),
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
		asm.Mov.Reg(asm.R3, asm.R2),
		asm.LSh.Imm(asm.R3, 8),
		asm.Or.Reg(asm.R1, asm.R3),
		asm.StoreMem(fp, callValue, asm.R1, asm.DWord),
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
	w.count(countFailures, "passes")
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
		asm.LoadMem(asm.R1, fp, callValue, asm.DWord),
		asm.And.Imm(asm.R1, 0xff),
		asm.Add.Imm(at, 4),
		host(asm.R5, asm.Word),
		asm.JEq.Imm(asm.R1, asksPort, "told"),
	)
	w.jump("address")
	w.here("told") // R5 is the port
	w.add(
		asm.JEq.Imm(asm.R5, 0, "passes"), // not registered
		asm.JGT.Imm(asm.R5, 0xffff, "passes"),
		host(asm.R5, asm.Half),
	)
	w.key(addrSrc, ports)
	w.add(
		asm.LoadMem(asm.R1, fp, callValue, asm.DWord),
		asm.RSh.Imm(asm.R1, 8),
		asm.LSh.Imm(asm.R1, 16),
		asm.Or.Reg(asm.R1, asm.R5),
		asm.StoreMem(fp, portKey+16, asm.R1, asm.DWord),
	)
	w.learn(w.m.servers, w.m.rpc, countRPC, "second")
	// Another address of the server may have answered.
	w.here("second")
	w.add(
		asm.LoadMem(asm.R1, fp, callValue+8, asm.DWord),
		asm.LoadMem(asm.R2, fp, callValue+16, asm.DWord),
		asm.LoadMem(asm.R3, fp, portKey+8, asm.DWord),
		asm.LoadMem(asm.R4, fp, portKey, asm.DWord),
		asm.StoreMem(fp, portKey, asm.R1, asm.DWord),
		asm.StoreMem(fp, portKey+8, asm.R2, asm.DWord),
		asm.JNE.Reg(asm.R2, asm.R3, "learn_server"),
		asm.JNE.Reg(asm.R1, asm.R4, "learn_server"),
	)
	w.jump("passes")
}

// address reads the port off a universal address: the last two numbers, high
// byte first (RFC 5665 section 5.2.3). Its length is in R5, its last 8 bytes
// are read from behind. At least one number and a dot stand before them.
func (w *writer) address() {
	w.here("address")
	w.add(
		asm.JLT.Imm(asm.R5, 6, "passes"),
		asm.JGT.Imm(asm.R5, 128, "passes"),
		asm.Add.Reg(at, asm.R5),
		asm.Add.Imm(at, -4),
	)
	w.need(8, "passes")
	dot := func(i int16, otherwise string) {
		w.load(asm.R4, i, asm.Byte)
		w.add(asm.JNE.Imm(asm.R4, '.', otherwise))
	}
	// number reads digits into r.
	number := func(r asm.Register, from, to int16) {
		w.add(asm.Mov.Imm(r, 0))
		for i := from; i < to; i++ {
			w.load(asm.R4, i, asm.Byte)
			w.add(
				asm.Sub.Imm(asm.R4, '0'),
				asm.JGT.Imm(asm.R4, 9, "passes"),
				asm.Mul.Imm(r, 10),
				asm.Add.Reg(r, asm.R4),
			)
		}
		w.add(asm.JGT.Imm(r, 255, "passes"))
	}
	for low := int16(1); low <= 3; low++ {
		shorter := w.next()
		dot(7-low, shorter)
		number(asm.R5, 8-low, 8)
		for high := int16(1); high <= 3; high++ {
			other := w.next()
			dot(6-low-high, other)
			number(asm.R1, 7-low-high, 7-low)
			w.add(
				asm.LSh.Imm(asm.R1, 8),
				asm.Or.Reg(asm.R5, asm.R1),
			)
			w.jump("told")
			w.here(other)
		}
		w.jump("passes")
		w.here(shorter)
	}
	w.jump("passes")
}
