package synth

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// Message types of DHCP, option 53.
const (
	DHCPDiscover = iota + 1
	DHCPOffer
	DHCPRequest
	DHCPDecline
	DHCPAck
	DHCPNak
	DHCPRelease
	DHCPInform
)

// An Opt is one DHCP option, or a sub-option of option 43.
type Opt struct {
	Code byte
	Data []byte
}

// OptText makes an option of text.
func OptText(code byte, s string) Opt { return Opt{code, []byte(s)} }

// OptBytes makes an option of bytes.
func OptBytes(code byte, b ...byte) Opt { return Opt{code, b} }

// OptU16 makes an option of a 16-bit number.
func OptU16(code byte, v uint16) Opt { return Opt{code, binary.BigEndian.AppendUint16(nil, v)} }

// OptU32 makes an option of a 32-bit number.
func OptU32(code byte, v uint32) Opt { return Opt{code, binary.BigEndian.AppendUint32(nil, v)} }

// OptAddr makes an option of IPv4 addresses.
func OptAddr(code byte, addrs ...string) Opt {
	o := Opt{Code: code, Data: []byte{}}
	for _, a := range addrs {
		b := ip4(a)
		o.Data = append(o.Data, b[:]...)
	}
	return o
}

// OptNested makes an option of sub-options, with an END.
func OptNested(code byte, subs ...Opt) Opt {
	return Opt{code, append(appendOpts(nil, subs), 255)}
}

func ip4(s string) [4]byte {
	if s == "" {
		return [4]byte{}
	}
	return netip.MustParseAddr(s).As4()
}

// appendOpts writes options; a value longer than 255 bytes is split, RFC 3396.
func appendOpts(b []byte, opts []Opt) []byte {
	for _, o := range opts {
		d := o.Data
		for {
			n := min(len(d), 255)
			b = append(append(b, o.Code, byte(n)), d[:n]...)
			if d = d[n:]; len(d) == 0 {
				break
			}
		}
	}
	return b
}

// A DHCP is a BOOTP or DHCP message with every byte in the scenario's hands.
type DHCP struct {
	Op           byte // 0: by Type, a request when there is none
	Type         byte // option 53, put first unless Options has its own; 0: none, BOOTP
	HType, HLen  byte // 0, 0: Ethernet, 6
	RawHLen      bool // HType and HLen are meant, even 0
	Hops         byte
	XID          uint32
	Secs, Flags  uint16
	MAC          [6]byte
	CIAddr       string // "": 0.0.0.0
	YIAddr       string
	SIAddr       string
	GIAddr       string
	SName, File  string
	Options      []Opt // in this order
	FileOptions  []Opt // put into file; the scenario adds option 52
	SNameOptions []Opt // put into sname; the scenario adds option 52
	NoCookie     bool  // nothing after the file field but Tail
	NoEnd        bool
	Pad          int    // pad with zeros to this length, 300 for BOOTP relays
	Tail         []byte // behind END, before padding
}

// Bytes is the UDP payload.
func (d DHCP) Bytes() []byte {
	b := make([]byte, 236, 320)
	b[0], b[1], b[2], b[3] = d.op(), d.HType, d.HLen, d.Hops
	if !d.RawHLen && d.HType == 0 && d.HLen == 0 {
		b[1], b[2] = 1, 6
	}
	binary.BigEndian.PutUint32(b[4:], d.XID)
	binary.BigEndian.PutUint16(b[8:], d.Secs)
	binary.BigEndian.PutUint16(b[10:], d.Flags)
	for i, a := range []string{d.CIAddr, d.YIAddr, d.SIAddr, d.GIAddr} {
		x := ip4(a)
		copy(b[12+4*i:], x[:])
	}
	copy(b[28:], d.MAC[:])
	copy(b[44:108], d.SName)
	copy(b[108:236], d.File)
	if d.FileOptions != nil {
		copy(b[108:236], append(appendOpts(nil, d.FileOptions), 255))
	}
	if d.SNameOptions != nil {
		copy(b[44:108], append(appendOpts(nil, d.SNameOptions), 255))
	}
	if !d.NoCookie {
		b = append(b, 0x63, 0x82, 0x53, 0x63)
		if d.Type != 0 && d.Opt(53) == nil {
			b = append(b, 53, 1, d.Type)
		}
		b = appendOpts(b, d.Options)
		if !d.NoEnd {
			b = append(b, 255)
		}
	}
	b = append(b, d.Tail...)
	for len(b) < d.Pad {
		b = append(b, 0)
	}
	return b
}

func (d DHCP) op() byte {
	switch {
	case d.Op != 0:
		return d.Op
	case d.Type == DHCPOffer || d.Type == DHCPAck || d.Type == DHCPNak:
		return 2
	}
	return 1
}

// Opt is the value of the first option with this code, or nil.
func (d DHCP) Opt(code byte) []byte {
	for _, o := range d.Options {
		if o.Code == code {
			return o.Data
		}
	}
	return nil
}

// With is d with options set: in place where d has the code, else at the end.
func (d DHCP) With(opts ...Opt) DHCP {
	d.Options = slices.Clone(d.Options)
	for _, o := range opts {
		i := slices.IndexFunc(d.Options, func(x Opt) bool { return x.Code == o.Code })
		if i >= 0 {
			d.Options[i] = o
		} else {
			d.Options = append(d.Options, o)
		}
	}
	return d
}

// Without is d without some options.
func (d DHCP) Without(codes ...byte) DHCP {
	d.Options = slices.DeleteFunc(slices.Clone(d.Options), func(o Opt) bool { return slices.Contains(codes, o.Code) })
	return d
}

// Broadcast is d as a client without an address sends it: 0.0.0.0:68 to
// 255.255.255.255:67.
func (d DHCP) Broadcast() []byte {
	return UDP(Host{MAC: d.MAC, IP: netip.IPv4Unspecified()}, Everyone, 68, 67, d.Bytes())
}

// Unicast is d as a frame between two hosts.
func (d DHCP) Unicast(src, dst Host, sport, dport uint16) []byte {
	return UDP(src, dst, sport, dport, d.Bytes())
}

// Relayed is d as a relay agent sends it on to a server, from port 67 to 67:
// giaddr is the agent's address and hops one more (RFC 1542 section 4.1.1).
func (d DHCP) Relayed(agent, server Host, giaddr string) []byte {
	d.GIAddr = giaddr
	d.Hops++
	return UDP(agent, server, 67, 67, d.Bytes())
}

// A DHCPClient is a kind of client: what its messages look like.
type DHCPClient struct {
	MAC     [6]byte
	Flags   uint16
	Options []Opt // of its DISCOVER, after 53
	// CodedSecs: secs is iPXE's counter, see Discover.
	CodedSecs bool
}

// Discover is a DISCOVER. For iPXE secs is what the scenario gives: 4, 8, 12
// for the first sends without an offer, 10, 14 with one.
func (c DHCPClient) Discover(xid uint32, secs uint16) DHCP {
	if c.CodedSecs && secs == 0 {
		secs = 4
	}
	return DHCP{Type: DHCPDiscover, XID: xid, Secs: secs, Flags: c.Flags, MAC: c.MAC, Options: slices.Clone(c.Options)}
}

// Request is a REQUEST in state SELECTING that takes offer.
func (c DHCPClient) Request(offer DHCP, secs uint16) DHCP {
	d := c.Discover(offer.XID, secs)
	d.Type = DHCPRequest
	d.Options = append([]Opt{OptAddr(50, offer.YIAddr), {54, offer.Opt(54)}}, d.Options...)
	return d
}

// Renew is a REQUEST in state RENEWING, to be sent unicast from addr.
func (c DHCPClient) Renew(xid uint32, addr string) DHCP {
	d := c.Discover(xid, 0)
	d.Type, d.CIAddr, d.Secs = DHCPRequest, addr, 0
	return d
}

// Reboot is a REQUEST in state INIT-REBOOT for the address addr.
func (c DHCPClient) Reboot(xid uint32, addr string) DHCP {
	d := c.Discover(xid, 0)
	d.Type, d.Secs = DHCPRequest, 0
	d.Options = append([]Opt{OptAddr(50, addr)}, d.Options...)
	return d
}

func guid(mac [6]byte) Opt {
	b := []byte{0, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0}
	return Opt{97, append(b, mac[:]...)}
}

func archClass(class string, arch uint16) Opt {
	d := func(n uint16) byte { return byte('0' + n%10) }
	undi := "003016"
	if arch == 0 {
		undi = "002001"
	}
	return OptText(60, class+":Arch:"+string([]byte{d(arch / 10000), d(arch / 1000), d(arch / 100), d(arch / 10), d(arch)})+":UNDI:"+undi)
}

// PXERom is a BIOS PXE ROM.
func PXERom(mac string) DHCPClient {
	m := MAC(mac)
	return DHCPClient{MAC: m, Flags: 0x8000, Options: []Opt{
		OptBytes(55, 1, 3, 43, 54, 60, 67, 128, 129, 130, 131, 132, 133, 134, 135),
		OptU16(57, 1260), guid(m), OptU16(93, 0), OptBytes(94, 1, 2, 1), archClass("PXEClient", 0),
	}}
}

// UEFI is UEFI firmware that boots over PXE: arch 7 is x64.
func UEFI(mac string, arch uint16) DHCPClient {
	m := MAC(mac)
	return DHCPClient{MAC: m, Flags: 0x8000, Options: []Opt{
		OptU16(57, 0x05c0),
		OptBytes(55, 1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135),
		guid(m), OptBytes(94, 1, 3, 16), OptU16(93, arch), archClass("PXEClient", arch),
	}}
}

// UEFIHTTP is UEFI firmware that boots over HTTP: arch 16 is x64.
func UEFIHTTP(mac string, arch uint16) DHCPClient {
	c := UEFI(mac, arch)
	c.Options[len(c.Options)-1] = archClass("HTTPClient", arch)
	return c
}

// IPXE is iPXE: coded secs and its user class as bare text.
func IPXE(mac string, arch uint16) DHCPClient {
	m := MAC(mac)
	return DHCPClient{MAC: m, CodedSecs: true, Options: []Opt{
		OptU16(57, 1472), OptU16(93, arch), OptBytes(94, 1, 3, 10), archClass("PXEClient", arch), OptText(77, "iPXE"),
		OptBytes(55, 1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135, 175, 203),
		OptBytes(175, 0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0, 0x18, 1, 1, 0x19, 1, 1, 0xeb, 3, 1, 21, 1),
		{61, append([]byte{1}, m[:]...)}, guid(m),
	}}
}

// Udhcpc is busybox's client, as installers' initrds use it.
func Udhcpc(mac string) DHCPClient {
	m := MAC(mac)
	return DHCPClient{MAC: m, Options: []Opt{
		{61, append([]byte{1}, m[:]...)}, OptU16(57, 576), OptBytes(55, 1, 3, 6, 12, 15, 28, 42), OptText(60, "udhcp 1.36.1"),
	}}
}

// Dhclient is ISC's client.
func Dhclient(mac string) DHCPClient {
	return DHCPClient{MAC: MAC(mac), Options: []Opt{
		OptText(12, "node"), OptBytes(55, 1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42),
	}}
}

// Networkd is systemd-networkd's client, with a DUID as client id.
func Networkd(mac string) DHCPClient {
	m := MAC(mac)
	id := append([]byte{0xff, 1, 2, 3, 4, 0, 2, 0, 0, 0xab, 0x11}, m[:]...)
	return DHCPClient{MAC: m, Options: []Opt{{61, id}, OptBytes(55, 1, 3, 12, 15, 6, 33, 121, 42, 119), OptU16(57, 1472)}}
}

// MAASProbe is MAAS's search for DHCP servers.
func MAASProbe(mac string) DHCPClient {
	return DHCPClient{MAC: MAC(mac), Options: []Opt{{61, append([]byte{0}, "MAAS-"+mac...)}, OptBytes(55, 1, 3, 6)}}
}

// A ServerShape is what gives a DHCP server's program away.
type ServerShape struct {
	IP      IP  // TOS, TTL, DF of its packets
	Pad     int // its messages are at least this long
	Order   []byte
	Rest    rest // where options not in Order go
	T1T2    bool // sends 58 and 59 unasked
	SIAddr  bool // siaddr is its own address when no next server is set
	NUL     bool // 66 and 67 end with a NUL
	InField bool // the boot file goes into the file field
	Always  bool // always broadcasts
}

type rest uint8

const (
	restAscending rest = iota
	restAsked          // by option 55 of the client, only what it asked for
)

// Shapes of the usual servers, measured in the lab where the catalogue says so.
var (
	Dnsmasq = ServerShape{IP: IP{TOS: 0xc0, TTL: 64}, Pad: 300, T1T2: true, SIAddr: true, NUL: true,
		Order: []byte{53, 54, 51, 66, 67, 58, 59, 1, 28, 3, 6, 15, 12}}
	ISCDhcpd = ServerShape{IP: IP{TOS: 0x10, TTL: 128}, Pad: 300, InField: true, Rest: restAsked, Order: []byte{53, 54, 51}}
	Kea      = ServerShape{IP: IP{TOS: 0x10, TTL: 128, DF: true}, InField: true, Order: []byte{53}}
	Udhcpd   = ServerShape{IP: IP{TTL: 64}, Pad: 300, InField: true, Always: true, Order: []byte{53, 54, 51}}
	Windows  = ServerShape{IP: IP{TTL: 128}, Pad: 300, T1T2: true, Order: []byte{53, 1, 58, 59, 51, 54}}
	GoServer = ServerShape{IP: IP{TTL: 64}, InField: true}
)

// A DHCPServer is a server: its shape and what it gives.
type DHCPServer struct {
	Host
	Shape  ServerShape
	ID     string // option 54; "": its address
	Mask   string // "": 255.255.255.0
	Router string // "": none
	DNS    []string
	Domain string
	Lease  uint32 // seconds; 0: 3600
	File   string
	Next   string // siaddr
	Extra  []Opt
	Tags   []uint16
}

// LibvirtServer is the dnsmasq of libvirt's default network on a host with
// this bridge MAC.
func LibvirtServer(mac string) DHCPServer {
	return DHCPServer{Host: NewHost(mac, "192.168.122.1"), Shape: Dnsmasq, Router: "192.168.122.1", DNS: []string{"192.168.122.1"}}
}

// Offer is the OFFER of addr to a DISCOVER.
func (s DHCPServer) Offer(to DHCP, addr string) DHCP { return s.reply(DHCPOffer, to, addr) }

// Ack is the ACK of addr to a REQUEST, or to a DISCOVER with rapid commit.
func (s DHCPServer) Ack(to DHCP, addr string) DHCP { return s.reply(DHCPAck, to, addr) }

// Nak is the NAK to a REQUEST with option 56 as its reason, if any.
func (s DHCPServer) Nak(to DHCP, reason string) DHCP {
	d := DHCP{Type: DHCPNak, XID: to.XID, Flags: to.Flags | 0x8000, MAC: to.MAC, GIAddr: to.GIAddr, Pad: s.Shape.Pad, Options: []Opt{OptAddr(54, s.id())}}
	if reason != "" {
		d.Options = append(d.Options, OptText(56, reason))
	}
	return d
}

// ProxyOffer is an OFFER without an address: option 60 PXEClient and option 43.
func (s DHCPServer) ProxyOffer(to DHCP, subs ...Opt) DHCP {
	d := DHCP{Type: DHCPOffer, XID: to.XID, Secs: 0, Flags: to.Flags, MAC: to.MAC, GIAddr: to.GIAddr, SIAddr: s.Next, File: s.File, Pad: s.Shape.Pad,
		Options: []Opt{OptAddr(54, s.id()), OptText(60, "PXEClient")}}
	if id := to.Opt(97); id != nil {
		d.Options = append(d.Options, Opt{97, id})
	}
	if len(subs) > 0 {
		d.Options = append(d.Options, OptNested(43, subs...))
	}
	return d
}

func (s DHCPServer) id() string {
	if s.ID != "" {
		return s.ID
	}
	return s.IP.String()
}

func (s DHCPServer) reply(typ byte, to DHCP, addr string) DHCP {
	d := DHCP{Type: typ, XID: to.XID, Flags: to.Flags, MAC: to.MAC, CIAddr: to.CIAddr, YIAddr: addr, SIAddr: s.Next, GIAddr: to.GIAddr, Pad: s.Shape.Pad}
	if d.SIAddr == "" && s.Shape.SIAddr {
		d.SIAddr = s.IP.String()
	}
	mask, lease := cmp.Or(s.Mask, "255.255.255.0"), cmp.Or(s.Lease, 3600)
	have := []Opt{OptBytes(53, typ), OptAddr(54, s.id()), OptU32(51, lease), OptAddr(1, mask), OptAddr(28, broadcast(addr, mask))}
	if s.Shape.T1T2 {
		have = append(have, OptU32(58, lease/2), OptU32(59, uint32(uint64(lease)*7/8)))
	}
	if s.Router != "" {
		have = append(have, OptAddr(3, s.Router))
	}
	if len(s.DNS) > 0 {
		have = append(have, OptAddr(6, s.DNS...))
	}
	if s.Domain != "" {
		have = append(have, OptText(15, s.Domain))
	}
	switch {
	case s.File == "":
	case s.Shape.InField:
		d.File = s.File
	case s.Shape.NUL:
		have = append(have, OptText(67, s.File+"\x00"))
	default:
		have = append(have, OptText(67, s.File))
	}
	d.Options = s.Shape.arrange(append(have, s.Extra...), to.Opt(55))
	return d
}

// arrange puts options into the shape's order.
func (sh ServerShape) arrange(have []Opt, asked []byte) []Opt {
	rank := func(o Opt) int {
		if i := bytes.IndexByte(sh.Order, o.Code); i >= 0 {
			return i
		}
		if i := bytes.IndexByte(asked, o.Code); sh.Rest == restAsked && i >= 0 {
			return 300 + i
		}
		if o.Code == 82 {
			return 700 // relay agent information stands last, RFC 3046 section 2.1
		}
		return 400 + int(o.Code)
	}
	if sh.Rest == restAsked {
		have = slices.DeleteFunc(have, func(o Opt) bool {
			return o.Code < 80 && !bytes.Contains(sh.Order, []byte{o.Code}) && !bytes.Contains(asked, []byte{o.Code})
		})
	}
	slices.SortStableFunc(have, func(a, b Opt) int { return rank(a) - rank(b) })
	return have
}

func broadcast(addr, mask string) string {
	a, m := ip4(addr), ip4(mask)
	for i := range a {
		a[i] |= ^m[i]
	}
	return netip.AddrFrom4(a).String()
}

// Frame is a reply as s sends it, to where RFC 2131 section 4.1 says: the relay,
// the client's address, everyone, or the new address at the client's MAC.
func (s DHCPServer) Frame(d DHCP) []byte {
	o := s.Shape.IP
	o.Tags = s.Tags
	client := Host{MAC: d.MAC}
	switch {
	case d.GIAddr != "":
		client.IP = netip.MustParseAddr(d.GIAddr)
		client.MAC = [6]byte{0x02, 0, 0, 0, 0, 0xfe} // some router
		return o.UDP(s.Host, client, 67, 67, d.Bytes())
	case d.CIAddr != "" && d.Type != DHCPNak:
		client.IP = netip.MustParseAddr(d.CIAddr)
	case d.Flags&0x8000 != 0 || s.Shape.Always || d.YIAddr == "":
		client = Everyone
	default:
		client.IP = netip.MustParseAddr(d.YIAddr)
	}
	return o.UDP(s.Host, client, 67, 68, d.Bytes())
}
