package record

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// Errors of Save that mean that the bounds of a Recorder are met: nothing is
// wrong, but nothing was saved.
var (
	ErrRate = errors.New("too many findings at a time to save each of them")
	ErrFull = errors.New("the flight recorder has written all that it may in this run")
)

// RecorderOptions bound a Recorder. Zero fields mean the defaults.
type RecorderOptions struct {
	Memory   int           // bytes of the ring, default 16 MiB
	SnapLen  int           // bytes kept of a packet, default 2048
	Before   time.Duration // saved before Incident.First, default 10s
	MaxFiles int           // files in a run, default 200
	MaxBytes int64         // bytes of all files in a run, default 1 GiB
	// Burst is how many files may be saved at once; one more is allowed each
	// second of capture time. Each looks through all that is in memory, some
	// milliseconds in which the capture has to wait. Default 5.
	Burst   int
	Section pcapfile.Section // Comment is put before the incident's
}

func (o *RecorderOptions) defaults() {
	if o.Memory <= 0 {
		o.Memory = 16 << 20
	}
	if o.SnapLen <= 0 {
		o.SnapLen = 2048
	}
	o.SnapLen = min(o.SnapLen, o.Memory/4)
	if o.Before <= 0 {
		o.Before = 10 * time.Second
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 200
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Burst <= 0 {
		o.Burst = 5
	}
}

// An Incident is a finding as far as a flight recorder needs it.
type Incident struct {
	Rule    string // its id, for the file's name
	Node    string // for the file's name: a host name or a MAC; "" is the segment
	Summary string // the finding in one sentence, for the section's comment
	MACs    [][6]byte
	Addrs   []netip.Addr // of the node, all that are known
	Servers []netip.Addr // what these send to everybody, and ARP about them, is saved too
	Cites   []Cite
	First   capture.Time // of the finding; what Before allows is saved from then to now
	Last    capture.Time
}

// A Cite is a frame that the finding names, and what to tell about it.
type Cite struct {
	Frame capture.FrameID
	Text  string
}

// A Recorder keeps the last packets that it is given in memory and saves those
// around an incident. It is not safe for use by several goroutines at a time.
type Recorder struct {
	o      RecorderOptions
	dir    string
	root   *os.Root
	ring   ring
	ifaces []capture.Interface
	now    capture.Time

	tokens   float64
	tokensAt capture.Time
	stats    RecorderStats
}

// RecorderStats are the counts of a Recorder.
type RecorderStats struct {
	Files   int
	Bytes   int64
	Skipped int          // incidents that ErrRate and ErrFull answered
	Packets int          // in memory now
	Oldest  capture.Time // of these
}

// NewRecorder opens dir, which exists.
func NewRecorder(dir string, o RecorderOptions) (*Recorder, error) {
	o.defaults()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of the flight recorder: %w", err)
	}
	return &Recorder{o: o, dir: dir, root: root, ring: ring{buf: make([]byte, o.Memory)}, tokens: float64(o.Burst)}, nil
}

// Packet keeps a packet, in place of the oldest ones when memory is full.
// Ticks only tell the time. It allocates nothing but for new interfaces.
func (r *Recorder) Packet(p *capture.Packet, ifaces []capture.Interface) {
	r.now = p.Time
	if p.Tick() {
		return
	}
	if len(ifaces) > len(r.ifaces) {
		r.ifaces = append(r.ifaces[:0], ifaces...)
	}
	r.ring.put(p, r.o.SnapLen)
}

// Save writes what is known of an incident to a file of its own and returns
// the file's path. The file appears under its name when it is complete. ErrRate
// and ErrFull say that the incident was left out.
func (r *Recorder) Save(n Incident) (string, error) {
	if r.stats.Files >= r.o.MaxFiles || r.stats.Bytes >= r.o.MaxBytes {
		r.stats.Skipped++
		return "", fmt.Errorf("%w: %d files with %d bytes in %s", ErrFull, r.stats.Files, r.stats.Bytes, r.dir)
	}
	if d := r.now.Sub(r.tokensAt); d > 0 {
		r.tokens = min(float64(r.o.Burst), r.tokens+d.Seconds())
	}
	r.tokensAt = r.now
	if r.tokens < 1 {
		r.stats.Skipped++
		return "", ErrRate
	}
	r.tokens--
	path, size, err := r.save(&n)
	if err != nil {
		return "", err
	}
	r.stats.Files++
	r.stats.Bytes += size
	return path, nil
}

// Stats are the counts up to now.
func (r *Recorder) Stats() RecorderStats {
	s := r.stats
	s.Packets = r.ring.count
	r.ring.each(func(p *capture.Packet) bool { s.Oldest = p.Time; return false })
	return s
}

// Dirs names the directory in which files are going to be made.
func (r *Recorder) Dirs() []string { return []string{r.dir} }

// Close gives the memory back. What was saved stays.
func (r *Recorder) Close() error {
	r.ring = ring{}
	return r.root.Close()
}
