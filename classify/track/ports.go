package track

// A PortSet has a bit for each port: 8 KiB, which stay near the processor where
// a table of what is said of each port does not.
type PortSet [1 << 16 / 64]uint64

// Has reports whether p is in s.
func (s *PortSet) Has(p uint16) bool { return s[p>>6]>>(p&63)&1 != 0 }

// Add puts p into s.
func (s *PortSet) Add(p uint16) { s[p>>6] |= 1 << (p & 63) }

// IsDHCPPort reports whether p is a UDP port of DHCP: the server's, the client's
// (RFC 2131 section 4.1) or that of PXE boot servers (PXE 2.1 section 2.2.3).
func IsDHCPPort(p uint16) bool { return p == 67 || p == 68 || p == 4011 }
