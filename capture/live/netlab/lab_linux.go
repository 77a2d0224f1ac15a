package netlab

import "fmt"

// MTU is the pairs', in bytes: jumbo frames pass too.
const MTU = 9000

// A Lab is two namespaces with veth pairs between them: each has one end of a
// pair, under the same name.
type Lab struct {
	Near, Far string // the test captures or counts in Near
	t         TB
}

// New makes the namespaces and pairs with these names, up.
func New(t TB, pairs ...string) *Lab {
	t.Helper()
	l := &Lab{Namespace(t, "near"), Namespace(t, "far"), t}
	for _, name := range pairs {
		l.Pair(name)
	}
	return l
}

// Pair makes one more pair.
func (l *Lab) Pair(name string) {
	l.t.Helper()
	Pair(l.t, l.Near, name, l.Far, name)
}

// IP runs ip(8).
func (l *Lab) IP(args ...string) {
	l.t.Helper()
	IP(l.t, args...)
}

// Wire sends from an interface of one of the namespaces.
func (l *Lab) Wire(ns, name string) *Wire {
	l.t.Helper()
	return NewWire(l.t, ns, name)
}

// In runs do as the function In does, and fails the test when do fails.
func (l *Lab) In(ns string, do func() error) {
	l.t.Helper()
	if err := In(ns, do); err != nil {
		l.t.Fatalf("%v", err)
	}
}

// Pair makes a veth pair with an end in each namespace, which may be the same
// one, both up. Nobody resolves addresses on it by ARP.
func Pair(t TB, nsA, a, nsB, b string) {
	t.Helper()
	mtu := fmt.Sprint(MTU)
	IP(t, "-n", nsA, "link", "add", a, "mtu", mtu, "type", "veth", "peer", "name", b, "mtu", mtu, "netns", nsB)
	IP(t, "-n", nsA, "link", "set", a, "arp", "off", "up")
	IP(t, "-n", nsB, "link", "set", b, "arp", "off", "up")
}
