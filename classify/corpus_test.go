package classify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture/pcapfile"
)

// The corpus is other people's captures with what tshark says of each; it lies
// beside the project and is no part of it.
const corpus = "../../shared/corpus"

// truth is the part of tshark's word that the report counts too.
type truth struct {
	Packets uint64 `json:"packets"`
	Exit    int    `json:"tshark_exit"`
	DHCP4   *struct {
		ByType       map[string]uint64 `json:"by_type"`
		Transactions uint64            `json:"transactions"`
		Servers      []string          `json:"server_ids_offer_or_ack"`
		NoOffer      uint64            `json:"discover_no_offer"`
		NoAnswer     uint64            `json:"request_no_answer"`
		Relayed      uint64            `json:"relayed"`
	} `json:"dhcpv4"`
	DHCP6 *struct {
		ByType   map[string]uint64 `json:"by_outer_type"`
		NoAnswer uint64            `json:"solicit_no_answer"`
	} `json:"dhcpv6"`
	TFTP *struct {
		RRQ       uint64            `json:"rrq"`
		WRQ       uint64            `json:"wrq"`
		NoReply   uint64            `json:"no_reply"`
		Completed uint64            `json:"completed"`
		Errors    map[string]uint64 `json:"errors"`
	} `json:"tftp"`
	RPC *struct {
		Calls   map[string]uint64 `json:"by_program_procedure"`
		NoReply map[string]uint64 `json:"no_reply_by_program_procedure"`
	} `json:"rpc"`
	DNS *struct {
		Queries    uint64 `json:"queries"`
		NoResponse uint64 `json:"no_response"`
	} `json:"dns"`
	NTP *struct {
		ByMode   map[string]uint64 `json:"by_mode"`
		NoAnswer uint64            `json:"client_packets_no_matching_origin"`
	} `json:"ntp"`
	TCP *struct {
		Connects uint64 `json:"connects"`
		NoSYNACK uint64 `json:"no_synack"`
		Refused  uint64 `json:"refused"`
	} `json:"tcp"`
}

// rpcPrograms are tshark's names for what the report calls by number.
var rpcPrograms = map[string]string{"portmap": "100000", "rstat": "100001", "nfs": "100003", "mount": "100005", "rquota": "100011",
	"nlm": "100021", "status": "100024", "bootparam": "100026", "nfsacl": "100227"}

// rpcKey turns "mount v3 proc 1 MNT" and "100005:MNT" into "100005:total": the
// procedure names are held against RFC tables in the tracker's own tests.
func rpcTotals(m map[string]uint64, ours bool) map[string]uint64 {
	out := make(map[string]uint64)
	for k, n := range m {
		prog := strings.Fields(k)[0]
		if ours {
			prog, _, _ = strings.Cut(k, ":")
		} else if p := rpcPrograms[prog]; p != "" {
			prog = p
		}
		out[prog] += n
	}
	return out
}

// TestCorpus holds the plain counts against tshark's over every capture of the
// corpus: no crash, and at least 98 % of the fields agree.
func TestCorpus(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(corpus, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus of other people's captures is not beside the project")
	}
	var fields, agree int
	var differ []string
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		var want truth
		b, err := os.ReadFile(filepath.Join(corpus, "truth", strings.ReplaceAll(name, "/", "__")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compare := func(field string, got, want uint64) {
			fields++
			if got == want {
				agree++
				return
			}
			differ = append(differ, fmt.Sprintf("%s %s: got %d, want %d", name, field, got, want))
		}
		r := analyzeFile(t, filepath.Join(corpus, name))
		if r == nil {
			if want.Exit == 0 {
				compare("packets", 0, want.Packets)
			}
			continue
		}
		compareCounts(r, &want, compare)
	}
	sort.Strings(differ)
	share := float64(agree) / float64(fields)
	t.Logf("%d of %d fields agree (%.2f %%)", agree, fields, 100*share)
	for _, d := range differ {
		t.Log(d)
	}
	if fields < 2700 || share < 0.98 {
		t.Errorf("got %.4f of %d fields, want at least 0.98 of 2700", share, fields)
	}
}

func analyzeFile(t *testing.T, path string) *Report {
	src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
	if err != nil {
		return nil
	}
	defer src.Close()
	e := New(Options{})
	if err := e.Run(src, 0); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return e.Report(src)
}

func compareCounts(r *Report, want *truth, compare func(string, uint64, uint64)) {
	c := &r.Counts
	if want.Exit == 0 { // else tshark stopped before the end, or at the link type
		compare("packets", c.Packets, want.Packets)
	}
	if d := want.DHCP4; d != nil {
		for _, typ := range keys(d.ByType, c.DHCP4.Messages) {
			// tshark takes a cut message for one without option 53; unknown types have no common name
			if strings.HasPrefix(typ, "BOOT") || typ == "CUT" || strings.HasPrefix(strings.ToUpper(typ), "TYPE") {
				continue
			}
			compare("dhcp4."+typ, c.DHCP4.Messages[typ], d.ByType[typ])
		}
		compare("dhcp4.transactions", c.DHCP4.Transactions, d.Transactions)
		compare("dhcp4.discover_unanswered", c.DHCP4.DiscoverUnanswered, d.NoOffer)
		compare("dhcp4.request_unanswered", c.DHCP4.RequestUnanswered, d.NoAnswer)
		compare("dhcp4.relayed", c.DHCP4.Relayed, d.Relayed)
		servers := slices.DeleteFunc(d.Servers, func(s string) bool { return strings.HasPrefix(s, "src:") }) // named by address, without option 54
		same := uint64(0)
		for _, s := range servers {
			if slices.Contains(c.DHCP4.Servers, s) {
				same++
			}
		}
		compare("dhcp4.servers", max(same, uint64(len(c.DHCP4.Servers))), uint64(len(servers)))
	}
	if d := want.DHCP6; d != nil {
		for _, typ := range keys(d.ByType, c.DHCP6.Messages) {
			if typ != "other" && !(typ >= "0" && typ <= "9999") {
				compare("dhcp6."+typ, c.DHCP6.Messages[typ], d.ByType[typ])
			}
		}
		compare("dhcp6.solicit_unanswered", c.DHCP6.SolicitUnanswered, d.NoAnswer)
	}
	if d := want.TFTP; d != nil {
		compare("tftp.rrq", c.TFTP.RRQ, d.RRQ)
		compare("tftp.wrq", c.TFTP.WRQ, d.WRQ)
		compare("tftp.unanswered", c.TFTP.Unanswered, d.NoReply)
		compare("tftp.completed", c.TFTP.Completed, d.Completed)
		errors := make(map[string]uint64)
		for text, n := range d.Errors {
			code, _, _ := strings.Cut(text, ":")
			errors[code] += n
		}
		for _, code := range keys(errors, c.TFTP.Errors) {
			compare("tftp.errors."+code, c.TFTP.Errors[code], errors[code])
		}
	}
	if d := want.RPC; d != nil {
		got, wanted := rpcTotals(c.RPC.Calls, true), rpcTotals(d.Calls, false)
		for _, k := range keys(got, wanted) {
			compare("rpc.calls."+k, got[k], wanted[k])
		}
		got, wanted = rpcTotals(c.RPC.Unanswered, true), rpcTotals(d.NoReply, false)
		for _, k := range keys(got, wanted) {
			compare("rpc.unanswered."+k, got[k], wanted[k])
		}
	}
	if d := want.DNS; d != nil {
		compare("dns.queries", c.DNS.Queries, d.Queries)
		compare("dns.unanswered", c.DNS.Unanswered, d.NoResponse)
	}
	if d := want.NTP; d != nil {
		compare("ntp.requests", c.NTP.Requests, d.ByMode["3"])
		compare("ntp.unanswered", c.NTP.Unanswered, d.NoAnswer)
	}
	if d := want.TCP; d != nil {
		compare("tcp.connections", c.TCP.Connections, d.Connects)
		compare("tcp.syn_unanswered", c.TCP.SYNUnanswered, d.NoSYNACK-d.Refused)
		compare("tcp.refused", c.TCP.Refused, d.Refused)
	}
}

func keys(maps ...map[string]uint64) []string {
	var out []string
	for _, m := range maps {
		for k := range m {
			if !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	slices.Sort(out)
	return out
}
