package cli

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// A mould makes frames of one kind that differ in client, transaction and
// address, without building each.
type mould struct {
	frame           []byte
	mac, xid, addrs []int // where they stand
}

// What stands in a mould for what differs.
const (
	mouldMAC  = "02:c0:ff:ee:ba:be"
	mouldXID  = 0xabad1dea
	mouldAddr = "10.99.98.97"
)

func newMould(frame []byte) *mould {
	m := &mould{frame: bytes.Clone(frame)}
	find := func(what ...byte) (at []int) {
		for i := range frame {
			if bytes.HasPrefix(frame[i:], what) {
				at = append(at, i)
			}
		}
		return at
	}
	m.mac, m.xid, m.addrs = find(0x02, 0xc0, 0xff, 0xee, 0xba, 0xbe), find(0xab, 0xad, 0x1d, 0xea), find(10, 99, 98, 97)
	m.frame[40], m.frame[41] = 0, 0 // UDP without a checksum
	return m
}

// cast makes the frame of client n. It is valid until the next one.
func (m *mould) cast(n uint32, addr uint32) []byte {
	for _, at := range m.mac {
		binary.BigEndian.PutUint32(m.frame[at+2:], n*2654435761) // all different, none near the last
	}
	for _, at := range m.xid {
		binary.BigEndian.PutUint32(m.frame[at:], n)
	}
	for _, at := range m.addrs {
		binary.BigEndian.PutUint32(m.frame[at:], addr)
	}
	return m.frame
}

// A starvation is the traffic of an attack on a DHCP server: so many made-up
// clients, one after another, through which the machines of boots come.
type starvation struct {
	clients  int
	gap      time.Duration // between two clients
	tries    int           // DISCOVERs of each, three seconds apart
	offered  bool          // the server answers
	leases   int           // and gives so many addresses away
	machines *synth.Capture

	streams []attackStream
	next    int // of machines
	info    capture.FileInfo
	halfway func() // called in the middle, and at the end
}

// An attackStream is what all clients send, or get, at the same time after
// their beginning.
type attackStream struct {
	*mould
	after  time.Duration
	client uint32
	limit  uint32
}

func (s *starvation) start() *starvation {
	c, place := synth.Udhcpc(mouldMAC), synth.NewPlace()
	discover := c.Discover(mouldXID, 0)
	offer := place.Rack.Offer(discover, mouldAddr)
	request := c.Request(offer, 0)
	add := func(after time.Duration, limit int, frame []byte) {
		s.streams = append(s.streams, attackStream{newMould(frame), after, 0, uint32(limit)})
	}
	for i := range s.tries {
		add(time.Duration(i)*3*time.Second, s.clients, discover.Broadcast())
	}
	if s.offered {
		add(time.Millisecond, s.clients, place.Rack.Frame(offer))
		add(2*time.Millisecond, s.leases, request.Broadcast())
		add(3*time.Millisecond, s.leases, place.Rack.Frame(place.Rack.Ack(request, mouldAddr)))
	}
	s.info = capture.FileInfo{Name: "attack", Format: "live", Links: []capture.LinkType{capture.LinkEthernet}}
	return s
}

// Next implements capture.Source.
func (s *starvation) Next(p *capture.Packet) error {
	const never = time.Duration(1<<63 - 1)
	at, of := never, -1
	for i := range s.streams {
		x := &s.streams[i]
		if t := time.Duration(x.client)*s.gap + x.after; x.client < x.limit && t < at {
			at, of = t, i
		}
	}
	var data []byte
	switch {
	case s.next < len(s.machines.Packets) && s.machines.Packets[s.next].At <= at:
		m := &s.machines.Packets[s.next]
		at, data = m.At, m.Data
		s.next++
	case of < 0:
		return io.EOF
	default:
		x := &s.streams[of]
		data = x.cast(x.client, 0x0a800000+x.client%(1<<22)) // 10.128/10
		if of == 0 && int(x.client) == s.clients/2 && s.halfway != nil {
			s.halfway()
		}
		x.client++
	}
	s.info.Packets++
	s.info.Bytes += uint64(len(data))
	*p = capture.Packet{ID: capture.NewFrameID(0, s.info.Packets), Time: synth.Start.Add(at), Link: capture.LinkEthernet, WireLen: len(data), Data: data}
	s.info.Last = p.Time
	return nil
}

func (s *starvation) Files() []capture.FileInfo { return []capture.FileInfo{s.info} }
func (s *starvation) Interfaces() []capture.Interface {
	return []capture.Interface{{Name: "eth1", Link: capture.LinkEthernet}}
}
func (s *starvation) Close() error { return nil }

// counted counts what is written and keeps nothing of it.
type counted struct{ bytes, lines, longest int }

func (c *counted) Write(b []byte) (int, error) {
	c.bytes += len(b)
	c.lines += bytes.Count(b, []byte{'\n'})
	for line := range bytes.Lines(b) {
		c.longest = max(c.longest, len(line))
	}
	return len(b), nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An attack of a million made-up clients in an hour. It takes some minutes:
// without the environment variable it is a part of that, at the same rate.
const (
	attackWhole  = "PXESCOPE_LIVE_ATTACK"
	attackSecond = 278
)

// A starved is a kind of attack.
type starved struct {
	name    string
	tries   int
	offered bool
	leased  bool
	says    string // a finding of the segment
	evicted bool   // the tables are too small however few they are, and that is said
}

// Machines that were there before an attack on the DHCP server, that boot amid
// it, and one that gets no address because of it, have their verdicts; what is
// written and what is remembered is bounded, and what had to go is said.
func TestLiveUnderStarvation(t *testing.T) {
	n := 12_000
	if v, err := strconv.Atoi(os.Getenv(attackWhole)); err == nil {
		n = v
	}
	for _, c := range []starved{
		{"nobody answers", 1, false, false, "a scan or a starvation attack", false},
		{"each tries three times", 3, false, false, "a scan or a starvation attack", false},
		{"each gets an offer", 1, true, false, "", true},
		{"each gets an address", 1, true, true, "", true},
	} {
		for _, format := range []string{"ndjson", "text"} {
			t.Run(c.name+"/"+format, func(t *testing.T) { c.attack(t, n, format) })
		}
	}
}

const (
	attackMachines = 20
	attackVictim   = "d4:ae:52:00:08:01"
)

func attackMachine(i int) string { return fmt.Sprintf("d4:ae:52:00:07:%02x", i) }

func (c *starved) attack(t *testing.T, n int, format string) {
	s := &starvation{clients: n, gap: time.Second / attackSecond, tries: c.tries, offered: c.offered, machines: &synth.Capture{}}
	if c.leased {
		s.leases = n
	}
	s.start()
	whole := time.Duration(n) * s.gap
	place := synth.NewPlace()
	for i := range attackMachines { // from the first moment to half a minute before the end
		at := time.Duration(i) * (whole - 30*time.Second) / attackMachines
		place.Boot(s.machines, at+time.Millisecond/2, attackMachine(i), fmt.Sprintf("10.0.0.%d", 101+i), 0xb0070000+2*uint32(i))
	}
	victim := synth.PXERom(attackVictim)
	for _, at := range []time.Duration{0, 4, 12, 28} {
		s.machines.Add(whole-36*time.Second+at*time.Second, victim.Discover(0x888, uint16(at)).Broadcast())
	}
	s.machines.Join()
	var half uint64
	s.halfway = func() { half = heap() }
	out := &counted{}
	r := &liveRun{o: &liveOptions{}, every: newsEvery, style: text.Style{UTC: true}, src: s, s: Streams{Err: io.Discard}}
	r.out = &output{Writer: bufio.NewWriter(out), name: "test"}
	r.choice.format, r.choice.failOn = format, noSeverity
	r.teller = newTeller(r)
	r.engine = classify.New(classify.Options{OnExchange: func(x *track.Exchange) { r.teller.exchange(x) }})
	begin := time.Now()
	if err := r.loop(); err != nil {
		t.Fatal(err)
	}
	took, end, lines := time.Since(begin), heap(), out.lines
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packets in %v; heap %d KiB halfway, %d KiB at the end; %d lines of %d KiB, the longest %d KiB; %d nodes, %d findings", s.info.Packets,
		took.Round(time.Millisecond), half>>10, end>>10, lines, out.bytes>>10, out.longest>>10, len(r.report.Nodes), len(r.report.Findings))
	c.verdicts(t, r.report)
	const bound = 128 << 20
	if half > bound || end > bound {
		t.Errorf("got %d and %d MiB of memory in use, want %d at most", half>>20, end>>20, bound>>20)
	}
	// The bursts, what an hour adds, and at the end what stands of nodes.
	if most := 4*dhcpBurst + int(4*dhcpPerSecond*whole.Seconds()) + 2*len(r.report.Nodes) + 100*attackMachines; lines > most {
		t.Errorf("got %d lines, want %d at most", lines, most)
	}
}

func (c *starved) verdicts(t *testing.T, rep *classify.Report) {
	t.Helper()
	known := make(map[string]*classify.Node)
	for i := range rep.Nodes {
		known[rep.Nodes[i].MAC] = &rep.Nodes[i]
	}
	for i := range attackMachines {
		if v := known[attackMachine(i)]; v == nil {
			t.Errorf("machine %d is not known any more", i)
		} else if v.Outcome != "booted" || len(v.Timeline) < 5 {
			t.Errorf("machine %d: %s after %d steps: %s", i, v.Outcome, len(v.Timeline), v.Verdict)
		}
	}
	if v := known[attackVictim]; v == nil || v.Outcome != "stopped" {
		t.Errorf("the machine that gets no offer: got %+v", v)
	} else if !slices.Contains([]string{"dhcp-no-offer", "dhcp-pool-exhausted"}, v.RootCause) {
		t.Errorf("the machine that gets no offer: got cause %q: %s", v.RootCause, v.Verdict)
	}
	var said bool
	for i := range rep.Findings {
		f := &rep.Findings[i]
		said = said || strings.Contains(f.Summary, c.says)
		if i < 9 {
			t.Logf("%s %s %s (%d nodes): %s", f.Severity, f.ID, f.Node, len(f.Nodes), f.Summary)
		}
	}
	if !said {
		t.Errorf("no finding says %q", c.says)
	}
	said = false
	for _, q := range rep.Quality {
		t.Logf("quality %s: %s", q.Gate, q.Detail)
		said = said || q.Gate == "bounds"
	}
	if c.evicted && !said {
		t.Error("it does not say that something had to make room")
	}
}
