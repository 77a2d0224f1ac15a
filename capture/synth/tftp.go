package synth

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// TFTPRead builds a read request (RFC 1350 section 5) with options as pairs of
// name and value (RFC 2347).
func TFTPRead(file, mode string, options ...string) []byte {
	return tftpStrings(1, append([]string{file, mode}, options...))
}

// TFTPWrite builds a write request.
func TFTPWrite(file, mode string, options ...string) []byte {
	return tftpStrings(2, append([]string{file, mode}, options...))
}

// TFTPData builds a DATA message.
func TFTPData(block uint16, data []byte) []byte {
	return append([]byte{0, 3, byte(block >> 8), byte(block)}, data...)
}

// TFTPAck builds an ACK.
func TFTPAck(block uint16) []byte { return []byte{0, 4, byte(block >> 8), byte(block)} }

// TFTPError builds an ERROR (codes: RFC 1350 appendix I, 8 from RFC 2347).
func TFTPError(code uint16, text string) []byte {
	return append(append([]byte{0, 5, byte(code >> 8), byte(code)}, text...), 0)
}

// TFTPOack builds an option acknowledgment with pairs of name and value.
func TFTPOack(options ...string) []byte { return tftpStrings(6, options) }

func tftpStrings(op byte, s []string) []byte {
	b := []byte{0, op}
	for _, x := range s {
		b = append(append(b, x...), 0)
	}
	return b
}

// A TFTP describes one transfer for TFTPTransfer. Zero fields are the usual:
// a read in octet mode without options between ports 2070 and 49200.
type TFTP struct {
	Client, Server Host
	From           Host // answers in the server's place; zero: Server
	ClientPort     uint16
	ServerPort     uint16 // of the answers
	Write          bool
	File, Mode     string
	Options        []string // asked for, in pairs; "tsize" "0" of a read is answered with Size
	Refuse         []string // names of options that the server leaves out of its OACK
	Size           int
	Step           time.Duration // between packets, 0: 500 us
	Timer          time.Duration // of retransmissions, 0: 1 s
	// Lost says how often the DATA of a block (from 1) is sent in vain; each
	// time the receiver repeats its last ACK before the sender's timer runs out.
	Lost map[int]int
	// LostACK says how often the ACK of a block is lost behind the capture: the
	// sender repeats its DATA, the receiver its ACK.
	LostACK map[int]int
	// Twice sends each DATA and each ACK two times (Sorcerer's Apprentice).
	Twice     bool
	NoLastACK bool
	StopAfter int // blocks acknowledged before both sides fall silent; 0: never, -1: after the negotiation
	RollTo    int // block number after 65535: 0 or 1
}

// TFTPTransfer adds a whole transfer to c, from the request at offset at on.
// It returns the offset of the last packet.
func TFTPTransfer(c *Capture, at time.Duration, t TFTP) time.Duration {
	s := newTFTPScript(c, at, t)
	if !s.negotiate() {
		return s.last
	}
	for n := 1; ; {
		first, to := n, min(n+s.window-1, s.blocks)
		for range s.Lost[to] {
			s.send(first, to)
			s.ack(first - 1)
			s.wait()
		}
		for range s.LostACK[to] {
			s.send(first, to)
			s.ack(to)
			s.wait()
		}
		s.send(first, to)
		if to == s.blocks && s.NoLastACK {
			return s.last
		}
		s.ack(to)
		if n = to + 1; n > s.blocks || s.StopAfter > 0 && to >= s.StopAfter {
			return s.last
		}
	}
}

// tftpScript is a transfer being written.
type tftpScript struct {
	TFTP
	c              *Capture
	at, last       time.Duration
	id             uint16
	blksize        int
	window, blocks int
	body           []byte
}

func newTFTPScript(c *Capture, at time.Duration, t TFTP) *tftpScript {
	if t.From == (Host{}) {
		t.From = t.Server
	}
	if t.ClientPort == 0 {
		t.ClientPort = 2070
	}
	if t.ServerPort == 0 {
		t.ServerPort = 49200
	}
	if t.Mode == "" {
		t.Mode = "octet"
	}
	if t.Step == 0 {
		t.Step = 500 * time.Microsecond
	}
	if t.Timer == 0 {
		t.Timer = time.Second
	}
	return &tftpScript{TFTP: t, c: c, at: at, last: at, id: t.ClientPort, blksize: 512, window: 1}
}

// negotiate writes the request and the answer to it; false when the transfer
// ends there.
func (s *tftpScript) negotiate() bool {
	req := TFTPRead(s.File, s.Mode, s.Options...)
	if s.Write {
		req = TFTPWrite(s.File, s.Mode, s.Options...)
	}
	s.packet(IP{}.UDP(s.Client, s.Server, s.ClientPort, 69, req))
	oack := s.accepted()
	s.blocks = s.Size/s.blksize + 1
	s.body = bytes.Repeat([]byte{0xa5}, s.blksize)
	switch {
	case len(oack) > 0:
		s.server(TFTPOack(oack...))
		if !s.Write {
			s.client(TFTPAck(0))
		}
	case s.Write:
		s.server(TFTPAck(0))
	}
	return s.StopAfter >= 0
}

// accepted is what the OACK says; it sets block and window size.
func (s *tftpScript) accepted() (oack []string) {
	for i := 0; i+1 < len(s.Options); i += 2 {
		name, value := s.Options[i], s.Options[i+1]
		refused := false
		for _, r := range s.Refuse {
			refused = refused || strings.EqualFold(r, name)
		}
		if refused {
			continue
		}
		n, _ := strconv.Atoi(value)
		switch strings.ToLower(name) {
		case "blksize":
			s.blksize = n
		case "windowsize":
			s.window = n
		case "tsize":
			if !s.Write {
				value = strconv.Itoa(s.Size)
			}
		}
		oack = append(oack, name, value)
	}
	return oack
}

func (s *tftpScript) send(from, to int) {
	for n := from; n <= to; n++ {
		size := s.blksize
		if n == s.blocks {
			size = s.Size % s.blksize
		}
		for range s.times() {
			s.sender(TFTPData(s.raw(n), s.body[:size]))
		}
	}
}

func (s *tftpScript) ack(n int) {
	if n == 0 && !s.Write && len(s.Options) == 0 {
		return // there is nothing to acknowledge before DATA 1
	}
	for range s.times() {
		if s.Write {
			s.server(TFTPAck(s.raw(n)))
		} else {
			s.client(TFTPAck(s.raw(n)))
		}
	}
}

func (s *tftpScript) times() int {
	if s.Twice {
		return 2
	}
	return 1
}

// raw is the 16-bit number of block n.
func (s *tftpScript) raw(n int) uint16 {
	if n > 65535 && s.RollTo == 1 {
		return uint16((n-1)%65535 + 1)
	}
	return uint16(n)
}

func (s *tftpScript) sender(msg []byte) {
	if s.Write {
		s.client(msg)
	} else {
		s.server(msg)
	}
}

func (s *tftpScript) client(msg []byte) {
	s.packet(s.ip().UDP(s.Client, s.From, s.ClientPort, s.ServerPort, msg))
}

func (s *tftpScript) server(msg []byte) {
	s.packet(s.ip().UDP(s.From, s.Client, s.ServerPort, s.ClientPort, msg))
}

// ip numbers datagrams, so that a repetition is no copy of the same datagram.
func (s *tftpScript) ip() IP {
	s.id++
	return IP{ID: s.id}
}

func (s *tftpScript) packet(frame []byte) {
	s.c.Add(s.at, frame)
	s.last = s.at
	s.at += s.Step
}

func (s *tftpScript) wait() { s.at = s.last + s.Timer }
