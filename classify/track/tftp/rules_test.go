package tftp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tftp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

var (
	node   = synth.NewHost("52:54:00:12:34:56", "10.0.0.57")
	server = synth.NewHost("52:54:00:aa:00:02", "10.0.0.2")
	second = synth.NewHost("52:54:00:aa:00:02", "10.0.0.9") // another address of the server
	router = synth.NewHost("52:54:00:aa:00:01", "10.0.0.1")
	other  = synth.NewHost("52:54:00:12:34:99", "10.0.0.99")
)

func sec(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// a scene is a capture being written, with an IP id for each datagram.
type scene struct {
	synth.Capture
	id uint16
}

func (s *scene) send(at float64, src, dst synth.Host, sport, dport uint16, msg []byte) *scene {
	s.id++
	s.Add(sec(at), synth.IP{ID: s.id}.UDP(src, dst, sport, dport, msg))
	return s
}

// ask adds read requests of the node at times.
func (s *scene) ask(file string, port uint16, at ...float64) *scene {
	for _, a := range at {
		s.send(a, node, server, port, 69, synth.TFTPRead(file, "octet", "tsize", "0", "blksize", "1468"))
	}
	return s
}

// answer adds messages from the server's port 49200 to the node.
func (s *scene) answer(port uint16, msg []byte, at ...float64) *scene {
	for _, a := range at {
		s.send(a, server, node, 49200, port, msg)
	}
	return s
}

// client adds messages from the node to the server's port 49200.
func (s *scene) client(port uint16, msg []byte, at ...float64) *scene {
	for _, a := range at {
		s.send(a, node, server, port, 49200, msg)
	}
	return s
}

// get adds a whole transfer.
func (s *scene) get(at float64, x synth.TFTP) *scene {
	if x.Client == (synth.Host{}) {
		x.Client = node
	}
	if x.Server == (synth.Host{}) {
		x.Server = server
	}
	synth.TFTPTransfer(&s.Capture, sec(at), x)
	return s
}

// beat lets the capture go on: some other traffic at a time.
func (s *scene) beat(at float64) *scene {
	s.Add(sec(at), synth.ARP(1, other, router))
	return s
}

func run(t *testing.T, c *synth.Capture) *tracktest.Result {
	t.Helper()
	return tracktest.Run(t, c, nil, tftp.Spec)
}

// said is what a result says: "severity rule", sorted.
func said(r *tracktest.Result) []string {
	s := []string{}
	for _, f := range r.Findings {
		s = append(s, f.Severity.String()+" "+f.Rule.ID)
	}
	slices.Sort(s)
	return s
}

func fact(f *finding.Finding, key string) any {
	for _, x := range f.Facts {
		if x.Key == key {
			return x.Value
		}
	}
	return nil
}

func data(n uint16, size int) []byte { return synth.TFTPData(n, make([]byte, size)) }

// edk2 is UEFI firmware's transfer: window of 4, 1468-byte blocks.
func edk2(file string, size int) synth.TFTP {
	return synth.TFTP{File: file, Size: size, Options: []string{"tsize", "0", "blksize", "1468", "windowsize", "4"}}
}

var oack = synth.TFTPOack("tsize", "934000", "blksize", "1468")

// probe is edk2's question for the size.
func (s *scene) probe(at float64, file string, port uint16, code uint16, text string) *scene {
	return s.ask(file, port, at).answer(port, oack, at+.001).client(port, synth.TFTPError(code, text), at+.002)
}

// miss is a request and the answer that the file is not there.
func (s *scene) miss(at float64, file string, port uint16) *scene {
	return s.ask(file, port, at).answer(port, synth.TFTPError(1, "file not found"), at+.001)
}

// TestRules has, for each rule, what fires it, what looks alike and does not,
// and what a poor capture leaves of it.
func TestRules(t *testing.T) {
	scene := func() *scene { return &scene{} }
	quiet := []string{}
	for _, c := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		// tftp-no-answer
		{"no answer: one request is a note", &scene().ask("boot.efi", 1024, 0).beat(7).Capture, []string{"note tftp-no-answer"}},
		{"no answer: two are a warning", &scene().ask("boot.efi", 1024, 0, 4).beat(11).Capture, []string{"warning tftp-no-answer"}},
		{"no answer: four are an error", &scene().ask("boot.efi", 1024, 0, 4, 8, 12).beat(19).Capture, []string{"error tftp-no-answer"}},
		{"no answer: over 15 s is an error", &scene().ask("boot.efi", 1024, 0, 8, 16).beat(23).Capture, []string{"error tftp-no-answer"}},
		{"no answer: iPXE's series, cut at its end", &scene().ask("boot.efi", 1024, 0, .25, .75, 1.75, 3.75, 7.75).beat(10).Capture, []string{"error tftp-no-answer"}},
		{"no answer: a write", &scene().send(0, node, server, 1024, 69, synth.TFTPWrite("dump", "octet")).send(4, node, server, 1024, 69, synth.TFTPWrite("dump", "octet")).beat(11).Capture, []string{"warning tftp-no-answer"}},
		{"no answer: answered in grace", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 1000, Step: 5 * time.Second}).beat(40).Capture, quiet},
		{"no answer: open at the end", &scene().ask("boot.efi", 1024, 0).beat(5.9).Capture, quiet},
		{"no answer: a late answer takes it back", &scene().ask("boot.efi", 1024, 0, 4).beat(11).answer(1024, data(1, 100), 12).client(1024, synth.TFTPAck(1), 12.1).beat(30).Capture, quiet},
		{"no answer: SPAN copies are one request", scene().ask("boot.efi", 1024, 0).beat(7).Doubled(), []string{"note tftp-no-answer"}},
		{"no answer: the client goes on to other files", &scene().ask("pxelinux.0", 1024, 0, .03).ask("pxelinux.cfg/C0A8", 1025, .1).ask("pxelinux.cfg/default", 1026, .2).ask("vmlinuz", 1027, 9).Capture, quiet},
		{"no answer: another file after giving up is no excuse", &scene().ask("a.efi", 1024, 0, 4, 8, 12).ask("b.efi", 1025, 24).beat(25).Capture, []string{"error tftp-no-answer"}},
		{"no answer: only the client is in the capture", scene().get(0, edk2("boot.efi", 50000)).beat(30).OneWay(server.MAC), quiet},
		{"no answer: tagged", scene().ask("boot.efi", 1024, 0, 4).beat(11).Tagged(120), []string{"warning tftp-no-answer"}},
		{"no answer: snap length 96", scene().ask("boot.efi", 1024, 0, 4).beat(11).Snapped(96), []string{"warning tftp-no-answer"}},
		{"no answer: starts late", scene().ask("boot.efi", 1024, 0, 4, 8, 12).beat(19).From(9 * time.Second), []string{"note tftp-no-answer"}},
		{"no answer: ends early", scene().ask("boot.efi", 1024, 0, 4, 8, 12).beat(19).Until(sec(5.9)), quiet},

		// tftp-reply-wrong-source
		{"wrong source: the client ignores it", &scene().ask("boot.efi", 1024, 0, 4).send(.1, second, node, 49200, 1024, oack).send(4.1, second, node, 49201, 1024, oack).beat(11).Capture, []string{"error tftp-reply-wrong-source"}},
		{"wrong source: ERROR 5", &scene().ask("boot.efi", 1024, 0).send(.1, second, node, 49200, 1024, oack).send(.2, node, second, 1024, 49200, synth.TFTPError(5, "Unknown transfer ID")).Capture, []string{"error tftp-reply-wrong-source"}},
		{"wrong source: the client takes it", &scene().get(0, synth.TFTP{From: second, File: "boot.efi", Size: 5000, Options: []string{"blksize", "1468"}}).beat(20).Capture, []string{"note tftp-reply-wrong-source"}},
		{"wrong source: a retry is answered by the server", &scene().ask("boot.efi", 2070, 0).send(.1, second, node, 49200, 2070, oack).send(.2, node, second, 2070, 49200, synth.TFTPError(5, "")).get(4, edk2("boot.efi", 5000)).beat(20).Capture, []string{"note tftp-reply-wrong-source"}},
		{"wrong source: refused, asked again and cut", &scene().ask("boot.efi", 2070, 0).send(.1, second, node, 49200, 2070, oack).send(.2, node, second, 2070, 49200, synth.TFTPError(5, "")).ask("boot.efi", 2070, 4).Capture, []string{"error tftp-reply-wrong-source"}},
		{"wrong source: open at the end", &scene().ask("boot.efi", 1024, 0).send(.1, second, node, 49200, 1024, oack).beat(5).Capture, quiet},
		{"wrong source: asked by broadcast", &scene().get(0, synth.TFTP{Server: synth.Everyone, From: server, File: "boot.efi", Size: 5000}).beat(20).Capture, quiet},
		{"wrong source: stray packet of another host", &scene().get(0, edk2("boot.efi", 50000)).send(.002, other, node, 5000, 2070, data(77, 100)).beat(20).Capture, quiet},
		{"wrong source: copies", scene().ask("boot.efi", 1024, 0).send(.1, second, node, 49200, 1024, oack).beat(7).Doubled(), []string{"error tftp-reply-wrong-source"}},

		// tftp-file-not-found and search-list-miss
		{"not found: loader", &scene().miss(0, "bootx64.efi", 1024).beat(11).Capture, []string{"error tftp-file-not-found"}},
		{"not found: kernel, the end of the capture is no excuse", &scene().get(0, edk2("pxelinux.0", 9000)).miss(1, "vmlinuz", 1025).Capture, []string{"error tftp-file-not-found"}},
		{"not found: told by ERROR 0", &scene().ask("bootx64.efi", 1024, 0).answer(1024, synth.TFTPError(0, "No such file"), .1).beat(11).Capture, []string{"error tftp-file-not-found"}},
		{"not found: the first file, of any name", &scene().miss(0, "a8:a1:59/2", 1024).beat(11).Capture, []string{"error tftp-file-not-found"}},
		{"not found: a trifle", &scene().get(0, edk2("pxelinux.0", 9000)).miss(1, "boot.msg", 1025).beat(12).Capture, []string{"note tftp-file-not-found"}},
		{"not found: a retry works", &scene().miss(0, "bootx64.efi", 1024).get(5, edk2("bootx64.efi", 9000)).beat(30).Capture, quiet},
		{"not found: an alternative works", &scene().miss(0, "EFI/bootx64.efi", 1024).get(1, edk2("bootx64.efi", 9000)).beat(30).Capture, []string{"ok search-list-miss"}},
		{"not found: asked for over and over", &scene().miss(0, "bootx64.efi", 1024).miss(3, "bootx64.efi", 1025).miss(6, "bootx64.efi", 1026).miss(9, "bootx64.efi", 1027).beat(10.1).Capture, []string{"error tftp-file-not-found"}},
		{"not found: a kernel is no substitute for a ramdisk", &scene().miss(0, "initrd.img", 1024).get(1, edk2("vmlinuz", 9000)).beat(30).Capture, []string{"error tftp-file-not-found"}},
		{"not found: SPAN copies", scene().miss(0, "bootx64.efi", 1024).beat(11).Doubled(), []string{"error tftp-file-not-found"}},
		{"not found: snap length 96", scene().miss(0, "bootx64.efi", 1024).beat(11).Snapped(96), []string{"error tftp-file-not-found"}},
		{"search: PXELINUX finds the default", &pxelinux(scene(), true).Capture, []string{"ok search-list-miss"}},
		{"search: PXELINUX finds nothing", &pxelinux(scene(), false).beat(20).Capture, []string{"error tftp-file-not-found"}},
		{"search: PXELINUX finds nothing, cut there", &pxelinux(scene(), false).Capture, []string{"error tftp-file-not-found"}},
		{"search: PXELINUX, cut before the last", pxelinux(scene(), false).Until(sec(.35)), []string{"ok search-list-miss"}},
		{"search: PXELINUX is refused everything", &scene().ask("pxelinux.cfg/C0", 1024, 0).answer(1024, synth.TFTPError(2, "forbidden"), .1).ask("pxelinux.cfg/default", 1025, .2).answer(1025, synth.TFTPError(2, "forbidden"), .3).beat(20).Capture, []string{"error tftp-error"}},
		{"search: PXELINUX, over and over", &pxelinux(pxelinux(scene(), false), false).Capture, []string{"error tftp-file-not-found"}},
		{"search: MAAS's GRUB", &scene().miss(0, "grub/grub.cfg-52:54:00:12:34:56", 1024).get(.1, synth.TFTP{File: "grub/grub.cfg-default-amd64", Size: 300}).beat(20).Capture, []string{"ok search-list-miss"}},
		{"search: MAAS's GRUB fails after grub.cfg", &scene().get(0, synth.TFTP{File: "grub/grub.cfg", Size: 300}).miss(.1, "grub/grub.cfg-52:54:00:12:34:56", 1024).miss(.2, "grub/grub.cfg-default-amd64", 1025).beat(20).Capture, []string{"error tftp-file-not-found"}},
		{"search: iPXE chain", &scene().miss(0, "ipxe.cfg-52:54:00:12:34:56", 1024).get(.1, synth.TFTP{File: "ipxe.cfg-default-amd64", Size: 300}).beat(20).Capture, []string{"ok search-list-miss"}},
		{"search: GRUB 2.12 where it was loaded from, then in its prefix", &scene().miss(0, "/grub.cfg-01-52-54-00-12-34-56", 1024).miss(.1, "/grub.cfg", 1025).miss(.2, "/grub/grub.cfg-01-52-54-00-12-34-56", 1026).get(.3, synth.TFTP{File: "/grub/grub.cfg", Size: 300}).beat(20).Capture, []string{"ok search-list-miss"}},
		{"search: GRUB 2.12 finds it nowhere", &scene().miss(0, "/grub.cfg-0A", 1024).miss(.1, "/grub.cfg", 1025).miss(.2, "/grub/grub.cfg-0A", 1026).miss(.3, "/grub/grub.cfg", 1027).beat(20).Capture, []string{"error tftp-file-not-found"}},
		{"search: GRUB's lists and shim's revocations", &scene().get(0, edk2("shimx64.efi", 9000)).miss(.1, "revocations.efi", 1024).miss(.2, "/grub/x86_64-efi/command.lst", 1025).miss(.3, "/grub/x86_64-efi/fs.lst", 1026).beat(20).Capture, []string{"ok search-list-miss", "ok search-list-miss"}},

		// tftp-error
		{"error: access violation", &scene().ask("boot.efi", 1024, 0).answer(1024, synth.TFTPError(2, "Access violation"), .1).beat(11).Capture, []string{"error tftp-error"}},
		{"error: at the end of the capture", &scene().ask("boot.efi", 1024, 0).answer(1024, synth.TFTPError(0, "Internal error"), .1).Capture, []string{"error tftp-error"}},
		{"error: a write without room", &scene().send(0, node, server, 1024, 69, synth.TFTPWrite("dump", "octet")).answer(1024, synth.TFTPError(3, "Disk full"), .1).beat(11).Capture, []string{"error tftp-error"}},
		{"error: the client has no room", &scene().ask("boot.efi", 1024, 0).answer(1024, oack, .1).client(1024, synth.TFTPAck(0), .2).answer(1024, data(1, 1468), .3).client(1024, synth.TFTPError(3, "too big"), .4).beat(11).Capture, []string{"error tftp-error"}},
		{"error: in the middle, on each try", &midError(scene(), 0, 3, 6, 9).beat(10.2).Capture, []string{"error tftp-error"}},
		{"error: in the middle, then a try works", &midError(scene(), 0, 3).get(6, edk2("boot.efi", 5000)).beat(20).Capture, quiet},
		{"error: options refused by the client", &scene().probe(0, "boot.efi", 1024, 8, "bad blksize").beat(7).Capture, []string{"error tftp-error"}},
		{"error: options refused by the server, without them it works", &scene().ask("boot.efi", 1024, 0).answer(1024, synth.TFTPError(8, "no options"), .1).get(.2, synth.TFTP{File: "boot.efi", Size: 3000, ClientPort: 1025}).beat(20).Capture, quiet},
		{"error: judged, then the client asks again and gets it", &scene().probe(0, "boot.efi", 1024, 8, "User aborted the transfer").beat(6).get(9, edk2("boot.efi", 5000)).beat(20).Capture, quiet},
		{"error: the server refuses, much later it does not", &scene().ask("boot.efi", 1024, 0).answer(1024, synth.TFTPError(2, "Access violation"), .1).beat(11).get(12, edk2("boot.efi", 5000)).beat(30).Capture, quiet},
		{"error: iPXE only wanted the size", &scene().probe(0, "boot.efi", 1024, 0, "TFTP Aborted").beat(20).Capture, quiet},
		{"error: options refused, cut before the retry", &scene().probe(0, "boot.efi", 1024, 8, "User aborted the transfer").beat(3).Capture, quiet},
		{"error: the client went on to another file", &scene().probe(0, "boot.efi", 1024, 8, "User aborted the transfer").get(1, edk2("other.efi", 5000)).beat(20).Capture, quiet},
		{"error: ERROR 5 to the answer of a repeated request", &scene().ask("boot.efi", 1024, 0, .25).answer(1024, data(1, 100), .3).send(.31, server, node, 49201, 1024, data(1, 100)).client(1024, synth.TFTPAck(1), .32).send(.33, node, server, 1024, 49201, synth.TFTPError(5, "Unknown transfer ID")).beat(20).Capture, quiet},
		{"error: PXELINUX closes a file", &scene().ask("boot.efi", 1024, 0).answer(1024, data(1, 512), .1).client(1024, synth.TFTPAck(1), .2).answer(1024, data(2, 512), .3).client(1024, synth.TFTPError(0, "No error, file close"), .4).beat(20).Capture, quiet},
		{"error: snap length 96", scene().ask("boot.efi", 1024, 0).answer(1024, synth.TFTPError(2, strings.Repeat("no", 60)), .1).beat(11).Snapped(96), []string{"error tftp-error"}},

		// tftp-size-probe
		{"size probe: edk2", &scene().probe(0, "boot.efi", 1024, 8, "User aborted the transfer").get(.1, edk2("boot.efi", 9000)).beat(20).Capture, []string{"ok tftp-size-probe"}},
		{"size probe: iPXE", &scene().probe(0, "boot.efi", 1024, 0, "TFTP Aborted").get(.1, edk2("boot.efi", 9000)).beat(20).Capture, []string{"ok tftp-size-probe"}},
		{"size probe: too late to be one", &scene().probe(0, "boot.efi", 1024, 0, "TFTP Aborted").get(6, edk2("boot.efi", 9000)).beat(20).Capture, quiet},
		{"size probe: SPAN copies", scene().probe(0, "boot.efi", 1024, 8, "User aborted the transfer").get(.1, edk2("boot.efi", 9000)).beat(20).Doubled(), []string{"ok tftp-size-probe"}},

		// tftp-name-garbage
		{"garbage: trailing 0xff", &scene().miss(0, "pxelinux.0\xff", 1024).beat(11).Capture, []string{"error tftp-name-garbage"}},
		{"garbage: trailing 0xff, no answer", &scene().ask("pxelinux.0\xff", 1024, 0).beat(3).Capture, []string{"warning tftp-name-garbage"}},
		{"garbage: junk behind the loader", &scene().get(0, edk2("shimx64.efi", 9000)).miss(1, "shimx64.efiOnboard", 1024).beat(12).Capture, []string{"error tftp-name-garbage"}},
		{"garbage: UTF-8 is fine", &scene().get(0, edk2("größe/ブート.efi", 9000)).beat(12).Capture, quiet},
		{"garbage: the server has such a file", &scene().get(0, edk2("kaf\xe9.efi", 9000)).beat(12).Capture, quiet},
		{"garbage: a cut name is no garbage", scene().ask(strings.Repeat("d/", 40)+"größe", 1024, 0).beat(3).Snapped(96), quiet},

		// tftp-stalled
		{"stalled: OACK never acknowledged", &scene().ask("boot.efi", 1024, 0).answer(1024, oack, .01, 2, 4, 7, 10).beat(10.1).Capture, []string{"error tftp-stalled"}},
		{"stalled: cut after the second OACK", scene().ask("boot.efi", 1024, 0).answer(1024, oack, .01, 2, 4, 7, 10).Until(sec(3.9)), quiet},
		{"stalled: cut after the third OACK", scene().ask("boot.efi", 1024, 0).answer(1024, oack, .01, 2, 4, 7, 10).Until(sec(4)), []string{"error tftp-stalled"}},
		{"stalled: OACK to a new port each time", &scene().ask("boot.efi", 2070, 0).answer(2070, oack, .01).ask("boot.efi", 2071, 2).answer(2071, oack, 2.01).ask("boot.efi", 2072, 6).answer(2072, oack, 6.01).Capture, []string{"error tftp-stalled"}},
		{"stalled: SPAN copies of two OACKs", scene().ask("boot.efi", 1024, 0).answer(1024, oack, .01, 2).beat(3.9).Doubled(), quiet},
		{"stalled: impatient requests answered in one bunch", &scene().ask("boot.efi", 1024, 0, .25, .75).send(.9, server, node, 49200, 1024, oack).send(.901, server, node, 49201, 1024, oack).send(.902, server, node, 49202, 1024, oack).client(1024, synth.TFTPAck(0), .903).answer(1024, data(1, 100), .904).client(1024, synth.TFTPAck(1), .905).beat(20).Capture, quiet},
		{"stalled: OACK acknowledged after all", &scene().ask("boot.efi", 1024, 0).answer(1024, oack, .01, 2, 4).beat(6).answer(1024, oack, 7).client(1024, synth.TFTPAck(0), 7.1).answer(1024, data(1, 10), 7.2).client(1024, synth.TFTPAck(1), 7.3).beat(20).Capture, quiet},
		{"stalled: only the server's half after the request", &scene().ask("boot.efi", 1024, 0).answer(1024, data(1, 512), .1).answer(1024, data(2, 512), .2).answer(1024, data(3, 10), .3).beat(20).Capture, quiet},
		{"stalled: the server repeats the last block and gives up with an ERROR", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 1000, NoLastACK: true}).answer(2070, synth.TFTPError(0, "timeout"), 3).beat(20).Capture, quiet},
		{"stalled: the client closes the file in the place of the last ACK", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 1000, NoLastACK: true}).client(2070, synth.TFTPError(0, "closed"), 1).beat(20).Capture, quiet},
		{"stalled: the same file at once again, without the last ACK", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 1000, NoLastACK: true}).get(.1, synth.TFTP{File: "boot.efi", Size: 1000, ClientPort: 2071}).beat(20).Capture, quiet},
		{"stalled: DATA lost again and again", &scene().get(0, lossy("boot.efi", map[int]int{5: 9})).Capture, quiet},
		{"stalled: DATA lost for good", scene().get(0, lossy("boot.efi", map[int]int{5: 9})).Until(sec(8)), []string{"error tftp-stalled"}},
		{"stalled: one retransmission is none", scene().get(0, lossy("boot.efi", map[int]int{5: 1})).Until(sec(1.002)), quiet},
		{"stalled: server falls silent", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5}).beat(6).Capture, []string{"error tftp-stalled"}},
		{"stalled: server falls silent, open at the end", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5}).beat(4.9).Capture, quiet},
		{"stalled: client asks for more, in vain", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5}).send(4, node, server, 2070, 49200, synth.TFTPAck(5)).send(8, node, server, 2070, 49200, synth.TFTPAck(5)).beat(8.1).Capture, []string{"error tftp-stalled"}},
		{"stalled: upload not acknowledged", scene().get(0, synth.TFTP{Write: true, File: "dump", Size: 9999, Lost: map[int]int{3: 9}}).Until(sec(8)), []string{"error tftp-stalled"}},
		{"stalled: and then it goes on", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 9999, Lost: map[int]int{3: 4}}).beat(20).Capture, quiet},
		{"stalled: and then a retry works", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5}).get(7, synth.TFTP{File: "boot.efi", Size: 99999, ClientPort: 2071}).beat(20).Capture, quiet},
		{"stalled: the last ACK is missing", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 9999, NoLastACK: true}).beat(20).Capture, quiet},
		{"stalled: the last DATA is repeated to a client that runs it", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 1000, NoLastACK: true}).answer(2070, data(2, 488), 2, 4, 7, 10).beat(20).Capture, quiet},
		{"stalled: a one-block file is repeated to a client that never reacts", &scene().get(0, synth.TFTP{File: "boot.cfg", Size: 100, NoLastACK: true}).answer(2070, data(1, 100), 2, 4, 7, 10).beat(20).Capture, []string{"error tftp-stalled"}},
		{"stalled: the client leaves a file for another", &scene().get(0, synth.TFTP{File: "splash.png", Size: 99999, StopAfter: 5}).answer(2070, data(6, 512), 1, 3, 6).get(.5, synth.TFTP{File: "menu.cfg", Size: 100, ClientPort: 2071}).beat(20).Capture, quiet},
		{"stalled: a silent question for the size, then another file", &scene().ask("boot.efi", 1024, 0).answer(1024, oack, .01).get(1, edk2("menu.c32", 9000)).beat(20).Capture, quiet},
		{"stalled: menu between files", &scene().get(0, edk2("menu.c32", 9000)).get(60, edk2("vmlinuz", 9000)).beat(100).Capture, quiet},
		{"stalled: windows are no loss", &scene().get(0, edk2("boot.efi", 200000)).beat(20).Capture, quiet},
		{"stalled: goes on by multicast", &scene().ask("boot.efi", 1024, 0).answer(1024, synth.TFTPOack("multicast", "224.1.1.1,1758,1"), .1).client(1024, synth.TFTPAck(0), .2).beat(20).Capture, quiet},
		{"stalled: starts in the middle", scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 50}).beat(20).From(sec(.01)), quiet},
		{"stalled: only the client is in the capture", scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 50}).beat(20).OneWay(server.MAC), quiet},
		{"stalled: started over three times", &scene().get(0, partial(2070)).get(1, partial(2071)).get(2, partial(2072)).get(3, partial(2073)).Capture, []string{"warning tftp-stalled"}},
		{"stalled: started over twice", &scene().get(0, partial(2070)).get(1, partial(2071)).get(2, partial(2072)).Capture, quiet},
		{"stalled: snap length 96", scene().get(0, lossy("boot.efi", map[int]int{5: 9})).Snapped(96).Until(sec(8)), []string{"error tftp-stalled"}},
		{"stalled: fragments never complete", firstFragments(scene()), []string{"error tftp-stalled"}},
		{"fragments that come complete", wholeFragments(scene()), quiet},
		{"Sorcerer's Apprentice", &scene().get(0, synth.TFTP{File: "boot.efi", Size: 9999, Twice: true}).beat(20).Capture, []string{"note tftp-stalled"}},
		{"SPAN copies are no apprentice", scene().get(0, synth.TFTP{File: "boot.efi", Size: 99999}).beat(20).Doubled(), quiet},

		// tftp-size-limit
		{"size limit: DATA 0 is not understood", scene().get(0, huge(65536, 0)).Until(sec(75)), []string{"error tftp-size-limit"}},
		{"size limit: silence after 65535", &scene().get(0, hugeStop(65535)).beat(100).Capture, []string{"error tftp-size-limit"}},
		{"size limit: started over", &scene().get(0, hugeStop(65535)).get(66, hugeStop(10)).Capture, []string{"error tftp-size-limit"}},
		{"size limit: given up by the client", &scene().get(0, hugeStop(65535)).client(2070, synth.TFTPError(0, "bad block"), 67).Capture, []string{"error tftp-size-limit"}},
		{"size limit: given up by the server", &scene().get(0, hugeStop(65535)).answer(2070, synth.TFTPError(0, "file too large"), 67).Capture, []string{"error tftp-size-limit"}},
		{"size limit: a lost block there is none", &scene().get(0, losing(huge(0, 0), 65534, 6)).beat(100).Capture, quiet},
		{"size limit: goes on with 0", &scene().get(0, huge(0, 0)).beat(100).Capture, quiet},
		{"size limit: goes on with 1", &scene().get(0, huge(0, 1)).beat(100).Capture, quiet},
		{"size limit: starts in the middle", scene().get(0, hugeStop(65535)).beat(100).From(sec(30)), quiet},
		{"size limit: stops elsewhere", &scene().get(0, hugeStop(65000)).beat(100).Capture, []string{"error tftp-stalled"}},

		// the ICMP side
		{"ICMP: nothing listens", nobody(scene(), server, 3, 3), []string{"error tftp-no-answer"}},
		{"ICMP: and then the daemon starts", nobody(scene(), server, 3, 3).Join(&scene().get(5, edk2("boot.efi", 5000)).Capture), quiet},
		{"ICMP: a router says so, in grace", nobody(scene(), router, 3, 1), quiet},
		{"ICMP: the client closed its port after the size", closedPort(scene()), quiet},
		{"ICMP: the client closed its port and asks again at the end", closedPort(scene()).Until(sec(1.101)), quiet},
		{"ICMP: the client closed its port and does not come back", closedPort(scene()).Until(sec(1.05)).Add(sec(20), synth.ARP(1, other, router)), []string{"note tftp-stalled"}},
		{"ICMP: the client refuses the other address", refusedPort(scene()), []string{"error tftp-reply-wrong-source"}},
		{"ICMP: about an old transfer", oldICMP(scene()), quiet},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, c.c.Join())
			if got := said(r); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for _, f := range r.Findings {
				t.Logf("%s", f.Summary)
				if f.Summary == "" || len(f.Frames) == 0 || !slices.IsSorted(f.Frames) || f.Node.MAC != node.MAC || f.First > f.Last {
					t.Errorf("finding without summary, frames in order, node or times: %+v", f)
				}
			}
		})
	}
}

func lossy(file string, lost map[int]int) synth.TFTP {
	return synth.TFTP{File: file, Size: 20 * 1468, Options: []string{"blksize", "1468"}, Lost: lost}
}

func partial(port uint16) synth.TFTP {
	return synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5, ClientPort: port}
}

// huge is a file of 65540 blocks of 8 bytes; lost is the block never
// understood.
func huge(lost, roll int) synth.TFTP {
	x := synth.TFTP{File: "big.img", Size: 65540 * 8, Options: []string{"blksize", "8"}, RollTo: roll}
	if lost > 0 {
		x.Lost = map[int]int{lost: 20}
	}
	return x
}

// losing is a transfer with one block lost some times.
func losing(x synth.TFTP, block, times int) synth.TFTP {
	x.Lost = map[int]int{block: times}
	return x
}

func hugeStop(after int) synth.TFTP {
	x := huge(0, 0)
	x.StopAfter = after
	return x
}

// pxelinux is a search that ends with the default, or in nothing.
func pxelinux(s *scene, found bool) *scene {
	s.get(0, edk2("pxelinux.0", 9000))
	at, port := .1, uint16(3000)
	for _, e := range []string{"564d332d-8d33-5c80-1a7c-4be5538096e2", "01-52-54-00-12-34-56", "0A000039", "0A00003", "0A0000", "0A000", "0A00", "0A0", "0A", "0"} {
		s.miss(at, "pxelinux.cfg/"+e, port)
		at += .03
		port++
	}
	if found {
		return s.get(at, synth.TFTP{File: "pxelinux.cfg/default", Size: 300}).beat(30)
	}
	return s.miss(at, "pxelinux.cfg/default", port)
}

// nobody is a request that someone answers with ICMP.
func nobody(s *scene, from synth.Host, typ, code uint8) *synth.Capture {
	req := synth.UDP(node, server, 1024, 69, synth.TFTPRead("boot.efi", "octet"))
	s.Add(0, req)
	s.Add(sec(.001), synth.ICMPError(from, node, typ, code, 0, req))
	return s.beat(1).Join()
}

// closedPort: the client closed its port after the size, and asks again.
func closedPort(s *scene) *synth.Capture {
	s.ask("boot.efi", 1024, 0).answer(1024, oack, .01)
	s.Add(sec(1.01), synth.UDP(server, node, 49200, 1024, oack))
	s.Add(sec(1.02), synth.ICMPError(node, server, 3, 3, 0, s.Packets[len(s.Packets)-1].Data))
	return s.get(1.1, edk2("boot.efi", 9000)).beat(20).Join()
}

// midError are tries that the server breaks off after the first block.
func midError(s *scene, times ...float64) *scene {
	for i, at := range times {
		p := uint16(3000 + i)
		s.ask("boot.efi", p, at).answer(p, data(1, 512), at+.01).client(p, synth.TFTPAck(1), at+.02).answer(p, synth.TFTPError(0, "read error"), at+.03)
	}
	return s
}

// refusedPort: the client does not want what comes from the other address.
func refusedPort(s *scene) *synth.Capture {
	s.ask("boot.efi", 1024, 0).send(.01, second, node, 49200, 1024, oack)
	s.Add(sec(.02), synth.ICMPError(node, second, 3, 3, 0, s.Packets[len(s.Packets)-1].Data))
	return s.Join()
}

// oldICMP: the server repeats the last block of a transfer that is over.
func oldICMP(s *scene) *synth.Capture {
	s.get(0, synth.TFTP{File: "boot.efi", Size: 1000, NoLastACK: true})
	last := synth.UDP(server, node, 49200, 2070, data(2, 488))
	s.Add(sec(2), last)
	s.Add(sec(2.01), synth.ICMPError(node, server, 3, 3, 0, last))
	return s.beat(20).Join()
}

// fragmented is a server that sends each DATA 1 in three fragments.
func fragmented(s *scene, keep int, times ...float64) *scene {
	s.send(0, node, server, 1024, 69, synth.TFTPRead("boot.efi", "octet", "blksize", "4096"))
	s.answer(1024, synth.TFTPOack("blksize", "4096"), .01).client(1024, synth.TFTPAck(0), .02)
	for i, at := range times {
		f := synth.IP{ID: uint16(7000 + i)}.UDP(server, node, 49200, 1024, data(1, 4096))
		for _, p := range synth.Fragments(f, 1500)[:keep] {
			s.Add(sec(at), p)
		}
	}
	return s
}

func firstFragments(s *scene) *synth.Capture {
	return fragmented(s, 1, .03, 2, 4, 6).beat(6.1).Join()
}

func wholeFragments(s *scene) *synth.Capture {
	return fragmented(s, 3, .03).client(1024, synth.TFTPAck(1), .04).answer(1024, data(2, 10), .05).client(1024, synth.TFTPAck(2), .06).beat(20).Join()
}

func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name    string
		c       *synth.Capture
		rule    string
		key     string
		want    any
		summary string
	}{
		{
			"a new source port each time", (&scene{}).ask("boot.efi", 2070, 0).ask("boot.efi", 2071, 2).ask("boot.efi", 2072, 6).ask("boot.efi", 2073, 12).ask("boot.efi", 2074, 20).beat(27).Join(),
			"tftp-no-answer", "ports", 5, `5 requests for "boot.efi" to 10.0.0.2, no reply, no ICMP`,
		},
		{"port unreachable", nobody(&scene{}, server, 3, 3), "tftp-no-answer", "icmp", "port-unreachable", `1 request for "boot.efi" to 10.0.0.2, ICMP port unreachable: nothing listens there`},
		{
			"a router's ICMP", (&scene{}).beat(7).Join(&synth.Capture{Packets: nobody(&scene{}, router, 3, 13).Packets}),
			"tftp-no-answer", "icmp", "administratively-prohibited from 10.0.0.1", `1 request for "boot.efi" to 10.0.0.2, no reply, ICMP administratively-prohibited from 10.0.0.1`,
		},
		{"OACK repeated", (&scene{}).ask("boot.efi", 1024, 0).answer(1024, oack, .01, 2, 4).Join(), "tftp-stalled", "direction", "client-never-reacts", `10.0.0.2 answered the request for "boot.efi" 3 times, the client never reacted`},
		{"DATA lost", (&scene{}).get(0, lossy("boot.efi", map[int]int{5: 9})).Until(sec(8)), "tftp-stalled", "direction", "data-lost", `"boot.efi" stops at block 5: 10.0.0.2 repeats it, the client repeats ACK 4`},
		{"ACK lost", (&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 9999, LostACK: map[int]int{5: 9}}).Until(sec(8)), "tftp-stalled", "direction", "ack-lost", `"boot.efi" stops at block 5: 10.0.0.2 repeats it although the client acknowledges it`},
		{"server silent", (&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5}).beat(6).Join(), "tftp-stalled", "direction", "server-silent", `"boot.efi" stops at block 5: no packet for 5s, it is the turn of 10.0.0.2`},
		{
			"client silent", (&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 99999, StopAfter: 5}).answer(2070, data(6, 512), .1, 2, 4).beat(6).Join(),
			"tftp-stalled", "direction", "client-silent", `"boot.efi" stops at block 6: the other side repeats itself, nothing comes from the client`,
		},
		{"upload, server silent", (&scene{}).get(0, synth.TFTP{Write: true, File: "dump", Size: 9999, Lost: map[int]int{3: 9}}).Until(sec(8)), "tftp-stalled", "direction", "data-lost", `"dump" stops at block 3: the client repeats it, 10.0.0.2 repeats ACK 2`},
		{"fragments", firstFragments(&scene{}), "tftp-stalled", "direction", "fragments-lost", `"boot.efi" stops after block 0: 3 fragmented DATA from 10.0.0.2 did not come complete`},
		{"sibling", (&scene{}).get(0, synth.TFTP{Client: other, File: "EFI/bootx64.efi", Size: 100}).miss(1, "bootx64.efi", 1024).beat(12).Join(), "tftp-file-not-found", "sibling", "EFI/bootx64.efi", `10.0.0.2 does not have "bootx64.efi" (ERROR 1 "file not found"); it does serve "EFI/bootx64.efi"`},
		{"search", pxelinux(&scene{}, true).Join(), "search-list-miss", "misses", 10, `10 misses in the search for the PXELINUX configuration on 10.0.0.2, then "pxelinux.cfg/default" was found: normal`},
		{"search in vain", pxelinux(&scene{}, false).Join(), "tftp-file-not-found", "misses", 11, `10.0.0.2 has none of the files that the search for the PXELINUX configuration asks for, the last one is "pxelinux.cfg/default": ERROR 1 "file not found"`},
		{"garbage", (&scene{}).miss(0, "p.0\xff", 1024).Join(), "tftp-name-garbage", "bytes", "70 2e 30 ff", `10.0.0.2 refuses "p.0\xff", a name with bytes that do not belong there`},
		{"size limit", (&scene{}).get(0, hugeStop(65535)).beat(100).Join(), "tftp-size-limit", "limit", int64(65535 * 8), `"big.img" stalled at block 65535 (512.0 KiB), where 16-bit block numbers run out`},
		{"wrong source", refusedPort(&scene{}), "tftp-reply-wrong-source", "answered_from", "10.0.0.9", `request for "boot.efi" to 10.0.0.2 was answered from 10.0.0.9: the client refuses it with ICMP port unreachable`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, c.c)
			f := r.Find(c.rule)
			if f == nil {
				t.Fatalf("got %v, want %s", r.IDs(), c.rule)
			}
			if got := fact(f, c.key); got != c.want {
				t.Errorf("%s: got %v, want %v", c.key, got, c.want)
			}
			if f.Summary != c.summary {
				t.Errorf("summary: got %s\nwant %s", f.Summary, c.summary)
			}
		})
	}
}

// TestExchanges holds one line per exchange, as the timeline gets it.
func TestExchanges(t *testing.T) {
	line := func(x track.Exchange) string {
		return fmt.Sprintf("%s %q %s tries %d frames %d bytes %d complete %v %s|%s", x.Op, x.Subject, x.Outcome, x.Tries, len(x.Frames), x.Bytes, x.Complete, x.Reason, x.Detail)
	}
	for _, c := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		{"complete", &(&scene{}).get(0, edk2("boot.efi", 100000)).Capture, []string{`RRQ "boot.efi" answered tries 1 frames 4 bytes 100000 complete true |97.7 KiB, blksize 1468, windowsize 4`}},
		{"complete after losses", &(&scene{}).get(0, lossy("boot.efi", map[int]int{5: 2})).Capture, []string{`RRQ "boot.efi" answered tries 1 frames 8 bytes 29360 complete true |28.7 KiB, blksize 1468, 2 retransmissions`}},
		{"the last ACK is missing", &(&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 1000, NoLastACK: true}).Capture, []string{`RRQ "boot.efi" answered tries 1 frames 4 bytes 1000 complete true |1000 B, blksize 512`}},
		{"upload", &(&scene{}).get(0, synth.TFTP{Write: true, File: "dump", Size: 1000}).Capture, []string{`WRQ "dump" answered tries 1 frames 4 bytes 1000 complete true |1000 B, blksize 512`}},
		{"server answers from port 69", &(&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 1000, ServerPort: 69}).Capture, []string{`RRQ "boot.efi" answered tries 1 frames 4 bytes 1000 complete true |1000 B, blksize 512`}},
		{"unanswered", &(&scene{}).ask("boot.efi", 1024, 0, 4).beat(11).Capture, []string{`RRQ "boot.efi" unanswered tries 2 frames 2 bytes 0 complete false |`}},
		{"open", &(&scene{}).ask("boot.efi", 1024, 0).beat(5).Capture, []string{`RRQ "boot.efi" open tries 1 frames 1 bytes 0 complete false |`}},
		{"refused", &(&scene{}).miss(0, "boot.efi", 1024).Capture, []string{`RRQ "boot.efi" refused tries 1 frames 2 bytes 0 complete false ERROR 1 "file not found"|`}},
		{"refused by ICMP", nobody(&scene{}, server, 3, 3), []string{`RRQ "boot.efi" refused tries 1 frames 2 bytes 0 complete false ICMP port unreachable|`}},
		{"running at the end", &(&scene{}).get(0, partial(2070)).Capture, []string{`RRQ "boot.efi" answered tries 1 frames 4 bytes 2560 complete false |2.5 KiB, blksize 512, running when the capture ended`}},
		{"size probe, then the file", &(&scene{}).probe(0, "boot.efi", 1024, 8, "User aborted the transfer").get(.1, edk2("boot.efi", 1000)).Capture, []string{
			`RRQ "boot.efi" answered tries 1 frames 3 bytes 0 complete false |size 912.1 KiB, broken off by the client: ERROR 8 "User aborted the transfer"`,
			`RRQ "boot.efi" answered tries 1 frames 4 bytes 1000 complete true |1000 B, blksize 1468, windowsize 4`,
		}},
		{"stalled, then it goes on", &(&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 9999, Lost: map[int]int{3: 4}}).Capture, []string{
			`RRQ "boot.efi" answered tries 1 frames 7 bytes 1536 complete false |1.5 KiB, blksize 512, 2 retransmissions, stalled at block 3`,
			`RRQ "boot.efi" answered tries 1 frames 12 bytes 9999 complete true |9.8 KiB, blksize 512, 4 retransmissions`,
		}},
		{"the port is used again at once", &(&scene{}).get(0, synth.TFTP{File: "a", Size: 100}).get(.01, synth.TFTP{File: "b", Size: 600}).Capture, []string{
			`RRQ "a" answered tries 1 frames 3 bytes 100 complete true |100 B, blksize 512`,
			`RRQ "b" answered tries 1 frames 4 bytes 600 complete true |600 B, blksize 512`,
		}},
		{"the port is used again in the middle", &(&scene{}).get(0, partial(2070)).get(1, synth.TFTP{File: "b", Size: 600}).Capture, []string{
			`RRQ "boot.efi" answered tries 1 frames 4 bytes 2560 complete false |2.5 KiB, blksize 512, the client went on to another file`,
			`RRQ "b" answered tries 1 frames 4 bytes 600 complete true |600 B, blksize 512`,
		}},
		{"slow", &(&scene{}).get(0, synth.TFTP{File: "boot.efi", Size: 99 * 512, Step: 200 * time.Millisecond}).Capture, []string{`RRQ "boot.efi" answered tries 1 frames 4 bytes 50688 complete true |49.5 KiB, blksize 512, 400ms per block`}},
		{"size reached without a short block", (&scene{}).get(0, synth.TFTP{File: "a.txt", Size: 1536, Options: []string{"tsize", "0"}}).Until(sec(.0035)), []string{`RRQ "a.txt" answered tries 1 frames 4 bytes 1536 complete true |1.5 KiB, blksize 512`}},
		{"netascii has no size to reach", (&scene{}).get(0, synth.TFTP{File: "a.txt", Mode: "netascii", Size: 1536, Options: []string{"tsize", "0"}}).Until(sec(.0035)), []string{`RRQ "a.txt" answered tries 1 frames 4 bytes 1536 complete false |1.5 KiB, blksize 512, running when the capture ended`}},
		{"copies", (&scene{}).get(0, edk2("boot.efi", 10000)).Doubled(), []string{`RRQ "boot.efi" answered tries 1 frames 4 bytes 10000 complete true |9.8 KiB, blksize 1468, windowsize 4`}},
		{"starts in the middle", (&scene{}).get(0, edk2("boot.efi", 10000)).From(sec(.0005)), []string{}},
		{"IPv6", &(&scene{}).get(0, synth.TFTP{Client: synth.NewHost("52:54:00:12:34:56", "2001:db8::57"), Server: synth.NewHost("52:54:00:aa:00:02", "2001:db8::2"), File: "a", Size: 100}).Capture, []string{`RRQ "a" answered tries 1 frames 3 bytes 100 complete true |100 B, blksize 512`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := []string{}
			for _, x := range run(t, c.c.Join()).Exchanges {
				got = append(got, line(x))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		c    *synth.Capture
		want track.TFTPCounts
	}{
		{"retries and copies are messages", (&scene{}).ask("a", 1024, 0, 4).Doubled(), track.TFTPCounts{RRQ: 4, Unanswered: 1}},
		{"a new port is a new request", (&scene{}).ask("a", 1024, 0).ask("a", 1025, 4).Join(), track.TFTPCounts{RRQ: 2, Unanswered: 2}},
		{"names to the letter", (&scene{}).ask("a", 1024, 0).ask("A", 1024, 4).Join(), track.TFTPCounts{RRQ: 2, Unanswered: 2}},
		{"late answers count", (&scene{}).ask("a", 1024, 0).beat(20).answer(1024, oack, 60).Join(), track.TFTPCounts{RRQ: 1}},
		{"answers from elsewhere do not", (&scene{}).ask("a", 1024, 0).send(1, second, node, 49200, 1024, oack).Join(), track.TFTPCounts{RRQ: 1, Unanswered: 1}},
		{"any datagram of the server does", (&scene{}).ask("a", 1024, 0).answer(1024, []byte("?"), 1).Join(), track.TFTPCounts{RRQ: 1}},
		{"ICMP does not", nobody(&scene{}, server, 3, 3), track.TFTPCounts{RRQ: 1, Unanswered: 1}},
		{"errors by code", (&scene{}).miss(0, "a", 1024).miss(1, "b", 1025).probe(2, "c", 1026, 8, "").answer(1026, synth.TFTPError(999, ""), 3).Join(), track.TFTPCounts{RRQ: 3, Errors: map[string]uint64{"1": 2, "8": 1, "999": 1}}},
		{"an upload", (&scene{}).get(0, synth.TFTP{Write: true, File: "a", Size: 5}).Join(), track.TFTPCounts{WRQ: 1, Completed: 1}},
		{"the same transfer twice is one", (&scene{}).get(0, synth.TFTP{File: "a", Size: 5}).get(50, synth.TFTP{File: "a", Size: 5}).Join(), track.TFTPCounts{RRQ: 2, Completed: 1}},
		{"fragments complete", wholeFragments(&scene{}), track.TFTPCounts{RRQ: 1, Completed: 1}},
		{"no request, no transfer", (&scene{}).get(0, synth.TFTP{File: "a", Size: 9999}).From(sec(.0003)), track.TFTPCounts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.c).Counts.TFTP
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestExpectations: the client's port is announced at once, and again while
// the transfer runs.
func TestExpectations(t *testing.T) {
	s := &scene{}
	s.get(0, synth.TFTP{File: "a", Size: 512 * 100, Step: 2 * time.Second})
	r := run(t, s.Join())
	if len(r.Expected) < 4 {
		t.Fatalf("got %d expectations in 400 s, want the first and renewals", len(r.Expected))
	}
	for _, e := range r.Expected {
		if e.Server || e.Service != "tftp" || e.Tracker != "tftp" || e.Port != 2070 || e.Addr.String() != "10.0.0.57" {
			t.Errorf("expectation: got %+v, want the client's port of tftp", e)
		}
	}
	if x := r.Exchanges; len(x) != 1 || !x[0].Complete {
		t.Errorf("got %+v, want one complete exchange", x)
	}
}
