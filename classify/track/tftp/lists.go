package tftp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A listKey is a search under way: one client, one server, one list.
type listKey struct {
	client, server wire.Addr
	dir            uint64 // hash
	id             listID
}

// A list is what a search has met since the last file that was there.
type list struct {
	misses      int
	lastMissing bool // its last element is missing too
	name        string
	code        uint16
	text        string
	client      finding.Endpoint
	server      finding.Endpoint
	vlan        uint16
	iface       int
	first, last capture.Time
	frames      []capture.FrameID
}

func keyOfList(key fetchKey, n *fileName) listKey {
	k := listKey{client: key.client, server: key.server, id: n.list}
	// GRUB 2.12 searches where it was loaded from, and then its prefix: one search.
	if n.list != listGRUBConfig {
		k.dir = hashName([]byte(n.dir))
	}
	return k
}

// miss takes an ERROR for an element of a search list.
func (t *tracker) miss(key fetchKey, fe *fetch, f *wire.Frame, code uint16, text []byte, out *track.Out) {
	lk := keyOfList(key, &fe.file)
	l := t.lists.Get(lk)
	if l != nil && l.client.MAC != fe.client.MAC {
		l = nil
	}
	if l == nil {
		l = t.lists.Put(lk)
		l.client, l.server, l.vlan, l.iface = fe.client, fe.server, fe.vlan, fe.iface
	}
	if l.misses == 0 {
		l.first, l.frames = fe.first, nil
	}
	l.misses++
	l.last = f.Time
	l.frames = finding.AppendFrame(l.frames, f.ID)
	if l.lastMissing {
		return // judged when the time after that is over, however often the client starts again
	}
	l.name, l.code, l.text = fe.name, code, clip(text)
	l.lastMissing = fe.file.last
	t.lists.SetDeadline(lk, f.Time.Add(t.th.TFTPSibling))
}

// listFound ends a search that found a file.
func (t *tracker) listFound(key fetchKey, fe *fetch, at capture.Time, out *track.Out) {
	lk := keyOfList(key, &fe.file)
	l := t.lists.Get(lk)
	if l == nil || l.misses == 0 {
		return
	}
	t.searchMiss(lk, l, fmt.Sprintf("%s in the search for the %s on %s, then %q was found: normal",
		finding.Count(l.misses, "miss", "misses"), lk.id, l.server.Addr, fe.name), fe.name, at, out)
	t.lists.Delete(lk)
}

// judgeList decides about a search that went no further.
func (t *tracker) judgeList(lk listKey, l *list, at capture.Time, out *track.Out) {
	if l.misses == 0 {
		return
	}
	if !l.lastMissing {
		t.searchMiss(lk, l, fmt.Sprintf("%s in the search for the %s on %s: normal",
			finding.Count(l.misses, "miss", "misses"), lk.id, l.server.Addr), "", at, out)
	} else {
		rule := RuleNotFound
		if !notFound(l.code, []byte(l.text)) {
			rule = RuleError
		}
		f := finding.Finding{
			Rule: rule, Subject: l.name, Severity: finding.Error, Confidence: rule.Confidence,
			Node: l.client, Server: l.server, VLAN: l.vlan, Iface: l.iface,
			Summary: fmt.Sprintf("%s has none of the files that the search for the %s asks for, the last one is %q: %s",
				l.server.Addr, lk.id, l.name, errorName(l.code, l.text)),
			Facts: []finding.Fact{
				{Key: "file", Value: l.name}, {Key: "list", Value: lk.id.String()}, {Key: "misses", Value: l.misses}, {Key: "error", Value: int(l.code)},
			},
			Frames: l.frames, First: l.first, Last: l.last,
		}
		t.addSibling(&f, lk.server, l.name)
		out.Find(f)
	}
	t.lists.Delete(lk)
}

func (t *tracker) searchMiss(lk listKey, l *list, summary, found string, at capture.Time, out *track.Out) {
	f := finding.Finding{
		Rule: RuleSearchListMiss, Subject: lk.id.String(), Severity: finding.OK, Confidence: finding.Certain,
		Node: l.client, Server: l.server, VLAN: l.vlan, Iface: l.iface,
		Summary: summary,
		Facts:   []finding.Fact{{Key: "list", Value: lk.id.String()}, {Key: "misses", Value: l.misses}},
		Frames:  l.frames, First: l.first, Last: at,
	}
	if found != "" {
		f.Facts = append(f.Facts, finding.Fact{Key: "found", Value: found})
	}
	out.Find(f)
}

// alternativeFound explains a miss of a file outside of any list in whose
// place the client got another one.
func (t *tracker) alternativeFound(missed, got *fetch, at capture.Time, out *track.Out) {
	f := t.finding(RuleSearchListMiss, missed, finding.OK)
	f.Summary = fmt.Sprintf("%q is not on %s, the client got %q in its place", missed.name, missed.server.Addr, got.name)
	f.Facts = append(f.Facts, finding.Fact{Key: "misses", Value: missed.errCount}, finding.Fact{Key: "found", Value: got.name})
	f.Frames = append([]capture.FrameID(nil), missed.errFrames...)
	f.First, f.Last = missed.errFirst, at
	out.Find(f)
}
