package classify

import (
	"encoding/json"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
)

// Schema names the version of the report's JSON form. Changes are additive.
const Schema = "pxescope.report/1"

// A Report is everything the engine has to say: the one result that every
// renderer reads. Strings may come from packets and are hostile until a
// renderer has escaped them.
type Report struct {
	Schema   string         `json:"schema"`
	Tool     Tool           `json:"tool"`
	Captures []Capture      `json:"captures"`
	Site     SiteInfo       `json:"site"`
	Counts   track.Counts   `json:"counts"`
	Services []ServiceCount `json:"services"`
	Nodes    []Node         `json:"nodes"`
	Findings []Finding      `json:"findings"`
	Quality  []Quality      `json:"quality"`
	// Inconclusive is set when the capture is too lossy or one-sided to
	// conclude from; exit status 5.
	Inconclusive bool `json:"inconclusive"`
}

// A Tool is who wrote the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// A Capture is one input.
type Capture struct {
	File       string   `json:"file"`
	Format     string   `json:"format"`
	Linktypes  []string `json:"linktypes"`
	Interfaces []string `json:"interfaces"`
	Packets    uint64   `json:"packets"`
	Bytes      uint64   `json:"bytes"`
	First      Time     `json:"first"`
	Last       Time     `json:"last"`
	Truncated  bool     `json:"truncated"`
	Damage     string   `json:"damage"`
	Dropped    uint64   `json:"dropped"`
	// DroppedKnown tells "none" from "the file does not say".
	DroppedKnown bool   `json:"dropped_known"`
	Comment      string `json:"comment,omitempty"`
}

// A SiteInfo says which roles were told and which were inferred from traffic.
type SiteInfo struct {
	Told         bool     `json:"told"`
	DHCPServers  []string `json:"dhcp_servers"` // who answered DHCP
	BootServers  []string `json:"boot_servers"` // who served TFTP, HTTP boot, NFS
	Racks        []string `json:"racks"`        // as told
	Regions      []string `json:"regions"`      // as told
	Unclassified uint64   `json:"unclassified"` // packets of no catalog service
}

// A ServiceCount is the traffic of one catalog service.
type ServiceCount struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Phase      string `json:"phase"`
	Packets    uint64 `json:"packets"`
	Bytes      uint64 `json:"bytes"`
	ToServer   uint64 `json:"to_server"`
	FromServer uint64 `json:"from_server"`
}

// A Node is one machine that speaks a provisioning protocol.
type Node struct {
	MAC       string   `json:"mac"` // empty behind a router
	Vendor    string   `json:"vendor"`
	Addresses []string `json:"addresses"`
	Hostname  string   `json:"hostname"`
	Arch      string   `json:"arch"`
	VLAN      []uint16 `json:"vlan"`
	Boots     int      `json:"boots"` // firmware starts seen
	Stage     string   `json:"stage"`
	Outcome   string   `json:"outcome"`
	Verdict   string   `json:"verdict"`
	// NextExpected is the packet that should have come next, empty when the
	// node is through.
	NextExpected string   `json:"next_expected"`
	RootCause    string   `json:"root_cause"`
	Findings     []string `json:"findings"`
	File         int      `json:"file"`
	Frames       []uint64 `json:"frames"`
	Timeline     []Step   `json:"timeline"`
}

// Name is what a person calls the node: its MAC, or its address.
func (n *Node) Name() string {
	if n.MAC != "" {
		return n.MAC
	}
	if len(n.Addresses) > 0 {
		return n.Addresses[0]
	}
	return "?"
}

// A Step is one exchange, or a run of like ones, in a node's boot.
type Step struct {
	Stage   string   `json:"stage"`
	Op      string   `json:"op"`
	Subject string   `json:"subject"`
	Outcome string   `json:"outcome"`
	First   Time     `json:"first"`
	Last    Time     `json:"last"`
	File    int      `json:"file"`
	Frames  []uint64 `json:"frames"`
	Server  string   `json:"server"`
	Tries   int      `json:"tries"`
	Bytes   int64    `json:"bytes"`
	Detail  string   `json:"detail"`
}

// A Finding is one rule met by traffic.
type Finding struct {
	ID         string   `json:"id"`
	Severity   string   `json:"severity"`
	Confidence string   `json:"confidence"`
	Node       string   `json:"node"`            // MAC or address; empty for the segment
	Nodes      []string `json:"nodes,omitempty"` // of a finding promoted to the site
	Server     string   `json:"server"`
	VLAN       uint16   `json:"vlan"`
	Interface  string   `json:"interface,omitempty"`
	Title      string   `json:"title"`
	Summary    string   `json:"summary"`
	Next       string   `json:"next"`
	First      Time     `json:"first"`
	Last       Time     `json:"last"`
	File       int      `json:"file"`
	Frames     []uint64 `json:"frames"`
	// Files holds the file of each frame when the frames are of several files.
	Files     []int    `json:"files,omitempty"`
	Facts     Facts    `json:"facts"`
	LoweredBy []string `json:"lowered_by"`
	// RootCauseOf are the nodes whose boot this finding explains.
	RootCauseOf []string `json:"root_cause_of,omitempty"`

	ref findingRef
}

// A Quality is one thing that the capture cannot show, or does not show right.
type Quality struct {
	Gate     string   `json:"gate"`
	Severity string   `json:"severity"`
	Detail   string   `json:"detail"`
	Affects  []string `json:"affects"`
}

// Facts are key-value pairs that keep their order.
type Facts []Fact

// A Fact is one piece of evidence.
type Fact struct {
	Key   string
	Value any
}

// MarshalJSON writes an object with the facts in order.
func (f Facts) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range f {
		if i > 0 {
			b = append(b, ',')
		}
		k, err := json.Marshal(x.Key)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(x.Value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, k...), ':'), v...)
	}
	return append(b, '}'), nil
}

// A Time prints as RFC 3339 with nanoseconds in UTC; the zero Time, of a
// capture without packets, as an empty string.
type Time capture.Time

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// AppendJSON appends what MarshalJSON returns.
func (t Time) AppendJSON(b []byte) []byte {
	b = append(b, '"')
	if t != 0 {
		b = capture.Time(t).Std().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
	}
	return append(b, '"')
}

// Std converts t for printing.
func (t Time) Std() time.Time { return capture.Time(t).Std() }
