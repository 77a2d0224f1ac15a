package tftp

import (
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/wire"
)

// Limits of the state. A fetch and its transfer take about 900 bytes.
const (
	maxTransfers = 4096  // client ports: a hall of machines that load at the same moment
	maxFetches   = 4096  // client, server and file
	maxRequests  = 32768 // distinct requests, for the counts alone
	maxClients   = 4096
	maxLists     = 1024 // searches under way
	maxServers   = 256
	maxName      = 512 // bytes kept of a file name: a request fits a 512-byte packet (RFC 2347)
	maxText      = 128 // bytes kept of an error's text
	maxPending   = 8   // requests of a fetch that are in grace at one time: GRUB sends one each 400 ms or more, and gives up the sooner ones
	maxMisses    = 8   // missing files of a client for which an alternative may come
	maxServed    = 16  // names that a server is remembered to serve
)

// Times that are no matter of taste.
const (
	// sameAttempt: tries further apart are of different boots. The longest
	// pause between two tries is 10 s (Intel ROM).
	sameAttempt = 30 * time.Second
	// expectFor is how long a client's port belongs to TFTP after its last
	// packet: servers drop a silent transfer after at most 120 s (dnsmasq).
	expectFor = 120 * time.Second
	// stallSpan is how long repetitions must go on. Late answers to three
	// impatient requests come in one bunch, retransmissions do not.
	stallSpan = time.Second
	// sorcererRun is how many blocks in a row are sent twice before it is no
	// coincidence.
	sorcererRun = 8
	// impatient: a request repeated sooner than this is no retry (GRUB and iPXE
	// take 200 ms and more) but a second fetch: the first one was answered.
	impatient = 150 * time.Millisecond
	// giveUp: no client gives up a file sooner, and goes on to the next.
	// PXELINUX's first thirteen tries take 5.3 s.
	giveUp = 5 * time.Second
)

// An endpoint is the client's side of a transfer.
type endpoint struct {
	addr wire.Addr
	port uint16
}

func hashEndpoint(seed uint64, k endpoint) uint64 {
	return wire.Mix(wire.MixAddr(seed, &k.addr), uint64(k.port), 0)
}

// A fetchKey groups tries: firmware may use a new source port for each.
type fetchKey struct {
	client, server wire.Addr
	name           uint64 // hash of the file name
	op             Op
}

func hashFetch(seed uint64, k fetchKey) uint64 {
	return wire.Mix(wire.MixAddr(wire.MixAddr(seed, &k.client), &k.server), k.name, uint64(k.op))
}

// A requestKey is a distinct request, as counts define it.
type requestKey struct {
	fetchKey
	port uint16
}

func hashRequest(seed uint64, k requestKey) uint64 {
	return wire.Mix(hashFetch(seed, k.fetchKey), uint64(k.port), 0)
}

type requestCount struct{ answered, completed bool }

// A phase is how far an attempt came.
type phase uint8

const (
	asking   phase = iota // no answer yet
	answered              // the server answered, the client did not react yet
	running               // the client reacted
	ended                 // complete, refused or broken off
)

// A fetch is one file that a client wants from a server: the current attempt,
// and what is to be remembered of those before.
type fetch struct {
	name    string
	nameCut bool // the snap length took the rest
	octet   bool
	write   bool
	file    fileName
	client  finding.Endpoint
	server  finding.Endpoint
	vlan    uint16
	iface   int

	// The attempt.
	phase      phase
	reported   bool   // its exchange was reported and nothing changed since
	port       uint16 // of the latest try
	first      capture.Time
	lastTry    capture.Time
	tries      int
	ports      int // tries from another port than the one before, plus one
	frames     []capture.FrameID
	pending    [maxPending]capture.Time // tries in grace, oldest first
	npending   int
	overdue    int
	waits      int // tries since the last sign that one was answered out of sight
	answers    int // OACK or first DATA sent to a client that does not react
	answersAt  capture.Time
	icmpServer bool   // port unreachable from the server itself
	icmp       string // any other unreachable that quotes a request

	// An answer from elsewhere.
	wrong      finding.Endpoint
	wrongAt    capture.Time // when it is judged, 0: not
	wrongTaken bool

	// An abort by the client.
	abort     bool // before it acknowledged any DATA
	abortCode uint16
	abortText string
	abortAt   capture.Time
	probeAt   capture.Time // when an abort that no request followed is judged, 0: not

	// Refusals; they outlive the attempt until judged.
	errCode   uint16
	errText   string
	errClient bool
	errMid    bool // after an answer: only a whole transfer makes it good
	errCount  int
	errAt     capture.Time
	errFirst  capture.Time
	errFrames []capture.FrameID
	judgeAt   capture.Time // 0: nothing to judge

	restarts      int
	restartFrames []capture.FrameID

	// Findings that stand.
	saidNoAnswer, saidStalled, saidLimit, saidWrong, saidGarbage, saidError bool
}

// A transfer is what goes on at one port of a client. What each block needs comes
// first, in three lines of a processor's cache; with what the table keeps of it a
// transfer takes six.
type transfer struct {
	key      endpoint // its key in the table: to look nothing up, and copy nothing, per packet
	peerPort uint16   // 0 until the client spoke to it
	op       Op
	replied  bool // a UDP datagram came from the server asked: for the counts
	answered bool // an answer was seen
	reacted  bool // the client went on
	done     bool // judged; nothing more is expected
	whole    bool // every block arrived
	stalled  bool
	counted  bool // as completed
	multi    bool // RFC 2090: data goes to a group
	sorcerer bool
	closed   bool // ICMP port unreachable from the client
	nrepeat  uint8
	peer     wire.Addr    // who answers: the server asked, or the one the client took instead
	renewAt  capture.Time // of the expectation

	last       capture.Time // any packet of the transfer
	lastClient capture.Time
	repeatAt   capture.Time // when repetitions became too many, 0: they did not
	dataID     capture.FrameID
	ackID      capture.FrameID
	b          blocks

	fetch     fetchKey
	firstID   capture.FrameID
	repeatIDs [8]capture.FrameID // of repeated DATA and ACKs
	partial   uint32             // first fragments of DATA that were not put together
	_         [8]byte            // to the end of a line, with what the table keeps
}

// A client is a machine that asks.
type client struct {
	lastRequest capture.Time
	lastFetch   fetchKey // of that request
	served      int      // requests that were served
	misses      [maxMisses]fetchKey
	nmisses     int
}

func (c *client) missed(k fetchKey) {
	for _, m := range c.misses[:c.nmisses] {
		if m == k {
			return
		}
	}
	if c.nmisses == maxMisses {
		copy(c.misses[:], c.misses[1:])
		c.nmisses--
	}
	c.misses[c.nmisses] = k
	c.nmisses++
}

// names are the files that a server served last, oldest first.
type names struct {
	list []string
}

func (n *names) add(name string) {
	for _, s := range n.list {
		if s == name {
			return
		}
	}
	if len(n.list) == maxServed {
		n.list = append(n.list[:0], n.list[1:]...)
	}
	n.list = append(n.list, name)
}

// hashName is FNV-1a: the same on every machine and run.
func hashName(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
