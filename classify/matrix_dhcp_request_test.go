package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

func dhcpRequestRows() []row {
	return []row{
		{rule: "dhcp-nak", fires: nakOfOffer, node: nodeMAC, server: otherAddr,
			normal: []lookalike{
				{name: "one NAK after moving, then a lease", tell: movedAndNaked, early: []string{"warning dhcp-nak"}},
				{name: "a renewal is acknowledged", tell: renews},
			}},
		{rule: "dhcp-request-unanswered", fires: requestUnanswered, node: nodeMAC, server: otherAddr, due: 7,
			normal: []lookalike{
				{name: "INIT-REBOOT may stay unanswered", tell: initReboot},
				{name: "REQUEST for another server", tell: otherServerSilent},
				{name: "the unicast ACK is not visible here, the machine uses the address", tell: unicastOfferUnseen},
				{name: "asked twice before the unicast ACK, which is not visible", tell: unicastACKUnseen},
			}},
		{rule: "renew-by-running-node", fires: renews, node: nodeMAC, server: otherAddr,
			normal: []lookalike{
				{name: "a first lease", tell: func(s *story) { s.lease(0, udhcpc, other, 1, nodeAddr, 0.01).tick(60) }},
			}},
		{rule: "dhcp-ok", fires: dhcpOK, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "firmware that is given nothing to boot", tell: func(s *story) { s.lease(0, rom, other, 1, nodeAddr, 1).tick(60) },
					says: []string{"error dhcp-no-boot-info"}},
				{name: "an OFFER that nobody has taken yet", tell: func(s *story) { s.offered(rom, 1, []synth.DHCPServer{rack}, 0) }},
			}},
	}
}

// nakOfOffer: a server offers an address and refuses it when it is asked for.
func nakOfOffer(s *story) {
	d := udhcpc.Discover(1, 0)
	o := other.Offer(d, nodeAddr)
	q := udhcpc.Request(o, 0)
	s.at(0, d.Broadcast()).at(0.001, other.Frame(o))
	s.proof(func() { s.at(0.01, q.Broadcast()).at(0.02, other.Frame(other.Nak(q, "address not available"))) }).tick(60)
}

// movedAndNaked: a machine asks to keep its address of another network, is told
// no, and gets a new one.
func movedAndNaked(s *story) {
	q := udhcpc.Reboot(4, "192.168.9.9")
	s.at(0, q.Broadcast()).at(0.01, other.Frame(other.Nak(q, "wrong network"))).lease(1, udhcpc, other, 5, nodeAddr, 0.01).tick(60)
}

// requestUnanswered: OFFER and REQUEST go well, the ACK never comes.
func requestUnanswered(s *story) {
	d := udhcpc.Discover(1, 0)
	o := other.Offer(d, nodeAddr)
	s.at(0, d.Broadcast()).at(0.001, other.Frame(o))
	s.proof(func() { s.at(0.01, udhcpc.Request(o, 0).Broadcast()).at(3, udhcpc.Request(o, 3).Broadcast()) }).tick(30)
}

// initReboot: a machine asks for its old address; a server that does not know
// it must stay silent. Then it searches.
func initReboot(s *story) {
	s.at(0, udhcpc.Reboot(4, nodeAddr).Broadcast()).at(3, udhcpc.Reboot(4, nodeAddr).Broadcast())
	s.lease(10, udhcpc, other, 5, nodeAddr, 0.01).tick(60)
}

// otherServerSilent: of a failover pair the one that the REQUEST does not name
// says nothing.
func otherServerSilent(s *story) {
	peer := other
	peer.Host = synth.NewHost("3c:ec:ef:00:00:05", "10.0.0.5")
	d := udhcpc.Discover(1, 0)
	o := other.Offer(d, nodeAddr)
	q := udhcpc.Request(o, 0)
	s.at(0, d.Broadcast()).at(0.001, peer.Frame(peer.Offer(d, addr2))).at(0.002, other.Frame(o))
	s.at(0.01, q.Broadcast()).at(0.02, other.Frame(other.Ack(q, nodeAddr))).tick(60)
}

// renews: a running system keeps its address.
func renews(s *story) {
	q := udhcpc.Renew(5, nodeAddr)
	s.prove(0, q.Unicast(node, other.Host, 68, 67)).prove(0.001, other.Frame(other.Ack(q, nodeAddr))).tick(60)
}

// dhcpOK: DISCOVER, OFFER, REQUEST, ACK with a boot file; then the load.
func dhcpOK(s *story) {
	s.proof(func() { s.lease(0, rom, bios, 1, nodeAddr, 1) }).loads(1.2, "lpxelinux.0", 9000, 2070).tick(60)
}
