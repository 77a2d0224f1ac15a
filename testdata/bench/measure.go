//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// A run is what one process cost.
type run struct {
	cpu, wall time.Duration // user + sys
	peak      int64         // resident set, bytes
}

// A runner is a program with its arguments, and what its runs cost.
type runner struct {
	name string
	args []string
	env  []string
	runs []run
	err  error
	slow bool // takes so long that a third of the rounds must do
}

// measure runs every program in turn, rounds times after one round of warming
// up: what the machine does beside hits all of them alike.
func measure(runners []*runner, rounds int) {
	for i := range rounds + 1 {
		for _, p := range runners {
			if p.err != nil {
				continue
			}
			if p.slow && i > (rounds+2)/3 {
				continue
			}
			r, err := p.once()
			if err != nil {
				p.err = err
				fmt.Fprintf(os.Stderr, "%s: %v\n", p.name, err)
			} else if i > 0 || rounds == 1 {
				p.runs = append(p.runs, r)
			}
		}
	}
}

func (p *runner) once() (run, error) {
	c := exec.Command(p.args[0], p.args[1:]...)
	c.Env = append(os.Environ(), p.env...)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return run{}, err
	}
	defer null.Close()
	c.Stdout = null
	begun := time.Now()
	if err := c.Run(); err != nil && (c.ProcessState == nil || c.ProcessState.ExitCode() > 1 && c.ProcessState.ExitCode() != 5) {
		return run{}, fmt.Errorf("%v: %w", p.args, err)
	}
	u := c.ProcessState.SysUsage().(*syscall.Rusage)
	return run{
		cpu:  c.ProcessState.UserTime() + c.ProcessState.SystemTime(),
		wall: time.Since(begun), peak: u.Maxrss << 10,
	}, nil
}

// cpu is the median of user and system time.
func (p *runner) cpu() time.Duration {
	return time.Duration(p.median(func(r run) int64 { return int64(r.cpu) }))
}

func (p *runner) wall() time.Duration {
	return time.Duration(p.median(func(r run) int64 { return int64(r.wall) }))
}

func (p *runner) peak() int64 { return p.median(func(r run) int64 { return r.peak }) }

func (p *runner) median(of func(run) int64) int64 {
	if len(p.runs) == 0 {
		return 0
	}
	var v []int64
	for _, r := range p.runs {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}
