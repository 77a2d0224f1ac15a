package rpc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// say is the exchanges in a few words each.
func say(list []track.Exchange) []string {
	out := []string{}
	for _, x := range list {
		s := fmt.Sprintf("%s %s %q %s", x.Stage, x.Op, x.Subject, x.Outcome)
		if x.Reason != "" {
			s += " " + x.Reason
		}
		if x.Detail != "" {
			s += "; " + x.Detail
		}
		if x.Tries > 1 {
			s += fmt.Sprintf(" x%d", x.Tries)
		}
		out = append(out, s)
	}
	return out
}

func TestExchanges(t *testing.T) {
	for _, x := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		{
			"a mount with version 3", tell(
				both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 20048)),
				both(at(0.1), 20048, synth.RPCCall{XID: 5, Prog: 100005, Vers: 3}.Bytes(), synth.RPCReply(5)),
				both(at(0.2), 20048, mountV3, synth.MountReply(0x33, 0)),
				established(at(0.3), func(v *synth.Conversation) {
					for i := range uint32(5) {
						v.Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 6, "cn01"))).Send(true, synth.RPCRecord(synth.NFSRead(0x50+i, 4096)))
					}
				}),
			), []string{
				`mount GETPORT "mount v3 udp" answered; port 20048`, `mount NULL "mount v3" answered`, `mount MNT "/srv/image" answered; machine "cn01"`,
				`nfs NFS "v3 GETATTR" answered; machine "cn01"`,
			},
		},
		{
			"a mount with version 4", tell(dial(0, 2049, func(v *synth.Conversation) {
				v.Open().Send(false, synth.RPCRecord(synth.NFSCall(1, 4, 0, ""))).Send(true, synth.RPCRecord(synth.RPCReply(1)))
				v.Send(false, synth.RPCRecord(rootV4)).Send(true, synth.RPCRecord(synth.NFSCompoundReply(0x46, 0)))
			})), []string{`nfs NFS "v4 NULL" answered`, `nfs NFS "v4 COMPOUND" answered; machine "cn01"`},
		},
		{
			"a probing order", tell(
				both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 0)), both(at(0.1), 111, getport(100005, 3, tcp), getportReply(100005, 3, tcp, 635)),
			), []string{`mount GETPORT "mount v3 udp" refused not registered`, `mount GETPORT "mount v3 tcp" answered; port 635`},
		},
		{
			"a mount denied", tell(both(0, 20048, mountV3, synth.MountReply(0x33, 13))),
			[]string{`mount MNT "/srv/image" refused status 13 ACCES; machine "cn01"`},
		},
		{
			"silence", tell(ask(0, 20048, mountV3, second, second), quiet(at(9))),
			[]string{`mount MNT "/srv/image" unanswered; machine "cn01" x3`},
		},
		{
			"silence, and an answer in the end", tell(ask(0, 20048, mountV3, second, second), answer(at(8), 20048, synth.MountReply(0x33, 0))),
			[]string{`mount MNT "/srv/image" unanswered; machine "cn01" x3`, `mount MNT "/srv/image" answered; machine "cn01" x3`},
		},
		{
			"ICMP", tell(unreachable(0, 111, getport(100003, 3, udp))),
			[]string{`mount GETPORT "nfs v3 udp" refused ICMP port unreachable`},
		},
		{
			"DUMP", tell(both(0, 111, synth.RPCCall{XID: 3, Prog: 100000, Vers: 2, Proc: 4}.Bytes(),
				synth.PortmapDump(3, synth.PortmapEntry{Prog: 100000, Vers: 2, Proto: 6, Port: 111}, synth.PortmapEntry{Prog: 100005, Vers: 3, Proto: 17, Port: 635}))),
			[]string{`mount DUMP "portmap" answered; 2 ports`},
		},
		{
			"locks", tell(
				both(0, 4045, synth.RPCCall{XID: 3, Prog: synth.RPCNLM, Vers: 4, Proc: 2}.Bytes(), synth.RPCReply(3)),
				both(at(1), 4045, synth.RPCCall{XID: 4, Prog: synth.RPCNLM, Vers: 4, Proc: 4}.Bytes(), synth.RPCReply(4)),
				ask(at(2), 4046, synth.RPCCall{XID: 5, Prog: synth.RPCNSM, Vers: 1, Proc: 2}.Bytes()), quiet(at(9)),
				// LOCK_MSG is answered by a call, not by a reply.
				ask(at(9), 4045, synth.RPCCall{XID: 6, Prog: synth.RPCNLM, Vers: 4, Proc: 7}.Bytes()), quiet(at(20)),
			), []string{`nfs LOCK "nlm" answered`, `nfs MON "nsm" unanswered`},
		},
		{
			"another address answers", tell(
				ask(0, 111, getport(100005, 3, udp)),
				func(s *story) {
					s.Add(at(0.01), synth.UDP(other, node, 111, clientPort, getportReply(100005, 3, udp, 20048)))
				},
			), []string{`mount GETPORT "mount v3 udp" answered; answered from 10.0.0.3, port 20048`},
		},
		{
			"portmap has an old version only", tell(both(0, 111, synth.RPCBGetaddr(7, 4, 100003, 3, "tcp"), synth.RPCUnaccepted(7, 2, 2, 2))),
			[]string{`mount GETADDR "nfs v3 tcp" refused PROG_MISMATCH, versions 2 to 2`},
		},
	} {
		r := tracktest.Run(t, x.c, nil, Spec)
		if d := cmp.Diff(x.want, say(r.Exchanges)); d != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, d)
		}
		for _, e := range r.Exchanges {
			if e.Client.Addr.String() != "10.0.0.57" || e.Server.Addr.String() != "10.0.0.2" || len(e.Frames) == 0 || e.Last < e.First || e.First == 0 {
				t.Errorf("%s: got the exchange %+v", x.name, e)
			}
		}
	}
}

func TestExpectations(t *testing.T) {
	getaddr := synth.RPCBGetaddr(7, 4, 100005, 3, "udp")
	callit := synth.RPCCall{XID: 9, Prog: 100000, Vers: 2, Proc: 5, Args: synth.Words(100005, 1, 0, 0)}.Bytes()
	for _, x := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		{"GETPORT", tell(both(0, 111, getport(100005, 3, tcp), getportReply(100005, 3, tcp, 635))), []string{"rpc-mount 10.0.0.2 tcp 635"}},
		{"GETADDR", tell(both(0, 111, getaddr, synth.RPCReply(7, synth.Opaque(synth.UniversalAddr(server.IP, 20048))))), []string{"rpc-mount 10.0.0.2 udp 20048"}},
		{"port 0", tell(both(0, 111, getport(100005, 3, tcp), getportReply(100005, 3, tcp, 0))), nil},
		{"an address that is none", tell(both(0, 111, getaddr, synth.RPCReply(7, synth.Opaque("/run/rpcbind.sock")))), nil},
		{"DUMP", tell(both(0, 111, synth.RPCCall{XID: 3, Prog: 100000, Vers: 2, Proc: 4}.Bytes(), synth.PortmapDump(3,
			synth.PortmapEntry{Prog: 100005, Vers: 3, Proto: 17, Port: 635}, synth.PortmapEntry{Prog: 100021, Vers: 4, Proto: 6, Port: 4045},
			synth.PortmapEntry{Prog: 100024, Vers: 1, Proto: 6, Port: 4046}, synth.PortmapEntry{Prog: 391002, Vers: 2, Proto: 6, Port: 7}))),
			[]string{"rpc-mount 10.0.0.2 udp 635", "nlm 10.0.0.2 tcp 4045", "nsm 10.0.0.2 tcp 4046"}},
		{"CALLIT broadcast", tell(func(s *story) {
			s.Add(0, synth.UDP(node, synth.Everyone, 700, 111, callit))
			s.Add(at(0.01), synth.UDP(server, node, 111, 700, synth.RPCReply(9, synth.Words(635, 0))))
		}), []string{"rpc-mount 10.0.0.2 udp 635"}},
		{"a call on a port that nobody told", tell(ask(0, 41234, mountV3)), []string{"rpc-mount 10.0.0.2 udp 41234"}},
		{"over TCP", tell(dial(0, 41234, func(v *synth.Conversation) { v.Open().Send(false, synth.RPCRecord(mountV3)) })), []string{"rpc-mount 10.0.0.2 tcp 41234"}},
		{"a scan of program numbers", tell(ask(0, 135, synth.RPCCall{XID: 1, Prog: 100000, Vers: 168078}.Bytes())), nil},
	} {
		r := tracktest.Run(t, x.c, nil, Spec)
		var got []string
		for _, e := range r.Expected {
			proto := map[uint8]string{tcp: "tcp", udp: "udp"}[e.Proto]
			got = append(got, fmt.Sprintf("%s %s %s %d", e.Service, e.Addr, proto, e.Port))
			if !e.Server || e.Tracker != "rpc" || e.Until < synth.Start.Add(time.Minute) {
				t.Errorf("%s: got %+v", x.name, e)
			}
		}
		if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, d)
		}
	}
}

func TestCounts(t *testing.T) {
	write := synth.NFSCall(0x61, 3, 7, "cn01", make([]uint32, 2000)...)
	for _, x := range []struct {
		name              string
		c                 *synth.Capture
		calls, unanswered map[string]uint64
	}{
		{
			"names by version", tell(
				both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 635)), ask(at(1), 111, synth.RPCBGetaddr(7, 4, 100005, 3, "udp")),
				ask(at(2), 635, mountV3, second), ask(at(3), 2049, synth.NFSCall(1, 2, 6, "")), ask(at(4), 2049, synth.NFSCall(2, 3, 6, "")),
				ask(at(5), 2049, synth.NFSCall(3, 3, 30, "")), ask(at(6), 111, synth.RPCCall{XID: 4, Prog: 391002, Vers: 1, Proc: 2}.Bytes()),
			),
			map[string]uint64{"100000:GETPORT": 1, "100000:GETADDR": 1, "100005:MNT": 2, "100003:READ": 2, "100003:30": 1, "391002:2": 1},
			map[string]uint64{"100000:GETADDR": 1, "100005:MNT": 1, "100003:READ": 2, "100003:30": 1, "391002:2": 1},
		},
		{
			"a late reply, and one before its call", tell(
				ask(0, 2049, getattr), answer(at(30), 2049, synth.NFSReply(0x44, 0)),
				answer(at(40), 2049, synth.NFSReply(0x45, 0)), ask(at(40.0001), 2049, stuck), quiet(at(60)),
			), map[string]uint64{"100003:GETATTR": 1, "100003:READ": 1}, map[string]uint64{},
		},
		{
			"a retry after the reply", tell(
				ask(0, 2049, getattr, at(1.1)), answer(at(0.5), 2049, synth.NFSReply(0x44, 0)), quiet(at(60)),
			), map[string]uint64{"100003:GETATTR": 2}, map[string]uint64{},
		},
		{
			"a datagram in fragments, whole", tell(func(s *story) {
				for _, f := range synth.Fragments(synth.UDP(node, server, clientPort, 2049, write), 1500) {
					s.Add(0, f)
				}
				for _, f := range synth.Fragments(synth.IP{ID: 7}.UDP(server, node, 2049, clientPort, synth.NFSRead(0x61, 8192)), 1500) {
					s.Add(at(0.1), f)
				}
			}), map[string]uint64{"100003:WRITE": 1}, map[string]uint64{},
		},
		{
			"a call that is not whole at the end", tell(dial(0, 2049, func(v *synth.Conversation) {
				v.Open().Transmit(false, synth.RPCRecord(write)[:1448])
			})), map[string]uint64{}, map[string]uint64{},
		},
		{
			"the same over TCP, repeated by TCP", tell(dial(0, 2049, func(v *synth.Conversation) {
				b := synth.RPCRecord(getattr, stuck)
				v.Open().Transmit(false, b).Wait(second).Transmit(false, b).Wait(second).Transmit(false, b).Advance(false, len(b))
				v.Send(true, synth.RPCRecord(synth.NFSReply(0x44, 0)))
			})), map[string]uint64{"100003:GETATTR": 1, "100003:READ": 1}, map[string]uint64{"100003:READ": 1},
		},
		{
			"the same xid on a new connection", tell(
				dial(0, 2049, func(v *synth.Conversation) { v.Open().Send(false, synth.RPCRecord(getattr)).Reset(false) }),
				dial(at(70), 2049, func(v *synth.Conversation) {
					v.Seq[0] += 77777
					v.Open().Send(false, synth.RPCRecord(getattr)).Send(true, synth.RPCRecord(synth.NFSReply(0x44, 0)))
				}),
			), map[string]uint64{"100003:GETATTR": 2}, map[string]uint64{},
		},
		{
			"another address answers", tell(
				ask(0, 111, getport(100005, 3, udp)),
				func(s *story) {
					s.Add(at(0.01), synth.UDP(other, node, 111, clientPort, getportReply(100005, 3, udp, 20048)))
				},
			), map[string]uint64{"100000:GETPORT": 1}, map[string]uint64{"100000:GETPORT": 1},
		},
	} {
		r := tracktest.Run(t, x.c, nil, Spec)
		if d := cmp.Diff(x.calls, r.Counts.RPC.Calls); d != "" {
			t.Errorf("%s, calls (-want +got):\n%s", x.name, d)
		}
		if d := cmp.Diff(x.unanswered, r.Counts.RPC.Unanswered); d != "" {
			t.Errorf("%s, unanswered (-want +got):\n%s", x.name, d)
		}
	}
}

// TestKeysAreBounded sends more program numbers than are counted apart.
func TestKeysAreBounded(t *testing.T) {
	l := newLedger()
	for i := range uint32(maxKeys + 300) {
		l.of(300000+i, 1, 0).calls++
	}
	l.of(programNFS, 3, 6).calls++
	var c track.RPCCounts
	l.add(&c)
	if len(c.Calls) != maxKeys+2 || c.Calls[otherKey] != 300 || c.Calls["100003:READ"] != 1 {
		t.Errorf("got %d keys, %d others, %d READ", len(c.Calls), c.Calls[otherKey], c.Calls["100003:READ"])
	}
}

func TestFacts(t *testing.T) {
	for _, x := range []struct {
		scenario, rule, key string
		want                any
	}{
		{"portmap refused by ICMP", "rpc-portmap-no-answer", "icmp", "port-unreachable"},
		{"portmap: TCP filtered, then UDP silent", "rpc-portmap-no-answer", "syns", 4},
		{"a reply from another address that the client drops", "rpc-portmap-no-answer", "reply_from", "10.0.0.3"},
		{"mount denied", "nfs-mount-denied", "machine", "cn01"},
		{"mount denied", "nfs-mount-denied", "path", "/srv/image"},
		{"mount denied", "nfs-mount-denied", "client", "10.0.0.57"},
		{"denied from an unprivileged port", "privileged-port-refused", "source_port", 40001},
		{"NFS over TCP hangs", "nfs-server-not-responding", "tcp_alive", true},
		{"NFS over TCP hangs", "nfs-server-not-responding", "procedure", "v3 READ"},
		{"STALE once", "nfs-error", "status", "STALE"},
	} {
		f := tracktest.Run(t, scenarioByName(t, x.scenario), nil, Spec).Find(x.rule)
		if f == nil {
			t.Errorf("%s: no %s", x.scenario, x.rule)
			continue
		}
		i := slices.IndexFunc(f.Facts, func(a finding.Fact) bool { return a.Key == x.key })
		if i < 0 || f.Facts[i].Value != x.want {
			t.Errorf("%s: got %v, want %s %v", x.scenario, f.Facts, x.key, x.want)
		}
	}
}

// TestStallThatEnds: the finding goes when the server answers soon after, and
// stays as a warning when it took long.
func TestStallThatEnds(t *testing.T) {
	for _, x := range []struct {
		after time.Duration
		want  []finding.Severity
	}{
		{59 * second, nil},
		{90 * second, nil},
		{300 * second, []finding.Severity{finding.Warning}},
	} {
		r := tracktest.Run(t, tell(established(0, func(v *synth.Conversation) {
			v.Send(false, synth.RPCRecord(stuck)).Wait(x.after).Send(true, synth.RPCRecord(synth.NFSReply(0x45, 0)))
		})), nil, Spec)
		var got []finding.Severity
		for _, f := range r.Findings {
			got = append(got, f.Severity)
		}
		if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("after %v (-want +got):\n%s", x.after, d)
		}
	}
}

// TestRegisteredLater: a program that comes after the finding makes it a note.
func TestRegisteredLater(t *testing.T) {
	r := tracktest.Run(t, tell(
		both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 0)), both(at(30), 111, getport(100005, 1, udp), getportReply(100005, 1, udp, 635)),
	), nil, Spec)
	if len(r.Findings) != 1 || r.Findings[0].Severity != finding.Note || !strings.Contains(r.Findings[0].Summary, "30 s later") {
		t.Errorf("got %+v, want a note", r.Findings)
	}
}

// TestRepeatedStale: the third one within a minute makes it an error.
func TestRepeatedStale(t *testing.T) {
	for n, want := range []finding.Severity{1: finding.Warning, 2: finding.Warning, 3: finding.Error, 7: finding.Error} {
		if n == 0 || want == 0 {
			continue
		}
		r := tracktest.Run(t, tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(n) {
				v.Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 6, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, 70)))
			}
		})), nil, Spec)
		if len(r.Findings) != 1 || r.Findings[0].Severity != want {
			t.Errorf("%d times STALE: got %+v, want one finding, %s", n, r.Findings, want)
		}
	}
}

// TestSeverityOfSilence: a server that restarts asks every client's portmap
// for statd, and clients without locks have none.
func TestSeverityOfSilence(t *testing.T) {
	for prog, want := range map[uint32]finding.Severity{100024: finding.Note, 100021: finding.Warning, 100005: finding.Error, 100003: finding.Error} {
		r := tracktest.Run(t, tell(ask(0, 111, getport(prog, 1, udp), second, second), quiet(at(9))), nil, Spec)
		if len(r.Findings) != 1 || r.Findings[0].Severity != want {
			t.Errorf("portmap asked for %d: got %v, want one finding, %s", prog, r.Findings, want)
		}
	}
}

func TestIPv6(t *testing.T) {
	a, b := node.At("2001:db8::57"), server.At("2001:db8::2")
	c := &synth.Capture{}
	c.Add(0, synth.UDP(a, b, clientPort, 111, synth.RPCBGetaddr(7, 4, 100005, 3, "udp6")))
	c.Add(at(0.01), synth.UDP(b, a, 111, clientPort, synth.RPCReply(7, synth.Opaque(synth.UniversalAddr(netip.MustParseAddr("2001:db8::2"), 41234)))))
	for i := range 3 {
		c.Add(at(1+float64(i)), synth.IP{ID: uint16(i)}.UDP(a, b, clientPort, 41234, mountV3))
	}
	c.Add(at(12), synth.UDP(a, b, 1, 9, nil))
	r := tracktest.Run(t, c, nil, Spec)
	if ids := r.IDs(); len(ids) != 1 || ids[0] != "rpc-mount-no-answer" || !strings.Contains(r.Findings[0].Summary, "2001:db8::2 port 41234 (from portmap)") {
		t.Errorf("got %v", r.Findings)
	}
}

// TestServersBehindARouter: two servers share the router's MAC and stay two.
func TestServersBehindARouter(t *testing.T) {
	c := &synth.Capture{}
	for i := range 3 {
		c.Add(at(float64(i)), synth.IP{ID: uint16(i)}.UDP(node, server, 801, 111, getport(100005, 3, udp)))
		c.Add(at(float64(i)+0.1), synth.IP{ID: uint16(i)}.UDP(node, other, 801, 111, getport(100005, 3, udp)))
	}
	c.Add(at(12), synth.UDP(node, server, 1, 9, nil))
	if ids := tracktest.Run(t, c, nil, Spec).IDs(); len(ids) != 2 {
		t.Errorf("got %v, want a finding for each server", ids)
	}
}

// A reader plays READ calls and their replies of 64 KiB, in segments of 1448
// bytes, to a tracker.
type reader struct {
	t      track.Tracker
	out    track.Out
	frames []wire.Frame
	next   int
	xid    uint32
	now    capture.Time
	ahead  [2]uint32 // how far a round moves each side's sequence
}

func newReader(tb testing.TB) *reader {
	c := &synth.Capture{}
	v := c.Dial(0, node, clientPort, server, 2049).Open()
	call := synth.RPCRecord(synth.NFSCall(1, 3, 6, "cn01", 0, 0, 65536))
	reply := synth.RPCRecord(synth.NFSRead(1, 65536))
	v.MSS = 1448
	v.Send(false, call).Send(true, reply)
	r := &reader{t: Spec.New(tracktest.Config()), ahead: [2]uint32{uint32(len(call)), uint32(len(reply))}, now: synth.Start, xid: 100}
	src := c.Source("x")
	dec := wire.NewDecoder()
	for {
		var p capture.Packet
		if src.Next(&p) != nil {
			break
		}
		var f wire.Frame
		dec.Decode(&p, &f)
		f.Payload = slices.Clone(f.Payload)
		if f.TCP.Flags&wire.SYN != 0 {
			r.t.Frame(&f, &r.out)
			continue
		}
		r.frames = append(r.frames, f)
	}
	for range 3 * len(r.frames) {
		r.step(tb)
	}
	return r
}

// step plays one frame.
func (r *reader) step(tb testing.TB) {
	f := &r.frames[r.next]
	r.now += 10_000
	f.Time = r.now
	if len(f.Payload) > 8 && f.Payload[0] == 0x80 && binary.BigEndian.Uint32(f.Payload[8:]) <= 1 {
		if f.SrcPort == clientPort {
			r.xid++
		}
		binary.BigEndian.PutUint32(f.Payload[4:], r.xid)
	}
	r.t.Frame(f, &r.out)
	r.out.Reset()
	i := 0
	if f.SrcPort == 2049 {
		i = 1
	}
	f.TCP.Seq += r.ahead[i]
	r.next = (r.next + 1) % len(r.frames)
	if at := r.t.Deadline(); at <= r.now {
		r.t.Expire(r.now, &r.out)
	}
}

func TestReadsAllocateNothing(t *testing.T) {
	r := newReader(t)
	n := len(r.frames)
	if got := testing.AllocsPerRun(500, func() {
		for range n {
			r.step(t)
		}
	}); got != 0 {
		t.Errorf("got %v allocations a READ, want none", got)
	}
	var c track.Counts
	r.t.Count(&c)
	if c.RPC.Calls["100003:READ"] < 500 || len(c.RPC.Unanswered) != 0 {
		t.Errorf("got %v calls and %v unanswered, want 500 or more and none", c.RPC.Calls, c.RPC.Unanswered)
	}
	if len(r.out.Findings) > 0 {
		t.Errorf("got %v", r.out.Findings)
	}
}

// datagrams plays answered GETATTR calls over UDP.
type datagrams struct {
	t           track.Tracker
	out         track.Out
	call, reply wire.Frame
}

func newDatagrams() *datagrams {
	d := &datagrams{t: Spec.New(tracktest.Config())}
	d.call = wire.Frame{Proto: udp, IPVersion: 4, Src: wire.MustAddr("10.0.0.57"), Dst: wire.MustAddr("10.0.0.2"), SrcPort: clientPort, DstPort: 2049, Payload: slices.Clone(getattr)}
	d.reply = wire.Frame{Proto: udp, IPVersion: 4, Src: d.call.Dst, Dst: d.call.Src, SrcPort: 2049, DstPort: clientPort, Payload: synth.NFSReply(1, 0)}
	for i := range uint32(5000) {
		d.pair(i)
	}
	return d
}

func (d *datagrams) pair(i uint32) {
	now := synth.Start.Add(time.Duration(i) * time.Millisecond)
	for _, f := range []*wire.Frame{&d.call, &d.reply} {
		binary.BigEndian.PutUint32(f.Payload, i)
		f.Time = now
		d.t.Frame(f, &d.out)
	}
	d.out.Reset()
}

func TestDatagramsAllocateNothing(t *testing.T) {
	d := newDatagrams()
	i := uint32(5000)
	if got := testing.AllocsPerRun(5000, func() { i++; d.pair(i) }); got != 0 {
		t.Errorf("got %v allocations a call, want none", got)
	}
}

// TestOtherTrafficAllocatesNothing: all of UDP and TCP comes by.
func TestOtherTrafficAllocatesNothing(t *testing.T) {
	tr := Spec.New(tracktest.Config())
	var out track.Out
	f := wire.Frame{Time: synth.Start, Proto: tcp, SrcPort: 80, DstPort: 40000, Payload: make([]byte, 1448), PayloadLen: 1448}
	if got := testing.AllocsPerRun(1000, func() { tr.Frame(&f, &out) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

// TestBounds sends more of everything than the tables hold.
func TestBounds(t *testing.T) {
	tr := Spec.New(tracktest.Config()).(*tracker)
	var out track.Out
	n := 3 * maxCalls
	for i := range n {
		f := wire.Frame{
			Time: synth.Start.Add(time.Duration(i) * time.Microsecond), ID: capture.NewFrameID(0, uint64(i+1)), Proto: udp, IPVersion: 4,
			Src: wire.Addr4([4]byte{10, 1, byte(i >> 8), byte(i)}), Dst: wire.MustAddr("10.0.0.2"), SrcPort: uint16(600 + i>>16), DstPort: 2049, Payload: synth.NFSCall(uint32(i), 3, 1, ""),
		}
		tr.Frame(&f, &out)
		f.Proto, f.Payload = tcp, synth.RPCRecord(synth.MountMNT(uint32(i), 3, "x", "/p"))
		f.DstPort, f.PayloadLen = uint16(i), len(f.Payload)
		tr.Frame(&f, &out)
		out.Reset()
	}
	for name, size := range map[string][2]int{
		"calls": {tr.calls.Len(), maxCalls}, "sockets": {tr.sockets.Len(), maxCalls}, "streams": {tr.streams.Len(), maxStreams}, "sessions": {tr.sessions.Len(), maxSessions},
		"pairs": {tr.pairs.Len(), maxPairs}, "learnt": {tr.learnt.Len(), maxLearnt},
	} {
		if size[0] > size[1] {
			t.Errorf("%s: got %d entries, want at most %d", name, size[0], size[1])
		}
	}
	if tr.Evicted() == 0 {
		t.Error("nothing was evicted")
	}
	var c track.Counts
	tr.Count(&c)
	if got := c.RPC.Unanswered["100003:GETATTR"]; got != uint64(n) {
		t.Errorf("got %d calls unanswered, want %d: what is evicted is final", got, n)
	}
	tr.Finish(synth.Start.Add(time.Hour), &out)
}

// FuzzTracker plays payloads from all sides.
func FuzzTracker(f *testing.F) {
	seed := func(parts ...[]byte) {
		var b []byte
		for i, p := range parts {
			b = append(b, byte(i), byte(len(p)>>8), byte(len(p)))
			b = append(b, p...)
		}
		f.Add(b)
	}
	seed(getport(100005, 3, udp), getportReply(100005, 3, udp, 41234))
	seed(synth.RPCRecord(mountV3), synth.RPCRecord(synth.MountReply(0x33, 13)))
	seed(synth.RPCBGetaddr(7, 4, 100005, 3, "udp"), synth.RPCReply(7, synth.Opaque("10.0.0.2.78.80")))
	seed(synth.RPCRecord(rootV4), synth.RPCRecord(synth.NFSCompoundReply(0x46, 10013)))
	seed(getattr, synth.RPCDenied(0x44, 5), synth.RPCUnaccepted(0x44, 2, 3, 4))
	seed(synth.RPCCall{XID: 3, Prog: 100000, Vers: 2, Proc: 4}.Bytes(), synth.PortmapDump(3, synth.PortmapEntry{Prog: 100005, Vers: 3, Proto: 17, Port: 635}))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := Spec.New(tracktest.Config()).(*tracker)
		var out track.Out
		ports := [...]uint16{111, 2049, 20048, 41234}
		addrs := [...]wire.Addr{wire.MustAddr("10.0.0.2"), wire.MustAddr("10.0.0.57"), wire.MustAddr("10.0.0.3")}
		now, seq := synth.Start, [2]uint32{}
		for n := uint64(1); len(data) >= 3 && n < 400; n++ {
			how, size := data[0], int(binary.BigEndian.Uint16(data[1:]))%2048
			data = data[3:]
			p := data[:min(size, len(data))]
			data = data[len(p):]
			now = now.Add(time.Duration(how&3) * time.Second)
			fr := wire.Frame{
				Time: now, ID: capture.NewFrameID(0, n), Proto: udp, IPVersion: 4, Src: addrs[1], Dst: addrs[how>>6%3], SrcPort: clientPort, DstPort: ports[how>>2&3],
				Payload: p, PayloadLen: len(p) + int(how>>5&1)*3, Copy: how == 77,
			}
			side := how & 1
			if how&16 != 0 {
				fr.Proto = tcp
				fr.TCP = wire.TCP{Seq: seq[side], Flags: []uint8{wire.ACK, wire.ACK, wire.SYN, wire.RST}[how>>1&3]}
				seq[side] += uint32(len(p))
			}
			if how == 200 {
				fr.ICMP = wire.ICMP{Type: 3, Code: 3, HasQuote: true, Quote: fr.Flow(), QuoteData: p}
				fr.Proto, fr.Src = 1, fr.Dst
			}
			if side == 1 && fr.Proto != 1 {
				fr.Src, fr.Dst, fr.SrcPort, fr.DstPort = fr.Dst, fr.Src, fr.DstPort, fr.SrcPort
			}
			for tr.Deadline() <= now {
				before := tr.Deadline()
				tr.Expire(now, &out)
				if tr.Deadline() <= now && tr.Deadline() == before {
					t.Fatalf("the deadline %d does not pass", before)
				}
			}
			tr.Frame(&fr, &out)
		}
		tr.Finish(now, &out)
		var c track.Counts
		tr.Count(&c)
		for k, n := range c.RPC.Unanswered {
			if n > c.RPC.Calls[k] {
				t.Errorf("%s: %d unanswered of %d calls", k, n, c.RPC.Calls[k])
			}
		}
		for _, x := range out.Findings {
			if x.Rule == nil || len(x.Frames) > finding.MaxFrames || x.Last < x.First || x.Summary == "" {
				t.Errorf("got the finding %+v", x)
			}
		}
		for _, x := range out.Exchanges {
			if x.Last < x.First || len(x.Frames) == 0 || len(x.Frames) > finding.MaxFrames {
				t.Errorf("got the exchange %+v", x)
			}
		}
	})
}

func BenchmarkReadPacket(b *testing.B) {
	r := newReader(b)
	b.ReportAllocs()
	for b.Loop() {
		r.step(b)
	}
}

func BenchmarkDatagramPair(b *testing.B) {
	d := newDatagrams()
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		i++
		d.pair(i)
	}
}

func BenchmarkOtherTCP(b *testing.B) {
	tr := Spec.New(tracktest.Config())
	var out track.Out
	f := wire.Frame{Time: synth.Start, Proto: tcp, SrcPort: 80, DstPort: 40000, Payload: make([]byte, 1448), PayloadLen: 1448}
	for b.Loop() {
		tr.Frame(&f, &out)
	}
}

func BenchmarkOtherUDP(b *testing.B) {
	tr := Spec.New(tracktest.Config())
	var out track.Out
	f := wire.Frame{Time: synth.Start, Proto: udp, SrcPort: 5060, DstPort: 40000, Payload: []byte("\x00\x03\x00\x01some TFTP data, say")}
	for b.Loop() {
		tr.Frame(&f, &out)
	}
}
