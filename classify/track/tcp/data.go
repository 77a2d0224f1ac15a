package tcp

import (
	"time"

	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	// flushBytes of a stream are added to its series in one go.
	flushBytes = 64 << 10
	// maxJump is the largest step of the sequence numbers that is taken for
	// data; a larger one is another connection or nonsense.
	maxJump = 1 << 28
)

// Frame reads a segment, or an ICMP error about one. It is the hot path.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	switch {
	case f.Proto != wire.ProtoTCP:
		t.icmp(f, out)
		return true
	case f.TCP.Flags&(wire.SYN|wire.RST) != 0:
		t.control(f, out)
		return true
	case f.Copy:
		return false
	}
	var s *stream
	d := int(out.Place / numStreams & 1)
	if out.Place != 0 {
		s = &t.streams.slots[out.Place%numStreams]
	}
	if s == nil || !s.is(f, d) {
		if s, d, news = t.find(f, out); s == nil {
			return false
		}
	}
	idle := f.Time.Sub(s.last)
	s.last = f.Time
	if f.TCP.Flags&wire.ACK != 0 {
		if !s.established && d == byClient { // in this order: the side is unpredictable
			t.established(s, f, out)
			news = true
		}
		other := d ^ 1
		o, flags := &s.dir[other], &s.flags[other]
		if ack := f.TCP.Ack; *flags&hasAck == 0 || after(ack, o.acked) {
			o.acked = ack
			*flags |= hasAck
			if *flags&^(*flags>>1)&(hasBig|hasSmall) != 0 { // sent, and not acknowledged
				news = t.acknowledged(s, other, out) || news
			}
		}
		if *flags&inTrouble != 0 {
			t.heard(s, other, f)
		}
	}
	if f.PayloadLen > 0 {
		news = t.data(s, d, idle, f, out) || news
	}
	if f.TCP.Flags&wire.FIN != 0 {
		t.ended(f, out)
		news = true
	}
	return news
}

// find looks for the stream of f, or begins one in the middle, which may be news,
// and leaves its place with the frame's Route.
func (t *tracker) find(f *wire.Frame, out *track.Out) (s *stream, d int, news bool) {
	if s, d = t.streams.find(f); s == nil {
		if s, d = t.joined(f, out); s == nil {
			return nil, 0, false
		}
		news = true
	}
	out.Place = 0
	if !s.wide {
		out.Place = isHint | uint16(d)*numStreams | s.place
	}
	return s, d, news
}

// data reads the payload of side d, after the stream was idle for some time.
func (t *tracker) data(s *stream, d int, idle time.Duration, f *wire.Frame, out *track.Out) (news bool) {
	d &= 1
	n, seq, x := f.PayloadLen, f.TCP.Seq, &s.dir[d]
	end := seq + uint32(n)
	switch {
	case s.flags[d]&hasNext == 0:
		s.flags[d] |= hasNext
		x.next = seq
		fallthrough
	case after(end, x.next):
		step := end - x.next
		if step > maxJump {
			step = uint32(n)
		}
		x.next = end
		if d == byServer {
			if s.bytes += step; s.bytes >= flushBytes {
				t.flush(s, f, d)
				news = true
			}
		}
		s.sent(d, n, end)
		return news
	}
	t.repeated(s, d, idle, f, out)
	return true
}

// sent notes the first segment of either size, until both are acknowledged.
func (s *stream) sent(d, n int, end uint32) {
	if n >= bigSegment {
		if s.flags[d]&hasBig == 0 {
			s.flags[d] |= hasBig
			s.dir[d].bigEnd = end
		}
		return
	}
	if s.flags[d]&hasSmall == 0 {
		s.flags[d] |= hasSmall
		s.dir[d].smallEnd = end
	}
}

// acknowledged notes what sizes got through in direction d.
func (t *tracker) acknowledged(s *stream, d int, out *track.Out) (news bool) {
	x, flags := &s.dir[d], &s.flags[d]
	if *flags&(hasSmall|smallAcked) == hasSmall && !after(x.smallEnd, x.acked) {
		*flags |= smallAcked
	}
	if *flags&(hasBig|bigAcked) == hasBig && !after(x.bigEnd, x.acked) {
		*flags |= bigAcked
		if *flags&inTrouble != 0 {
			t.recovered(s, d, out)
			return true
		}
	}
	return false
}

// joined begins a stream in the middle, when its ports tell the server.
func (t *tracker) joined(f *wire.Frame, out *track.Out) (*stream, int) {
	flow, d := f.Flow(), byClient
	id, toServer := t.services.Of(flow, f.Time)
	if id == "" {
		return nil, 0
	}
	if !toServer {
		flow, d = flow.Reverse(), byServer
	}
	t.accepted(flow, d, f, out)
	s := t.streams.put(flow, f)
	s.joined, s.established = true, true
	return s, d
}

// accepted takes a segment of a connection as the answer to its SYN, where the
// SYN/ACK itself was not captured.
func (t *tracker) accepted(flow wire.Flow, d int, f *wire.Frame, out *track.Out) {
	a := t.attempts.Get(flow)
	if a == nil || !a.begun || a.answers > 0 || f.TCP.Flags&wire.ACK == 0 {
		return
	}
	at := f.TCP.Seq
	if d == byServer {
		at = f.TCP.Ack
	}
	if at-(a.isn+1) > maxJump {
		return
	}
	a.answers = 1
	if k, s := t.known(flow); s != nil {
		t.answered(k, s, a, f, out)
	}
}

// open begins the stream of a connection that the server accepted with f.
func (t *streams) open(flow wire.Flow, f *wire.Frame, mss [2]uint16) {
	if !t.wanted(f) {
		return
	}
	s := t.put(flow, f)
	t.ends[s.place].mss = mss
	for d, next := range []uint32{f.TCP.Ack, f.TCP.Seq + 1} {
		s.dir[d].next, s.dir[d].acked = next, next
		s.flags[d] = hasNext | hasAck
	}
}

// flush adds the bytes of s, of which side d sent f, to its series. f is nil at
// the end of the capture.
func (t *tracker) flush(s *stream, f *wire.Frame, d int) {
	flow := t.streams.flow(s)
	k, v := t.known(flow)
	if v == nil && f != nil {
		_, v = t.begin(flow, f.Time)
	}
	if v == nil || s.bytes == 0 {
		return
	}
	if f != nil {
		v.meet(f, d == byClient)
	}
	e := &v.episode
	switch e.outcome {
	case track.Answered:
	case track.Open:
		*e = episode{outcome: track.Answered, first: s.last, detail: "already running"}
	default:
		return // an old connection goes on, new ones fail: that is the news
	}
	e.bytes += int64(s.bytes)
	e.last = max(e.last, s.last)
	e.changed = true
	s.bytes = 0
	t.schedule(k, v)
}

// ended reads a FIN or RST of either side.
func (t *tracker) ended(f *wire.Frame, out *track.Out) {
	s, d := t.streams.find(f)
	if s == nil {
		return
	}
	t.flush(s, f, d)
	k, v := t.known(t.streams.flow(s))
	if v == nil || v.episode.outcome != track.Answered {
		return
	}
	e := &v.episode
	if complete := f.TCP.Flags&wire.FIN != 0; e.complete != complete {
		e.complete, e.changed = complete, true
	}
	if e.changed && f.Time.Sub(e.told) >= retell {
		t.tell(k, v, f.Time, out)
	}
	t.schedule(k, v)
}
