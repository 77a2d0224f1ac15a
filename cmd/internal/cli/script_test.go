package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pxescope": func() { os.Exit(Run(os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})) },
	})
}

// Each script in testdata/script drives the program as a user does; every
// block says what it guards.
func TestScripts(t *testing.T) {
	pcap, err := filepath.Abs(filepath.Join(root, "testdata/pcap"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PCAP", pcap)
			e.Setenv("TZ", "UTC")
			return nil
		},
		RequireExplicitExec: true,
		Condition:           bpfCondition,
	})
}
