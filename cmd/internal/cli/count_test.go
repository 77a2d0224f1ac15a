package cli

import (
	"fmt"
	"os"

	"github.com/pxescope/pxescope/bpf/counter"
)

// bpfCondition is the condition [bpf] of scripts: the counter can be attached
// here. In CI as root it has to be.
func bpfCondition(cond string) (bool, error) {
	if cond != "bpf" {
		return false, fmt.Errorf("no condition %q", cond)
	}
	c, err := counter.Open(counter.Config{Interfaces: []string{"lo"}})
	if err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			return false, fmt.Errorf("root in CI must be able to count: %w", err)
		}
		return false, nil
	}
	return true, c.Close()
}
