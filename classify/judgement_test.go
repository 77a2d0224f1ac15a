package classify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

func ruleOf(t testing.TB, id string) *finding.Rule {
	t.Helper()
	for _, r := range Rules() {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("no rule %s", id)
	return nil
}

var (
	judgedNode = finding.Endpoint{MAC: synth.MAC(macB), Addr: wire.MustAddr("10.0.0.57")}
	judgedRack = finding.Endpoint{MAC: synth.MAC("52:54:00:00:00:02"), Addr: wire.MustAddr("10.0.0.2")}
)

// judged is a judgement about one node that asked for an address.
func judged(t testing.TB) (*judgement, *boot.Nodes) {
	nodes := boot.New(&track.Config{Catalog: catalog.Default(), Site: site.Default()})
	var out track.Out
	nodes.Exchange(&track.Exchange{Service: "dhcp", Stage: track.StageDHCP, Op: "DISCOVER", Outcome: track.Unanswered, Client: judgedNode,
		First: second, Last: 6 * second, Tries: 4, Lease: &track.Lease{Kind: track.ClientPXE, Arch: -1}}, &out)
	return newJudgement(nodes, &clock{}), nodes
}

func found(t testing.TB, id string, s finding.Severity) finding.Finding {
	r := ruleOf(t, id)
	return finding.Finding{Rule: r, Severity: s, Confidence: r.Confidence, Node: judgedNode, First: 10 * second, Last: 20 * second}
}

// Pairs of findings of one node: which of them is the root cause, and what is
// left of the other one (field catalogue, 8.3).
func TestPrecedence(t *testing.T) {
	const e, w, n = finding.Error, finding.Warning, finding.Note
	for _, c := range []struct {
		a, b  string
		root  string
		other finding.Severity // of the one that is not the root
	}{
		{"dhcp-rogue-libvirt", "dhcp-nak", "dhcp-rogue-libvirt", n},
		{"dhcp-rogue-libvirt", "dhcp-rogue-server", "dhcp-rogue-libvirt", n},
		{"dhcp-rogue-server", "dhcp-no-boot-info", "dhcp-rogue-server", n},
		{"dhcp-rogue-server", "dhcp-offer-ignored", "dhcp-rogue-server", n},
		{"dhcp-rogue-server", "arp-no-answer", "dhcp-rogue-server", n},
		{"dhcp-rogue-server", "no-load-after-ack", "dhcp-rogue-server", n},
		{"dhcp-rogue-server", "tftp-no-answer", "dhcp-rogue-server", e},
		{"wrong-vlan", "dhcp-no-offer", "wrong-vlan", n},
		{"l2-port-not-forwarding", "dhcp-no-offer", "l2-port-not-forwarding", n},
		{"dhcp-pool-exhausted", "dhcp-no-offer", "dhcp-pool-exhausted", n},
		{"dhcp-relay-broken", "dhcp-no-offer", "dhcp-relay-broken", n},
		{"second-stage-dhcp-fails", "dhcp-no-offer", "second-stage-dhcp-fails", n},
		{"dhcp-no-offer", "dhcp-offer-ignored", "dhcp-no-offer", e},
		{"dhcp-no-offer", "tftp-no-answer", "dhcp-no-offer", e},
		{"dhcp-nak", "dhcp-no-offer", "dhcp-nak", e},
		{"dhcp-no-boot-info", "dhcp-request-unanswered", "dhcp-no-boot-info", e},
		{"dhcp-request-unanswered", "proxydhcp-4011-no-answer", "dhcp-request-unanswered", e},
		{"proxydhcp-4011-no-answer", "no-load-after-ack", "proxydhcp-4011-no-answer", n},
		{"arp-no-answer", "no-load-after-ack", "arp-no-answer", n},
		{"no-load-after-ack", "tftp-stalled", "no-load-after-ack", e},
		{"tftp-no-answer", "tftp-stalled", "tftp-no-answer", e},
		{"tftp-name-garbage", "tftp-file-not-found", "tftp-name-garbage", n},
		{"blocked-by-firewall", "tftp-no-answer", "blocked-by-firewall", n},
		{"blocked-by-firewall", "tcp-refused", "blocked-by-firewall", n},
		{"fragments-lost", "tftp-stalled", "fragments-lost", n},
		{"tftp-size-limit", "tftp-stalled", "tftp-size-limit", n},
		{"tftp-stalled", "reboot-loop", "tftp-stalled", e},
		{"tftp-stalled", "chainload-loop", "tftp-stalled", e},
		{"wrong-loader-for-architecture", "reboot-loop", "wrong-loader-for-architecture", n},
		{"chainload-loop", "second-stage-dhcp-fails", "chainload-loop", e},
		{"second-stage-dhcp-fails", "rpc-mount-no-answer", "second-stage-dhcp-fails", e},
		{"rpc-portmap-no-answer", "tcp-syn-unanswered", "rpc-portmap-no-answer", n},
		{"rpc-mount-no-answer", "tcp-refused", "rpc-mount-no-answer", n},
		{"privileged-port-refused", "nfs-mount-denied", "privileged-port-refused", n},
		{"nfs-server-not-responding", "tcp-syn-unanswered", "nfs-server-not-responding", n},
	} {
		for _, order := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			j, nodes := judged(t)
			for _, id := range order {
				j.find(found(t, id, max(ruleOf(t, id).Severity, w)))
			}
			v := j.judge(nil)
			var mine []*finding.Finding
			for _, x := range v.findings {
				mine = append(mine, &x.Finding)
			}
			key, _ := nodes.Resolve(judgedNode, 0)
			root := boot.Judge(nodes.Get(key), mine, 100*second, site.Default()).Root
			if root == nil || root.Rule.ID != c.root {
				t.Errorf("%v: got root %+v, want %s", order, root, c.root)
				continue
			}
			for _, f := range mine {
				want := max(c.other, 0)
				if want == e {
					want = max(f.Rule.Severity, w)
				}
				if f != root && f.Severity != want {
					t.Errorf("%v: got %s %s beside the root, want %s", order, f.Severity, f.Rule.ID, want)
				}
			}
		}
	}
}

// A finding explains only what can follow from it.
func TestRelated(t *testing.T) {
	pair := func(change func(cause, effect *finding.Finding), ids ...string) finding.Severity {
		j, _ := judged(t)
		a, b := found(t, ids[0], finding.Error), found(t, ids[1], finding.Error)
		a.Server, b.Server = judgedRack, judgedRack
		change(&a, &b)
		j.find(a)
		j.find(b)
		for _, x := range j.judge(nil).findings {
			if x.Rule == b.Rule {
				return x.Severity
			}
		}
		return 0
	}
	other := wire.MustAddr("10.0.0.3")
	for _, c := range []struct {
		name          string
		cause, effect string
		change        func(cause, effect *finding.Finding)
		want          finding.Severity
	}{
		{"as it is", "fragments-lost", "tftp-stalled", func(a, b *finding.Finding) {}, finding.Note},
		{"another server", "fragments-lost", "tftp-stalled", func(a, b *finding.Finding) { b.Server = finding.Endpoint{Addr: other} }, finding.Error},
		{"another node", "fragments-lost", "tftp-stalled", func(a, b *finding.Finding) { b.Node = finding.Endpoint{MAC: wire.MAC{2}} }, finding.Error},
		{"over before it began", "fragments-lost", "tftp-stalled", func(a, b *finding.Finding) { b.First, b.Last = second, 9*second }, finding.Error},
		{"the same port", "rpc-mount-no-answer", "tcp-syn-unanswered", func(a, b *finding.Finding) { a.Server.Port, b.Server.Port = 4046, 4046 }, finding.Note},
		{"another port", "rpc-mount-no-answer", "tcp-syn-unanswered", func(a, b *finding.Finding) { a.Server.Port, b.Server.Port = 4046, 5248 }, finding.Error},
		{"a note explains nothing", "fragments-lost", "tftp-stalled", func(a, b *finding.Finding) { a.Severity = finding.Note }, finding.Error},
		{"routed to another VLAN", "fragments-lost", "tftp-stalled", func(a, b *finding.Finding) { b.VLAN = 30 }, finding.Note},
		{"an uninvited server of another VLAN", "dhcp-rogue-server", "dhcp-no-boot-info", func(a, b *finding.Finding) { b.VLAN = 30 }, finding.Error},
		{"an uninvited server, the lease of another", "dhcp-rogue-server", "dhcp-no-boot-info", func(a, b *finding.Finding) { b.Server = finding.Endpoint{Addr: other} }, finding.Note},
	} {
		if got := pair(c.change, c.cause, c.effect); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// The latest word wins, a withdrawal takes it back, and the gaps are closed.
func TestFindAndWithdraw(t *testing.T) {
	j, _ := judged(t)
	for i := range 500 {
		f := found(t, "tftp-no-answer", finding.Warning)
		f.Subject = fmt.Sprint(i)
		j.find(f)
		f.Severity, f.Server = finding.Error, finding.Endpoint{}
		j.find(f)
	}
	for i := range 400 {
		j.withdraw(track.Withdrawal{Rule: ruleOf(t, "tftp-no-answer"), Node: judgedNode, Subject: fmt.Sprint(i)})
	}
	j.withdraw(track.Withdrawal{Rule: ruleOf(t, "tftp-no-answer"), Node: judgedNode, Subject: "never found"})
	if got := j.all(); len(got) != 100 || got[0].Severity != finding.Error || got[0].Subject != "400" {
		t.Errorf("got %d findings, want the last 100 as errors", len(got))
	}
	if len(j.list) > 250 || j.kept[finding.Error] != 100 || j.kept[finding.Warning] != 0 {
		t.Errorf("got %d places for 100 findings, %v by severity", len(j.list), j.kept)
	}
}

// A full table gives up the least severe, and says how many.
func TestFindingBound(t *testing.T) {
	j, _ := judged(t)
	add := func(n int, s finding.Severity) {
		for i := range n {
			f := found(t, "dhcp-no-offer", s)
			f.Subject = fmt.Sprint(s, i)
			j.find(f)
		}
	}
	add(maxFindings, finding.Note)
	add(1000, finding.OK)
	if j.dropped != 1000 || j.kept[finding.Note] != maxFindings {
		t.Fatalf("got %d dropped, %v kept, want 1000 and all notes", j.dropped, j.kept)
	}
	add(maxFindings-100, finding.Error)
	add(200, finding.Warning)
	if want := [...]int{0, 0, 100, maxFindings - 100}; j.kept != want {
		t.Errorf("got %v kept by severity, want %v", j.kept, want)
	}
	if got := len(j.all()); got != maxFindings {
		t.Errorf("got %d findings, want %d", got, maxFindings)
	}
}

// What at least three nodes share with one server is one finding of the site.
func TestPromote(t *testing.T) {
	of := func(node, server string, vlan uint16, first int, frames ...uint64) Finding {
		return Finding{ID: "tftp-no-answer", Severity: "error", Confidence: "certain", Node: node, Server: server, VLAN: vlan,
			Summary: "5 requests of " + node, First: Time(first), Last: Time(first + 5), Frames: frames, RootCauseOf: []string{node}}
	}
	list := []Finding{of("a", "s", 0, 30, 7, 8), of("b", "s", 0, 10, 1, 2), of("x", "t", 0, 1, 9), of("c", "s", 0, 20, 5), of("c", "s", 0, 40, 11), of("y", "t", 0, 1, 3),
		of("d", "", 30, 1, 1), of("e", "", 30, 1, 1), of("f", "", 0, 1, 1)}
	list[3].Confidence, list[3].LoweredBy = "likely", []string{"drops"}
	list[4].File = 1
	got := promote(slices.Clone(list), 3)
	if len(got) != 6 {
		t.Fatalf("got %d findings, want one of the site and five of nodes: %+v", len(got), got)
	}
	s := got[0]
	if s.Node != "" || !slices.Equal(s.Nodes, []string{"a", "b", "c"}) || s.Summary != "3 nodes: 5 requests of a (first of them)" {
		t.Errorf("got %q, %q, %q", s.Node, s.Nodes, s.Summary)
	}
	if s.First != 10 || s.Last != 45 || s.Confidence != "likely" || !slices.Equal(s.LoweredBy, []string{"drops"}) {
		t.Errorf("got %d to %d, %s, lowered by %q", s.First, s.Last, s.Confidence, s.LoweredBy)
	}
	if !slices.Equal(s.Frames, []uint64{1, 2, 5, 7, 8, 11}) || !slices.Equal(s.Files, []int{0, 0, 0, 0, 0, 1}) {
		t.Errorf("got frames %v of files %v", s.Frames, s.Files)
	}
	if !slices.Equal(s.RootCauseOf, []string{"a", "b", "c", "c"}) {
		t.Errorf("got root cause of %q", s.RootCauseOf)
	}
	for _, f := range got[1:] {
		if len(f.Nodes) > 0 {
			t.Errorf("got %q promoted", f.Nodes)
		}
	}
}

// Five nodes whose read requests nobody answers: one finding, five verdicts.
func TestPromotedInTheReport(t *testing.T) {
	var c synth.Capture
	for i := range 5 {
		mac := fmt.Sprintf("d4:ae:52:00:03:%02x", i)
		node := synth.NewHost(mac, fmt.Sprintf("10.0.0.%d", 130+i))
		p := synth.NewPlace()
		p.Lease(&c, ms(100*i), synth.PXERom(mac), uint32(i+1), node.IP.String(), p.File)
		p.Resolve(&c, ms(100*i+2100), node)
		for k := range 5 {
			c.Add(ms(100*i+2200+4000*k), synth.UDP(node, p.Rack.Host, 2070, 69, synth.TFTPRead("lpxelinux.0", "octet")))
		}
	}
	c.Add(60*time.Second, synth.ARP(1, bystander, gateway))
	r := analyzed(t, c.Join(), Options{})
	var site []Finding
	for _, f := range r.Findings {
		if f.Severity == "error" {
			site = append(site, f)
		}
	}
	if len(site) != 1 || len(site[0].Nodes) != 5 || len(site[0].RootCauseOf) != 5 || !strings.HasPrefix(site[0].Summary, `5 nodes: 5 requests for "lpxelinux.0"`) {
		t.Fatalf("got %+v%s", site, dump(r))
	}
	for _, n := range r.Nodes {
		if n.Outcome != "stopped" || n.RootCause != "tftp-no-answer" || strings.Contains(n.Verdict, "nodes:") {
			t.Errorf("got %s: %s", n.RootCause, n.Verdict)
		}
	}
}

// Under a flood of made-up clients nodes and findings are bounded, and the
// machine that was served before it is still there.
func TestStarvation(t *testing.T) {
	e := New(Options{})
	play := func(c *synth.Capture, from capture.Time) (last capture.Time) {
		src := c.Source("x")
		var p capture.Packet
		for src.Next(&p) == nil {
			p.Time += from
			e.Packet(&p)
			last = p.Time
		}
		return last
	}
	var known synth.Capture
	place.Boot(&known, 0, macB, "10.0.0.57", 0x1000)
	now := play(known.Join(), 0)
	frame := synth.PXERom("02:00:00:00:00:00").Discover(1, 0).Broadcast()
	for i := range 100_000 {
		mac := []byte{2, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i), 7}
		copy(frame[6:], mac)
		copy(frame[42+28:], mac)
		copy(frame[42+4:], mac[1:5])
		now += capture.Time(time.Millisecond)
		e.Packet(&capture.Packet{ID: capture.NewFrameID(0, uint64(1000+i)), Time: now, Link: capture.LinkEthernet, WireLen: len(frame), Data: frame})
	}
	e.Finish()
	r := e.Report(known.Source("x"))
	if n := len(r.Nodes); n > 4096+2048 {
		t.Errorf("got %d nodes", n)
	}
	if n := len(r.Findings); n > maxFindings {
		t.Errorf("got %d findings", n)
	}
	n := nodeOf(t, r, macB)
	if n.Outcome != "booted" {
		t.Errorf("got %s: %s", n.Outcome, n.Verdict)
	}
	if !slices.ContainsFunc(r.Quality, func(q Quality) bool { return q.Gate == "bounds" && strings.HasPrefix(q.Detail, "nodes: ") }) {
		t.Errorf("got no word about the nodes that were dropped: %+v", r.Quality)
	}
}
