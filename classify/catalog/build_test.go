package catalog

import "testing"

func TestNewErrors(t *testing.T) {
	one := func(id string, p ...Port) Service { return Service{ID: id, Ports: p} }
	for _, tt := range []struct {
		name     string
		services []Service
		want     string
	}{
		{"id twice", []Service{one("a"), one("a")}, `service "a": the id is taken`},
		{"two owners", []Service{one("a", tcp(80)), one("b", tcpRange(79, 81))}, `services "a" and "b" both claim tcp/80`},
		{"two listed", []Service{one("a", tcp(80).as(Listed)), one("b", tcp(80).as(Listed))}, `services "a" and "b" both claim tcp/80`},
		{"port 0", []Service{one("a", tcp(0))}, `service "a": tcp/0-0 is no claim on ports`},
		{"backwards", []Service{one("a", tcpRange(9, 8))}, `service "a": tcp/9-8 is no claim on ports`},
		{"no protocol", []Service{one("a", Port{Range: Range{1, 1}})}, `service "a": 0/1-1 is no claim on ports`},
		{"program", []Service{{ID: "a", Programs: []uint32{7}}, {ID: "b", Programs: []uint32{7}}}, `services "a" and "b" both claim RPC program 7`},
		{"too many", make([]Service, 256), `256 services: a catalog holds 255 at most`},
	} {
		if c, err := New(tt.services); err == nil || err.Error() != tt.want || c != nil {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// Who owns a port does not depend on the order of the literals.
func TestOrder(t *testing.T) {
	general := Service{ID: "general", Ports: []Port{tcp(514)}}
	callers := Service{ID: "callers", Ports: []Port{tcp(514)}, ClientPorts: Reserved}
	listed := Service{ID: "listed", Ports: []Port{tcp(514).as(Listed)}}
	shares := Service{ID: "shares", Ports: []Port{tcp(514).as(Shared)}}
	for _, order := range [][]Service{
		{general, callers, listed, shares},
		{callers, general, shares, listed},
		{shares, listed, callers, general},
		{listed, shares, general, callers},
	} {
		c, err := New(order)
		if err != nil {
			t.Fatal(err)
		}
		low, _ := c.Lookup(uint8(TCP), 1023, 514)
		high, _ := c.Lookup(uint8(TCP), 1024, 514)
		if c.At(low).ID != "callers" || c.At(high).ID != "general" {
			t.Errorf("%s first: got %q below 1024 and %q above, want callers and general", order[0].ID, c.At(low).ID, c.At(high).ID)
		}
		if got := len(c.Alternatives(uint8(TCP), 514)); got != 4 {
			t.Errorf("%s first: got %d alternatives, want 4", order[0].ID, got)
		}
	}
}
