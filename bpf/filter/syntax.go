package filter

import (
	"fmt"
	"net/netip"
)

// An Expr is a parsed expression. It is immutable.
type Expr struct {
	root node
}

// A node is one of the types of this file, a closed set: every pass switches
// over all of them.
type node interface{ isNode() }

// joined is l and r, or l or r. Both have the same precedence and associate
// to the left, so that only a right operand needs parentheses.
type joined struct {
	or   bool
	l, r node
}

type not struct{ x node }

// hostTerm is host and net of IPv4 and IPv6.
type hostTerm struct {
	proto word // "", ip, arp, rarp, ip6
	dir   dir
	net   bool
	addr  netip.Addr
	bits  int    // of the prefix
	mask  uint32 // IPv4: may have holes, as 'net 10.0.0.0 mask 255.0.255.0'
}

// etherHost is an Ethernet address.
type etherHost struct {
	dir dir
	mac [6]byte
}

// portTerm is port and portrange.
type portTerm struct {
	proto word // "", tcp, udp, sctp
	dir   dir
	lo    uint16
	hi    uint16
}

// protoTerm is a protocol number in a layer: "" for IPv4 and IPv6, ip, ip6, ether.
type protoTerm struct {
	layer word
	n     uint32
}

// abbrev is a protocol's name alone: ip, arp, udp.
type abbrev struct{ name word }

// casting is broadcast and multicast.
type casting struct {
	proto     word // "" and ether are the same; ip, ip6
	multicast bool
}

// layerTerm is vlan, mpls, pppoes and pppoed. All but the last shift the
// offsets of everything to its right.
type layerTerm struct {
	name word
	id   uint32
	has  bool // id is given
}

// lengthTerm is less and greater, both of which include n.
type lengthTerm struct {
	greater bool
	n       uint32
}

// relation compares two values.
type relation struct {
	op   word // = != < <= > >=
	l, r arith
}

func (joined) isNode()     {}
func (not) isNode()        {}
func (hostTerm) isNode()   {}
func (etherHost) isNode()  {}
func (portTerm) isNode()   {}
func (protoTerm) isNode()  {}
func (abbrev) isNode()     {}
func (casting) isNode()    {}
func (layerTerm) isNode()  {}
func (lengthTerm) isNode() {}
func (relation) isNode()   {}

// An arith is a value of 32 bits without sign, again a closed set.
type arith interface{ isArith() }

type number struct{ n uint32 }

type length struct{}

// bytesAt is proto[at:size].
type bytesAt struct {
	proto word
	at    arith
	size  int
}

type operation struct {
	op   word // + - * / % & | ^ << >>
	l, r arith
}

type negative struct{ x arith }

func (number) isArith()    {}
func (length) isArith()    {}
func (bytesAt) isArith()   {}
func (operation) isArith() {}
func (negative) isArith()  {}

// A word is a keyword or an operator.
type word string

// A dir says which side of a packet has to match.
type dir uint8

const (
	eitherSide dir = iota
	source
	destination
	bothSides
)

func (d dir) String() string {
	return [...]string{"", "src ", "dst ", "src and dst "}[d]
}

// An Error is why an expression was refused. Position counts characters from
// 1; it is one past the end when something is missing there, and 0 where the
// whole expression is meant.
type Error struct {
	Position int
	Msg      string
	Hint     string // what to do instead, empty when nothing is known
}

// Error gives the position and the reason, without the hint.
func (e *Error) Error() string {
	if e.Position == 0 {
		return e.Msg
	}
	return fmt.Sprintf("position %d: %s", e.Position, e.Msg)
}
