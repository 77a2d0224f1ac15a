package filter

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
)

func parseAddress(s string) netip.Addr { return netip.MustParseAddr(s) }

// errRefused is an oracle's verdict on an expression.
type errRefused struct{ msg string }

func (e *errRefused) Error() string { return e.msg }

// errNoOracle means that neither libpcap nor tcpdump is here.
var errNoOracle = errors.New("tcpdump is not installed, and this test was built without -tags libpcap")

// askTcpdump has tcpdump compile an expression.
func askTcpdump(text string, link capture.LinkType, options ...string) ([]bpf.RawInstruction, error) {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		return nil, errNoOracle
	}
	var out, msg bytes.Buffer
	cmd := exec.Command(path, append(options, "-ddd", "-y", link.String(), "--", text)...)
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		return nil, &errRefused{strings.TrimSpace(msg.String())}
	}
	return parseDecimal(strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", ","))
}

// parseDecimal reads a program as the golden files have it: the lines of -ddd
// joined by commas.
func parseDecimal(s string) ([]bpf.RawInstruction, error) {
	lines := strings.Split(s, ",")
	var p []bpf.RawInstruction
	for _, l := range lines[1:] {
		var in bpf.RawInstruction
		if _, err := fmt.Sscan(l, &in.Op, &in.Jt, &in.Jf, &in.K); err != nil {
			return nil, fmt.Errorf("%q: %w", l, err)
		}
		p = append(p, in)
	}
	if fmt.Sprint(len(p)) != lines[0] {
		return nil, fmt.Errorf("%d instructions, the first line says %s", len(p), lines[0])
	}
	return p, nil
}
