package live

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
)

// Packets of two interfaces, sent in turn at a rate that leaves blocks partly
// filled, come in the order of their time.
func TestTwoInterfaces(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	s := l.open(Options{Interfaces: []string{"eth1", "eth2"}})
	const n = 2000
	wires := []*netlab.Wire{l.Wire(l.Far, "eth1"), l.Wire(l.Far, "eth2")}
	go func() {
		for i := range uint32(n) {
			wires[i%2].Try(frame(i+1, 100))
			if i%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for i, p := range s.take(n) {
		if number(p.data) != uint32(i+1) || p.Iface != i%2 {
			t.Fatalf("packet %d: got %d of interface %d", i+1, number(p.data), p.Iface)
		}
	}
}

// One interface floods, the other has now and then a packet, the reader is
// slow: nothing that the ring took is lost or out of order within an
// interface, and the wait for the other does not stop the flood's packets.
func TestFloodBeside(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	s := l.open(Options{Interfaces: []string{"eth1", "eth2"}, Buffer: 1 << 20})
	const n = 20000
	var senders sync.WaitGroup
	for i, every := range []int{1, 100} {
		w := l.Wire(l.Far, []string{"eth1", "eth2"}[i])
		senders.Go(func() {
			for k := range n / every {
				w.Try(frame(uint32(k+1), 200))
				if every > 1 {
					time.Sleep(200 * time.Microsecond)
				}
			}
		})
	}
	ended := make(chan bool)
	go func() { senders.Wait(); close(ended) }()
	var last [2]uint32
	var got [2]uint64
	var latest [2]capture.Time
	late := time.Duration(0)
	stopped := false
	var p capture.Packet
	for end := time.Now().Add(limit); ; {
		err := s.Next(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("got %v before the end", err)
		}
		if !p.Tick() {
			if k := number(p.Data); k <= last[p.Iface] {
				t.Fatalf("interface %d: got %d after %d", p.Iface, k, last[p.Iface])
			} else {
				last[p.Iface] = k
			}
			got[p.Iface]++
			late = max(late, latest[1-p.Iface].Sub(p.Time))
			latest[p.Iface] = p.Time
		}
		select {
		case <-ended:
			if !stopped {
				s.Stop()
				stopped = true
			}
		default:
		}
	}
	for i, st := range s.Stats() {
		if want := []uint64{n, n / 100}[i]; st.Received.N != want || got[i]+st.RingDropped.N != want {
			t.Errorf("%s: %d sent, got %d, and %+v", st.Name, want, got[i], st)
		}
	}
	t.Logf("at most %v late; %+v", late, s.Stats())
}

// A reader that stalls loses packets, and all that are lost are counted; then
// it goes on.
func TestDropsAreCounted(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}, Buffer: 1})
	w := l.Wire(l.Far, "eth1")
	const n = 3000
	w.Send(numbered(1, n, 1000)...) // ten times the ring
	before := s.Stats()[0]
	if before.Received.N != n || before.RingDropped.N == 0 || before.RingDropped.N >= n || before.Freezes.N == 0 {
		t.Errorf("got %+v", before)
	}
	kept := n - before.RingDropped.N
	for i, p := range s.take(int(kept)) {
		if number(p.data) != uint32(i+1) {
			t.Fatalf("got packet %d, want %d", number(p.data), i+1)
		}
	}
	s.until("the ring to be empty", (*capture.Packet).Tick)
	s.wantNext(w, 5000, 20)
	if st := s.Stats()[0]; st.Received.N != n+20 || st.RingDropped != before.RingDropped {
		t.Errorf("got %+v, want as many drops as before and %d packets", st, n+20)
	}
	if f, i := s.Files()[0], s.Interfaces()[0]; f.Dropped != before.RingDropped || i.Dropped.N != before.RingDropped.N {
		t.Errorf("got %+v, %+v", f, i)
	}
}

// No packet comes after a tick that is older than the tick, under traffic that
// has blocks handed over by time and by being full, on one ring and on two.
func TestTicks(t *testing.T) {
	for _, names := range [][]string{{"eth1"}, {"eth1", "eth2"}} {
		l := newLab(t, "eth1", "eth2")
		s := l.open(Options{Interfaces: names, Tick: time.Nanosecond})
		done := make(chan bool)
		wires := []*netlab.Wire{l.Wire(l.Far, "eth1"), l.Wire(l.Far, "eth2")}
		go func() {
			defer close(done)
			for i := range 400 {
				for range i % 40 {
					wires[i%2].Try(frame(1, 1000))
				}
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				if i%40 == 0 { // long enough for the rings to be empty on a busy machine
					time.Sleep(30 * time.Millisecond)
				}
			}
		}()
		var tick capture.Time
		packets, ticks := 0, 0
		var p capture.Packet
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			if err := s.Next(&p); err != nil {
				t.Fatal(err)
			}
			if p.Tick() {
				if p.Time < tick {
					t.Fatalf("%v: a tick of %v after one of %v", names, p.Time.Std(), tick.Std())
				}
				if ahead := p.Time.Sub(capture.Time(time.Now().UnixNano())); ahead > 0 {
					t.Fatalf("%v: a tick is %v ahead of the clock", names, ahead)
				}
				tick = p.Time
				ticks++
				continue
			}
			packets++
			if p.Time < tick {
				t.Fatalf("%v: a packet is %v older than the tick before it", names, tick.Sub(p.Time))
			}
		}
		if packets < 1000 || ticks < 1000 {
			t.Errorf("%v: %d packets and %d ticks prove little", names, packets, ticks)
		}
	}
}

// Stop ends a capture that waits, from another goroutine; what was sent before
// it is handed out, what is sent after it is not.
func TestStop(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	for range 20 {
		s := l.open(Options{Interfaces: []string{"eth1", "eth2"}, Tick: time.Hour})
		w := l.Wire(l.Far, "eth1")
		ended := make(chan []kept)
		go func() {
			var list []kept
			var p capture.Packet
			for s.Next(&p) == nil {
				if !p.Tick() {
					list = append(list, keep(&p))
				}
			}
			ended <- list
		}()
		w.Send(numbered(1, 100, 80)...)
		s.Stop()
		s.Stop()
		if list := <-ended; len(list) != 100 {
			t.Errorf("got %d packets, want the 100 of before", len(list))
		}
		w.Send(numbered(1000, 10, 80)...)
		if more := s.rest(); len(more) != 0 {
			t.Errorf("got %d packets of after", len(more))
		}
		before := s.Stats()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		if after := s.Stats(); len(after) != 2 || after[0].Received != before[0].Received {
			t.Errorf("got %+v after Close, want %+v", after, before)
		}
		if f := s.Files()[0]; f.Packets != 100 {
			t.Errorf("got %+v", f)
		}
	}
}

// Endless traffic does not keep a stopped capture from ending.
func TestStopUnderTraffic(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	w := l.Wire(l.Far, "eth1")
	end, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for f := frame(1, 90); ; {
			select {
			case <-end:
				return
			default:
				w.Try(f)
			}
		}
	}()
	s.take(1000)
	s.rest()
	close(end)
	<-ended
}

// Immediate hands over a lone packet; so it does without, some time later.
func TestImmediate(t *testing.T) {
	for _, now := range []bool{true, false} {
		l := newLab(t, "eth1")
		s := l.open(Options{Interfaces: []string{"eth1"}, Immediate: now, Tick: time.Hour})
		w := l.Wire(l.Far, "eth1")
		for i := range uint32(20) {
			s.wantNext(w, i+1, 1)
		}
	}
}
