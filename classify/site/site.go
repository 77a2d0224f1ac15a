// Package site holds what an operator can tell about the place: who is the
// rack, which networks are whose, and the thresholds of judgement. Everything
// has a default; nothing here is needed to analyze a capture.
package site

import (
	"net/netip"
	"slices"

	"github.com/pxescope/pxescope/classify/wire"
)

// A Site is the facts of one place. Empty lists mean "not told": the rules
// that need them stay silent.
type Site struct {
	Racks       []netip.Addr   // rack controllers or management nodes: DHCP, TFTP, HTTP boot
	Regions     []netip.Addr   // region controllers: API and metadata
	DHCPServers []netip.Addr   // the allow-list of DHCP servers; racks count as allowed
	NodeNets    []netip.Prefix // networks of the machines that boot
	AdminNets   []netip.Prefix // where administrators sit
	BMCNets     []netip.Prefix // baseboard management controllers
	Thresholds  Thresholds
	Profiles    []Profile // retry profiles, in the order of matching
}

// Default is a site of which nothing is known.
func Default() *Site {
	return &Site{Thresholds: DefaultThresholds(), Profiles: DefaultProfiles()}
}

// IsRack reports whether a is a rack controller.
func (s *Site) IsRack(a wire.Addr) bool { return slices.Contains(s.Racks, a.Netip()) }

// IsRegion reports whether a is a region controller.
func (s *Site) IsRegion(a wire.Addr) bool { return slices.Contains(s.Regions, a.Netip()) }

// HasDHCPAllowList reports whether the operator named the DHCP servers.
func (s *Site) HasDHCPAllowList() bool { return len(s.DHCPServers)+len(s.Racks) > 0 }

// IsDHCPServer reports whether a is in the allow-list.
func (s *Site) IsDHCPServer(a wire.Addr) bool {
	return slices.Contains(s.DHCPServers, a.Netip()) || s.IsRack(a)
}

// In reports whether a lies in one of nets.
func In(nets []netip.Prefix, a wire.Addr) bool {
	n := a.Netip()
	for _, p := range nets {
		if p.Contains(n) {
			return true
		}
	}
	return false
}
