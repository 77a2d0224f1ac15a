package rpc

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/classify/track/tracktest"
)

// truthKey turns a label like "portmap v2 proc 3 GETPORT/GETADDR" into the
// report's key.
func truthKey(t *testing.T, label string) string {
	numbers := map[string]uint32{
		"portmap": programPortmap, "nfs": programNFS, "mount": programMount, "nlm": programNLM, "status": programNSM, "nfsacl": programNFSACL,
		"rquota": programRquota, "rstat": 100001, "rusers": 100002, "ypserv": 100004, "ypbind": 100007, "bootparam": 100026,
	}
	f := strings.Fields(label)
	if len(f) < 4 {
		t.Fatalf("truth has the label %q", label)
	}
	prog, ok := numbers[f[0]]
	if !ok {
		n, err := strconv.ParseUint(f[0], 10, 32)
		if err != nil {
			t.Fatalf("truth has the program %q", f[0])
		}
		prog = uint32(n)
	}
	vers, _ := strconv.ParseUint(strings.TrimPrefix(f[1], "v"), 10, 32)
	proc, _ := strconv.ParseUint(f[3], 10, 32)
	return strconv.FormatUint(uint64(prog), 10) + ":" + procedureName(prog, uint32(vers), uint32(proc))
}

// TestCorpusCounts compares the counts with what tshark says of each capture.
func TestCorpusCounts(t *testing.T) {
	// Where tshark sees what is not there, or we do; each with its reason.
	known := map[string]string{
		"nfstrace/eth-ipv4-tcp-nfsv3-4-41-cifs1-2.pcap":                                "from frame 269 on tshark takes the client's port 854 for DLEP",
		"nfstrace/tcp-seq-overlap-in-fragment-12721.pcap":                              "most segments were not captured; tshark gives up, the tracker finds the next record",
		"markofu/EvilFingers__NMAP_PCAPS__NMAP_SCAN_ANALYSIS__RPC_SCAN__RPC_SCAN.pcap": "the scan sends calls to ports that tshark has other dissectors for",
		"wireshark/nfs.pcap": "FDDI is not decoded",
	}
	fields, same := 0, 0
	tracktest.Corpus(t, func(name, path string, truth []byte) {
		var want struct {
			RPC struct {
				Calls   map[string]uint64 `json:"by_program_procedure"`
				NoReply map[string]uint64 `json:"no_reply_by_program_procedure"`
			} `json:"rpc"`
		}
		if err := json.Unmarshal(truth, &want); err != nil {
			return // a truth of another shape has no RPC in it
		}
		r := tracktest.File(t, path, Spec)
		if r == nil {
			return
		}
		got := r.Counts.RPC
		calls, none := map[string]uint64{}, map[string]uint64{}
		for k, n := range want.RPC.Calls {
			calls[truthKey(t, k)] += n
		}
		for k, n := range want.RPC.NoReply {
			none[truthKey(t, k)] += n
		}
		compare := func(what string, got, want map[string]uint64) {
			keys := map[string]bool{}
			for k := range got {
				keys[k] = true
			}
			for k := range want {
				keys[k] = true
			}
			for k := range keys {
				fields++
				switch {
				case got[k] == want[k]:
					same++
				case known[name] != "":
					t.Logf("%s: %s %s: got %d, tshark has %d: %s", name, what, k, got[k], want[k], known[name])
				default:
					t.Errorf("%s: %s %s: got %d, tshark has %d", name, what, k, got[k], want[k])
				}
			}
		}
		compare("calls", got.Calls, calls)
		compare("unanswered", got.Unanswered, none)
	})
	t.Logf("%d of %d fields agree", same, fields)
}
