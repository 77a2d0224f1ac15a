package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "extra.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	base := Default()
	c, err := Load("extra.yaml", data, base)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Len(), base.Len()+3; got != want {
		t.Errorf("services: got %d, want %d", got, want)
	}
	for _, tt := range []struct {
		proto    Proto
		src, dst uint16
		want     string
	}{
		{TCP, 40000, 8090, "site-agent"},
		{TCP, 40000, 5262, "site-agent"},
		{UDP, 40000, 8090, ""},
		{TCP, 40000, 5259, "maas-rpc"},
		{TCP, 40000, 8443, "foreman-proxy"},
		{TCP, 40000, 9090, ""}, // its ports were replaced
		{TCP, 1000, 512, "site-rexec"},
		{TCP, 873, 512, "site-rexec"},
		{TCP, 512, 873, "site-rexec"},
		{UDP, 1000, 512, "site-rexec"},
		{TCP, 40000, 5248, "maas-http-boot"},
	} {
		i, _ := c.Lookup(uint8(tt.proto), tt.src, tt.dst)
		got := ""
		if s := c.At(i); s != nil {
			got = s.ID
		}
		if got != tt.want {
			t.Errorf("%s %d -> %d: got %q, want %q", tt.proto, tt.src, tt.dst, got, tt.want)
		}
	}
	if s := c.At(c.ByProgram(100011)); s == nil || s.ID != "site-quota" {
		t.Errorf("program 100011: got %v, want site-quota", s)
	}
	if got := c.Alternatives(uint8(TCP), 8443); len(got) != 2 || c.At(got[0]).ID != "foreman-proxy" || c.At(got[1]).ID != "lxd" {
		t.Errorf("alternatives on 8443: got %v, want foreman-proxy and lxd", got)
	}

	agent := c.ByID("site-agent")
	if !agent.In(Day2) || !agent.In(Provisioning) || !agent.On(MAAS) || agent.On(XCAT) || agent.Answer != ByMessage || !agent.ServerFirst {
		t.Errorf("site-agent: got %+v", agent)
	}
	want := Row{
		Source: "extra.yaml", Number: 1, Platform: MAAS, Section: "Added by the site", Name: "Site agent", Protocol: "tcp",
		Port: "8090,5260-5262", Direction: "node → rack/region", Who: "node, rack", Requirement: "optional",
		Note: "reports every minute", Service: "site-agent", Phase: Day2,
	}
	if d := cmp.Diff([]Row{want}, agent.Rows); d != "" {
		t.Errorf("rows of site-agent (-want +got):\n%s", d)
	}
	foreman := c.ByID("foreman-proxy")
	if foreman.Name != "Foreman smart proxy" || len(foreman.Rows) != 2 || foreman.Rows[0].Source != Own || foreman.Rows[1].Source != "extra.yaml" {
		t.Errorf("foreman-proxy keeps what the file does not give, and its row: got %q, %d rows", foreman.Name, len(foreman.Rows))
	}
	entries := c.Entries("", "")
	if got := entries[len(entries)-1]; got.Service != "site-rexec" || got.Number != 4 || got.SourcePorts != "1-1023" {
		t.Errorf("last entry: got %+v, want that of site-rexec", got)
	}

	// The base is as it was.
	if i, _ := base.Lookup(uint8(TCP), 40000, 8443); base.At(i).ID != "lxd" || base.ByID("site-agent") != nil || len(base.ByID("foreman-proxy").Rows) != 1 {
		t.Error("Load changed its base")
	}
}

// Two services of one port, loaded over the built-in ones.
func TestLoadPrecedence(t *testing.T) {
	load := func(t *testing.T, base *Catalog, text string) *Catalog {
		t.Helper()
		c, err := Load("site.yaml", []byte(text), base)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	at := func(c *Catalog, src, dst uint16) string {
		i, _ := c.Lookup(uint8(TCP), src, dst)
		if s := c.At(i); s != nil {
			return s.ID
		}
		return ""
	}
	const item = "- {phase: day2, protocol: tcp, "
	t.Run("a new service takes a port", func(t *testing.T) {
		c := load(t, Default(), item+"id: site, ports: 80}")
		if got := at(c, 40000, 80); got != "site" {
			t.Errorf("tcp/80: got %q, want site", got)
		}
	})
	t.Run("the later file wins", func(t *testing.T) {
		c := load(t, load(t, Default(), item+"id: one, ports: 80}"), item+"id: two, ports: 80}")
		if got := at(c, 40000, 80); got != "two" {
			t.Errorf("tcp/80: got %q, want two", got)
		}
	})
	t.Run("client ports split a port", func(t *testing.T) {
		c := load(t, Default(), item+"id: site, ports: 80, source_ports: 2000-2999}")
		if got := at(c, 2000, 80) + " " + at(c, 80, 2999) + " " + at(c, 3000, 80); got != "site site http" {
			t.Errorf("tcp/80: got %s, want site for its clients only", got)
		}
	})
	t.Run("what is specific stays", func(t *testing.T) {
		c := load(t, Default(), item+"id: site, ports: 514}")
		if got := at(c, 1000, 514) + " " + at(c, 40000, 514); got != "rsh site" {
			t.Errorf("tcp/514: got %s, want rsh below 1024 and site above", got)
		}
	})
	t.Run("a changed service keeps its port", func(t *testing.T) {
		c := load(t, Default(), "- {id: syslog, note: our collector}")
		if got := at(c, 1000, 514) + " " + at(c, 40000, 514); got != "rsh syslog" {
			t.Errorf("tcp/514: got %s, want rsh below 1024 and syslog above", got)
		}
	})
	t.Run("client ports given to a known service", func(t *testing.T) {
		c := load(t, Default(), "- {id: syslog, source_ports: 2000-3000}")
		if got := at(c, 1000, 514) + " " + at(c, 2500, 514); got != "rsh syslog" {
			t.Errorf("tcp/514: got %s, want both told apart", got)
		}
	})
	t.Run("a port that its owner leaves", func(t *testing.T) {
		c := load(t, Default(), "- {id: http, protocol: tcp, ports: 81}")
		if got := at(c, 40000, 81) + " " + at(c, 40000, 80); got != "http bmc-web" {
			t.Errorf("tcp/81 and tcp/80: got %s, want http and the first of those that shared it", got)
		}
	})
	t.Run("a program that is taken over", func(t *testing.T) {
		c := load(t, Default(), "- {id: site, phase: day2, program: 100005}")
		if got := c.At(c.ByProgram(100005)).ID; got != "site" {
			t.Errorf("program 100005: got %q, want site", got)
		}
	})
}

func TestLoadErrors(t *testing.T) {
	const ok = "id: a, phase: day2, protocol: tcp"
	for _, tt := range []struct {
		name, text string
		want       []string // one line each
	}{
		{"empty", "", []string{`extra.yaml:1: services: missing; list at least one`}},
		{"comment only", "# nothing\n", []string{`extra.yaml:1: services: missing; list at least one`}},
		{"no list", "services: 3\n", []string{`extra.yaml:1: services: not a list; write one item for each service`}},
		{"empty list", "services: []\n", []string{`extra.yaml:1: services: empty; list at least one`}},
		{"other top-level field", "\nservice:\n  - id: a\n", []string{`extra.yaml:2: service: unknown field; a catalog file has only services`}},
		{"a text for a service", "- tftp\n", []string{`extra.yaml:1: services: not a service; write fields such as id, protocol and ports`}},
		{"syntax", "services:\n  - id: [\n", []string{`extra.yaml:2: did not find expected node content`}},
		{"two documents", "- {id: dhcp}\n---\n- {id: tftp}\n", []string{`extra.yaml:2: a second document; put all services into one`}},
		{"port too large", "services:\n  - id: site-agent\n    name: Agent\n    phase: day2\n    platform: maas\n    protocol: tcp\n    ports: 70000\n", []string{`extra.yaml:7: ports: 70000 is not a port (1-65535)`}},
		{"port in a list", "- " + "id: a\n  phase: day2\n  protocol: udp\n  ports:\n    - 69\n    - 0\n    - http\n    - -5\n", []string{
			`extra.yaml:6: ports: 0 is not a port (1-65535)`,
			`extra.yaml:7: ports: "http" is not a port (1-65535)`,
			`extra.yaml:8: ports: "-5" is not a port (1-65535)`,
		}},
		{"backwards", "- {" + ok + ", ports: 5259-5250}", []string{`extra.yaml:1: ports: 5259-5250 runs backwards`}},
		{"overlap", "- {" + ok + ", ports: [80, 70-90]}", []string{`extra.yaml:1: ports: 80 and 70-90 overlap`}},
		{"too many ports", "- {" + ok + ", ports: 1-65535}", []string{`extra.yaml:1: ports: more than 1024 for one service`}},
		{"nested ports", "- {" + ok + ", ports: [[80]]}", []string{`extra.yaml:1: ports: neither a value nor a list of values`}},
		{"no ports in the list", "- {" + ok + ", ports: []}", []string{`extra.yaml:1: ports: an empty list`}},
		{"source ports", "- {" + ok + ", ports: 80, source_ports: 1-70000}", []string{`extra.yaml:1: source_ports: 70000 is not a port (1-65535)`}},
		{"source ports as a list", "- {" + ok + ", ports: 80, source_ports: [1, 2]}", []string{`extra.yaml:1: source_ports: not a port or range, such as 1-1023`}},
		{"unknown field", "- id: a\n  phase: day2\n  protocol: tcp\n  port: 80\n", []string{
			`extra.yaml:4: port: unknown field; did you mean "ports"? one of id, name, platform, phase, protocol, ports, source_ports, program, direction, who, requirement, note, answer, server_first`,
		}},
		{"field far from any", "- {" + ok + ", ports: 80, \"x\\ny\": 1}", []string{
			`extra.yaml:1: "x\ny": unknown field; one of id, name, platform, phase, protocol, ports, source_ports, program, direction, who, requirement, note, answer, server_first`,
		}},
		{"field twice", "- id: a\n  phase: day2\n  protocol: tcp\n  ports: 80\n  phase: power\n", []string{`extra.yaml:5: phase: given on line 2 already`}},
		{"no id", "-\n  name: x\n", []string{`extra.yaml:2: id: missing; every service needs one, such as site-agent`}},
		{"bad id", "- {id: Site Agent}", []string{`extra.yaml:1: id: "Site Agent" is no id; lower-case letters, digits and single hyphens, 40 at most`}},
		{"id twice", "- {" + ok + ", ports: 80}\n- {" + ok + ", ports: 81}\n", []string{`extra.yaml:2: id: "a" is used on line 1 already`}},
		{"no phase", "- {id: a, protocol: tcp, ports: 80}", []string{`extra.yaml:1: phase: missing; one of provisioning, day2, power, virtualization, enterprise, monitoring`}},
		{"phase", "- {id: a, phase: provisoning, protocol: tcp, ports: 80}", []string{
			`extra.yaml:1: phase: "provisoning" is not known; did you mean "provisioning"? one of provisioning, day2, power, virtualization, enterprise, monitoring`,
		}},
		{"platform", "- {" + ok + ", ports: 80, platform: mass}", []string{
			`extra.yaml:1: platform: "mass" is not known; did you mean "maas"? one of maas, xcat, all, cobbler, foreman, generic, ironic, tinkerbell, warewulf`,
		}},
		{"protocol", "- {id: a, phase: day2, protocol: sctp, ports: 80}", []string{`extra.yaml:1: protocol: "sctp" is not known; tcp, udp or tcp/udp`}},
		{"protocol twice", "- {id: a, phase: day2, protocol: tcp/tcp, ports: 80}", []string{`extra.yaml:1: protocol: "tcp" twice`}},
		{"no protocol", "- {id: a, phase: day2, ports: 80}", []string{`extra.yaml:1: ports: without protocol; give tcp, udp or tcp/udp`}},
		{"no ports", "- {" + ok + "}", []string{`extra.yaml:1: protocol: without ports; give both`}},
		{"neither ports nor program", "- {id: a, phase: day2}", []string{`extra.yaml:1: ports: missing; a service has ports or an RPC program`}},
		{"program", "- {id: a, phase: day2, program: mountd}", []string{`extra.yaml:1: program: "mountd" is not an RPC program number (1-4294967295)`}},
		{"program twice", "- {id: a, phase: day2, program: 7}\n- {id: b, phase: day2, program: 7}", []string{`extra.yaml:2: program: 7 is claimed by "a" already`}},
		{"direction", "- {" + ok + ", ports: 80, direction: node to rack}", []string{`extra.yaml:1: direction: not a pair; write {from: node, to: rack}`}},
		{"half a direction", "- {" + ok + ", ports: 80, direction: {from: node}}", []string{`extra.yaml:1: direction: incomplete; give both from and to`}},
		{"role", "- {" + ok + ", ports: 80, direction: {from: nodes, to: rack}}", []string{
			`extra.yaml:1: direction: from: "nodes" is not known; did you mean "node"? one of node, rack, region, bmc, admin, host, relay, proxy, mirror, ntp, log, directory, registry, device`,
		}},
		{"direction field", "- {" + ok + ", ports: 80, direction: {from: node, to: rack, via: relay}}", []string{`extra.yaml:1: direction: via: unknown field; one of from, to`}},
		{"answer", "- {" + ok + ", ports: 80, answer: maybe}", []string{`extra.yaml:1: answer: "maybe" is not known; one of yes, by-message, no`}},
		{"server first", "- {" + ok + ", ports: 80, server_first: often}", []string{`extra.yaml:1: server_first: "often"; true or false`}},
		{"note that does not print", "- {" + ok + ", ports: 80, note: \"a\\eb\"}", []string{`extra.yaml:1: note: "a\x1bb" has characters that do not print`}},
		{"note too long", "- {" + ok + ", ports: 80, note: " + strings.Repeat("x", 301) + "}", []string{`extra.yaml:1: note: 301 bytes; 300 at most`}},
		{"name empty", "- {" + ok + ", ports: 80, name: \"\"}", []string{`extra.yaml:1: name: empty`}},
		{"alias", "- {id: a, phase: &p day2, protocol: tcp, ports: 80}\n- {id: b, phase: *p, protocol: tcp, ports: 81}", []string{
			`extra.yaml:2: phase: anchors and complex keys are not supported; write the value out`,
		}},
		{"one port, two services", "- " + "id: a\n  phase: day2\n  protocol: tcp\n  ports: 7000\n- id: b\n  phase: day2\n  protocol: tcp\n  ports:\n    - 6999-7001\n", []string{
			`extra.yaml:9: ports: tcp/7000 is claimed by "a" on line 4 already; source_ports can tell two services apart`,
		}},
		{"one port, overlapping clients", "- {" + ok + ", ports: 7000, source_ports: 1-1023}\n- {id: b, phase: day2, protocol: tcp, ports: 7000, source_ports: 1000-2000}\n", []string{
			`extra.yaml:2: ports: tcp/7000 is claimed by "a" on line 1 already; source_ports can tell two services apart`,
		}},
		{"several errors", "- {id: a, phase: later, protocol: tcp, ports: 0}\n- {id: B}\n", []string{
			`extra.yaml:1: phase: "later" is not known; one of provisioning, day2, power, virtualization, enterprise, monitoring`,
			`extra.yaml:1: ports: 0 is not a port (1-65535)`,
			`extra.yaml:2: id: "B" is no id; lower-case letters, digits and single hyphens, 40 at most`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load("extra.yaml", []byte(tt.text), Default())
			if err == nil || c != nil {
				t.Fatalf("got a catalog of %d and error %v, want an error alone", c.Len(), err)
			}
			if d := cmp.Diff(strings.Join(tt.want, "\n"), err.Error()); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
		})
	}
}

func TestLoadLimits(t *testing.T) {
	if _, err := Load("big.yaml", make([]byte, MaxFile+1), Default()); err == nil || err.Error() != "big.yaml: 1048577 bytes: a catalog file has 1048576 at most" {
		t.Errorf("a large file: got %v", err)
	}
	var text strings.Builder
	for i := range MaxServices {
		text.WriteString("- {id: s" + strings.Repeat("x", i%30) + string(rune('a'+i/30)) + ", phase: day2, protocol: udp, ports: ")
		text.WriteString(Range{uint16(20100 + i), uint16(20100 + i)}.String() + "}\n")
	}
	_, err := Load("many.yaml", []byte(text.String()), Default())
	if err == nil || !strings.HasSuffix(err.Error(), "services: a catalog holds 255 at most") || !strings.HasPrefix(err.Error(), "many.yaml: ") {
		t.Errorf("too many services: got %v", err)
	}
}

// FuzzLoad checks that nothing stands beside an error, and that what is loaded
// is a sound catalog: every service reachable, the base's ids still there, and
// loading it again changes nothing that Lookup shows.
func FuzzLoad(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "extra.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("- {id: a, phase: day2, protocol: tcp/udp, ports: [80, 5250-5259], source_ports: 1-1023}\n"))
	f.Add([]byte("- {id: rsh, protocol: tcp, ports: 515}\n- {id: syslog, source_ports: 1-5}\n"))
	f.Add([]byte("services:\n  - id: site\n    phase: [day2, power]\n    program: 100005\n    direction: {from: node, to: rack}\n"))
	f.Add([]byte("- &a {id: x}\n- *a\n"))
	f.Add([]byte("? [a]\n: {b: c}\n"))
	base := Default()
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Load("f.yaml", data, base)
		if err != nil {
			if c != nil {
				t.Fatal("a catalog beside an error")
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "f.yaml:") {
					t.Fatalf("error without the file: %q", line)
				}
			}
			return
		}
		for _, s := range base.Services() {
			if c.ByID(s.ID) == nil {
				t.Fatalf("%q is gone", s.ID)
			}
		}
		for _, s := range c.Services() {
			for _, p := range s.Ports {
				if !slices.Contains(c.Alternatives(uint8(p.Proto), p.First), s.Index) && p.Use != Listed {
					t.Fatalf("%q is not among the alternatives of %s", s.ID, p)
				}
			}
		}
		again, err := Load("f.yaml", data, c)
		if err != nil {
			t.Fatalf("second load: %v", err)
		}
		for port := range 1 << 16 {
			for _, proto := range []Proto{TCP, UDP} {
				i, a := c.Lookup(uint8(proto), 1000, uint16(port))
				j, b := again.Lookup(uint8(proto), 1000, uint16(port))
				if i != j || a != b {
					t.Fatalf("%s/%d: got service %d, then %d", proto, port, i, j)
				}
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	data, err := os.ReadFile(filepath.Join("testdata", "extra.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Load("extra.yaml", data, Default()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(builtin()); err != nil {
			b.Fatal(err)
		}
	}
}
