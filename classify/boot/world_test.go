package boot_test

import (
	"slices"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// A world plays exchanges of several machines to the join.
type world struct {
	*boot.Nodes
	said  tracktest.Result
	frame uint64
}

func newWorld() *world {
	return &world{Nodes: boot.New(&track.Config{Catalog: catalog.Default(), Site: site.Default()})}
}

// The machines: two nodes, the rack, an uninvited server, a router.
var (
	nodeA  = finding.Endpoint{MAC: wire.MAC{0xd4, 0xae, 0x52, 0, 0, 0xa}, Addr: wire.MustAddr("10.0.0.10")}
	nodeB  = finding.Endpoint{MAC: wire.MAC{0xd4, 0xae, 0x52, 0, 0, 0xb}, Addr: wire.MustAddr("10.0.0.11")}
	rack   = finding.Endpoint{MAC: wire.MAC{0x3c, 0xec, 0xef, 0, 0, 2}, Addr: wire.MustAddr("10.0.0.2")}
	rogue  = finding.Endpoint{MAC: wire.MAC{0x52, 0x54, 0, 0, 0, 1}, Addr: wire.MustAddr("192.168.122.1")}
	router = wire.MAC{0, 0, 0xc, 0, 0, 1}
)

func (w *world) do(x track.Exchange) *world {
	var out track.Out
	if x.Client.IsZero() {
		x.Client = nodeA
	}
	if x.Stage == track.StageDHCP || x.Stage == track.StageProxyDHCP {
		x.Client.Port = 68
	}
	if x.Tries == 0 {
		x.Tries = 1
	}
	if x.Outcome == track.Unanswered && x.Overdue == 0 {
		x.Overdue = x.Tries
	}
	if x.Last < x.First {
		x.Last = x.First
	}
	w.frame++
	x.Frames = []capture.FrameID{capture.NewFrameID(0, w.frame)}
	w.Expire(x.Last, &out)
	w.Exchange(&x, &out)
	w.said.Take(&out)
	return w
}

// until lets time pass without an exchange.
func (w *world) until(s float64) *world {
	var out track.Out
	w.Expire(at(s), &out)
	w.said.Take(&out)
	return w
}

func (w *world) finish(s float64) *world {
	var out track.Out
	w.Finish(at(s), &out)
	w.said.Take(&out)
	return w
}

// lease of a kind of client; firmware gets a boot file.
func lease(kind track.ClientKind, file string) *track.Lease {
	return &track.Lease{Kind: kind, Arch: -1, Addr: nodeA.Addr, Server: rack.Addr, ServerMAC: rack.MAC, NextServer: rack.Addr, File: file,
		Routers: []wire.Addr{wire.MustAddr("10.0.0.1")}, DNS: []wire.Addr{wire.MustAddr("10.0.0.53")}, Mask: wire.MustAddr("255.255.255.0"),
		BootServers: []wire.Addr{rack.Addr}, BootInfo: file != ""}
}

func discover(kind track.ClientKind, o track.Outcome, first, last float64, tries int) track.Exchange {
	return track.Exchange{Service: "dhcp", Stage: track.StageDHCP, Op: "DISCOVER", Outcome: o, First: at(first), Last: at(last), Tries: tries, Lease: lease(kind, "")}
}

func acked(kind track.ClientKind, first float64, l *track.Lease) track.Exchange {
	l.Kind = kind
	return track.Exchange{Service: "dhcp", Stage: track.StageDHCP, Op: "REQUEST", Subject: l.Addr.String(), Outcome: track.Answered, Server: rack,
		First: at(first), Last: at(first), Lease: l}
}

func loaded(file string, first, last float64) track.Exchange {
	return track.Exchange{Service: "tftp", Stage: track.StageTFTP, Op: "RRQ", Subject: file, Outcome: track.Answered, Complete: true, Server: rack,
		First: at(first), Last: at(last), Bytes: 9000}
}

func http(first, last float64) track.Exchange {
	return track.Exchange{Service: "http", Stage: track.StageHTTP, Op: "CONNECT", Subject: "10.0.0.2:80", Outcome: track.Answered, Server: rack,
		First: at(first), Last: at(last), Bytes: 90000}
}

func resolving(target string, o track.Outcome, first, last float64) track.Exchange {
	return track.Exchange{Service: "arp", Op: "ARP", Subject: target, Outcome: o, Server: finding.Endpoint{Addr: wire.MustAddr(target)},
		First: at(first), Last: at(last), Tries: 4}
}

// firmware is DISCOVER and REQUEST of a start at s seconds.
func (w *world) firmware(s float64, kind track.ClientKind, file string) *world {
	return w.do(discover(kind, track.Answered, s, s, 1)).do(acked(kind, s+1, lease(kind, file)))
}

// findings are "severity rule" of what stands, notes included, sorted.
func (w *world) findings() []string {
	got := []string{}
	for _, f := range w.said.Findings {
		got = append(got, f.Severity.String()+" "+f.Rule.ID)
	}
	slices.Sort(got)
	return got
}

func (w *world) node(t testing.TB, e finding.Endpoint) *boot.Node {
	t.Helper()
	k, ok := w.Resolve(e, 0)
	if !ok {
		t.Fatalf("no node for %v", e)
	}
	return w.Get(k)
}

func (w *world) count() (n int) {
	w.Each(func(*boot.Node) { n++ })
	return n
}
