package follow

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
)

// A Filter is the program in the kernel. One serves any number of sockets,
// which share what is learnt.
type Filter struct {
	config  Config
	table   *ebpf.Map
	counts  *ebpf.Map
	clients *ebpf.Map
	servers *ebpf.Map
	calls   *ebpf.Map
	frags   *ebpf.Map
	program *ebpf.Program
}

// Load puts the filter into the kernel. It passes nothing until a socket is
// told to use FD. Its errors are of type *Error where something can be done
// about them. A Filter takes about 5 MB of the kernel's memory with the default
// sizes.
func Load(c Config) (*Filter, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	f := &Filter{config: c}
	if err := f.load(newRules(c)); err != nil {
		f.Close()
		return nil, explain(err)
	}
	return f, nil
}

func (f *Filter) load(r *rules) (err error) {
	c := &f.config
	for _, m := range []struct {
		at   **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&f.table, ebpf.MapSpec{Name: "pxe_rules", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: tableSize}},
		{&f.counts, ebpf.MapSpec{Name: "pxe_counts", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8 * counters, MaxEntries: 1}},
		{&f.clients, ebpf.MapSpec{Name: "pxe_clients", Type: ebpf.LRUHash, KeySize: portKeySize, ValueSize: valueSize, MaxEntries: c.Clients}},
		{&f.servers, ebpf.MapSpec{Name: "pxe_servers", Type: ebpf.LRUHash, KeySize: portKeySize, ValueSize: valueSize, MaxEntries: c.Servers}},
		{&f.calls, ebpf.MapSpec{Name: "pxe_calls", Type: ebpf.LRUHash, KeySize: callKeySize, ValueSize: callValueSize, MaxEntries: c.Calls}},
		{&f.frags, ebpf.MapSpec{Name: "pxe_fragments", Type: ebpf.LRUHash, KeySize: fragKeySize, ValueSize: valueSize, MaxEntries: c.Fragments}},
	} {
		if *m.at, err = ebpf.NewMap(&m.spec); err != nil {
			return fmt.Errorf("make the map %s: %w", m.spec.Name, err)
		}
	}
	if err := f.fill(r); err != nil {
		return fmt.Errorf("fill the filter's table: %w", err)
	}
	m := c.machine()
	m.order = binary.NativeEndian
	m.coarse = features.HaveProgramHelper(ebpf.SocketFilter, asm.FnKtimeGetCoarseNs) == nil
	m.table, m.counts, m.clients = f.table.FD(), f.counts.FD(), f.clients.FD()
	m.servers, m.calls, m.frags = f.servers.FD(), f.calls.FD(), f.frags.FD()
	if f.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "pxe_follow", Type: ebpf.SocketFilter, License: "Dual MIT/GPL", Instructions: emit(m),
	}); err != nil {
		return fmt.Errorf("load the filter: %w", err)
	}
	return nil
}

// fill writes the rules, in one call where the kernel has it (5.6).
func (f *Filter) fill(r *rules) error {
	image := r.image(binary.NativeEndian)
	keys := make([]uint32, len(image))
	for i := range keys {
		keys[i] = uint32(i)
	}
	_, err := f.table.BatchUpdate(keys, image, nil)
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return err
	}
	for i, x := range image {
		if x == 0 {
			continue
		}
		if err := f.table.Put(keys[i], x); err != nil {
			return err
		}
	}
	return nil
}

// FD is the program's file descriptor, for SO_ATTACH_BPF. It is the Filter's
// and ends with Close; a socket keeps what it was told to use.
func (f *Filter) FD() int { return f.program.FD() }

// Stats reads the counters. It may run while packets come, and needs no
// capability.
func (f *Filter) Stats() (Stats, error) {
	var cpus [][counters]uint64
	if err := f.counts.Lookup(uint32(0), &cpus); err != nil {
		return Stats{}, fmt.Errorf("read the filter's counters: %w", err)
	}
	var n [counters]uint64
	for i := range cpus {
		for j, x := range cpus[i] {
			n[j] += x
		}
	}
	s := Stats{
		Passed: n[countPassed], Dropped: n[countDropped], TFTP: n[countTFTP], RPC: n[countRPC], Fragments: n[countFragments],
		Failures: n[countFailures], Samples: n[countSamples], Strays: n[countStrays], Excess: n[countExcess],
	}
	for _, x := range []struct {
		n    uint64
		room uint32
	}{{s.TFTP, f.config.Clients}, {s.RPC, f.config.Servers}} {
		s.Evicted += x.n - min(x.n, uint64(x.room))
	}
	return s, nil
}

// Close gives back the Filter's descriptors. Sockets that use the filter go on
// with it.
func (f *Filter) Close() error {
	var errs []error
	if f.program != nil {
		errs = append(errs, f.program.Close())
	}
	for _, m := range []*ebpf.Map{f.table, f.counts, f.clients, f.servers, f.calls, f.frags} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}
