package live

import (
	"bytes"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// What is sent is received, in order, with its content, length and time, and
// nothing else.
func TestExact(t *testing.T) {
	l := newLab(t, "eth1")
	s := l.open(Options{Interfaces: []string{"eth1"}})
	before := capture.Time(time.Now().UnixNano())
	var sent [][]byte
	for i := range uint32(3000) {
		sent = append(sent, frame(i+1, 60+int(i*7%1455)))
	}
	w, failed := l.Wire(l.Far, "eth1"), make(chan error, 1)
	go func() {
		for _, f := range sent {
			if err := w.Try(f); err != nil {
				failed <- err
			}
		}
		close(failed)
	}()
	last := before
	for i, p := range s.take(len(sent)) {
		switch {
		case !bytes.Equal(p.data, sent[i]):
			t.Fatalf("packet %d: got % x, want % x", i, p.data, sent[i])
		case p.WireLen != len(sent[i]) || p.Link != capture.LinkEthernet || p.Iface != 0 || p.VLAN.Present:
			t.Fatalf("packet %d: got %+v", i, p.Packet)
		case p.ID != capture.NewFrameID(0, uint64(i+1)):
			t.Fatalf("packet %d: got frame %d", i, p.ID.Number())
		case p.Time < last:
			t.Fatalf("packet %d: %v is before the one before it, or the start", i, p.Time.Std())
		}
		last = p.Time
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if more := s.rest(); len(more) != 0 {
		t.Errorf("got %d packets that nobody sent: % x", len(more), more[0].data)
	}
	if now := capture.Time(time.Now().UnixNano()); last > now {
		t.Errorf("the last packet is of %v, after %v", last.Std(), now.Std())
	}
	st := s.Stats()[0]
	if st.Name != "eth1" || st.State != "up" || st.Received.N != 3000 || !st.RingDropped.Known || st.RingDropped.N != 0 || !st.InterfaceDropped.Known {
		t.Errorf("got %+v", st)
	}
	f := s.Files()[0]
	if f.Packets != 3000 || f.First < before || f.Last != last || !f.Dropped.Known || f.Dropped.N != 0 || len(f.Links) != 1 {
		t.Errorf("got %+v", f)
	}
	i := s.Interfaces()
	if len(i) != 1 || i[0].Name != "eth1" || i[0].Received != (capture.Count{Known: true, N: 3000}) || i[0].SnapLen != DefaultSnapLen {
		t.Errorf("got %+v", i)
	}
}
