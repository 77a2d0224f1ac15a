package dhcp

import (
	"encoding/binary"
	"strings"

	"github.com/pxescope/pxescope/classify/wire"
)

// Option codes (RFC 2132 and IANA's registry "BOOTP Vendor Extensions and DHCP
// Options"); the names are those of the documents in the comments.
const (
	OptPad             = 0
	OptMask            = 1
	OptRouters         = 3
	OptDNS             = 6
	OptHostName        = 12
	OptDomainName      = 15
	OptRootPath        = 17
	OptBroadcast       = 28
	OptNTP             = 42
	OptVendorSpecific  = 43
	OptRequestedAddr   = 50
	OptLeaseTime       = 51
	OptOverload        = 52
	OptMessageType     = 53
	OptServerID        = 54
	OptParameterList   = 55
	OptMessage         = 56
	OptMaxMessageSize  = 57
	OptRenewalTime     = 58 // T1
	OptRebindingTime   = 59 // T2
	OptVendorClass     = 60
	OptClientID        = 61
	OptTFTPServerName  = 66
	OptBootFile        = 67
	OptUserClass       = 77  // RFC 3004
	OptRapidCommit     = 80  // RFC 4039
	OptRelayAgent      = 82  // RFC 3046
	OptClientArch      = 93  // RFC 4578
	OptClientInterface = 94  // RFC 4578
	OptClientMachineID = 97  // RFC 4578
	OptTFTPServers     = 150 // RFC 5859
	OptIPXE            = 175 // iPXE, include/ipxe/dhcp.h
	OptPXELinuxConfig  = 209 // RFC 5071
	OptPXELinuxPrefix  = 210 // RFC 5071
	OptEnd             = 255
)

// Values of option 52, RFC 2132 section 9.3.
const (
	overloadFile  = 1
	overloadSName = 2
)

// Options is a parse of the options of one message. It is used again for the
// next one and then allocates nothing; what it returns points into the message
// or into its own memory and is valid until the next Parse.
type Options struct {
	msg    Message
	values [256]span // by code; only those listed in codes are meaningful
	codes  [256]byte // in the order of first appearance
	n      int       // codes used
	field  int       // the first so many of codes stand in the options field
	pieces []piece   // every option met, in the order of RFC 3396
	joined []byte    // values of options that came in several pieces

	overload byte
	cut      bool
	damaged  bool
}

// A span is where the value of an option lies.
type span struct {
	off    uint32 // in msg, or in joined
	n      uint32
	pieces uint16 // 0: the option is absent
	joined bool
}

type piece struct {
	off  uint32
	code byte
	n    uint8
}

// Parse reads the options of m, a valid message of which wireLen bytes were on
// the wire: the options field, then file and sname where option 52 says that
// they hold options (RFC 2131 section 4.1).
func (o *Options) Parse(m Message, wireLen int) {
	for _, c := range o.codes[:o.n] {
		o.values[c] = span{}
	}
	o.msg, o.n, o.field = m, 0, 0
	o.pieces, o.joined = o.pieces[:0], o.joined[:0]
	o.overload, o.cut, o.damaged = 0, false, false

	short := wireLen > len(m)
	if len(m) < offOptions {
		o.cut = short && wireLen >= offOptions
		return
	}
	if !m.HasCookie() {
		return
	}
	if !o.walk(offOptions, len(m)) {
		o.cut, o.damaged = short, !short
	}
	o.field = o.n
	// Only the options field can overload: an option 52 inside file or sname
	// must not send us round again.
	if v := o.values[OptOverload]; v.n > 0 {
		o.overload = o.firstByte(OptOverload) & (overloadFile | overloadSName)
	}
	if o.overload&overloadFile != 0 && !o.walk(offFile, offCookie) {
		o.damaged = true
	}
	if o.overload&overloadSName != 0 && !o.walk(offSName, offFile) {
		o.damaged = true
	}
	if len(o.pieces) > o.n {
		o.join()
	}
}

// walk reads options from off to end and reports whether END was met. A length
// that overruns the field ends it: the option is dropped.
func (o *Options) walk(off, end int) bool {
	for off < end {
		code := o.msg[off]
		off++
		switch code {
		case OptPad:
			continue
		case OptEnd:
			return true
		}
		if off >= end || off+1+int(o.msg[off]) > end {
			return false
		}
		n := o.msg[off]
		off++
		v := &o.values[code]
		if v.pieces == 0 {
			v.off = uint32(off)
			o.codes[o.n] = code
			o.n++
		}
		v.pieces++
		v.n += uint32(n)
		o.pieces = append(o.pieces, piece{uint32(off), code, n})
		off += int(n)
	}
	return false
}

// join puts the values of repeated options together, RFC 3396 section 5.
func (o *Options) join() {
	for _, code := range o.codes[:o.n] {
		v := &o.values[code]
		if v.pieces < 2 {
			continue
		}
		start := len(o.joined)
		for _, p := range o.pieces {
			if p.code == code {
				o.joined = append(o.joined, o.msg[p.off:p.off+uint32(p.n)]...)
			}
		}
		v.off, v.joined = uint32(start), true
	}
}

// firstByte is the first byte of an option's value before join.
func (o *Options) firstByte(code byte) byte {
	for _, p := range o.pieces {
		if p.code == code && p.n > 0 {
			return o.msg[p.off]
		}
	}
	return 0
}

// Get is the value of an option, all its pieces joined; nil when it is absent,
// not nil and empty when it is present without a value.
func (o *Options) Get(code byte) []byte {
	v := o.values[code]
	switch {
	case v.pieces == 0:
		return nil
	case v.joined:
		return o.joined[v.off : v.off+v.n : v.off+v.n]
	}
	return o.msg[v.off : v.off+v.n : v.off+v.n]
}

// Has reports whether an option is present.
func (o *Options) Has(code byte) bool { return o.values[code].pieces != 0 }

// Order is the codes in the order of their first appearance in the options
// field, without pad and end: it tells servers and clients apart.
func (o *Options) Order() []byte { return o.codes[:o.field] }

// Type is the message type, 0 when the message has none or it was cut away.
func (o *Options) Type() Type {
	if v := o.Get(OptMessageType); len(v) > 0 {
		return Type(v[0])
	}
	return 0
}

// Cut reports whether the capture's snap length took options away. Then an
// option that is missing, and the message type, are unknown.
func (o *Options) Cut() bool { return o.cut }

// Damaged reports whether an option overran its field or the END was missing
// although the capture has the whole message.
func (o *Options) Damaged() bool { return o.damaged }

// Overloaded reports whether file and sname hold options instead of names.
func (o *Options) Overloaded() (file, sname bool) {
	return o.overload&overloadFile != 0, o.overload&overloadSName != 0
}

// Addr is the first address in an option, the zero Addr when there is none.
func (o *Options) Addr(code byte) wire.Addr {
	if v := o.Get(code); len(v) >= 4 {
		return wire.Addr4([4]byte(v[:4]))
	}
	return wire.Addr{}
}

// Addrs appends the addresses in an option to dst; bytes that do not fill an
// address are left out.
func (o *Options) Addrs(code byte, dst []wire.Addr) []wire.Addr {
	for v := o.Get(code); len(v) >= 4; v = v[4:] {
		dst = append(dst, wire.Addr4([4]byte(v[:4])))
	}
	return dst
}

// Uint16 is an option of at least two bytes: its first number.
func (o *Options) Uint16(code byte) (uint16, bool) {
	if v := o.Get(code); len(v) >= 2 {
		return binary.BigEndian.Uint16(v), true
	}
	return 0, false
}

// Uint32 is an option of at least four bytes: its first number.
func (o *Options) Uint32(code byte) (uint32, bool) {
	if v := o.Get(code); len(v) >= 4 {
		return binary.BigEndian.Uint32(v), true
	}
	return 0, false
}

// String is an option as text without trailing NULs, which dnsmasq adds. The
// rest is as sent: hostile.
func (o *Options) String(code byte) string {
	return strings.TrimRight(string(o.Get(code)), "\x00")
}
