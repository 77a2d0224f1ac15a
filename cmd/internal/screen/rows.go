package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pxescope/pxescope/classify"
)

// A row is one node of the list.
type row struct {
	node *classify.Node
	in   time.Duration // in its stage
}

func newRow(n *classify.Node, now classify.Time) row {
	return row{n, now.Std().Sub(since(n, now).Std())}
}

// since is when the node came to the stage in which it is: the first step of
// the last run of steps there.
func since(n *classify.Node, now classify.Time) classify.Time {
	at := now
	for i := len(n.Timeline) - 1; i >= 0; i-- {
		s := &n.Timeline[i]
		switch {
		case s.Stage == n.Stage:
			at = min(at, s.First)
		case s.Stage != "unknown" && s.Op != "ARP" && at != now:
			return at
		}
	}
	if at == now && len(n.Timeline) > 0 {
		return n.Timeline[0].First
	}
	return at
}

var stages = []string{"unknown", "link", "dhcp", "proxydhcp", "tftp", "http", "mount", "nfs", "metadata", "installed"}

func (o order) compare(a, b row) int {
	switch o {
	case byStage:
		return slices.Index(stages, a.node.Stage) - slices.Index(stages, b.node.Stage)
	case byTime:
		return cmp.Compare(b.in, a.in)
	case byName:
		return strings.Compare(a.node.Name(), b.node.Name())
	}
	return 0
}

// span is a duration in five columns: 12s, 3m05s, 2h10m, 12d.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
