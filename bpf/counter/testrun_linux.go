package counter

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// maxRun is how much of a frame a test run is given: what follows decides
// nothing, and the kernel takes no more than a page.
const maxRun = 2048

// errShort is a frame that the kernel runs no test on: it wants all of an IP
// header behind the Ethernet type of IP, and of others an Ethernet header.
var errShort = errors.New("too short for a test run")

// runCell runs a program that was emitted with echo on one frame.
func runCell(p *ebpf.Program, frame []byte) (Cell, error) {
	b := frame[:min(len(frame), maxRun)]
	if p.Type() == ebpf.SocketFilter {
		// A test run of a socket filter begins behind the Ethernet header.
		b = append(make([]byte, 14, 14+len(b)), b...)
	}
	v, err := p.Run(&ebpf.RunOptions{Data: b})
	if errors.Is(err, unix.EINVAL) && len(frame) < 14+40 {
		return Cell{}, errShort
	}
	if err != nil {
		return Cell{}, fmt.Errorf("test run: %w", err)
	}
	return Cell{Slot: int(v &^ toPort), ToPort: v&toPort != 0}, nil
}
