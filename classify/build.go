package classify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/oui"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Report concludes on what was analyzed so far. For a capture that has ended
// call Finish first; on a running one it is the state of this moment.
func (e *Engine) Report(src capture.Source) *Report {
	e.quality.files, e.quality.interfaces = src.Files(), src.Interfaces()
	limits := e.quality.limits(&e.clock)
	v := e.verdicts.judge(limits)
	r := &Report{
		Schema: Schema, Tool: Tool{"pxescope", e.opt.Version},
		Captures: captures(src.Files(), src.Interfaces()), Services: e.services.report(), Counts: e.counts(),
	}
	withheld := make(map[boot.Key][]doubted)
	for _, d := range v.withheld {
		withheld[d.node] = append(withheld[d.node], d)
	}
	roots := make(map[*entry][]string)
	open := 0
	e.nodes.Each(func(n *boot.Node) {
		entries := v.byNode[n.Key]
		if n.Kind == track.ClientProbe || len(entries) == 0 && len(n.Steps) == 0 {
			return // a search for servers, or a host known for one open exchange as a server
		}
		mine := make([]*finding.Finding, len(entries))
		for i, x := range entries {
			mine[i] = &x.Finding
		}
		doubts := withheld[n.Key]
		rn, root, known := e.desk.recall(n, mine, len(doubts) > 0)
		if !known {
			j := boot.Judge(n, mine, e.clock.now, e.site)
			if j.Outcome == boot.InProgress && !e.finished {
				j.Text = strings.Replace(j.Text, " when the capture ended", "", 1)
			}
			if j.Outcome == boot.Unknown {
				j.Text += silenced(doubts)
			}
			rn, root = e.node(n, mine, j), slices.Index(mine, j.Root)
			e.desk.keep(n, mine, rn, root)
		}
		if root >= 0 {
			roots[entries[root]] = append(roots[entries[root]], rn.Name())
		}
		for _, s := range n.Steps {
			if s.Outcome == track.Open {
				open++
			}
		}
		r.Nodes = append(r.Nodes, rn)
		r.Inconclusive = r.Inconclusive || undecided(boot.Outcome(rn.Outcome), doubts)
	})
	e.desk.turn()
	sortNodes(r.Nodes)
	for _, x := range v.findings {
		f := e.finding(x, src.Interfaces())
		f.RootCauseOf = roots[x]
		r.Findings = append(r.Findings, f)
	}
	r.Inconclusive = inconclusive(r, e.quality.oneSidedThroughout())
	r.Findings = promote(r.Findings, e.site.Thresholds.SiteNodes)
	evicted := e.dispatch.Evicted()
	if n := e.nodes.Evicted(); n > 0 {
		evicted["nodes"] = n
	}
	r.Quality = qualities(slices.Concat(limits, e.quality.others(&e.clock, e.copies, open, evicted, e.verdicts.dropped), e.unread.limits(src.Files())))
	r.Site = e.siteInfo()
	r.fillEmpty()
	return r
}

// silenced says which findings about a node a limit of the capture withholds.
func silenced(list []doubted) string {
	var said []string
	for _, d := range list {
		if s := fmt.Sprintf("; whether it is %s the capture cannot show (%s)", d.Rule.ID, d.limit.gate); d.Severity >= finding.Warning && !slices.Contains(said, s) {
			said = append(said, s)
		}
	}
	return strings.Join(said, "")
}

// undecided reports whether a node's boot is not known to have gone well or
// wrong, because an error about it had to be withheld for what the capture
// does not show.
func undecided(o boot.Outcome, list []doubted) bool {
	if o == boot.Booted || o == boot.Stopped {
		return false
	}
	return slices.ContainsFunc(list, func(d doubted) bool { return d.Severity == finding.Error && d.limit.hides })
}

// inconclusive is for a capture that shows too little to conclude from: there
// is no error in it, and either one about some node had to be withheld, or
// nothing but one direction was captured anywhere and no node is known to have
// booted.
func inconclusive(r *Report, oneSided bool) bool {
	for i := range r.Findings {
		if r.Findings[i].Severity == finding.Error.String() {
			return false
		}
	}
	if r.Inconclusive {
		return true
	}
	for i := range r.Nodes {
		if o := r.Nodes[i].Outcome; o == string(boot.Booted) || o == string(boot.Stopped) {
			return false
		}
	}
	return oneSided
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
	steps := n.Steps
	if !slices.IsSortedFunc(steps, earlier) {
		steps = slices.Clone(steps)
		slices.SortStableFunc(steps, earlier)
	}
	var evidence []capture.FrameID
	if j.Root != nil {
		r.RootCause = j.Root.Rule.ID
		evidence = j.Root.Frames
	}
	r.Timeline = make([]Step, 0, len(steps))
	for _, s := range steps {
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

func earlier(a, b *track.Exchange) int { return cmp.Compare(a.First, b.First) }

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
	f.ref = findingRef{id: f.ID, subject: x.Subject, node: hostOf(x.Node), server: hostOf(x.Server)}
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
	if !slices.IsSorted(ids) {
		ids = slices.Sorted(slices.Values(ids))
	}
	frames = make([]uint64, 0, len(ids))
	if len(ids) == 0 {
		return 0, frames, nil
	}
	file = ids[0].File()
	mixed := file != ids[len(ids)-1].File()
	for i, id := range ids {
		if i > 0 && id == ids[i-1] {
			continue
		}
		frames = append(frames, id.Number())
		if mixed {
			files = append(files, id.File())
		}
	}
	return file, frames, files
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
	s.Unclassified = e.services.count[catalog.None].packets
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
