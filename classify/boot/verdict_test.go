package boot_test

import (
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// unanswered and refused are reads of a file.
func unanswered(file string, first, last float64) track.Exchange {
	return track.Exchange{Stage: track.StageTFTP, Op: "RRQ", Subject: file, Outcome: track.Unanswered, Server: rack, First: at(first), Last: at(last), Tries: 4}
}

func refused(file string, first float64) track.Exchange {
	return track.Exchange{Stage: track.StageTFTP, Op: "RRQ", Subject: file, Outcome: track.Refused, Reason: "ERROR 1", Server: rack, First: at(first), Last: at(first)}
}

func open(x track.Exchange) track.Exchange {
	x.Outcome, x.Complete = track.Open, false
	return x
}

func wrote(file string, first, last float64) track.Exchange {
	x := loaded(file, first, last)
	x.Op = "WRQ"
	return x
}

// Outcomes of boots without a finding.
func TestOutcome(t *testing.T) {
	boots := func() *world { return newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3)) }
	for _, c := range []struct {
		name string
		w    *world
		end  float64
		want boot.Outcome
		next string
	}{
		{"everything came", boots().do(http(4, 9)), 100, boot.Booted, ""},
		{"the system has its address", boots().do(acked(os, 40, lease(os, ""))), 100, boot.Booted, ""},
		{"a running machine renews", newWorld().do(track.Exchange{Stage: track.StageDHCP, Op: "RENEW", Outcome: track.Answered, Server: rack, First: at(1), Last: at(1), Lease: lease(os, "")}), 100, boot.Booted, ""},
		{"a file that may be missing comes last", boots().do(refused("pxelinux.cfg/uuid", 4)), 100, boot.Booted, ""},
		{"ARP is not answered afterwards", boots().do(resolving("10.0.0.77", track.Unanswered, 4, 8)), 100, boot.Booted, ""},
		{"the capture ends in the transfer", boots().do(open(loaded("kernel", 4, 5))), 6, boot.InProgress, "OACK or the first DATA block from 10.0.0.2"},
		{"the capture ends within the grace", newWorld().do(discover(pxe, track.Open, 0, 1, 1)), 2, boot.InProgress, "a DHCPOFFER"},
		{"the capture ends before the load", newWorld().firmware(0, pxe, "x"), 10, boot.InProgress, `a TFTP read request for "x" to 10.0.0.2`},
		{"the last request is not answered, and no rule says so", boots().do(unanswered("kernel", 4, 10)), 100, boot.Unknown, "OACK or the first DATA block from 10.0.0.2"},
		{"a lease that nobody used", newWorld().firmware(0, pxe, "x"), 100, boot.Unknown, `a TFTP read request for "x" to 10.0.0.2`},
		{"a loader is told what to load, and the capture ends", boots().firmware(4, ipxe, "http://10.0.0.2/menu"), 10, boot.InProgress, `a request for "http://10.0.0.2/menu"`},
		{"a file written, nothing loaded", newWorld().do(wrote("dump", 1, 2)), 100, boot.Unknown, ""},
		{"it starts again and looks for a server", boots().do(discover(pxe, track.Unanswered, 90, 95, 1)), 99, boot.InProgress, "a DHCPOFFER"},
		{"a connection is refused, and no rule says so", boots().do(track.Exchange{Stage: track.StageHTTP, Op: "CONNECT", Outcome: track.Refused, Reason: "RST", Server: rack, First: at(4), Last: at(4)}), 100,
			boot.Unknown, "SYN, ACK from 10.0.0.2 that accepts"},
	} {
		got := boot.Judge(c.w.node(t, nodeA), nil, at(c.end), site.Default())
		if got.Outcome != c.want || got.Next != c.next || got.Root != nil || got.Text == "" {
			t.Errorf("%s: got %s, next %q, %q, want %s, next %q", c.name, got.Outcome, got.Next, got.Text, c.want, c.next)
		}
	}
}

// What gets a node over a finding, and what does not.
func TestRecovery(t *testing.T) {
	rule := func(id string, rank int, absence bool) *finding.Rule {
		return &finding.Rule{ID: id, Rank: rank, Absence: absence, Severity: finding.Error}
	}
	// of is a finding whose evidence is the exchange with a number in the world.
	of := func(r *finding.Rule, subject string, server finding.Endpoint, frame uint64, first, last float64) *finding.Finding {
		return &finding.Finding{Rule: r, Subject: subject, Severity: finding.Error, Server: server, Node: nodeA,
			Frames: []capture.FrameID{capture.NewFrameID(0, frame)}, First: at(first), Last: at(last)}
	}
	var (
		noOffer   = rule("dhcp-no-offer", finding.RankNoOffer, true)
		nak       = rule("dhcp-nak", finding.RankRogue, false)
		uninvited = rule("dhcp-rogue-server", finding.RankRogue, false)
		noInfo    = rule("dhcp-no-boot-info", finding.RankOffer, false)
		noAnswer  = rule("tftp-no-answer", finding.RankLoad, true)
		notFound  = rule("tftp-file-not-found", finding.RankLoad, false)
		noMount   = rule("rpc-mount-no-answer", finding.RankRoot, true)
		clock     = rule("ntp-no-answer", finding.RankBackground, true)
		mount     = func(op, subject string, o track.Outcome, s float64) track.Exchange {
			return track.Exchange{Stage: track.StageMount, Op: op, Subject: subject, Outcome: o, Server: rack, First: at(s), Last: at(s)}
		}
		nfs  = track.Exchange{Stage: track.StageNFS, Op: "NFS", Outcome: track.Answered, Server: rack, First: at(50), Last: at(51)}
		bad  = func() track.Exchange { x := acked(pxe, 5, lease(pxe, "")); x.Server = rogue; return x }()
		fail = func() *world { return newWorld().do(discover(pxe, track.Unanswered, 0, 20, 4)) }
	)
	for _, c := range []struct {
		name      string
		w         *world
		f         *finding.Finding
		recovered bool
	}{
		{"no offer, then a lease", fail().firmware(30, pxe, "x"), of(noOffer, "pxe-firmware", finding.Endpoint{}, 1, 0, 20), true},
		{"no offer for the firmware, then one for iPXE", fail().firmware(30, ipxe, "x"), of(noOffer, "pxe-firmware", finding.Endpoint{}, 1, 0, 20), true},
		{"no offer for the firmware, a lease for the system on its disk", fail().do(acked(os, 60, lease(os, ""))), of(noOffer, "pxe-firmware", finding.Endpoint{}, 1, 0, 20), false},
		{"no offer for the firmware, a lease without a file", fail().firmware(30, pxe, ""), of(noOffer, "pxe-firmware", finding.Endpoint{}, 1, 0, 20), false},
		{"no offer for the system, then a lease", newWorld().do(discover(os, track.Unanswered, 0, 20, 4)).do(acked(os, 60, lease(os, ""))), of(noOffer, "os", finding.Endpoint{}, 1, 0, 20), true},
		{"a lease, and later no offer", newWorld().firmware(0, pxe, "x").do(discover(pxe, track.Unanswered, 100, 120, 4)), of(noOffer, "pxe-firmware", finding.Endpoint{}, 3, 100, 120), false},
		{"an earlier search too, with a lease between", fail().firmware(30, pxe, "x").do(discover(pxe, track.Unanswered, 100, 120, 4)), of(noOffer, "pxe-firmware", finding.Endpoint{}, 4, 0, 120), false},
		{"a NAK, then a lease of the same server", newWorld().firmware(10, pxe, "x"), of(nak, "pxe-firmware", rack, 9, 0, 1), true},
		{"no boot file, and the lease for it", newWorld().firmware(1, pxe, ""), of(noInfo, "pxe-firmware", rack, 1, 1, 1), false},
		{"no boot file, then one", newWorld().firmware(1, pxe, "").firmware(30, pxe, "x"), of(noInfo, "pxe-firmware", rack, 1, 1, 1), true},
		{"an uninvited server's lease is no success", newWorld().do(bad), of(uninvited, "", rogue, 1, 1, 2), false},
		{"the rack's lease after it is", newWorld().do(bad).firmware(30, pxe, "x"), of(uninvited, "", rogue, 1, 1, 6), true},
		{"a load after it is", newWorld().do(bad).do(loaded("x", 20, 21)), of(uninvited, "", rogue, 1, 1, 6), true},

		{"no answer, then the same file", newWorld().do(unanswered("x", 0, 30)).do(loaded("x", 40, 41)), of(noAnswer, "x", rack, 1, 0, 30), true},
		{"no answer, then another file at once", newWorld().do(unanswered("x", 0, 30)).do(loaded("y", 25, 26)), of(noAnswer, "x", rack, 1, 0, 30), true},
		{"no answer, then HTTP", newWorld().do(unanswered("x", 0, 30)).do(http(40, 41)), of(noAnswer, "x", rack, 1, 0, 30), true},
		{"another file before it", newWorld().do(loaded("y", 0, 1)).do(unanswered("x", 2, 30)), of(noAnswer, "x", rack, 2, 2, 30), false},
		{"the loader again, in the next round", newWorld().do(loaded("loader", 0, 1)).do(refused("kernel", 2)).do(loaded("loader", 100, 101)), of(notFound, "kernel", rack, 2, 2, 2), false},
		{"the file itself, in the next round", newWorld().do(loaded("loader", 0, 1)).do(refused("kernel", 2)).do(loaded("loader", 100, 101)).do(loaded("kernel", 102, 110)), of(notFound, "kernel", rack, 2, 2, 2), true},
		{"a transfer that does not end", newWorld().do(refused("x", 0)).do(func() track.Exchange { x := loaded("y", 5, 9); x.Complete = false; return x }()), of(notFound, "x", rack, 1, 0, 0), false},

		{"nothing loaded, then a new lease", newWorld().firmware(0, pxe, "x").firmware(60, pxe, "x"), of(boot.RuleNoLoad, "", rack, 2, 1, 21), false},
		{"nothing loaded, then a load", newWorld().firmware(0, pxe, "x").firmware(60, pxe, "x").do(loaded("x", 62, 63)), of(boot.RuleNoLoad, "", rack, 2, 1, 21), true},
		{"the installer fails and the firmware starts again", newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3)).do(discover(os, track.Unanswered, 20, 40, 4)).firmware(100, pxe, "x").do(loaded("x", 102, 103)),
			of(boot.RuleSecondDHCP, "", finding.Endpoint{}, 4, 20, 40), false},
		{"the installer fails and succeeds later", newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3)).do(discover(os, track.Unanswered, 20, 40, 4)).do(acked(os, 60, lease(os, ""))),
			of(boot.RuleSecondDHCP, "", finding.Endpoint{}, 4, 20, 40), true},
		{"a loop is taken back, not got over", newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3)), of(boot.RuleRebootLoop, "", finding.Endpoint{}, 1, 0, 0), false},
		{"portmap answers again, mountd does not", newWorld().do(mount("GETPORT", "udp", track.Answered, 0)).do(mount("MNT", "/x", track.Unanswered, 1)).do(mount("GETPORT", "tcp", track.Answered, 20)),
			of(noMount, "", rack, 2, 1, 5), false},
		{"mountd answers in the end", newWorld().do(mount("MNT", "/x", track.Unanswered, 1)).do(mount("MNT", "/x", track.Answered, 20)), of(noMount, "", rack, 1, 1, 5), true},
		{"NFS without mountd", newWorld().do(mount("MNT", "/x", track.Unanswered, 1)).do(nfs), of(noMount, "", rack, 1, 1, 5), true},
		{"what runs in the background, and the node is up", newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3)), of(clock, "", rack, 9, 0, 50), true},
		{"what runs in the background, and it is not", newWorld().firmware(0, pxe, "x"), of(clock, "", rack, 9, 0, 50), false},
	} {
		got := boot.Judge(c.w.node(t, nodeA), []*finding.Finding{c.f}, at(500), site.Default())
		if (got.Root == nil) != c.recovered || (got.Outcome == boot.Stopped) == c.recovered {
			t.Errorf("%s: got %s: %s, want recovered %v", c.name, got.Outcome, got.Text, c.recovered)
		}
	}
}

// The verdict names the stage that failed and what should have come, not what
// the node happens to do last.
func TestVerdictText(t *testing.T) {
	w := newWorld().firmware(0, pxe, "x").do(unanswered("x", 2, 30)).do(discover(pxe, track.Answered, 100, 100, 1))
	noAnswer := &finding.Rule{ID: "tftp-no-answer", Rank: finding.RankLoad, Absence: true}
	f := &finding.Finding{Rule: noAnswer, Subject: "x", Severity: finding.Error, Server: rack, Node: nodeA, Summary: "4 requests",
		Frames: []capture.FrameID{capture.NewFrameID(0, 3)}, First: at(2), Last: at(30)}
	got := boot.Judge(w.node(t, nodeA), []*finding.Finding{f}, at(500), site.Default())
	if got.Text != "stopped at TFTP: 4 requests" || got.Next != "OACK or the first DATA block from 10.0.0.2" {
		t.Errorf("got %q, next %q", got.Text, got.Next)
	}
	for _, c := range []struct {
		rule *finding.Rule
		want string
	}{
		{boot.RuleNoLoad, `a TFTP read request for "x" to 10.0.0.2`},
		{boot.RuleARPNoAnswer, "an ARP reply for 10.0.0.2"},
		{boot.RuleRebootLoop, "a DHCPDISCOVER of the system that was loaded"},
		{&finding.Rule{ID: "dhcp-rogue-server", Rank: finding.RankRogue}, "a lease with boot information from a server of this place"},
	} {
		f := &finding.Finding{Rule: c.rule, Severity: finding.Error, Server: finding.Endpoint{Addr: wire.MustAddr("10.0.0.2")}, Node: nodeA, First: at(400), Last: at(450)}
		if got := boot.Judge(w.node(t, nodeA), []*finding.Finding{f}, at(500), site.Default()); got.Next != c.want {
			t.Errorf("%s: got %q, want %q", c.rule.ID, got.Next, c.want)
		}
	}
}

// What is beside the boot stops none; an error comes before a warning.
func TestRootCauseIsOfTheBoot(t *testing.T) {
	connect := track.Exchange{Stage: track.StageUnknown, Op: "CONNECT", Service: "smb", Subject: "10.9.9.9:445", Outcome: track.Unanswered,
		Server: finding.Endpoint{Addr: wire.MustAddr("10.9.9.9")}, First: at(20), Last: at(30)}
	share := func(first, last float64) *finding.Finding {
		return &finding.Finding{Rule: &finding.Rule{ID: "tcp-syn-unanswered", Rank: finding.RankRoot, Absence: true}, Severity: finding.Error,
			Server: connect.Server, Node: nodeA, First: at(first), Last: at(last)}
	}
	running := func() *world { return newWorld().do(acked(os, 5, lease(os, ""))) }
	warning := &finding.Finding{Rule: &finding.Rule{ID: "dhcp-no-boot-info", Rank: finding.RankOffer}, Severity: finding.Warning, Node: nodeA, First: at(50), Last: at(60)}
	silent := &finding.Finding{Rule: &finding.Rule{ID: "proxydhcp-4011-no-answer", Rank: finding.RankProxy, Absence: true}, Severity: finding.Error, Node: nodeA, First: at(10), Last: at(20)}
	for _, c := range []struct {
		name string
		w    *world
		list []*finding.Finding
		want string
	}{
		{"a running machine misses a file share", running().do(connect), []*finding.Finding{share(20, 30)}, ""},
		{"before it was seen at all", running(), []*finding.Finding{share(0, 3)}, ""},
		{"a machine that boots needs it", newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3)).do(connect), []*finding.Finding{share(20, 30)}, "tcp-syn-unanswered"},
		{"a warning of an earlier stage", newWorld().do(discover(pxe, track.Answered, 0, 1, 1)), []*finding.Finding{warning, silent}, "proxydhcp-4011-no-answer"},
		{"the warning alone", newWorld().do(discover(pxe, track.Answered, 0, 1, 1)), []*finding.Finding{warning}, "dhcp-no-boot-info"},
	} {
		got := boot.Judge(c.w.node(t, nodeA), c.list, at(500), site.Default())
		id := ""
		if got.Root != nil {
			id = got.Root.Rule.ID
		}
		if id != c.want {
			t.Errorf("%s: got root cause %q, want %q", c.name, id, c.want)
		}
	}
}
