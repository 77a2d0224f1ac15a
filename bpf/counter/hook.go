package counter

// A Hook is where in the kernel the counter runs.
type Hook string

// Hooks.
const (
	// TCX sees what the interface received and what the host sends through it,
	// beside other programs (Linux 6.6).
	TCX Hook = "tcx"
	// Socket is a filter on a packet socket: both directions, on any kernel,
	// until the process ends. It copies headers and is slower.
	Socket Hook = "socket"
	// XDP runs in the driver, before the kernel has made a socket buffer of the
	// frame. It sees no sent packets, and an interface has room for one program.
	XDP Hook = "xdp"
	// XDPGeneric is XDP for drivers without it, after the driver.
	XDPGeneric Hook = "xdp-generic"
)

// Hooks are all hooks.
func Hooks() []Hook { return []Hook{TCX, Socket, XDP, XDPGeneric} }

// Egress reports whether the hook sees what the host sends.
func (h Hook) Egress() bool { return h == TCX || h == Socket }

// Unit says what the hook calls one packet.
func (h Hook) Unit() string {
	switch h {
	case XDP:
		return "a frame as the driver hands it over, before GRO"
	case XDPGeneric:
		return "a frame after the driver; TCP segments that the adapter merged (LRO) count as one"
	}
	return "a socket buffer: TCP segments merged on receipt (GRO) count as one, and what is sent counts before it is split (TSO)"
}

// packetPointers reports whether programs of the hook may read the packet in
// place; a socket filter has to copy.
func (h Hook) packetPointers() bool { return h != Socket }
func (h Hook) xdp() bool            { return h == XDP || h == XDPGeneric }
