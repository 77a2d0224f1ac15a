package privilege

import (
	"fmt"
	"os"
)

// Held is the set of effective capabilities, one bit for each.
func Held() (uint64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return parseEffective(string(b))
}
