package classify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify"
)

// stretches are packets less than d apart from the first of each.
func stretches(packets []capture.Packet, d time.Duration) (out [][]capture.Packet) {
	for len(packets) > 0 {
		end := 1
		for end < len(packets) && packets[end].Time.Sub(packets[0].Time) < d {
			end++
		}
		out = append(out, packets[:end:end])
		packets = packets[end:]
	}
	return out
}

// tapsInTurn is what dumpcap's buffers leave when it captures on three interfaces
// under load and tcpdump then writes its file as one of a single interface: of
// each half second all of the first tap, then all of the next.
func tapsInTurn(packets []capture.Packet) (out []capture.Packet) {
	for _, s := range stretches(packets, 500*time.Millisecond) {
		for tap := range 3 {
			for _, p := range s {
				p.Time = p.Time.Add(time.Duration(tap) * 10 * time.Microsecond)
				out = append(out, p)
			}
		}
	}
	return out
}

// queuesInTurn is what a card with two queues leaves that are emptied every 50 ms:
// one has what comes from one half of the MACs, the other the rest. The first of
// them decides which goes last, so that replies stand before their requests.
func queuesInTurn(packets []capture.Packet) (out []capture.Packet) {
	queue := func(p *capture.Packet) bool { return len(p.Data) < 12 || p.Data[9] == packets[0].Data[9] }
	for _, s := range stretches(packets, 50*time.Millisecond) {
		for _, last := range []bool{false, true} {
			for i := range s {
				if queue(&s[i]) == last {
					out = append(out, s[i])
				}
			}
		}
	}
	return out
}

// TestInTurn: whatever the order in which buffers were emptied, a boot is judged
// as in the order of time.
func TestInTurn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures, "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		var packets []capture.Packet
		src := openFile(t, file)
		var p capture.Packet
		for src.Next(&p) == nil {
			p.Data = slices.Clone(p.Data)
			packets = append(packets, p)
		}
		said := func(packets []capture.Packet) []string {
			var b bytes.Buffer
			w, err := pcapfile.NewPcapWriter(&b, packets[0].Link, 0, true)
			if err != nil {
				t.Fatal(err)
			}
			for i := range packets {
				if err := w.WritePacket(&packets[i]); err != nil {
					t.Fatal(err)
				}
			}
			name := filepath.Join(t.TempDir(), "a.pcap")
			if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			return verdicts(t, openFile(t, name))
		}
		want := said(packets)
		for name, order := range map[string]func([]capture.Packet) []capture.Packet{"taps": tapsInTurn, "queues": queuesInTurn} {
			if got := said(order(packets)); !slices.Equal(got, want) {
				t.Errorf("%s, %s:\ngot  %q\nwant %q", filepath.Base(file), name, got, want)
			}
		}
	}
}

// verdicts are the nodes and the grave findings of a report.
func verdicts(t *testing.T, src capture.Source) (out []string) {
	t.Helper()
	engine := classify.New(classify.Options{})
	if err := engine.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	r := engine.Report(src)
	for _, n := range r.Nodes {
		out = append(out, n.Name()+" "+n.Outcome+" "+n.Stage+" "+n.RootCause)
	}
	for _, f := range r.Findings {
		if f.Severity == "error" || f.Severity == "warning" {
			out = append(out, f.Severity+" "+f.ID+" "+f.Node+" "+f.Server)
		}
	}
	slices.Sort(out)
	return out
}
