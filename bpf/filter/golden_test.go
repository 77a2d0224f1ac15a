package filter

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

var update = flag.Bool("update", false, "ask tcpdump for the golden programs anew")

type example struct {
	link capture.LinkType
	text string
}

// compiled is the expression and its program for the bytes of a file; no
// program: it is refused.
func (x example) compiled() (*Expr, []bpf.RawInstruction) {
	e, err := Parse(x.text)
	if err != nil {
		return nil, nil
	}
	p, err := Compile(e, Target{Link: x.link})
	if err != nil {
		return nil, nil
	}
	return e, p
}

func examples(t *testing.T) []example {
	t.Helper()
	b, err := os.ReadFile("testdata/expressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	link := capture.LinkEthernet
	var out []example
	for _, line := range strings.Split(string(b), "\n") {
		if name, ok := strings.CutPrefix(line, "link "); ok && strings.ToUpper(name) == name {
			if link, err = ParseLinkType(name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if line != "" && line[0] != '#' {
			out = append(out, example{link, line})
		}
	}
	return out
}

// Every example means what libpcap made of it when the golden file was
// written, so this needs neither cgo nor tcpdump.
func TestTruthGolden(t *testing.T) {
	all := examples(t)
	if len(all) < 300 {
		t.Fatalf("%d examples, want at least 300", len(all))
	}
	const name = "testdata/libpcap.golden"
	if *update {
		var b bytes.Buffer
		for _, x := range all {
			p, err := askTcpdump(x.text, x.link)
			var no *errRefused
			switch {
			case errors.As(err, &no):
				fmt.Fprintf(&b, "%s\t%s\trefused: %s\n", x.link, x.text, strings.TrimPrefix(no.msg, "tcpdump: "))
			case err != nil:
				t.Fatal(err)
			default:
				fmt.Fprintf(&b, "%s\t%s\t%s\n", x.link, x.text, strings.ReplaceAll(strings.TrimSpace(Decimal(p)), "\n", ","))
			}
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := fromEnv(t, "FILTER_TRUTH_FRAMES", 2000)
	pool := make(map[capture.LinkType][]frame)
	var n tally
	i := 0
	for in := bufio.NewScanner(f); in.Scan(); i++ {
		parts := strings.Split(in.Text(), "\t")
		if len(parts) != 3 || i >= len(all) || parts[0] != all[i].link.String() || parts[1] != all[i].text {
			t.Fatalf("%s: line %d does not go with the examples; run with -update", name, i+1)
		}
		link, text := all[i].link, all[i].text
		if pool[link] == nil {
			pool[link] = frames(t, 2, link, size)
		}
		if msg, ok := strings.CutPrefix(parts[2], "refused: "); ok {
			compare(t, text, link, nil, &errRefused{msg}, pool[link], &n)
			continue
		}
		p, err := parseDecimal(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		compare(t, text, link, p, nil, pool[link], &n)
	}
	if i != len(all) {
		t.Errorf("%s: %d programs, %d examples; run with -update", name, i, len(all))
	}
	t.Logf("%d expressions, %d verdicts, %d matches; instructions %d, libpcap's %d; cut frames %d, differing %d",
		n.expressions, n.verdicts, n.matched, n.ours, n.theirs, n.cut, n.cutDiffer)
	if n.ours > n.theirs {
		t.Errorf("%d instructions in all, libpcap needs %d", n.ours, n.theirs)
	}
}

// What is printed reads back to the same program, and to the same text.
func TestPrint(t *testing.T) {
	for _, x := range examples(t) {
		e, err := Parse(x.text)
		if err != nil {
			continue
		}
		text := e.String()
		again, err := Parse(text)
		if err != nil {
			t.Errorf("%s: printed as %q: %v", x.text, text, err)
			continue
		}
		if again.String() != text {
			t.Errorf("%s: printed as %q, then as %q", x.text, text, again)
		}
		p, err := Compile(e, Target{Link: x.link})
		q, err2 := Compile(again, Target{Link: x.link})
		if fmt.Sprint(p, err) != fmt.Sprint(q, err2) {
			t.Errorf("%s: printed as %q, which compiles differently", x.text, text)
		}
	}
}
