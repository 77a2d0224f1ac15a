package tftp_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tftp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// corpusDir holds other people's captures beside the checkout, with what
// tshark says of each under truth/.
const corpusDir = "../../../../shared/corpus"

// truth is the part of tshark's word that concerns TFTP.
type truth struct {
	TFTP *struct {
		RRQ       uint64            `json:"rrq"`
		WRQ       uint64            `json:"wrq"`
		NoReply   uint64            `json:"no_reply"`
		Completed uint64            `json:"completed"`
		Errors    map[string]uint64 `json:"errors"` // "code: text"
	} `json:"tftp"`
}

// play runs a capture file through decoder, copies and the tracker.
func play(t *testing.T, path string) *tracktest.Result {
	t.Helper()
	src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r := &tracktest.Result{}
	cfg := tracktest.Config()
	d := track.NewDispatcher([]track.Spec{tftp.Spec}, cfg, r)
	dec := wire.NewDecoder()
	copies := track.NewCopies(cfg.Site.Thresholds.Duplicate)
	var p capture.Packet
	var f wire.Frame
	var end capture.Time
	for {
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dec.Decode(&p, &f)
		end = max(end, p.Time)
		f.Time = end
		f.Copy = copies.Seen(&f)
		d.Frame(&f)
	}
	d.Finish(end)
	d.Count(&r.Counts)
	return r
}

// unacknowledged counts transfers whose last block was seen and its ACK not:
// completed for the report, not for the truth.
var unacknowledged = map[string]uint64{"arkime/arkime_synthetic.pcap": 1}

// tokenRing is the one capture of a link layer that is not read.
const tokenRing = "wireshark/tftp.pcap"

func TestCorpusCounts(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpusDir, "truth", "*.json"))
	if len(files) == 0 {
		t.Skip("no corpus of real captures beside the checkout")
	}
	compared := 0
	for _, tf := range files {
		b, err := os.ReadFile(tf)
		if err != nil {
			t.Fatal(err)
		}
		var want truth
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(strings.TrimSuffix(filepath.Base(tf), ".json"), "__", "/", 1)
		if want.TFTP == nil || name == tokenRing {
			continue
		}
		t.Run(name, func(t *testing.T) {
			compared++
			r := play(t, filepath.Join(corpusDir, name))
			got, w := r.Counts.TFTP, want.TFTP
			errs := map[string]uint64{}
			for k, n := range w.Errors {
				code, _, _ := strings.Cut(k, ":")
				errs[code] += n
			}
			for _, c := range []struct {
				what      string
				got, want uint64
			}{
				{"rrq", got.RRQ, w.RRQ},
				{"wrq", got.WRQ, w.WRQ},
				{"unanswered", got.Unanswered, w.NoReply},
				{"completed", got.Completed, w.Completed + unacknowledged[name]},
			} {
				if c.got != c.want {
					t.Errorf("%s: got %d, want %d", c.what, c.got, c.want)
				}
			}
			if len(errs) != len(got.Errors) {
				t.Errorf("errors: got %v, want %v", got.Errors, errs)
			}
			for k, n := range errs {
				if got.Errors[k] != n {
					t.Errorf("errors %s: got %d, want %d", k, got.Errors[k], n)
				}
			}
			for _, f := range r.Findings {
				t.Logf("%s %s %s: %s", f.Severity, f.Confidence, f.Rule.ID, f.Summary)
			}
			for _, x := range r.Exchanges {
				t.Logf("%s %q %s %s tries %d complete %v frames %d: %s", x.Op, x.Subject, x.Outcome, x.Reason, x.Tries, x.Complete, len(x.Frames), x.Detail)
			}
		})
	}
	if compared == 0 {
		t.Error("no capture with TFTP in the corpus")
	}
}
