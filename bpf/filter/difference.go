package filter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

// A Verdict is what Diff found out about two expressions.
type Verdict uint8

const (
	Unknown Verdict = iota // no difference was found, and none was ruled out
	Equivalent
	Different
)

func (v Verdict) String() string { return [...]string{"unknown", "equivalent", "different"}[v] }

// A Difference is what Diff found.
type Difference struct {
	Verdict Verdict
	// Witness is a packet on which the programs differ; nil unless Different.
	Witness *Witness
	// Short is a packet on which they differ only because it ends within its
	// first shortPacket bytes, before all that one of them reads; nil if none was
	// found. It does not count: a filter rejects a packet that ends before what
	// it reads, and in which order two filters read is seldom meant.
	Short *Witness
	// Steps is how many decisions were looked at, of at most MaxDiffSteps for
	// each of the two searches: for packets that hold all that is read, and for
	// those that end early. Paths is how many ways the first found to an end at
	// which the two differ, Tried how many packets were tried.
	Steps, Paths, Tried int
	// ShortOpen is set when the second search stopped at its bound.
	ShortOpen bool
	// Why says what stood in the way of an answer; empty unless Unknown.
	Why string
}

// A Witness is a packet that one of two filters keeps. Both programs were run
// on it.
type Witness struct {
	Text string // the packet in words
	Data []byte
	A, B bool // who keeps it
	// Beside is set when the outermost VLAN tag is beside the packet, as on a
	// live Linux socket; TCI is that tag.
	Beside bool
	TCI    uint16
}

// MaxDiffSteps bounds each search of Diff, to about a second.
const MaxDiffSteps = 1_000_000

const (
	// shortPacket is what a complete packet has at least, as far as a difference
	// is concerned: link header, two tags, IP and transport header.
	shortPacket = 96
	// longestPacket bounds what 'len' can say.
	longestPacket = 256 << 10
	diffPackets   = 20_000
)

// Diff says whether two expressions keep the same packets. Neither program has
// loops, so their paths are walked together, with what each path asks of the
// packet: equal bytes, masks, ranges and arithmetic on one byte or two are
// decided exactly, arithmetic beyond that only by its form. Sample conversations
// come first, and random packets around the constants of both last, where this
// leads to no answer.
//
// Equivalent means: on every packet of up to 256 KiB, captured whole, that holds
// the bytes which the two look at; see Short for others. An error is an *Error
// of the expression that has it.
func Diff(a, b *Expr, t Target) (*Difference, error) {
	d := &differ{g: newGraph(), target: t}
	d.canon = canon{g: d.g, tables: make(map[string]*calc)}
	for i, e := range []*Expr{a, b} {
		if err := d.add(i, e); err != nil {
			return nil, err
		}
	}
	out := &d.found
	if d.root[0] == d.root[1] {
		out.Verdict = Equivalent
		return out, nil
	}
	if d.trySamples(a) || d.trySamples(b) {
		return out, nil
	}
	s := pathSearch{differ: d}
	s.walk(d.root[0], d.root[1], xUnset, xUnset)
	out.Steps, out.Paths = s.steps, s.paths
	proved := !s.exhausted && !s.open
	if out.Witness == nil {
		// Where one of the two ends early for want of bytes.
		ending := pathSearch{differ: d, ends: true}
		ending.walk(d.root[0], d.root[1], xUnset, xUnset)
		out.Steps += ending.steps
		out.ShortOpen = ending.exhausted && out.Short == nil
	}
	switch {
	case out.Witness != nil:
		return out, nil
	case proved:
		out.Verdict = Equivalent
		return out, nil
	}
	out.Why = fmt.Sprintf("stopped after %d steps", MaxDiffSteps)
	if !s.exhausted {
		out.Why = fmt.Sprintf("arithmetic that is not followed, on %d of %d paths to a difference", s.unsolved, s.paths)
	}
	d.tryRandom(a, b)
	return out, nil
}

// A differ holds two filters, in one graph: equal parts are the same.
type differ struct {
	g       *graph
	canon   canon
	target  Target
	root    [2]*decision
	program [2][]bpf.RawInstruction
	found   Difference
}

func (d *differ) add(i int, e *Expr) error {
	root, err := d.g.clauses([]Clause{{Expr: e}}, d.target)
	if err != nil {
		return err
	}
	d.root[i] = simplify(d.g, root)
	// A filter that rejects everything is no program to attach, but one to compare.
	if d.program[i], err = emit(d.root[i]); err != nil {
		return err
	}
	d.root[i] = simplify(d.g, d.canon.graph(d.root[i]))
	return nil
}

// try runs both programs on a packet. It reports whether the search is over.
func (d *differ) try(data []byte, meta beside, words string) bool {
	d.found.Tried++
	a, allA := run(d.program[0], data, len(data), meta)
	b, allB := run(d.program[1], data, len(data), meta)
	if (a != 0) == (b != 0) {
		return false
	}
	w := &Witness{Data: data, A: a != 0, B: b != 0, Beside: meta.vlan, TCI: meta.tci, Text: words}
	if w.Text == "" {
		w.Text = inWords(data, d.target.Link)
	}
	if !(allA && allB) && len(data) < shortPacket {
		if d.found.Short == nil {
			d.found.Short = w
		}
		return false
	}
	d.found.Verdict, d.found.Witness, d.found.Short = Different, w, nil
	return true
}

// trySamples tries what is easiest to recognize: packets of network boots.
func (d *differ) trySamples(e *Expr) bool {
	for _, family := range samples(e) {
		for _, s := range family {
			for _, f := range s.frames {
				data, meta, ok := d.place(f.data)
				if ok && d.try(data, meta, s.name+": "+f.label) {
					return true
				}
			}
		}
	}
	// The ports that it names, over TCP and UDP, of machines that it names and
	// of others.
	server, client := ends(e)
	for _, port := range portsOf(e.root, nil) {
		for _, at := range [][2]netip.Addr{{server, client}, {netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.57")}} {
			rack := synth.Host{MAC: synth.MAC("52:54:00:00:00:02"), IP: at[0]}
			node := synth.Host{MAC: synth.MAC("52:54:00:12:34:56"), IP: at[1]}
			var c synth.Capture
			c.Dial(0, node, 49300, rack, port).Open()
			frames := [][]byte{synth.UDP(node, rack, 49300, port, make([]byte, 64)), synth.UDP(rack, node, port, 49300, make([]byte, 64))}
			for _, p := range c.Packets {
				frames = append(frames, p.Data)
			}
			for _, f := range frames {
				for _, f := range [][]byte{f, tagged([]sampleFrame{{"", f}}, 30)[0].data} {
					if data, meta, ok := d.place(f); ok && d.try(data, meta, "") {
						return true
					}
				}
			}
		}
	}
	return false
}

// portsOf are the first ports that an expression names, up to a bound.
func portsOf(n node, out []uint16) []uint16 {
	const enough = 32
	switch n := n.(type) {
	case joined:
		return portsOf(n.r, portsOf(n.l, out))
	case not:
		return portsOf(n.x, out)
	case portTerm:
		for _, p := range []uint16{n.lo, n.hi} {
			if len(out) < enough && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// place is an Ethernet frame as the target has it; false where it cannot be
// seen there.
func (d *differ) place(f []byte) ([]byte, beside, bool) {
	var meta beside
	typ := uint32(f[12])<<8 | uint32(f[13])
	tag := typ == typeVLAN
	switch {
	case d.target.Link == capture.LinkEthernet && d.target.Live && tag:
		meta = beside{vlan: true, tci: uint16(f[14])<<8 | uint16(f[15])}
		return append(append([]byte(nil), f[:12]...), f[16:]...), meta, true
	case d.target.Link == capture.LinkEthernet:
		return f, meta, true
	}
	l, err := d.target.layout()
	if err != nil {
		return nil, meta, false
	}
	head := make([]byte, l.payload)
	switch l.media {
	case cooked, cooked2:
		head[l.typ], head[l.typ+1] = f[12], f[13]
	case onlyIPv4:
		if typ != typeIP {
			return nil, meta, false
		}
	case onlyIPv6:
		if typ != typeIPv6 {
			return nil, meta, false
		}
	default:
		if typ != typeIP && typ != typeIPv6 {
			return nil, meta, false
		}
	}
	return append(head, f[14:]...), meta, true
}

// tryRandom writes what the filters compare with to where they look for it.
func (d *differ) tryRandom(a, b *Expr) {
	var base [][]byte
	var metas []beside
	for _, e := range []*Expr{a, b} {
		for _, family := range samples(e) {
			for _, s := range family {
				for _, f := range s.frames {
					if data, meta, ok := d.place(f.data); ok {
						base, metas = append(base, data), append(metas, meta)
					}
				}
			}
		}
	}
	if len(base) == 0 {
		return
	}
	var tests []*decision
	for _, root := range d.root {
		for _, n := range reachable(root) {
			if n.kind == branch {
				tests = append(tests, n)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2)) // the same packets every time
	for range diffPackets {
		i := r.IntN(len(base))
		data := append(append([]byte(nil), base[i]...), make([]byte, shortPacket)...)
		for range 1 + r.IntN(5) {
			if len(tests) == 0 || r.IntN(4) == 0 {
				data[r.IntN(len(data))] = byte(r.Uint32())
				continue
			}
			n := tests[r.IntN(len(tests))]
			at := uint64(n.v.off)
			if n.v.kind == transport || n.v.kind == shared {
				at += 20
			}
			k := n.k + uint32(r.IntN(3)) - 1
			for j := range uint64(n.v.size) {
				if at+j < uint64(len(data)) && n.v.kind != metadata && n.v.kind != wireLength {
					data[at+j] = byte(k >> (8 * (uint64(n.v.size) - 1 - j)))
				}
			}
		}
		if d.try(data, metas[i], "") {
			return
		}
	}
}
