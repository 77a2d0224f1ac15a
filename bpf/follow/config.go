package follow

import (
	"fmt"
	"runtime"
	"time"

	"github.com/pxescope/pxescope/classify/catalog"
)

// A Config says what to pass. Zero values are defaults.
type Config struct {
	Catalog  *catalog.Catalog // nil: catalog.Default()
	Phase    string           // "": the services of all phases
	Platform string           // "": of all platforms
	SnapLen  uint32           // bytes of a packet that go to the socket; 0: 262144

	// How long what was learnt is believed after it was last used. 0: as long as
	// the analysis believes it, 120 s for a TFTP client's port, 10 min for a port
	// that portmap told. One hour at most.
	TFTPFor, RPCFor time.Duration
	// Entries of the tables; the least recently used goes. 0: 16384 TFTP
	// clients, 4096 RPC servers' ports, 4096 portmap calls, 8192 fragmented
	// datagrams, and at least 256 for each processor, which keeps up to 128 free
	// ones for itself.
	Clients, Servers, Calls, Fragments uint32

	told bool // the clock is set by a test
}

const (
	defaultSnapLen   = 262144
	defaultTFTPFor   = 120 * time.Second
	defaultRPCFor    = 10 * time.Minute
	longest          = time.Hour
	defaultClients   = 16384
	defaultServers   = 4096
	defaultCalls     = 4096
	defaultFragments = 8192
	perProcessor     = 256
)

func (c Config) complete() (Config, error) {
	if c.Catalog == nil {
		c.Catalog = catalog.Default()
	}
	if c.SnapLen == 0 || c.SnapLen > defaultSnapLen {
		c.SnapLen = defaultSnapLen
	}
	for _, d := range []struct {
		name string
		at   *time.Duration
		or   time.Duration
	}{{"TFTP clients'", &c.TFTPFor, defaultTFTPFor}, {"RPC servers'", &c.RPCFor, defaultRPCFor}} {
		if *d.at == 0 {
			*d.at = d.or
		}
		if *d.at < time.Second || *d.at > longest {
			return c, fmt.Errorf("remember %s ports for %v: one second to one hour", d.name, *d.at)
		}
	}
	for _, d := range []struct {
		at *uint32
		or uint32
	}{{&c.Clients, defaultClients}, {&c.Servers, defaultServers}, {&c.Calls, defaultCalls}, {&c.Fragments, defaultFragments}} {
		if *d.at == 0 {
			*d.at = max(d.or, perProcessor*uint32(runtime.NumCPU()))
		}
	}
	return c, nil
}

// Stats count since Load, over all sockets that the filter is attached to.
// Packets without a unit.
type Stats struct {
	Passed  uint64 `json:"passed"`
	Dropped uint64 `json:"dropped"`

	TFTP      uint64 `json:"learnt_tftp_ports"`
	RPC       uint64 `json:"learnt_rpc_ports"`
	Fragments uint64 `json:"learnt_fragment_ids"` // datagrams whose first fragment decided

	// Evicted is how many entries were pushed out at the least: what was learnt
	// beyond the size of a table.
	Evicted uint64 `json:"evicted"`
	// Failures are entries that the kernel had no place for; the packet passed,
	// what it announced may not.
	Failures uint64 `json:"failures"`

	Samples uint64 `json:"samples"` // passed of UDP conversations of no service
	Strays  uint64 `json:"strays"`  // later fragments that passed before their first
	Excess  uint64 `json:"excess"`  // later fragments that were dropped because too many came before their first
}
