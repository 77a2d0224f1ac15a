package wire

import (
	"encoding/binary"
	"math"
)

// icmp reads an ICMP header (RFC 792) or ICMPv6 header (RFC 4443 section 2.1)
// and, in an error, the datagram that it quotes.
func (f *Frame) icmp(b []byte, cut int) {
	c := &f.ICMP
	f.tidy = false
	if len(b) >= 2 {
		c.Type, c.Code = b[0], b[1]
	}
	if len(b) < icmpHeader {
		f.short(StopICMPShort, b, cut)
		return
	}
	c.Rest = binary.BigEndian.Uint32(b[4:])
	f.Payload, f.PayloadLen = b[icmpHeader:], len(b)+cut-icmpHeader
	if f.IPVersion == 6 {
		c.error6(f.Payload)
	} else {
		c.error4(f.Payload)
	}
}

func (c *ICMP) error4(quote []byte) {
	const unreachable, quench, redirect, timeExceeded, parameter = 3, 4, 5, 11, 12
	const fragmentationNeeded = 4
	switch c.Type {
	case unreachable:
		if c.Code == fragmentationNeeded {
			c.MTU = uint16(c.Rest) // RFC 1191 section 4; 0 from older routers
		}
		c.quote4(quote)
	case quench, redirect, timeExceeded, parameter:
		c.quote4(quote)
	}
}

func (c *ICMP) error6(quote []byte) {
	const unreachable, tooBig, timeExceeded, parameter = 1, 2, 3, 4
	switch c.Type {
	case tooBig:
		c.MTU = uint16(min(c.Rest, math.MaxUint16))
		c.quote6(quote)
	case unreachable, timeExceeded, parameter:
		c.quote6(quote)
	}
}

func (c *ICMP) quote4(b []byte) {
	if len(b) < ip4Header || b[0]>>4 != 4 {
		return
	}
	hl := int(b[0]&15) * 4
	if hl < ip4Header {
		return
	}
	c.HasQuote = true
	c.QuoteLen = binary.BigEndian.Uint16(b[2:])
	c.Quote.Src.set4(b[12:16])
	c.Quote.Dst.set4(b[16:20])
	c.Quote.Proto = b[9]
	if hl <= len(b) && binary.BigEndian.Uint16(b[6:])&ip4OffMask == 0 {
		c.quoteAbove(b[hl:], 4)
	}
}

func (c *ICMP) quote6(b []byte) {
	if len(b) < ip6Header || b[0]>>4 != 6 {
		return
	}
	c.HasQuote = true
	c.QuoteLen = uint16(min(ip6Header+int(binary.BigEndian.Uint16(b[4:])), math.MaxUint16))
	c.Quote.Src, c.Quote.Dst, c.Quote.Proto = Addr(b[8:24]), Addr(b[24:40]), b[6]
	c.quoteAbove(b[ip6Header:], 6)
}

// quoteAbove reads what is quoted above the IP header: extension headers, then
// the ports. A later fragment has none.
func (c *ICMP) quoteAbove(b []byte, version uint8) {
	for range maxExtensions {
		p := c.Quote.Proto
		if !isExtension(version, p) {
			break
		}
		if len(b) < 8 {
			return
		}
		n := 8 + int(b[1])*8
		switch p {
		case extAH:
			n = 8 + int(b[1])*4
		case extFragment:
			n = 8
			if binary.BigEndian.Uint16(b[2:])&^7 != 0 {
				c.Quote.Proto = b[0]
				return
			}
		}
		if n > len(b) {
			return
		}
		c.Quote.Proto, b = b[0], b[n:]
	}
	if (c.Quote.Proto == ProtoUDP || c.Quote.Proto == ProtoTCP) && len(b) >= 4 {
		c.Quote.SrcPort = binary.BigEndian.Uint16(b)
		c.Quote.DstPort = binary.BigEndian.Uint16(b[2:])
	}
	if len(b) > 8 {
		c.QuoteData = b[8:]
	}
}
