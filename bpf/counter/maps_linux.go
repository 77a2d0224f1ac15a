package counter

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"

	"github.com/pxescope/pxescope/bpf/filter"
)

// maps are what the programs of one Counter share.
type maps struct {
	layout *Layout
	filter *filter.Expr
	cpus   int
	places int // interfaces times directions
	counts *ebpf.Map
	table  *ebpf.Map
	frags  *ebpf.Map
}

// rememberedFragments bounds the datagrams whose service is remembered.
const rememberedFragments = 4096

func (m *maps) countSize() int { return m.cpus * stride(m.places) }

func newMaps(l *Layout, f *filter.Expr, places int) (*maps, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count CPUs: %w", err)
	}
	m := &maps{layout: l, filter: f, cpus: cpus, places: places}
	if m.counts, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "pxe_counts", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(m.countSize()), MaxEntries: 1,
	}); err != nil {
		return nil, fmt.Errorf("make the counters: %w", err)
	}
	if m.table, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "pxe_ports", Type: ebpf.Array, KeySize: 4, ValueSize: tableSize, MaxEntries: 1,
		Contents: []ebpf.MapKV{{Key: uint32(0), Value: l.image(order)}},
	}); err != nil {
		m.close()
		return nil, fmt.Errorf("make the port table: %w", err)
	}
	if m.frags, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "pxe_fragments", Type: ebpf.LRUHash, KeySize: fragKeySize, ValueSize: 4, MaxEntries: rememberedFragments,
	}); err != nil {
		m.close()
		return nil, fmt.Errorf("make the fragments' map: %w", err)
	}
	return m, nil
}

func (m *maps) close() error {
	var errs []error
	for _, x := range []*ebpf.Map{m.counts, m.table, m.frags} {
		if x != nil {
			errs = append(errs, x.Close())
		}
	}
	return errors.Join(errs...)
}

// program loads the program that counts at place number n, or at n and n+1 for
// a socket filter, which sees both directions.
func (m *maps) program(h Hook, n int, xdpFrags, echo bool) (*ebpf.Program, error) {
	var pre *prefix
	if m.filter != nil {
		var err error
		if pre, err = newPrefix(m.filter, h, xdpFrags); err != nil {
			return nil, err
		}
	}
	typ := map[Hook]ebpf.ProgramType{TCX: ebpf.SchedCLS, Socket: ebpf.SocketFilter, XDP: ebpf.XDP, XDPGeneric: ebpf.XDP}[h]
	spec := &ebpf.ProgramSpec{
		Name: "pxe_count", Type: typ, License: "Dual MIT/GPL",
		Instructions: emit(m.layout, place{
			hook: h, order: order, cpus: m.cpus, stride: stride(m.places),
			base: n * block, egress: block, xdpFrags: xdpFrags, echo: echo, filter: pre,
			countFD: m.counts.FD(), tableFD: m.table.FD(), fragsFD: m.frags.FD(),
		}),
	}
	if xdpFrags {
		spec.Flags = bpfXDPHasFrags
	}
	p, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, fmt.Errorf("load the counter: %w", err)
	}
	return p, nil
}

const bpfXDPHasFrags = 1 << 5 // BPF_F_XDP_HAS_FRAGS, Linux 5.18

// haveXDPFrags reports whether XDP programs may see frames of several buffers.
func haveXDPFrags() bool {
	return features.HaveProgramHelper(ebpf.XDP, asm.FnXdpGetBuffLen) == nil
}

// read sums the counters over the CPUs: by place, then slot<<1|side.
func (m *maps) read() ([][]pair, error) {
	b := make([]byte, m.countSize())
	if err := m.counts.Lookup(uint32(0), b); err != nil {
		return nil, fmt.Errorf("read the counters: %w", err)
	}
	out := make([][]pair, m.places)
	for i := range out {
		out[i] = make([]pair, len(m.layout.slots)*2)
		for cpu := range m.cpus {
			counters := b[cpu*stride(m.places)+i*block:]
			for j := range out[i] {
				at := counters[(j>>1|j&1<<toBit)*pairSize:]
				out[i][j].packets += binary.NativeEndian.Uint64(at)
				out[i][j].bytes += binary.NativeEndian.Uint64(at[8:])
			}
		}
	}
	return out, nil
}

// forget empties the fragments' map.
func (m *maps) forget() error {
	var key [fragKeySize]byte
	for {
		err := m.frags.NextKey(nil, &key)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err == nil {
			err = m.frags.Delete(&key)
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("empty the fragments' map: %w", err)
		}
	}
}
