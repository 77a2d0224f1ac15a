package filter

import (
	"fmt"
	"slices"

	"github.com/pxescope/pxescope/capture"
)

// tagAfter finds terms that 'and' joins although the left one wants an untagged
// frame and the right one a tag, which no packet has: 'udp port 67 and vlan 30'.
// The corrected expression has the tag first.
func (e *Expr) tagAfter(families [][]sample) (f Finding, corrected string, found bool) {
	var term, sorted node // the first of them
	var fix func(n node) node
	fix = func(n node) node {
		switch n := n.(type) {
		case joined:
			if !n.or {
				if better, ok := tagFirst(n); ok {
					if !found {
						term, sorted, found = n, better, true
					}
					return better
				}
			}
			return joined{or: n.or, l: fix(n.l), r: fix(n.r)}
		case not:
			return not{fix(n.x)}
		}
		return n
	}
	better := &Expr{root: fix(e.root)}
	if !found {
		return f, "", false
	}
	text := (&Expr{root: term}).String()
	f = Finding{ID: "vlan-after", Text: fmt.Sprintf("'%s' keeps no packet: what stands to the left of 'vlan' looks at untagged frames", text),
		Do: "put the tag first: " + (&Expr{root: sorted}).String()}
	// The smallest packet that it was meant to keep.
	match, err := Match(better, capture.LinkEthernet)
	was, err2 := Match(e, capture.LinkEthernet)
	if err != nil || err2 != nil {
		return f, "", false
	}
	ids := tagsOf(e.root, nil)
	for _, family := range families {
		for _, p := range tagged(family[0].frames, ids...) {
			if match(p.data, len(p.data)) && !was(p.data, len(p.data)) && (f.Data == nil || len(p.data) < len(f.Data)) {
				f.Frame, f.Data, f.Sample, f.Of = p.label, p.data, family[0].name+" behind that tag", len(family[0].frames)
			}
		}
	}
	if f.Data != nil {
		f.Words = inWords(f.Data, capture.LinkEthernet)
	}
	return f, better.String(), true
}

// tagFirst is terms joined by 'and' with those that ask for a tag first, when
// that makes sense of what keeps no packet as it stands.
func tagFirst(n joined) (node, bool) {
	var terms []node
	var flat func(node)
	flat = func(n node) {
		if j, ok := n.(joined); ok && !j.or {
			flat(j.l)
			flat(j.r)
			return
		}
		terms = append(terms, n)
	}
	flat(n)
	sorted := slices.Clone(terms)
	slices.SortStableFunc(sorted, func(a, b node) int {
		switch x, y := alwaysLayer(a), alwaysLayer(b); {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return 0
	})
	better := sorted[0]
	for _, t := range sorted[1:] {
		better = joined{l: better, r: t}
	}
	if !keepsNothing(n) || keepsNothing(better) {
		return n, false
	}
	return better, true
}

func keepsNothing(n node) bool {
	root, err := decide([]Clause{{Expr: &Expr{root: n}}}, Ethernet)
	return err == nil && root.kind == end && root.k == 0
}

// tagsOf are the VLANs that an expression names, in its order.
func tagsOf(n node, out []uint16) []uint16 {
	switch n := n.(type) {
	case joined:
		return tagsOf(n.r, tagsOf(n.l, out))
	case layerTerm:
		id := uint16(30)
		if n.has {
			id = uint16(n.id)
		}
		if n.name == "vlan" {
			return append(out, id)
		}
	}
	return out
}

// cooked finds packets that match on Ethernet and not when they come from a
// capture on all interfaces ('tcpdump -i any'), whose header is 20 bytes long
// and laid out otherwise (LINKTYPE_LINUX_SLL2).
func (e *Expr) cooked(families [][]sample, match func([]byte, int) bool) []Finding {
	const do = "capture on the interface itself, or use words such as 'port', 'host' and 'arp' in place of bytes"
	on, err := Match(e, capture.LinkSLL2)
	if err != nil {
		if usesLayers(e.root) {
			return nil // tcpdump says so itself, and the tag is beside the packet there
		}
		return []Finding{{ID: "cooked", Text: "on a cooked capture ('tcpdump -i any') it is refused: " + err.Error(), Do: do}}
	}
	var out []Finding
	for _, family := range families {
		f := Finding{ID: "cooked", Reason: "'tcpdump -i any' puts another header (LINUX_SLL2) in place of Ethernet's, so offsets in it and lengths differ",
			Sample: family[0].name + " in a cooked capture", Do: do}
		for _, p := range family[0].frames {
			if !match(p.data, len(p.data)) {
				continue
			}
			f.Of++
			c := sll2(p.data)
			if on(c, len(c)) {
				f.Count++
			} else if f.Data == nil || len(c) < len(f.Data) {
				f.Frame, f.Data = p.label, c
			}
		}
		if f.Data != nil {
			f.Words = inWords(f.Data, capture.LinkSLL2)
			f.Text = fmt.Sprintf("keeps %d of %d packets of %s: %s", f.Count, f.Of, f.Sample, f.Reason)
			out = append(out, f)
		}
	}
	return out
}

// sll2 is an Ethernet frame as a capture on all interfaces has it: protocol,
// interface, ARPHRD_ETHER, packet type, and the sender's address.
func sll2(frame []byte) []byte {
	kind := byte(0) // to us
	switch {
	case [6]byte(frame[:6]) == [6]byte{255, 255, 255, 255, 255, 255}:
		kind = 1
	case frame[0]&1 != 0:
		kind = 2
	}
	out := append([]byte{frame[12], frame[13], 0, 0, 0, 0, 0, 2, 0, 1, kind, 6}, frame[6:12]...)
	return append(append(out, 0, 0), frame[14:]...)
}
