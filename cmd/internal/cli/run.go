// Package cli turns arguments into calls of the library. It is the only place
// that opens files, prints, and reads the clock.
//
// The rules of output: data goes to standard output and everything else to
// standard error; messages start with "pxescope: ", carry no capital and no
// full stop, and are followed by what to try next where that is known.
package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/cmd/internal/text"
)

// Exit statuses, the same for every command.
const (
	ExitOK           = 0
	ExitFindings     = 1 // findings at or above --fail-on
	ExitUsage        = 2 // usage, or filter syntax
	ExitUnreadable   = 3 // no input could be read
	ExitPermission   = 4
	ExitInconclusive = 5 // the capture is too lossy or one-sided to conclude
)

// Streams are the standard streams of a run.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// A statusError ends the program with a status of its own. A nil err ends it
// silently.
type statusError struct {
	status int
	err    error
	hint   string
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// usage makes an error of status 2.
func usage(format string, args ...any) error {
	return &statusError{status: ExitUsage, err: fmt.Errorf(format, args...)}
}

// Run executes one command line and returns the exit status.
func Run(args []string, s Streams) int {
	root := newRoot(s, named(args)...)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	cmd, err := root.ExecuteC()
	if err == nil {
		return ExitOK
	}
	var se *statusError
	if !errors.As(err, &se) {
		if bad := (*strconv.NumError)(nil); errors.As(err, &bad) {
			// What failed inside of the parser of a flag is nobody's concern.
			err = errors.New(strings.Replace(err.Error(), ": "+bad.Error(), ": "+bad.Err.Error(), 1))
		}
		se = &statusError{status: ExitUsage, err: err, hint: "try '" + cmd.CommandPath() + " --help'"}
		var file *fs.PathError
		if errors.As(err, &file) { // standard output: a full disk
			se.status, se.hint = ExitUnreadable, ""
		}
	}
	if se.err != nil {
		fmt.Fprintf(s.Err, "pxescope: %s\n", text.EscapeLines(se.err.Error()))
		if se.hint != "" {
			fmt.Fprintf(s.Err, "  %s\n", strings.ReplaceAll(text.EscapeLines(se.hint), "\n", "\n  "))
		}
	}
	return se.status
}

// A constructor makes one command with its flags.
type constructor func(Streams) *cobra.Command

var commands = map[string]constructor{
	"analyze": newAnalyze, "catalog": newCatalog, "count": newCount, "explain": newExplain,
	"filter": newFilter, "firewall": newFirewall, "live": newLive,
}

// named is the command that the arguments name, which is then the only one that
// is made: the flags of the others cost a start a millisecond. It is all of them
// for help, completion, and what names none.
func named(args []string) []constructor {
	if len(args) > 0 && commands[args[0]] != nil {
		return []constructor{commands[args[0]]}
	}
	return slices.Collect(maps.Values(commands))
}

func newRoot(s Streams, commands ...constructor) *cobra.Command {
	root := &cobra.Command{
		Use:   "pxescope",
		Short: "tell why a machine does not boot from the network",
		Long: `pxescope reads packets of a provisioning network (MAAS, xCAT and their kin) and
tells for each machine how far its network boot came, why it stopped, and which
frames prove it.

  pxescope analyze ticket.pcapng     a verdict per node from a capture
  pxescope live eth1                 the same while the node is failing
  pxescope catalog                   the services it knows
  pxescope filter tftp --complete    what to type after tcpdump
  pxescope firewall --node-net NET   rules that let a network boot through
  pxescope explain tftp-no-answer    what a finding means and what to check next

Exit status: 0 ran; 1 findings at or above --fail-on; 2 usage; 3 no input could
be read; 4 permission denied; 5 the capture is too lossy or one-sided to conclude.`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: len(commands) == 1},
	}
	root.SetVersionTemplate("pxescope {{.Version}}\n")
	for _, command := range commands {
		root.AddCommand(command(s))
	}
	return root
}

// release is set by the release build with -ldflags.
var release = "0.1.0"

// version is the release, and the commit where the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + " (" + s.Value[:12] + ")"
		}
	}
	return release
}
