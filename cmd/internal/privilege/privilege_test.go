package privilege

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

const childEnv = "PXESCOPE_TEST_PRIVILEGE"

func TestExplain(t *testing.T) {
	all := []Capability{NetRaw, NetAdmin}
	for _, tt := range []struct {
		name    string
		missing []Capability
		system  string
		euid    int
		err     string
		hint    []string
	}{
		{"user", all, "linux", 1000, "open: permission denied: CAP_NET_RAW CAP_NET_ADMIN missing", []string{
			"sudo pxescope live eth1", "sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon=ep $(command -v pxescope)", "pxescope@.service"}},
		{"container", []Capability{BPF}, "linux", 0, "CAP_BPF missing", []string{"--cap-add BPF", "AmbientCapabilities=CAP_BPF"}},
		{"seccomp", nil, "linux", 0, "open: permission denied", []string{"no capability is missing", "seccomp"}},
		{"BSD", nil, "freebsd", 1000, "open: permission denied", []string{"sudo pxescope live eth1", "/dev/bpf"}},
		{"Windows", nil, "windows", -1, "open: permission denied", []string{"administrator", "Npcap"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := explain(fmt.Errorf("open: %w", fs.ErrPermission), "live eth1", tt.missing, tt.system, tt.euid)
			if !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, want %q", err, tt.err)
			}
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%v is no permission error any more", err)
			}
			for _, h := range tt.hint {
				if !strings.Contains(err.Hint, h) {
					t.Errorf("the hint does not say %q:\n%s", h, err.Hint)
				}
			}
			if d := cmp.Diff(tt.missing, err.Missing); d != "" {
				t.Errorf("missing: want -, got +\n%s", d)
			}
		})
	}
	if err := Explain(nil, "live", NetRaw); err != nil {
		t.Errorf("got %v of no error", err)
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"no such user", "4000000001", "-1"} {
		if _, err := Lookup(name); err == nil || !strings.Contains(err.Error(), "look up user") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
