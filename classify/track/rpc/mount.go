package rpc

import (
	"fmt"
	"strconv"

	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// MOUNT procedures (RFC 1813 section 5.2).
const (
	procMNT     = 1
	procUMNT    = 3
	procUMNTALL = 4

	maxPath = 1024 // MNTPATHLEN
)

// Status words that MOUNT and NFS share (RFC 1813 sections 2.6 and 5.1.5,
// RFC 7530 section 13.1).
const (
	statusPerm    = 1
	statusIO      = 5
	statusAcces   = 13
	statusNospc   = 28
	statusRofs    = 30
	statusStale   = 70
	statusBadFH   = 10001
	statusDelay   = 10008 // JUKEBOX in version 3
	statusExpired = 10011
	statusGrace   = 10013
	statusWrong   = 10016 // WRONGSEC
)

var statusNames = map[uint32]string{
	1: "PERM", 2: "NOENT", 5: "IO", 6: "NXIO", 13: "ACCES", 17: "EXIST", 18: "XDEV", 19: "NODEV", 20: "NOTDIR", 21: "ISDIR", 22: "INVAL",
	27: "FBIG", 28: "NOSPC", 30: "ROFS", 31: "MLINK", 63: "NAMETOOLONG", 66: "NOTEMPTY", 69: "DQUOT", 70: "STALE", 71: "REMOTE",
	10001: "BADHANDLE", 10002: "NOT_SYNC", 10003: "BAD_COOKIE", 10004: "NOTSUPP", 10005: "TOOSMALL", 10006: "SERVERFAULT", 10007: "BADTYPE",
	10008: "JUKEBOX", 10011: "EXPIRED", 10013: "GRACE", 10016: "WRONGSEC", 10018: "RESOURCE", 10021: "MINOR_VERS_MISMATCH", 10022: "STALE_CLIENTID",
	10052: "BADSESSION",
}

// statusName is the RFC's name of a status, or its number.
func statusName(vers, s uint32) string {
	if vers == 4 && s == statusDelay {
		return "DELAY"
	}
	if n := statusNames[s]; n != "" {
		return n
	}
	return strconv.FormatUint(uint64(s), 10)
}

// statusWords say what a MOUNT status means to an operator.
var statusWords = map[uint32]string{
	1:     "not permitted: root squash, or a source port that is not privileged",
	2:     "the path does not exist on the server",
	5:     "the server had an I/O error",
	13:    "the export refuses this client",
	20:    "the path is not a directory",
	22:    "the server calls the request invalid",
	63:    "the path is too long",
	10004: "the server does not support this",
	10006: "the server failed inside",
}

func readPath(args []byte) (string, bool) {
	x := xdr{b: args}
	p := x.opaque(maxPath)
	return string(p), !x.short
}

// mountAnswered decides a call to mountd by its accepted reply.
func (t *tracker) mountAnswered(f *wire.Frame, m *message, c *call, out *track.Out) {
	r := c.request
	if c.proc != procMNT {
		if c.proc != procUMNT && c.proc != procUMNTALL || r.decided {
			r.report(track.Answered, "", out)
		}
		return
	}
	x := xdr{b: m.body}
	status := x.u32()
	switch {
	case x.short:
		r.report(track.Answered, "", out) // the status was not captured
	case status == 0:
		r.report(track.Answered, "", out)
		t.mounted(f, c, out)
	default:
		r.report(track.Refused, fmt.Sprintf("status %d %s", status, statusName(c.vers, status)), out)
		t.denied(f, c, status, out)
	}
}
