package classify

import (
	"testing"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
)

func TestRoles(t *testing.T) {
	c := catalog.Default()
	q := newQuality(site.Default(), c)
	for _, x := range []struct {
		service  string
		toServer bool
		h        headers
		want     role
	}{
		{"tftp", true, toOne, request},
		{"tftp", true, toOne | toSeveral, broadcast}, // to a network's broadcast address, by a MAC that is not known
		{"tftp", true, toSeveral, broadcast},
		{"tftp", false, toOne, reply},
		{"tftp", false, toSeveral, replyToSeveral},
		{"tftp", true, toOne | alike, noRole},
		{"tftp", false, toOne | alike, noRole},
		{"syslog", true, toOne, noRole}, // has no answers
		{"", true, toOne, noRole},
		{"", false, toOne, noRole},
	} {
		svc := catalog.None
		if x.service != "" {
			svc = c.ByID(x.service).Index
		}
		if got := q.role(x.h, svc, x.toServer); got != x.want {
			t.Errorf("%q to its server %v, headers %b: got role %d, want %d", x.service, x.toServer, x.h, got, x.want)
		}
	}
}
