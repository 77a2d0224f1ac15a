package counter

import (
	"strconv"

	"github.com/cilium/ebpf/asm"
)

// ports goes to the ports of UDP or TCP; proto becomes the offset of the table.
func (w *writer) ports() {
	w.here("tcp")
	w.add(asm.Mov.Imm(proto, 0))
	w.jump("ports")
	w.here("udp")
	w.add(asm.Mov.Imm(proto, tableUDP))
	w.here("ports")
	w.add(asm.JLT.Imm(w.left(), 4, "short"))
	w.need(4, "short")
	w.load(asm.R2, 0, asm.Half)
	w.load(asm.R3, 2, asm.Half)
	w.slot()
	w.here("chosen")
	w.add(
		asm.LoadMem(asm.R0, fp, fragKind, asm.DWord),
		asm.JEq.Imm(asm.R0, firstFragment, "remember"),
	)
	w.jump("count")
}

// slot tells which slot the source port R2 and the destination port R3 have; a
// port of no service has slot 0.
func (w *writer) slot() {
	w.add(
		asm.LoadMapValue(asm.R1, w.p.tableFD, 0),
		asm.Add.Reg(asm.R1, proto),
		asm.Mov.Reg(asm.R4, asm.R1),
		asm.Add.Reg(asm.R4, asm.R3),
		asm.LoadMem(asm.R4, asm.R4, 0, asm.Byte),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R0, asm.R1, 0, asm.Byte),
		asm.JEq.Imm(asm.R0, 0, "to"),
		asm.JEq.Imm(asm.R4, 0, "from"),
		// Both are of services: the rank decides.
		asm.LoadMapValue(asm.R1, w.p.tableFD, tableRank),
		asm.Mov.Reg(asm.R5, asm.R1),
		asm.Add.Reg(asm.R5, asm.R4),
		asm.LoadMem(asm.R5, asm.R5, 0, asm.Byte),
		asm.Add.Reg(asm.R1, asm.R0),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Byte),
		asm.JGT.Reg(asm.R1, asm.R5, "from"),
	)
	w.here("to")
	w.add(
		asm.Mov.Reg(at, asm.R4),
		asm.Or.Imm(at, toPort),
	)
	w.jump("picked")
	w.here("from")
	w.add(
		asm.Mov.Reg(asm.R4, asm.R0),
		asm.Mov.Reg(at, asm.R0),
	)
	w.here("picked")
	for _, from := range w.splitSlots() {
		w.add(asm.JEq.Imm(asm.R4, int32(from), splitLabel(from)))
	}
	w.jump("chosen")
	w.split()
}

func splitLabel(from uint8) string { return "split_" + strconv.Itoa(int(from)) }

// split moves a packet on a port that is split by the other side's port.
func (w *writer) split() {
	for _, from := range w.splitSlots() {
		w.here(splitLabel(from))
		other := w.next()
		w.add(
			asm.JSet.Imm(at, toPort, other),
			asm.Mov.Reg(asm.R2, asm.R3),
		)
		w.here(other)
		w.add(host(asm.R2))
		for _, s := range w.l.splits {
			if s.from != from {
				continue
			}
			label := w.next()
			w.add(
				asm.JLT.Imm(asm.R2, int32(s.clients.First), label),
				asm.JGT.Imm(asm.R2, int32(s.clients.Last), label),
				asm.And.Imm(at, toPort),
				asm.Or.Imm(at, int32(s.to)),
			)
			w.jump("chosen")
			w.here(label)
		}
		w.jump("chosen")
	}
}

// splitSlots are the slots of ports that are split, each once.
func (w *writer) splitSlots() (slots []uint8) {
	for _, s := range w.l.splits {
		if len(slots) == 0 || slots[len(slots)-1] != s.from {
			slots = append(slots, s.from)
		}
	}
	return slots
}
