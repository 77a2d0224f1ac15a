package dhcp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// RuleIdentityCollision is identity-collision.
var RuleIdentityCollision = &finding.Rule{
	ID: "identity-collision", Ref: "FM-48", Severity: finding.Error, Confidence: finding.Certain,
	Title: "Two machines use one identity or get one address",
	Detect: "Two MACs send the same machine id (option 97) or, on one segment, the same client id (option 61), and both are active at one time: one of them speaks between two messages of one " +
		"transaction of the other, or between the other's firmware and the loader that this fetched. Or one address is offered to two MACs within 60 s (warning), or acknowledged to both (error), " +
		"without a RELEASE or DECLINE, another choice of the first, or one machine id behind both.",
	Means: "The DHCP server takes the two for one machine: they take each other's lease, boot file and name, and inventories merge them. In order of likelihood: a cloned virtual machine; " +
		"a board whose maker left a default UUID; a lease database that was split or restored, so that the server forgot an address.",
	Next: "Give each machine its own UUID (firmware setup, vendor's tool, \"virsh edit\"), or make the DHCP server key on the MAC (ignore-client-uids). For one address to two machines, " +
		"compare the lease databases of the servers.",
	Traps:      "The ports of one machine share its UUID and boot one after the other; that is not reported. All-zero, all-one and makers' default UUIDs are reported as bad-smbios-uuid.",
	References: []string{"RFC 4578 section 2.3", "RFC 2131 sections 2.1 and 4.2", "RFC 2132 section 9.14", "pxescope field catalogue FM-48"},
	Rank:       finding.RankOffer,
}

// RuleBadUUID is bad-smbios-uuid.
var RuleBadUUID = &finding.Rule{
	ID: "bad-smbios-uuid", Ref: "FM-48", Severity: finding.Note, Confidence: finding.Certain,
	Title:      "A machine has no usable UUID",
	Detect:     "Option 97 is all zeros, all ones, or the default of a board maker (00020003-0004-0005-0006-000700080009), or it comes from more than 8 MACs.",
	Means:      "The board left the factory without a UUID in its SMBIOS, or lost it in a firmware update. Whatever keys on the UUID (provisioning inventories, client ids of PXE ROMs) mixes such machines up.",
	Next:       "Write a UUID with the maker's tool, or key on the MAC.",
	Traps:      "A first boot after a board was replaced. Nothing fails by this alone.",
	References: []string{"RFC 4578 section 2.3", "SMBIOS DSP0134 section 7.2.1"},
}

const (
	// namesakeGap is the most between two messages that count as one attempt:
	// the longest timer of a PXE ROM.
	namesakeGap = 35 * time.Second
	// loaderGap is the most between a firmware's DHCP and that of the loader
	// which it fetched: a slow TFTP transfer.
	loaderGap = 120 * time.Second
	// leaseReuse is how soon one address for two clients is a collision.
	leaseReuse = 60 * time.Second
	// maxNamesakes is the MACs remembered of one id; a chassis has 2 to 8 ports.
	maxNamesakes = 8
)

// A nameKey is a machine id, the same everywhere, or a client id on a segment.
type nameKey struct {
	code byte
	id   [16]byte
	seg  segmentKey
}

// namesakes are the MACs that use one id, with the last request of each.
type namesakes struct {
	n    int
	all  [maxNamesakes]namesake
	many bool
}

type namesake struct {
	mac      wire.MAC
	xid      uint32
	secs     uint16
	typ      Type
	kind     track.ClientKind
	at       capture.Time
	frame    capture.FrameID
	reported bool
}

// identify follows the ids in a request.
func (s *Servers) identify(f *wire.Frame, m Message, o *Options, c *caller, out *track.Out) {
	c.seg = segmentOf(f)
	if v := o.Get(OptClientMachineID); len(v) == 17 && v[0] == 0 {
		c.guid, c.uuid = [16]byte(v[1:]), true
		if why := badUUID(c.guid); why != "" {
			if !c.badUUID {
				c.badUUID = true
				s.findBadUUID(f, m.CHAddr(), c.guid, why, out)
			}
		} else {
			s.namesake(f, m, o, nameKey{code: OptClientMachineID, id: c.guid}, out)
		}
	}
	// An id of hardware type 1 is the client's own MAC, one per port.
	if v := o.Get(OptClientID); len(v) > 1 && !(v[0] == 1 && bytes.Equal(v[1:], m[offCHAddr:offCHAddr+6])) {
		c.id = digest(v)
		// PXE ROMs send the machine id as client id; an empty one must not count.
		if len(v) != 17 || v[0] != 0 || badUUID([16]byte(v[1:])) == "" {
			s.namesake(f, m, o, nameKey{code: OptClientID, id: c.id, seg: c.seg}, out)
		}
	}
}

// digest makes 16 bytes of a client id: itself where it fits, two FNV-1a
// hashes of it where it does not.
func digest(v []byte) (d [16]byte) {
	if len(v) < len(d) {
		d[0] = byte(len(v))
		copy(d[1:], v)
		return d
	}
	for i, h := range []uint64{14695981039346656037, 0x9e3779b97f4a7c15} {
		for _, b := range v {
			h = (h ^ uint64(b)) * 1099511628211
		}
		for j := range 8 {
			d[8*i+j] = byte(h >> (8 * j))
		}
	}
	return d
}

var (
	// amiUUID is the default of AMI firmware, in the byte orders it comes in.
	amiUUID        = [16]byte{0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9}
	amiUUIDSwapped = [16]byte{3, 0, 2, 0, 4, 0, 5, 0, 0, 6, 0, 7, 0, 8, 0, 9}
)

func badUUID(id [16]byte) string {
	switch {
	case id == [16]byte{}:
		return "all zeros"
	case bytes.Count(id[:], []byte{0xff}) == len(id):
		return "all ones"
	case id == amiUUID || id == amiUUIDSwapped:
		return "the board maker's default"
	}
	return ""
}

// uuidText writes an id as firmware tools show it: the first three groups in
// little-endian order (RFC 4578 section 2.3, SMBIOS section 7.2.1).
func uuidText(id [16]byte) string {
	b := id
	b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7] = id[3], id[2], id[1], id[0], id[5], id[4], id[7], id[6]
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *Servers) findBadUUID(f *wire.Frame, mac wire.MAC, id [16]byte, why string, out *track.Out) {
	out.Find(finding.Finding{
		Rule: RuleBadUUID, Severity: finding.Note, Confidence: finding.Certain,
		Node: finding.Endpoint{MAC: mac}, VLAN: f.VLAN(), Iface: f.Iface,
		Summary: "the machine id " + uuidText(id) + " is " + why,
		Facts:   []finding.Fact{{Key: "uuid", Value: uuidText(id)}, {Key: "reason", Value: why}},
		Frames:  []capture.FrameID{f.ID}, First: f.Time, Last: f.Time,
	})
}

// namesake notes who uses an id and reports two that do so at one time.
func (s *Servers) namesake(f *wire.Frame, m Message, o *Options, k nameKey, out *track.Out) {
	g := s.names.At(k)
	mac := m.CHAddr()
	me := -1
	for i := range g.n {
		if g.all[i].mac == mac {
			me = i
		}
	}
	if me < 0 {
		if g.n == maxNamesakes {
			if !g.many && k.code == OptClientMachineID {
				g.many = true
				s.findBadUUID(f, mac, k.id, fmt.Sprintf("shared by more than %d MACs", maxNamesakes), out)
			}
			return
		}
		me = g.n
		g.n++
		g.all[me] = namesake{mac: mac}
	}
	now := namesake{mac: mac, xid: m.XID(), secs: m.Secs(), typ: o.Type(), kind: ClientKind(m, o), at: f.Time, frame: f.ID, reported: g.all[me].reported}
	was := g.all[me]
	g.all[me] = now
	if was.at == 0 || !now.continues(was) {
		return
	}
	for i := range g.n {
		x := &g.all[i]
		if i == me || x.at <= was.at || x.at >= now.at || x.reported && now.reported {
			continue
		}
		// Between firmware and its loader another port's loader may run, but
		// not another machine's firmware.
		if now.kind == track.ClientIPXE && was.kind != track.ClientIPXE && x.kind == track.ClientIPXE {
			continue
		}
		x.reported, g.all[me].reported = true, true
		s.findNamesakes(f, k, x, &was, &now, out)
	}
}

// continues reports whether n goes on with what its machine was doing in was,
// so that the machine cannot have been at something else in between. An xid
// alone does not tell: ROMs make it from the MAC, the same for each attempt.
func (n namesake) continues(was namesake) bool {
	gap := n.at.Sub(was.at)
	switch {
	case n.xid == was.xid && gap <= namesakeGap && was.typ == Discover && n.typ == Request:
		return true
	case n.xid == was.xid && gap <= namesakeGap && was.typ == n.typ && n.secs > was.secs:
		return true
	}
	return gap <= loaderGap && (was.kind == track.ClientPXE || was.kind == track.ClientHTTP) && n.kind == track.ClientIPXE
}

func (s *Servers) findNamesakes(f *wire.Frame, k nameKey, a, was, now *namesake, out *track.Out) {
	key, what := "uuid", "machine id "+uuidText(k.id)
	id := uuidText(k.id)
	if k.code == OptClientID {
		id = hex.EncodeToString(k.id[1 : 1+min(int(k.id[0]), 15)])
		key, what = "client_id", "client id (option 61)"
	}
	for _, n := range []struct{ me, other wire.MAC }{{now.mac, a.mac}, {a.mac, now.mac}} {
		out.Find(finding.Finding{
			Rule: RuleIdentityCollision, Subject: key + " " + n.other.String(), Severity: finding.Error, Confidence: finding.Certain,
			Node: finding.Endpoint{MAC: n.me}, VLAN: f.VLAN(), Iface: f.Iface,
			Summary: "uses the same " + what + " as " + n.other.String() + ", and both boot at one time",
			Facts:   []finding.Fact{{Key: key, Value: id}, {Key: "macs", Value: []string{n.me.String(), n.other.String()}}},
			Frames:  []capture.FrameID{was.frame, a.frame, now.frame}, First: was.at, Last: now.at,
		})
	}
}

// A leaseKey is an address on a segment; behind a relay, on the relay's.
type leaseKey struct {
	addr, giaddr wire.Addr
	seg          segmentKey
}

// A holder is who was given an address: the last client, and the one before.
type holder struct {
	now, before grantee
	said        finding.Severity
}

type grantee struct {
	mac    wire.MAC
	server wire.Addr
	at     capture.Time
	frame  capture.FrameID
	acked  bool
}

func (s *Servers) leaseKey(f *wire.Frame, m Message, addr wire.Addr) leaseKey {
	return leaseKey{addr, m.GIAddr(), segmentOf(f)}
}

// give follows the addresses handed out: one for two clients is a collision.
func (s *Servers) give(f *wire.Frame, m Message, o *Options, c *caller, v *server, out *track.Out) {
	mac := m.CHAddr()
	if mac.IsZero() || c != nil && c.kind == track.ClientProbe || ClientProbe(m, o) != "" {
		return
	}
	k := s.leaseKey(f, m, m.YIAddr())
	h := s.leases.At(k)
	g := grantee{mac: mac, server: v.key.id, at: f.Time, frame: f.ID, acked: o.Type() == Ack}
	if h.now.mac == mac {
		g.acked = g.acked || h.now.acked
	} else {
		h.before, h.said = h.now, finding.OK
	}
	h.now = g
	if !s.collides(h, c) {
		return
	}
	sev, what := finding.Warning, "was offered"
	if h.before.acked && g.acked {
		sev, what = finding.Error, "got"
	}
	if sev <= h.said {
		return
	}
	h.said = sev
	old := &h.before
	out.Find(finding.Finding{
		Rule: RuleIdentityCollision, Subject: "address " + m.YIAddr().String(), Severity: sev, Confidence: finding.Certain,
		Node: finding.Endpoint{MAC: mac, Addr: m.YIAddr()}, Server: v.endpoint(), VLAN: f.VLAN(), Iface: f.Iface,
		Summary: fmt.Sprintf("%s %s, which %s had been given %.1f s before", what, m.YIAddr(), old.mac, f.Time.Sub(old.at).Seconds()),
		Facts: []finding.Fact{
			{Key: "address", Value: m.YIAddr().String()}, {Key: "macs", Value: []string{mac.String(), old.mac.String()}},
			{Key: "servers", Value: []string{v.key.id.String(), old.server.String()}}, {Key: "both_acked", Value: sev == finding.Error},
		},
		Frames: []capture.FrameID{old.frame, f.ID}, First: old.at, Last: f.Time,
	})
}

// collides reports whether the address of h is in the hands of two machines; c
// is the client that has it now.
func (s *Servers) collides(h *holder, c *caller) bool {
	if h.before.mac.IsZero() || h.now.at.Sub(h.before.at) > leaseReuse {
		return false
	}
	first := s.callers.Get(h.before.mac)
	switch {
	case first == nil || c == nil: // one that said nothing here: it cannot be judged
		return false
	case first.forged || c.forged: // made-up clients
		return false
	case !h.before.acked && !first.chosen.IsZero() && first.chosen != h.before.server:
		return false // it took another offer, so the address was free again
	case c.uuid && first.uuid && c.guid == first.guid:
		return false // ports of one machine, or its clone: that has a rule
	case c.id != [16]byte{} && c.id == first.id:
		return false
	}
	return true
}

// free takes back an address that its client gave up.
func (s *Servers) free(f *wire.Frame, m Message, o *Options) {
	a := m.CIAddr()
	if o.Type() == Decline {
		a = o.Addr(OptRequestedAddr)
	}
	k := s.leaseKey(f, m, a)
	if h := s.leases.Get(k); h != nil && h.now.mac == m.CHAddr() {
		s.leases.Delete(k)
	}
}
