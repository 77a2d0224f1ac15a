//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// printTable prints what a trace cost everyone, and the ratios with their bars.
func printTable(t *trace, all []*contender) {
	fmt.Printf("\n### %s: %d packets, %d bytes\n\n", t.kind, t.packets, t.bytes)
	fmt.Println("| program | CPU s | wall s | peak MiB | ns/packet |\n|---|---|---|---|---|")
	for _, c := range all {
		if len(c.runs) == 0 {
			fmt.Printf("| %s | did not run: %v | | | |\n", c.name, c.err)
			continue
		}
		fmt.Printf("| %s | %.3f | %.3f | %.1f | %.0f |\n", c.name, c.cpu().Seconds(), c.wall().Seconds(),
			float64(c.peak())/(1<<20), float64(c.cpu().Nanoseconds())/float64(t.packets))
	}
	fmt.Println("\n| ratio | is | at most | |\n|---|---|---|---|")
	for _, c := range all {
		for _, b := range c.over {
			printRatio(c, b, all)
		}
		if len(c.runs) > 0 && strings.HasPrefix(c.name, "pxescope") {
			mib := float64(c.peak()) / (1 << 20)
			fmt.Printf("| peak memory of %s | %.1f MiB | 48 MiB | %s |\n", c.name, mib, met(mib <= 48))
		}
	}
}

func printRatio(c *contender, b bar, all []*contender) {
	i := slices.IndexFunc(all, func(o *contender) bool { return o.name == b.name })
	if i < 0 || len(c.runs) == 0 || len(all[i].runs) == 0 {
		return
	}
	what, is := "CPU", float64(c.cpu())/float64(all[i].cpu())
	if b.wall {
		what, is = "wall", float64(c.wall())/float64(all[i].wall())
	}
	value, most := fmt.Sprintf("%.2f", is), fmt.Sprintf("%.2f", b.most)
	if b.most < 0.1 {
		value, most = fmt.Sprintf("1/%.0f", 1/is), fmt.Sprintf("1/%.0f", 1/b.most)
	}
	fmt.Printf("| %s of %s over %s | %s | %s | %s |\n", what, c.name, b.name, value, most, met(is <= b.most))
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}

// starts measures what a user waits for when there is little to read.
func starts(px string, rounds int) error {
	rounds *= 5
	capture := "testdata/pcap/five-faults.pcap"
	if _, err := os.Stat(capture); err != nil {
		return fmt.Errorf("run in the root of the project: %w", err)
	}
	list := []*runner{
		{name: "pxescope catalog", args: []string{px, "catalog"}},
		{name: "pxescope analyze five-faults.pcap", args: []string{px, "analyze", capture}},
	}
	measure(list, rounds)
	fmt.Println("\n### Start to exit\n\n| command | wall ms | CPU ms | at most | |\n|---|---|---|---|---|")
	for i, r := range list {
		most := []time.Duration{10 * time.Millisecond, 15 * time.Millisecond}[i]
		fmt.Printf("| %s | %.1f | %.1f | %d | %s |\n", r.name, ms(r.wall()), ms(r.cpu()), most.Milliseconds(), met(r.wall() <= most))
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// machine is the name of the processor.
func machine() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, _ := strings.Cut(s.Text(), ":"); strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

func kernel() string { return firstLine("uname", "-sr") }

func versions(px string) string {
	list := []string{firstLine(px, "--version"), runtime.Version()}
	for _, c := range [][]string{{"tcpdump", "--version"}, {"tshark", "--version"}, {"capinfos", "--version"}, {"zstd", "--version"}, {"gzip", "--version"}, {"cat", "--version"}} {
		list = append(list, firstLine(c[0], c[1:]...))
	}
	return strings.Join(list, "; ")
}

func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output() // tshark warns on the other stream
	if err == nil && len(out) == 0 {
		out, err = exec.Command(name, args...).CombinedOutput()
	}
	if err != nil {
		return name + ": " + err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.Trim(line, " *,.")
}
