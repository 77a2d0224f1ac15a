// Package synth builds frames and whole captures in memory, for tests and
// demonstrations. A scenario is a Capture to which frames are added at times;
// the gates of a poor capture (starts late, one direction, cut, duplicated)
// are functions from Capture to Capture.
package synth

import (
	"io"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Start is the time of offset 0 in every Capture: 2026-01-02 03:04:05 UTC.
var Start = capture.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())

// A Packet is one frame of a Capture.
type Packet struct {
	At      time.Duration // after Start
	Data    []byte
	WireLen int // 0: len(Data)
	Iface   int
	Link    capture.LinkType // zero value LinkNull means Ethernet here unless Null is set
	Null    bool
}

// A Capture is a sequence of packets in file order.
type Capture struct {
	Packets []Packet
	Ifaces  []capture.Interface // default: one, eth0, Ethernet
}

// Add appends an Ethernet frame at an offset.
func (c *Capture) Add(at time.Duration, frame []byte) *Capture {
	c.Packets = append(c.Packets, Packet{At: at, Data: frame})
	return c
}

// Join appends the packets of others and sorts by time, stably.
func (c *Capture) Join(others ...*Capture) *Capture {
	for _, o := range others {
		c.Packets = append(c.Packets, o.Packets...)
	}
	slices.SortStableFunc(c.Packets, func(a, b Packet) int { return int(a.At - b.At) })
	return c
}

// clone copies the list of packets, not their bytes.
func (c *Capture) clone() *Capture {
	return &Capture{Packets: slices.Clone(c.Packets), Ifaces: c.Ifaces}
}

// From is the capture started late: packets before at are missing.
func (c *Capture) From(at time.Duration) *Capture {
	return c.Only(func(p Packet) bool { return p.At >= at })
}

// Until is the capture ended early: packets after at are missing.
func (c *Capture) Until(at time.Duration) *Capture {
	return c.Only(func(p Packet) bool { return p.At <= at })
}

// Only keeps the packets for which keep is true.
func (c *Capture) Only(keep func(Packet) bool) *Capture {
	n := c.clone()
	n.Packets = slices.DeleteFunc(n.Packets, func(p Packet) bool { return !keep(p) })
	return n
}

// OneWay keeps what the host with this Ethernet address does not send.
func (c *Capture) OneWay(without [6]byte) *Capture {
	return c.Only(func(p Packet) bool { return len(p.Data) < 12 || [6]byte(p.Data[6:12]) != without })
}

// Doubled is a SPAN port that shows both directions: each packet comes again
// 300 microseconds later.
func (c *Capture) Doubled() *Capture {
	n := c.clone()
	for _, p := range c.Packets {
		p.At += 300 * time.Microsecond
		n.Packets = append(n.Packets, p)
	}
	return n.Join()
}

// Snapped cuts each packet to n bytes.
func (c *Capture) Snapped(n int) *Capture {
	d := c.clone()
	for i := range d.Packets {
		p := &d.Packets[i]
		if p.WireLen == 0 {
			p.WireLen = len(p.Data)
		}
		p.Data = p.Data[:min(n, len(p.Data))]
	}
	return d
}

// StepBack sets the clock back by d from the packet at or after at on; the
// order of packets stays.
func (c *Capture) StepBack(at, d time.Duration) *Capture {
	n := c.clone()
	for i := range n.Packets {
		if n.Packets[i].At >= at {
			n.Packets[i].At -= d
		}
	}
	return n
}

// Tagged puts an 802.1Q tag on each packet.
func (c *Capture) Tagged(vid uint16) *Capture {
	n := c.clone()
	for i := range n.Packets {
		p := &n.Packets[i]
		d := make([]byte, 0, len(p.Data)+4)
		d = append(d, p.Data[:12]...)
		d = append(d, 0x81, 0x00, byte(vid>>8), byte(vid))
		p.Data = append(d, p.Data[12:]...)
		if p.WireLen != 0 {
			p.WireLen += 4
		}
	}
	return n
}

// Source plays the capture as a capture.Source of one file named name.
func (c *Capture) Source(name string) capture.Source {
	s := &source{c: c, info: capture.FileInfo{Name: name, Format: "pcap", Links: []capture.LinkType{capture.LinkEthernet}}}
	s.ifaces = c.Ifaces
	if len(s.ifaces) == 0 {
		s.ifaces = []capture.Interface{{Name: "eth0", Link: capture.LinkEthernet}}
	}
	return s
}

type source struct {
	c      *Capture
	next   int
	info   capture.FileInfo
	ifaces []capture.Interface
}

func (s *source) Next(p *capture.Packet) error {
	if s.next >= len(s.c.Packets) {
		return io.EOF
	}
	q := &s.c.Packets[s.next]
	s.next++
	link := q.Link
	if link == capture.LinkNull && !q.Null {
		link = capture.LinkEthernet
	}
	*p = capture.Packet{
		ID: capture.NewFrameID(0, uint64(s.next)), Time: Start.Add(q.At), Link: link, Iface: q.Iface,
		WireLen: max(q.WireLen, len(q.Data)), Data: q.Data,
	}
	if s.info.Packets == 0 {
		s.info.First = p.Time
	}
	s.info.Packets++
	s.info.Bytes += uint64(p.WireLen)
	s.info.Last = max(s.info.Last, p.Time)
	return nil
}

func (s *source) Files() []capture.FileInfo       { return []capture.FileInfo{s.info} }
func (s *source) Interfaces() []capture.Interface { return s.ifaces }
func (s *source) Close() error                    { return nil }
