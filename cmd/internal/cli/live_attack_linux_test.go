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
// small, says what it lost, and where it lost nothing the machines have their
// verdicts.
func TestLiveUnderStarvationOverAWire(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; not in -short")
	}
	n, rate := 20_000, 1000
	if v, err := strconv.Atoi(os.Getenv(attackWhole)); err == nil {
		n, rate = v, 2000
	}
	t.Parallel()
	for try := 1; ; try++ {
		lost, wrong := starve(t, n, rate)
		if len(wrong) == 0 {
			return
		}
		if lost == 0 || try == 3 {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		t.Logf("the machine is so busy that the ring lost %d packets, which is said: once more", lost)
	}
}

// starve attacks once. It returns what live says that the ring lost, and what is
// not as it should be.
func starve(t *testing.T, n, rate int) (lost int, wrong []string) {
	t.Helper()
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	w := newWire(t)
	// A ring for the moments in which a busy machine does not run the reader.
	s := liveOn(t, w, "-B", "65536", "--phase", "provisioning", "--kernel-filter", "stateful", "--format", "ndjson")
	flood := &starvation{clients: n, gap: time.Second / time.Duration(rate), tries: 1, offered: true, leases: n / 2, machines: &synth.Capture{}}
	flood.start()
	whole := time.Duration(n) * flood.gap
	place := synth.NewPlace()
	for i := range 3 {
		place.Boot(flood.machines, time.Duration(i)*whole/4+time.Millisecond/2, attackMachine(i), fmt.Sprintf("10.0.0.%d", 101+i), 0xb0070000+2*uint32(i))
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
	time.Sleep(max(0, 40*time.Second-sent.Took)) // the last DISCOVER's time is over
	end, peak := memory(t, s.cmd.Process.Pid, "VmRSS"), memory(t, s.cmd.Process.Pid, "VmHWM")
	if got := s.end(syscall.SIGINT); got != ExitOK {
		t.Errorf("got exit status %d; stderr: %s", got, s.said())
	}
	j := judge(t, strings.Join(s.lines(), "\n"))
	if captures, _ := j.summary["captures"].([]any); len(captures) == 1 {
		c, _ := captures[0].(map[string]any)
		dropped, _ := c["dropped"].(float64)
		lost = int(dropped)
	}
	if got := j.packets(); got+lost != sent.Packets {
		t.Errorf("got %d packets, and %d said to be lost, want %d", got, lost, sent.Packets)
	}
	if lost > 0 {
		fault("%d packets were lost", lost)
	}
	for i := range 3 {
		if v := j.nodes[attackMachine(i)]; v == nil || v["outcome"] != "booted" {
			fault("machine %d: got %v", i, v)
		}
	}
	if v := j.nodes[attackVictim]; v == nil || v["outcome"] != "stopped" {
		fault("the machine that gets no offer: got %v", v)
	}
	if q := strings.Join(j.quality, "\n"); !strings.Contains(q, "nodes: ") {
		fault("it does not say that nodes had to make room: %s", q)
	}
	t.Logf("%d packets in %v, at most %v late; memory %d MiB halfway, %d MiB at the end, %d MiB at the most; %d lines", sent.Packets,
		sent.Took.Round(time.Second), sent.Behind.Round(time.Millisecond), half>>10, end>>10, peak>>10, len(s.lines()))
	const most = 384 << 10 // the ring's 64 MiB and the program's text among it
	if peak > most {
		t.Errorf("got %d MiB of memory, want %d at most", peak>>10, most>>10)
	}
	return lost, wrong
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
