package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/live/replay"
)

// notOnAWire are the fixtures that no wire can carry, and why. The test holds
// each reason against the file.
var notOnAWire = map[string]string{
	"lab-format-any-sll.pcap":            "cooked: it has no Ethernet header to send",
	"lab-format-any-sll2.pcap":           "cooked: it has no Ethernet header to send",
	"lab-format-server-sll2.pcap":        "cooked: it has no Ethernet header to send",
	"lab-format-snap96.pcap":             "cut: what lies behind 96 bytes is not known",
	"lab-format-three-interfaces.pcapng": "three interfaces: on one wire each packet would be a copy of another",
}

const (
	// quickest is the length of the fixtures that are always played; the others,
	// up to five minutes long, need the environment variable (make live-equal).
	quickest   = 40 * time.Second
	equalAll   = "PXESCOPE_LIVE_EQUAL"
	equalLanes = 32
	// tooLate is how much a packet may be late: more, on a machine that has other
	// things to do, is other traffic than that of the file, and it is played again.
	tooLate = 150 * time.Millisecond
	plays   = 5
)

// What is told while the packets come is what is told of the file: every
// fixture is played over a wire with its own timing, and live listens, once
// without a phase and once with the filter of a phase in the kernel.
//
// Offline ends with the last packet, live some moments later, when it is told
// to: the file is analyzed for every tenth of a second until then, and one of
// these must be what live says. (For nearly all fixtures they are the same.)
//
// Beside that, what -w wrote is a capture with the times that live saw, and
// what is told of that must be the same to the last word.
func TestLiveEqualsAnalyze(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the fixtures; not in -short")
	}
	needRoot(t)
	var play []fixture
	for _, f := range fixtures(t) {
		reason, left := notOnAWire[f.name]
		switch {
		case left && !f.unsendable:
			t.Errorf("%s is left out as %q, and could be sent", f.name, reason)
		case left:
		case f.unsendable:
			t.Errorf("%s cannot be sent on one wire; say why in notOnAWire", f.name)
		case f.length <= quickest || os.Getenv(equalAll) != "":
			play = append(play, f)
		default:
			t.Logf("%s takes %v: only with %s=1", f.name, f.length.Round(time.Second), equalAll)
		}
	}
	if len(play) < 60 {
		t.Errorf("got %d fixtures, want 60 at least", len(play))
	}
	// Side by side, since a fixture mostly waits.
	var all sync.WaitGroup
	for _, lane := range lanes(play, equalLanes) {
		all.Go(func() {
			for _, f := range lane {
				t.Run(f.name, f.equal)
			}
		})
	}
	all.Wait()
}

// equal plays f, again when the machine was too busy to keep its timing.
func (f *fixture) equal(t *testing.T) {
	w := newWire(t)
	for _, name := range []string{w.near, w.far} {
		if out, err := exec.Command("ip", "-n", w.ns, "link", "set", name, "mtu", "65535").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for n := 1; ; n++ {
		diff, late := f.play(t, w)
		switch {
		case diff == "":
			return
		case late <= tooLate || n == plays:
			t.Fatalf("live is not what is told of the file (-file +live), packets at most %v late, played %d times:\n%s", late, n, diff)
		}
		t.Logf("a packet was %v late: played again", late)
	}
}

// play plays f once. It returns how live differs from the file, and how late a
// packet was.
func (f *fixture) play(t *testing.T, w wire) (diff string, late time.Duration) {
	dir := t.TempDir()
	type run struct {
		phase, file string
		*session
	}
	var runs []run
	for _, phase := range []string{"", "provisioning"} {
		r := run{phase: phase, file: filepath.Join(dir, "w"+phase+".pcapng")}
		args := []string{"--format", "ndjson", "-w", r.file}
		if phase != "" {
			args = append(args, "--phase", phase, "--kernel-filter", "stateful")
		}
		r.session = liveOn(t, w, args...)
		runs = append(runs, r)
	}
	src := f.open(t)
	sent, err := replay.Send(t.Context(), src, replay.Options{Interface: w.near, NetNS: w.ns})
	src.Close()
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now()
	for _, r := range runs {
		if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range runs {
		if got := r.status(); got != ExitOK && got != ExitInconclusive {
			t.Fatalf("phase %q: got exit status %d; stderr: %s", r.phase, got, r.said())
		}
		after := time.Since(end)
		live := judge(t, strings.Join(r.lines(), "\n"))
		if n := live.packets(); r.phase == "" && n != f.packets {
			t.Errorf("got %d packets, want %d", n, f.packets)
		}
		written := fixture{name: "-w", path: r.file}
		if d := unlike(written.ends(t, r.phase, after), live, (*judged).whole); d != "" {
			t.Errorf("phase %q: live is not what is told of what it wrote (-file +live):\n%s", r.phase, d)
		}
		if d := unlike(f.ends(t, r.phase, after), live, (*judged).gist); d != "" {
			diff += fmt.Sprintf("phase %q:\n%s", r.phase, d)
		}
	}
	return diff, sent.Behind
}
