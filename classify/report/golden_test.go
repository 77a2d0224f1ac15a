package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
)

const (
	fixtures = "../../testdata/pcap"
	goldens  = "../../testdata/golden"
)

// synthesized are the fixtures that scenarios of capture/synth make.
var synthesized = map[string]func() *synth.Capture{
	"rogue-libvirt.pcapng": synth.RogueAndStall,
	"five-faults.pcap":     synth.FiveFaults,
	"healthy-boot.pcap":    synth.HealthyBoot,
}

// captured are the fixtures of real software whose whole report is held; the
// lab's expectations hold the others.
var captured = []string{"lab-rogue-libvirt.pcapng", "lab-bios-pxelinux.pcap", "lab-mount-denied.pcap"}

// The fixtures give the reports in testdata/golden, to the letter.
func TestGoldenReports(t *testing.T) {
	if *update {
		writeFixtures(t)
	}
	files := slices.Clone(captured)
	for name := range synthesized {
		files = append(files, name)
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			got := reportOf(t, filepath.Join(fixtures, name))
			golden := filepath.Join(goldens, name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the report changed (-want +got); if it should, run 'make golden':\n%s", diff)
			}
		})
	}
}

func reportOf(t *testing.T, file string) []byte {
	t.Helper()
	src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	e := classify.New(classify.Options{Version: "golden"})
	if err := e.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	r := e.Report(src)
	for i := range r.Captures {
		r.Captures[i].File = filepath.Base(r.Captures[i].File)
	}
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	want, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want)+"\n", b.String()); diff != "" {
		t.Errorf("written piece by piece it is not what encoding/json writes (-want +got):\n%s", diff)
	}
	return b.Bytes()
}

func writeFixtures(t *testing.T) {
	for name, make := range synthesized {
		var b bytes.Buffer
		if err := write(&b, name, make()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(fixtures, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The fixtures are their scenarios: nobody edits one without the other.
func TestFixturesAreTheirScenarios(t *testing.T) {
	for name, make := range synthesized {
		var b bytes.Buffer
		if err := write(&b, name, make()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(fixtures, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b.Bytes()) {
			t.Errorf("%s is not what its scenario makes; run 'make golden'", name)
		}
	}
}

func write(b *bytes.Buffer, name string, c *synth.Capture) error {
	var put func(*capture.Packet) error
	if filepath.Ext(name) == ".pcapng" {
		w, err := pcapfile.NewNgWriter(b, pcapfile.Section{Application: "pxescope capture/synth"})
		if err != nil {
			return err
		}
		if _, err := w.Interface(capture.Interface{Name: "eth1", Link: capture.LinkEthernet, SnapLen: 262144}); err != nil {
			return err
		}
		put = func(p *capture.Packet) error { return w.WritePacket(p, "") }
	} else {
		w, err := pcapfile.NewPcapWriter(b, capture.LinkEthernet, 262144, false)
		if err != nil {
			return err
		}
		put = w.WritePacket
	}
	src := c.Source(name)
	var p capture.Packet
	for src.Next(&p) == nil {
		if err := put(&p); err != nil {
			return err
		}
	}
	return nil
}
