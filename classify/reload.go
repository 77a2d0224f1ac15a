package classify

import (
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
)

// Reload goes on with other facts of the place and another catalog, between two
// packets; nil leaves one as it is. Nodes, exchanges and findings are kept.
//
// What counts from the next packet on: who is who (racks, regions, DHCP
// servers, networks), the thresholds by which DHCP, nodes and the capture
// itself are judged, retry profiles, and which packets are of which service.
// What an engine keeps until its end: the deadlines of the trackers that
// follow files, RPC, TCP, ARP and fragments, and the names that they give to
// connections. The facts overwrite the Site that New was given.
func (e *Engine) Reload(s *site.Site, c *catalog.Catalog) {
	if s != nil {
		*e.site = *s
		e.clock.back, e.clock.forward = s.Thresholds.ClockBack, s.Thresholds.ClockForward
	}
	if c == nil {
		c = e.cat
	}
	e.services = e.services.with(c, e.site, e.opt.Phase, e.opt.Platform)
	e.quality.catalog(c)
	e.talks = new(talks)
	e.cat = c
	e.desk.dirty, e.desk.shown = true, nil
}

// with is a fresh table of services that goes on counting. Packets of services
// that are no more are counted as those of none.
func (v *services) with(c *catalog.Catalog, s *site.Site, phase, platform string) *services {
	n := newServices(c, s, phase, platform)
	n.count[catalog.None] = v.count[catalog.None]
	for _, old := range v.cat.Services() {
		if x := c.ByID(old.ID); x != nil {
			n.count[x.Index] = v.count[old.Index]
		} else {
			n.count[catalog.None].packets += v.count[old.Index].packets
		}
	}
	return n
}

// catalog changes the table, and what was noted by places in the old one.
func (q *quality) catalog(c *catalog.Catalog) {
	place := func(i catalog.Index) catalog.Index {
		if x := q.cat.At(i); x != nil {
			if y := c.ByID(x.ID); y != nil {
				return y.Index
			}
		}
		return catalog.None
	}
	for _, s := range q.segments {
		s.service = place(s.service)
	}
	q.overflow.service = place(q.overflow.service)
	q.due = [catalog.MaxServices + 1]bool{}
	for _, v := range c.Services() {
		q.due[v.Index] = v.Answer == catalog.Answered
	}
	q.cat = c
}
