package wire

import "encoding/binary"

func (f *Frame) icmp(b []byte, cut int) {
	if len(b) >= 2 {
		f.ICMP.Type, f.ICMP.Code = b[0], b[1]
	}
	if len(b) < icmpHeader {
		f.Stop = StopICMPShort
		return
	}
	f.Payload, f.PayloadLen = b[icmpHeader:], len(b)+cut-icmpHeader
	c := &f.ICMP
	if f.Proto == ProtoICMPv6 {
		if c.Type == 0 || c.Type > 4 {
			return
		}
		if c.Type == 2 {
			c.MTU = uint16(min(binary.BigEndian.Uint32(b[4:]), 0xffff))
		}
		c.quote6(f.Payload)
		return
	}
	switch c.Type {
	case 3, 4, 5, 11, 12:
		if c.Type == 3 && c.Code == 4 {
			c.MTU = binary.BigEndian.Uint16(b[6:])
		}
		c.quote4(f.Payload)
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
	c.Quote = Flow{Src: Addr4([4]byte(b[12:16])), Dst: Addr4([4]byte(b[16:20])), Proto: b[9]}
	if hl > len(b) || binary.BigEndian.Uint16(b[6:])&ip4OffMask != 0 {
		return
	}
	c.quoteTransport(b[hl:])
}

func (c *ICMP) quote6(b []byte) {
	if len(b) < ip6Header || b[0]>>4 != 6 {
		return
	}
	c.HasQuote = true
	c.Quote = Flow{Src: Addr(b[8:24]), Dst: Addr(b[24:40]), Proto: b[6]}
	c.quoteTransport(b[ip6Header:])
}

func (c *ICMP) quoteTransport(b []byte) {
	if (c.Quote.Proto == ProtoUDP || c.Quote.Proto == ProtoTCP) && len(b) >= 4 {
		c.Quote.SrcPort = binary.BigEndian.Uint16(b)
		c.Quote.DstPort = binary.BigEndian.Uint16(b[2:])
	}
	if len(b) > 8 {
		c.QuoteData = b[8:]
	}
}
