package privilege

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/record"
)

// recordChild writes files that rotate, and one of the flight recorder, after
// it has dropped its privileges.
func recordChild() error {
	base := os.Getenv(childEnv)
	ifaces := []capture.Interface{{Name: "eth1", Link: capture.LinkEthernet}}
	w, err := record.Create(record.Options{Path: filepath.Join(base, "x.pcapng"), RotateBytes: 10_000, Files: 3})
	if err != nil {
		return err
	}
	r, err := record.NewRecorder(base, record.RecorderOptions{})
	if err != nil {
		return err
	}
	n := Needs{User: os.Getenv("PXESCOPE_TEST_USER"), WriteDirs: append(w.Dirs(), r.Dirs()...)}
	if n.User != "" {
		a, err := Lookup(n.User)
		if err != nil {
			return err
		}
		if err := w.Chown(a.UID, a.GID); err != nil {
			return err
		}
	}
	if _, err := Drop(n); err != nil {
		return err
	}
	if err := w.Ready(); err != nil {
		return err
	}
	if err := r.Ready(); err != nil {
		return err
	}
	for i := range 100 {
		p := capture.Packet{ID: capture.NewFrameID(0, uint64(i+1)), Time: 1767323045e9, Link: capture.LinkEthernet, WireLen: 1000, Data: make([]byte, 1000)}
		r.Packet(&p, ifaces)
		if err := w.Write(&p, ifaces); err != nil {
			return err
		}
	}
	if _, err := r.Save(record.Incident{Rule: "a-rule", Cites: []record.Cite{{Frame: capture.NewFrameID(0, 7)}}}); err != nil {
		return err
	}
	return w.Close(ifaces)
}

// Files are made after privileges are gone, as root without capabilities and
// as another user; where that cannot be, it is said at the start.
func TestRecordAfterDrop(t *testing.T) {
	netlab.Root(t, rights)
	nobody, err := Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, user string
		owner      int
		want       string // error
	}{
		{"root", "", 0, ""},
		{"another user", "nobody", nobody.UID, ""},
		{"root in the directory of another", "", nobody.UID, fmt.Sprintf("permission denied; it belongs to user %d: -Z %d writes as that user", nobody.UID, nobody.UID)},
		{"another user in the directory of root", "nobody", 0, "permission denied; it belongs to user 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			openPath(base)
			if err := os.Chown(base, tt.owner, tt.owner); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), childEnv+"="+base, "PXESCOPE_TEST_USER="+tt.user, "PXESCOPE_TEST_RECORD=1")
			out, err := cmd.CombinedOutput()
			if tt.want != "" {
				if err == nil || !strings.Contains(string(out), "later files cannot be made in "+base) || !strings.Contains(string(out), tt.want) {
					t.Errorf("got %q, %v; want %q", out, err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, name := range []string{"x.pcapng0", "x.pcapng1", "x.pcapng2", "20260102T030405Z_segment_a-rule.pcapng"} {
				st, err := os.Stat(filepath.Join(base, name))
				if err != nil || st.Size() < 1000 {
					t.Errorf("%s: got %v, %v", name, st, err)
				}
			}
		})
	}
}

// openPath lets others reach a directory of a test.
func openPath(dir string) {
	for p := dir; p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		os.Chmod(p, 0o755)
	}
}
