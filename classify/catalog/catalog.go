// Package catalog is the one table of provisioning services: what the traffic
// of a booting node is called, who starts it and on which ports. Classifier,
// filter builder, firewall sketch and eBPF counter all read it.
//
// A Service is what a packet is classified as. A Row is one line of a document
// that the service stands on, verbatim in what it claims, with the correction
// beside it where the wire says otherwise.
//
// The one invariant: a packet belongs to exactly one service or to none, by a
// rule that depends on its protocol and ports alone (see Lookup). What ports
// cannot tell, roles may (see Refine), and what is agreed in the traffic, such
// as TFTP's data port, the trackers learn.
//
// Adding a service is adding one literal to a services_*.go file.
package catalog

import (
	"fmt"
	"slices"
	"sync"
)

// An Index is the number of a service in its catalog, None for no service.
// Every Index is below the catalog's Len()+1, and fits the byte that the
// kernel's table has for it.
type Index uint8

// None is the Index of traffic of no service.
const None Index = 0

// MaxServices is how many services one catalog holds.
const MaxServices = 255

// A Catalog is an immutable table of services, safe for concurrent use. The
// zero Catalog knows no service.
type Catalog struct {
	udp, tcp [1 << 16]Entry
	// takenUDP and takenTCP have a bit for each port with an Entry: most of the
	// ports of packets are ephemeral, and looking up one of those in a table of
	// 128 KiB costs more than all the rest of Lookup.
	takenUDP, takenTCP [1 << 16 / 64]uint64
	splits             []Split
	shared             map[portKey][]Index // claims on one port, the owner first
	services           []Service           // by Index-1
	ids                map[string]Index
	framed             []Index // services with Frames
	programs           map[uint32]Index
	sources            []string // documents in the order of Entries
	loads              int      // how many Loads made it
}

type portKey struct {
	proto Proto
	port  uint16
}

var defaultCatalog = sync.OnceValue(func() *Catalog {
	c, err := New(builtin())
	if err != nil {
		panic("built-in catalog: " + err.Error()) // a test builds it
	}
	return c
})

// Default is the built-in catalog: the xCAT and MAAS port documents, corrected,
// and what they miss.
func Default() *Catalog { return defaultCatalog() }

func builtin() []Service {
	return slices.Concat(bootServices, controlServices, nfsServices, linkServices,
		powerServices, hostServices, adminServices, otherServices)
}

// New builds a catalog of services, in their order. It copies nothing deeper
// than the slice: the caller leaves what it hands over alone. An error names
// the service.
func New(services []Service) (*Catalog, error) {
	if len(services) > MaxServices {
		return nil, fmt.Errorf("%d services: a catalog holds %d at most", len(services), MaxServices)
	}
	c := &Catalog{
		services: slices.Clone(services),
		ids:      make(map[string]Index, len(services)),
		programs: make(map[uint32]Index),
		shared:   make(map[portKey][]Index),
		sources:  []string{SeedMAAS, SeedXCAT, Own},
	}
	owned := 0
	for i := range c.services {
		s := &c.services[i]
		s.Index = Index(i + 1)
		if c.ids[s.ID] != None {
			return nil, fmt.Errorf("service %q: the id is taken", s.ID)
		}
		c.ids[s.ID] = s.Index
		if len(s.Frames) > 0 {
			c.framed = append(c.framed, s.Index)
		}
		for _, p := range s.Programs {
			at := c.At(c.programs[p])
			if at != nil && at.programGeneration == s.programGeneration {
				return nil, &programError{p, at.ID, s.ID}
			}
			if at == nil || at.programGeneration < s.programGeneration {
				c.programs[p] = s.Index
			}
		}
		rows := make([]Row, len(s.Rows))
		for j, r := range s.Rows {
			r.Service, r.Phase = s.ID, s.Phase
			if r.Source == Own {
				owned++
				r.Number = owned
			}
			rows[j] = r
		}
		s.Rows = rows
	}
	if err := c.claimPorts(); err != nil {
		return nil, err
	}
	return c, nil
}

// Len is the number of services; the largest Index.
func (c *Catalog) Len() int { return len(c.services) }

// Services are all services in the order of their Index. The slice and what it
// holds are the catalog's own: do not change them.
func (c *Catalog) Services() []Service { return c.services }

// At is the service of an Index, nil for None and for an Index of another,
// larger catalog.
func (c *Catalog) At(i Index) *Service {
	if i == None || int(i) > len(c.services) {
		return nil
	}
	return &c.services[i-1]
}

// ByID is the service with an id, or nil.
func (c *Catalog) ByID(id string) *Service { return c.At(c.ids[id]) }

// ByProgram is the service of an ONC RPC program number (RFC 5531 section 8.1),
// or None. Its port is learnt from portmap replies.
func (c *Catalog) ByProgram(program uint32) Index { return c.programs[program] }

// ForPhase are the services of a phase, in order.
func (c *Catalog) ForPhase(p Phase) []*Service {
	return c.where(func(s *Service) bool { return s.In(p) })
}

// ForPlatform are the services that a platform uses, in order: those that name
// it and those that are Generic. All of them for AllPlatforms and "".
func (c *Catalog) ForPlatform(p Platform) []*Service {
	return c.where(func(s *Service) bool { return s.On(p) })
}

func (c *Catalog) where(want func(*Service) bool) []*Service {
	var out []*Service
	for i := range c.services {
		if s := &c.services[i]; want(s) {
			out = append(out, s)
		}
	}
	return out
}

// A programError is two claims on one RPC program.
type programError struct {
	program       uint32
	first, second string // ids
}

func (e *programError) Error() string {
	return fmt.Sprintf("services %q and %q both claim RPC program %d", e.first, e.second, e.program)
}
