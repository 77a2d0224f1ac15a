package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

const wholeSite = `
rack: 10.0.0.2
region: 10.9.0.3
node_net: 10.0.0.0/24
admin_net: 10.5.0.0/24
bmc_net: 10.4.0.0/24
`

var (
	visitor = synth.NewHost("00:00:0c:00:00:01", "198.51.100.6")
	admin   = synth.NewHost("00:00:0c:00:00:01", "10.5.0.5")
	region  = synth.NewHost("00:25:90:00:00:03", "10.9.0.3")
)

func siteRows() []row {
	return []row{
		{rule: "exposed-service", fires: exposedSSH, site: wholeSite, server: nodeAddr,
			cut96: []string{"warning exposed-service"},
			normal: []lookalike{
				{name: "from an admin network", tell: func(s *story) { s.Dial(0, admin, 40000, node, 22).Open().Close(false); s.tick(60) }},
				{name: "an attempt that is refused", tell: func(s *story) { s.Dial(0, visitor, 40000, node, 22).Refused(); s.tick(60) }},
				{name: "SSH to the internet", tell: func(s *story) { s.Dial(0, node, 40000, visitor, 22).Open().Close(false); s.tick(60) }},
			}},
		{rule: "reversed-direction", fires: reversedRegion, site: wholeSite, node: "10.9.0.3", server: nodeAddr,
			cut96: []string{"warning reversed-direction"},
			normal: []lookalike{
				{name: "the node asks the region", tell: func(s *story) { s.Dial(0, node, 40000, region, 5240).Open().Close(false); s.tick(60) }},
				{name: "xCAT calls its node back on 3001", tell: func(s *story) { s.Dial(0, rack.Host, 40000, node, 3001).Open().Close(false); s.tick(60) }},
				{name: "HTTP any way round", tell: func(s *story) { s.Dial(0, region, 40000, node, 80).Open().Close(false); s.tick(60) }},
			}},
	}
}

// exposedSSH: a node's SSH answers somebody from the internet.
func exposedSSH(s *story) {
	v := s.Dial(0, visitor, 40000, node, 22).SYN()
	s.proof(func() { v.SYNACK() })
	v.Seq[0]++
	v.Seq[1]++
	v.ACK(false).Close(false)
	s.tick(60)
}

// reversedRegion: the region dials a node's port 5240: the roles that were told
// are wrong, or the node runs a region's service.
func reversedRegion(s *story) {
	v := s.Dial(0, region, 40000, node, 5240).SYN()
	s.proof(func() { v.SYNACK() })
	v.Seq[0]++
	v.Seq[1]++
	v.ACK(false).Close(false)
	s.tick(60)
}
