package catalog

import "testing"

// owner finds who a port belongs to by going through the literals, for a
// client on an ephemeral port that nobody claims.
func owner(c *Catalog, proto Proto, port uint16) (id string, client bool) {
	for _, s := range c.Services() {
		p, ok := s.Claim(uint8(proto), port)
		switch {
		case !ok || p.Use == Shared || s.ID == "rsh":
		case p.Use == Listed && 512 <= port && port <= 1023:
		default:
			return s.ID, p.Use == Client
		}
	}
	return "", false
}

// TestTables walks all 65,536 ports of both protocols, in both directions.
func TestTables(t *testing.T) {
	const ephemeral = 60001
	c := Default()
	for _, proto := range []Proto{UDP, TCP} {
		for p := range 1 << 16 {
			port := uint16(p)
			want, client := owner(c, proto, port)
			i, toServer := c.Lookup(uint8(proto), ephemeral, port)
			got := ""
			if s := c.At(i); s != nil {
				got = s.ID
			}
			if got != want || toServer != (want != "" && !client) {
				t.Fatalf("to %s/%d: got %q, toServer %v, want %q %v", proto, port, got, toServer, want, want != "" && !client)
			}
			j, back := c.Lookup(uint8(proto), port, ephemeral)
			if j != i || back != (want != "" && client) {
				t.Fatalf("from %s/%d: got service %d, toServer %v, want %d and the other direction", proto, port, j, back, i)
			}
		}
	}
}

// Of two ports of the catalog one is the server's, whichever way the packet
// goes, unless their ranks are equal: then the destination is.
func TestDirections(t *testing.T) {
	c := Default()
	for _, proto := range []Proto{UDP, TCP} {
		table := c.Table(uint8(proto))
		var ports []uint16
		for p := range 1 << 16 {
			if table[p] != 0 {
				ports = append(ports, uint16(p))
			}
		}
		for _, a := range ports {
			for _, b := range ports {
				i, forth := c.Lookup(uint8(proto), a, b)
				j, back := c.Lookup(uint8(proto), b, a)
				if table[a].Rank() != table[b].Rank() && (i != j || forth == back) {
					t.Errorf("%s %d -> %d: got %d toServer %v, and back %d %v", proto, a, b, i, forth, j, back)
				}
				if table[a].Rank() == table[b].Rank() && i != table[b].Index() && !table[b].IsSplit() {
					t.Errorf("%s %d -> %d: got %d, want the destination's %d", proto, a, b, i, table[b].Index())
				}
			}
		}
	}
}

// TestLookupPrimitives derives Lookup from what the kernel's counter has: the
// tables, the rank and the splits.
func TestLookupPrimitives(t *testing.T) {
	c := Default()
	table := c.Table(uint8(TCP))
	for _, src := range []uint16{0, 1, 22, 80, 443, 511, 512, 514, 657, 782, 873, 1023, 1024, 1058, 2049, 3001, 4011, 20048, 60001} {
		for dst := range 1 << 16 {
			server, other, want := table[dst], src, table[dst].Index()
			port := uint16(dst)
			if table[src].Rank() > server.Rank() {
				server, other, port, want = table[src], uint16(dst), src, table[src].Index()
			}
			if server.IsSplit() {
				for _, s := range c.Splits() {
					if s.Proto == TCP && s.Port == port && s.Clients.Contains(other) {
						want = s.Service
						break
					}
				}
			}
			if got, _ := c.Lookup(uint8(TCP), src, uint16(dst)); got != want {
				t.Fatalf("tcp %d -> %d: got %d, want %d", src, dst, got, want)
			}
		}
	}
}

func TestZeroCatalog(t *testing.T) {
	var c Catalog
	if i, toServer := c.Lookup(uint8(UDP), 68, 67); i != None || toServer {
		t.Errorf("Lookup in the zero catalog: got %d %v, want none", i, toServer)
	}
	if c.ByID("dhcp") != nil || c.At(1) != nil || c.ByProgram(100005) != None || c.Alternatives(uint8(TCP), 80) != nil {
		t.Error("the zero catalog knows something")
	}
}

func TestLookupAllocs(t *testing.T) {
	c := Default()
	https, _ := c.Lookup(uint8(TCP), 40000, 443)
	if n := testing.AllocsPerRun(100, func() {
		for port := uint16(1); port < 3000; port += 7 {
			c.Lookup(uint8(TCP), 514, port)
			c.Lookup(uint8(UDP), port, 67)
		}
		c.Refine(https, uint8(TCP), 443, Admin, BMC)
		c.LookupEther(0x0806)
		c.LookupICMP(58, 134)
	}); n != 0 {
		t.Errorf("allocations: got %v, want 0", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	c := Default()
	// A mix: catalog ports on either side, ephemeral ones, a split.
	packets := [...]struct {
		proto    uint8
		src, dst uint16
	}{
		{17, 68, 67},
		{17, 40001, 53},
		{17, 53, 40001},
		{6, 51234, 5248},
		{6, 5248, 51234},
		{17, 33333, 44444},
		{6, 782, 2049},
		{6, 1023, 514},
	}
	var sum Index
	for i := 0; b.Loop(); i++ {
		p := &packets[i%len(packets)]
		s, _ := c.Lookup(p.proto, p.src+uint16(i>>12)&1, p.dst)
		sum += s
	}
	_ = sum
}
