package privilege

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The unit has the capabilities that opening needs and no other, and systemd
// finds nothing wrong with it.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile("../../pxescope/pxescope@.service")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{NetRaw.String(), BPF.String()}
	for _, key := range []string{"AmbientCapabilities=", "CapabilityBoundingSet="} {
		var got []string
		for line := range strings.Lines(string(unit)) {
			if v, ok := strings.CutPrefix(line, key); ok {
				got = append(got, strings.Fields(v)...)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s%v, want %v", key, got, want)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed: the unit is not verified")
	}
	// The program and its manual need not be installed here.
	unit = bytes.ReplaceAll(unit, []byte("ExecStart=pxescope"), []byte("ExecStart=/bin/true"))
	unit = bytes.ReplaceAll(unit, []byte("Documentation=man:pxescope-live(1)\n"), nil)
	path := filepath.Join(t.TempDir(), "pxescope@.service")
	if err := os.WriteFile(path, unit, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path).CombinedOutput()
	if bytes.Contains(out, []byte("unrecognized option")) {
		t.Skip("this systemd-analyze cannot judge a file") // before 250
	}
	if err != nil {
		t.Errorf("systemd-analyze security: exposure above 2.0: %v\n%s", err, out)
	}
}
