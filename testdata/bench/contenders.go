//go:build linux

package main

// provisioning is the filter that tcpdump gets: 28 clauses over the ports of
// network boot.
const provisioning = `udp port 67 or udp port 68 or udp port 69 or udp port 4011 or udp port 53 or tcp port 53
or udp port 123 or udp port 514 or tcp port 514 or udp port 111 or tcp port 111 or udp port 2049 or tcp port 2049
or tcp port 80 or tcp port 443 or tcp port 8080 or tcp port 3128 or tcp port 8000
or tcp portrange 5240-5274 or udp portrange 5240-5274 or tcp port 22 or udp port 623 or tcp port 3001 or tcp port 3002
or tcp port 4011 or tcp port 860 or tcp port 3260 or udp port 20048`

// A contender is a program on a trace, and what it is the measure of.
type contender struct {
	runner
	// over are the names of others whose cost this one's is compared with, and
	// at most how large the ratio of CPU time may be.
	over []bar
}

type bar struct {
	name string
	most float64
	wall bool // of wall time
}

// contenders are groups of programs on t. A group reads one file, so that it is
// in the page cache for all of them, whatever memory there is.
func contenders(t *trace, px, filter string) [][]*contender {
	analyze := func(form string, bars ...bar) *contender {
		return &contender{runner{name: "pxescope " + form, args: []string{px, "analyze", "-q", "--format", "json", t.path[form]}}, bars}
	}
	other := func(name string, args ...string) *contender {
		return &contender{runner: runner{name: name, args: args}}
	}
	pcap := t.path["pcap"]
	vsTcpdump, vsCat := 0.60, 2.0
	if t.kind == "small" {
		vsTcpdump, vsCat = 0.40, 3.5
	}
	first := analyze("pcap", bar{"tcpdump", vsTcpdump, false}, bar{"cat", vsCat, false}, bar{"one thread", 0.65, true})
	single := analyze("pcap")
	single.name, single.env = "one thread", []string{"GOMAXPROCS=1"}
	groups := [][]*contender{
		{
			first, single, other("cat", "cat", pcap),
			other("tcpdump", "tcpdump", "-r", pcap, "-w", "/dev/null", "-F", filter), other("capinfos -c", "capinfos", "-c", pcap),
		},
		{
			analyze("pcapng", bar{"tcpdump pcapng", vsTcpdump, false}),
			other("tcpdump pcapng", "tcpdump", "-r", t.path["pcapng"], "-w", "/dev/null", "-F", filter),
		},
		{analyze("zst", bar{"zstd -dc", 1.5, false}), other("zstd -dc", "zstd", "-dcq", t.path["zst"])},
		{analyze("gz", bar{"gzip -dc", 0.9, false}), other("gzip -dc", "gzip", "-dc", t.path["gz"])},
	}
	for _, c := range groups[3] {
		c.slow = true
	}
	if t.kind == "mix" { // on small it would take minutes
		first.over = append(first.over, bar{"tshark", 1.0 / 50, false})
		s := other("tshark", "tshark", "-r", pcap, "-n", "-q", "-z", "dhcp,stat", "-z", "rpc,programs", "-z", "dns,tree", "-z", "conv,tcp")
		s.slow = true
		groups = append(groups, []*contender{s})
	}
	return groups
}
