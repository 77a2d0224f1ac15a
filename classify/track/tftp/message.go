package tftp

import (
	"bytes"
	"encoding/binary"
)

// A Message is a view of a TFTP message: the payload of a UDP datagram (RFC
// 1350 section 5). No method panics or allocates, however short it is.
type Message []byte

// An Op is an opcode (RFC 1350 section 5, RFC 2347).
type Op uint16

// Opcodes. 0 stands for what is too short to have one.
const (
	RRQ   Op = 1
	WRQ   Op = 2
	DATA  Op = 3
	ACK   Op = 4
	ERROR Op = 5
	OACK  Op = 6
)

// String is the name of o in RFC 1350, for an exchange's Op.
func (o Op) String() string {
	switch o {
	case RRQ:
		return "RRQ"
	case WRQ:
		return "WRQ"
	case DATA:
		return "DATA"
	case ACK:
		return "ACK"
	case ERROR:
		return "ERROR"
	case OACK:
		return "OACK"
	}
	return "unknown"
}

// Error codes (RFC 1350 appendix I; 8 from RFC 2347).
const (
	errUndefined     = 0
	errNotFound      = 1
	errAccess        = 2
	errUnknownTID    = 5
	errOptionRefused = 8
)

const (
	opLen     = 2
	headerLen = 4 // opcode and block number or error code
)

// Op is the opcode, 0 when the message is too short.
func (m Message) Op() Op {
	if len(m) < opLen {
		return 0
	}
	return Op(binary.BigEndian.Uint16(m))
}

// Number is the block number of DATA and ACK or the code of ERROR.
func (m Message) Number() (n uint16, ok bool) {
	if len(m) < headerLen {
		return 0, false
	}
	return binary.BigEndian.Uint16(m[opLen:]), true
}

// Text is the text of an ERROR, without its NUL.
func (m Message) Text() []byte {
	if len(m) < headerLen {
		return nil
	}
	s, _, _ := cutString(m[headerLen:])
	return s
}

// A Request is the body of an RRQ or WRQ.
type Request struct {
	File    []byte
	Mode    []byte
	Options Options
	Whole   bool // file and mode were there with their NULs
}

// Request reads an RRQ or WRQ; what is missing is empty.
func (m Message) Request() (r Request) {
	if len(m) < opLen {
		return Request{Options: parseOptions(nil)}
	}
	rest := []byte(m[opLen:])
	var file, mode bool
	r.File, rest, file = cutString(rest)
	r.Mode, rest, mode = cutString(rest)
	r.Whole = file && mode
	r.Options = parseOptions(rest)
	return r
}

// Options reads the options of an OACK.
func (m Message) Options() Options {
	if len(m) < opLen {
		return parseOptions(nil)
	}
	return parseOptions(m[opLen:])
}

// Options are the options of a request or an OACK that the tracker follows
// (RFC 2348, 2349, 7440, 2090). A number is -1 when the option is absent or
// has no valid value.
type Options struct {
	BlockSize  int   // bytes, 8 to 65464
	WindowSize int   // blocks, 1 to 65535
	Size       int64 // tsize, bytes; 0 in a read request asks for it
	Multicast  bool
	Count      int // options of any name
}

var (
	optBlockSize  = []byte("blksize")
	optWindowSize = []byte("windowsize")
	optSize       = []byte("tsize")
	optMulticast  = []byte("multicast")
)

// maxOptions bounds the options read of one message: registered are six.
const maxOptions = 32

func parseOptions(b []byte) Options {
	o := Options{BlockSize: -1, WindowSize: -1, Size: -1}
	for o.Count < maxOptions {
		name, rest, ok := cutString(b)
		if !ok || len(name) == 0 {
			break
		}
		value, rest, ok := cutString(rest)
		if !ok {
			break
		}
		b = rest
		o.Count++
		switch { // RFC 2347: names are case-insensitive
		case bytes.EqualFold(name, optBlockSize):
			o.BlockSize = int(decimal(value, 8, 65464))
		case bytes.EqualFold(name, optWindowSize):
			o.WindowSize = int(decimal(value, 1, 65535))
		case bytes.EqualFold(name, optSize):
			o.Size = decimal(value, 0, 1<<50)
		case bytes.EqualFold(name, optMulticast):
			o.Multicast = true
		}
	}
	return o
}

// cutString splits b after its first NUL; without one s is all of b.
func cutString(b []byte) (s, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+1:], true
}

// decimal reads digits within bounds, else -1.
func decimal(b []byte, low, high int64) int64 {
	if len(b) == 0 || len(b) > 16 {
		return -1
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	if n < low || n > high {
		return -1
	}
	return n
}
