package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What an ordinary user, a wrong name and an interface that is down are told, to
// the letter: one line that says what, what to do about it, and the status.
func TestLiveRefusalTexts(t *testing.T) {
	w := newWire(t)
	for _, set := range [][2]string{{w.near, "down"}, {"lo", "up"}} {
		if out, err := exec.Command("ip", "-n", w.ns, "link", "set", set[0], set[1]).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	program := forAnybody(t)
	// As root of the namespace, and as somebody in it without any capability.
	root := []string{"netns", "exec", w.ns, program}
	nobody := []string{"netns", "exec", w.ns, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
		"--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", program}
	const needsRaw = `pxescope: capturing needs CAP_NET_RAW: permission denied: open a packet socket: operation not permitted
  once:      sudo pxescope live IFACE
  for all:   sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon=ep $(command -v pxescope)
  a service: sudo systemctl start pxescope@IFACE, with the unit pxescope@.service
`
	raw := func(iface string) string { return strings.Replace(needsRaw, "IFACE", iface, 1) }
	for _, c := range []struct {
		name   string
		as     []string
		args   string
		status int
		stderr string
		stdout string // a pattern
	}{
		{"an ordinary user", nobody, "lo", ExitPermission, raw("lo"), ""},
		{"an ordinary user with a phase", nobody, "lo --phase provisioning", ExitPermission, raw("lo"), ""},
		{"an ordinary user with the classic filter", nobody, "lo --phase provisioning --kernel-filter classic", ExitPermission, raw("lo"), ""},
		{"an ordinary user who asks for the stateful filter", nobody, "lo --phase provisioning --kernel-filter stateful", ExitPermission,
			"pxescope: --kernel-filter stateful: the filter that learns ports needs CAP_BPF: permission denied\n  run it as root, or: setcap cap_bpf,cap_net_raw+ep " + program + "\n", ""},
		{"an ordinary user, every interface", nobody, "any", ExitPermission, raw("any"), ""},
		{"an ordinary user, a wrong name", nobody, "nosuch0", ExitUnreadable,
			"pxescope: interface \"nosuch0\": no such interface\n  there are lo, far0, near0\n", ""},
		{"an ordinary user, an interface that is down", nobody, "near0", ExitUnreadable,
			"pxescope: near0: interface is down\n  bring it up: ip link set near0 up\n", ""},
		{"an ordinary user lists interfaces", nobody, "-D", ExitOK, "", `(?s)^INTERFACE .*CAPTURE *\n(.*\n)?far0 +no carrier +EN10MB +..:..:..:..:..:.. +no: needs CAP_NET_RAW *\n`},
		{"an ordinary user lists them as JSON", nobody, "-D --format json", ExitOK, "", `(?s)"name": "lo".*"permitted": false,\s+"why": "needs CAP_NET_RAW"`},
		{"root lists interfaces", root, "-D", ExitOK, "", `(?s)near0 +down +EN10MB +..:..:..:..:..:.. +yes *\n`},
		{"a wrong name", root, "nosuch0", ExitUnreadable, "pxescope: interface \"nosuch0\": no such interface\n  there are lo, far0, near0\n", ""},
		{"a wrong name among right ones", root, "lo nosuch0", ExitUnreadable, "pxescope: interface \"nosuch0\": no such interface\n  there are lo, far0, near0\n", ""},
		{"an interface that is down", root, "near0", ExitUnreadable, "pxescope: near0: interface is down\n  bring it up: ip link set near0 up\n", ""},
		{"no interface", root, "", ExitUsage, "pxescope: no interface given\n  'pxescope live -D' lists them\n", ""},
		{"a name twice", root, "lo lo", ExitUsage, "pxescope: interface \"lo\" is named twice\n", ""},
		{"no such namespace", root, "lo --netns no-such-ns", ExitUnreadable,
			"pxescope: network namespace \"no-such-ns\": open /run/netns/no-such-ns: no such file or directory\n  'ip netns' lists them\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "ip", append(append(c.as[:len(c.as):len(c.as)], "live"), strings.Fields(c.args)...)...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run() // the status tells
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("got exit status %d, want %d", got, c.status)
			}
			if got := stderr.String(); got != c.stderr {
				t.Errorf("got\n%swant\n%s", got, c.stderr)
			}
			if c.stdout == "" && stdout.Len() > 0 || !regexp.MustCompile(c.stdout).MatchString(stdout.String()) {
				t.Errorf("got on standard output\n%swant %s", stdout.String(), c.stdout)
			}
		})
	}
}

// forAnybody is a copy of the command in a place that every user can reach.
func forAnybody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pxescope-live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name, err := exec.LookPath("pxescope")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "pxescope")
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return program
}
