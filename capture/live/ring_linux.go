package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

// blockTimeout is after what time the kernel hands over a block that has
// packets but is not full. 128 KiB at this pace are 6.5 MB/s: a busier ring fills
// its blocks.
const blockTimeout = 20 * time.Millisecond

const (
	// maxBlock is the usual size of a block. It takes what segmentation offload
	// puts together, 64 KiB and headers; longer packets (BIG TCP) are cut to it.
	// Larger ones would be handed over half empty, which wastes the ring.
	maxBlock = 128 << 10
	minBlock = 64 << 10
	// linkOffset is where a packet's sockaddr_ll is, from its header.
	linkOffset = (unix.SizeofTpacket3Hdr + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)
)

var errRing = errors.New("a block of the ring is inconsistent")

// A ring is a packet socket with its memory.
type ring struct {
	fd    int
	mem   []byte
	block int // size of one
	count int

	// The block that is being read: packets left in it, where the next is.
	at   int // which
	left uint32
	next int     // offset in mem
	held bool    // the block is ours
	dev  *device // nil for Any

	others bool // of Any, those that the eBPF filter must not see

	stamped                    bool // the packet that was taken last has the adapter's time
	laps                       uint64
	received, dropped, freezes uint64
}

// blockSize chooses the size of a ring's blocks and their number, of which the
// kernel needs some to turn to.
func blockSize(buffer, snap int) (size, count int) {
	size = maxBlock
	if buffer/size < 8 || snap <= minBlock/2 {
		size = minBlock
	}
	return size, max(buffer/size, 4)
}

// openRing makes a socket with a ring, that receives nothing yet.
func openRing(o *Options) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, explain(fmt.Errorf("open a packet socket: %w", err))
	}
	r := &ring{fd: fd}
	if err := r.setup(o); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *ring) setup(o *Options) error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return &Error{fmt.Errorf("ask for a TPACKET_V3 ring: %w: %w", ErrUnsupported, err), "a kernel of 3.2 or later is needed"}
	}
	tov := blockTimeout
	if o.Immediate {
		tov = time.Millisecond
	}
	r.block, r.count = blockSize(o.Buffer, o.SnapLen)
	req := unix.TpacketReq3{
		Block_size: uint32(r.block), Block_nr: uint32(r.count),
		// The frame size means nothing with this version, but has to fit.
		Frame_size: uint32(r.block), Frame_nr: uint32(r.count),
		Retire_blk_tov: uint32(tov.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return &Error{fmt.Errorf("make a ring of %d bytes: %w", r.block*r.count, err), "a smaller buffer may be granted: -B"}
	}
	mem, err := unix.Mmap(r.fd, 0, r.block*r.count, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the ring: %w", err)
	}
	r.mem = mem
	return nil
}

// bind lets packets come, of one interface or with index 0 of all.
func (r *ring) bind(index int) error {
	all := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff})
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index})
}

// promiscuous asks for every frame on the wire. It ends with the socket.
func (r *ring) promiscuous(index int) error {
	return unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
		&unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
}

func (r *ring) head() *unix.TpacketHdrV1 {
	d := (*unix.TpacketBlockDesc)(unsafe.Pointer(&r.mem[r.at*r.block]))
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&d.Hdr))
}

// ready says whether the kernel has handed over the block that is n after the
// next.
func (r *ring) ready(n int) bool {
	d := (*unix.TpacketBlockDesc)(unsafe.Pointer(&r.mem[(r.at+n)%r.count*r.block]))
	h := (*unix.TpacketHdrV1)(unsafe.Pointer(&d.Hdr))
	return atomic.LoadUint32(&h.Block_status)&unix.TP_STATUS_USER != 0
}

// empty says that nothing waits, neither in a block of ours nor in the one that
// the kernel is filling, whose count of packets can be seen growing.
func (r *ring) empty() bool {
	h := r.head()
	return !r.held && atomic.LoadUint32(&h.Block_status)&unix.TP_STATUS_USER == 0 && atomic.LoadUint32(&h.Num_pkts) == 0
}

// load makes a packet available if the kernel has handed over one.
func (r *ring) load() (bool, error) {
	for r.left == 0 {
		r.release()
		h := r.head()
		if atomic.LoadUint32(&h.Block_status)&unix.TP_STATUS_USER == 0 {
			return false, nil
		}
		r.held, r.left = true, h.Num_pkts
		r.next = r.at*r.block + int(h.Offset_to_first_pkt)
	}
	if end := (r.at + 1) * r.block; r.next+linkOffset+unix.SizeofSockaddrLinklayer > end {
		return false, errRing
	}
	return true, nil
}

// release gives the block back. Its count is set to zero because empty looks at
// it before the kernel opens the block again.
func (r *ring) release() {
	if !r.held {
		return
	}
	h := r.head()
	atomic.StoreUint32(&h.Num_pkts, 0)
	atomic.StoreUint32(&h.Block_status, unix.TP_STATUS_KERNEL)
	r.held = false
	if r.at = (r.at + 1) % r.count; r.at == 0 {
		if r.laps++; r.laps%256 == 0 {
			r.tally() // before the kernel's 32 bits overflow
		}
	}
}

func (r *ring) packet() *unix.Tpacket3Hdr { return (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.mem[r.next])) }

// time is when the packet that is available was received.
func (r *ring) time() capture.Time {
	h := r.packet()
	return capture.Time(int64(h.Sec)*1e9 + int64(h.Nsec))
}

// take fills in p from the packet that is available, all but its interface and
// link type, and goes to the next one.
func (r *ring) take(p *capture.Packet, snap int) (*unix.RawSockaddrLinklayer, error) {
	h := r.packet()
	link := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&r.mem[r.next+linkOffset]))
	first := r.next + int(h.Mac)
	end := first + int(h.Snaplen)
	if end > (r.at+1)*r.block || end < first {
		return nil, errRing
	}
	if end-first > snap {
		end = first + snap
	}
	p.Time = capture.Time(int64(h.Sec)*1e9 + int64(h.Nsec))
	p.Data = r.mem[first:end:end]
	p.WireLen = int(h.Len)
	p.VLAN = capture.VLAN{}
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 {
		p.VLAN = capture.VLAN{Present: true, TCI: uint16(h.Hv1.Vlan_tci), TPID: unix.ETH_P_8021Q}
		if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			p.VLAN.TPID = h.Hv1.Vlan_tpid
		}
	}
	r.stamped = h.Status&unix.TP_STATUS_TS_RAW_HARDWARE != 0
	r.left--
	r.next += int(h.Next_offset)
	return link, nil
}

// tally adds up what the kernel counted; reading sets its counters to zero.
func (r *ring) tally() {
	if r.fd < 0 {
		return
	}
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return
	}
	r.received += uint64(s.Packets)
	r.dropped += uint64(s.Drops)
	r.freezes += uint64(s.Freeze_q_cnt)
}

func (r *ring) close() error {
	r.tally()
	var err error
	if r.mem != nil {
		err = unix.Munmap(r.mem)
		r.mem = nil
	}
	if r.fd >= 0 {
		if e := unix.Close(r.fd); err == nil {
			err = e
		}
		r.fd = -1
	}
	return err
}
