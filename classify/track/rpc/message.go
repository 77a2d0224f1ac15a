package rpc

import (
	"encoding/binary"
	"fmt"
)

// Reply states (RFC 5531 section 9).
const (
	acceptSuccess      = 0
	acceptProgUnavail  = 1
	acceptProgMismatch = 2
	acceptProcUnavail  = 3
	acceptGarbageArgs  = 4
	acceptSystemErr    = 5

	rejectMismatch  = 0
	rejectAuthError = 1
)

// Authentication flavors and states (RFC 5531 sections 8.2 and 9).
const (
	authSys = 1

	authTooWeak      = 5
	authGSSCredProb  = 13 // RPCSEC_GSS_CREDPROBLEM
	authGSSCtxProb   = 14 // RPCSEC_GSS_CTXPROBLEM
	maxAuthBody      = 400
	maxMachineName   = 255
	callHeader       = 24 // up to the procedure
	minAcceptedReply = 24 // with an empty verifier
	minDeniedReply   = 20
	minReply         = 12
)

// A message is the head of one RPC message. Fields that the captured bytes do
// not reach are zero and their known flag is false.
type message struct {
	xid  uint32
	call bool

	// Of a call.
	prog, vers, proc uint32
	machine          []byte // AUTH_SYS machine name, aliases the packet

	// Of a reply.
	known     bool // the state below was captured
	denied    bool
	stat      uint32 // accept state, or reject state when denied
	authStat  uint32 // of rejectAuthError
	low, high uint32 // versions, of a mismatch

	// body holds arguments or results as far as captured; nil when the header
	// is cut. Results of anything but SUCCESS are none.
	body []byte
}

// parse reads the head of an RPC message; ok is false for what is none.
func parse(b []byte) (m message, ok bool) {
	if len(b) < minReply {
		return m, false
	}
	m.xid = binary.BigEndian.Uint32(b)
	switch binary.BigEndian.Uint32(b[4:]) {
	case 0:
		m.call = true
		return m, len(b) >= callHeader && binary.BigEndian.Uint32(b[8:]) == 2 && m.parseCall(b)
	case 1:
		return m, m.parseReply(b)
	}
	return m, false
}

func (m *message) parseCall(b []byte) bool {
	m.prog = binary.BigEndian.Uint32(b[12:])
	m.vers = binary.BigEndian.Uint32(b[16:])
	m.proc = binary.BigEndian.Uint32(b[20:])
	if len(b) < callHeader+8 {
		return true // cut
	}
	x := xdr{b: b[callHeader:]}
	flavor := x.u32()
	if n := binary.BigEndian.Uint32(x.b); n > maxAuthBody {
		return false
	}
	cred := x.opaque(maxAuthBody)
	x.u32()
	if len(x.b) >= 4 && binary.BigEndian.Uint32(x.b) > maxAuthBody {
		return false
	}
	x.opaque(maxAuthBody)
	if !x.short {
		m.body = x.b
	}
	if flavor == authSys && len(cred) >= 8 {
		c := xdr{b: cred[4:]}
		m.machine = c.opaque(maxMachineName)
	}
	return true
}

func (m *message) parseReply(b []byte) bool {
	x := xdr{b: b[8:]}
	switch x.u32() {
	case 0:
		x.u32()
		if len(x.b) >= 4 && binary.BigEndian.Uint32(x.b) > maxAuthBody {
			return false
		}
		x.opaque(maxAuthBody)
		m.stat = x.u32()
		m.known = !x.short
		if m.stat > acceptSystemErr {
			return false
		}
		switch m.stat {
		case acceptSuccess:
			m.body = x.b
		case acceptProgMismatch:
			m.low, m.high = x.u32(), x.u32()
		}
	case 1:
		m.denied = true
		m.stat = x.u32()
		m.authStat = x.u32()
		m.known = !x.short
		if m.stat > rejectAuthError {
			return false
		}
		if m.stat == rejectMismatch {
			m.low, m.high, m.authStat = m.authStat, x.u32(), 0
		}
	default:
		return false
	}
	return true
}

// accepted reports whether the reply says SUCCESS.
func (m *message) accepted() bool { return m.known && !m.denied && m.stat == acceptSuccess }

// looksLikeCall reports whether b, from a port of which nothing is known,
// starts with a call: message type, RPC version, a program of the NFS family,
// and credentials of a sane length.
func looksLikeCall(b []byte) bool {
	if len(b) < callHeader || binary.BigEndian.Uint64(b[4:]) != 2 {
		return false
	}
	if !registered(binary.BigEndian.Uint32(b[12:])) || binary.BigEndian.Uint32(b[20:]) > maxProcedure {
		return false
	}
	return len(b) < callHeader+8 || binary.BigEndian.Uint32(b[callHeader+4:]) <= maxAuthBody
}

// maxProcedure bounds procedure numbers where nothing but the content says
// that bytes are a call; the largest in use is 23 (NLM FREE_ALL).
const maxProcedure = 255

// maxProgram is the end of the numbers that are not reserved (RFC 5531 section 8.4).
const maxProgram = 0x5fffffff

// registered reports whether prog is in the block of Sun's programs with the
// NFS family (100000-100499 of https://www.iana.org/assignments/rpc-program-numbers),
// or the number that NFSv4 clients take for callbacks.
func registered(prog uint32) bool {
	return prog-programPortmap < 500 || prog == programCallback
}

// refusal is what a reply that is not a success says.
func (m *message) refusal() string {
	switch {
	case m.denied && m.stat == rejectAuthError:
		return "AUTH_ERROR " + authName(m.authStat)
	case m.denied:
		return fmt.Sprintf("RPC_MISMATCH, versions %d to %d", m.low, m.high)
	}
	switch m.stat {
	case acceptProgUnavail:
		return "PROG_UNAVAIL"
	case acceptProgMismatch:
		return fmt.Sprintf("PROG_MISMATCH, versions %d to %d", m.low, m.high)
	case acceptProcUnavail:
		return "PROC_UNAVAIL"
	case acceptGarbageArgs:
		return "GARBAGE_ARGS"
	}
	return "SYSTEM_ERR"
}
