package dhcp

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// File is the boot file: option 67, else the file field unless it holds
// options. The text ends at the first NUL and is otherwise as sent: hostile.
func File(m Message, o *Options) string {
	return string(fileName(m, o))
}

func fileName(m Message, o *Options) []byte {
	return name(m, o, OptBootFile, offFile, offCookie, overloadFile)
}

// ServerName is option 66, else the sname field unless it holds options.
func ServerName(m Message, o *Options) string {
	return string(name(m, o, OptTFTPServerName, offSName, offFile, overloadSName))
}

// name prefers the option. When options were cut, an overload may be among
// them, so the field cannot be trusted.
func name(m Message, o *Options, code byte, from, to int, bit byte) []byte {
	v := o.Get(code)
	if len(v) == 0 {
		if o.overload&bit != 0 || o.cut || len(m) < to {
			return nil
		}
		v = m[from:to]
	}
	if i := bytes.IndexByte(v, 0); i >= 0 {
		v = v[:i]
	}
	return v
}

// NewLease gathers what a message settles. Of a request it holds what the
// client says of itself, of a reply what the server gives; Arch is -1 where
// option 93 is absent.
func NewLease(f *wire.Frame, m Message, o *Options) *track.Lease {
	l := &track.Lease{
		MAC: m.CHAddr(), Addr: known(m.YIAddr()), Server: o.Addr(OptServerID), Relay: known(m.GIAddr()),
		NextServer: known(m.SIAddr()), ServerName: ServerName(m, o), File: File(m, o),
		Mask: o.Addr(OptMask), Routers: o.Addrs(OptRouters, nil), DNS: o.Addrs(OptDNS, nil),
		Arch: -1, Hostname: o.String(OptHostName),
	}
	l.LeaseTime, _ = o.Uint32(OptLeaseTime)
	if a, ok := o.Uint16(OptClientArch); ok {
		l.Arch = int(a)
	}
	if m.Op() == BootRequest {
		l.Kind, l.Class, l.UserClass = ClientKind(m, o), o.String(OptVendorClass), UserClass(o)
		return l
	}
	l.ServerMAC = f.SrcMAC
	l.BootServers = bootServers(m, o)
	l.BootInfo = hasBootInfo(m, o)
	return l
}

// hasBootInfo reports whether a reply gives a client something to boot: a file,
// a word from a boot-aware server that there is more on port 4011, petitboot's
// configuration, or a disk on the network.
func hasBootInfo(m Message, o *Options) bool {
	return len(fileName(m, o)) > 0 || bootAware(o) || o.Has(OptPXELinuxConfig) || isSANPath(o.Get(OptRootPath))
}

// known turns 0.0.0.0 into no address.
func known(a wire.Addr) wire.Addr {
	if a.IsZero() {
		return wire.Addr{}
	}
	return a
}

// bootAware reports whether a reply carries option 60 "PXEClient": the server
// then has more to say on port 4011 even when it names no file.
func bootAware(o *Options) bool { return bytes.HasPrefix(o.Get(OptVendorClass), []byte("PXEClient")) }

// bootServers lists where the file may be fetched from, in the order in which
// most clients choose: the boot server list of option 43, option 150, option
// 66 when it is an address, siaddr, and the DHCP server itself.
func bootServers(m Message, o *Options) []wire.Addr {
	var all []wire.Addr
	add := func(a wire.Addr) {
		if !a.IsZero() && !a.IsMulticast() && !slices.Contains(all, a) && len(all) < maxBootServers {
			all = append(all, a)
		}
	}
	if bootAware(o) { // else option 43 is another vendor's
		pxe, _ := ParsePXE(o.Get(OptVendorSpecific))
		for _, s := range pxe.Servers {
			for _, a := range s.Addrs {
				add(a)
			}
		}
	}
	// Option 150 is a list of addresses only when its length says so: old
	// Etherboot put encapsulated options there.
	if v := o.Get(OptTFTPServers); len(v)%4 == 0 {
		for _, a := range o.Addrs(OptTFTPServers, nil) {
			add(a)
		}
	}
	if a, err := netip.ParseAddr(ServerName(m, o)); err == nil && a.Is4() {
		add(wire.AddrFrom(a))
	}
	add(m.SIAddr())
	add(o.Addr(OptServerID))
	return all
}

// maxBootServers bounds the candidates of one lease; more in a packet is abuse.
const maxBootServers = 16

// sanSchemes are the URIs of option 17 that iPXE boots a disk from.
var sanSchemes = [...]string{"iscsi:", "aoe:", "ib_srp:", "fcp:", "http:", "https:"}

func isSANPath(v []byte) bool {
	for _, scheme := range sanSchemes {
		if len(v) > len(scheme) && bytes.EqualFold(v[:len(scheme)], []byte(scheme)) {
			return true
		}
	}
	return false
}
