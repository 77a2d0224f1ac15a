package boot_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// A machine plays exchanges of one client to the join.
type machine struct {
	nodes *boot.Nodes
	said  tracktest.Result
}

var (
	client = finding.Endpoint{MAC: wire.MAC{0xd4, 0xae, 0x52, 0, 0, 1}, Addr: wire.MustAddr("10.0.0.57")}
	server = finding.Endpoint{MAC: wire.MAC{0x3c, 0xec, 0xef, 0, 0, 2}, Addr: wire.MustAddr("10.0.0.2")}
)

func at(s float64) capture.Time { return capture.Time(s * float64(time.Second)) }

func newMachine() *machine {
	return &machine{nodes: boot.New(&track.Config{Catalog: catalog.Default(), Site: site.Default()})}
}

func (m *machine) exchange(x track.Exchange) {
	var out track.Out
	x.Client, x.Frames = client, []capture.FrameID{capture.NewFrameID(0, uint64(x.First/1e9)+1)}
	m.nodes.Expire(x.Last, &out)
	m.nodes.Exchange(&x, &out)
	m.said.Take(&out)
}

// dhcp is a DHCP exchange of a kind of client.
func (m *machine) dhcp(op string, kind track.ClientKind, o track.Outcome, first, last float64, tries int) {
	l := &track.Lease{Kind: kind, Arch: -1, MAC: client.MAC, Addr: client.Addr, Server: server.Addr, File: "boot", BootInfo: kind.Boots()}
	m.exchange(track.Exchange{Stage: track.StageDHCP, Op: op, Outcome: o, Server: server, First: at(first), Last: at(last), Tries: tries, Overdue: tries, Lease: l})
}

func (m *machine) rrq(first, last float64, complete bool, bytes int64) {
	m.exchange(track.Exchange{Stage: track.StageTFTP, Op: "RRQ", Subject: "boot", Outcome: track.Answered, Server: server,
		First: at(first), Last: at(last), Tries: 1, Complete: complete, Bytes: bytes})
}

func (m *machine) finish(end float64) {
	var out track.Out
	m.nodes.Finish(at(end), &out)
	m.said.Take(&out)
}

// A DISCOVER that was lost while the link came up is a note and is taken back;
// four are an error.
func TestSecondStageSeverity(t *testing.T) {
	for _, tt := range []struct {
		name     string
		tries    int
		answered bool
		want     string
	}{
		{"one", 1, false, "note"}, {"two", 2, false, "warning"}, {"four", 4, false, "error"}, {"two, then answered", 2, true, ""},
	} {
		m := newMachine()
		m.dhcp("REQUEST", track.ClientPXE, track.Answered, 0, 1, 1)
		m.rrq(2, 3, true, 9000)
		m.dhcp("DISCOVER", track.ClientOther, track.Unanswered, 40, 45, tt.tries)
		if tt.answered {
			m.dhcp("DISCOVER", track.ClientOther, track.Answered, 40, 46, 3)
		}
		m.finish(120)
		got := ""
		if f := m.said.Find("second-stage-dhcp-fails"); f != nil {
			got = f.Severity.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Firmware that waits for port 4011 is not accused of loading nothing too.
func TestWaitingForPort4011IsNoIdleness(t *testing.T) {
	for kind, want := range map[track.ClientKind]bool{track.ClientPXE: false, track.ClientIPXE: true} {
		m := newMachine()
		m.dhcp("REQUEST", kind, track.Answered, 0, 1, 1)
		m.dhcp("BINL", kind, track.Unanswered, 2, 13, 2)
		m.finish(60)
		if got := m.said.Find("no-load-after-ack") != nil; got != want {
			t.Errorf("%s: no-load-after-ack: got %v, want %v", kind, got, want)
		}
	}
}

// A connection that goes on in vain after the finding is no recovery from it.
func TestConnectionGoesOnInVain(t *testing.T) {
	m := newMachine()
	m.exchange(track.Exchange{Stage: track.StageHTTP, Op: "CONNECT", Outcome: track.Answered, Server: server, First: at(0), Last: at(9), Tries: 1})
	rule := &finding.Rule{ID: "x", Rank: finding.RankTransfer}
	f := &finding.Finding{Rule: rule, Severity: finding.Error, First: at(1), Last: at(3)}
	m.nodes.Each(func(v *boot.Node) {
		if got := boot.Judge(v, []*finding.Finding{f}, at(60), site.Default()); got.Root != f {
			t.Errorf("got %s, want stopped by the finding", got.Outcome)
		}
	})
}

// A machine that runs each time is no reboot loop, also while it starts anew.
func TestSystemsEachTimeAreNoLoop(t *testing.T) {
	for _, system := range []bool{false, true} {
		m := newMachine()
		for i := range 3 {
			x := 120 * float64(i)
			m.dhcp("DISCOVER", track.ClientPXE, track.Answered, x, x+1, 1)
			m.dhcp("REQUEST", track.ClientPXE, track.Answered, x+1, x+2, 1)
			m.rrq(x+2, x+3, true, 9000)
			if system && i < 2 {
				m.dhcp("REQUEST", track.ClientOther, track.Answered, x+30, x+31, 1)
			}
		}
		m.finish(300)
		if got := m.said.Find("reboot-loop") != nil; got == system {
			t.Errorf("systems got their addresses: %v, reboot-loop: got %v", system, got)
		}
	}
}

// An address that is no node's resolves to none.
func TestUnknownAddressIsNoNode(t *testing.T) {
	m := newMachine()
	if k, ok := m.nodes.Resolve(server, 0); ok || !k.IsZero() {
		t.Errorf("got %v, %v, want none", k, ok)
	}
}

// A controller that dials is no machine that boots.
func TestControllersAreNoNodes(t *testing.T) {
	s := site.Default()
	s.Regions = []netip.Addr{client.Addr.Netip()}
	m := &machine{nodes: boot.New(&track.Config{Catalog: catalog.Default(), Site: s})}
	m.exchange(track.Exchange{Stage: track.StageMetadata, Op: "CONNECT", Outcome: track.Answered, Server: server, First: at(0), Last: at(1), Tries: 1})
	m.nodes.Each(func(v *boot.Node) { t.Errorf("got node %v for a region", v.Key) })
}

// A file that was asked for its size and then fetched is two steps, and the
// machine has what it asked for.
func TestSizeProbeIsAStepOfItsOwn(t *testing.T) {
	m := newMachine()
	m.dhcp("REQUEST", track.ClientPXE, track.Answered, 0, 1, 1)
	m.rrq(2, 2.1, false, 0)
	m.rrq(2.2, 3, true, 9000)
	m.finish(60)
	m.nodes.Each(func(v *boot.Node) {
		if got := len(v.Steps); got != 3 {
			t.Errorf("got %d steps, want the lease, the question and the file", got)
		}
		if got := boot.Judge(v, nil, at(60), site.Default()).Outcome; got != boot.Booted {
			t.Errorf("got %s, want booted", got)
		}
	})
}
