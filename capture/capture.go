// Package capture holds what every source of packets and every consumer of
// them agree on: a Packet, its Time, its LinkType, and the Source that yields
// it. It does no I/O; readers live in capture/pcapfile and capture/live.
//
// The one invariant: Packet.Data belongs to the Source and is valid only until
// the next packets are asked for.
package capture

// A Packet is one captured frame as a Source yields it.
type Packet struct {
	ID      FrameID // which file, and the number that Wireshark shows; Number 0 is a tick
	Time    Time
	Link    LinkType // per packet: pcapng mixes link types
	Iface   int      // index into Source.Interfaces
	VLAN    VLAN     // tag that the kernel delivered beside the data, if any
	WireLen int      // bytes on the wire but those of VLAN, >= len(Data) in a sane capture
	Data    []byte   // captured bytes, valid until the next packet is asked for
}

// Tick reports whether p carries no frame, only the time: an idle live source
// yields ticks so that deadlines pass without traffic.
func (p *Packet) Tick() bool { return p.ID.Number() == 0 }

// A VLAN is an 802.1Q tag that a live socket delivers beside the packet.
type VLAN struct {
	Present bool
	TCI     uint16 // PCP(3) DEI(1) VID(12), IEEE 802.1Q-2018 section 9.6
	TPID    uint16 // 0x8100 or 0x88a8
}

// A Source yields packets in order. Next returns io.EOF at the end; any other
// error ends the source too. Damage inside a file is not an error: the source
// stops reading that file, notes it in its FileInfo and goes on.
type Source interface {
	Next(p *Packet) error
	// Files describes the inputs seen so far, in the order of FrameID.File.
	Files() []FileInfo
	// Interfaces describes the capture interfaces seen so far; Packet.Iface
	// indexes it.
	Interfaces() []Interface
	Close() error
}

// A BatchSource is a Source that yields several packets at a time.
type BatchSource interface {
	Source
	// NextBatch returns the packets that Next would return one by one: at least
	// one and at most limit, or the error of Next. It waits for the first only;
	// the others are at hand. They belong to the Source, must not be changed,
	// and are valid until the next call of NextBatch or Next.
	NextBatch(limit int) ([]Packet, error)
}

// A Holder is a BatchSource that can leave packets alone for a while, for who
// reads in one goroutine and works on what was read in another. It yields no
// ticks.
type Holder interface {
	BatchSource
	// Hold prepares NextHeld, and reports whether this source can hold and is
	// large enough that two cores are worth their start. Hold(0) ends it.
	Hold(turns int) bool
	// NextHeld is NextBatch with the turn that the packets are of: they are valid
	// until so many turns after theirs have begun as Hold was told, or another
	// method yields packets. Turn 0 says that these packets could not be held, and
	// are valid as those of NextBatch are; a turn may have begun all the same.
	NextHeld(limit int) (packets []Packet, turn uint64, err error)
}

// Batches makes a BatchSource of src: one that has no batches of its own yields
// one packet at a time.
func Batches(src Source) BatchSource {
	if b, ok := src.(BatchSource); ok {
		return b
	}
	return &single{Source: src}
}

// A single is a BatchSource whose batches are one packet.
type single struct {
	Source
	packet [1]Packet
}

func (s *single) NextBatch(int) ([]Packet, error) {
	if err := s.Next(&s.packet[0]); err != nil {
		return nil, err
	}
	return s.packet[:], nil
}

// A FileInfo describes one input: a capture file, a member of an archive, or
// a live session.
type FileInfo struct {
	Name      string // as the user named it; members as archive!member
	Format    string // pcap, pcapng, snoop, live
	Packets   uint64
	Bytes     uint64 // sum of WireLen and of tags beside packets
	First     Time   // zero when there was no packet
	Last      Time
	Truncated bool   // the file ends inside a record
	Damage    string // what stopped the reader, empty when nothing did
	Dropped   Count  // packets that the capturing side says it lost
	Links     []LinkType
	Ifaces    []string // names, when the file has them
	Comment   string   // pcapng section comment
}

// An Interface is one capture interface of one file.
type Interface struct {
	File     int // index into Files
	Name     string
	Link     LinkType
	SnapLen  uint32 // 0: unlimited or unknown
	Filter   string // capture filter, when the file records it (pcapng if_filter)
	Received Count
	Dropped  Count // by the kernel or the interface
	End      Time  // when capturing ended, when the file records it (pcapng isb_endtime); 0: unknown
}

// A Count is a number that may be unknown.
type Count struct {
	Known bool
	N     uint64
}
