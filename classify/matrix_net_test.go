package classify_test

import (
	"time"

	"github.com/pxescope/pxescope/capture/synth"
)

func netRows() []row {
	return []row{
		{rule: "tcp-syn-unanswered", fires: synsDropped, node: nodeMAC, server: rackAddr, due: 44,
			cut96: []string{"error tcp-syn-unanswered"},
			normal: []lookalike{
				{name: "IPv6 first, IPv4 answers", tell: happyEyeballs, late: []string{"error tcp-syn-unanswered"}},
				{name: "an inventory tool's scan", tell: func(s *story) { scan(s, false) }},
				{name: "one lost SYN", tell: func(s *story) { s.boots().dials(40, 40000, 80).SYN(time.Second).SYNACK(); s.tick(120) }},
			}},
		{rule: "tcp-refused", fires: refused, node: nodeMAC, server: rackAddr,
			cut96: []string{"error tcp-refused"},
			normal: []lookalike{
				{name: "the service restarts", tell: serviceRestarts, early: []string{"error tcp-refused"}},
				{name: "an inventory tool's scan", tell: func(s *story) { scan(s, true) }, late: []string{"error tcp-refused"}},
			}},
		{rule: "path-mtu-black-hole", fires: bigSegmentsLost, node: nodeMAC, server: rackAddr, due: 42.1,
			cut96: []string{"error path-mtu-black-hole"},
			normal: []lookalike{
				{name: "small segments are lost too", tell: allSegmentsLost},
				{name: "segmentation offload", tell: offloadedSegments},
			}},
		{rule: "duplicate-address", fires: twoClaim, node: "00:0c:29:aa:bb:cc", server: nodeAddr,
			cut96: []string{"error duplicate-address"},
			normal: []lookalike{
				{name: "VRRP", tell: vrrp},
				{name: "a fail-over: the old machine is silent", tell: failsOver},
				{name: "the server's ping check and a node's own probe", tell: func(s *story) { pingCheck3(s); probesItself(s, 4) }},
			}},
		{rule: "blocked-by-firewall", fires: prohibited, node: nodeMAC, server: rackAddr,
			cut96: []string{"error blocked-by-firewall"},
			normal: []lookalike{
				{name: "the client closed its port after the size", tell: closedPort},
				{name: "about traffic of no known service", tell: unknownRejected},
			}},
		{rule: "fragments-lost", fires: fragmentsLost, node: nodeMAC, server: rackAddr, due: 44.0,
			cut96: nil,
			normal: []lookalike{
				{name: "a capture filter on ports hides every later fragment", tell: func(s *story) { s.boots(); nfsReplies(s, func(int) bool { return false }); s.tick(120) }},
				{name: "all complete", tell: func(s *story) { s.boots(); nfsReplies(s, func(int) bool { return true }); s.tick(120) }},
			}},
	}
}

// synsDropped: a firewall drops the rack's HTTP port; the system has its lease.
func synsDropped(s *story) {
	s.boots()
	s.proof(func() { s.dials(40, 40000, 5248).SYN(time.Second, 2*time.Second, 4*time.Second) }).tick(120)
}

// happyEyeballs: the IPv6 attempt is lost, the IPv4 one is answered.
func happyEyeballs(s *story) {
	n6, r6 := synth.NewHost(nodeMAC, "2001:db8::57"), synth.NewHost("3c:ec:ef:00:00:02", "2001:db8::2")
	s.boots()
	s.Dial(secs(40), n6, 40000, r6, 80).SYN(time.Second, 2*time.Second, 4*time.Second)
	s.dials(40.3, 40001, 80).Open().Send(false, []byte("GET / HTTP/1.1\r\n\r\n")).Send(true, make([]byte, 3000)).Close(true)
	s.tick(120)
}

// scan: an inventory tool tries many ports; nobody answers, or all refuse.
func scan(s *story, refuse bool) {
	for i, port := range []uint16{22, 80, 443, 111, 2049, 5240, 5248, 8080, 3128} {
		v := s.Dial(secs(0.01*float64(i)), bystander, 40000, rack.Host, port)
		if refuse {
			v.Refused()
		} else {
			v.SYN(time.Second, 2*time.Second, 4*time.Second)
		}
	}
	s.tick(120)
}

// refused: nothing listens on the rack's HTTP port.
func refused(s *story) {
	s.boots()
	s.proof(func() { s.dials(40, 40000, 80).Refused(); s.dials(45, 40001, 80).Refused() }).tick(120)
}

// serviceRestarts: the third try works.
func serviceRestarts(s *story) {
	s.boots()
	s.dials(40, 40000, 80).Refused()
	s.dials(42, 40001, 80).Refused()
	s.dials(44, 40002, 80).Open().Send(false, []byte("GET / HTTP/1.1\r\n\r\n")).Send(true, make([]byte, 3000)).Close(true)
	s.tick(120)
}

// download begins an HTTP download of which small segments arrive.
func (s *story) download() *synth.Conversation {
	return s.dials(40, 40000, 80).Open().Send(false, []byte("GET /initrd HTTP/1.1\r\n\r\n"))
}

// bigSegmentsLost: the header of the reply arrives, full-size segments never:
// a tunnel on the path is too narrow for them.
func bigSegmentsLost(s *story) {
	s.boots()
	v := s.download().Send(true, []byte("HTTP/1.1 200 OK\r\n\r\n")).Transmit(true, make([]byte, 1460))
	s.proof(func() {
		for _, gap := range []float64{0.3, 0.6, 1.2} {
			v.Wait(secs(gap)).Transmit(true, make([]byte, 1460))
		}
	})
	s.tick(120)
}

// allSegmentsLost: it is not their size.
func allSegmentsLost(s *story) {
	s.boots()
	v := s.download()
	for range 3 {
		v.Transmit(true, []byte("HTTP/1.1 200 OK\r\n\r\n")).Wait(secs(0.3))
	}
	for range 3 {
		v.Transmit(true, make([]byte, 1460)).Wait(secs(0.3))
	}
	s.tick(120)
}

// offloadedSegments: captured on the server before its card cuts them.
func offloadedSegments(s *story) {
	s.boots()
	v := s.download().Send(true, []byte("HTTP/1.1 200 OK\r\n\r\n"))
	for range 4 {
		v.Transmit(true, make([]byte, 8*1460)).Wait(secs(0.3))
	}
	s.tick(120)
}

// twin is another machine with the node's address.
var twin = synth.NewHost("00:0c:29:aa:bb:cc", nodeAddr)

// twoClaim: each question for the address has two answers.
func twoClaim(s *story) {
	for i := range 3 {
		x := float64(i)
		s.at(x, synth.ARP(1, rack.Host, synth.Host{IP: node.IP}))
		s.proof(func() { s.at(x+0.001, synth.ARP(2, node, rack.Host)).at(x+0.002, synth.ARP(2, twin, rack.Host)) })
	}
	s.tick(60)
}

// vrrp: a virtual router's MAC beside the machine's own.
func vrrp(s *story) {
	v := synth.NewHost("00:00:5e:00:01:07", nodeAddr)
	for i := range 3 {
		x := float64(i)
		s.at(x, synth.ARP(1, rack.Host, synth.Host{IP: node.IP})).at(x+0.001, synth.ARP(2, node, rack.Host)).at(x+0.002, synth.ARP(2, v, rack.Host))
	}
	s.tick(60)
}

// failsOver: the address moves once.
func failsOver(s *story) {
	s.resolves(0, rack.Host, node).announces(10, twin).resolves(11, rack.Host, twin).resolves(12, rack.Host, twin).tick(60)
}

// probesItself: the node asks whether anybody uses its new address, RFC 5227.
func probesItself(s *story, x float64) {
	for i := range 3 {
		s.at(x+float64(i), synth.ARP(1, node.Nobody(), synth.Host{IP: node.IP}))
	}
	s.announces(x+4, node)
}

// prohibited: a router's access list rejects HTTP to the rack.
func prohibited(s *story) {
	s.boots()
	v := s.dials(40, 40000, 5248).SYN()
	s.prove(40.001, synth.ICMPError(gateway, node, 3, 13, 0, v.Last)).tick(120)
}

// closedPort: the client has the size and closed its port; it says so by ICMP
// when the server repeats itself.
func closedPort(s *story) {
	s.firmware(0).asksFor("bootx64.efi", 1024, 2.2).serves(2.21, 1024, sizeOnly).serves(3.21, 1024, sizeOnly)
	s.at(3.22, synth.ICMPError(node, rack.Host, 3, 3, 0, s.Packets[len(s.Packets)-1].Data)).loads(3.3, "bootx64.efi", 9000, 1025).tick(60)
}

// unknownRejected: a router rejects something that is no boot traffic.
func unknownRejected(s *story) {
	s.boots()
	for i := range 3 {
		q := s.ip().UDP(node, rack.Host, 40000, 7777, []byte("x"))
		s.at(40+float64(i), q).at(40.001+float64(i), synth.ICMPError(gateway, node, 3, 13, 0, q))
	}
	s.tick(120)
}

// nfsReplies are four big NFS replies over UDP, one a second, each to a call of
// its own; later says which keep their later fragments.
func nfsReplies(s *story, later func(int) bool) {
	for i := range 4 {
		xid := uint32(0x70 + i)
		x := 40 + float64(i)
		s.calls(2049, synth.NFSCall(xid, 3, 6, "cn01", 0, 0, 8192), x)
		parts := synth.Fragments(s.ip().UDP(rack.Host, node, 2049, rpcPort, synth.NFSRead(xid, 8192)), 1500)
		s.prove(x+0.001, parts[0])
		if !later(i) {
			continue
		}
		for j, p := range parts[1:] {
			s.at(x+0.001+1e-5*float64(j+1), p)
		}
	}
}

// fragmentsLost: a firewall lets the first fragment of each reply pass, which
// has ports; another server's fragments show that the capture would have seen
// the rest.
func fragmentsLost(s *story) {
	s.boots()
	for i, f := range synth.Fragments(s.ip().UDP(proxy.Host, node2, 2049, 900, make([]byte, 4000)), 1500) {
		s.at(39+1e-5*float64(i), f)
	}
	nfsReplies(s, func(int) bool { return false })
	s.tick(120)
}
