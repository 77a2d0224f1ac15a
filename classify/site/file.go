package site

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Parse reads a site file (YAML) over base, which is left alone. Lists of the
// file are added to those of base, thresholds and profiles replace them by
// name. Errors name file, line and field.
//
//	rack: [10.0.0.2]
//	region: [10.0.0.3]
//	dhcp_server: [10.0.0.2]
//	node_net: [10.0.0.0/24]
//	admin_net: [10.9.0.0/16]
//	bmc_net: [10.8.0.0/16]
//	thresholds: {offer_grace: 8s, discover_error: 6}
//	profiles:
//	  - {name: acme-rom, gaps: [2s, 4s, 8s], give_up: 30s}
func Parse(name string, data []byte, base *Site) (*Site, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	s := *base
	s.Racks, s.Regions, s.DHCPServers = slices.Clone(base.Racks), slices.Clone(base.Regions), slices.Clone(base.DHCPServers)
	s.NodeNets, s.AdminNets, s.BMCNets = slices.Clone(base.NodeNets), slices.Clone(base.AdminNets), slices.Clone(base.BMCNets)
	s.Profiles = slices.Clone(base.Profiles)
	if len(doc.Content) == 0 { // an empty file
		return &s, nil
	}
	p := parser{name: name}
	addrs := map[string]*[]netip.Addr{"rack": &s.Racks, "region": &s.Regions, "dhcp_server": &s.DHCPServers}
	nets := map[string]*[]netip.Prefix{"node_net": &s.NodeNets, "admin_net": &s.AdminNets, "bmc_net": &s.BMCNets}
	p.mapping(doc.Content[0], "the file", func(key, val *yaml.Node) {
		switch {
		case addrs[key.Value] != nil:
			p.list(val, key.Value, func(n *yaml.Node) {
				a, err := netip.ParseAddr(n.Value)
				if err != nil {
					p.fail(n, key.Value, "%q is not an address", n.Value)
					return
				}
				*addrs[key.Value] = append(*addrs[key.Value], a.Unmap())
			})
		case nets[key.Value] != nil:
			p.list(val, key.Value, func(n *yaml.Node) {
				x, err := ParseNet(n.Value)
				if err != nil {
					p.fail(n, key.Value, "%v", err)
					return
				}
				*nets[key.Value] = append(*nets[key.Value], x)
			})
		case key.Value == "thresholds":
			p.thresholds(val, &s.Thresholds)
		case key.Value == "profiles":
			p.list(val, key.Value, func(n *yaml.Node) { p.profile(n, &s.Profiles) })
		default:
			p.fail(key, key.Value, "unknown field; there are rack, region, dhcp_server, node_net, admin_net, bmc_net, thresholds, profiles")
		}
	})
	if p.err != nil {
		return nil, p.err
	}
	return &s, nil
}

// ParseNet reads a network in CIDR form, or a single address.
func ParseNet(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/24", text)
	}
	return n.Masked(), nil
}

// A parser keeps the first error.
type parser struct {
	name string
	err  error
}

func (p *parser) fail(n *yaml.Node, field, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%s:%d: %s: %s", p.name, n.Line, field, fmt.Sprintf(format, args...))
	}
}

func (p *parser) mapping(n *yaml.Node, what string, f func(key, val *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, what, "must be a mapping of names to values")
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if seen[k.Value] {
			p.fail(k, k.Value, "is given twice")
		}
		seen[k.Value] = true
		f(k, n.Content[i+1])
	}
}

// list takes one value for a list of one.
func (p *parser) list(n *yaml.Node, what string, f func(*yaml.Node)) {
	switch n.Kind {
	case yaml.SequenceNode:
		for _, x := range n.Content {
			f(x)
		}
	case yaml.ScalarNode, yaml.MappingNode:
		f(n)
	default:
		p.fail(n, what, "must be a list")
	}
}

func (p *parser) thresholds(n *yaml.Node, t *Thresholds) {
	p.mapping(n, "thresholds", func(key, val *yaml.Node) {
		field, ok := thresholdField(t, key.Value)
		if !ok {
			p.fail(key, key.Value, "unknown threshold; 'pxescope explain thresholds' lists them")
			return
		}
		switch v := field.Addr().Interface().(type) {
		case *time.Duration:
			d, err := time.ParseDuration(val.Value)
			if err != nil || d < 0 {
				p.fail(val, key.Value, "%q is not a duration such as 5s or 300ms", val.Value)
				return
			}
			*v = d
		case *int:
			if val.Decode(v) != nil || *v < 1 {
				p.fail(val, key.Value, "%q is not a count of at least 1", val.Value)
			}
		case *float64:
			if val.Decode(v) != nil || *v < 0 || *v > 1 {
				p.fail(val, key.Value, "%q is not a share between 0 and 1", val.Value)
			}
		}
	})
}

func thresholdField(t *Thresholds, name string) (reflect.Value, bool) {
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// Value is the threshold of a yaml name, for printing.
func (t *Thresholds) Value(name string) (any, bool) {
	f, ok := thresholdField(t, name)
	if !ok {
		return nil, false
	}
	return f.Interface(), true
}

func (p *parser) profile(n *yaml.Node, profiles *[]Profile) {
	var x Profile
	p.mapping(n, "profiles", func(key, val *yaml.Node) {
		switch key.Value {
		case "name":
			x.Name = val.Value
		case "note":
			x.Note = val.Value
		case "give_up":
			x.GiveUp = p.duration(val, key.Value)
		case "gaps":
			p.list(val, key.Value, func(g *yaml.Node) { x.Gaps = append(x.Gaps, p.duration(g, key.Value)) })
		default:
			p.fail(key, key.Value, "unknown field; a profile has name, gaps, give_up, note")
		}
	})
	if x.Name == "" || len(x.Gaps) == 0 {
		p.fail(n, "profiles", "a profile needs name and gaps")
		return
	}
	if i := slices.IndexFunc(*profiles, func(q Profile) bool { return q.Name == x.Name }); i >= 0 {
		(*profiles)[i] = x
		return
	}
	*profiles = append([]Profile{x}, *profiles...)
}

func (p *parser) duration(n *yaml.Node, field string) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if err != nil || d < 0 {
		p.fail(n, field, "%q is not a duration such as 5s", n.Value)
	}
	return d
}
