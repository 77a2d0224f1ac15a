package classify

import (
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/oui"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Report concludes on what was analyzed so far. For a capture that has ended
// call Finish first; on a running one it is the state of this moment.
func (e *Engine) Report(src capture.Source) *Report {
	e.quality.files, e.quality.interfaces = src.Files(), src.Interfaces()
	v := e.verdicts.judge(e.quality, &e.clock)
	r := &Report{
		Schema: Schema, Tool: Tool{"pxescope", e.opt.Version},
		Captures: captures(src.Files(), src.Interfaces()), Services: e.services.report(), Counts: e.counts(),
	}
	roots := make(map[*entry][]string)
	open := 0
	e.nodes.Each(func(n *boot.Node) {
		var mine []*finding.Finding
		byFinding := make(map[*finding.Finding]*entry)
		for _, x := range v.findings {
			if x.node == n.Key {
				mine = append(mine, &x.Finding)
				byFinding[&x.Finding] = x
			}
		}
		if e.hidden(n, mine) {
			return
		}
		j := boot.Judge(n, mine, e.clock.now, e.site)
		rn := e.node(n, mine, j)
		if j.Root != nil {
			x := byFinding[j.Root]
			roots[x] = append(roots[x], rn.Name())
		}
		for _, s := range n.Steps {
			if s.Outcome == track.Open {
				open++
			}
		}
		r.Nodes = append(r.Nodes, rn)
	})
	sortNodes(r.Nodes)
	for _, x := range v.findings {
		f := e.finding(x, src.Interfaces())
		f.RootCauseOf = roots[x]
		r.Findings = append(r.Findings, f)
	}
	r.Findings = promote(r.Findings, e.site.Thresholds.SiteNodes)
	copies, asked := e.copies.Share()
	evicted := e.dispatch.Evicted()
	if n := e.nodes.Evicted(); n > 0 {
		evicted["nodes"] = n
	}
	r.Quality = e.quality.report(&e.clock, copies, asked, v, open, evicted, e.verdicts.dropped)
	r.Site = e.siteInfo()
	r.Inconclusive = inconclusive(r, v)
	r.fillEmpty()
	return r
}

// hidden leaves out what is no booting machine: a probe, or a host that is
// known for one open exchange only as a server.
func (e *Engine) hidden(n *boot.Node, findings []*finding.Finding) bool {
	if n.Kind == track.ClientProbe {
		return true
	}
	return len(findings) == 0 && len(n.Steps) == 0
}

// inconclusive: a gate took findings back and nothing else explains anything.
func inconclusive(r *Report, v *verdict) bool {
	if len(v.suppressed) == 0 {
		return false
	}
	for _, f := range r.Findings {
		if f.Severity == "error" {
			return false
		}
	}
	for _, n := range r.Nodes {
		if n.Outcome == string(boot.Booted) {
			return false
		}
	}
	return true
}

func (e *Engine) counts() track.Counts {
	var c track.Counts
	e.dispatch.Count(&c)
	c.Packets = e.packets
	c.Undecoded = make(map[string]uint64)
	for s, n := range e.undecoded {
		if name := wire.Stop(s).String(); n > 0 && name != "" {
			c.Undecoded[name] = n
		}
	}
	for _, m := range []*map[string]uint64{&c.DHCP4.Messages, &c.DHCP6.Messages, &c.TFTP.Errors, &c.RPC.Calls, &c.RPC.Unanswered} {
		if *m == nil {
			*m = make(map[string]uint64)
		}
	}
	if c.DHCP4.Servers == nil {
		c.DHCP4.Servers = []string{}
	}
	return c
}

func captures(files []capture.FileInfo, ifaces []capture.Interface) []Capture {
	out := make([]Capture, len(files))
	for i, f := range files {
		c := Capture{
			File: f.Name, Format: f.Format, Linktypes: []string{}, Interfaces: []string{}, Packets: f.Packets, Bytes: f.Bytes,
			First: Time(f.First), Last: Time(f.Last), Truncated: f.Truncated, Damage: f.Damage,
			Dropped: f.Dropped.N, DroppedKnown: f.Dropped.Known, Comment: f.Comment,
		}
		for _, l := range f.Links {
			c.Linktypes = append(c.Linktypes, l.String())
		}
		for _, x := range ifaces {
			if x.File == i && x.Name != "" {
				c.Interfaces = append(c.Interfaces, x.Name)
			}
		}
		out[i] = c
	}
	return out
}

func (e *Engine) node(n *boot.Node, findings []*finding.Finding, j boot.Verdict) Node {
	r := Node{
		MAC: n.MAC.String(), Vendor: oui.Vendor(n.MAC), Addresses: []string{}, Hostname: n.Hostname, Arch: n.ArchName(),
		VLAN: []uint16{}, Boots: len(n.Boots), Stage: n.Stage.String(), Outcome: string(j.Outcome), Verdict: j.Text, NextExpected: j.Next,
		Findings: []string{},
	}
	for _, a := range n.Addrs {
		r.Addresses = append(r.Addresses, a.String())
	}
	for _, v := range n.VLANs {
		if v != 0 {
			r.VLAN = append(r.VLAN, v)
		}
	}
	for _, f := range findings {
		if !slices.Contains(r.Findings, f.Rule.ID) {
			r.Findings = append(r.Findings, f.Rule.ID)
		}
	}
	steps := slices.Clone(n.Steps)
	slices.SortStableFunc(steps, func(a, b track.Exchange) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return 0
	})
	var evidence []capture.FrameID
	if j.Root != nil {
		r.RootCause = j.Root.Rule.ID
		evidence = j.Root.Frames
	}
	for i := range steps {
		s := &steps[i]
		file, frames, _ := refs(s.Frames)
		r.Timeline = append(r.Timeline, Step{
			Stage: s.Stage.String(), Op: s.Op, Subject: s.Subject, Outcome: s.Outcome.String(),
			First: Time(e.clock.packet(s.First)), Last: Time(e.clock.packet(s.Last)), File: file, Frames: frames,
			Server: s.Server.Addr.String(), Tries: s.Tries, Bytes: s.Bytes, Detail: stepDetail(s),
		})
		if j.Root == nil && len(s.Frames) > 0 {
			evidence = s.Frames
		}
	}
	r.File, r.Frames, _ = refs(evidence)
	return r
}

func stepDetail(s *track.Exchange) string {
	if s.Outcome == track.Refused && s.Reason != "" {
		if s.Detail != "" {
			return s.Reason + "; " + s.Detail
		}
		return s.Reason
	}
	return s.Detail
}

func (e *Engine) finding(x *entry, ifaces []capture.Interface) Finding {
	f := Finding{
		ID: x.Rule.ID, Severity: x.Severity.String(), Confidence: x.Confidence.String(), Server: x.Server.Addr.String(), VLAN: x.VLAN,
		Title: x.Rule.Title, Summary: x.Summary, Next: x.Next, First: Time(e.clock.packet(x.First)), Last: Time(e.clock.packet(x.Last)),
		LoweredBy: x.LoweredBy, Facts: Facts{},
	}
	if f.Next == "" {
		f.Next = x.Rule.Next
	}
	if f.Server == "" {
		f.Server = x.Server.MAC.String()
	}
	switch {
	case !x.node.MAC.IsZero():
		f.Node = x.node.MAC.String()
	case !x.node.Addr.IsZero():
		f.Node = x.node.Addr.String()
	case !x.Node.MAC.IsZero():
		f.Node = x.Node.MAC.String()
	default:
		f.Node = x.Node.Addr.String()
	}
	if x.Iface < len(ifaces) {
		f.Interface = ifaces[x.Iface].Name
	}
	f.File, f.Frames, f.Files = refs(x.Frames)
	for _, a := range x.Facts {
		f.Facts = append(f.Facts, Fact(a))
	}
	return f
}

// refs splits frame ids into the first file, the numbers, and the file of each
// when they are of several files.
func refs(ids []capture.FrameID) (file int, frames []uint64, files []int) {
	frames = make([]uint64, len(ids))
	mixed := false
	for i, id := range ids {
		frames[i] = id.Number()
		mixed = mixed || id.File() != ids[0].File()
	}
	if len(ids) > 0 {
		file = ids[0].File()
	}
	if mixed {
		files = make([]int, len(ids))
		for i, id := range ids {
			files[i] = id.File()
		}
	}
	return file, frames, files
}

// promote makes one finding of the site out of what at least that many nodes share
// with one server.
func promote(list []Finding, atLeast int) []Finding {
	type key struct{ id, server, severity string }
	nodes := make(map[key][]string)
	for _, f := range list {
		k := key{f.ID, f.Server, f.Severity}
		if f.Node != "" && !slices.Contains(nodes[k], f.Node) {
			nodes[k] = append(nodes[k], f.Node)
		}
	}
	done := make(map[key]int)
	var out []Finding
	for _, f := range list {
		k := key{f.ID, f.Server, f.Severity}
		if f.Node == "" || len(nodes[k]) < atLeast {
			out = append(out, f)
			continue
		}
		i, ok := done[k]
		if !ok {
			done[k] = len(out)
			f.Nodes, f.Node = nodes[k], ""
			out = append(out, f)
			continue
		}
		s := &out[i]
		s.First, s.Last = min(s.First, f.First), max(s.Last, f.Last)
		s.RootCauseOf = append(s.RootCauseOf, f.RootCauseOf...)
		if len(s.Frames) < finding.MaxFrames && s.Files == nil && f.Files == nil && s.File == f.File {
			for _, n := range f.Frames {
				if len(s.Frames) < finding.MaxFrames && !slices.Contains(s.Frames, n) {
					s.Frames = append(s.Frames, n)
				}
			}
			slices.Sort(s.Frames)
		}
	}
	return out
}

// outcomeOrder is worst first.
var outcomeOrder = []string{string(boot.Stopped), string(boot.InProgress), string(boot.Unknown), string(boot.Booted)}

func sortNodes(nodes []Node) {
	slices.SortStableFunc(nodes, func(a, b Node) int {
		x, y := slices.Index(outcomeOrder, a.Outcome), slices.Index(outcomeOrder, b.Outcome)
		if x != y {
			return x - y
		}
		return strings.Compare(a.Name(), b.Name())
	})
}

func (e *Engine) siteInfo() SiteInfo {
	s := SiteInfo{DHCPServers: []string{}, BootServers: []string{}, Racks: []string{}, Regions: []string{}}
	for _, a := range e.site.Racks {
		s.Racks = append(s.Racks, a.String())
	}
	for _, a := range e.site.Regions {
		s.Regions = append(s.Regions, a.String())
	}
	s.Told = len(s.Racks)+len(s.Regions)+len(e.site.DHCPServers) > 0
	var dhcp, load []wire.Addr
	e.nodes.Each(func(n *boot.Node) {
		for _, x := range n.Steps {
			if x.Outcome != track.Answered || x.Server.Addr.IsZero() || x.Server.Addr.IsMulticast() {
				continue
			}
			switch x.Stage {
			case track.StageDHCP:
				if !slices.Contains(dhcp, x.Server.Addr) {
					dhcp = append(dhcp, x.Server.Addr)
				}
			case track.StageTFTP, track.StageHTTP, track.StageMount, track.StageNFS:
				if !slices.Contains(load, x.Server.Addr) {
					load = append(load, x.Server.Addr)
				}
			}
		}
	})
	for _, a := range dhcp {
		s.DHCPServers = append(s.DHCPServers, a.String())
	}
	for _, a := range load {
		s.BootServers = append(s.BootServers, a.String())
	}
	slices.Sort(s.DHCPServers)
	slices.Sort(s.BootServers)
	s.Unclassified = e.services.unclassified
	return s
}

// fillEmpty makes empty lists of absent ones: the JSON contract has no null.
func (r *Report) fillEmpty() {
	if r.Nodes == nil {
		r.Nodes = []Node{}
	}
	for i := range r.Nodes {
		if r.Nodes[i].Timeline == nil {
			r.Nodes[i].Timeline = []Step{}
		}
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for i := range r.Findings {
		if r.Findings[i].LoweredBy == nil {
			r.Findings[i].LoweredBy = []string{}
		}
	}
	if r.Quality == nil {
		r.Quality = []Quality{}
	}
	if r.Services == nil {
		r.Services = []ServiceCount{}
	}
}
