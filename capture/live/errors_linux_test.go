package live

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

func TestErrors(t *testing.T) {
	l := newLab(t, "eth1")
	for _, c := range []struct {
		name string
		o    Options
		is   error
		text string
		hint string
	}{
		{"none", Options{}, ErrNoInterface, "no interface", "-D"},
		{"missing", Options{Interfaces: []string{"eth7"}}, ErrNoInterface, `interface "eth7": no such interface`, "did you mean eth1?"},
		{"swapped", Options{Interfaces: []string{"et1h"}}, ErrNoInterface, `"et1h"`, "eth1"},
		{"far off", Options{Interfaces: []string{"enp1s0f0"}}, ErrNoInterface, `"enp1s0f0"`, "there are"},
		{"too long", Options{Interfaces: []string{strings.Repeat("x", 40)}}, ErrNoInterface, "xxx", ""},
		{"twice", Options{Interfaces: []string{"eth1", "eth1"}}, nil, "named twice", ""},
		{"any and another", Options{Interfaces: []string{"eth1", Any}}, nil, "name it alone", ""},
		{"engine", Options{Interfaces: []string{"eth1"}, Engine: "pfring"}, nil, `engine "pfring": ring or libpcap`, ""},
		{"stamps", Options{Interfaces: []string{"eth1"}, Timestamps: "gps"}, nil, `"gps"`, ""},
		{"snap", Options{Interfaces: []string{"eth1"}, SnapLen: -1}, nil, "snap length -1", ""},
		{"namespace", Options{Interfaces: []string{"eth1"}, NetNS: "nosuch"}, os.ErrNotExist, `network namespace "nosuch"`, "ip netns"},
		{"not a namespace", Options{Interfaces: []string{"eth1"}, NetNS: "/dev/null"}, nil, "enter network namespace", ""},
		{"bad program", Options{Interfaces: []string{"eth1"}, Filter: Filter{ProgFD: 1 << 20}}, nil, "attach the eBPF filter", ""},
		{"both filters", Options{Interfaces: []string{"eth1"}, Filter: Filter{ProgFD: 3, Classic: classic(t, "ip").Classic}}, ErrUnsupported, "at once", ""},
	} {
		if c.o.NetNS == "" {
			c.o.NetNS = l.Near
		}
		got, err := Open(c.o)
		if err == nil {
			got.Close()
			t.Errorf("%s: got no error", c.name)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v does not match %v", c.name, err, c.is)
		}
		if !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %q, want %q in it", c.name, err, c.text)
		}
		var e *Error
		if hint := ""; c.hint != "" {
			if errors.As(err, &e) {
				hint = e.Hint
			}
			if !strings.Contains(hint, c.hint) {
				t.Errorf("%s: got the hint %q, want %q in it", c.name, hint, c.hint)
			}
		}
	}
}

// Opening leaves neither a thread in a namespace nor a file behind.
func TestNothingLeft(t *testing.T) {
	l := newLab(t, "eth1")
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	for range 50 {
		l.open(Options{Interfaces: []string{"eth1"}}).Close()
		if c, err := Open(Options{Interfaces: []string{"eth1", "eth7"}, NetNS: l.Near}); err == nil {
			c.Close()
			t.Fatal("got no error")
		}
	}
	if after := count(); after > before {
		t.Errorf("%d files are open, %d before", after, before)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := func() (n int) {
		for _, task := range tasks {
			if ns, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net"); err == nil && ns != here {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(limit); elsewhere() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d threads stay in another namespace", elsewhere())
		}
	}
}

func TestNoRight(t *testing.T) {
	newLab(t) // to have been root
	dropRights(t)
	_, err := Open(Options{Interfaces: []string{"lo"}})
	var e *Error
	if !errors.Is(err, ErrPermission) || !errors.As(err, &e) || !strings.Contains(err.Error(), "CAP_NET_RAW") ||
		!strings.Contains(e.Hint, "sudo setcap cap_net_raw,cap_net_admin,cap_bpf=ep /") {
		t.Errorf("got %v, %+v", err, e)
	}
	list, err := Devices("")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.Permitted || d.Why != "needs CAP_NET_RAW" {
			t.Errorf("got %+v", d)
		}
	}
}

func TestDevices(t *testing.T) {
	l := newLab(t, "eth1", "eth2")
	l.IP("-n", l.Near, "addr", "add", "192.0.2.1/24", "dev", "eth1")
	l.IP("-n", l.Near, "link", "set", "eth1", "address", "02:00:00:00:00:01")
	l.IP("-n", l.Far, "link", "set", "eth2", "down")
	l.tun("tun0")
	l.IP("-n", l.Near, "link", "set", "tun0", "down")
	var list []Device
	by := make(map[string]Device)
	for end := time.Now().Add(limit); by["eth2"].State != "no carrier" && time.Now().Before(end); {
		var err error
		if list, err = Devices(l.Near); err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			by[d.Name] = d
		}
	}
	if d := by["eth1"]; d.State != "up" || d.MAC != "02:00:00:00:00:01" || len(d.Addrs) != 1 || d.Addrs[0].String() != "192.0.2.1/24" ||
		d.Link != capture.LinkEthernet || !d.Permitted || d.Why != "" || d.Index == 0 {
		t.Errorf("got %+v", d)
	}
	for name, want := range map[string]string{"eth2": "no carrier", "tun0": "down", "lo": "down", Any: "up"} {
		if got := by[name].State; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := by["tun0"].Link; got != capture.LinkRaw {
		t.Errorf("tun0: got link type %s", got)
	}
	if i := slices.IndexFunc(list, func(d Device) bool { return d.Name == "eth1" }); i > slices.IndexFunc(list, func(d Device) bool { return d.Name == "eth2" }) {
		t.Errorf("got %+v, want them by index", list)
	}
}

// Without libpcap the error says how to have it, and with it there is none.
func TestEngineMissing(t *testing.T) {
	if _, err := openLibpcap(&Options{Interfaces: []string{"lo"}, Notice: func(string) {}}); errors.Is(err, ErrUnsupported) {
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, "-tags libpcap") {
			t.Errorf("got %v, %+v", err, e)
		}
	}
}
