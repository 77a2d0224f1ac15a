package counter

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// maxRun is how much of a frame a test run is given: what follows decides
// nothing, and the kernel takes no more than a page.
const maxRun = 2048

// runCell runs a program that was emitted with echo on one frame.
func runCell(p *ebpf.Program, frame []byte) (Cell, error) {
	v, err := p.Run(&ebpf.RunOptions{Data: frame[:min(len(frame), maxRun)]})
	if err != nil {
		return Cell{}, fmt.Errorf("test run: %w", err)
	}
	return Cell{Slot: int(v >> 1), ToPort: v&1 != 0}, nil
}
