package firewall

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture/live/netlab"
)

// calls are what a script has firewall-cmd do, each as its arguments. The
// script runs in a shell, with a firewall-cmd that writes them down.
func calls(t *testing.T, script string) [][]string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	stub := "#!/bin/sh\nfor a; do printf '%s\\n' \"$a\"; done >>" + log + "\necho >>" + log + "\n"
	if err := os.WriteFile(filepath.Join(dir, "firewall-cmd"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]string
	for part := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		list = append(list, strings.Split(part, "\n"))
	}
	return list
}

// firewalld's own offline tool takes every call, in an empty configuration, and
// finds nothing wrong with the result. It needs no daemon and no privilege.
func TestFirewalldAccepts(t *testing.T) {
	const name = "firewall-offline-cmd"
	tool(t, name)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			offline := func(args ...string) (string, error) {
				out, err := exec.Command(name, append([]string{"--system-config", dir}, args...)...).CombinedOutput()
				return string(out), err
			}
			if out, err := offline("--check-config"); err != nil {
				netlab.Lacking(t, "%s does not run here: %v: %s", name, err, out)
			}
			list := calls(t, build(t, tt.o).Firewalld())
			if last := strings.Join(list[len(list)-1], " "); last != "--reload" {
				t.Errorf("got %q at the end, want --reload", last)
			}
			rules := 0
			for i := 0; i < len(list)-1; {
				args := list[i]
				if args[0] != "--permanent" {
					t.Fatalf("%v: want --permanent first", args)
				}
				args = args[1:]
				// The tool takes some hundred milliseconds to start: rules of one
				// zone or policy go in one call.
				for i++; len(args) > 1 && strings.HasPrefix(args[1], "--add-rich-rule=") && i < len(list)-1 && len(list[i]) == 3 &&
					list[i][1] == args[0] && strings.HasPrefix(list[i][2], "--add-rich-rule="); i++ {
					args = append(args, list[i][2])
				}
				out, err := offline(args...)
				if err != nil || strings.Contains(out, "ALREADY_ENABLED") {
					t.Fatalf("%v: %v: %s", args, err, out)
				}
				if len(args) > 1 && strings.HasPrefix(args[1], "--add-rich-rule=") {
					rules += len(args) - 1
				}
			}
			if out, err := offline("--check-config"); err != nil {
				t.Errorf("--check-config: %v: %s", err, out)
			}
			of := "--zone=" + tableName
			if tt.o.Hook != Input {
				of = "--policy=" + tableName
			}
			out, err := offline(of, "--list-rich-rules")
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := strings.Count(out, "rule "); got != rules || rules == 0 {
				t.Errorf("got %d rich rules, want %d:\n%s", got, rules, out)
			}
		})
	}
}
