package track

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/wire"
)

// RoleOf is the part that a machine plays, as the site's facts tell: by name
// before by network.
func RoleOf(s *site.Site, a wire.Addr) catalog.Role {
	switch {
	case s.IsRack(a):
		return catalog.Rack
	case s.IsRegion(a):
		return catalog.Region
	case site.In(s.BMCNets, a):
		return catalog.BMC
	case site.In(s.AdminNets, a):
		return catalog.Admin
	case site.In(s.NodeNets, a):
		return catalog.Node
	}
	return catalog.NoRole
}

// A Learner is a Tracker that is told what all trackers expect: which address
// and port carry a service that the catalog has no port for. The Dispatcher
// calls Learn in the order in which expectations were announced.
type Learner interface {
	Learn(e Expectation)
}

// Services tells which service a flow belongs to: by what was learnt from the
// traffic, else by the catalog.
type Services struct {
	cat    *catalog.Catalog
	learnt *Table[portKey, learnt]
}

// learnt is what Services keeps of an Expectation: thousands stand at a time.
type learnt struct {
	service string
	until   capture.Time
	server  bool
}

// NewServices makes Services of a configuration; without a catalog only learnt
// ports have a service.
func NewServices(cfg *Config) *Services {
	s := &Services{learnt: NewTable[portKey, learnt](maxExpected, nil)}
	if cfg != nil && cfg.Catalog != nil {
		s.cat = cfg.Catalog
	} else {
		s.cat = new(catalog.Catalog)
	}
	return s
}

// Learn remembers an expectation.
func (s *Services) Learn(e Expectation) {
	*s.learnt.At(portKey{e.Addr, e.Port, e.Proto}) = learnt{e.Service, e.Until, e.Server}
}

// Of is the service of a flow at a time and whether the flow goes to its
// server; empty for traffic of no service, and for ports that documents list
// but nothing uses. It allocates nothing.
func (s *Services) Of(f wire.Flow, at capture.Time) (id string, toServer bool) {
	if s.learnt.Len() > 0 {
		if e := s.learnt.Get(portKey{f.Dst, f.DstPort, f.Proto}); e != nil && at <= e.until {
			return e.service, e.server
		}
		if e := s.learnt.Get(portKey{f.Src, f.SrcPort, f.Proto}); e != nil && at <= e.until {
			return e.service, !e.server
		}
	}
	i, toServer := s.cat.Lookup(f.Proto, f.SrcPort, f.DstPort)
	v := s.cat.At(i)
	if v == nil {
		return "", false
	}
	port := f.DstPort
	if !toServer {
		port = f.SrcPort
	}
	if p, ok := v.Claim(f.Proto, port); ok && p.Use == catalog.Listed {
		return "", false
	}
	return v.ID, toServer
}

// By is the catalog's service with an id, or nil.
func (s *Services) By(id string) *catalog.Service { return s.cat.ByID(id) }
