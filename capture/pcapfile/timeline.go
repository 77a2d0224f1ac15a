package pcapfile

import (
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Options of Open.
type Options struct {
	// Stdin is what the path "-" means; nil refuses it.
	Stdin io.Reader
	// Progress is told how many bytes were read of how many that are to be
	// read; total is 0 when a pipe is among the inputs, and may grow when
	// an archive has to be read twice. Goroutines that decompress call it
	// too, one at a time: it must be quick.
	Progress func(done, total int64)
	// Limits bound what hostile input can cost.
	Limits Limits
}

// A Timeline is a capture.Source that joins many captures into one sequence
// ordered by time. Packets of one file keep their order where its clock steps
// back, but not what only capture queues have swapped (see inorder); between files
// the smaller time goes first, and of equal times the file that was named first.
// Captures that do not overlap in time are open one after the other. It is not
// safe for use by several goroutines.
type Timeline struct {
	disk     *disk
	progress progress
	limits   Limits
	inputs   []*input
	archives []*tarPasses
	heap     heap
	cur      *input       // delivered last, not in heap
	bound    capture.Time // smallest time in heap
	open     int          // inputs with a Reader
	spare    [][]byte     // buffers of readers that have ended
	ifaces   []ifaceRef
	one      [1]capture.Packet // of NextBatch
	skipped  int
	readable bool // some input could be read
	closed   bool
}

// batchSize is the most packets in a batch: 2.3 KB, so that they stay in the
// first cache until they are analyzed.
const batchSize = 32

// An input is one capture of a Timeline.
type input struct {
	no     int
	blob   *blob // nil when it will not be opened again
	s      *stream
	r      *Reader  // nil: parked or ended
	order  *inorder // nil: the packets of r come as they are
	head   capture.Packet
	key    capture.Time     // of head, or of the first packet while parked
	batch  []capture.Packet // of NextBatch; nil: not yet
	global []int            // Timeline.ifaces of the interfaces of r
	info   capture.FileInfo // while there is no r
	ifaces []capture.Interface
}

type ifaceRef struct {
	in *input
	no int
}

// Open reads captures from files, directories, which it walks, archives in
// them, and from "-". It finds all captures and the time of their first
// packets; packets come from Next.
//
// An input that cannot be read is told in Files. An error, which is an
// *OpenError and ErrUnreadable, means that none can be read.
func Open(paths []string, opt Options) (*Timeline, error) {
	opt.Limits = opt.Limits.withDefaults()
	t := &Timeline{limits: opt.Limits, progress: progress{report: opt.Progress}}
	t.disk = &disk{read: t.progress.add}
	w := &walker{t: t, opt: opt, seen: map[string]bool{}, memory: opt.Limits.Memory}
	for _, p := range paths {
		w.path(p)
	}
	t.skipped = w.skipped
	if !t.readable {
		t.Close()
		return nil, &OpenError{Inputs: w.failed}
	}
	t.progress.expect(w.remaining())
	return t, nil
}

// remaining is how many bytes are still to be read, as far as known: what was
// read of a file that is still open will not be read again.
func (w *walker) remaining() (n int64) {
	going := map[*root]bool{}
	for _, in := range w.t.inputs {
		if in.r != nil {
			going[in.blob.root] = true
		}
	}
	for _, rt := range w.roots {
		switch {
		case rt.held:
		case going[rt]:
			n += rt.size - min(rt.file.total.Load(), rt.size)
		default:
			n += rt.size
		}
	}
	return n
}

// Next returns the next packet of the timeline, and io.EOF after the last.
// Its Data is valid until the next call.
func (t *Timeline) Next(p *capture.Packet) error {
	if in := t.cur; in != nil {
		if err := in.next(p); err != nil {
			t.finish(in)
		} else if p.Time < t.bound && p.Iface < len(in.global) {
			p.Iface = in.global[p.Iface]
			return nil
		} else {
			in.head, in.key = *p, p.Time
			t.heap.push(in)
		}
		t.cur = nil
	}
	return t.nextOfAll(p)
}

// NextBatch implements capture.BatchSource. A batch holds packets of one input;
// where inputs take turns, and where packets are put in order, it is one packet.
func (t *Timeline) NextBatch(limit int) ([]capture.Packet, error) {
	before := t.cur
	if err := t.Next(&t.one[0]); err != nil {
		return nil, err
	}
	in := t.cur
	if in != before || in.order != nil {
		return t.one[:], nil
	}
	if in.batch == nil {
		in.batch = slices.Repeat(t.one[:], batchSize)
	}
	in.batch[0] = t.one[0]
	return in.batch[:in.r.more(in.batch[:min(limit, batchSize)], t.bound)], nil
}

// next reads a packet of in, and puts them in order of time from where it turns
// out that they are not.
func (in *input) next(p *capture.Packet) error {
	if in.order != nil {
		return in.order.next(in.r, p)
	}
	first, before := in.r.packets == 0, in.r.prev
	if first && !in.blob.once { // of a pipe, what has come of it has to do
		in.r.fill(len(in.r.buf) - in.r.off)
	}
	if err := in.r.Next(p); err != nil {
		return err
	}
	var window time.Duration
	switch {
	case len(in.r.ifaces) > 1:
		window = ifacesWindow
	case first && disordered(in.r), !first && swapped(before, p.Time):
		window = queuesWindow
	default:
		return nil
	}
	in.order = &inorder{window: window}
	in.order.add(p)
	return in.order.next(in.r, p)
}

// nextOfAll takes the packet with the smallest time of all inputs.
func (t *Timeline) nextOfAll(p *capture.Packet) error {
	if t.closed {
		return fs.ErrClosed
	}
	for len(t.heap) > 0 {
		in := t.heap.pop()
		if in.r == nil {
			if t.unpark(in) {
				t.heap.push(in)
			}
			continue
		}
		t.register(in, len(in.r.ifaces))
		*p = in.head
		p.Iface = in.global[p.Iface]
		t.cur, t.bound = in, math.MaxInt64
		if len(t.heap) > 0 {
			t.bound = t.heap[0].key
		}
		return nil
	}
	return io.EOF
}

// register numbers the interfaces of in.
func (t *Timeline) register(in *input, n int) {
	for len(in.global) < n {
		in.global = append(in.global, len(t.ifaces))
		t.ifaces = append(t.ifaces, ifaceRef{in, len(in.global) - 1})
	}
}

// park closes in until its time comes.
func (t *Timeline) park(in *input) {
	in.info = capture.FileInfo{Name: in.r.name, Format: in.r.format}
	t.release(in)
}

// unpark opens in again and reads its first packet.
func (t *Timeline) unpark(in *input) bool {
	s, _, _, _, _, err := in.blob.descend()
	if err == nil {
		r, e := newReader(s, in.info.Name, in.no, t.limits, t.buffer())
		if e == nil {
			in.r, in.s = r, s
			t.open++
			if in.next(&in.head) != nil {
				t.finish(in)
				return false
			}
			in.key = in.head.Time
			return true
		}
		s.close()
		err = e
	}
	e := explain(in.info.Name, err)
	in.info.Truncated, in.info.Damage = e.Truncated, e.Detail()
	in.blob = nil
	return false
}

// finish ends in: its last word is in info.
func (t *Timeline) finish(in *input) {
	in.info, in.ifaces = in.r.Info(), in.r.Interfaces()
	t.register(in, len(in.ifaces))
	t.release(in)
	in.blob = nil
}

func (t *Timeline) release(in *input) {
	if b := in.r.own; len(b) == bufferSize && len(t.spare) < keepOpen {
		t.spare = append(t.spare, b)
	}
	in.s.close()
	in.s, in.r, in.order, in.batch, in.head = nil, nil, nil, nil, capture.Packet{}
	t.open--
}

// buffer returns a buffer for a Reader: when many captures overlap, small
// ones do.
func (t *Timeline) buffer() []byte {
	if n := len(t.spare); n > 0 {
		b := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return b
	}
	if t.open >= 2*keepOpen {
		return make([]byte, bufferSize/8)
	}
	return make([]byte, bufferSize)
}

// Files describes the inputs: captures and what could not be read, in the
// order in which they were named or found. A capture that was not reached yet
// has no packets.
func (t *Timeline) Files() []capture.FileInfo {
	out := make([]capture.FileInfo, len(t.inputs))
	for i, in := range t.inputs {
		out[i] = in.info
		if in.r != nil {
			out[i] = in.r.Info()
		}
	}
	return out
}

// Interfaces describes the capture interfaces of the files reached so far.
func (t *Timeline) Interfaces() []capture.Interface {
	out := make([]capture.Interface, len(t.ifaces))
	for i, ref := range t.ifaces {
		if ref.in.r != nil {
			out[i] = ref.in.r.ifaces[ref.no].resolve(ref.in.no)
		} else {
			out[i] = ref.in.ifaces[ref.no]
		}
	}
	return out
}

// Skipped is the number of files in directories and members of archives that
// are no captures.
func (t *Timeline) Skipped() int { return t.skipped }

// Close closes all inputs. Files and Interfaces stay.
func (t *Timeline) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	t.cur, t.heap = nil, nil
	for _, in := range t.inputs {
		if in.r != nil {
			t.finish(in)
		}
		in.blob = nil
	}
	for _, a := range t.archives {
		a.close()
	}
	t.disk.close()
	return nil
}

// A heap holds inputs, the one with the earliest packet first.
type heap []*input

func (h heap) less(i, j int) bool {
	if h[i].key != h[j].key {
		return h[i].key < h[j].key
	}
	return h[i].no < h[j].no
}

func (h *heap) push(in *input) {
	*h = append(*h, in)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s.less(i, up) {
			break
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *heap) pop() *input {
	s := *h
	top := s[0]
	n := len(s) - 1
	s[0], s[n] = s[n], nil
	s = s[:n]
	*h = s
	for i := 0; ; {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && s.less(down+1, down) {
			down++
		}
		if !s.less(down, i) {
			break
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
	return top
}

// progress adds up what is read.
type progress struct {
	mu          sync.Mutex
	report      func(done, total int64)
	done, total int64
	unknown     bool // the total
}

// add counts n bytes.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	if p.report == nil {
		return
	}
	if p.unknown {
		p.report(p.done, 0)
	} else {
		p.report(min(p.done, p.total), p.total)
	}
}

// grow adds n bytes to what is to be read.
func (p *progress) grow(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
}

// expect sets what is still to be read.
func (p *progress) expect(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = p.done + max(n, 0)
}

// endless notes a pipe.
func (p *progress) endless() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unknown = true
}

var _ capture.BatchSource = (*Timeline)(nil)
