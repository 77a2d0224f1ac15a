package rpc

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// NFS procedures and operations that the tracker tells apart.
const (
	procNull     = 0
	procFSInfo   = 19 // version 3; asked of a mount's root and of nothing else
	procCompound = 1  // version 4

	opPutRootFH = 24 // RFC 7530 section 16.22
	opSequence  = 53 // RFC 8881 section 18.46
	// sequenceArgs are sessionid, sequence and slot ids and cachethis.
	sequenceArgs = 16 + 4*4
	maxTag       = 1024
)

// A certainty is an answer that the captured bytes may not give.
type certainty uint8

const (
	no certainty = iota
	maybe
	yes
)

// entersRoot tells whether a COMPOUND call starts at the server's root, as a
// client does when it mounts.
func entersRoot(args []byte) certainty {
	x := xdr{b: args}
	x.opaque(maxTag)
	x.u32() // minor version
	n := x.u32()
	op := x.u32()
	if op == opSequence && n > 1 {
		x.skip(sequenceArgs)
		op = x.u32()
	}
	switch {
	case x.short:
		return maybe
	case n > 0 && op == opPutRootFH:
		return yes
	}
	return no
}

func (t *tracker) nfsCall(f *wire.Frame, m *message, c *call) {
	p := c.pair
	if m.vers == 4 && m.proc == procCompound {
		c.walksRoot = entersRoot(m.body)
	}
	if p.machine == "" && m.machine != nil {
		p.named(m.machine)
	}
	if !unicast(f) {
		return
	}
	p.nfs.start(t, p, f, c)
	p.nfs.calls++
}

// nfsReply reads the status of an accepted reply.
func (t *tracker) nfsReply(f *wire.Frame, m *message, c *call, out *track.Out) {
	p := c.pair
	w := &p.nfs
	i := 1
	if c.proc == procNull {
		i = 0
	}
	x := xdr{b: m.body}
	status := x.u32()
	if !m.accepted() {
		return
	}
	if x.short && i == 1 {
		if c.walksRoot != no {
			t.mountedV4(p, f, c, false, out) // the status was not captured: the benefit of the doubt
		}
		return
	}
	if !w.seen[i] {
		w.seen[i] = true
		t.firstNFS(f, c, status, i, out)
	}
	if i == 0 {
		return
	}
	switch status {
	case 0:
		w.busy = 0
		if c.walksRoot != no {
			t.mountedV4(p, f, c, true, out)
		}
	case statusDelay, statusGrace:
		t.nfsBusy(f, c, status, out)
	default:
		w.busy = 0
		t.nfsError(f, c, status, out)
	}
}

// firstNFS reports the first answered call, and the first one that asks for
// something.
func (t *tracker) firstNFS(f *wire.Frame, c *call, status uint32, i int, out *track.Out) {
	p := c.pair
	w := watch{vers: c.vers, proc: c.proc, from: c.from, port: c.port, again: c.tries - 1}
	e := w.exchange(p, track.Answered, []capture.FrameID{c.frame, f.ID}, c.first, f.Time)
	if p.machine != "" {
		e.Detail = fmt.Sprintf("machine %q", p.machine)
	}
	if i == 1 && status != 0 {
		note(&e, "status "+statusName(c.vers, status))
	}
	out.Exchange(e)
}
