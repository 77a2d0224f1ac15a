package classify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/wire"
)

// unread remembers packets that could not be decoded although all of their
// bytes are there; what the snap length cut is its own matter.
type unread struct {
	n     [wire.NumStops]uint64
	first [wire.NumStops]capture.FrameID
	links []capture.LinkType // those that are not read
}

// maxUnreadLinks bounds the link types named.
const maxUnreadLinks = 4

func (u *unread) frame(f *wire.Frame) {
	if f.CapLen < f.WireLen && f.Stop != wire.StopLinkType {
		return
	}
	if u.n[f.Stop]++; u.n[f.Stop] == 1 {
		u.first[f.Stop] = f.ID
	}
	if f.Stop == wire.StopLinkType && len(u.links) < maxUnreadLinks && !slices.Contains(u.links, f.Link) {
		u.links = append(u.links, f.Link)
	}
}

// limits tells of them: an unknown link type hides everything, a broken header
// one packet.
func (u *unread) limits(files []capture.FileInfo) []*limit {
	at := func(s wire.Stop) string {
		id := u.first[s]
		if id.File() < len(files) {
			return fmt.Sprintf("%s: frame %d", files[id.File()].Name, id.Number())
		}
		return fmt.Sprintf("frame %d", id.Number())
	}
	var out []*limit
	if n := u.n[wire.StopLinkType]; n > 0 {
		names := make([]string, len(u.links))
		for i, l := range u.links {
			names[i] = l.String()
		}
		out = append(out, &limit{gate: "link-type", severity: "warning", detail: fmt.Sprintf("%s: link type %s is not read (%s)",
			at(wire.StopLinkType), strings.Join(names, ", "), finding.Count(n, "packet", "packets"))})
	}
	for s := wire.StopNone + 1; s < wire.NumStops; s++ {
		if n := u.n[s]; n > 0 && s.String() != "" && s != wire.StopLinkType {
			out = append(out, &limit{gate: "undecoded", severity: "note", detail: fmt.Sprintf("%s: %s (%s)", at(s), s, finding.Count(n, "packet", "packets"))})
		}
	}
	return out
}
