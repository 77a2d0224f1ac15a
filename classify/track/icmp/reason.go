package icmp

import "github.com/pxescope/pxescope/classify/wire"

// A reason is what an ICMP error says, whatever the version of IP.
type reason uint8

const (
	reasonNone reason = iota
	reasonProhibited
	reasonNet
	reasonHost
	reasonProtocol
	reasonPort
)

var reasonNames = [...]string{"", "administratively prohibited", "net unreachable", "host unreachable", "protocol unreachable", "port unreachable"}

func (r reason) String() string { return reasonNames[r] }

// unreachable4 are the codes of ICMPv4 type 3 (RFC 792, RFC 1122 section
// 3.2.2.1, RFC 1812 section 5.2.7.1). Code 4 is about size, not about
// rejection, and has no entry.
var unreachable4 = [16]reason{
	0: reasonNet, 1: reasonHost, 2: reasonProtocol, 3: reasonPort,
	5: reasonHost, 6: reasonNet, 7: reasonHost, 8: reasonHost,
	9: reasonProhibited, 10: reasonProhibited, 11: reasonNet, 12: reasonHost, 13: reasonProhibited,
	14: reasonHost, 15: reasonProhibited,
}

// unreachable6 are the codes of ICMPv6 type 1 (RFC 4443 section 3.1).
var unreachable6 = [7]reason{
	0: reasonNet, 1: reasonProhibited, 2: reasonHost, 3: reasonHost, 4: reasonPort, 5: reasonProhibited, 6: reasonProhibited,
}

func reasonOf(f *wire.Frame) reason {
	t, c := f.ICMP.Type, int(f.ICMP.Code)
	switch {
	case f.Proto == wire.ProtoICMP && t == 3 && c < len(unreachable4):
		return unreachable4[c]
	case f.Proto == wire.ProtoICMPv6 && t == 1 && c < len(unreachable6):
		return unreachable6[c]
	}
	return reasonNone
}
