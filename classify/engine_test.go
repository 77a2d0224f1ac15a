package classify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/site"
)

// analyzed runs a synthetic capture through a fresh engine.
func analyzed(t testing.TB, c *synth.Capture, opt Options) *Report {
	t.Helper()
	src := c.Source("test.pcap")
	e := New(opt)
	if err := e.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	return e.Report(src)
}

// atLeast lists "finding node" of the findings with one of the severities.
func atLeast(r *Report, severities ...string) []string {
	out := []string{}
	for _, f := range r.Findings {
		if !slices.Contains(severities, f.Severity) {
			continue
		}
		if len(f.Nodes) == 0 {
			out = append(out, strings.TrimSpace(f.ID+" "+f.Node))
		}
		for _, n := range f.Nodes {
			out = append(out, f.ID+" "+n)
		}
	}
	slices.Sort(out)
	return out
}

func nodeOf(t testing.TB, r *Report, mac string) *Node {
	t.Helper()
	for i := range r.Nodes {
		if r.Nodes[i].MAC == mac {
			return &r.Nodes[i]
		}
	}
	t.Fatalf("no node %s in %s", mac, dump(r))
	return nil
}

// dump is the gist of a report, for failures.
func dump(r *Report) string {
	var b strings.Builder
	for _, n := range r.Nodes {
		fmt.Fprintf(&b, "\n  %s %s %s [%s]: %s", n.Name(), n.Outcome, n.Stage, n.RootCause, n.Verdict)
		for _, s := range n.Timeline {
			fmt.Fprintf(&b, "\n      %s %s %s %q %s tries %d %s", s.First.Std().Format("05.000"), s.Stage, s.Op, s.Subject, s.Outcome, s.Tries, s.Detail)
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s %s %s %s -> %s: %s (frames %v)", f.Severity, f.Confidence, f.ID, f.Node, f.Server, f.Summary, f.Frames)
	}
	for _, q := range r.Quality {
		fmt.Fprintf(&b, "\n  %s %s: %s %v", q.Severity, q.Gate, q.Detail, q.Affects)
	}
	return b.String()
}

const (
	macA = "52:54:00:00:01:0a"
	macB = "d4:ae:52:00:00:0b"
	macC = "d4:ae:52:00:00:0c"
	macD = "d4:ae:52:00:00:0d"
	macE = "d4:ae:52:00:00:0e"
)

// A healthy boot, from the firmware's DISCOVER to the address of the system,
// yields no warning and no error, whatever is done to the capture.
func TestHealthyBootIsQuiet(t *testing.T) {
	var c synth.Capture
	p := synth.NewPlace()
	end := p.Boot(&c, 0, macB, "10.0.0.57", 0x1000)
	for name, v := range map[string]*synth.Capture{
		"whole": &c, "tagged": c.Tagged(120), "doubled": c.Doubled(), "snap length 96": c.Snapped(96), "snap length 400": c.Snapped(400),
		"clock steps back": c.StepBack(3*time.Second, time.Hour), "starts late": c.From(2100 * time.Millisecond),
		"ends early": c.Until(2 * time.Second), "ends in the transfer": c.Until(2150 * time.Millisecond),
		"without the rack's packets": c.OneWay(synth.MAC("52:54:00:00:00:02")), "without the node's packets": c.OneWay(synth.MAC(macB)),
		"ends before the system": c.Until(end - 10*time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			r := analyzed(t, v, Options{})
			if got := atLeast(r, "error", "warning"); len(got) > 0 && name != "without the rack's packets" {
				t.Errorf("got %v, want no error and no warning%s", got, dump(r))
			}
			for _, f := range r.Findings {
				if name == "without the rack's packets" && (strings.HasPrefix(f.ID, "tftp-") || strings.HasPrefix(f.ID, "tcp-")) && f.Severity == "error" && f.Confidence == "certain" {
					t.Errorf("got %s as certain from one direction%s", f.ID, dump(r))
				}
			}
		})
	}
	n := nodeOf(t, analyzed(t, &c, Options{}), macB)
	if n.Outcome != "booted" || n.RootCause != "" || n.Addresses[0] != "10.0.0.57" {
		t.Errorf("got %+v", n)
	}
}

// One capture, five faults, five verdicts, nothing else accused.
func TestFiveFaults(t *testing.T) {
	c := synth.FiveFaults()
	if got := len(c.Packets); got != 50 {
		t.Errorf("got %d packets, want 50", got)
	}
	r := analyzed(t, c, Options{})
	want := []string{
		"dhcp-no-offer " + synth.FaultNoOffer,
		"dhcp-no-offer " + synth.FaultTagged,
		"dhcp-rogue-libvirt",
		"dhcp-rogue-libvirt " + synth.FaultRogue,
		"rpc-mount-no-answer " + synth.FaultMount,
		"tftp-no-answer " + synth.FaultTFTP,
	}
	if got := atLeast(r, "error", "warning"); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q%s", got, want, dump(r))
	}
	for mac, v := range map[string]struct{ stage, root string }{
		synth.FaultNoOffer: {"dhcp", "dhcp-no-offer"}, synth.FaultTFTP: {"tftp", "tftp-no-answer"}, synth.FaultRogue: {"dhcp", "dhcp-rogue-libvirt"},
		synth.FaultMount: {"mount", "rpc-mount-no-answer"}, synth.FaultTagged: {"dhcp", "dhcp-no-offer"},
	} {
		n := nodeOf(t, r, mac)
		if n.Outcome != "stopped" || n.Stage != v.stage || n.RootCause != v.root {
			t.Errorf("%s: got %s at %s by %s, want stopped at %s by %s%s", mac, n.Outcome, n.Stage, n.RootCause, v.stage, v.root, dump(r))
		}
	}
}

// With the rack named, the same traffic accuses the same servers, and a rack
// on 192.168.122.0/24 is no rogue when it is named.
func TestAllowList(t *testing.T) {
	s := site.Default()
	o, err := site.Parse("s", []byte("rack: 10.0.0.2"), s)
	if err != nil {
		t.Fatal(err)
	}
	r := analyzed(t, synth.FiveFaults(), Options{Site: o})
	if got := atLeast(r, "error"); !slices.Contains(got, "dhcp-rogue-libvirt "+synth.FaultRogue) {
		t.Errorf("got %q%s", got, dump(r))
	}
	o, err = site.Parse("s", []byte("dhcp_server: [10.0.0.2, 192.168.122.1]"), s)
	if err != nil {
		t.Fatal(err)
	}
	r = analyzed(t, synth.FiveFaults(), Options{Site: o})
	for _, f := range atLeast(r, "error", "warning") {
		if strings.HasPrefix(f, "dhcp-rogue") {
			t.Errorf("got %q for a server that is named%s", f, dump(r))
		}
	}
}

// A phase leaves the services of others out of judgement, not out of the count.
func TestPhaseAndPlatform(t *testing.T) {
	for _, c := range []struct {
		opt     Options
		stopped int
	}{
		{Options{}, 5},
		{Options{Phase: "provisioning"}, 5},
		{Options{Phase: "power"}, 0},
		{Options{Platform: "xcat"}, 5},
		{Options{Platform: "maas"}, 5}, // MOUNT is not MAAS's, but it is seen on its unknown port
	} {
		r := analyzed(t, synth.FiveFaults(), c.opt)
		stopped := 0
		for _, n := range r.Nodes {
			if n.Outcome == "stopped" {
				stopped++
			}
		}
		if stopped != c.stopped {
			t.Errorf("%q %q: got %d stopped nodes, want %d%s", c.opt.Phase, c.opt.Platform, stopped, c.stopped, dump(r))
		}
		var packets uint64
		for _, s := range r.Services {
			packets += s.Packets
		}
		if packets+r.Site.Unclassified != 50 || r.Counts.Packets != 50 {
			t.Errorf("%q %q: got %d packets by service and %d of none, want 50", c.opt.Phase, c.opt.Platform, packets, r.Site.Unclassified)
		}
	}
}
