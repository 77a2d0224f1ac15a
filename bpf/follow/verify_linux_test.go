package follow

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/classify/catalog"
)

// The kernel takes the filter of every phase, well under the verifier's limit of
// a million instructions.
func TestVerified(t *testing.T) {
	for _, phase := range append(catalog.Phases(), "") {
		f, err := Load(Config{Phase: string(phase)})
		privileged(t, err)
		info, err := f.program.Info()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		n, ok := info.VerifiedInstructions()
		if !ok {
			t.Skip("this kernel does not tell how many instructions were verified (5.16)")
		}
		if n > 100_000 {
			t.Errorf("phase %q: got %d verified instructions, want 100,000 at most", phase, n)
		}
	}
}

const capsEnv = "PXESCOPE_FOLLOW_CAPS"

// CAP_BPF alone loads the filter and reads its counters, without any right one
// is told what is missing. The test runs itself as an ordinary user.
func TestCapabilities(t *testing.T) {
	if what := os.Getenv(capsEnv); what != "" {
		asOrdinaryUser(t, what)
		return
	}
	netlab.Root(t, "CAP_SETPCAP and CAP_SETUID to give rights up")
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv of util-linux, to drop capabilities")
	}
	// The test's own binary lies where only root may look.
	exe, err := os.CreateTemp("/tmp", "pxescope-follow")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(exe.Name())
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exe.Write(self); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(exe.Chmod(0o755), exe.Close()); err != nil {
		t.Fatal(err)
	}
	for _, caps := range []string{"-all,+bpf", "-all,+bpf,+perfmon", "-all", "-all,+net_raw"} {
		cmd := exec.Command(setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", caps, "--ambient-caps", caps, "--bounding-set", caps,
			exe.Name(), "-test.run", "^TestCapabilities$", "-test.v")
		cmd.Env, cmd.Dir = append(os.Environ(), capsEnv+"="+caps), "/"
		out, err := cmd.CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("SKIP")) {
			t.Errorf("%s: %v\n%s", caps, err, out)
		}
	}
}

func asOrdinaryUser(t *testing.T, caps string) {
	f, err := Load(Config{Phase: "provisioning"})
	if caps == "-all" || caps == "-all,+net_raw" {
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrPermission) || e.Hint == "" {
			t.Errorf("got %v, want an Error with a hint and ErrPermission", err)
		}
		t.Log(err)
		return
	}
	if err != nil {
		var v *ebpf.VerifierError
		if errors.As(err, &v) {
			t.Log(strings.Join(v.Log[max(0, len(v.Log)-12):], "\n"))
		}
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Stats(); err != nil {
		t.Error(err)
	}
}

// What cannot be is refused.
func TestConfig(t *testing.T) {
	for _, c := range []Config{{TFTPFor: time.Millisecond}, {RPCFor: 2 * time.Hour}} {
		if f, err := Load(c); err == nil {
			f.Close()
			t.Errorf("got no error for %+v", c)
		}
	}
	if _, err := json.Marshal(Stats{}); err != nil {
		t.Error(err)
	}
}
