package classify_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
)

// place is a provisioning network of physical machines.
func place() *synth.Place {
	p := synth.NewPlace()
	p.Rack.Host = rack.Host
	return p
}

// machine is the i-th machine of a random scenario.
func machine(i int) (mac, addr string) {
	return fmt.Sprintf("d4:ae:52:00:07:%02x", i), fmt.Sprintf("10.0.0.%d", 100+i)
}

// within is a random time up to a number of seconds.
func within(r *rand.Rand, seconds int) time.Duration {
	return time.Duration(r.IntN(seconds*1000)) * time.Millisecond
}

// Up to six machines boot at the same time, and the capture is as it is: seen
// twice, cut, in a VLAN. Nobody is accused of anything, and each machine that
// can be followed is up.
func TestRandomHealthyBoots(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		p, c := place(), &synth.Capture{}
		n := 1 + r.IntN(6)
		cut := r.IntN(4) == 0
		how := ""
		for i := range n {
			mac, addr := machine(i)
			one := &synth.Capture{}
			p.Boot(one, within(r, 40), mac, addr, r.Uint32())
			if one.Join(); r.IntN(3) == 0 {
				one = one.Doubled()
				how += " doubled"
			}
			c.Join(one)
		}
		if r.IntN(3) == 0 {
			c = c.Tagged(uint16(1 + r.IntN(4094)))
			how += " tagged"
		}
		if cut {
			c = c.Snapped(400)
			how += " cut"
		}
		rep := analyze(t, c, "")
		if got := complaints(rep); len(got) > 0 {
			t.Fatalf("seed %d, %d machines%s: got %q%s", seed, n, how, got, gist(rep))
		}
		if len(rep.Nodes) != n {
			t.Fatalf("seed %d%s: got %d nodes, want %d%s", seed, how, len(rep.Nodes), n, gist(rep))
		}
		for _, node := range rep.Nodes {
			if node.Outcome != "booted" {
				t.Fatalf("seed %d%s: got %s %s%s", seed, how, node.Name(), node.Outcome, gist(rep))
			}
		}
	}
}

// A planted fault is one of the five of every day, on a machine of its own.
type planted struct {
	rule  string
	plant func(p *synth.Place, c *synth.Capture, at time.Duration, mac, addr string, xid uint32)
	vlan  uint16
}

var faults = []planted{
	{rule: "dhcp-no-offer", plant: plantSilence},
	{rule: "dhcp-no-offer", plant: plantSilence, vlan: 30},
	{rule: "tftp-no-answer", plant: func(p *synth.Place, c *synth.Capture, at time.Duration, mac, addr string, xid uint32) {
		end := p.Lease(c, at, synth.UEFI(mac, 7), xid, addr, "bootx64.efi")
		for i := range 5 {
			c.Add(end+time.Duration(1+4*i)*time.Second, synth.IP{ID: uint16(i + 1)}.UDP(synth.NewHost(mac, addr), p.Rack.Host, 1174, 69, rrq("bootx64.efi")))
		}
	}},
	{rule: "dhcp-rogue-libvirt", plant: func(p *synth.Place, c *synth.Capture, at time.Duration, mac, addr string, xid uint32) {
		v, rom := libvirt(), synth.PXERom(mac)
		d := rom.Discover(xid, 0)
		o := v.Offer(d, "192.168.122.87")
		q := rom.Request(o, 4)
		c.Add(at, d.Broadcast()).Add(at+4*time.Millisecond, v.Frame(o))
		c.Add(at+4*time.Second, q.Broadcast()).Add(at+4002*time.Millisecond, v.Frame(v.Ack(q, "192.168.122.87")))
	}},
	{rule: "rpc-mount-no-answer", plant: func(p *synth.Place, c *synth.Capture, at time.Duration, mac, addr string, xid uint32) {
		h := synth.NewHost(mac, addr)
		end := p.Lease(c, at, synth.PXERom(mac), xid, addr, p.File)
		end = p.Load(c, end+100*time.Millisecond, h, 2070, p.File, 20_000) + 8*time.Second
		c.Add(end, synth.UDP(h, p.Rack.Host, 717, 111, getport(100005, 3, overUDP)))
		c.Add(end+time.Millisecond, synth.UDP(p.Rack.Host, h, 111, 717, getportReply(100005, 3, overUDP, 33334)))
		for i := range 4 {
			c.Add(end+time.Duration(i)*time.Second+2*time.Millisecond, synth.IP{ID: uint16(i + 1)}.UDP(h, p.Rack.Host, 718, 33334, mountV3))
		}
	}},
}

// plantSilence is a ROM that nobody answers.
func plantSilence(_ *synth.Place, c *synth.Capture, at time.Duration, mac, _ string, xid uint32) {
	for _, x := range []float64{0, 4, 12, 28} {
		c.Add(at+secs(x), synth.PXERom(mac).Discover(xid, uint16(x)).Broadcast())
	}
}

// Any of the five faults beside healthy boots: each faulty machine is stopped by
// its own fault, the others are up, and nothing else is found.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		p, c := place(), &synth.Capture{}
		want := make(map[string]string)
		how := ""
		add := func(i int, vlan uint16, f func(c *synth.Capture, mac, addr string)) string {
			mac, addr := machine(i)
			one := &synth.Capture{}
			f(one, mac, addr)
			if one.Join(); r.IntN(3) == 0 {
				one = one.Doubled()
				how += fmt.Sprintf(" %d doubled", i)
			}
			if vlan != 0 {
				one = one.Tagged(vlan)
			}
			c.Join(one)
			return mac
		}
		healthy := 1 + r.IntN(3)
		for i := range healthy {
			want[add(i, 0, func(c *synth.Capture, mac, addr string) { p.Boot(c, within(r, 30), mac, addr, r.Uint32()) })] = ""
		}
		for i, f := range faults {
			if r.IntN(2) == 0 {
				continue
			}
			how += " " + f.rule
			want[add(healthy+i, f.vlan, func(c *synth.Capture, mac, addr string) { f.plant(p, c, within(r, 30), mac, addr, r.Uint32()) })] = f.rule
		}
		c.Add(150*time.Second, synth.UDP(bystander, gateway, 5000, 5001, []byte("tick")))
		rep := analyze(t, c, "")
		if len(rep.Nodes) != len(want) {
			t.Fatalf("seed %d%s: got %d nodes, want %d%s", seed, how, len(rep.Nodes), len(want), gist(rep))
		}
		for _, n := range rep.Nodes {
			outcome := "booted"
			if want[n.MAC] != "" {
				outcome = "stopped"
			}
			if n.RootCause != want[n.MAC] || n.Outcome != outcome {
				t.Fatalf("seed %d%s: %s: got %s by %q, want %s by %q%s", seed, how, n.MAC, n.Outcome, n.RootCause, outcome, want[n.MAC], gist(rep))
			}
		}
		for _, f := range rep.Findings {
			if f.Severity != "error" && f.Severity != "warning" {
				continue
			}
			for _, mac := range append(slices.Clone(f.Nodes), f.Node) {
				if mac != "" && want[mac] != f.ID || mac == "" && f.Node == "" && len(f.Nodes) == 0 && f.ID != "dhcp-rogue-libvirt" {
					t.Fatalf("seed %d%s: got %s %s of %q%s", seed, how, f.Severity, f.ID, mac, gist(rep))
				}
			}
		}
	}
}
