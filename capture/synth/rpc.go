package synth

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// RPC program numbers, for scenarios.
const (
	RPCPortmap = 100000
	RPCNFS     = 100003
	RPCMount   = 100005
	RPCNLM     = 100021
	RPCNSM     = 100024
)

// RPC accept and authentication states (RFC 5531 section 9).
const (
	RPCSuccess      = 0
	RPCProgUnavail  = 1
	RPCProgMismatch = 2

	RPCTooWeak = 5
	RPCGSSCtx  = 14
)

// Words is a sequence of XDR unsigned integers (RFC 4506 section 4.2).
func Words(w ...uint32) []byte {
	b := make([]byte, 0, 4*len(w))
	for _, x := range w {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

// Opaque is XDR variable-length data or a string (RFC 4506 sections 4.10, 4.11).
func Opaque[T ~string | ~[]byte](s T) []byte {
	b := append(Words(uint32(len(s))), s...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// An RPCCall is a call message (RFC 5531 section 9).
type RPCCall struct {
	XID, Prog, Vers, Proc uint32
	Machine               string // AUTH_SYS with this name; empty: AUTH_NONE
	Args                  []byte
}

// Bytes is the message, the payload of a UDP datagram.
func (c RPCCall) Bytes() []byte {
	cred := Words(0, 0)
	if c.Machine != "" {
		cred = cat(Words(1), Opaque(cat(Words(0x5eed), Opaque(c.Machine), Words(0, 0, 0))))
	}
	return cat(Words(c.XID, 0, 2, c.Prog, c.Vers, c.Proc), cred, Words(0, 0), c.Args)
}

// RPCReply is an accepted, successful reply.
func RPCReply(xid uint32, results ...[]byte) []byte {
	return cat(Words(xid, 1, 0, 0, 0, RPCSuccess), cat(results...))
}

// RPCUnaccepted is an accepted reply with another accept state; more are the
// versions of a mismatch.
func RPCUnaccepted(xid, state uint32, more ...uint32) []byte {
	return cat(Words(xid, 1, 0, 0, 0, state), Words(more...))
}

// RPCDenied is a reply MSG_DENIED with AUTH_ERROR.
func RPCDenied(xid, authState uint32) []byte { return Words(xid, 1, 1, 1, authState) }

// RPCRecord puts each message behind a record mark (RFC 5531 section 11).
func RPCRecord(messages ...[]byte) []byte {
	var b []byte
	for _, m := range messages {
		b = append(append(b, Words(1<<31|uint32(len(m)))...), m...)
	}
	return b
}

// RPCFragments is one record in fragments of n bytes.
func RPCFragments(message []byte, n int) []byte {
	var b []byte
	for len(message) > n {
		b = append(append(b, Words(uint32(n))...), message[:n]...)
		message = message[n:]
	}
	return append(b, RPCRecord(message)...)
}

// PortmapGetport is GETPORT of portmap version 2 (RFC 1833 section 3.2); proto
// is 6 or 17. Its reply is RPCReply(xid, Words(port)).
func PortmapGetport(xid, prog, vers, proto uint32) []byte {
	return RPCCall{XID: xid, Prog: RPCPortmap, Vers: 2, Proc: 3, Args: Words(prog, vers, proto, 0)}.Bytes()
}

// RPCBGetaddr is GETADDR of rpcbind version 3 or 4 (RFC 1833 section 2.2.1).
// Its reply is RPCReply(xid, Opaque(UniversalAddr(...))).
func RPCBGetaddr(xid, rpcbind, prog, vers uint32, netid string) []byte {
	return RPCCall{XID: xid, Prog: RPCPortmap, Vers: rpcbind, Proc: 3, Args: cat(Words(prog, vers), Opaque(netid), Opaque(""), Opaque("rpcb"))}.Bytes()
}

// UniversalAddr is the text form of an address and port (RFC 5665 section 5.2.3).
func UniversalAddr(a netip.Addr, port uint16) string {
	return fmt.Sprintf("%s.%d.%d", a, port>>8, port&255)
}

// A PortmapEntry is one line of a DUMP of portmap version 2.
type PortmapEntry struct{ Prog, Vers, Proto, Port uint32 }

// PortmapDump is the reply to DUMP of portmap version 2.
func PortmapDump(xid uint32, list ...PortmapEntry) []byte {
	var b []byte
	for _, e := range list {
		b = append(b, Words(1, e.Prog, e.Vers, e.Proto, e.Port)...)
	}
	return RPCReply(xid, b, Words(0))
}

// MountMNT is a call of MOUNT's MNT (RFC 1813 section 5.2.1).
func MountMNT(xid, vers uint32, machine, path string) []byte {
	return RPCCall{XID: xid, Prog: RPCMount, Vers: vers, Proc: 1, Machine: machine, Args: Opaque(path)}.Bytes()
}

// MountReply is the reply to MNT of version 3: status, and for 0 a file handle
// and AUTH_SYS.
func MountReply(xid, status uint32) []byte {
	if status != 0 {
		return RPCReply(xid, Words(status))
	}
	return RPCReply(xid, Words(0), Opaque(make([]byte, 28)), Words(1, 1))
}

// NFSCall is a call of NFS; the arguments begin with a file handle of 28 bytes
// unless proc is 0.
func NFSCall(xid, vers, proc uint32, machine string, args ...uint32) []byte {
	c := RPCCall{XID: xid, Prog: RPCNFS, Vers: vers, Proc: proc, Machine: machine}
	if proc != 0 {
		c.Args = cat(Opaque(make([]byte, 28)), Words(args...))
	}
	return c.Bytes()
}

// NFSReply is a reply of NFS versions 2 and 3: a status and more results.
func NFSReply(xid, status uint32, more ...byte) []byte { return RPCReply(xid, Words(status), more) }

// NFSRead is a reply to READ of version 3 with n bytes of file (RFC 1813
// section 3.3.6).
func NFSRead(xid uint32, n int) []byte {
	return RPCReply(xid, Words(0, 0, uint32(n), 0), Opaque(make([]byte, n)))
}

// NFSCompound is a COMPOUND call of version 4 with the operation numbers ops
// and no arguments but SEQUENCE's, which is version 4.1 (RFC 8881 section 16.2).
func NFSCompound(xid uint32, machine string, ops ...uint32) []byte {
	minor, body := uint32(0), []byte(nil)
	for _, op := range ops {
		body = append(body, Words(op)...)
		if op == 53 {
			minor = 1
			body = append(body, make([]byte, 32)...)
		}
	}
	return RPCCall{XID: xid, Prog: RPCNFS, Vers: 4, Proc: 1, Machine: machine, Args: cat(Opaque(""), Words(minor, uint32(len(ops))), body)}.Bytes()
}

// NFSCompoundReply is the reply to COMPOUND: a status and no operation.
func NFSCompoundReply(xid, status uint32) []byte {
	return RPCReply(xid, Words(status), Opaque(""), Words(0))
}
