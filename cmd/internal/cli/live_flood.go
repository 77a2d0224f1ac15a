package cli

import (
	"encoding/json"
	"io"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track"
)

// A flood of made-up DHCP clients brings thousands of exchanges and nodes that
// are nobody. Lines about what got no further than DHCP come out of an
// allowance, large enough for a rack that is switched on; what else a node does,
// where it stopped, and all findings are told however many there are.
const (
	dhcpBurst     = 1000 // lines about exchanges of DHCP, and as many about new nodes
	dhcpPerSecond = 2
	shownBurst    = 200 // on lines for people
)

// An allowance of lines fills up with time.
type allowance struct {
	burst float64
	left  float64
	at    capture.Time
}

func newAllowance(burst float64) allowance { return allowance{burst: burst, left: burst} }

// refill is told the time; 0 is the end.
func (a *allowance) refill(at capture.Time) {
	if at == 0 {
		return
	}
	if a.at != 0 && at > a.at {
		a.left = min(a.burst, a.left+dhcpPerSecond*at.Sub(a.at).Seconds())
	}
	a.at = at
}

func (a *allowance) take() bool {
	if a.left < 1 {
		return false
	}
	a.left--
	return true
}

// onlyDHCP reports whether an exchange may be that of a made-up client.
func onlyDHCP(x *track.Exchange) bool {
	return x.Stage == track.StageDHCP || x.Stage == track.StageProxyDHCP
}

// maybeNobody reports whether a node may be a made-up client.
func maybeNobody(n *classify.NodeNews) bool {
	return (n.Stage == track.StageDHCP.String() || n.Stage == track.StageProxyDHCP.String()) && n.Outcome != "stopped"
}

// Omitted is what was left out of a flood since the last word about it.
type omitted struct {
	Type      string        `json:"type"` // omitted
	At        classify.Time `json:"at"`
	Exchanges int           `json:"exchanges"` // of DHCP
	Nodes     int           `json:"nodes"`     // that came and had to make room again
}

func (o *omitted) write(w io.Writer, at classify.Time) error {
	o.Type, o.At = "omitted", at
	return json.NewEncoder(w).Encode(o)
}

// due reports whether it is time for a word about it: every ten seconds, and at
// the end.
func (o *omitted) due(at capture.Time, last *capture.Time) bool {
	if o.Exchanges+o.Nodes == 0 || at != 0 && at.Sub(*last) < holdFor {
		return false
	}
	*last = at
	return true
}

// patience is how long news of a finding that only goes on is held back: longer
// for one of very many nodes, which is a long line.
func patience(f *classify.FindingNews) time.Duration {
	return holdFor * time.Duration(1+len(f.Nodes)/64)
}
