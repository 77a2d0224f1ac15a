package rpc

import (
	"bytes"
	"encoding/binary"
)

// Limits of record marking (RFC 5531 section 11).
const (
	// headLen is how much of a record that is spread over segments is kept:
	// both authentication bodies of ordinary size and the first arguments. A
	// record that stands in one segment is read where it is, in full.
	headLen = 512
	// maxFragment bounds a plausible fragment: NFS transfers 1 MiB at most on
	// common servers, 4 MiB on the largest.
	maxFragment = 16 << 20
	// maxJump is the largest gap in the sequence that is taken for loss; more
	// is another connection, or nonsense.
	maxJump = 1 << 24
)

const (
	lastFragment = 1 << 31
	lengthMask   = lastFragment - 1
)

// A lane takes the segments of one direction of a TCP connection and yields
// the RPC messages that begin in them. It keeps no more than the head of one
// record. Where it has lost the record boundaries (the capture began in the
// middle, segments are missing), it looks for the next record that begins
// plausibly; what it then yields is a guess, see refuse.
type lane struct {
	known  bool // next is valid
	synced bool // the boundaries are known
	next   uint32
	// A late segment for the last gap is read by itself.
	holeFrom, holeTo uint32

	left    uint32 // bytes of the current fragment still to come
	nmark   uint8  // bytes of the mark collected; 4: inside a fragment
	mark    [4]byte
	more    bool   // the current fragment is not the record's last
	given   bool   // the current record's message was yielded
	calling bool   // it was a call
	xid     uint32 // of that call
	have    uint16
	head    [headLen]byte

	// Of the segment being read.
	buf   []byte
	gone  int  // bytes behind buf that were on the wire and not captured
	flush bool // yield the incomplete head: its rest is lost
	rest  []byte

	tentative bool // the record being read was found by scanning
	guess     bool // so was the message yielded last
}

// syn begins a stream whose first byte is seq.
func (l *lane) syn(seq uint32) {
	*l = lane{known: true, synced: true, next: seq}
}

// begin takes the next segment: p of n bytes on the wire were captured. It
// reports false for a retransmission, of which nothing is read. What fills the
// last gap goes to side, if side is not nil, and begin reports false as well.
func (l *lane) begin(seq uint32, p []byte, n int, side *lane) bool {
	l.flush, l.rest = false, nil
	if !l.known {
		l.known, l.next = true, seq
	}
	d := int32(seq - l.next)
	switch {
	case d > maxJump || d < -maxJump:
		l.lose()
		l.next = seq
		l.holeFrom, l.holeTo = 0, 0
	case d > 0:
		l.holeFrom, l.holeTo = l.next, seq
		l.pass(uint32(d))
	case d < 0:
		if int(-d) >= n {
			if side != nil && l.fills(seq, uint32(n)) {
				// What follows is read already: a head that is not whole here
				// is yielded as it is.
				*side = lane{known: true, next: seq + uint32(n), buf: p, gone: maxFragment}
			}
			return false
		}
		p = p[min(int(-d), len(p)):]
		n -= int(-d)
		seq = l.next
	}
	l.next = seq + uint32(n)
	l.buf, l.gone = p, n-len(p)
	return true
}

// fills reports whether n bytes at seq lie in the last gap, and takes them out
// of it.
func (l *lane) fills(seq, n uint32) bool {
	if l.holeFrom == l.holeTo || int32(seq-l.holeFrom) < 0 || int32(l.holeTo-(seq+n)) < 0 {
		return false
	}
	if seq == l.holeFrom {
		l.holeFrom += n
	} else {
		l.holeTo = seq
	}
	return true
}

// pass moves over n bytes that nobody captured. Inside a fragment's body they
// do no harm.
func (l *lane) pass(n uint32) {
	if !l.synced {
		return
	}
	if l.nmark != 4 || n > l.left {
		l.flush = l.have > 0 && !l.given
		l.desync()
		return
	}
	if !l.given {
		l.flush = l.have > 0
		l.given = true
	}
	l.left -= n
	l.endFragment()
}

func (l *lane) desync() {
	l.synced, l.left, l.nmark, l.more, l.given = false, 0, 0, false, false
	if !l.flush {
		l.have = 0
	}
}

func (l *lane) lose() {
	l.flush = false
	l.desync()
}

// endFragment closes the fragment when nothing of it is left.
func (l *lane) endFragment() {
	if l.nmark != 4 || l.left > 0 {
		return
	}
	l.nmark = 0
	if !l.more {
		l.given = false
		if !l.flush {
			l.have = 0
		}
	}
}

// message yields the next message of the segment, as far as captured and at
// least its first headLen bytes if it has them, or nil at the segment's end.
// The bytes are valid until the next call of message or begin.
func (l *lane) message() []byte {
	l.guess = false
	if l.flush {
		return l.partial()
	}
	for {
		if !l.synced {
			i := scan(l.buf)
			if i < 0 {
				l.buf = nil
				return nil
			}
			l.buf = l.buf[i:]
			l.rest = l.buf[1:]
			l.synced, l.tentative = true, true
		}
		if l.nmark < 4 {
			k := copy(l.mark[l.nmark:], l.buf)
			l.nmark += uint8(k)
			l.buf = l.buf[k:]
			if l.nmark < 4 {
				return l.end()
			}
			v := binary.BigEndian.Uint32(l.mark[:])
			l.left, l.more = v&lengthMask, v&lastFragment == 0
			if l.left > maxFragment {
				l.lose()
				continue
			}
			l.endFragment()
			continue
		}
		avail := min(len(l.buf), int(l.left))
		if l.given {
			l.take(avail)
			if l.nmark == 4 {
				return l.end()
			}
			continue
		}
		if want := min(int(l.left), headLen); l.have == 0 && avail >= want && (!l.more || want == headLen) {
			m := l.buf[:avail]
			l.yield()
			l.take(avail)
			return m
		}
		k := copy(l.head[l.have:], l.buf[:avail])
		l.have += uint16(k)
		if l.have == headLen || int(l.left) == k && !l.more {
			m := l.head[:l.have]
			l.yield()
			l.take(k)
			return m
		}
		l.take(k)
		if l.nmark == 4 {
			return l.end()
		}
	}
}

func (l *lane) yield() {
	l.given = true
	l.guess, l.tentative = l.tentative, false
}

// partial yields a head whose rest is lost.
func (l *lane) partial() []byte {
	m := l.head[:l.have]
	l.flush, l.have = false, 0
	l.guess, l.tentative = l.tentative, false
	return m
}

// take passes k bytes of the current fragment.
func (l *lane) take(k int) {
	l.buf = l.buf[k:]
	l.left -= uint32(k)
	l.endFragment()
}

// end is the end of the captured bytes: what was cut behind them is passed,
// and a head that it cut off is yielded as it is.
func (l *lane) end() []byte {
	g := l.gone
	l.gone = 0
	if g == 0 {
		return nil
	}
	l.pass(uint32(g))
	if l.flush {
		return l.partial()
	}
	return nil
}

// unfinished is the xid of a call that was yielded and whose record is not at
// its end yet.
func (l *lane) unfinished() (xid uint32, ok bool) {
	return l.xid, l.synced && l.given && l.calling && l.nmark == 4
}

// refuse says that the message yielded last was none: the lane has lost the
// boundaries and goes on looking behind where that message seemed to begin.
func (l *lane) refuse() {
	if l.guess && l.rest != nil {
		l.buf = l.rest
	}
	l.tentative = false
	l.lose()
}

// scan finds the next place where a record with an RPC message seems to begin:
// a mark with a plausible length, a message type, and what must follow it.
func scan(b []byte) int {
	for i := 0; ; i++ {
		k := bytes.IndexByte(b[min(i, len(b)):], lastFragment>>24)
		if k < 0 {
			return -1
		}
		i += k
		if plausible(b[i:]) {
			return i
		}
	}
}

// plausible reports whether b begins with the mark of a record of one fragment
// and the head of a call or a reply. XDR keeps everything at multiples of four.
func plausible(b []byte) bool {
	if len(b) < 4+minDeniedReply {
		return false
	}
	n := binary.BigEndian.Uint32(b) & lengthMask
	if n < minDeniedReply || n > maxFragment || n%4 != 0 {
		return false
	}
	m := b[4:]
	switch binary.BigEndian.Uint32(m[4:]) {
	case 0:
		if n < callHeader+16 || len(m) < callHeader || binary.BigEndian.Uint32(m[8:]) != 2 {
			return false
		}
		if binary.BigEndian.Uint32(m[12:]) > maxProgram || binary.BigEndian.Uint32(m[20:]) > maxProcedure {
			return false
		}
		return len(m) < callHeader+8 || binary.BigEndian.Uint32(m[callHeader+4:]) <= maxAuthBody
	case 1:
		switch binary.BigEndian.Uint32(m[8:]) {
		case 0:
			return n >= minAcceptedReply && len(m) >= minAcceptedReply && binary.BigEndian.Uint32(m[16:]) <= maxAuthBody
		case 1:
			return n <= 24 && binary.BigEndian.Uint32(m[12:]) <= rejectAuthError
		}
	}
	return false
}
