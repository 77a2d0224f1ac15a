//go:build windows || (cgo && (libpcap || darwin || freebsd))

package live

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcap"
	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

// pcapTimeout is how long libpcap may keep a packet, and how long a read of it
// lasts. It is never pcap.BlockForever: Close would hang on a quiet interface.
const pcapTimeout = 50 * time.Millisecond

// pcapTurn is after how many packets another handle has its turn.
const pcapTurn = 256

// pcapLinks are the link types that are asked for, with libpcap's names. The
// binding keeps a link type in a byte: 276 would come as 20, 257 as 1. So the
// handle is told to use the type, which it refuses when its own is another.
var pcapLinks = map[layers.LinkType]capture.LinkType{
	0: capture.LinkNull, 1: capture.LinkEthernet, 9: capture.LinkPPP, 12: capture.LinkRaw, 14: capture.LinkRaw,
	50: capture.LinkPPPHDLC, 51: capture.LinkPPPEther, 101: capture.LinkRaw, 108: capture.LinkLoop,
	113: capture.LinkSLL, 228: capture.LinkIPv4, 229: capture.LinkIPv6, 239: capture.LinkNFLOG,
}

// handles is EngineLibpcap: a handle for each interface, read in turn.
type handles struct {
	o        *Options
	list     []*handle
	at, turn int
	tickAt   time.Time
	busy     bool
	stopping atomic.Bool
	idle     int // handles in a row that had nothing
}

type handle struct {
	*pcap.Handle
	name  string
	link  capture.LinkType
	gone  bool
	stats Stats
}

func openLibpcap(o *Options) (engine, error) {
	if o.Filter.ProgFD != 0 {
		return nil, &Error{fmt.Errorf("an eBPF filter with libpcap: %w", ErrUnsupported), "leave --engine out, or have a classic filter"}
	}
	s := &handles{o: o, tickAt: time.Now().Add(o.Tick)}
	err := inNetNS(o.NetNS, func() error {
		for _, name := range o.Interfaces {
			h, err := openHandle(o, name)
			if err != nil {
				return err
			}
			s.list = append(s.list, h)
		}
		return nil
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func openHandle(o *Options, name string) (*handle, error) {
	in, err := pcap.NewInactiveHandle(name)
	if err != nil {
		return nil, explainPcap(name, err)
	}
	defer in.CleanUp()
	for _, set := range []error{
		in.SetSnapLen(o.SnapLen), in.SetPromisc(!o.NoPromisc && name != Any), in.SetTimeout(pcapTimeout),
		in.SetBufferSize(o.Buffer), in.SetImmediateMode(o.Immediate),
	} {
		if set != nil {
			return nil, fmt.Errorf("set up %s: %w", name, set)
		}
	}
	if o.Timestamps != "" {
		src, err := pcap.TimestampSourceFromString(o.Timestamps)
		if err == nil {
			err = in.SetTimestampSource(src)
		}
		if err != nil {
			o.Notice(fmt.Sprintf("%s does not stamp packets (%v): the system does", name, err))
		}
	}
	p, err := in.Activate()
	if err != nil {
		return nil, explainPcap(name, err)
	}
	h := &handle{Handle: p, name: name}
	if err := h.setup(o); err != nil {
		p.Close()
		return nil, err
	}
	return h, nil
}

// setup finishes what libpcap takes of an active handle only.
func (h *handle) setup(o *Options) error {
	dlt := h.LinkType()
	link, ok := pcapLinks[dlt]
	if !ok || h.SetLinkType(dlt) != nil {
		return &Error{fmt.Errorf("%s has a link type that pxescope does not read: %w", h.name, ErrUnsupported),
			"capture it with tcpdump -y EN10MB, or another interface"}
	}
	h.link = link
	if o.Filter.Classic != nil {
		prog, err := o.Filter.Classic(link)
		if err != nil {
			return fmt.Errorf("make the filter for %s, link type %s: %w", h.name, link, err)
		}
		if err := h.SetBPFInstructionFilter(pcapProgram(prog)); err != nil {
			return fmt.Errorf("set the filter of %s: %w", h.name, err)
		}
	}
	if o.Direction != InOut {
		d := pcap.DirectionIn
		if o.Direction == Out {
			d = pcap.DirectionOut
		}
		if err := h.SetDirection(d); err != nil {
			return fmt.Errorf("set the direction of %s: %w", h.name, err)
		}
	}
	return nil
}

func pcapProgram(prog []bpf.RawInstruction) []pcap.BPFInstruction {
	out := make([]pcap.BPFInstruction, len(prog))
	for i, in := range prog {
		out[i] = pcap.BPFInstruction{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return out
}

// explainPcap sorts libpcap's message into the kinds of this package: the
// binding passes on its text only.
func explainPcap(name string, err error) error {
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "permission"), strings.Contains(text, "not permitted"), strings.Contains(text, "privilege"):
		return &Error{fmt.Errorf("capture from %s: %w: %w", name, ErrPermission, err),
			"run it with sudo; on macOS and FreeBSD reading /dev/bpf* is enough; on Linux CAP_NET_RAW: sudo setcap cap_net_raw,cap_net_admin=ep pxescope"}
	case strings.Contains(text, "no such device"), strings.Contains(text, "doesn't exist"), strings.Contains(text, "not configured"), strings.Contains(text, "error opening adapter"):
		return &Error{fmt.Errorf("interface %q: %w", name, ErrNoInterface), suggestPcap(name)}
	case strings.Contains(text, "not up"), strings.Contains(text, "is down"):
		return &Error{fmt.Errorf("capture from %s: it is down", name), "libpcap does not wait for it: bring it up first"}
	}
	return fmt.Errorf("capture from %s: %w", name, err)
}

func (s *handles) next(p *capture.Packet) error {
	for {
		if len(s.list) == 0 {
			return io.EOF
		}
		h := s.list[s.at]
		if h.gone {
			if err := s.other(true); err != nil {
				return err
			}
			continue
		}
		data, ci, err := h.ZeroCopyReadPacketData()
		switch {
		case err == nil:
			*p = capture.Packet{ID: 1, Time: capture.Time(ci.Timestamp.UnixNano()), Link: h.link, Iface: s.at, WireLen: ci.Length, Data: data}
			if len(data) > s.o.SnapLen {
				p.Data = data[:s.o.SnapLen]
			}
			s.idle, s.busy = 0, true
			if s.turn++; s.turn >= pcapTurn {
				s.other(false)
			}
			return nil
		case errors.Is(err, pcap.NextErrorTimeoutExpired), errors.Is(err, pcap.NextErrorReadError) && h.Error() == nil:
			if err := s.other(true); err != nil {
				return err
			}
			now := time.Now()
			if s.busy {
				s.busy, s.tickAt = false, now.Add(s.o.Tick)
			}
			if !now.Before(s.tickAt) {
				s.tickAt = now.Add(s.o.Tick)
				// libpcap may keep packets that are younger than its timeout.
				back := pcapTimeout * time.Duration(1+len(s.list))
				*p = capture.Packet{Time: capture.Time(now.Add(-back).UnixNano())}
				return nil
			}
		default:
			h.gone = true
			s.o.Notice(fmt.Sprintf("%s ended: %v", h.name, err))
		}
	}
}

// other turns to the next handle. It returns io.EOF when all are gone, or when
// all were empty after Stop.
func (s *handles) other(empty bool) error {
	s.at, s.turn = (s.at+1)%len(s.list), 0
	if empty {
		s.idle++
	}
	all := true
	for _, h := range s.list {
		all = all && h.gone
	}
	if all || s.stopping.Load() && s.idle >= len(s.list) {
		return io.EOF
	}
	return nil
}

func (s *handles) stop() { s.stopping.Store(true) }

func (s *handles) stats() []Stats {
	list := make([]Stats, len(s.list))
	for i, h := range s.list {
		h.stats.Name, h.stats.State = h.name, ""
		if h.gone {
			h.stats.State = "gone"
		}
		if h.Handle != nil {
			if st, err := h.Handle.Stats(); err == nil {
				count := func(n int) capture.Count { return capture.Count{Known: true, N: uint64(n)} }
				h.stats.Received = count(st.PacketsReceived)
				h.stats.RingDropped = count(st.PacketsDropped)
				h.stats.InterfaceDropped = count(st.PacketsIfDropped)
			}
		}
		list[i] = h.stats
	}
	return list
}

func (s *handles) interfaces() []capture.Interface {
	list := make([]capture.Interface, len(s.list))
	for i, st := range s.stats() {
		list[i] = capture.Interface{Name: st.Name, Link: s.list[i].link, SnapLen: uint32(s.o.SnapLen), Filter: s.o.Filter.Text,
			Received: st.Received, Dropped: st.RingDropped}
		list[i].Dropped.N += st.InterfaceDropped.N
	}
	return list
}

func (s *handles) close() error {
	s.stats()
	for _, h := range s.list {
		h.Close()
		h.Handle = nil
	}
	return nil
}

// libpcapDevices are the interfaces that libpcap knows. Where the system's own
// list has them too, that says more.
func libpcapDevices() ([]Device, error) {
	found, err := pcap.FindAllDevs()
	if err != nil {
		return nil, fmt.Errorf("list libpcap's interfaces: %w", err)
	}
	const up = 2 // PCAP_IF_UP
	var list []Device
	for _, f := range found {
		d := Device{Name: f.Name, State: "down", Permitted: true}
		if f.Flags&up != 0 {
			d.State = "up"
		}
		for _, a := range f.Addresses {
			ip, ok := netip.AddrFromSlice(a.IP)
			if ones, _ := a.Netmask.Size(); ok {
				d.Addrs = append(d.Addrs, netip.PrefixFrom(ip.Unmap(), ones))
			}
		}
		if i, err := net.InterfaceByName(f.Name); err == nil {
			d.Index, d.MAC = i.Index, i.HardwareAddr.String()
		}
		if d.Link, err = tryPcap(f.Name); err != nil {
			d.Permitted, d.Why = false, err.Error()
		}
		list = append(list, d)
	}
	return list, nil
}

// suggestPcap says which interfaces there are when one is not.
func suggestPcap(name string) string {
	found, err := pcap.FindAllDevs()
	if err != nil {
		return "'pxescope live -D' lists them"
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
	}
	return similar(name, names)
}

// tryPcap says whether an interface can be opened, and its link type.
func tryPcap(name string) (capture.LinkType, error) {
	in, err := pcap.NewInactiveHandle(name)
	if err != nil {
		return 0, err
	}
	defer in.CleanUp()
	if err := in.SetTimeout(pcapTimeout); err != nil {
		return 0, err
	}
	p, err := in.Activate()
	if err != nil {
		return 0, err
	}
	defer p.Close()
	dlt := p.LinkType()
	link, ok := pcapLinks[dlt]
	if !ok || p.SetLinkType(dlt) != nil {
		return 0, errors.New("its link type is not read")
	}
	return link, nil
}
