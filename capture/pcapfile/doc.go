// Package pcapfile reads and writes capture files: pcap, pcapng and snoop,
// compressed or not, alone, in directories and inside tar and zip archives.
//
// Reader reads one uncompressed stream. Open makes one Timeline of many
// inputs: it implements capture.Source, so everything behind it sees a single
// sequence of packets in the order of time. NgWriter and PcapWriter write.
//
// Formats are told apart by their first bytes, never by names. A reader holds
// one buffer, parses records in it and allocates nothing per packet.
//
// The one invariant: what was read before damage is delivered. Damage in an
// input ends that input and is told in its capture.FileInfo; only when no
// input at all can be read is there an error, which is ErrUnreadable.
//
// Names of archive members, interface names, filters and comments come out of
// the files as they are: a renderer has to escape them.
package pcapfile

// Limits bound what hostile or broken input can cost. The zero value of a
// field means its default.
type Limits struct {
	// Record is the largest packet record, pcapng block that describes
	// something, or snoop record, in bytes. Default MaxRecord.
	Record int
	// Memory is how many bytes of archive members may be held in memory at
	// a time, because the archive cannot be read at random: a compressed
	// tar, a zip inside another archive, an archive on standard input.
	// Default MaxMemory.
	Memory int64
	// Ratio bounds what decompression of one input may yield, as a multiple
	// of the bytes read from it. Default MaxRatio.
	Ratio int64
	// Expanded is what decompression of one input may yield in any case, in
	// bytes: Ratio counts only above it. Default MaxExpanded.
	Expanded int64
	// Nesting is how many archives may be inside each other; one layer of
	// compression more than that may lie on the way. Default MaxNesting.
	Nesting int
	// Files is the number of inputs in one Timeline. Default MaxFiles.
	Files int
}

// The default limits.
const (
	MaxRecord   = 16 << 20  // bytes; Wireshark's own limit for a block
	MaxMemory   = 256 << 20 // bytes
	MaxRatio    = 256       // captures shrink 2 to 50 times
	MaxExpanded = 1 << 30   // bytes
	MaxNesting  = 3
	MaxFiles    = 100_000
)

// Limits of a single file that nobody needs to set.
const (
	maxInterfaces = 1 << 16 // pcapng interfaces in all sections of a file
	maxName       = 256     // bytes kept of an interface name
	maxFilter     = 4096    // bytes kept of a capture filter
	maxText       = 4 << 20 // bytes of names, filters and comments kept per file
	maxComment    = 4096    // bytes kept of a section comment
	maxMember     = 1024    // bytes kept of a member's name
)

func (l Limits) withDefaults() Limits {
	def := func(p *int64, d int64) {
		if *p <= 0 {
			*p = d
		}
	}
	defInt := func(p *int, d int) {
		if *p <= 0 {
			*p = d
		}
	}
	defInt(&l.Record, MaxRecord)
	def(&l.Memory, MaxMemory)
	def(&l.Ratio, MaxRatio)
	def(&l.Expanded, MaxExpanded)
	defInt(&l.Nesting, MaxNesting)
	defInt(&l.Files, MaxFiles)
	return l
}
