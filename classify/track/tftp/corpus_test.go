package tftp_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/classify/track/tftp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

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

// unacknowledged counts transfers whose last block was seen and its ACK not:
// completed for the report, not for the truth.
var unacknowledged = map[string]uint64{"arkime/arkime_synthetic.pcap": 1}

// tokenRing is the one capture of a link layer that is not read.
const tokenRing = "wireshark/tftp.pcap"

func TestCorpusCounts(t *testing.T) {
	compared := 0
	tracktest.Corpus(t, func(name, path string, told []byte) {
		var want truth
		if err := json.Unmarshal(told, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want.TFTP == nil || name == tokenRing {
			return
		}
		t.Run(name, func(t *testing.T) {
			compared++
			r := tracktest.File(t, path, tftp.Spec)
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
	})
	if compared == 0 {
		t.Error("no capture with TFTP in the corpus")
	}
}
