package rpc

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
)

func TestParse(t *testing.T) {
	for _, x := range []struct {
		name string
		b    []byte
		want message
		ok   bool
	}{
		{"empty", nil, message{}, false},
		{"call", synth.RPCCall{XID: 7, Prog: 100005, Vers: 3, Proc: 1, Args: []byte("abcd")}.Bytes(), message{xid: 7, call: true, prog: 100005, vers: 3, proc: 1, body: []byte("abcd")}, true},
		{
			"call with a machine name", synth.RPCCall{XID: 7, Prog: 100003, Vers: 3, Proc: 6, Machine: "cn01", Args: []byte("abcd")}.Bytes(),
			message{xid: 7, call: true, prog: 100003, vers: 3, proc: 6, machine: []byte("cn01"), body: []byte("abcd")}, true,
		},
		{"call cut behind the procedure", synth.Words(7, 0, 2, 100003, 3, 6), message{xid: 7, call: true, prog: 100003, vers: 3, proc: 6}, true},
		{"call cut in the credentials", synth.Words(7, 0, 2, 100003, 3, 6, 1, 60, 1), message{xid: 7, call: true, prog: 100003, vers: 3, proc: 6}, true},
		{"credentials too long", synth.Words(7, 0, 2, 100003, 3, 6, 1, 401), message{}, false},
		{"RPC version 3", synth.Words(7, 0, 3, 100003, 3, 6, 0, 0, 0, 0), message{}, false},
		{"message type 2", synth.Words(7, 2, 2, 100003, 3, 6, 0, 0, 0, 0), message{}, false},
		{"success", synth.RPCReply(7, synth.Words(635)), message{xid: 7, known: true, body: synth.Words(635)}, true},
		{"success with a verifier", append(synth.Words(7, 1, 0, 6, 8, 1, 2, 0), synth.Words(635)...), message{xid: 7, known: true, body: synth.Words(635)}, true},
		{"reply cut in the verifier", synth.Words(7, 1, 0, 6), message{xid: 7}, true},
		{"verifier too long", synth.Words(7, 1, 0, 6, 4000, 0), message{}, false},
		{"accept state 6", synth.Words(7, 1, 0, 0, 0, 6), message{}, false},
		{"mismatch", synth.RPCUnaccepted(7, 2, 3, 4), message{xid: 7, known: true, stat: 2, low: 3, high: 4}, true},
		{"denied", synth.RPCDenied(7, 13), message{xid: 7, known: true, denied: true, stat: 1, authStat: 13}, true},
		{"RPC mismatch", synth.Words(7, 1, 1, 0, 2, 2), message{xid: 7, known: true, denied: true, low: 2, high: 2}, true},
		{"reject state 2", synth.Words(7, 1, 1, 2, 0), message{}, false},
		{"reply state 2", synth.Words(7, 1, 2, 0, 0, 0), message{}, false},
	} {
		got, ok := parse(x.b)
		if ok != x.ok {
			t.Errorf("%s: got ok %v, want %v", x.name, ok, x.ok)
		}
		if !ok {
			continue
		}
		if d := cmp.Diff(x.want, got, cmp.AllowUnexported(message{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, d)
		}
	}
	call := synth.NFSCall(7, 3, 6, "cn01")
	if n := testing.AllocsPerRun(100, func() { parse(call) }); n != 0 {
		t.Errorf("got %v allocations a message, want none", n)
	}
}

func TestUniversalAddress(t *testing.T) {
	for _, x := range []struct {
		s    string
		port uint16
		ok   bool
	}{
		{"192.168.122.1.78.80", 20048, true},
		{"0.0.0.0.0.111", 111, true},
		{"::.3.31", 799, true},
		{"2001:db8::2.255.255", 65535, true},
		{"fe80::1%eth0.8.1", 2049, true},
		{"", 0, false},
		{"78.80", 0, false},
		{"1.2.3.78.80", 0, false},
		{"192.168.122.1.300.80", 0, false},
		{"192.168.122.1.-1.80", 0, false},
		{"/run/rpcbind.sock", 0, false},
		{"..", 0, false},
	} {
		port, ok := uaddrPort(x.s)
		if ok != x.ok || ok && port != x.port {
			t.Errorf("%q: got %d %v, want %d %v", x.s, port, ok, x.port, x.ok)
		}
	}
	if got, want := synth.UniversalAddr(netip.MustParseAddr("192.168.122.1"), 20048), "192.168.122.1.78.80"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRPCBDump(t *testing.T) {
	entry := func(prog, vers uint32, netid, addr string) []byte {
		return bytes.Join([][]byte{synth.Words(1, prog, vers), synth.Opaque(netid), synth.Opaque(addr), synth.Opaque("superuser")}, nil)
	}
	list := bytes.Join([][]byte{
		entry(100005, 3, "udp", "0.0.0.0.78.80"), entry(100000, 4, "local", "/run/rpcbind.sock"), entry(100003, 4, "tcp6", "::.8.1"), synth.Words(0),
	}, nil)
	want := []mapping{{prog: 100005, vers: 3, proto: udp, port: 20048}, {prog: 100003, vers: 4, proto: tcp, port: 2049}}
	var got []mapping
	eachMapping(4, list, func(m mapping) { got = append(got, m) })
	if d := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for i := range list { // cut anywhere: what is whole is read
		n := 0
		eachMapping(4, list[:i], func(mapping) { n++ })
		if n > 2 {
			t.Errorf("cut at %d: got %d mappings", i, n)
		}
	}
}

func TestEntersRoot(t *testing.T) {
	body := func(b []byte) []byte {
		m, ok := parse(b)
		if !ok {
			t.Fatal("no call")
		}
		return m.body
	}
	for _, x := range []struct {
		name string
		args []byte
		want certainty
	}{
		{"4.1, the root", body(synth.NFSCompound(1, "", 53, 24, 10)), yes},
		{"4.0, the root", body(synth.NFSCompound(1, "", 24, 10)), yes},
		{"4.1, a handle", body(synth.NFSCompound(1, "", 53, 22, 25)), no},
		{"4.1, SEQUENCE alone", body(synth.NFSCompound(1, "", 53)), no},
		{"EXCHANGE_ID", body(synth.NFSCompound(1, "", 42)), no},
		{"cut", body(synth.NFSCompound(1, "", 53, 24))[:20], maybe},
		{"nothing captured", nil, maybe},
	} {
		if got := entersRoot(x.args); got != x.want {
			t.Errorf("%s: got %d, want %d", x.name, got, x.want)
		}
	}
}

func TestProcedureNames(t *testing.T) {
	for _, x := range []struct {
		prog, vers, proc uint32
		want             string
	}{
		{100000, 2, 3, "GETPORT"},
		{100000, 3, 3, "GETADDR"},
		{100000, 4, 3, "GETADDR"},
		{100000, 4, 5, "CALLIT"},
		{100003, 2, 4, "LOOKUP"},
		{100003, 3, 4, "ACCESS"},
		{100003, 3, 21, "COMMIT"},
		{100003, 4, 1, "COMPOUND"},
		{100003, 4, 2, "2"},
		{100003, 7, 1, "1"},
		{100005, 1, 1, "MNT"},
		{100021, 4, 16, "16"},
		{100021, 4, 22, "NM_LOCK"},
		{300019, 1, 5, "5"},
	} {
		if got := procedureName(x.prog, x.vers, x.proc); got != x.want {
			t.Errorf("%d v%d %d: got %s, want %s", x.prog, x.vers, x.proc, got, x.want)
		}
	}
	for i := range programs {
		if programIndex(programs[i].number) != i {
			t.Errorf("%s: got index %d, want %d", programs[i].name, programIndex(programs[i].number), i)
		}
		for _, names := range programs[i].procedures {
			if len(names) > maxNamed {
				t.Errorf("%s: %d procedures, the ledger has room for %d", programs[i].name, len(names), maxNamed)
			}
		}
	}
}

// FuzzParse: no bytes make a reader look past them, and what a message yields
// lies inside.
func FuzzParse(f *testing.F) {
	f.Add(synth.NFSCall(7, 3, 6, "cn01"))
	f.Add(synth.RPCReply(7, synth.Opaque("192.168.122.1.78.80")))
	f.Add(synth.RPCUnaccepted(7, 2, 3, 4))
	f.Add(synth.RPCDenied(7, 5))
	f.Add(synth.MountMNT(7, 3, "cn01", "/srv"))
	f.Add(synth.PortmapDump(7, synth.PortmapEntry{Prog: 100005, Vers: 3, Proto: 17, Port: 635}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parse(b)
		if ok && looksLikeCall(b) && !m.call {
			t.Error("looks like a call and is a reply")
		}
		if len(m.body) > len(b) || len(m.machine) > maxMachineName {
			t.Errorf("got %d bytes of body and %d of name from %d", len(m.body), len(m.machine), len(b))
		}
		if p, ok := readPath(m.body); ok && len(p) > maxPath {
			t.Errorf("got a path of %d bytes", len(p))
		}
		for _, vers := range []uint32{2, 3, 4} {
			readQuestion(vers, procGetport, m.body)
			readPort(vers, m.body)
			n := 0
			eachMapping(vers, m.body, func(p mapping) {
				n++
				if p.port == 0 || p.proto == 0 {
					t.Errorf("got the mapping %+v", p)
				}
			})
			if n > maxMappings {
				t.Errorf("got %d mappings", n)
			}
		}
		entersRoot(m.body)
	})
}
