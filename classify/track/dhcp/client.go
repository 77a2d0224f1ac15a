package dhcp

import (
	"bytes"
	"strings"

	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// loaderClasses are the user classes of programs that were themselves loaded
// over the network: iPXE, its ancestor, and the stacks' own builds of it.
var loaderClasses = [][]byte{[]byte("ipxe"), []byte("gpxe"), []byte("xnba"), []byte("tinkerbell"), []byte("warewulf")}

// ClientKind tells from a request who sent it. A message whose options were
// cut is ClientOther unless what is left says more.
func ClientKind(m Message, o *Options) track.ClientKind {
	class := o.Get(OptVendorClass)
	switch {
	case ClientProbe(m, o) != "":
		return track.ClientProbe
	case !o.Has(OptMessageType):
		if o.Cut() {
			return track.ClientOther
		}
		return track.ClientBOOTP
	case isLoader(o):
		return track.ClientIPXE
	case bytes.HasPrefix(class, []byte("PXEClient")):
		return track.ClientPXE
	case bytes.HasPrefix(class, []byte("HTTPClient")):
		return track.ClientHTTP
	}
	return track.ClientOther
}

// isLoader reports whether a request comes from iPXE or its kin.
func isLoader(o *Options) bool {
	if hasUserClass(o.Get(OptUserClass)) {
		return true
	}
	return isIPXEEncapsulated(o.Get(OptIPXE))
}

// hasUserClass looks for a loader's name in option 77, both as iPXE writes it
// (the bare text) and as RFC 3004 section 4 does (a list of length and text).
func hasUserClass(v []byte) bool {
	if startsWithLoader(v) {
		return true
	}
	for len(v) > 1 {
		n := int(v[0])
		if n == 0 || n >= len(v) {
			return false
		}
		if startsWithLoader(v[1 : 1+n]) {
			return true
		}
		v = v[1+n:]
	}
	return false
}

func startsWithLoader(v []byte) bool {
	for _, name := range loaderClasses {
		if len(v) >= len(name) && bytes.EqualFold(v[:len(name)], name) {
			return true
		}
	}
	return false
}

// isIPXEEncapsulated reports whether v is iPXE's encapsulated option 175: other
// vendors use the code too, so it must be a sound list of sub-options.
func isIPXEEncapsulated(v []byte) bool {
	if len(v) < 2 {
		return false
	}
	for len(v) > 0 && v[0] != OptEnd {
		if len(v) < 2 || len(v) < 2+int(v[1]) {
			return false
		}
		v = v[2+int(v[1]):]
	}
	return true
}

// Marks of programs that look for DHCP servers and never take an address.
const xcatProbeXID = 0x3c3d3e3f

var nmapProbeMAC = wire.MAC{0xde, 0xad, 0xc0, 0xde, 0xca, 0xfe}

// ClientProbe names the program when a request is its search for DHCP servers:
// maas, xcat or nmap; empty otherwise. Silence towards these is no fault.
func ClientProbe(m Message, o *Options) string {
	id := o.Get(OptClientID)
	switch {
	case len(id) > 6 && id[0] == 0 && string(id[1:6]) == "MAAS-":
		return "maas"
	case m.XID() == xcatProbeXID:
		return "xcat"
	case m.CHAddr() == nmapProbeMAC:
		return "nmap"
	}
	return ""
}

// UserClass is option 77 as text, from either form; several classes of the RFC
// form are joined with a comma. It is as sent: hostile.
func UserClass(o *Options) string {
	v := o.Get(OptUserClass)
	var classes []string
	for r := v; len(r) > 0; {
		n := int(r[0])
		if n == 0 || n >= len(r) {
			return strings.TrimRight(string(v), "\x00") // not a list: the bare text
		}
		classes = append(classes, string(r[1:1+n]))
		r = r[1+n:]
	}
	return strings.Join(classes, ",")
}

// IPXESecs decodes the secs field of iPXE: the number of sends so far, whether
// it holds an offer, and whether it holds a proxy's (net/udp/dhcp.c). A
// DISCOVER thus tells, from the client's side alone, whether an OFFER arrived.
//
// ok is false for other clients and for values that the code cannot have:
// builds of before 2011 send seconds, which a single message does not always
// give away. So a caller that saw an earlier DISCOVER of the same boot with
// secs 0 must not use the result.
func IPXESecs(m Message, o *Options) (count int, hasOffer, hasProxy, ok bool) {
	secs := m.Secs()
	count, hasOffer, hasProxy = int(secs>>2), secs&2 != 0, secs&1 != 0
	switch {
	case !isLoader(o), count == 0, count > 64:
		return 0, false, false, false
	case o.Type() == Discover && count == 1 && (hasOffer || hasProxy):
		return 0, false, false, false // nothing can have come before the first send
	}
	return count, hasOffer, hasProxy, true
}
