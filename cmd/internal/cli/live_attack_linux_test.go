package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/live/replay"
	"github.com/pxescope/pxescope/capture/synth"
)

// The same attack over a wire, at once rather than in an hour: the process stays
// as small as it says, loses no packet, and its machines have their verdicts.
func TestLiveUnderStarvationOverAWire(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; not in -short")
	}
	n, rate := 20_000, 1000
	if v, err := strconv.Atoi(os.Getenv(attackWhole)); err == nil {
		n, rate = v, 5000
	}
	t.Parallel()
	w := newWire(t)
	s := liveOn(t, w, "--phase", "provisioning", "--kernel-filter", "stateful", "--format", "ndjson")
	flood := &starvation{clients: n, gap: time.Second / time.Duration(rate), tries: 1, offered: true, leases: n / 2, machines: &synth.Capture{}}
	flood.start()
	whole := time.Duration(n) * flood.gap
	place := synth.NewPlace()
	for i := range 3 {
		place.Boot(flood.machines, time.Duration(i)*whole/4+time.Millisecond/2, attackMachine(i), fmt.Sprintf("10.0.0.%d", 101+i), uint32(0xb0070000+2*i))
	}
	victim := synth.PXERom(attackVictim)
	for _, at := range []time.Duration{0, 4, 12, 28} {
		flood.machines.Add(time.Second+at*time.Second, victim.Discover(0x888, uint16(at)).Broadcast())
	}
	flood.machines.Join()
	half := 0
	flood.halfway = func() { half = memory(t, s.cmd.Process.Pid, "VmRSS") }
	sent, err := replay.Send(t.Context(), flood, replay.Options{Interface: w.near, NetNS: w.ns})
	if err != nil {
		t.Fatal(err)
	}
	stops := func() bool {
		for _, o := range s.objects() {
			if o["type"] == "node" && o["mac"] == attackVictim && o["outcome"] == "stopped" {
				return true
			}
		}
		return false
	}
	s.wait("the verdict on the machine that gets no offer", stops)
	end, peak := memory(t, s.cmd.Process.Pid, "VmRSS"), memory(t, s.cmd.Process.Pid, "VmHWM")
	if got := s.end(syscall.SIGINT); got != ExitOK {
		t.Errorf("got exit status %d; stderr: %s", got, s.said())
	}
	j := judge(t, strings.Join(s.lines(), "\n"))
	for i := range 3 {
		if v := j.nodes[attackMachine(i)]; v == nil || v["outcome"] != "booted" {
			t.Errorf("machine %d: got %v", i, v)
		}
	}
	if v := j.nodes[attackVictim]; v == nil || v["outcome"] != "stopped" {
		t.Errorf("the machine that gets no offer: got %v", v)
	}
	if got := j.packets(); got != sent.Packets {
		t.Errorf("got %d packets, want %d", got, sent.Packets)
	}
	if q := strings.Join(j.quality, "\n"); n > 5000 && !strings.Contains(q, "nodes: ") {
		t.Errorf("it does not say that nodes had to make room: %s", q)
	}
	t.Logf("%d packets in %v, at most %v late; memory %d MiB halfway, %d MiB at the end, %d MiB at the most; %d lines", sent.Packets,
		sent.Took.Round(time.Second), sent.Behind.Round(time.Millisecond), half>>10, end>>10, peak>>10, len(s.lines()))
	const most = 320 << 10
	if peak > most {
		t.Errorf("got %d MiB of memory, want %d at most", peak>>10, most>>10)
	}
}

// memory is a line of /proc/PID/status, in KiB.
func memory(t *testing.T, pid int, name string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
