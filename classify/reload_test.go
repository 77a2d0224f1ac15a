package classify_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
)

// Facts that change nothing may come at any packet: the report is the same.
func TestReloadOfTheSame(t *testing.T) {
	c := synth.FiveFaults()
	run := func(every int) []string {
		e, src := classify.New(classify.Options{}), c.Source("five.pcap")
		var p capture.Packet
		for i := 0; src.Next(&p) == nil; i++ {
			if every > 0 && i%every == 0 {
				e.Reload(site.Default(), catalog.Default())
			}
			e.Packet(&p)
		}
		e.Finish()
		r := e.Report(src)
		return append(reported(t, r), text(t, r.Services), text(t, r.Quality))
	}
	want := run(0)
	for _, every := range []int{1, 7} {
		if d := cmp.Diff(want, run(every)); d != "" {
			t.Errorf("reloaded at every %d. packet (-without +with):\n%s", every, d)
		}
	}
}

// What the operator learns while it runs counts from then on: a server that is
// made legitimate, a grace, a service of the site's own.
func TestReloadTakesEffect(t *testing.T) {
	c := &synth.Capture{}
	host, other := synth.NewHost("52:54:00:00:00:01", "10.0.0.50"), synth.NewHost("52:54:00:00:00:02", "10.0.0.60")
	for i := range 4 {
		c.Add(time.Duration(i)*time.Second, synth.UDP(host, other, 40000, 7001, []byte("hello")))
	}
	more := []byte("services:\n  - {id: agent, name: Agent of the site, phase: provisioning, protocol: udp, ports: 7001, answer: no}\n")
	cat, err := catalog.Load("extra.yaml", more, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	e, src := classify.New(classify.Options{}), c.Source("x.pcap")
	var p capture.Packet
	for i := 0; src.Next(&p) == nil; i++ {
		if i == 1 {
			s := site.Default()
			s.Racks = []netip.Addr{netip.MustParseAddr("10.0.0.60")}
			e.Reload(s, cat)
		}
		e.Packet(&p)
	}
	e.Finish()
	r := e.Report(src)
	if len(r.Services) != 1 || r.Services[0].ID != "agent" || r.Services[0].Packets != 3 || r.Site.Unclassified != 1 {
		t.Errorf("got %+v and %d of none, want 3 packets of agent and 1 of none", r.Services, r.Site.Unclassified)
	}
	if len(r.Site.Racks) != 1 || !r.Site.Told {
		t.Errorf("got racks %v", r.Site.Racks)
	}
}
