//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
)

// link is the name of both ends of the pair.
const link = "bench0"

// A lab is a veth pair between two network namespaces.
type lab struct{ near, far string }

func newLink() (*lab, error) {
	l := &lab{fmt.Sprintf("pxebench%d-near", os.Getpid()), fmt.Sprintf("pxebench%d-far", os.Getpid())}
	for _, args := range [][]string{
		{"netns", "add", l.near}, {"netns", "add", l.far},
		{"-n", l.near, "link", "add", link, "type", "veth", "peer", "name", link, "netns", l.far},
		{"-n", l.near, "link", "set", link, "arp", "off", "up"},
		{"-n", l.far, "link", "set", link, "arp", "off", "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			l.close()
			return nil, fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return l, nil
}

func (l *lab) close() {
	for _, ns := range []string{l.near, l.far} {
		exec.Command("ip", "netns", "del", ns).Run()
	}
}

var tcpdumpDropped = regexp.MustCompile(`(\d+) packets? dropped by kernel`)

func tcpdumpLost(_, stderr string) string {
	if m := tcpdumpDropped.FindStringSubmatch(stderr); m != nil {
		return m[1]
	}
	return "?"
}

func ringLost(stdout, _ string) string {
	var got received
	if json.Unmarshal([]byte(stdout), &got) != nil {
		return "?"
	}
	return fmt.Sprint(got.Dropped)
}

// commandLost reads the report of pxescope.
func commandLost(stdout, _ string) string {
	var report struct {
		Captures []struct {
			Dropped *uint64 `json:"dropped"`
		} `json:"captures"`
	}
	if json.Unmarshal([]byte(stdout), &report) != nil || len(report.Captures) != 1 || report.Captures[0].Dropped == nil {
		return "?"
	}
	return fmt.Sprint(*report.Captures[0].Dropped)
}
