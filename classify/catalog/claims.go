package catalog

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// claims reads protocol, ports, source_ports and program of a service. Where
// an unknown field was mistyped, what seems missing is not reported on top.
func (l *loader) claims(s *loaded, given map[string]*yaml.Node, mistyped bool) {
	protocol, ports := given["protocol"], given["ports"]
	switch {
	case protocol != nil && ports == nil && mistyped:
	case protocol != nil && ports == nil:
		l.fail(protocol.Line, "protocol: without ports; give both")
	case ports != nil && protocol == nil && mistyped:
	case ports != nil && protocol == nil:
		l.fail(ports.Line, "ports: without protocol; give tcp, udp or tcp/udp")
	case ports != nil:
		s.portsLine = ports.Line
		s.Ports = l.ports(l.protocols(protocol), ports)
	}
	if n := given["source_ports"]; n != nil {
		if n.Kind != yaml.ScalarNode {
			l.fail(n.Line, "source_ports: not a port or range, such as 1-1023")
		} else if r, ok := l.portRange("source_ports", n.Line, n.Value); ok {
			s.ClientPorts = r
		}
		if ports == nil { // what is claimed anew is this file's claim
			s.portsLine = n.Line
			s.Ports = slices.Clone(s.Ports)
			for i := range s.Ports {
				s.Ports[i].generation = l.load
			}
		}
	}
	if n := given["program"]; n != nil {
		s.Programs, s.programLine, s.programGeneration = nil, n.Line, l.load
		for _, v := range l.scalars("program", n) {
			p, err := strconv.ParseUint(v.Value, 10, 32)
			if err != nil || p == 0 {
				l.fail(v.Line, "program: %q is not an RPC program number (1-4294967295)", v.Value)
				continue
			}
			s.Programs = append(s.Programs, uint32(p))
		}
	}
}

func (l *loader) protocols(n *yaml.Node) []Proto {
	var out []Proto
	for _, v := range l.scalars("protocol", n) {
		for _, w := range strings.Split(v.Value, "/") {
			p, ok := map[string]Proto{"tcp": TCP, "udp": UDP}[strings.ToLower(w)]
			switch {
			case !ok:
				l.fail(v.Line, "protocol: %q is not known; tcp, udp or tcp/udp", v.Value)
				return nil
			case len(out) > 0 && out[0] == p || len(out) > 1:
				l.fail(v.Line, "protocol: %q twice", w)
				return nil
			}
			out = append(out, p)
		}
	}
	return out
}

func (l *loader) ports(protocols []Proto, n *yaml.Node) []Port {
	var ranges []Range
	total := 0
	for _, v := range l.scalars("ports", n) {
		r, ok := l.portRange("ports", v.Line, v.Value)
		if !ok {
			continue
		}
		for _, o := range ranges {
			if o.overlaps(r) {
				l.fail(v.Line, "ports: %s and %s overlap", o, r)
				ok = false
				break
			}
		}
		if total += int(r.Last) - int(r.First) + 1; total > maxServicePorts {
			l.fail(v.Line, "ports: more than %d for one service", maxServicePorts)
			return nil
		}
		if ok {
			ranges = append(ranges, r)
		}
	}
	var out []Port
	for _, p := range protocols {
		for _, r := range ranges {
			out = append(out, Port{Proto: p, Range: r, Use: Server, generation: l.load})
		}
	}
	return out
}

// portRange reads "69" or "5250-5259".
func (l *loader) portRange(field string, line int, text string) (Range, bool) {
	first, last, dash := strings.Cut(text, "-")
	if !dash {
		last = first
	} else if first == "" || last == "" {
		l.fail(line, "%s: %q is not a port (1-65535)", field, text)
		return Range{}, false
	}
	a, okA := l.port(field, line, strings.TrimSpace(first))
	if !okA {
		return Range{}, false
	}
	b, okB := l.port(field, line, strings.TrimSpace(last))
	if okB && b < a {
		l.fail(line, "%s: %s runs backwards", field, text)
		return Range{}, false
	}
	return Range{a, b}, okB
}

func (l *loader) port(field string, line int, text string) (uint16, bool) {
	p, err := strconv.ParseUint(text, 10, 16)
	if err == nil && p > 0 {
		return uint16(p), true
	}
	shown := text
	if _, numeric := strconv.ParseInt(text, 10, 64); numeric != nil {
		shown = strconv.Quote(text)
	}
	l.fail(line, "%s: %s is not a port (1-65535)", field, shown)
	return 0, false
}

// row is the line of the catalog that a service of a file adds.
func (l *loader) row(s *loaded, given map[string]*yaml.Node) Row {
	r := Row{
		Source: l.file, Number: len(l.added) + 1, Platform: Generic, Section: "Added by the site",
		Name: s.Name, SourcePorts: s.ClientPorts.String(), Note: s.Note,
	}
	if len(s.Platforms) > 0 {
		r.Platform = s.Platforms[0]
	}
	if n := given["who"]; n != nil {
		r.Who = l.text("who", n)
	}
	if n := given["requirement"]; n != nil {
		r.Requirement = l.text("requirement", n)
	}
	if len(s.From) > 0 && len(s.To) > 0 {
		r.Direction = joined(s.From) + " → " + joined(s.To)
	}
	var protocols, ports []string
	for _, p := range s.Ports {
		protocols = appendNew(protocols, p.Proto.String())
		ports = appendNew(ports, p.Range.String())
	}
	r.Protocol, r.Port = strings.Join(protocols, "/"), strings.Join(ports, ",")
	if r.Port == "" && len(s.Programs) > 0 {
		r.Port = strconv.FormatUint(uint64(s.Programs[0]), 10)
		r.Correction = "an ONC RPC program number, not a port; the port is learnt from portmap replies"
	}
	return r
}

func joined(roles []Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, "/")
}

func appendNew(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}
