package counter

import "github.com/cilium/ebpf/asm"

// ip6 reads an IPv6 header (RFC 8200 section 3).
func (w *writer) ip6() {
	left := w.left()
	w.here("ip6")
	w.need(40, "undecodable")
	w.load(asm.R1, 0, asm.Byte)
	w.add(
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 6, "undecodable"),
		asm.StoreMem(fp, ipVersion, asm.R1, asm.DWord),
	)
	w.load(left, 4, asm.Half)
	w.load(proto, 6, asm.Byte)
	w.add(
		host(left),
		asm.JNE.Imm(left, 0, "ip6_length"),
		asm.Mov.Imm(left, plenty), // jumbogram (RFC 2675) or segmentation offload
	)
	w.here("ip6_length")
	w.add(
		asm.JEq.Imm(proto, protoUDP, "ip6_payload"),
		asm.JEq.Imm(proto, protoTCP, "ip6_payload"),
	)
	// A fragment header may come: keep the addresses.
	for i := int16(0); i < 32; i += 4 {
		w.load(asm.R1, 8+i, asm.Word)
		w.add(asm.StoreMem(fp, fragKey+i, asm.R1, asm.Word))
	}
	w.here("ip6_payload")
	w.add(asm.Add.Imm(at, 40))
}

// extensions are the IPv6 extension headers besides the fragment header
// (RFC 8200 section 4; RFC 6275, RFC 7401, RFC 5533).
var extensions = []uint8{0, 43, protoAH, 60, 135, 139, 140}

// extensionShifts says of a protocol by how much to shift the length of its
// extension header, 0 when it is none. It is a table and no chain of
// comparisons: after one the verifier would know the protocol, and walk each
// way through the loop on its own.
func extensionShifts() (t [256]uint8) {
	for _, x := range extensions {
		t[x] = 3
	}
	t[protoAH] = 2
	t[protoFrag] = 32 // out of the mask: it has no length, the byte is reserved
	return t
}

// extension skips an extension header (RFC 8200 section 4) or an
// authentication header (RFC 4302), whose length is in words.
func (w *writer) extension() {
	left := w.left()
	w.here("extension")
	w.add(asm.JLT.Imm(left, 8, "short"))
	w.need(8, "short")
	w.round(maxRounds)
	w.load(asm.R1, 1, asm.Byte)
	w.add(
		asm.LoadMapValue(asm.R2, w.p.tableFD, tableExtension),
		asm.Add.Reg(asm.R2, proto),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.Byte),
		asm.LSh.Reg(asm.R1, asm.R2),
		asm.And.Imm(asm.R1, 255<<3|255<<2),
		asm.Add.Imm(asm.R1, 8),
		asm.JLT.Reg(left, asm.R1, "short"),
		asm.Sub.Reg(left, asm.R1),
		asm.JEq.Imm(proto, protoFrag, "fragment_header"),
	)
	w.here("skip")
	w.load(proto, 0, asm.Byte)
	w.add(asm.Add.Reg(at, asm.R1))
	w.within(at, "short")
	w.jump("transport")

	// One fragment header in a packet (RFC 8200 section 4.1). One that says
	// there is one fragment changes nothing (RFC 6946).
	w.here("fragment_header")
	w.load(asm.R2, 2, asm.Half)
	w.load(asm.R3, 4, asm.Word)
	w.add(
		asm.LoadMem(asm.R0, fp, fragKind, asm.DWord),
		asm.JNE.Imm(asm.R0, notFragment, "undecodable"),
		asm.And.Imm(asm.R2, w.raw(0xfff9)), // offset, more fragments
		asm.Mov.Imm(asm.R0, atomicFragment),
		asm.JEq.Imm(asm.R2, 0, "one_fragment"),
		asm.Mov.Imm(asm.R0, 6<<8),
		asm.StoreMem(fp, fragKey+32, asm.R3, asm.Word),
		asm.StoreMem(fp, fragKey+36, asm.R0, asm.Word),
		asm.And.Imm(asm.R2, w.raw(0xfff8)), // offset
		asm.JNE.Imm(asm.R2, 0, "later"),
		asm.Mov.Imm(asm.R0, firstFragment),
	)
	w.here("one_fragment")
	w.add(asm.StoreMem(fp, fragKind, asm.R0, asm.DWord))
	w.jump("skip")
}
