package rpc

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
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
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus")
	truths, _ := filepath.Glob(filepath.Join(root, "truth", "*.json"))
	if len(truths) == 0 {
		t.Skip("no corpus beside the module: ../shared/corpus")
	}
	// Where tshark sees what is not there, or we do; each with its reason.
	known := map[string]string{
		"nfstrace__eth-ipv4-tcp-nfsv3-4-41-cifs1-2.pcap":                                "from frame 269 on tshark takes the client's port 854 for DLEP",
		"nfstrace__tcp-seq-overlap-in-fragment-12721.pcap":                              "most segments were not captured; tshark gives up, the tracker finds the next record",
		"markofu__EvilFingers__NMAP_PCAPS__NMAP_SCAN_ANALYSIS__RPC_SCAN__RPC_SCAN.pcap": "the scan sends calls to ports that tshark has other dissectors for",
		"wireshark__nfs.pcap": "FDDI is not decoded",
	}
	fields, same := 0, 0
	for _, truth := range truths {
		name := strings.TrimSuffix(filepath.Base(truth), ".json")
		data, err := os.ReadFile(truth)
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			RPC struct {
				Calls   map[string]uint64 `json:"by_program_procedure"`
				NoReply map[string]uint64 `json:"no_reply_by_program_procedure"`
			} `json:"rpc"`
		}
		if err := json.Unmarshal(data, &want); err != nil {
			continue // a truth of another shape has no RPC in it
		}
		path := filepath.Join(root, strings.ReplaceAll(name, "__", "/"))
		if _, err := os.Stat(path); err != nil {
			path = filepath.Join(root, strings.Replace(name, "__", "/", 1))
		}
		got, ok := countFile(t, path)
		if !ok {
			continue
		}
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
	}
	t.Logf("%d of %d fields agree", same, fields)
}

// countFile counts the RPC of a capture; ok is false when it cannot be read.
func countFile(t *testing.T, path string) (track.RPCCounts, bool) {
	file, err := os.Open(path)
	if err != nil {
		return track.RPCCounts{}, false
	}
	defer file.Close()
	src, err := pcapfile.NewReader(file)
	if err != nil {
		return track.RPCCounts{}, false
	}
	r := &tracktest.Result{}
	cfg := tracktest.Config()
	d := track.NewDispatcher([]track.Spec{Spec}, cfg, r)
	dec := wire.NewDecoder()
	copies := track.NewCopies(cfg.Site.Thresholds.Duplicate)
	var p capture.Packet
	var f wire.Frame
	var end capture.Time
	for {
		if err := src.Next(&p); err != nil {
			if err != io.EOF {
				t.Logf("%s: %v", path, err)
			}
			break
		}
		dec.Decode(&p, &f)
		end = max(end, p.Time)
		f.Time = end
		f.Copy = copies.Seen(&f)
		d.Frame(&f)
	}
	d.Finish(end)
	d.Count(&r.Counts)
	for _, x := range r.Findings {
		t.Logf("%s: %s %s: %s", filepath.Base(path), x.Severity, x.Rule.ID, x.Summary)
	}
	if testing.Verbose() {
		for _, x := range r.Exchanges {
			t.Logf("%s: %s %s %q %s %s %s", filepath.Base(path), x.Service, x.Op, x.Subject, x.Outcome, x.Reason, x.Detail)
		}
	}
	return r.Counts.RPC, true
}
