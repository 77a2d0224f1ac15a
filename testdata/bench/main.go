//go:build linux

// Command bench measures pxescope against what else reads captures: it writes
// two traces, in four forms, runs every program on them in turn and prints one
// table of medians and ratios. CPU time is what counts, it says the same on a
// busy machine; see README.md beside it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	size := flag.Uint64("size", 1000, "size of each trace as pcap, in `MB`")
	rounds := flag.Int("rounds", 5, "how often each program runs")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "pxescope-bench"), "where the traces are kept, 4.5 times the size")
	program := flag.String("pxescope", "bin/pxescope", "the program to measure")
	only := flag.Bool("traces", false, "write the traces and end")
	flag.Parse()
	if err := bench(*size, *rounds, *dir, *program, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(size uint64, rounds int, dir, px string, only bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var traces []*trace
	for _, kind := range []string{"mix", "small"} {
		t, err := makeTrace(dir, kind, size<<20)
		if err != nil {
			return err
		}
		traces = append(traces, t)
	}
	if only {
		return nil
	}
	bars := filepath.Join(dir, "filter.txt")
	if err := os.WriteFile(bars, []byte(provisioning), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s, %d CPUs, %s; medians of %d rounds, programs on one file in turn\n", machine(), runtime.NumCPU(), kernel(), rounds)
	fmt.Println(versions(px))
	for _, t := range traces {
		var all []*contender
		for _, group := range contenders(t, px, bars) {
			var programs []*runner
			for _, c := range group {
				programs = append(programs, &c.runner)
			}
			measure(programs, rounds)
			all = append(all, group...)
		}
		printTable(t, all)
	}
	return starts(px, rounds)
}
