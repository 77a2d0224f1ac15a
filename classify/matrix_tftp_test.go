package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

// rackAlias is another address of the rack.
var rackAlias = rack.Host.At("10.0.0.9")

var sizeOnly = synth.TFTPOack("tsize", "934000", "blksize", "1468")

// rrq is edk2's read request; asksFor sends it at times from one port.
func rrq(file string) []byte { return synth.TFTPRead(file, "octet", "tsize", "0", "blksize", "1468") }

func (s *story) asksFor(file string, port uint16, times ...float64) *story {
	for _, x := range times {
		s.says(x, node, rack.Host, port, 69, rrq(file))
	}
	return s
}

// serves is a message from the rack's data port.
func (s *story) serves(x float64, port uint16, msg []byte) *story {
	return s.says(x, rack.Host, node, 49200, port, msg)
}

// replies is a message to the rack's data port.
func (s *story) replies(x float64, port uint16, msg []byte) *story {
	return s.says(x, node, rack.Host, port, 49200, msg)
}

// misses is a request for a file that is not there.
func (s *story) misses(x float64, file string, port uint16) *story {
	return s.asksFor(file, port, x).serves(x+0.001, port, synth.TFTPError(1, "file not found"))
}

// probesSize is edk2's question for the size: it breaks off after the OACK.
func (s *story) probesSize(x float64, file string, port uint16) *story {
	return s.asksFor(file, port, x).serves(x+0.001, port, sizeOnly).replies(x+0.002, port, synth.TFTPError(8, "User aborted the transfer"))
}

func tftpRows() []row {
	return []row{
		{rule: "tftp-no-answer", fires: tftpNoAnswer, node: nodeMAC, server: rackAddr, first: 8.2, due: 20.2,
			cut96: []string{"error tftp-no-answer"},
			normal: []lookalike{
				{name: "a capture filter of port 69", tell: onlyPort69},
				{name: "answered from another address, which the client takes", tell: aliasTaken},
				{name: "the answer is slow", tell: func(s *story) { slowTFTP(s) }},
			}},
		{rule: "tftp-reply-wrong-source", fires: tftpWrongSource, node: nodeMAC, server: rackAddr,
			cut96: []string{"error tftp-reply-wrong-source"},
			normal: []lookalike{
				{name: "the client takes it", tell: aliasTaken, says: []string{"note tftp-reply-wrong-source"}},
				{name: "asked by broadcast", tell: askedByBroadcast},
			}},
		{rule: "tftp-file-not-found", fires: tftpNotFound, node: nodeMAC, server: rackAddr,
			cut96: []string{"error tftp-file-not-found"},
			normal: []lookalike{
				{name: "PXELINUX's search ends with the default", tell: pxelinuxSearch},
				{name: "GRUB's optional files", tell: grubOptional},
				{name: "a retry finds it", early: []string{"error tftp-file-not-found"}, tell: func(s *story) {
					s.firmware(0).misses(2.2, "bootx64.efi", 1024).loads(7, "bootx64.efi", 9000, 1025).tick(60)
				}},
			}},
		{rule: "tftp-error", fires: tftpDenied, node: nodeMAC, server: rackAddr,
			cut96: []string{"error tftp-error"},
			normal: []lookalike{
				{name: "ERROR 8 after the OACK: the client wanted the size", tell: sizeProbe},
				{name: "PXELINUX closes a file with ERROR 0", tell: closesFile},
				{name: "options refused, without them it works", tell: optionsRefused, early: []string{"error tftp-error"}},
			}},
		{rule: "tftp-name-garbage", fires: tftpGarbage, node: nodeMAC, server: rackAddr,
			cut96: []string{"error tftp-name-garbage"},
			normal: []lookalike{
				{name: "UTF-8", tell: func(s *story) { s.firmware(0).loads(2.2, "größe/ブート.efi", 9000, 1024).tick(60) }},
				{name: "a name with 0xe9 that the server has", early: []string{"warning tftp-name-garbage"}, tell: func(s *story) { s.firmware(0).loads(2.2, "kaf\xe9.efi", 9000, 1024).tick(60) }},
			}},
		{rule: "tftp-stalled", fires: tftpStalled, node: nodeMAC, server: rackAddr, due: 6.21,
			cut96: []string{"error tftp-stalled"},
			normal: []lookalike{
				{name: "the last ACK is missing", tell: noLastACK},
				{name: "a size probe", tell: sizeProbe},
				{name: "a block is lost twice, then goes through", early: []string{"error tftp-stalled"}, tell: func(s *story) {
					s.firmware(0)
					synth.TFTPTransfer(&s.Capture, secs(2.2), synth.TFTP{Client: node, Server: rack.Host, File: "bootx64.efi", Size: 9000, Lost: map[int]int{5: 2}})
					s.tick(60)
				}},
			}},
		{rule: "tftp-size-limit", fires: tftpRunsOut, node: nodeMAC, server: rackAddr, due: 70.536,
			cut96: []string{"error tftp-size-limit"},
			normal: []lookalike{
				{name: "the numbers go on with 0", tell: func(s *story) { rollsOver(s, 0) }},
				{name: "the numbers go on with 1", tell: func(s *story) { rollsOver(s, 1) }},
			}},
		{rule: "tftp-size-probe", fires: sizeProbeOf(true), node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "the options are refused for good", tell: optionsRefusedForGood, says: []string{"error tftp-error"}},
				{name: "no probe", tell: func(s *story) { s.loaded(0).tick(60) }},
			}},
		{rule: "search-list-miss", fires: pxelinuxSearchProof, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "the loader itself is missing", tell: tftpNotFound, says: []string{"error tftp-file-not-found"}},
				{name: "nothing is missing", tell: func(s *story) { s.loaded(0).tick(60) }},
			}},
	}
}

// tftpNoAnswer: the firmware has its lease and asks for its loader four times;
// the rack's TFTP service is down.
func tftpNoAnswer(s *story) {
	s.firmware(0)
	s.proof(func() { s.asksFor("bootx64.efi", 1174, 2.2, 6.2, 10.2, 14.2) }).tick(60)
}

// onlyPort69: a capture with the filter "port 67 or 68 or 69" sees requests
// and no answers, because these come from new ports.
func onlyPort69(s *story) {
	for i := range 12 {
		s.asksFor("bootx64.efi", uint16(1100+i), float64(i), float64(i)+0.3)
	}
}

// slowTFTP: each packet of the transfer takes half a second.
func slowTFTP(s *story) {
	s.firmware(0)
	synth.TFTPTransfer(&s.Capture, secs(2.2), synth.TFTP{Client: node, Server: rack.Host, File: "bootx64.efi", Size: 3000, Step: secs(0.5)})
	s.tick(60)
}

// aliasTaken: the rack answers from its second address and the client does not
// mind.
func aliasTaken(s *story) {
	s.firmware(0)
	synth.TFTPTransfer(&s.Capture, secs(2.2), synth.TFTP{Client: node, Server: rack.Host, From: rackAlias, File: "bootx64.efi", Size: 5000})
	s.tick(60)
}

// tftpWrongSource: the rack answers from its second address; the client
// refuses that with ERROR 5 and gives up.
func tftpWrongSource(s *story) {
	s.firmware(0)
	s.proof(func() {
		s.asksFor("bootx64.efi", 1024, 2.2).says(2.21, rackAlias, node, 49200, 1024, sizeOnly)
		s.says(2.22, node, rackAlias, 1024, 49200, synth.TFTPError(5, "Unknown transfer ID"))
	}).tick(60)
}

// askedByBroadcast: the request goes to everybody, one answers.
func askedByBroadcast(s *story) {
	s.firmware(0)
	synth.TFTPTransfer(&s.Capture, secs(2.2), synth.TFTP{Client: node, Server: synth.Everyone, From: rack.Host, File: "bootx64.efi", Size: 5000})
	s.tick(60)
}

// tftpNotFound: the loader is not on the rack.
func tftpNotFound(s *story) {
	s.firmware(0)
	s.proof(func() { s.misses(2.2, "bootx64.efi", 1024) }).tick(60)
}

var pxelinuxNames = []string{"564d332d-8d33-5c80-1a7c-4be5538096e2", "01-d4-ae-52-00-00-57", "0A000039", "0A00003", "0A0000", "0A000", "0A00", "0A0", "0A", "0"}

// pxelinuxSearch: PXELINUX looks for ten files that are not there and loads
// the default.
func pxelinuxSearch(s *story) {
	s.firmware(0).loads(2.2, "bootx64.efi", 9000, 2070)
	for i, e := range pxelinuxNames {
		s.misses(2.5+0.03*float64(i), "pxelinux.cfg/"+e, uint16(3000+i))
	}
	s.loads(3, "pxelinux.cfg/default", 300, 3010).loads(4, "vmlinuz", 50000, 3011).tick(60)
}

// pxelinuxSearchProof is the same, shorter: each ERROR is a miss.
func pxelinuxSearchProof(s *story) {
	s.firmware(0).loads(2.2, "bootx64.efi", 9000, 2070)
	for i, e := range pxelinuxNames {
		s.misses(2.5+0.03*float64(i), "pxelinux.cfg/"+e, uint16(3000+i)).names(len(s.Packets)) // the ERROR
	}
	s.loads(3, "pxelinux.cfg/default", 300, 3010).tick(60)
}

// grubOptional: shim and GRUB look for files that may be there.
func grubOptional(s *story) {
	s.firmware(0).loads(2.2, "bootx64.efi", 9000, 1170).misses(2.4, "revocations.efi", 1024)
	s.loads(2.5, "grubx64.efi", 20000, 1171).misses(2.7, "/grub/x86_64-efi/command.lst", 1025).misses(2.8, "/grub/x86_64-efi/fs.lst", 1026)
	s.loads(3, "grub/grub.cfg", 300, 1172).tick(60)
}

// tftpDenied: the server may not read the file.
func tftpDenied(s *story) {
	s.firmware(0)
	s.proof(func() { s.asksFor("bootx64.efi", 1024, 2.2).serves(2.21, 1024, synth.TFTPError(2, "Access violation")) }).tick(60)
}

// sizeProbe: edk2 asks for the size, breaks off, and fetches the file.
func sizeProbe(s *story) { sizeProbeOf(false)(s) }

func sizeProbeOf(proof bool) func(*story) {
	return func(s *story) {
		s.firmware(0).probesSize(2.2, "bootx64.efi", 1024)
		n := len(s.Packets)
		s.loads(2.3, "bootx64.efi", 9000, 1025)
		if proof {
			s.names(n-2, n, n+1) // the request, the client's ERROR, the next request
		}
		s.tick(60)
	}
}

// closesFile: PXELINUX has seen enough of a file.
func closesFile(s *story) {
	s.firmware(0).asksFor("bootx64.efi", 1024, 2.2).serves(2.21, 1024, sizeOnly).replies(2.22, 1024, synth.TFTPAck(0))
	s.serves(2.23, 1024, synth.TFTPData(1, make([]byte, 1468))).replies(2.24, 1024, synth.TFTPAck(1))
	s.serves(2.25, 1024, synth.TFTPData(2, make([]byte, 1468))).replies(2.26, 1024, synth.TFTPError(0, "No error, file close")).tick(60)
}

// optionsRefused: the server knows no options; the client asks without.
func optionsRefused(s *story) {
	s.firmware(0).asksFor("bootx64.efi", 1024, 2.2).serves(2.21, 1024, synth.TFTPError(8, "no options"))
	synth.TFTPTransfer(&s.Capture, secs(2.3), synth.TFTP{Client: node, Server: rack.Host, ClientPort: 1025, File: "bootx64.efi", Size: 3000})
	s.tick(60)
}

// optionsRefusedForGood: the client refuses the block size and stops there.
func optionsRefusedForGood(s *story) {
	s.firmware(0).asksFor("bootx64.efi", 1024, 2.2).serves(2.21, 1024, sizeOnly).replies(2.22, 1024, synth.TFTPError(8, "bad blksize")).tick(60)
}

// tftpGarbage: firmware reads option 67 past its end; the 0xff is the END
// option that follows it.
func tftpGarbage(s *story) {
	s.firmware(0)
	s.proof(func() { s.misses(2.2, "bootx64.efi\xff", 1024) }).tick(60)
}

// tftpStalled: the OACK never arrives: a firewall lets the request in and not
// the answer out, whose port is new.
func tftpStalled(s *story) {
	s.firmware(0)
	s.proof(func() {
		s.asksFor("bootx64.efi", 1024, 2.2)
		for _, x := range []float64{2.21, 4.21, 6.21} {
			s.serves(x, 1024, sizeOnly)
		}
	})
	s.tick(60)
}

// noLastACK: the client jumps into the image at once.
func noLastACK(s *story) {
	s.firmware(0)
	synth.TFTPTransfer(&s.Capture, secs(2.2), synth.TFTP{Client: node, Server: rack.Host, File: "bootx64.efi", Size: 9000, NoLastACK: true})
	s.serves(3.3, 2070, synth.TFTPData(18, make([]byte, 9000%512))).tick(60)
}

// big is an image of 65540 blocks of 8 bytes.
func big() synth.TFTP {
	return synth.TFTP{Client: node, Server: rack.Host, File: "boot.img", Size: 65540 * 8, Options: []string{"blksize", "8"}}
}

// tftpRunsOut: the transfer ends for ever with block 65535.
func tftpRunsOut(s *story) {
	x := big()
	x.StopAfter = 65535
	n := len(s.Packets)
	synth.TFTPTransfer(&s.Capture, 0, x)
	// The request, the answer and where it stopped.
	for _, i := range []int{n, n + 1, len(s.Packets) - 2, len(s.Packets) - 1} {
		s.evidence[&s.Packets[i].Data[0]] = true
	}
	s.tick(200)
}

// rollsOver: both sides count on.
func rollsOver(s *story, to int) {
	x := big()
	x.RollTo = to
	synth.TFTPTransfer(&s.Capture, 0, x)
	s.tick(200)
}
