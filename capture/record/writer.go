package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// ErrLimit is returned by Write when -G has made as many files as -W allows:
// tcpdump ends then, with status 0.
var ErrLimit = errors.New("the number of files is reached")

// ErrLinkType is matched by errors of a pcap file that would need a second
// link type.
var ErrLinkType = errors.New("a pcap file holds one link type: write pcapng, which a name as .pcapng asks for")

const retryEvery = time.Second // of capture time, after an error of the disk

// Options say what to write. Only Path is required.
type Options struct {
	// Path is the file, "-" for standard output. With RotateEvery its last
	// element may hold conversions of strftime(3), as %Y%m%d-%H%M%S, in local
	// time; without, % is a sign like any other.
	Path string
	// Format is "pcap" or "pcapng"; "" is pcap when Path ends in .pcap or
	// .cap, whatever its case, else pcapng.
	Format string
	// RotateBytes, tcpdump's -C, begins a new file with the first packet that
	// comes when the file is longer. See ParseSize.
	RotateBytes int64
	// RotateEvery, tcpdump's -G, begins a new file with the first packet that
	// comes so long after the file was begun; whole seconds.
	RotateEvery time.Duration
	// Files, tcpdump's -W, is with RotateBytes the number of files in the
	// ring, and with RotateEvery alone the number after which Write returns
	// ErrLimit. With neither it means nothing.
	Files int
	// Unbuffered writes each packet at once. Otherwise packets are written
	// when 256 KiB are full, with every tick, and each second.
	Unbuffered bool
	// Section is what the section header of each pcapng file says.
	Section pcapfile.Section
	// Interfaces are those known at the start. With pcap they give the link
	// type, which is otherwise that of the first packet.
	Interfaces []capture.Interface
	// Counts tells the interfaces when a file ends, so that its statistics are
	// not those of some time before; nil: what Write got last is told. It is
	// called by Write and Close.
	Counts func() []capture.Interface
	// Start is the time of the first file; 0 is now.
	Start capture.Time
	// Notice takes one line when the disk refuses packets, when it takes them
	// again, and when writing ends early; nil: nobody is told.
	Notice func(string)
}

// Stats are the counts of a Writer.
type Stats struct {
	Files      int    // begun
	Packets    uint64 // given to the files
	NotWritten uint64 // nearly always because the disk refused them
	Bytes      int64  // of all files, as far as written
}

// A Writer writes packets to files. It is not safe for use by several
// goroutines at a time.
type Writer struct {
	o      Options
	pcapng bool
	root   *os.Root // the directory of the files to come; nil: there is one file
	base   string   // name or template in it
	file   *os.File // nil: none is open
	path   string   // of file
	out    blockFile
	ng     *pcapfile.NgWriter
	pcap   *pcapfile.PcapWriter
	ifaces interfaces

	now     capture.Time
	flushed capture.Time
	opened  capture.Time
	slot    capture.Time // when the time of -G began; 0: with the next file
	number  int          // of -C
	periods int          // of -G that have ended

	trouble error // the disk refuses; nil: all is well
	tried   capture.Time
	missed  uint64 // packets of this trouble
	limit   bool
	over    error // why no more is written
	closed  bool
	odd     bool // a packet was left out for what it is
	scratch []byte
	stats   Stats
}

// Create opens the first file and the directory for those to come. An error of
// the file system is wrapped; others say what is wrong with the options.
func Create(o Options) (*Writer, error) {
	w := &Writer{o: o, base: filepath.Base(o.Path)}
	if err := w.check(); err != nil {
		return nil, err
	}
	w.now = o.Start
	if w.now == 0 {
		w.now = capture.Time(time.Now().UnixNano())
	}
	w.out.filler = func(n int) []byte {
		if len(w.ifaces.known) == 0 {
			return nil
		}
		w.scratch = statisticsFiller(w.scratch, w.now, n)
		return w.scratch
	}
	if o.Path != "-" && w.rotates() {
		root, err := os.OpenRoot(filepath.Dir(o.Path))
		if err != nil {
			return nil, fmt.Errorf("open the directory of %s: %w", o.Path, err)
		}
		w.root = root
	}
	err := w.begin(o.Interfaces)
	if err == nil {
		err = w.out.flush()
	}
	if err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}

func (w *Writer) rotates() bool { return w.o.RotateBytes > 0 || w.o.RotateEvery > 0 }

func (w *Writer) check() error {
	o := &w.o
	switch o.Format {
	case "pcap":
	case "pcapng":
		w.pcapng = true
	case "":
		ext := strings.ToLower(filepath.Ext(o.Path))
		w.pcapng = ext != ".pcap" && ext != ".cap"
	default:
		return fmt.Errorf("format %q: choose pcap or pcapng", o.Format)
	}
	switch {
	case o.Path == "":
		return errors.New("no file named")
	case o.RotateBytes < 0 || o.RotateEvery < 0 || o.Files < 0:
		return errors.New("sizes, times and numbers of files are positive")
	case o.RotateEvery%time.Second != 0:
		return fmt.Errorf("rotation every %v: want whole seconds", o.RotateEvery)
	case o.Path == "-" && w.rotates():
		return errors.New("standard output cannot be rotated: name a file")
	case o.RotateEvery > 0 && strings.Contains(filepath.Dir(o.Path), "%"):
		return fmt.Errorf("%s: put the time into the name of the file, not of a directory: the directory is opened once, at the start", o.Path)
	}
	for _, i := range o.Interfaces {
		if first := o.Interfaces[0].Link; !w.pcapng && i.Link != first {
			return linkError(o.Path, i.Link, first)
		}
	}
	if _, err := o.fileName(w.base, time.Unix(0, 0), 0); err != nil {
		return err
	}
	if o.RotateEvery > 0 && o.RotateBytes == 0 && !strings.Contains(w.base, "%") {
		w.notice("%s: no time is in the name (as %%Y%%m%%d-%%H%%M%%S), so that each file replaces the one before", o.Path)
	}
	return nil
}

func (w *Writer) notice(format string, args ...any) {
	if w.o.Notice != nil {
		w.o.Notice(fmt.Sprintf(format, args...))
	}
}

// Write takes a packet, or a tick, and the interfaces as they are known now:
// those that are new get their block, and the counts are told when a file
// ends. An error ends the writing: ErrLimit, ErrLinkType, or a stream whose
// reader is gone; it is told by Notice, returned again by each later Write, and
// but for ErrLimit by Close. Errors of the disk are told by Notice and Err
// instead.
func (w *Writer) Write(p *capture.Packet, ifaces []capture.Interface) error {
	switch {
	case w.closed:
		return os.ErrClosed
	case w.limit:
		return ErrLimit
	case w.over != nil:
		return w.over
	}
	err := w.write(p, ifaces)
	if err != nil && !w.limit {
		w.over = err
		w.notice("%v: no more packets are written", err)
	}
	return err
}

func (w *Writer) write(p *capture.Packet, ifaces []capture.Interface) error {
	if p.Time > 0 {
		w.now = p.Time
	}
	if w.o.RotateEvery > 0 && w.file != nil && w.age() >= w.o.RotateEvery {
		if err := w.period(ifaces); err != nil {
			return err
		}
	}
	if p.Tick() {
		return w.tick()
	}
	if w.o.RotateBytes > 0 && w.file != nil && w.out.size() > w.o.RotateBytes {
		w.finish(ifaces)
		w.number++
		if w.o.Files > 0 && w.number >= w.o.Files {
			w.number = 0
		}
	}
	if w.trouble != nil || w.file == nil {
		if err := w.resume(ifaces); err != nil {
			return err
		}
		if w.trouble != nil {
			w.miss(p.Iface, 1)
			return nil
		}
	}
	if err := w.packet(p, ifaces); err != nil {
		return err
	}
	if age := w.now.Sub(w.flushed); w.o.Unbuffered || age >= time.Second || age < 0 {
		return w.Flush()
	}
	return w.broken(w.out.err)
}

// age is how long ago the time of -G began, by the clock's seconds as tcpdump
// counts.
func (w *Writer) age() time.Duration {
	return time.Duration(int64(w.now)/1e9-int64(w.slot)/1e9) * time.Second
}

// period ends the file because its time is over. The next one is begun by a
// packet.
func (w *Writer) period(ifaces []capture.Interface) error {
	w.finish(ifaces)
	w.number, w.slot = 0, 0
	w.periods++
	if w.o.Files > 0 && w.o.RotateBytes == 0 && w.periods >= w.o.Files {
		w.limit = true
		return ErrLimit
	}
	return nil
}

func (w *Writer) tick() error {
	if w.trouble != nil {
		if w.file == nil {
			return nil
		}
		return w.resume(nil)
	}
	return w.Flush()
}

func (w *Writer) packet(p *capture.Packet, ifaces []capture.Interface) error {
	if len(ifaces) > len(w.ifaces.list) {
		w.ifaces.see(ifaces)
	}
	q := *p
	var err error
	if w.pcapng {
		if q.Iface, err = w.ifaces.describe(w.ng, p); err == nil {
			err = w.ng.WritePacket(&q, "")
		}
	} else {
		if w.pcap == nil {
			err = w.pcapHeader(p.Link, w.ifaces.snapLen(p.Iface))
		}
		if err == nil && w.pcapLink() != p.Link {
			return linkError(w.path, p.Link, w.pcapLink())
		}
		if err == nil {
			err = w.pcap.WritePacket(&q)
		}
	}
	switch {
	case err == nil:
	case w.out.dead:
		return w.broken(w.out.err)
	default: // a time that the format cannot hold
		if !w.odd {
			w.odd = true
			w.notice("%s: %v: this packet and others like it are left out", w.path, err)
		}
		w.stats.NotWritten++
		w.ifaces.miss(p.Iface, 1)
		return nil
	}
	w.out.markPacket()
	w.stats.Packets++
	return nil
}

// Flush writes what is in the buffer. It fails as Write does.
func (w *Writer) Flush() error {
	if w.file == nil {
		return nil
	}
	w.flushed = w.now
	return w.broken(w.out.flush())
}

// broken takes an error of the file: one for good is returned, of another the
// user is told, once.
func (w *Writer) broken(err error) error {
	switch {
	case err == nil:
		return nil
	case w.out.dead:
		return fmt.Errorf("write %s: %w", w.path, cause(err))
	case w.trouble == nil:
		w.begun(fmt.Errorf("write %s: %w", w.path, cause(err)))
	}
	return nil
}

// begun is called when the disk begins to refuse.
func (w *Writer) begun(err error) {
	w.trouble, w.tried, w.missed = err, w.now, 0
	w.notice("%v: packets are not written until this ends; the analysis goes on", err)
}

// cause is err without the operation and the path that os puts before it.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (w *Writer) miss(iface int, n uint64) {
	w.missed += n
	w.stats.NotWritten += n
	w.ifaces.miss(iface, n)
}

// resume begins a file, or tries again to write, at most once in retryEvery.
func (w *Writer) resume(ifaces []capture.Interface) error {
	if w.trouble != nil && w.now.Sub(w.tried).Abs() < retryEvery {
		return nil
	}
	w.tried = w.now
	if w.file == nil {
		if err := w.begin(ifaces); err != nil {
			if errors.Is(err, ErrLinkType) {
				return err
			}
			if w.trouble == nil {
				w.begun(err)
			}
			return nil
		}
	}
	if err := w.out.flush(); err != nil {
		return w.broken(err)
	}
	if w.trouble != nil {
		w.trouble = nil
		w.notice("%s: written again; %d packets are missing", w.path, w.missed)
	}
	return nil
}

// Err is why packets are not being written now; nil: they are.
func (w *Writer) Err() error { return w.trouble }

// Path is the file that is written, or was last.
func (w *Writer) Path() string { return w.path }

// Stats are the counts up to now.
func (w *Writer) Stats() Stats {
	s := w.stats
	s.Bytes += w.out.base
	return s
}

// Dirs names the directories in which files are going to be made.
func (w *Writer) Dirs() []string {
	if w.root == nil {
		return nil
	}
	return []string{filepath.Dir(w.o.Path)}
}

// Close ends the last file: the counts of ifaces go into it. It returns why
// the writing ended before, or why the last packets could not be written.
func (w *Writer) Close(ifaces []capture.Interface) error {
	var err error
	if w.file != nil {
		err = w.finish(ifaces)
	} else {
		err = w.trouble
	}
	w.closed = true
	w.release()
	if w.over != nil {
		return w.over
	}
	return err
}

func (w *Writer) release() {
	if w.root != nil {
		w.root.Close()
	}
	if w.file != nil && w.file != os.Stdout {
		w.file.Close()
		w.file = nil
	}
}
