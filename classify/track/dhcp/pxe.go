package dhcp

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/classify/wire"
)

// PXE is option 43 of a boot-aware server or client (PXE specification 2.1,
// table 2-1). It means this only beside option 60 "PXEClient".
type PXE struct {
	HasControl bool
	Control    DiscoveryControl // sub-option 6
	Multicast  wire.Addr        // sub-option 7
	Servers    []PXEServer      // sub-option 8
	Menu       []PXEItem        // sub-option 9
	HasPrompt  bool
	Timeout    byte   // sub-option 10, seconds; 0 boots at once, 255 waits for a key
	Prompt     string // as sent
	HasItem    bool
	Item       uint16 // sub-option 71: the boot item asked for or given
	Layer      uint16 // its layer; bit 15 asks for credentials
}

// A PXEServer is one entry of the boot server list: a type of server and its
// addresses, none when any answer is acceptable.
type PXEServer struct {
	Type  uint16
	Addrs []wire.Addr
}

// A PXEItem is one entry of the boot menu.
type PXEItem struct {
	Type uint16
	Text string // as sent
}

// DiscoveryControl is sub-option 6.
type DiscoveryControl byte

// Bits of DiscoveryControl.
const (
	NoBroadcast DiscoveryControl = 1 << iota
	NoMulticast
	OnlyListed  // accept only the servers of sub-option 8
	UseBootFile // no prompt, no menu: take the offer's boot file
)

// Sub-option codes.
const (
	pxeMTFTPAddr   = 1
	pxeMTFTPDelay  = 5
	pxeControl     = 6
	pxeMulticast   = 7
	pxeServers     = 8
	pxeMenu        = 9
	pxePrompt      = 10
	pxeMcastAlloc  = 11
	pxeCredentials = 12
	pxeItem        = 71
	pxeEnd         = 255
)

// ParsePXE reads option 43. ok is false when b is not a sequence of
// sub-options or none of them is PXE's: another vendor's option.
func ParsePXE(b []byte) (p PXE, ok bool) {
	for len(b) > 0 {
		code := b[0]
		if code == OptPad {
			b = b[1:]
			continue
		}
		if code == pxeEnd {
			return p, ok
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return PXE{}, false
		}
		v := b[2 : 2+int(b[1])]
		b = b[2+int(b[1]):]
		ok = p.set(code, v) || ok
	}
	return p, ok
}

// set takes one sub-option and reports whether it is one of PXE's and sound.
func (p *PXE) set(code byte, v []byte) bool {
	switch code {
	case pxeControl:
		if len(v) != 1 {
			return false
		}
		p.HasControl, p.Control = true, DiscoveryControl(v[0])
	case pxeMulticast:
		if len(v) != 4 {
			return false
		}
		p.Multicast = wire.Addr4([4]byte(v))
	case pxeServers:
		return p.setServers(v)
	case pxeMenu:
		return p.setMenu(v)
	case pxePrompt:
		if len(v) < 1 {
			return false
		}
		p.HasPrompt, p.Timeout, p.Prompt = true, v[0], string(v[1:])
	case pxeItem:
		if len(v) < 4 {
			return false
		}
		p.HasItem = true
		p.Item, p.Layer = binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:])
	default:
		return code >= pxeMTFTPAddr && code <= pxeMTFTPDelay || code == pxeMcastAlloc || code == pxeCredentials
	}
	return true
}

func (p *PXE) setServers(v []byte) bool {
	for len(v) > 0 {
		if len(v) < 3 || len(v) < 3+4*int(v[2]) {
			return len(p.Servers) > 0
		}
		s := PXEServer{Type: binary.BigEndian.Uint16(v)}
		n := 4 * int(v[2])
		for a := v[3 : 3+n]; len(a) > 0; a = a[4:] {
			s.Addrs = append(s.Addrs, wire.Addr4([4]byte(a[:4])))
		}
		p.Servers = append(p.Servers, s)
		v = v[3+n:]
	}
	return true
}

func (p *PXE) setMenu(v []byte) bool {
	for len(v) > 0 {
		if len(v) < 3 || len(v) < 3+int(v[2]) {
			return len(p.Menu) > 0
		}
		n := int(v[2])
		p.Menu = append(p.Menu, PXEItem{Type: binary.BigEndian.Uint16(v), Text: string(v[3 : 3+n])})
		v = v[3+n:]
	}
	return true
}
