package filter

import "fmt"

// A value is what a test looks at: some bytes of the packet, mostly. It is
// comparable, so that a graph can tell when two tests look at the same thing.
type value struct {
	kind valueKind
	size uint8
	off  uint32 // of the bytes; the number of a metadata field
	ip   uint32 // transport, shared: where the IP header starts
	mask uint32 // 0: none
	calc *calc  // calculated: interned, so equal means the same
}

type valueKind uint8

const (
	fixed      valueKind = iota // at off
	transport                   // at off, counted from behind an IPv4 header of any length
	shared                      // the same, the length of the IP header being in X already
	wireLength                  // of the packet
	metadata                    // of the Linux kernel
	calculated                  // by calc
	compared                    // calc is a comparison of two calculations
)

// Metadata of the Linux kernel (linux/filter.h, SKF_AD_VLAN_TAG and
// SKF_AD_VLAN_TAG_PRESENT).
const (
	metadataBase    = 0xfffff000
	metaVLANTag     = metadataBase + 44
	metaVLANPresent = metadataBase + 48
)

func bytesOf(off uint32, size uint8) value { return value{kind: fixed, off: off, size: size} }

func (v value) masked(m uint32) value {
	if m != 0xffffffff>>(32-8*uint32(v.size)) {
		v.mask = m
	}
	return v
}

// A calc is a tree of what arithmetic does to bytes of the packet.
type calc struct {
	op   word // "n", "len", "load", "-" alone with r nil for negation, operators
	n    uint32
	l, r *calc
	// load: l is the offset; v has kind fixed or transport, size, and the base
	// in off.
	v   value
	key string
}

func (c *calc) String() string {
	switch c.op {
	case "n":
		return fmt.Sprint(c.n)
	case "len":
		return "len"
	case "load":
		return fmt.Sprintf("[%d+%d/%d+%s:%d]", c.v.kind, c.v.off, c.v.ip, c.l.key, c.v.size)
	}
	r := ""
	if c.r != nil {
		r = c.r.key
	}
	return "(" + c.l.key + string(c.op) + r + ")"
}

// plain is the value that a calculation is, when it is no more than a load
// with a mask.
func plain(c *calc) (value, bool) {
	switch {
	case c.op == "len":
		return value{kind: wireLength, size: 4}, true
	case c.op == "load" && c.l.op == "n":
		v := c.v
		v.off += c.l.n
		return v, true
	case c.op == "&" && c.r.op == "n":
		if v, ok := plain(c.l); ok && v.mask == 0 {
			m := c.r.n & (0xffffffff >> (32 - 8*uint32(v.size)))
			return v.masked(m), m != 0
		}
	}
	return value{}, false
}
