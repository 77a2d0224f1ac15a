package classify

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

// What a question costs while strangers flood the network, the tables are full
// and each millisecond brings another machine.
func BenchmarkNewsUnderAttack(b *testing.B) {
	c := &synth.Capture{}
	rom := synth.PXERom("52:54:00:00:00:00")
	c.Add(0, rom.Discover(1, 0).Broadcast())
	src := c.Source("attack.pcap")
	var p capture.Packet
	if err := src.Next(&p); err != nil {
		b.Fatal(err)
	}
	e := New(Options{})
	data := append([]byte(nil), p.Data...)
	p.Data = data
	n := uint32(0)
	stranger := func() {
		n++
		p.ID = capture.NewFrameID(0, uint64(n))
		p.Time += 1e6
		binary.BigEndian.PutUint32(data[8:], n)          // sender
		binary.BigEndian.PutUint32(data[14+20+8+4:], n)  // xid
		binary.BigEndian.PutUint32(data[14+20+8+30:], n) // chaddr
		data[24], data[25] = 0, 0                        // the IP header's checksum is not looked at
		e.Packet(&p)
	}
	for range 60_000 {
		stranger()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for range 500 {
			stranger()
		}
		b.StartTimer()
		e.News(src)
	}
	b.StopTimer()
	r := e.Report(src)
	b.Logf("%d nodes, %d findings of %d nodes", len(r.Nodes), len(r.Findings), len(r.Findings[0].Nodes))
}

// What a question costs on a network of thousands of machines of which a few do
// something: each leased, loaded a file, and is known.
func BenchmarkNewsOfManyNodes(b *testing.B) {
	place := synth.NewPlace()
	c := &synth.Capture{}
	mac := func(i int) string { return fmt.Sprintf("d4:ae:52:00:%02x:%02x", i>>8, i&255) }
	addr := func(i int) string { return fmt.Sprintf("10.0.%d.%d", 1+i/250, 1+i%250) }
	at := time.Duration(0)
	for i := range 4000 {
		place.Boot(c, at, mac(i), addr(i), uint32(i+1))
		at += 50 * time.Millisecond
	}
	c.Join()
	src := c.Source("many.pcap")
	e := New(Options{})
	var p capture.Packet
	for src.Next(&p) == nil {
		e.Packet(&p)
	}
	e.News(src)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		e.desk.dirty = true
		e.News(src)
	}
	b.StopTimer()
	r := e.Report(src)
	b.Logf("%d nodes, %d findings", len(r.Nodes), len(r.Findings))
}
