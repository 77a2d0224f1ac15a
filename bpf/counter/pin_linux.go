package counter

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/classify/catalog"
)

// A pinned counter is a directory of a BPF file system: the counters, what
// they are (meta), and the links that keep the programs attached. Removing the
// directory ends it.
const (
	pinCounts = "counts"
	pinMeta   = "meta"
	metaSize  = 1 << 17 // a filter has 64 KiB at most
)

// meta is what a later run needs to read pinned counters, as JSON.
type meta struct {
	Hook   Hook         `json:"hook"`
	Names  []string     `json:"names"`
	CPUs   int          `json:"cpus"`
	Filter string       `json:"filter,omitempty"`
	Learn  bool         `json:"learn,omitempty"`
	Learnt []LearntPort `json:"learnt,omitempty"`
	Layout string       `json:"layout"` // digest: another catalog numbers its slots otherwise
}

func (l *Layout) digest() string {
	b, err := json.Marshal(l.slots)
	if err != nil {
		panic(err) // slots hold strings and numbers
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// pinnedAt reports whether a counter is pinned in dir.
func pinnedAt(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, pinMeta))
	return err == nil
}

const mountHint = "mount -t bpf bpf /sys/fs/bpf, then --pin /sys/fs/bpf/pxescope"

// checkPin reports why dir cannot take pins.
func checkPin(dir string) error {
	var fsys unix.Statfs_t
	at := filepath.Dir(filepath.Clean(dir))
	if err := unix.Statfs(at, &fsys); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return &Error{fmt.Errorf("pin in %s: %s does not exist", dir, at), mountHint}
		}
		return fmt.Errorf("pin in %s: %w", dir, err)
	}
	if uint32(fsys.Type) != unix.BPF_FS_MAGIC {
		return &Error{fmt.Errorf("%s is no BPF file system: %w", at, ErrUnsupported),
			mountHint}
	}
	return nil
}

// pin makes the counter outlive the process.
func (c *Counter) pin(dir string) (err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &Error{fmt.Errorf("pin: %s exists and holds no counter", dir), "name a directory that does not exist yet"}
		}
		return fmt.Errorf("pin: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	c.meta, err = ebpf.NewMap(&ebpf.MapSpec{Name: "pxe_meta", Type: ebpf.Array, KeySize: 4, ValueSize: metaSize, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	if err := c.writeMeta(); err != nil {
		return err
	}
	for i, x := range c.attached {
		l, ok := x.(link.Link)
		if !ok {
			return &Error{fmt.Errorf("a socket filter ends with its process and cannot be pinned: %w", ErrUnsupported), "use --attach tcx (Linux 6.6) or xdp"}
		}
		if err := l.Pin(filepath.Join(dir, fmt.Sprintf("link-%d", i))); err != nil {
			return fmt.Errorf("pin: %w", err)
		}
	}
	if err := c.m.counts.Pin(filepath.Join(dir, pinCounts)); err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	// The last one: with it the counter is there for others.
	if err := c.meta.Pin(filepath.Join(dir, pinMeta)); err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	return nil
}

// writeMeta says what the counters are.
func (c *Counter) writeMeta() error {
	b, err := json.Marshal(meta{
		Hook: c.hook, Names: c.names, CPUs: c.m.cpus, Filter: c.filter,
		Learn:  c.learns,
		Learnt: c.learntPorts, Layout: c.digest,
	})
	if err != nil {
		return err
	}
	if len(b) > metaSize {
		return &Error{errors.New("pin: interfaces and filter are too long to be kept beside the counters"), "name fewer interfaces, or a shorter filter"}
	}
	value := make([]byte, metaSize)
	copy(value, b)
	if err := c.meta.Update(uint32(0), value, ebpf.UpdateAny); err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	return nil
}

// readMeta is what writeMeta wrote last.
func readMeta(m *ebpf.Map) (x meta, err error) {
	value := make([]byte, metaSize)
	if err := m.Lookup(uint32(0), value); err != nil {
		return x, fmt.Errorf("open the pinned counter: %w", err)
	}
	if err := json.Unmarshal(bytes.TrimRight(value, "\x00"), &x); err != nil {
		return x, fmt.Errorf("open the pinned counter: %w", err)
	}
	return x, nil
}

// learntBy takes over what the process that pinned the counter has learnt.
func (c *Counter) learntBy(x meta) {
	for _, p := range x.Learnt[min(len(c.learntPorts), len(x.Learnt)):] {
		proto := catalog.TCP
		if p.Proto == catalog.UDP.String() {
			proto = catalog.UDP
		}
		c.m.layout.learn(proto, p.Port, p.Service)
		c.learntPorts = append(c.learntPorts, p)
	}
}

// openPinned reads what an earlier run pinned.
func openPinned(cfg *Config) (_ *Counter, err error) {
	dir, of := cfg.Pin, *cfg
	c := &Counter{m: &maps{}, pinned: true}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.meta, err = ebpf.LoadPinnedMap(filepath.Join(dir, pinMeta), &ebpf.LoadPinOptions{ReadOnly: true}); err != nil {
		return nil, explain(fmt.Errorf("open the pinned counter: %w", err), TCX, "")
	}
	if c.meta.ValueSize() != metaSize {
		return nil, otherVersion(dir)
	}
	x, err := readMeta(c.meta)
	if err != nil {
		return nil, err
	}
	of.Learn = x.Learn
	l, err := of.layout()
	if err != nil {
		return nil, err
	}
	if x.Layout != l.digest() {
		return nil, &Error{fmt.Errorf("the counter in %s was made with another catalog", dir),
			"read it with the pxescope and the --catalog that made it, or end it: rm -r " + dir}
	}
	c.hook, c.names, c.filter = x.Hook, x.Names, x.Filter
	c.m.layout, c.m.cpus, c.m.places = l, x.CPUs, 2*len(x.Names)
	c.learntBy(x)
	if c.m.counts, err = ebpf.LoadPinnedMap(filepath.Join(dir, pinCounts), &ebpf.LoadPinOptions{ReadOnly: true}); err != nil {
		return nil, fmt.Errorf("open the pinned counter: %w", err)
	}
	if int(c.m.counts.ValueSize()) != c.m.countSize() {
		return nil, otherVersion(dir)
	}
	return c, nil
}

func otherVersion(dir string) error {
	return &Error{fmt.Errorf("the counters in %s are of another version: %w", dir, fs.ErrInvalid),
		"read them with the pxescope that made them, or end them: rm -r " + dir}
}
