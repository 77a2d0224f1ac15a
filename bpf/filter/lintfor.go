package filter

import (
	"fmt"
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// LintFor is Lint for the services of a Request (Names, Phase, Platform,
// Exclude): only their conversations count, a conversation that is lost as a
// whole is a finding too, and so are packets of other services that are taken.
// A service whose conversation is not written out is asked and answered once on
// each of its ports.
func LintFor(text string, r *Request) (*Report, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	want, _, err := r.services()
	if err != nil {
		return nil, err
	}
	if len(want) == 0 {
		return nil, &Error{Msg: "no service is asked for"}
	}
	c := r.Catalog
	if c == nil {
		c = catalog.Default()
	}
	asked := make(map[string]bool)
	for _, s := range want {
		asked[s.ID] = true
	}
	match, err := Match(e, capture.LinkEthernet)
	if err != nil {
		return nil, err
	}
	// What is asked for, what else there is, and what has a conversation.
	var ours, others [][]sample
	shown := make(map[string]bool)
	for _, family := range samples(e) {
		of := family[0].services
		for _, id := range of {
			shown[id] = true
		}
		if slices.ContainsFunc(of, func(id string) bool { return asked[id] }) {
			ours = append(ours, family)
			for _, id := range of {
				asked[id] = true // one conversation: no part of it is taken wrongly
			}
		} else {
			others = append(others, family)
		}
	}
	taken := make(map[catalog.Port]bool) // ports of what is asked for, whoever else claims them
	for _, s := range c.Services() {
		if asked[s.ID] {
			for _, p := range s.Ports {
				taken[catalog.Port{Proto: p.Proto, Range: p.Range}] = true
			}
		}
	}
	// Whose port it is cannot be told: HTTP boot and APT both have port 80.
	others = slices.DeleteFunc(others, func(family []sample) bool {
		return slices.ContainsFunc(family[0].services, func(id string) bool {
			s := c.ByID(id)
			return s != nil && slices.ContainsFunc(s.Ports, func(p catalog.Port) bool { return overlaps(taken, p) })
		})
	})
	var mute []Finding
	for i := range c.Services() {
		s := &c.Services()[i]
		switch {
		case shown[s.ID]:
		case asked[s.ID]:
			frames := asking(e, s, nil)
			if len(frames) == 0 {
				mute = append(mute, Finding{ID: "no-sample", Reason: "no conversation to try it on", Sample: s.Name, Text: fmt.Sprintf("no conversation of %s (%s) to try it on", s.ID, s.Name)})
				continue
			}
			ours = append(ours, forms(s.Name, frames))
		default:
			if frames := asking(e, s, taken); len(frames) > 0 {
				others = append(others, []sample{{name: s.Name, frames: frames}})
			}
		}
	}
	fix := &fixer{catalog: c}
	for _, s := range want {
		fix.names = append(fix.names, s.ID)
	}
	rep, err := lint(text, e, ours, true, fix)
	if err != nil {
		return nil, err
	}
	rep.Findings = append(rep.Findings, wrongTakes(match, others)...)
	rep.Corrected = fix.correct(rep.Findings)
	rep.Findings = append(rep.Findings, mute...)
	return rep, nil
}

// wrongTakes are packets of other services, the smallest of each conversation.
// Later fragments say of no filter whose they are.
func wrongTakes(match func([]byte, int) bool, others [][]sample) []Finding {
	var out []Finding
	for _, family := range others {
		for _, s := range family {
			if s.id == "fragments" || s.tagged {
				continue
			}
			n := 0
			for _, p := range s.frames {
				if match(p.data, len(p.data)) {
					n++
				}
			}
			if n == 0 {
				continue
			}
			f := Finding{ID: "takes", Taken: true, Reason: "packets of other services", Sample: s.name, Count: n, Of: len(s.frames),
				Text: fmt.Sprintf("takes %d of %d packets of another service: %s", n, len(s.frames), s.name), Do: "name the ports, or take it out with 'and not'"}
			f.show(s.frames, match)
			out = append(out, f)
		}
	}
	return out
}

// asking is a request and an answer on every port that a service is expected
// on, without those of skip.
func asking(e *Expr, s *catalog.Service, skip map[catalog.Port]bool) []sampleFrame {
	server, client := ends(e)
	rack := synth.Host{MAC: synth.MAC("52:54:00:00:00:02"), IP: server}
	node := synth.Host{MAC: synth.MAC("52:54:00:12:34:56"), IP: client}
	if m, ok := macOf(e.root); ok {
		node.MAC = m
	}
	from := uint16(40002) // no service's port, and above those bound by reserved clients
	if s.ClientPorts.First != 0 {
		from = s.ClientPorts.Last
	}
	var out []sampleFrame
	for _, p := range s.Ports {
		if p.Use == catalog.Listed || p.Use == catalog.Client || overlaps(skip, p) {
			continue
		}
		if p.Proto == catalog.UDP {
			out = append(out, sampleFrame{fmt.Sprintf("request to UDP port %d", p.First), synth.UDP(node, rack, from, p.First, make([]byte, 40))},
				sampleFrame{fmt.Sprintf("answer from UDP port %d", p.First), synth.UDP(rack, node, p.First, from, make([]byte, 40))})
			continue
		}
		var c synth.Capture
		c.Dial(0, node, from, rack, p.First).Open().Close(true)
		for i, f := range c.Packets {
			out = append(out, sampleFrame{fmt.Sprintf("packet %d of a connection to TCP port %d", i+1, p.First), f.Data})
		}
	}
	return out
}

func overlaps(ports map[catalog.Port]bool, p catalog.Port) bool {
	for q := range ports {
		if q.Proto == p.Proto && q.First <= p.Last && p.First <= q.Last {
			return true
		}
	}
	return false
}
