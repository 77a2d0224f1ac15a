package classify

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What the core must not import, and why. Directly, tests apart.
var forbidden = map[string]string{
	"os":                                "the core does no I/O; take an io.Reader or io.Writer",
	"net":                               "use net/netip",
	"log":                               "the core reports findings, it does not log",
	"log/slog":                          "the core reports findings, it does not log",
	"os/exec":                           "the core runs nothing",
	"github.com/google/gopacket":        "decode with classify/wire",
	"github.com/google/gopacket/layers": "decode with classify/wire; its initialiser costs milliseconds at every start",
	"github.com/google/gopacket/pcap":   "C is fenced in capture/live",
	"github.com/cilium/ebpf":            "belongs in bpf/counter",
	"charm.land/lipgloss/v2":            "how things look is the command's",
	"github.com/spf13/cobra":            "arguments are the command's",
	"github.com/pxescope/pxescope/cmd":  "the command calls the core",
	"github.com/pxescope/pxescope/capture/pcapfile": "the core gets packets, it reads no files",
	"github.com/pxescope/pxescope/capture/live":     "the core gets packets, it opens no interfaces",
	"github.com/pxescope/pxescope/capture/record":   "the core writes no files",
}

// Layers, lowest first: a package imports only what stands before it.
var layers = []string{
	"capture", "capture/pcapfile", "capture/record", "capture/live", "classify/wire", "classify/finding", "classify/lazy", "classify/catalog", "classify/site", "classify/oui",
	"classify/track", "classify/track/", "classify/boot", "classify", "classify/report", "bpf/filter", "bpf/firewall", "bpf/counter", "bpf/follow",
	"cmd/internal/privilege", "cmd/internal/text", "cmd/internal/screen", "cmd/internal/cli", "cmd/pxescope",
}

// For tests only: nothing but another of these imports them.
var forTests = []string{"capture/live/netlab", "capture/live/replay", "classify/track/tracktest"}

const module = "github.com/pxescope/pxescope/"

func layer(pkg string) int {
	name := strings.TrimPrefix(pkg, module)
	for i, l := range layers {
		if name == l || strings.HasSuffix(l, "/") && strings.HasPrefix(name, l) {
			return i
		}
	}
	return -1
}

// Nothing later in the line is imported by anything earlier, and the core does
// no I/O.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		pkg, imports, _ := strings.Cut(line, " ")
		core := strings.HasPrefix(pkg, module+"classify") && pkg != module+"classify/track/tracktest" || pkg == module+"capture" || pkg == module+"capture/synth" || pkg == module+"bpf/filter"
		own := layer(pkg)
		if own >= 0 {
			seen++
		}
		for _, imp := range strings.Fields(imports) {
			if slices.Contains(forTests, strings.TrimPrefix(imp, module)) && !slices.Contains(forTests, strings.TrimPrefix(pkg, module)) {
				t.Errorf("%s imports %s, which is for tests", pkg, imp)
			}
			for bad, why := range forbidden {
				if core && (imp == bad || strings.HasSuffix(bad, "/cmd") && strings.HasPrefix(imp, bad+"/")) {
					t.Errorf("%s imports %s: %s", pkg, imp, why)
				}
			}
			if other := layer(imp); own >= 0 && other > own {
				t.Errorf("%s imports %s, which comes later in the line", pkg, imp)
			}
		}
	}
	if seen < len(layers) {
		t.Errorf("found %d of the line's packages, want at least %d", seen, len(layers))
	}
}
