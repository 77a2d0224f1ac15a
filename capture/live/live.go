package live

import (
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

// Any stands for every interface, those that come later too. It is not put
// into promiscuous mode.
const Any = "any"

// The defaults of Options.
const (
	DefaultSnapLen = 262144 // tcpdump's
	DefaultBuffer  = 4 << 20
	DefaultTick    = 100 * time.Millisecond
)

// Names of Options.Engine.
const (
	EngineRing    = "ring"
	EngineLibpcap = "libpcap"
)

// A Direction says which packets of an interface are wanted, as the host sees
// them. A loopback interface's packets are both, and come once.
type Direction uint8

// The directions.
const (
	InOut Direction = iota
	In
	Out
)

// ParseDirection reads tcpdump's -Q: in, out or inout.
func ParseDirection(s string) (Direction, error) {
	switch s {
	case "inout", "":
		return InOut, nil
	case "in":
		return In, nil
	case "out":
		return Out, nil
	}
	return InOut, fmt.Errorf("direction %q: in, out or inout", s)
}

// Options say what is captured and how. The zero value of each is its default.
type Options struct {
	Interfaces []string      // at least one; Any stands alone
	NetNS      string        // name under /run/netns or a path; "" is this one. Linux
	NoPromisc  bool          // as it is: without promiscuous mode
	SnapLen    int           // bytes kept of a packet; 0: DefaultSnapLen
	Buffer     int           // bytes of ring for each interface; 0: DefaultBuffer; at least four blocks of 64 KiB are taken
	Direction  Direction     // as tcpdump -Q
	Immediate  bool          // a packet waits for others at most 1 ms instead of blockTimeout
	Timestamps string        // "" or host; adapter, adapter_unsynced as tcpdump -j; the host's when the device has none, with a Notice
	Engine     string        // "": the best that there is; EngineRing, EngineLibpcap
	Filter     Filter        // in the kernel, attached before the first packet
	Tick       time.Duration // an idle source yields ticks this often; 0: DefaultTick
	Notice     func(string)  // gets one line, without a full stop, from Open and Next: "eth1 is down"; nil: nobody asks
}

// TagsBeside says that a filter meets a VLAN tag beside the packet, and not in
// it: on Linux, with both engines.
const TagsBeside = runtime.GOOS == "linux"

// A Filter runs in the kernel. At most one of the two.
type Filter struct {
	// Classic makes the program for a link type. TagsBeside says which form: on
	// Linux the kernel takes the outermost VLAN tag out of the frame. What it
	// accepts is cut to SnapLen.
	Classic func(link capture.LinkType) ([]bpf.RawInstruction, error)
	// ProgFD is an eBPF socket filter; 0: none. It sees Ethernet only:
	// interfaces of another link type have no filter. Only EngineRing has it.
	ProgFD int
	Text   string // what Interface.Filter says; "" when nothing that the analysis needs is left out
}

// Stats are the counters of one ring or handle since it was opened.
type Stats struct {
	Name             string        // as it is called now
	State            string        // up, down, gone; "" when it cannot be told
	Received         capture.Count // packets that the filter let through, lost ones included
	RingDropped      capture.Count // of those, lost because the ring was full
	InterfaceDropped capture.Count // lost by the interface before the filter: missed and FIFO errors
	Freezes          capture.Count // how often the ring was full
}

// A Device is an interface of this machine.
type Device struct {
	Name      string
	State     string // up, down, or "no carrier"
	Index     int    // 0 for Any
	MAC       string
	Addrs     []netip.Prefix
	Link      capture.LinkType
	Permitted bool   // Open can be expected to work
	Why       string // what stands against it when not Permitted, else what it takes
}

// An engine is what captures.
type engine interface {
	next(p *capture.Packet) error
	stop() // from any goroutine
	interfaces() []capture.Interface
	stats() []Stats
	close() error
}

// A Capture is a capture.Source on interfaces. Stop may be called from any
// goroutine; everything else belongs to the goroutine that calls Next, which
// comes back at the latest after Options.Tick.
type Capture struct {
	engine engine
	mu     sync.Mutex // Stop against Close
	closed bool
	info   capture.FileInfo
}

// Open starts to capture. Its errors are *Error and match ErrPermission,
// ErrNoInterface or ErrUnsupported when they are one of these. An interface that
// is down is waited for, with a Notice.
func Open(o Options) (*Capture, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := &Capture{info: capture.FileInfo{Name: "live", Format: "live", Ifaces: o.Interfaces}}
	var err error
	if o.Engine == EngineLibpcap {
		c.engine, err = openLibpcap(&o)
	} else {
		c.engine, err = openRings(&o)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	switch {
	case len(o.Interfaces) == 0:
		return &Error{fmt.Errorf("no interface to capture from: %w", ErrNoInterface), "'pxescope live -D' lists them"}
	case o.Filter.Classic != nil && o.Filter.ProgFD != 0:
		return fmt.Errorf("a classic and an eBPF filter at once: %w", ErrUnsupported)
	case o.SnapLen < 0 || o.SnapLen > DefaultSnapLen:
		return fmt.Errorf("snap length %d: 0 to %d bytes", o.SnapLen, DefaultSnapLen)
	case o.Buffer < 0 || o.Buffer > 1<<30:
		return fmt.Errorf("buffer of %d bytes: 0 to 1 GiB", o.Buffer)
	case o.Tick < 0:
		return fmt.Errorf("tick %v: must not be negative", o.Tick)
	}
	seen := make(map[string]bool)
	for _, name := range o.Interfaces {
		if seen[name] {
			return fmt.Errorf("interface %q is named twice", name)
		}
		if seen[name] = true; name == Any && len(o.Interfaces) > 1 {
			return fmt.Errorf("interface %q has the others among it: name it alone", Any)
		}
	}
	switch o.Timestamps {
	case "", "host":
		o.Timestamps = ""
	case "adapter", "adapter_unsynced":
	default:
		return fmt.Errorf("time stamps %q: host, adapter or adapter_unsynced", o.Timestamps)
	}
	switch o.Engine {
	case "":
		o.Engine = defaultEngine
	case EngineRing, EngineLibpcap:
	default:
		return fmt.Errorf("engine %q: %s or %s", o.Engine, EngineRing, EngineLibpcap)
	}
	if o.SnapLen == 0 {
		o.SnapLen = DefaultSnapLen
	}
	if o.Buffer == 0 {
		o.Buffer = DefaultBuffer
	}
	if o.Tick == 0 {
		o.Tick = DefaultTick
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	return nil
}

// Next yields the next packet, or a tick when none came for Options.Tick. It
// returns io.EOF after Stop when all that was captured before is handed out.
func (c *Capture) Next(p *capture.Packet) error {
	if c.closed {
		return io.EOF
	}
	if err := c.engine.next(p); err != nil {
		return err
	}
	if p.Tick() {
		return nil
	}
	c.info.Packets++
	c.info.Bytes += uint64(p.WireLen)
	if p.VLAN.Present {
		c.info.Bytes += 4
	}
	if c.info.Packets == 1 {
		c.info.First = p.Time
	}
	c.info.Last = max(c.info.Last, p.Time)
	p.ID = capture.NewFrameID(0, c.info.Packets)
	return nil
}

// Stop ends the capture: no later packet is taken. It may be called from any
// goroutine and more than once.
func (c *Capture) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.engine.stop()
	}
}

// Files describes the session as one file.
func (c *Capture) Files() []capture.FileInfo {
	info := c.info
	info.Links = nil
	has := make(map[capture.LinkType]bool)
	for _, i := range c.engine.interfaces() {
		if !has[i.Link] {
			has[i.Link] = true
			info.Links = append(info.Links, i.Link)
		}
	}
	for _, s := range c.engine.stats() {
		for _, n := range []capture.Count{s.RingDropped, s.InterfaceDropped} {
			if n.Known {
				info.Dropped.Known = true
				info.Dropped.N += n.N
			}
		}
	}
	return []capture.FileInfo{info}
}

// Interfaces are those named, or with Any those that sent a packet so far, in
// the order of Packet.Iface. With Any one ring serves all, and what it lost has
// no interface: it is counted on an entry of its own, named any, which is the
// first.
func (c *Capture) Interfaces() []capture.Interface { return c.engine.interfaces() }

// Stats are the counters of every ring or handle, one for each name asked for.
func (c *Capture) Stats() []Stats { return c.engine.stats() }

// Close ends the capture at once. The counters stay as they were.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.engine.close()
}

// Devices lists the interfaces of this machine or, on Linux, of a network
// namespace, by index, and Any where that can be captured from.
func Devices(netns string) ([]Device, error) { return devices(netns) }
