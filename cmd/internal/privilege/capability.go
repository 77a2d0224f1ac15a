package privilege

import "strconv"

// A Capability is one of capabilities(7), by its number.
type Capability uint8

// What captures need: the socket; the counters and promiscuous mode of some
// drivers, and filters at tcx and XDP; and the filter in eBPF.
const (
	NetAdmin Capability = 12
	NetRaw   Capability = 13
	Perfmon  Capability = 38
	BPF      Capability = 39
)

var capabilityNames = map[Capability]string{
	NetAdmin: "CAP_NET_ADMIN", NetRaw: "CAP_NET_RAW", Perfmon: "CAP_PERFMON", BPF: "CAP_BPF",
}

// String is the name, as CAP_NET_RAW.
func (c Capability) String() string {
	if s := capabilityNames[c]; s != "" {
		return s
	}
	return "capability " + strconv.Itoa(int(c))
}
