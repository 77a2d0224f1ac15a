package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pxescope/pxescope/bpf/filter"
)

// words sorts what stands on the command line without a flag: interfaces, and
// behind them a filter, as tcpdump has it. exists tells of interfaces; where it
// knows none, all words are interfaces.
func (o *liveOptions) words(args []string, exists []string) error {
	n := 0
	for n < len(args) && slices.Contains(exists, args[n]) {
		n++
	}
	rest := strings.Join(args[n:], " ")
	if n == 0 && len(o.ifaces) == 0 || rest == "" || len(exists) == 0 {
		o.ifaces = append(o.ifaces, args...)
		return nil
	}
	if _, err := filter.Parse(rest); err != nil {
		if len(args)-n == 1 && !strings.Contains(rest, " ") { // an interface that is not there
			o.ifaces = append(o.ifaces, args...)
			return nil
		}
		return refusal(rest, err)
	}
	if o.filter != "" {
		return usage("two filters: %q of --filter, and %q", o.filter, rest)
	}
	o.ifaces, o.filter = append(o.ifaces, args[:n]...), rest
	return nil
}

// tcpdumpHabits tells of flags of tcpdump that live does not have what to do
// instead.
var tcpdumpHabits = map[string]string{
	"A": seeBytes, "x": seeBytes, "X": seeBytes,
	"b": notPrinted, "E": notPrinted, "e": notPrinted, "f": notPrinted, "H": notPrinted, "K": notPrinted, "m": notPrinted, "N": notPrinted,
	"S": notPrinted, "T": notPrinted, "t": notPrinted, "u": notPrinted, "#": notPrinted,
	"d": "'pxescope filter --expr EXPR -d' prints a filter's program",
	"F": `a filter from a file: --filter "$(cat FILE)"`,
	"I": "set monitor mode before: iw dev IFACE set type monitor",
	"J": "-j takes host, adapter or adapter_unsynced; 'ethtool -T IFACE' tells what the adapter can",
	"L": "'pxescope live -D' lists interfaces with their link types",
	"l": "leave it out: every line is written at once",
	"O": "leave it out: filters are compiled here, without libpcap",
	"r": "read a file with 'pxescope analyze FILE'",
	"V": "read files with 'pxescope analyze FILE...'",
	"y": "leave it out: the link type is that of the interface",
	"z": "no program is started after a rotation: the rights for that are given up",
}

const (
	seeBytes   = "bytes are not printed: write the packets with -w FILE and look at them with tcpdump -X -r FILE or Wireshark"
	notPrinted = "packets are not printed one by one: leave it out; -w FILE keeps them, 'pxescope live --help' lists what there is"
)

// flagRefusal gives a flag that does not exist, or has a wrong value, its hint.
func flagRefusal(cmd *cobra.Command, err error) error {
	e := &statusError{status: ExitUsage, err: err, hint: "try '" + cmd.CommandPath() + " --help'"}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if hint, ok := tcpdumpHabits[unknown.GetSpecifiedName()]; ok && cmd.Name() == "live" {
			e.hint = hint
		}
	}
	return e
}
