package arp

import (
	"bytes"

	"github.com/pxescope/pxescope/classify/wire"
)

// sharedPrefixes begin the Ethernet addresses that a group of machines shares
// or moves among its members.
var sharedPrefixes = [][]byte{
	{0x00, 0x00, 0x5e, 0x00, 0x01}, // VRRP (RFC 5798 section 7.3), CARP
	{0x00, 0x00, 0x5e, 0x00, 0x02}, // VRRP for IPv6
	{0x00, 0x00, 0x0c, 0x07, 0xac}, // HSRP (RFC 2281 section 5.2)
	{0x00, 0x07, 0xb4},             // GLBP
	{0x02, 0xbf},                   // Microsoft network load balancing, unicast
}

// shared reports whether m is a virtual address of a redundancy protocol.
func shared(m wire.MAC) bool {
	// HSRP version 2 takes 00:00:0c:9f:f0:00 to 9f:ff:ff.
	if [4]byte(m[:4]) == [4]byte{0x00, 0x00, 0x0c, 0x9f} && m[4] >= 0xf0 {
		return true
	}
	for _, p := range sharedPrefixes {
		if bytes.HasPrefix(m[:], p) {
			return true
		}
	}
	return false
}

// cardPorts is how far apart the burned-in addresses of one card's ports, or
// of a board's ports and its management controller, usually lie.
const cardPorts = 8

// sameCard reports whether a and b look like two ports of one machine: a bond
// that balances by ARP, two ports in one segment, a management controller that
// shares the board's port. Only burned-in addresses count; software hands out
// neighbouring ones to different machines.
func sameCard(a, b wire.MAC) bool {
	if a[0]&2 != 0 || b[0]&2 != 0 {
		return false
	}
	d := number(a) - number(b)
	return d > -cardPorts && d < cardPorts
}

func number(m wire.MAC) (n int64) {
	for _, b := range m {
		n = n<<8 | int64(b)
	}
	return n
}
