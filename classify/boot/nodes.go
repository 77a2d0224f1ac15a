package boot

import (
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/dhcp"
	"github.com/pxescope/pxescope/classify/wire"
)

// A rank is how much is known of a node, and which table it is in. In a table the
// node that has been there longest makes room, for one of its own rank only: made-up
// clients that ask for addresses, or get them, push out each other and no machine
// that loaded something.
type rank uint8

const (
	stranger rank = iota // asked for something, or was offered an address
	client               // got an address, or asked for one again and again
	machine              // loaded something
	numRanks
)

// maxNodes bounds the nodes kept of each rank: about 80 MiB if each had a full
// timeline, one tenth of that in practice.
var maxNodes = [numRanks]int{2048, 4096, 4096}

// Nodes is the join. It behaves like a tracker that reads exchanges.
type Nodes struct {
	site    *site.Site
	nodes   [numRanks]*track.Table[Key, Node]
	byAddr  map[addrKey]Key
	macs    map[wire.MAC]macSeen // Ethernet sources of exchanges that no lease explains
	servers map[wire.Addr]bool   // who answered: never nodes by their traffic alone
	vlans   map[uint16]*vlanSeen
	watched watched
	evicted uint64
	changes uint64 // Version of the node that changed last
}

func (n *Nodes) changed(v *Node) {
	n.changes++
	v.Version = n.changes
}

type addrKey struct {
	vlan uint16
	addr wire.Addr
}

type macSeen struct {
	addr   wire.Addr
	router bool
}

// A vlanSeen is a VLAN in which a server answered.
type vlanSeen struct {
	nodes map[Key]bool // that were acknowledged, maxServed at most
}

// maxServed is how many acknowledged nodes of a VLAN are told apart.
const maxServed = 64

// maxNames bounds the look-up maps beside the tables; when one is full it is
// rebuilt from the nodes that are still known.
const maxNames = 16384

// New makes an empty join.
func New(cfg *track.Config) *Nodes {
	n := &Nodes{
		site: cfg.Site, byAddr: make(map[addrKey]Key), macs: make(map[wire.MAC]macSeen),
		servers: make(map[wire.Addr]bool), vlans: make(map[uint16]*vlanSeen),
	}
	for r := range n.nodes {
		n.nodes[r] = track.NewTable(maxNodes[r], func(_ Key, v *Node) {
			n.watched.drop(v)
			n.evicted++
		})
	}
	return n
}

// Evicted is how many nodes were dropped because the table was full.
func (n *Nodes) Evicted() uint64 { return n.evicted }

// Get returns the node of k, or nil.
func (n *Nodes) Get(k Key) *Node {
	for r := numRanks; r > 0; r-- {
		if v := n.nodes[r-1].Get(k); v != nil {
			return v
		}
	}
	return nil
}

// Each calls f for every node, of each rank the oldest first.
func (n *Nodes) Each(f func(*Node)) {
	for r := numRanks; r > 0; r-- {
		n.nodes[r-1].Each(func(_ Key, v *Node, _ capture.Time) { f(v) })
	}
}

// IsServer reports whether a answered as a DHCP or boot server.
func (n *Nodes) IsServer(a wire.Addr) bool { return n.servers[a] }

// Resolve tells which node an endpoint is, if it is one: by its MAC, unless
// that may be a router's, which is one of an address that is another node's or
// that no lease gave to this MAC. A node keeps the addresses that it had, also
// those that others have now. With DHCP's port the MAC is the client's own
// (chaddr), whatever came between.
func (n *Nodes) Resolve(e finding.Endpoint, vlan uint16) (Key, bool) {
	m := Key{MAC: e.MAC}
	v := (*Node)(nil)
	if !e.MAC.IsZero() {
		v = n.Get(m)
		if e.Port == dhcp.PortClient {
			return m, v != nil
		}
	}
	k, known := n.byAddress(e.Addr, vlan)
	if v != nil && (e.Addr.IsZero() || slices.Contains(v.Addrs, e.Addr) || !known && v.asked != nil) {
		return m, true
	}
	return k, known
}

func (n *Nodes) byAddress(a wire.Addr, vlan uint16) (Key, bool) {
	if a.IsZero() {
		return Key{}, false
	}
	if k, ok := n.byAddr[addrKey{vlan, a}]; ok && n.Get(k) != nil {
		return k, true
	}
	// A router between node and capture may move the frame to another VLAN.
	if k, ok := n.byAddr[addrKey{anyVLAN, a}]; ok && n.Get(k) != nil {
		return k, true
	}
	if k := (Key{Addr: a}); n.Get(k) != nil {
		return k, true
	}
	return Key{}, false
}

// anyVLAN is outside the 12 bits of a VLAN id.
const anyVLAN = 0xffff

// identify finds or makes the node that x's client is; nil when x is no sign
// of a node.
func (n *Nodes) identify(x *track.Exchange) *Node {
	e := x.Client
	if k, ok := n.Resolve(e, x.VLAN); ok {
		v := n.Get(k)
		if v.addAddr(e.Addr) {
			n.learn(x.VLAN, e.Addr, k)
		}
		return v
	}
	if x.Stage != track.StageDHCP && (n.site.IsRack(e.Addr) || n.site.IsRegion(e.Addr)) {
		return nil // a controller is a client of others, and boots nothing
	}
	if !makesNode(x) || e.Addr.IsZero() && e.MAC.IsZero() || n.servers[e.Addr] && x.Stage != track.StageDHCP {
		return nil
	}
	k := Key{MAC: e.MAC}
	if x.Stage != track.StageDHCP && x.Stage != track.StageProxyDHCP {
		k = n.behindRouter(e)
	}
	if k.MAC.IsZero() {
		k = Key{Addr: e.Addr}
	}
	v := n.nodes[stranger].Put(k)
	*v = Node{Key: k, Arch: -1}
	if v.addAddr(e.Addr) {
		n.learn(x.VLAN, e.Addr, k)
	}
	return v
}

// behindRouter keys a client that no lease explains: by its Ethernet source,
// unless that MAC sends for several addresses and so is a router's.
func (n *Nodes) behindRouter(e finding.Endpoint) Key {
	if e.MAC.IsZero() || e.Addr.IsZero() {
		return Key{MAC: e.MAC}
	}
	s, ok := n.macs[e.MAC]
	switch {
	case !ok:
		if len(n.macs) < maxNames {
			n.macs[e.MAC] = macSeen{addr: e.Addr}
		}
	case s.router:
		return Key{Addr: e.Addr}
	case s.addr != e.Addr:
		n.macs[e.MAC] = macSeen{addr: s.addr, router: true}
		n.rekey(Key{MAC: e.MAC}, Key{Addr: s.addr})
		return Key{Addr: e.Addr}
	}
	return Key{MAC: e.MAC}
}

func (n *Nodes) rekey(from, to Key) {
	old := n.Get(from)
	if old == nil {
		return
	}
	n.watched.drop(old)
	v := *old
	t := n.nodes[v.rank]
	t.Delete(from)
	v.Key = to
	*t.Put(to) = v
	for _, a := range v.Addrs {
		for ak, k := range n.byAddr {
			if ak.addr == a && k == from {
				n.byAddr[ak] = to
			}
		}
	}
}

// makesNode reports whether x shows that its client boots, rather than that it
// uses a port that booting machines use too.
func makesNode(x *track.Exchange) bool {
	switch x.Stage {
	case track.StageDHCP, track.StageProxyDHCP, track.StageTFTP, track.StageMount:
		return x.Lease == nil || x.Lease.Kind != track.ClientProbe
	case track.StageNFS, track.StageMetadata:
		return true
	}
	return false
}

// settle moves v to the table where x shows it to belong. An offer shows
// nothing: some servers make one to whoever asks.
func (n *Nodes) settle(v *Node, x *track.Exchange) *Node {
	r := v.rank
	switch {
	case x.Outcome == track.Answered && x.Stage > track.StageProxyDHCP:
		r = machine
	case x.Outcome == track.Answered && x.Op != "DISCOVER", x.Tries > n.site.Thresholds.DiscoverWarning:
		r = max(r, client)
	}
	if r == v.rank {
		return v
	}
	c := *v
	n.nodes[c.rank].Delete(c.Key)
	c.rank = r
	w := n.nodes[r].Put(c.Key)
	*w = c
	if w.wait != waitNothing {
		n.nodes[r].SetDeadline(w.Key, w.due)
	}
	return w
}

func (n *Nodes) learn(vlan uint16, a wire.Addr, k Key) {
	if len(n.byAddr) >= maxNames {
		n.relearn()
	}
	n.byAddr[addrKey{vlan, a}] = k
	n.byAddr[addrKey{anyVLAN, a}] = k
}

func (n *Nodes) relearn() {
	for ak, k := range n.byAddr {
		if n.Get(k) == nil {
			delete(n.byAddr, ak)
		}
	}
	if len(n.byAddr) >= maxNames { // every node has many addresses: start again
		clear(n.byAddr)
	}
}

// Deadline is the earliest time at which Expire has something to do. Strangers
// wait for nothing.
func (n *Nodes) Deadline() capture.Time {
	return min(n.nodes[client].Deadline(), n.nodes[machine].Deadline())
}

// Expire handles the nodes whose next step did not come in time.
func (n *Nodes) Expire(now capture.Time, out *track.Out) {
	for at := n.Deadline(); at <= now; at = n.Deadline() {
		for _, t := range n.nodes {
			t.Expire(at, func(_ Key, v *Node, at capture.Time) { n.overdue(v, at, out) })
		}
	}
}

func (n *Nodes) await(v *Node, w waiting, at capture.Time, d time.Duration) {
	n.watched.drop(v)
	if w == waitLoad {
		n.watched.add(v)
	}
	v.wait, v.due = w, at.Add(d)
	if w == waitNothing {
		v.due = track.Never
	}
	n.nodes[v.rank].SetDeadline(v.Key, v.due)
}
