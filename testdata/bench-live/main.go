//go:build linux

// Bench-live holds the live capture against tcpdump on a veth pair, as root.
// One core sends, the other receives; both receivers get the same traffic, in
// turn, and their processor time is compared. Run it with make bench-live.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

var (
	rate    = flag.Int("rate", 500_000, "packets per second")
	length  = flag.Duration("for", 4*time.Second, "how long each receiver gets them")
	rounds  = flag.Int("rounds", 5, "rounds of all receivers; the median counts")
	command = flag.String("pxescope", "", "the command to measure as well")
	sender  = flag.String("sender-core", "0", "core that sends, and on veth also receives up to the socket")
	core    = flag.String("core", "1", "core of the receivers")
)

// wanted is what the provisioning traffic among the packets has: NTP and DNS.
const wanted = "udp port 123 or udp port 53"

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "send":
			send(os.Args[2:])
			return
		case "receive":
			receive(os.Args[2:])
			return
		}
	}
	flag.Parse()
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-live:", err)
		os.Exit(1)
	}
}

// A receiver is a command that is measured. It ends by SIGINT.
type receiver struct {
	name string
	args []string
	lost func(stdout, stderr string, sent uint64) string
}

// A run is what one of them took.
type run struct {
	cpu  time.Duration
	sent sent
	lost string
}

func bench() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l, err := newLink()
	if err != nil {
		return err
	}
	defer l.close()
	list := []receiver{
		{"tcpdump -w /dev/null -B 32768", []string{"tcpdump", "-n", "-i", link, "-B", "32768", "-w", "/dev/null"}, tcpdumpLost},
		{"ring", []string{self, "receive"}, ringMissed},
		{"tcpdump, filter", []string{"tcpdump", "-n", "-i", link, "-B", "32768", "-w", "/dev/null", wanted}, tcpdumpLost},
		{"ring, filter", []string{self, "receive", "-filter", wanted}, ringLost},
	}
	if *command != "" {
		path, err := filepath.Abs(*command)
		if err != nil {
			return err
		}
		list = append(list, receiver{"pxescope live --phase provisioning",
			[]string{path, "live", link, "--phase", "provisioning", "--format", "json"}, commandLost})
	}
	runs := make([][]run, len(list))
	for n := range *rounds {
		for i, r := range list {
			got, err := l.measure(self, r)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			runs[i] = append(runs[i], got)
			fmt.Fprintf(os.Stderr, "round %d: %-36s %4.0f ns a packet, %s lost of %d at %.0f a second\n", n+1, r.name,
				got.perPacket(), got.lost, got.sent.Packets, got.sent.rate())
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "receiver\tns a packet (median)\tagainst tcpdump\tlost (each round)")
	for i, r := range list {
		var ratios []float64
		for n := range runs[i] {
			ratios = append(ratios, runs[i][n].perPacket()/runs[0][n].perPacket())
		}
		var each []float64
		var lost []string
		for _, g := range runs[i] {
			each, lost = append(each, g.perPacket()), append(lost, g.lost)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%s\n", r.name, median(each), median(ratios), strings.Join(lost, " "))
	}
	return w.Flush()
}

func (r run) perPacket() float64 { return float64(r.cpu.Nanoseconds()) / float64(r.sent.Packets) }

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// measure has a receiver run while the sender sends. Its processor time has its
// start and end in it, as for all.
func (l *lab) measure(self string, r receiver) (run, error) {
	var stdout, stderr strings.Builder
	cmd := exec.Command("ip", append([]string{"netns", "exec", l.near, "taskset", "-c", *core}, r.args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return run{}, err
	}
	if err := l.ready(); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return run{}, fmt.Errorf("%w: %s", err, stderr.String())
	}
	out, sendErr := exec.Command("ip", "netns", "exec", l.far, "taskset", "-c", *sender, self, "send",
		fmt.Sprint(*rate), length.String()).Output()
	time.Sleep(200 * time.Millisecond)
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() > 1 { // 1 of pxescope: findings
		return run{}, fmt.Errorf("%w: %s", err, stderr.String())
	}
	if sendErr != nil {
		return run{}, fmt.Errorf("send: %w", sendErr)
	}
	got := run{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if err := json.Unmarshal(out, &got.sent); err != nil {
		return run{}, err
	}
	got.lost = r.lost(stdout.String(), stderr.String(), got.sent.Packets)
	return got, nil
}
