//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// link is the name of both ends of the pair.
const link = "bench0"

// A lab is a veth pair between two network namespaces.
type lab struct{ near, far string }

func newLink() (*lab, error) {
	l := &lab{fmt.Sprintf("pxebench%d-near", os.Getpid()), fmt.Sprintf("pxebench%d-far", os.Getpid())}
	for _, args := range [][]string{
		{"netns", "add", l.near}, {"netns", "add", l.far},
		// Nothing but the traffic: no multicast of IPv6 when the link comes up.
		{"netns", "exec", l.near, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"},
		{"netns", "exec", l.far, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"},
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

// ready waits until a packet socket in the near namespace is bound to all
// protocols, and half a second more for what comes after it.
func (l *lab) ready() error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("ip", "netns", "exec", l.near, "cat", "/proc/net/packet").Output()
		if err != nil {
			return fmt.Errorf("look for the receiver's socket: %w", err)
		}
		if strings.Contains(string(out), " 0003 ") {
			time.Sleep(500 * time.Millisecond)
			return nil
		}
	}
	return errors.New("the receiver opens no socket")
}

var tcpdumpDropped = regexp.MustCompile(`(\d+) packets? dropped by kernel`)

func tcpdumpLost(_, stderr string, _ uint64) string {
	if m := tcpdumpDropped.FindStringSubmatch(stderr); m != nil {
		return m[1]
	}
	return "?"
}

func ringLost(stdout, _ string, _ uint64) string {
	var got received
	if json.Unmarshal([]byte(stdout), &got) != nil {
		return "?"
	}
	return fmt.Sprint(got.Dropped)
}

// ringMissed is what did not arrive where all should, wherever it was lost.
func ringMissed(stdout, _ string, sent uint64) string {
	var got received
	if json.Unmarshal([]byte(stdout), &got) != nil {
		return "?"
	}
	if missing := int64(sent - got.Packets); missing != int64(got.Dropped) {
		return fmt.Sprintf("%d(%d in the ring)", missing, got.Dropped)
	}
	return fmt.Sprint(got.Dropped)
}

// commandLost reads the report of pxescope.
func commandLost(stdout, _ string, _ uint64) string {
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
