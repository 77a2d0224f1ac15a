package cli

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/record"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
)

// What is worth a file: a warning or worse that is new, that became worse, or
// that is about twice as many nodes.
func TestWorthAFile(t *testing.T) {
	of := func(severity string, nodes int) *classify.Finding {
		return &classify.Finding{Severity: severity, Nodes: make([]string, nodes)}
	}
	for _, c := range []struct {
		now, was *classify.Finding
		want     bool
	}{
		{of("note", 0), nil, false}, {of("warning", 0), nil, true}, {of("error", 0), of("warning", 0), true}, {of("warning", 0), of("warning", 0), false},
		{of("warning", 0), of("error", 0), false}, {of("error", 3), nil, true}, {of("error", 5), of("error", 3), false},
	} {
		n := classify.FindingNews{Finding: *c.now, Was: c.was}
		r := new(liveRun)
		if got := r.worthAFile(&n); got != c.want {
			t.Errorf("%v after %v: got %v, want %v", c.now, c.was, got, c.want)
		}
		n.Withdrawn = true
		if r.worthAFile(&n) {
			t.Errorf("%v was taken back", c.now)
		}
	}
	r, was := new(liveRun), of("error", 1)
	got := []int{}
	for n := 2; n <= 20; n++ { // they become more one by one
		now := of("error", n)
		if r.worthAFile(&classify.FindingNews{Finding: *now, Was: was}) {
			got = append(got, n)
		}
		was = now
	}
	if !slices.Equal(got, []int{4, 8, 16}) {
		t.Errorf("of 2 to 20 nodes: got files at %v", got)
	}
}

// Nodes that stop of one cause at once make one finding: their packets are in
// one file, with the frames that it cites.
func TestSaveOfSeveral(t *testing.T) {
	dir := t.TempDir()
	c := &synth.Capture{}
	const nodes = 40
	for n := range nodes {
		d := synth.PXERom(fmt.Sprintf("d4:ae:52:00:08:%02x", n)).Discover(uint32(n+1), 0)
		for i := range 5 {
			c.Add(time.Duration(i)*4*time.Second+time.Duration(n)*time.Millisecond, d.Broadcast())
		}
	}
	rec, err := record.NewRecorder(dir, record.RecorderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	var errs strings.Builder
	r := &liveRun{o: &liveOptions{}, out: &output{Writer: bufio.NewWriter(&errs)}, every: newsEvery, s: Streams{Err: &errs}, recorder: rec, saves: true,
		src: &paced{Source: c.Source("live"), every: 100 * time.Millisecond}, engine: classify.New(classify.Options{})}
	r.choice.format = "json"
	r.teller = newTeller(r)
	if err := r.loop(); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, e := range list {
		if strings.HasSuffix(e.Name(), "-nodes_dhcp-no-offer.pcapng") {
			most = max(most, senders(t, filepath.Join(dir, e.Name())))
		}
	}
	if most < 10 || most > mostSaved || !strings.Contains(errs.String(), " nodes in ") {
		t.Errorf("got packets of %d nodes of %d in %v; said %s", most, nodes, list, errs.String())
	}
}

// senders counts who sent the packets of a file.
func senders(t *testing.T, file string) int {
	t.Helper()
	src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	from := make(map[string]bool)
	var p capture.Packet
	for src.Next(&p) == nil {
		from[string(p.Data[6:12])] = true
	}
	return len(from)
}
