package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/live/replay"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify"
)

func needRoot(t *testing.T) {
	t.Helper()
	netlab.Root(t, "CAP_NET_ADMIN for network namespaces, CAP_NET_RAW for packet sockets")
}

// A wire is two interfaces in a network namespace of their own: what is sent on
// near arrives on far, and nobody else sends.
type wire struct{ ns, near, far string }

func newWire(t *testing.T) wire {
	t.Helper()
	w := wire{netlab.Namespace(t, "live"), "near0", "far0"}
	netlab.Pair(t, w.ns, w.near, w.ns, w.far)
	return w
}

// send replays a fixture.
func (w wire) send(t *testing.T, file string, speed float64) {
	t.Helper()
	src, err := pcapfile.Open([]string{filepath.Join(root, "testdata/pcap", file)}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := replay.Send(t.Context(), src, replay.Options{Interface: w.near, NetNS: w.ns, Speed: speed}); err != nil {
		t.Fatal(err)
	}
}

// A session is a running 'pxescope live'.
type session struct {
	t   *testing.T
	cmd *exec.Cmd

	mu     sync.Mutex
	stdout []string // lines
	stderr bytes.Buffer
	done   chan error
}

func (s *session) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.Write(b)
}

func (s *session) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

func (s *session) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.stdout)
}

// liveOn starts the command and waits until it captures.
func liveOn(t *testing.T, w wire, args ...string) *session {
	t.Helper()
	s := &session{t: t, done: make(chan error, 1)}
	s.cmd = exec.Command("pxescope", append([]string{"live", w.far, "--netns", w.ns, "--utc"}, args...)...)
	s.cmd.Stderr = s
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	go func() {
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<24)
		for in.Scan() {
			s.mu.Lock()
			s.stdout = append(s.stdout, in.Text())
			s.mu.Unlock()
		}
		s.done <- s.cmd.Wait()
	}()
	s.wait("that it captures", func() bool { return strings.Contains(s.said(), "capturing on") })
	return s
}

// wait polls for something to come true, for a minute.
func (s *session) wait(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			out := strings.Join(s.lines(), "\n")
			s.t.Fatalf("waited in vain for %s\nstdout: ...%s\nstderr: %s", what, out[max(0, len(out)-2000):], s.said())
		}
	}
}

// end sends a signal and waits for the exit status.
func (s *session) end(sig syscall.Signal) int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
	return s.status()
}

func (s *session) status() int {
	s.t.Helper()
	select {
	case err := <-s.done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.t.Fatal(err)
		}
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		s.t.Fatalf("it does not end; stderr: %s", s.said())
		return -1
	}
}

// objects are the lines of ndjson.
func (s *session) objects() (list []map[string]any) {
	s.t.Helper()
	for _, line := range s.lines() {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			s.t.Fatalf("%v: %s", err, line)
		}
		list = append(list, o)
	}
	return list
}

// standing are the findings that the lines leave standing, as "id of node".
func standing(list []map[string]any) []string {
	m := make(map[string]string)
	for _, o := range list {
		key, _ := o["key"].(string)
		switch o["type"] {
		case "finding":
			if o["severity"] != "ok" { // some of what is normal is a matter of milliseconds
				m[key] = fmt.Sprintf("%s %s of %v", o["severity"], o["id"], o["node"])
			}
		case "withdrawn":
			delete(m, key)
		}
	}
	out := make([]string, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// offline are the findings of the file.
func offline(t *testing.T, file string) (list []string) {
	t.Helper()
	for _, f := range analyzed(t, filepath.Join(root, "testdata/pcap", file)).Findings {
		if f.Severity == "ok" {
			continue
		}
		list = append(list, fmt.Sprintf("%s %s of %s", f.Severity, f.ID, f.Node))
	}
	slices.Sort(list)
	return list
}

// The five faults over a wire, with their own timing: each is told while
// capturing goes on, and in the end the same stands as of the file. With the
// phase's filter in the kernel, with the classic one, and with none.
func TestLiveTellsTheFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the faults; not in -short")
	}
	for _, kind := range []string{"none", "stateful", "classic"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			dir := t.TempDir()
			s := liveOn(t, w, "--phase", "provisioning", "--kernel-filter", kind, "--format", "ndjson", "--fail-on", "error", "--flight-recorder", dir)
			w.send(t, "five-faults.pcap", 0)
			want := offline(t, "five-faults.pcap")
			s.wait("all findings of the file", func() bool {
				return slices.Equal(standing(s.objects()), want) || kind == "classic" && len(standing(s.objects())) >= len(want)
			})
			if got := s.end(syscall.SIGINT); got != ExitFindings {
				t.Errorf("got exit status %d, want %d; stderr: %s", got, ExitFindings, s.said())
			}
			if d := cmp.Diff(want, standing(s.objects())); d != "" && kind != "classic" { // which is less sure of what it may have left out
				t.Errorf("live is not what is told of the file (-file +live):\n%s", d)
			}
			list := s.objects()
			if last := list[len(list)-1]; last["type"] != "summary" || last["counts"].(map[string]any)["packets"] != 50.0 {
				t.Errorf("got last line %v", last)
			}
			// Each error has its packets in a file, with comments.
			for _, id := range []string{"dhcp-no-offer", "dhcp-rogue-libvirt", "tftp-no-answer", "rpc-mount-no-answer"} {
				files, err := filepath.Glob(filepath.Join(dir, "*_"+id+"*.pcapng"))
				if err != nil || len(files) == 0 {
					t.Errorf("the flight recorder wrote nothing of %s: %v", id, err)
					continue
				}
				if b, err := os.ReadFile(files[0]); err != nil || packets(t, files[0]) == 0 || !bytes.Contains(b, []byte(id+": ")) {
					t.Errorf("%s: no packets, or no comments: %v", files[0], err)
				}
			}
			stopped := make(map[any]bool)
			for _, o := range list {
				if o["type"] == "node" && o["outcome"] == "stopped" {
					stopped[o["mac"]] = true
				}
			}
			if len(stopped) != 5 {
				t.Errorf("got stopped %v, want 5 machines", stopped)
			}
		})
	}
}

// Signals and files: SIGUSR1 prints counters, SIGHUP reads the files again and
// keeps what it has when they are wrong, what -w wrote can be read, the report
// comes at the end.
func TestLiveSignalsAndFiles(t *testing.T) {
	w := newWire(t)
	dir := t.TempDir()
	siteFile, extra, out := filepath.Join(dir, "site.yaml"), filepath.Join(dir, "extra.yaml"), filepath.Join(dir, "w.pcapng")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(siteFile, "rack: [10.0.0.2]\n")
	write(extra, "services: [{id: agent, phase: day2, protocol: udp, ports: 7001}]\n")
	s := liveOn(t, w, "--site", siteFile, "--catalog", extra, "-w", out, "--format", "text")
	w.send(t, "healthy-boot.pcap", 1000)
	signal := func(sig syscall.Signal, want string) {
		t.Helper()
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		s.wait(want, func() bool { return strings.Contains(s.said(), want) })
	}
	all := packets(t, filepath.Join(root, "testdata/pcap/healthy-boot.pcap"))
	s.wait("the machine's boot", func() bool { return strings.Contains(strings.Join(s.lines(), "\n"), "booted") })
	signal(syscall.SIGUSR1, fmt.Sprintf("pxescope: %d packets analyzed", all))
	s.wait("the node among the counters", func() bool { return strings.Contains(s.said(), "pxescope: 1 nodes: 0 stopped") })
	write(siteFile, "rack: [10.0.0.2]\nrackk: [10.0.0.3]\n")
	signal(syscall.SIGHUP, "what was read before stays")
	if !strings.Contains(s.said(), "rackk") {
		t.Errorf("it does not say what is wrong: %s", s.said())
	}
	write(siteFile, "rack: [10.0.0.2, 10.0.0.3]\n")
	signal(syscall.SIGHUP, "read again")
	if got := s.end(syscall.SIGINT); got != ExitOK {
		t.Errorf("got exit status %d, want 0; stderr: %s", got, s.said())
	}
	report := strings.Join(s.lines(), "\n")
	for _, want := range []string{"NODES: 1 booted", "SERVICES SEEN", "tftp"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}
	if got := packets(t, out); got != all {
		t.Errorf("-w wrote %d packets, want %d", got, all)
	}
}

// analyzed is the report of a file, which must be whole.
func analyzed(t *testing.T, file string) *classify.Report {
	t.Helper()
	src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	e := classify.New(classify.Options{})
	if err := e.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	if f := src.Files()[0]; f.Truncated || f.Damage != "" {
		t.Errorf("%s: %+v", file, f)
	}
	return e.Report(src)
}

// packets counts a file.
func packets(t *testing.T, file string) int {
	t.Helper()
	return int(analyzed(t, file).Counts.Packets)
}

// -c, --duration, --filter and -w - end and cut as they say.
func TestLiveEndsAndCuts(t *testing.T) {
	w := newWire(t)
	all := packets(t, filepath.Join(root, "testdata/pcap/healthy-boot.pcap"))
	s := liveOn(t, w, "-c", "7", "--format", "json")
	w.send(t, "healthy-boot.pcap", 1000)
	if got := s.status(); got != ExitOK {
		t.Errorf("-c: got exit status %d: %s", got, s.said())
	}
	if n := summed(t, strings.Join(s.lines(), "\n")); n != 7 {
		t.Errorf("-c 7: got %v packets", n)
	}

	for _, flags := range [][]string{{"--filter", "udp port 67 or 68"}, {"--filter", "udp port 67 or 68", "--phase", "provisioning", "--kernel-filter", "none"}} {
		s = liveOn(t, w, append([]string{"--format", "json", "--duration", "4s"}, flags...)...)
		w.send(t, "healthy-boot.pcap", 1000)
		if got := s.status(); got != ExitOK {
			t.Errorf("%v: got exit status %d: %s", flags, got, s.said())
		}
		text := strings.Join(s.lines(), "\n")
		if n := summed(t, text); n == 0 || n >= float64(all) {
			t.Errorf("%v: got %v packets of %d", flags, n, all)
		}
		if !strings.Contains(text, `"gate": "filtered"`) {
			t.Errorf("%v: the report does not say that a filter was set", flags)
		}
	}
}

// summed is counts.packets of a document.
func summed(t *testing.T, document string) float64 {
	t.Helper()
	var o struct {
		Counts struct {
			Packets float64 `json:"packets"`
		} `json:"counts"`
	}
	if err := json.Unmarshal([]byte(document), &o); err != nil {
		t.Fatalf("%v in %q", err, document)
	}
	return o.Counts.Packets
}

// What cannot be captured from is said in one line with what to do, and the exit
// status tells which it is.
func TestLiveRefusals(t *testing.T) {
	program := "pxescope"
	run := func(as *syscall.Credential, args ...string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, append([]string{"live"}, args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		_ = cmd.Run() // the status tells
		return cmd.ProcessState.ExitCode(), errs.String()
	}
	check := func(name string, status, want int, errs, says string) {
		t.Helper()
		first, _, _ := strings.Cut(errs, "\n")
		if status != want || !strings.HasPrefix(first, "pxescope: ") || !strings.Contains(errs, says) {
			t.Errorf("%s: got exit status %d, want %d, and %q in: %s", name, status, want, says, errs)
		}
	}
	for _, c := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"no interface", nil, ExitUsage, "-D"},
		{"a wrong filter", []string{"lo", "--filter", "udp prt 67"}, ExitUsage, "^"},
		{"a wrong format", []string{"lo", "--format", "xml"}, ExitUsage, "ndjson"},
		{"a screen without a terminal", []string{"lo", "--format", "screen"}, ExitUsage, "terminal"},
		{"a wrong direction", []string{"lo", "-Q", "up"}, ExitUsage, "inout"},
		{"rotation of nothing", []string{"lo", "-C", "1"}, ExitUsage, "-w"},
		{"a wrong phase", []string{"lo", "--phase", "boot"}, ExitUsage, "provisioning"},
		{"a wrong severity", []string{"lo", "--fail-on", "bad"}, ExitUsage, "warning"},
	} {
		status, errs := run(nil, c.args...)
		check(c.name, status, c.want, errs, c.says)
	}
	w := newWire(t)
	status, errs := run(nil, "nosuch0", "--netns", w.ns)
	check("a missing interface", status, ExitUnreadable, errs, "nosuch0")
	status, errs = run(nil, w.far, "--netns", w.ns+"x")
	check("a missing namespace", status, ExitUnreadable, errs, w.ns+"x")
	netlab.IP(t, "-n", w.ns, "link", "set", w.near, "down")
	status, errs = run(nil, w.near, "--netns", w.ns)
	check("an interface that is down", status, ExitUnreadable, errs, "is down")

	program = forAnybody(t)
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	status, errs = run(nobody, "lo")
	check("an ordinary user", status, ExitPermission, errs, "setcap")
	status, errs = run(nobody, "lo", "--phase", "provisioning")
	check("an ordinary user with a phase", status, ExitPermission, errs, "setcap")
}
