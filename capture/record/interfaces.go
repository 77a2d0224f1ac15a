package record

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// interfaces are those of the source and what the file that is written knows
// of them.
type interfaces struct {
	list     []capture.Interface // of the source, as it told them last
	start    []counts            // when the file was begun
	lost     []uint64            // packets that the disk refused
	known    []described         // in the order of their blocks in the file
	pcapLink capture.LinkType
}

type counts struct{ received, dropped uint64 }

// A described interface has a block in the file. One of the source has
// several when it yields packets of several link types.
type described struct {
	iface int
	link  capture.LinkType
}

// see takes over what the source tells.
func (t *interfaces) see(list []capture.Interface) {
	if len(list) < len(t.list) {
		return // nothing is told
	}
	t.list = append(t.list[:0], list...)
	for len(t.start) < len(list) {
		t.start = append(t.start, counts{})
		t.lost = append(t.lost, 0)
	}
}

// begin is called when a file is.
func (t *interfaces) begin(list []capture.Interface) {
	t.see(list)
	for i, f := range t.list {
		t.start[i] = counts{f.Received.N, f.Dropped.N}
	}
	t.known = t.known[:0]
}

func (t *interfaces) snapLen(i int) uint32 {
	if i >= 0 && i < len(t.list) {
		return t.list[i].SnapLen
	}
	return 0
}

func (t *interfaces) miss(i int, n uint64) {
	if i >= 0 && i < len(t.lost) {
		t.lost[i] += n
	}
}

// describe is the number of p's interface in the file.
func (t *interfaces) describe(w *pcapfile.NgWriter, p *capture.Packet) (int, error) {
	if p.Iface < len(t.known) && t.known[p.Iface] == (described{p.Iface, p.Link}) {
		return p.Iface, nil
	}
	for n, k := range t.known {
		if k == (described{p.Iface, p.Link}) {
			return n, nil
		}
	}
	if err := t.describeAll(w); err != nil {
		return 0, err
	}
	for n, k := range t.known {
		if k == (described{p.Iface, p.Link}) {
			return n, nil
		}
	}
	var f capture.Interface
	if p.Iface >= 0 && p.Iface < len(t.list) {
		f = t.list[p.Iface]
	}
	f.Link = p.Link
	return t.add(w, p.Iface, f)
}

// describeAll writes the blocks of interfaces that have none.
func (t *interfaces) describeAll(w *pcapfile.NgWriter) error {
	next := 0
	for _, k := range t.known {
		next = max(next, k.iface+1)
	}
	for i := next; i < len(t.list); i++ {
		if _, err := t.add(w, i, t.list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *interfaces) add(w *pcapfile.NgWriter, i int, f capture.Interface) (int, error) {
	n, err := w.Interface(f)
	if err != nil {
		return 0, err
	}
	t.known = append(t.known, described{i, f.Link})
	return n, nil
}

// statistics writes what each interface received and lost since the file was
// begun, so that the files of a ring can be added up. What the disk refused is
// lost too. The second block of an interface says nothing.
func (t *interfaces) statistics(w *pcapfile.NgWriter, from, to capture.Time) error {
	if err := t.describeAll(w); err != nil {
		return err
	}
	for n, k := range t.known {
		if k.iface < 0 || k.iface >= len(t.list) {
			continue
		}
		f, start := t.list[k.iface], t.start[k.iface]
		received, dropped := since(f.Received, start.received), since(f.Dropped, start.dropped)
		if lost := t.lost[k.iface]; lost > 0 {
			dropped = capture.Count{Known: true, N: dropped.N + lost}
			t.lost[k.iface] = 0
		}
		if t.list[k.iface].Link != k.link {
			received, dropped = capture.Count{}, capture.Count{}
		}
		if err := w.Statistics(n, from, to, received, dropped); err != nil {
			return err
		}
	}
	return nil
}

func since(c capture.Count, start uint64) capture.Count {
	c.N -= min(c.N, start)
	return c
}
