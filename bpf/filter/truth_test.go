package filter

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

// fromEnv is a size of the differential test: 'make filter-truth' sets the
// full ones.
func fromEnv(t *testing.T, name string, usual int) int {
	s := os.Getenv(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// tally counts what a comparison saw.
type tally struct {
	expressions, refusedByUs, refusedByBoth, verdicts, matched, cut, cutDiffer, oracleWrong, unread int
	ours, theirs                                                                                    int // instructions
}

// refusedOnPurpose are messages of what libpcap has a program for, and this
// package has none.
var refusedOnPurpose = []struct{ message, why string }{
	{"IEEE 802.2", "LINUX_SLL2 and what follows pppoes have no such header; libpcap looks into the payload"},
	{"beyond every packet", "the Linux kernel takes negative offsets for metadata, libpcap compiles them all the same"},
	{"division by zero", "a divisor that works out to 0, as '5 % 3 - 3'; libpcap sees a plain 0 only, and its program rejects what comes there"},
	{"31 is the most", "the kernel refuses shifts by more; libpcap misses them behind a minus, as in 'ip[0] << - 8'"},
}

// compare holds one expression against an oracle's program on all frames.
func compare(t *testing.T, text string, link capture.LinkType, want []bpf.RawInstruction, refused error, frames []frame, n *tally) {
	t.Helper()
	n.expressions++
	var got []bpf.RawInstruction
	var m *Matcher
	e, err := Parse(text)
	if err == nil {
		got, err = Compile(e, Target{Link: link})
		if err == nil {
			m, err = NewMatcher(e, link)
		}
	}
	if err != nil {
		var refusal *Error
		switch {
		case !errors.As(err, &refusal):
			t.Errorf("%s: got %T %v, want *Error", text, err, err)
		case refused != nil:
			n.refusedByBoth++
		default:
			n.refusedByUs++
			for _, r := range refusedOnPurpose {
				if strings.Contains(err.Error(), r.message) {
					return
				}
			}
			if !strings.Contains(err.Error(), "rejects every packet") {
				t.Errorf("%s: refused (%v), the oracle has a program", text, err)
				return
			}
			for _, f := range frames {
				if execute(want, f.data, f.wireLen, beside{}) != 0 {
					t.Errorf("%s: refused (%v), the oracle's program keeps % x", text, err, f.data)
					return
				}
			}
		}
		return
	}
	if refused != nil {
		if constantFault(refused) {
			// A fault of libpcap's; asked in a way that avoids it, it answers.
			n.oracleWrong++
			t.Logf("%s: %s: libpcap refuses: %v", link, text, refused)
			compareRephrased(t, e, link, got, frames)
			return
		}
		if !strings.Contains(refused.Error(), "rejects all packets") {
			t.Errorf("%s: accepted as %q, the oracle refuses: %v", text, e, refused)
			return
		}
		for _, f := range frames {
			if !f.cut && execute(got, f.data, f.wireLen, beside{}) != 0 {
				t.Errorf("%s: accepts % x, the oracle says that it rejects all packets", text, f.data)
				return
			}
		}
		return
	}
	n.ours += len(got)
	n.theirs += len(want)
	for _, f := range frames {
		n.verdicts++
		w := execute(want, f.data, f.wireLen, beside{}) != 0
		g := execute(got, f.data, f.wireLen, beside{}) != 0
		p := m.Match(f.data, f.wireLen)
		if p != g {
			t.Errorf("%s: %s: predicate %v, bytecode %v on % x", link, text, p, g, f.data)
			return
		}
		if w {
			n.matched++
		}
		if f.cut {
			n.cut++
			if w != g {
				n.cutDiffer++
			}
			continue
		}
		if w != g {
			// libpcap's optimizer is wrong at times (libpcap issues 945, 1699):
			// then its own plain program says so.
			plain, err := askTcpdump(text, link, "-O")
			if err == nil && execute(plain, f.data, f.wireLen, beside{}) != 0 == g {
				n.oracleWrong++
				t.Logf("%s: %s: libpcap's optimized program differs from its plain one and from ours", link, text)
				return
			}
			if strictly(t, e, link, f) == w {
				// A test that made no difference was left out, and with it a read
				// beyond the end of this packet, which libpcap did not leave out.
				n.unread++
				t.Logf("%s: %s: a read that makes no difference is left out", link, text)
				return
			}
			t.Errorf("%s: %s: got %v, want %v on % x\nours (%s):\n%swant:\n%s", link, text, g, w, f.data, e, Listing(got), Listing(want))
			return
		}
	}
}

// strictly is the verdict with every test kept, whether or not it can make a
// difference.
func strictly(t *testing.T, e *Expr, link capture.LinkType, f frame) bool {
	g := newGraph()
	g.strict = true
	root, err := g.clauses([]Clause{{Expr: e}}, Target{Link: link})
	if err != nil {
		t.Fatal(err)
	}
	p, err := emit(root)
	if err != nil {
		t.Fatal(err)
	}
	return execute(p, f.data, f.wireLen, beside{}) != 0
}

// Random expressions mean what libpcap says on every complete frame.
func TestTruthRandom(t *testing.T) {
	if _, err := askOracle("ip", capture.LinkEthernet); errors.Is(err, errNoOracle) {
		t.Skipf("no oracle: %v", err)
	}
	count := fromEnv(t, "FILTER_TRUTH_EXPRESSIONS", 300)
	size := fromEnv(t, "FILTER_TRUTH_FRAMES", 2000)
	seed := uint64(fromEnv(t, "FILTER_TRUTH_SEED", 1))
	links := []capture.LinkType{capture.LinkEthernet, capture.LinkEthernet, capture.LinkEthernet, capture.LinkEthernet, capture.LinkEthernet,
		capture.LinkSLL, capture.LinkSLL2, capture.LinkRaw, capture.LinkIPv4}
	pool := make(map[capture.LinkType][]frame)
	for _, l := range links {
		if pool[l] == nil {
			pool[l] = frames(t, seed, l, size)
		}
	}
	r := maker{rand.New(rand.NewPCG(seed, 7))}
	var n tally
	for range count {
		link := pick(r, links)
		text := r.expression()
		want, refused := askOracle(text, link)
		compare(t, text, link, want, refused, pool[link], &n)
	}
	t.Logf("%s: %d expressions (%d refused by both, %d that reject all), %d verdicts, %d matches; instructions %d, libpcap's %d; cut frames %d, differing %d; libpcap wrong %d, reads left out %d",
		oracleName, n.expressions, n.refusedByBoth, n.refusedByUs, n.verdicts, n.matched, n.ours, n.theirs, n.cut, n.cutDiffer, n.oracleWrong, n.unread)
	if n.unread > count/1000 {
		t.Errorf("%d expressions differ by a read that makes no difference, want at most one in a thousand", n.unread)
	}
	if n.matched == 0 || n.expressions-n.refusedByBoth < count/3 {
		t.Errorf("the sample proves nothing: %+v", n)
	}
}
