package counter

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
)

// A Counter counts packets in the kernel from Open to Close. What it attached
// hangs on file descriptors of the process: however that ends, the kernel
// takes everything off.
type Counter struct {
	hook     Hook
	names    []string
	filter   string
	m        *maps
	attached []io.Closer
	meta     *ebpf.Map // of a counter that is pinned
	pinned   bool      // by another process
	learns   bool
	digest   string // of the layout as it was before anything was learnt

	mu          sync.Mutex // for the layout and what follows
	learntPorts []LearntPort
	learnErr    error
	reading     []*os.File
	learning    sync.WaitGroup
}

// Open attaches the counter to interfaces. Its errors are of type *Error where
// something can be done about them.
func Open(c Config) (*Counter, error) {
	l, err := c.layout()
	if err != nil {
		return nil, err
	}
	if c.Pin != "" {
		if pinnedAt(c.Pin) {
			if len(c.Interfaces) > 0 {
				return nil, &Error{fmt.Errorf("%s holds a counter already", c.Pin),
					"name no interface to read it, or end it: rm -r " + c.Pin}
			}
			return openPinned(&c)
		}
		if err := checkPin(c.Pin); err != nil {
			return nil, err
		}
	}
	if len(c.Interfaces) == 0 {
		return nil, &Error{errors.New("no interface given, and no counter is pinned"), "name interfaces; 'ip -br link' lists them"}
	}
	ifaces, err := interfaces(c.Interfaces)
	if err != nil {
		return nil, err
	}
	hook := c.Hook
	if hook == "" {
		hook = TCX
	}
	n, err := open(&c, l, hook, ifaces)
	if c.Hook == "" && c.Pin == "" && (errors.Is(err, ErrUnsupported) || errors.Is(err, ErrPermission) && len(Socket.missing()) == 0) {
		n, err = open(&c, l, Socket, ifaces)
	}
	if err != nil {
		return nil, err
	}
	if c.Pin != "" {
		err = n.pin(c.Pin)
	}
	if err == nil && c.Learn {
		if err = n.learn(ifaces); err != nil {
			err = explainLearn(err)
			if c.Pin != "" {
				os.RemoveAll(c.Pin)
			}
		}
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func open(c *Config, l *Layout, hook Hook, ifaces []net.Interface) (*Counter, error) {
	if c.Filter != nil {
		if _, err := newPrefix(c.Filter, hook, false); err != nil {
			return nil, err
		}
	}
	m, err := newMaps(l, c.Filter, 2*len(ifaces))
	if err != nil {
		return nil, explain(err, hook, "")
	}
	n := &Counter{hook: hook, filter: c.filterText(), m: m, digest: l.digest(), learns: c.Learn}
	for i, ifc := range ifaces {
		if err := n.attach(ifc, 2*i); err != nil {
			n.Close()
			return nil, explain(err, hook, ifc.Name)
		}
		n.names = append(n.names, ifc.Name)
	}
	return n, nil
}

// interfaces finds interfaces by name, and refuses those whose frames have no
// Ethernet header.
func interfaces(names []string) ([]net.Interface, error) {
	var out []net.Interface
	for _, name := range names {
		ifc, err := net.InterfaceByName(name)
		if err != nil {
			if op := (*net.OpError)(nil); errors.As(err, &op) {
				err = op.Err // without the netlink request's name
			}
			hint := "'ip -br link' lists the interfaces"
			if name == "any" {
				hint = "name each one, counted separately: pxescope count eth1 eth2; " + hint
			}
			return nil, &Error{fmt.Errorf("interface %q: %w", name, err), hint}
		}
		for _, o := range out {
			if o.Index == ifc.Index {
				return nil, fmt.Errorf("interface %q is named twice", name)
			}
		}
		// ARPHRD_ETHER and ARPHRD_LOOPBACK of linux/if_arp.h; an unreadable type
		// is left to the kernel.
		b, err := os.ReadFile("/sys/class/net/" + name + "/type")
		if typ, bad := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && bad == nil && typ != 1 && typ != 772 {
			return nil, &Error{fmt.Errorf("interface %q has no Ethernet frames (hardware type %d)", name, typ),
				"count on the Ethernet interface below it"}
		}
		out = append(out, *ifc)
	}
	return out, nil
}

// attach loads and attaches the programs of one interface, whose counters are
// at two places from n on.
func (c *Counter) attach(ifc net.Interface, n int) error {
	switch c.hook {
	case TCX:
		if err := c.attachTCX(ifc, n, false); err != nil {
			return err
		}
		return c.attachTCX(ifc, n+1, true)
	case XDP, XDPGeneric:
		return c.attachXDP(ifc, n)
	}
	return c.attachSocket(ifc, n)
}

// Hook is where the counter sits.
func (c *Counter) Hook() Hook { return c.hook }

// Read is what was counted since Open. It may run while packets are counted:
// a counter is read whole, two counters at slightly different times.
func (c *Counter) Read() (*Totals, error) {
	counts, err := c.m.read()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.learnErr != nil {
		return nil, c.learnErr
	}
	if c.pinned {
		x, err := readMeta(c.meta)
		if err != nil {
			return nil, err
		}
		c.learntBy(x)
	}
	t := c.m.layout.totals(c.hook, c.names, counts)
	t.Filter, t.Learnt = c.filter, slices.Clone(c.learntPorts)
	return t, nil
}

// Close takes the programs off the interfaces, unless they are pinned.
func (c *Counter) Close() error {
	var errs []error
	for _, x := range c.attached {
		errs = append(errs, x.Close())
	}
	c.attached = nil
	for _, f := range c.reading {
		errs = append(errs, f.Close())
	}
	c.reading = nil
	c.learning.Wait()
	if c.meta != nil {
		errs = append(errs, c.meta.Close())
		c.meta = nil
	}
	return errors.Join(append(errs, c.m.close())...)
}

// Compare counts the Ethernet frames of a capture with the program of a hook
// in the kernel, by test runs, and with the Reference.
func Compare(c Config, src capture.Source) (*Comparison, error) {
	l, err := c.layout()
	if err != nil {
		return nil, err
	}
	hook := c.Hook
	if hook == "" {
		hook = XDP // takes the shortest frames, and needs no socket buffer
	}
	var match *filter.Matcher
	if c.Filter != nil {
		if _, err := newPrefix(c.Filter, hook, false); err != nil {
			return nil, err
		}
		if match, err = filter.NewMatcher(c.Filter, capture.LinkEthernet); err != nil {
			return nil, refused(err)
		}
	}
	m, err := newMaps(l, c.Filter, 2)
	if err != nil {
		return nil, explain(err, hook, "")
	}
	defer m.close()
	p, err := m.program(hook, 0, false, true)
	if err != nil {
		return nil, explain(err, hook, "")
	}
	defer p.Close()
	ref, cmp := NewReference(l), &Comparison{Differing: []Difference{}}
	counts := [][]pair{make([]pair, 2*len(l.slots)), make([]pair, 2*len(l.slots))}
	var pkt capture.Packet
	for {
		if err := src.Next(&pkt); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return nil, err
		}
		if pkt.Link != capture.LinkEthernet || len(pkt.Data) < 14 {
			cmp.LeftOut++
			continue
		}
		n := len(pkt.Data)
		pkt.Data = pkt.Data[:min(n, maxRun)]
		kernel, err := runCell(p, pkt.Data)
		if errors.Is(err, errShort) {
			cmp.LeftOut++
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", pkt.ID.Number(), err)
		}
		if n > maxRun || pkt.WireLen > n {
			cmp.Cut++
		}
		cmp.Frames++
		// A fragment whose first is left out is of no service the program knows:
		// the Reference must not see what the filter leaves out.
		want := Cell{Slot: slotFiltered}
		if match == nil || match.Match(pkt.Data, len(pkt.Data)) {
			want = ref.Cell(&pkt)
		}
		number := want.Slot << 1
		if want.ToPort {
			number |= 1
		}
		counts[0][number].packets++
		counts[0][number].bytes += uint64(len(pkt.Data))
		if !l.same(kernel, want) && len(cmp.Differing) < maxDifferences {
			cmp.Differing = append(cmp.Differing, Difference{pkt.ID.Number(), l.describe(kernel), l.describe(want)})
		}
	}
	ran, err := m.read()
	if err != nil {
		return nil, err
	}
	cmp.Kernel = l.totals(hook, []string{"capture"}, ran)
	cmp.Go = l.totals(hook, []string{"capture"}, counts)
	cmp.Kernel.Filter, cmp.Go.Filter = c.filterText(), c.filterText()
	return cmp, nil
}

// attachTCX attaches to one direction.
func (c *Counter) attachTCX(ifc net.Interface, n int, egress bool) error {
	p, err := c.m.program(TCX, n, false, false)
	if err != nil {
		return err
	}
	defer p.Close() // the link keeps it
	at := tcxIngress
	if egress {
		at = tcxEgress
	}
	x, err := link.AttachTCX(link.TCXOptions{Interface: ifc.Index, Program: p, Attach: at})
	if err != nil {
		return err
	}
	c.attached = append(c.attached, x)
	return nil
}

// largestBuffer is the MTU up to which any driver puts a frame into one
// buffer of a page.
const largestBuffer = 3000

func (c *Counter) attachXDP(ifc net.Interface, n int) error {
	frags := c.hook == XDP && ifc.MTU > largestBuffer && haveXDPFrags()
	p, err := c.m.program(c.hook, n, frags, false)
	if err != nil {
		return err
	}
	defer p.Close()
	flags := link.XDPDriverMode
	if c.hook == XDPGeneric {
		flags = link.XDPGenericMode
	}
	x, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifc.Index, Flags: flags})
	if err != nil {
		return err
	}
	c.attached = append(c.attached, x)
	return nil
}
