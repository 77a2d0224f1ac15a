package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What -w wrote is told by analyze as live told it: the filter that the file
// records lowers nothing that it keeps, and the silence after the last packet
// counts.
func TestLiveFileIsToldAgain(t *testing.T) {
	type told struct {
		Findings []struct{ ID, Node, Severity, Confidence, Summary string }
		Nodes    []struct{ MAC, Outcome, Verdict string }
	}
	for _, kind := range []string{filterStateful, filterClassic} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			file := filepath.Join(t.TempDir(), "w.pcapng")
			s := liveOn(t, w, "--phase", "provisioning", "--kernel-filter", kind, "--format", "json", "-w", file, "--duration", "30s")
			w.send(t, "lab-nobody-udhcpc.pcap", 1)
			if got := s.status(); got != ExitOK {
				t.Fatalf("got exit status %d: %s", got, s.said())
			}
			var live, again told
			if err := json.Unmarshal([]byte(strings.Join(s.lines(), "\n")), &live); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			if got := Run([]string{"analyze", file, "--format", "json"}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); got != ExitOK {
				t.Fatalf("got exit status %d: %s", got, errs.String())
			}
			if err := json.Unmarshal(out.Bytes(), &again); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(live, again); d != "" {
				t.Errorf("want - as live told it, got + of the file\n%s", d)
			}
			if len(live.Findings) == 0 || live.Findings[0].ID != "dhcp-no-offer" || live.Findings[0].Severity != "error" || live.Findings[0].Confidence != "certain" {
				t.Errorf("got %+v", live.Findings)
			}
		})
	}
}
