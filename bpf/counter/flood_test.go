//go:build linux

package counter

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/pxescope/pxescope/bpf/filter"
)

// BenchmarkFlood sends packets through veth pairs at whose receiving ends sit,
// in turn: an empty tcx program, parts of the counter, the counter, the counter
// behind a filter; an empty nftables chain, and one with a set that has counters
// for the same ports and is asked for destination and source; then an empty XDP
// program and the counter as one. Half of the packets are of those ports.
//
// What makes it repeat, on a machine that does other things:
//
//   - veth delivers within the sender's system call, so the CPU time of the
//     sending thread is all that a packet costs, softirq included (but not on
//     kernels with CONFIG_IRQ_TIME_ACCOUNTING, which keep it apart).
//   - One system call sends a batch, as a driver polls in batches. With one for
//     each packet the call was four fifths of the time, and where the kernel
//     has page tables of its own (PTI) it emptied the TLB before every packet.
//   - A turn is 0.1 ms, and of a state's turns the 20th percentile is taken: it
//     is of those in which nobody disturbed. Of the epochs the half is taken in
//     which all states together were quickest.
//   - Where an interface lies in memory is worth some ns: every state has a lane
//     of its own, a pair on which it is ready, and is on the next in each epoch.
//   - Where a program lies is worth up to 20 ns, and the same in every run: the
//     kernel's own way of a packet fills the instruction cache, and some places
//     in it less than others. So each epoch has new programs, which lie
//     elsewhere, and the figure is their mean, without the lowest and the
//     highest tenth. The interval holds nine tenths of what other draws of
//     epochs from those seen would give (bootstrap).
func BenchmarkFlood(b *testing.B) {
	const epochs = 48
	if _, err := exec.LookPath("nft"); err != nil {
		b.Skip("needs nft (package nftables) to compare with")
	}
	m := floodMaps(b, nil)
	tcx := newSample(b, epochs, m, tcxStates)
	xdp := newSample(b, epochs, m, xdpStates)
	b.Logf("%.0f ns a packet with an empty tcx program, %.0f with an empty XDP program", tcx.median(floodEmpty), xdp.median(floodEmpty))
	for _, s := range []*sample{tcx, xdp} {
		for _, name := range s.names {
			if name != floodEmpty && name != floodNftEmpty {
				low, high := s.interval(func(d func(string) float64) float64 { return d(name) })
				b.Logf("%-52s %+6.1f ns (%+.1f to %+.1f)", name, s.added(name), low, high)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, x := range []struct {
		s            *sample
		name, metric string
	}{{tcx, floodCounter, "counter"}, {tcx, floodFiltered, "counter-filter"}, {xdp, floodXDP, "counter-xdp"}, {tcx, floodNft, "nft-set"}} {
		b.ReportMetric(x.s.added(x.name), "ns-"+x.metric)
	}
	nft := tcx.added(floodNft)
	low, high := tcx.interval(func(d func(string) float64) float64 { return d(floodNft) / max(d(floodCounter), 0.1) })
	b.Logf("counter to nftables: 1/%.1f on tcx (1/%.1f to 1/%.1f), 1/%.1f on XDP; the bar: 1/20",
		nft/max(tcx.added(floodCounter), 0.1), low, high, nft/max(xdp.added(floodXDP), 0.1))
}

// A sample is the ns a packet of each state, by epoch.
type sample struct {
	names []string
	spent map[string][]float64
}

func newSample(b testing.TB, epochs int, m *maps, states func(testing.TB, *maps) []floodState) *sample {
	s := &sample{spent: map[string][]float64{}}
	var l *lanes
	for epoch := range epochs {
		list := states(b, m)
		if l == nil {
			l = newLanes(b, len(list), floodFrames(m.layout))
		}
		s.names = s.names[:0]
		for i, ns := range l.run(list, epoch) {
			s.names = append(s.names, list[i].name)
			s.spent[list[i].name] = append(s.spent[list[i].name], ns)
		}
	}
	s.quietHalf()
	return s
}

// quietHalf keeps the epochs in which all states together took the least.
func (s *sample) quietHalf() {
	sum := make([]float64, len(s.spent[floodEmpty]))
	for _, spent := range s.spent {
		for i, ns := range spent {
			sum[i] += ns
		}
	}
	most := median(slices.Clone(sum))
	for name, spent := range s.spent {
		var quiet []float64
		for i, ns := range spent {
			if sum[i] <= most {
				quiet = append(quiet, ns)
			}
		}
		s.spent[name] = quiet
	}
}

func (s *sample) median(name string) float64 { return median(slices.Clone(s.spent[name])) }

// differences are what a state costs over its empty one, by epoch.
func (s *sample) differences(name string) (d []float64) {
	of := floodEmpty
	if name == floodNft {
		of = floodNftEmpty
	}
	for i, x := range s.spent[name] {
		d = append(d, x-s.spent[of][i])
	}
	return d
}

func (s *sample) added(name string) float64 { return middle(s.differences(name)) }

// middle is the mean without the lowest and the highest tenth.
func middle(x []float64) (mean float64) {
	slices.Sort(x)
	x = x[len(x)/10 : len(x)-len(x)/10]
	for _, v := range x {
		mean += v / float64(len(x))
	}
	return mean
}

// interval holds nine tenths of what a figure would be by other epochs, as far
// as these tell.
func (s *sample) interval(figure func(added func(string) float64) float64) (low, high float64) {
	const draws = 1000
	random, d := rand.New(rand.NewPCG(1, 2)), map[string][]float64{}
	for _, name := range s.names {
		d[name] = s.differences(name)
	}
	var all []float64
	for range draws {
		drawn := make([]int, len(s.spent[floodEmpty]))
		for i := range drawn {
			drawn[i] = random.IntN(len(drawn))
		}
		all = append(all, figure(func(name string) float64 {
			var x []float64
			for _, i := range drawn {
				x = append(x, d[name][i])
			}
			return middle(x)
		}))
	}
	slices.Sort(all)
	return all[draws/20], all[draws-draws/20]
}

// A floodState is what may sit at the receiving end.
type floodState struct {
	name    string
	program *ebpf.Program
	nft     func(device string) string // a script for a table beside the program
}

// Names of states.
const (
	floodEmpty    = "an empty program"
	floodCounter  = "the counter on tcx"
	floodFiltered = "the counter behind the provisioning filter"
	floodXDP      = "the counter on XDP"
	floodNftEmpty = "an empty nftables chain"
	floodNft      = "nftables set with counters"
)

func tcxStates(b testing.TB, m *maps) []floodState {
	empty := floodProgram(b, ebpf.SchedCLS, floodReturn(tcxNext))
	states := []floodState{{name: floodEmpty, program: empty}}
	for _, s := range floodSteps(m) {
		states = append(states, floodState{name: s.name, program: floodProgram(b, ebpf.SchedCLS, s.ins)})
	}
	return append(states,
		floodState{name: floodCounter, program: floodCount(b, m, TCX)},
		floodState{name: floodFiltered, program: floodCount(b, floodMaps(b, provisioning(b)), TCX)},
		floodState{name: floodNftEmpty, program: empty, nft: nftTable(nil)},
		floodState{name: floodNft, program: empty, nft: nftTable(m.layout)},
	)
}

func xdpStates(b testing.TB, m *maps) []floodState {
	return []floodState{
		{name: floodEmpty, program: floodProgram(b, ebpf.XDP, floodReturn(xdpPass))},
		{name: floodXDP, program: floodCount(b, m, XDP)},
	}
}

// floodCount is the counter as it is attached to an interface without jumbo frames.
func floodCount(b testing.TB, m *maps, h Hook) *ebpf.Program {
	p, err := m.program(h, 0, false, false)
	privileged(b, err)
	b.Cleanup(func() { p.Close() })
	return p
}

func floodMaps(b testing.TB, e *filter.Expr) *maps {
	m, err := newMaps(testLayout(b), e, 2)
	privileged(b, err)
	b.Cleanup(func() { m.close() })
	return m
}
