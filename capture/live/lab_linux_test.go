package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
)

// limit is when a test gives up waiting for the kernel.
const limit = 20 * time.Second

// A lab is where a capture is tested: in Near, of what comes from Far.
type lab struct {
	*netlab.Lab
	t *testing.T
}

func newLab(t *testing.T, pairs ...string) *lab {
	t.Helper()
	return &lab{netlab.New(t, pairs...), t}
}

// frame is one of a type that nothing answers, with a number in it.
func frame(n uint32, size int) []byte {
	f := make([]byte, size)
	copy(f, []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}) // IEEE 802 local experimental
	binary.BigEndian.PutUint32(f[14:], n)
	for i := 18; i < size; i++ {
		f[i] = byte(i) ^ byte(n)
	}
	return f
}

func number(data []byte) uint32 {
	if len(data) < 18 || data[12] != 0x88 || data[13] != 0xb5 {
		return 0
	}
	return binary.BigEndian.Uint32(data[14:])
}

func numbered(first, n uint32, size int) (list [][]byte) {
	for i := range n {
		list = append(list, frame(first+i, size))
	}
	return list
}

// notices collects what a capture says.
type notices struct {
	mu   sync.Mutex
	list []string
}

func (n *notices) add(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, s)
}

func (n *notices) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.list, "\n")
}

// A session is a capture under test.
type session struct {
	*Capture
	t     *testing.T
	said  *notices
	ticks int
}

func (l *lab) open(o Options) *session {
	l.t.Helper()
	s := &session{t: l.t, said: &notices{}}
	if o.NetNS == "" {
		o.NetNS = l.Near
	}
	if o.Tick == 0 {
		o.Tick = 10 * time.Millisecond
	}
	o.Notice = s.said.add
	c, err := Open(o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	s.Capture = c
	return s
}

// A kept packet has its own data.
type kept struct {
	capture.Packet
	data []byte
}

func keep(p *capture.Packet) kept { return kept{*p, append([]byte(nil), p.Data...)} }

// until reads until done is satisfied, and fails when that takes too long.
func (s *session) until(what string, done func(p *capture.Packet) bool) {
	s.t.Helper()
	end := time.Now().Add(limit)
	var p capture.Packet
	for {
		if err := s.Next(&p); err != nil {
			s.t.Fatalf("while waiting for %s: %v", what, err)
		}
		if p.Tick() {
			s.ticks++
		}
		if done(&p) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("gave up waiting for %s; it said:\n%s", what, s.said)
		}
	}
}

// take reads n packets.
func (s *session) take(n int) (list []kept) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d packets", n), func(p *capture.Packet) bool {
		if !p.Tick() {
			list = append(list, keep(p))
		}
		return len(list) == n
	})
	return list
}

// rest stops the capture and reads what is left.
func (s *session) rest() (list []kept) {
	s.t.Helper()
	s.Stop()
	var p capture.Packet
	for {
		err := s.Next(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if !p.Tick() {
			list = append(list, keep(&p))
		}
	}
}

// waitFor reads until the capture has said something.
func (s *session) waitFor(text string) {
	s.t.Helper()
	s.until("the notice "+text, func(*capture.Packet) bool { return strings.Contains(s.said.String(), text) })
}
