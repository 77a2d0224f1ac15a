// Package traffic plays hours of a provisioning network in seconds: hundreds of
// nodes that boot, load, resolve, log and are logged in to, for benchmarks. The
// same seed gives the same packets on every machine.
//
// It is for speed, not for diagnosis: payloads are bytes of a pool, and what is
// not answered is a fixed share. Scenarios of package synth are exact instead.
package traffic

import (
	"encoding/binary"
	"io"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

// A Source plays traffic until a limit. It is a capture.Source; the Data of its
// packets stays valid.
type Source struct {
	talks   heap
	packets uint64 // limits, 0: none
	bytes   uint64
	info    capture.FileInfo
}

// record is what a packet costs in a pcap file beside its data.
const record = 16

// minFrame is the length of the shortest Ethernet frame without its FCS.
const minFrame = 60

// Packets ends the source after n packets.
func (s *Source) Packets(n uint64) *Source {
	s.packets = n
	return s
}

// Bytes ends the source when a pcap file of it has n bytes.
func (s *Source) Bytes(n uint64) *Source {
	s.bytes = n
	return s
}

// Next implements capture.Source. A source without a limit does not end.
func (s *Source) Next(p *capture.Packet) error {
	i := &s.info
	if s.packets != 0 && i.Packets >= s.packets || s.bytes != 0 && i.Bytes+i.Packets*record >= s.bytes || len(s.talks) == 0 {
		return io.EOF
	}
	t := s.talks[0]
	b := t.frame
	for len(b) < minFrame {
		b = append(b, 0)
	}
	*p = capture.Packet{ID: capture.NewFrameID(0, i.Packets+1), Time: synth.Start.Add(t.at), Link: capture.LinkEthernet, WireLen: len(b), Data: b}
	if i.Packets == 0 {
		i.First = p.Time
	}
	i.Packets++
	i.Bytes += uint64(len(b))
	i.Last = p.Time
	s.talks.next()
	return nil
}

// Files implements capture.Source.
func (s *Source) Files() []capture.FileInfo { return []capture.FileInfo{s.info} }

// Interfaces implements capture.Source.
func (s *Source) Interfaces() []capture.Interface {
	return []capture.Interface{{Link: capture.LinkEthernet}}
}

// Close implements capture.Source.
func (s *Source) Close() error {
	for _, t := range s.talks {
		t.stop()
	}
	s.talks = nil
	return nil
}

// add starts a host at an offset.
func (s *Source) add(at time.Duration, h *host, script func(*host)) {
	t := &talk{at: at, no: len(s.talks)}
	t.pull, t.stop = iter.Pull2(func(yield func(time.Duration, []byte) bool) {
		defer func() {
			if r := recover(); r != nil && r != errStopped {
				panic(r)
			}
		}()
		h.yield = yield
		script(h)
	})
	if t.more() {
		s.talks.push(t)
	}
}

// A talk is what one host sends and is sent, in order.
type talk struct {
	at    time.Duration // of frame
	no    int           // parts equal times
	frame []byte
	pull  func() (time.Duration, []byte, bool)
	stop  func()
}

func (t *talk) more() bool {
	gap, frame, ok := t.pull()
	t.at += gap
	t.frame = frame
	return ok
}

func (t *talk) before(u *talk) bool { return t.at < u.at || t.at == u.at && t.no < u.no }

// A heap has the talk with the earliest frame first.
type heap []*talk

func (h *heap) push(t *talk) {
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0 && s[i].before(s[(i-1)/2]); i = (i - 1) / 2 {
		s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
	}
}

// next moves the first talk on.
func (h *heap) next() {
	s := *h
	if !s[0].more() {
		n := len(s) - 1
		s[0], s[n] = s[n], nil
		s = s[:n]
		*h = s
	}
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(s) {
			return
		}
		if c+1 < len(s) && s[c+1].before(s[c]) {
			c++
		}
		if !s[c].before(s[i]) {
			return
		}
		s[i], s[c] = s[c], s[i]
		i = c
	}
}

// A stopped ends a script whose source was closed.
type stopped struct{}

func (stopped) Error() string { return "traffic: the source was closed" }

var errStopped error = stopped{}

// A host is a machine with a script.
type host struct {
	synth.Host
	rnd   *rand.Rand
	pool  []byte
	yield func(time.Duration, []byte) bool
	port  uint16        // ephemeral, used last
	rtt   time.Duration // between a frame and its answer
	wait  time.Duration
	ipid  uint16
	xid   uint32
}

// poolSize is the payload that all hosts draw from, in bytes.
const poolSize = 16 << 20

// newPool makes payload that gzip shrinks by a tenth, as a disk image does.
func newPool(seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, poolSize)
	for i := 0; i < len(b); i += 8 {
		x := rnd.Uint64()
		if i%80 == 0 {
			x = 0
		}
		binary.LittleEndian.PutUint64(b[i:], x)
	}
	return b
}

func newHost(seed, no uint64, pool []byte) *host {
	h := &host{rnd: rand.New(rand.NewPCG(seed, 100+no)), pool: pool, port: 32768 + uint16(no*61%16384), rtt: 300 * time.Microsecond, xid: uint32(no) << 18}
	mac := [6]byte{0xd4, 0xae, 0x52, 1, byte(no >> 8), byte(no)}
	h.Host = synth.Host{MAC: mac, IP: addr(10, 1, byte(no>>8), byte(no))}
	return h
}

// pause lets time pass before the next frame: between a half and three halves of d.
func (h *host) pause(d time.Duration) { h.wait += d/2 + time.Duration(h.rnd.Int64N(int64(d)+1)) }

func (h *host) put(frame []byte) {
	d := h.wait
	h.wait = 0
	if !h.yield(d, frame) {
		panic(errStopped)
	}
}

// bytes are n bytes of the pool.
func (h *host) bytes(n int) []byte {
	at := h.rnd.IntN(len(h.pool) - n)
	return h.pool[at : at+n]
}

// ephemeral is a port for a new conversation.
func (h *host) ephemeral() uint16 {
	if h.port++; h.port < 32768 || h.port >= 61000 {
		h.port = 32768
	}
	return h.port
}

func (h *host) ip() synth.IP {
	h.ipid++
	return synth.IP{ID: h.ipid}
}

func (h *host) udp(from, to synth.Host, sport, dport uint16, payload []byte) {
	h.put(h.ip().UDP(from, to, sport, dport, payload))
	h.pause(h.rtt)
}
