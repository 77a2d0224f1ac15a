package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLiveWords(t *testing.T) {
	there := []string{"lo", "eth1", "eth2", "any"}
	for _, c := range []struct {
		flag   string // of -i
		filter string
		args   string
		ifaces string
		want   string
		fails  string
	}{
		{args: "eth1", ifaces: "eth1"}, {args: "eth1 eth2", ifaces: "eth1 eth2"}, {flag: "eth1", args: "eth2", ifaces: "eth1 eth2"},
		{flag: "eth1", args: "udp port 67", ifaces: "eth1", want: "udp port 67"}, {flag: "eth1", args: "arp", ifaces: "eth1", want: "arp"},
		{args: "eth1 eth2 udp port 67", ifaces: "eth1 eth2", want: "udp port 67"}, {args: "any (port 67 or arp)", ifaces: "any", want: "(port 67 or arp)"},
		{args: "eth3", ifaces: "eth3"}, {args: "eth1 eth3", ifaces: "eth1 eth3"}, {flag: "eth1", args: "eth3", ifaces: "eth1 eth3"},
		{args: "port 67", ifaces: "port 67"}, {flag: "eth1", args: "udp prt 67", fails: "prt"}, {flag: "eth1", filter: "arp", args: "port 67", fails: "two filters"},
	} {
		o := liveOptions{filter: c.filter, ifaces: strings.Fields(c.flag)}
		err := o.words(strings.Fields(c.args), there)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%+v: got error %v", c, err)
			}
			continue
		}
		if err != nil || !slices.Equal(o.ifaces, strings.Fields(c.ifaces)) || o.filter != c.want {
			t.Errorf("%+v: got interfaces %q, filter %q, error %v", c, o.ifaces, o.filter, err)
		}
	}
	o := liveOptions{}
	if err := o.words([]string{"eth1", "port", "67"}, nil); err != nil || len(o.ifaces) != 3 {
		t.Errorf("no list of interfaces: got %q, %v", o.ifaces, err)
	}
}

// Each flag that tcpdump has and live has not is told what to do.
func TestLiveHabits(t *testing.T) {
	for _, c := range []struct{ flag, says string }{
		{"-y", "link type"}, {"-A", "-w FILE"}, {"-X", "Wireshark"}, {"-e", "not printed"}, {"-nnvvXSs", "-w FILE"}, {"-r", "analyze FILE"}, {"-l", "at once"},
		{"-L", "live -D"}, {"-t", "not printed"}, {"-d", "pxescope filter"}, {"-a", "'pxescope live --help'"}, {"--no-such", "'pxescope live --help'"},
		{"--duration=90", "'pxescope live --help'"}, {"-Znobodyhere", `"nobodyhere"`},
	} {
		var out, errs bytes.Buffer
		status := Run([]string{"live", "lo", c.flag}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
		if status != ExitUsage || !strings.HasPrefix(errs.String(), "pxescope: ") || !strings.Contains(errs.String(), c.says) || out.Len() > 0 {
			t.Errorf("%s: got exit status %d and %s", c.flag, status, errs.String())
		}
	}
}

// A full disk behind standard output is no wrong usage.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full here: %v", err)
	}
	defer full.Close()
	var errs bytes.Buffer
	status := Run([]string{"analyze", filepath.Join(root, "testdata/pcap/five-faults.pcap")}, Streams{In: strings.NewReader(""), Out: full, Err: &errs})
	if status != ExitUnreadable || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "no space left") {
		t.Errorf("got exit status %d and %s", status, errs.String())
	}
}
