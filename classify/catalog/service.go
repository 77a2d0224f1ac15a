package catalog

import (
	"slices"
	"strconv"
)

// A Service is one kind of traffic. Its ID never changes: people put it in
// filters and tickets.
type Service struct {
	Index Index  `json:"-"`
	ID    string `json:"id"`   // a slug: tftp
	Name  string `json:"name"` // what people call it
	Phase Phase  `json:"phase"`
	// Also are further phases that need the service.
	Also      []Phase    `json:"also,omitempty"`
	Platforms []Platform `json:"platforms"`
	// Ports are the claims on UDP and TCP ports; empty for what has no fixed
	// port (a learnt RPC program) and what has no ports at all (ARP).
	Ports []Port `json:"ports,omitempty"`
	// ClientPorts are the source ports that clients bind, where that tells
	// something: 1-1023 for rsh and NFS. Zero when any port will do.
	ClientPorts Range `json:"client_ports,omitzero"`
	// Programs are ONC RPC program numbers whose port portmap tells.
	Programs []uint32 `json:"programs,omitempty"`
	// Frames says how traffic without ports is recognized.
	Frames []FrameKind `json:"frames,omitempty"`
	// From starts a conversation, To takes it. A service that both sides start
	// has both roles on both sides.
	From        []Role `json:"from,omitempty"`
	To          []Role `json:"to,omitempty"`
	Answer      Answer `json:"answer"`
	ServerFirst bool   `json:"server_first,omitempty"` // the server speaks first, as rsync does
	Note        string `json:"note,omitempty"`
	Rows        []Row  `json:"rows"`

	programGeneration int // as Port.generation, for Programs
}

// In reports whether the service belongs to a phase.
func (s *Service) In(p Phase) bool { return s.Phase == p || slices.Contains(s.Also, p) }

// On reports whether a platform uses the service.
func (s *Service) On(p Platform) bool {
	return p == AllPlatforms || p == "" || slices.Contains(s.Platforms, p) || slices.Contains(s.Platforms, Generic)
}

// Claim is the service's claim on a port, and whether it has one. Check its
// Use before calling silence a fault: a Listed port is in a document and not
// on the wire.
func (s *Service) Claim(proto uint8, port uint16) (Port, bool) {
	for _, p := range s.Ports {
		if uint8(p.Proto) == proto && p.First <= port && port <= p.Last {
			return p, true
		}
	}
	return Port{}, false
}

// A Phase is when a service is needed.
type Phase string

// Phases. Provisioning is MAAS's core and what xCAT needs to deploy.
const (
	Provisioning   Phase = "provisioning"
	Day2           Phase = "day2"
	Power          Phase = "power"
	Virtualization Phase = "virtualization"
	Enterprise     Phase = "enterprise"
	Monitoring     Phase = "monitoring"
)

// Phases are all phases in the order in which people meet them.
func Phases() []Phase {
	return []Phase{Provisioning, Day2, Power, Virtualization, Enterprise, Monitoring}
}

// A Platform is a provisioning system.
type Platform string

// Platforms. Generic is what network boot needs under any of them;
// AllPlatforms selects and is no platform of a service.
const (
	MAAS         Platform = "maas"
	XCAT         Platform = "xcat"
	Generic      Platform = "generic"
	Ironic       Platform = "ironic"
	Cobbler      Platform = "cobbler"
	Foreman      Platform = "foreman"
	Tinkerbell   Platform = "tinkerbell"
	Warewulf     Platform = "warewulf"
	AllPlatforms Platform = "all"
)

// Platforms are the platforms that services of c name, without Generic, sorted.
func (c *Catalog) Platforms() []Platform {
	var out []Platform
	for _, s := range c.services {
		for _, p := range s.Platforms {
			if p != Generic && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out
}

// A Role is a part that a machine plays.
type Role string

// Roles. Rack stands for the machine that boots the nodes: MAAS's rack
// controller, xCAT's management or service node.
const (
	NoRole    Role = "" // not known
	Node      Role = "node"
	Rack      Role = "rack"
	Region    Role = "region"
	BMC       Role = "bmc"
	Admin     Role = "admin"
	Host      Role = "host"      // carries virtual machines
	Relay     Role = "relay"     // forwards DHCP
	Proxy     Role = "proxy"     // an HTTP proxy beside the rack's
	Mirror    Role = "mirror"    // package archive, snap store: the internet
	TimeSrv   Role = "ntp"       // time server
	LogSrv    Role = "log"       // log collector
	Directory Role = "directory" // LDAP, Kerberos
	Registry  Role = "registry"  // of artifacts
	Device    Role = "device"    // switch, chassis, PDU
)

// Roles are all roles.
func Roles() []Role {
	return []Role{Node, Rack, Region, BMC, Admin, Host, Relay, Proxy, Mirror, TimeSrv, LogSrv, Directory, Registry, Device}
}

// An Answer says whether silence after a request is a fault.
type Answer string

// Answers.
const (
	Answered  Answer = "yes"
	ByMessage Answer = "by-message" // some messages have none: DHCPRELEASE, an SNMP trap
	Silent    Answer = "no"         // never, as syslog over UDP
)

// A Proto is an IP protocol number: UDP or TCP.
type Proto uint8

// Protocols with ports (IANA protocol-numbers).
const (
	TCP Proto = 6
	UDP Proto = 17
)

// String is "tcp" or "udp".
func (p Proto) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	}
	return strconv.Itoa(int(p))
}

// MarshalText implements encoding.TextMarshaler.
func (p Proto) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// A Range is a run of ports, both ends included.
type Range struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// Contains reports whether p lies in r.
func (r Range) Contains(p uint16) bool { return r != Range{} && r.First <= p && p <= r.Last }

// String is "69" or "5250-5259", empty for the zero Range.
func (r Range) String() string {
	switch {
	case r == Range{}:
		return ""
	case r.First == r.Last:
		return strconv.Itoa(int(r.First))
	}
	return strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))
}

func (r Range) overlaps(o Range) bool { return r.First <= o.Last && o.First <= r.Last }

// Reserved are the ports that only a privileged program may bind.
var Reserved = Range{1, 1023}

// A Port is a service's claim on ports of a protocol.
type Port struct {
	Proto Proto `json:"proto"`
	Range
	Use Use `json:"use"`

	generation int // 0 built in, then one more for every Load; later claims win
}

// String is "tcp/5250-5259".
func (p Port) String() string { return p.Proto.String() + "/" + p.Range.String() }

// A Use says what a claim on a port is worth.
type Use string

// Uses of a port.
const (
	// Server: the server listens there.
	Server Use = "server"
	// Client: the client listens there, as on DHCP's 68. A packet to it comes
	// from the server.
	Client Use = "client"
	// Listed: a document lists the port for firewalls; on the wire the service
	// does not use it. Never call silence there a fault, leave it out of filters.
	Listed Use = "listed"
	// Shared: another service is the owner of the port in Lookup; Refine can
	// tell the two apart.
	Shared Use = "shared"
)

// A FrameKind recognizes traffic without ports; only one of the three is set.
type FrameKind struct {
	EtherType uint16    `json:"ethertype,omitempty"`
	LLC       uint8     `json:"llc,omitempty"` // destination SAP of an IEEE 802.2 frame
	ICMP      ICMPTypes `json:"icmp,omitzero"`
}

// ICMPTypes are message types of ICMPv4 or ICMPv6.
type ICMPTypes struct {
	Proto uint8 `json:"proto"` // 1 or 58
	First uint8 `json:"first"`
	Last  uint8 `json:"last"`
}

func tcp(port uint16) Port        { return tcpRange(port, port) }
func udp(port uint16) Port        { return Port{Proto: UDP, Range: Range{port, port}, Use: Server} }
func tcpRange(a, b uint16) Port   { return Port{Proto: TCP, Range: Range{a, b}, Use: Server} }
func (p Port) as(u Use) Port      { p.Use = u; return p }
func on(p ...Platform) []Platform { return p }
func roles(r ...Role) []Role      { return r }
