package boot_test

import (
	"slices"
	"testing"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	pxe  = track.ClientPXE
	web  = track.ClientHTTP
	ipxe = track.ClientIPXE
	os   = track.ClientOther
)

func (w *world) arch(a int) *world {
	l := lease(pxe, "")
	l.Arch = a
	x := discover(pxe, track.Answered, 0, 0, 1)
	x.Lease = l
	return w.do(x)
}

// Each rule of the join: what fires it, and what looks like it and is normal.
func TestRules(t *testing.T) {
	uefi := func(file string) *world {
		l := lease(pxe, file)
		l.Arch = 7
		return newWorld().arch(7).do(acked(pxe, 1, l))
	}
	for _, c := range []struct {
		name string
		w    *world
		want []string
	}{
		// no-load-after-ack
		{"a lease and nothing after it", newWorld().firmware(0, pxe, "x.0").finish(60), []string{"error no-load-after-ack"}},
		{"the capture ends within the grace", newWorld().firmware(0, pxe, "x.0").finish(20), []string{}},
		{"the load follows late", newWorld().firmware(0, pxe, "x.0").until(30).do(loaded("x.0", 40, 41)).finish(60), []string{}},
		{"the load is over HTTP", newWorld().firmware(0, web, "http://x/").do(http(2, 3)).finish(60), []string{}},
		{"the load fails: another rule's business", newWorld().firmware(0, pxe, "x.0").do(track.Exchange{Stage: track.StageTFTP, Op: "RRQ", Subject: "x.0", Outcome: track.Unanswered,
			Server: rack, First: at(2), Last: at(30)}).finish(60), []string{}},
		{"it waits for port 4011, which is closed", newWorld().firmware(0, pxe, "x.0").do(track.Exchange{Stage: track.StageProxyDHCP, Op: "BINL", Outcome: track.Refused, Lease: lease(pxe, ""),
			Server: rack, First: at(2), Last: at(3)}).finish(60), []string{}},
		{"a connection to a service of no stage: iSCSI", newWorld().firmware(0, ipxe, "x").do(track.Exchange{Service: "iscsi", Op: "CONNECT", Outcome: track.Answered, Server: rack, First: at(3), Last: at(3)}).finish(60), []string{}},
		{"no boot information", newWorld().firmware(0, pxe, "").finish(60), []string{}},
		{"an operating system's lease", newWorld().do(acked(os, 1, lease(os, "x.0"))).finish(60), []string{}},
		{"only ARP, and answered", newWorld().firmware(0, pxe, "x.0").do(resolving("10.0.0.2", track.Answered, 2, 2)).finish(60), []string{"error no-load-after-ack"}},

		// wrong-loader-for-architecture
		{"a BIOS loader for UEFI, then silence", uefi("pxelinux.0").do(loaded("pxelinux.0", 2, 3)).finish(100), []string{"error wrong-loader-for-architecture", "note uefi-over-tftp"}},
		{"and the capture ends before one knows", uefi("pxelinux.0").do(loaded("pxelinux.0", 2, 3)).finish(30), []string{"note uefi-over-tftp", "warning wrong-loader-for-architecture"}},
		{"and the boot goes on", uefi("pxelinux.0").do(loaded("pxelinux.0", 2, 3)).do(loaded("pxelinux.cfg/default", 5, 6)).finish(100), []string{"note uefi-over-tftp"}},
		{"and the boot goes on very late", uefi("pxelinux.0").do(loaded("pxelinux.0", 2, 3)).until(80).do(http(90, 91)).finish(100), []string{"note uefi-over-tftp"}},
		{"and the firmware starts again at once", uefi("pxelinux.0").do(loaded("pxelinux.0", 2, 3)).firmware(20, pxe, "pxelinux.0").do(loaded("pxelinux.0", 22, 23)).finish(40),
			[]string{"error wrong-loader-for-architecture", "note uefi-over-tftp"}},
		{"the same loader once more is no progress", uefi("pxelinux.0").do(loaded("pxelinux.0", 2, 3)).do(loaded("pxelinux.0", 9, 10)).finish(100), []string{"error wrong-loader-for-architecture", "note uefi-over-tftp"}},
		{"the right loader", uefi("bootx64.efi").do(loaded("bootx64.efi", 2, 3)).finish(100), []string{"note uefi-over-tftp"}},
		{"a file that DHCP did not name", uefi("bootx64.efi").do(loaded("bootx64.efi", 2, 3)).do(loaded("pxelinux.0", 4, 5)).finish(100), []string{"note uefi-over-tftp"}},

		// chainload-loop
		{"iPXE is told to load iPXE", newWorld().firmware(0, pxe, "undionly.kpxe").do(loaded("undionly.kpxe", 2, 3)).firmware(5, ipxe, "undionly.kpxe").do(loaded("undionly.kpxe", 7, 8)).finish(9),
			[]string{"error chainload-loop"}},
		{"a loader without a class loads itself", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(8, pxe, "a").do(loaded("a", 10, 11)).firmware(16, pxe, "a").do(loaded("a", 18, 19)).finish(20),
			[]string{"error chainload-loop", "error reboot-loop"}},
		{"another iPXE, with a script inside", newWorld().firmware(0, pxe, "undionly.kpxe").do(loaded("undionly.kpxe", 2, 3)).firmware(5, ipxe, "custom.kpxe").do(loaded("custom.kpxe", 7, 8)).
			firmware(10, ipxe, "vmlinuz").do(loaded("vmlinuz", 12, 13)).finish(14), []string{}},
		{"a machine that is restarted by hand", newWorld().firmware(0, pxe, "undionly.kpxe").do(loaded("undionly.kpxe", 2, 3)).firmware(5, ipxe, "kernel").do(loaded("kernel", 7, 8)).
			firmware(100, pxe, "undionly.kpxe").do(loaded("undionly.kpxe", 102, 103)).finish(104), []string{}},
		{"a menu that is read again and again", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(loaded("menu", 4, 5)).do(loaded("menu", 14, 15)).do(loaded("menu", 24, 25)).finish(26), []string{}},
		{"a machine that restarts fast, and loads more each time", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(loaded("k", 4, 5)).firmware(20, pxe, "a").do(loaded("a", 22, 23)).do(loaded("k", 24, 25)).
			firmware(40, pxe, "a").do(loaded("a", 42, 43)).do(http(44, 45)).finish(46), []string{}},

		// second-stage-dhcp-fails
		{"the installer is not answered", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(discover(os, track.Unanswered, 40, 60, 4)).finish(61), []string{"error second-stage-dhcp-fails"}},
		{"iPXE is not answered", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(discover(ipxe, track.Unanswered, 5, 25, 4)).finish(26), []string{"error second-stage-dhcp-fails"}},
		{"nothing was loaded before", newWorld().firmware(0, pxe, "").do(discover(os, track.Unanswered, 40, 60, 4)).finish(61), []string{}},
		{"it is the firmware that is not answered", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(discover(pxe, track.Unanswered, 40, 60, 4)).finish(61), []string{}},
		{"it is answered after all", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(discover(os, track.Unanswered, 40, 60, 4)).do(discover(os, track.Answered, 40, 66, 5)).finish(70), []string{}},

		// arp-no-answer
		{"nobody answers for the router", newWorld().firmware(0, pxe, "").do(resolving("10.0.0.1", track.Unanswered, 2, 6)).finish(7), []string{"error arp-no-answer"}},
		{"nobody answers for the boot server", newWorld().firmware(0, pxe, "").do(resolving("10.0.0.2", track.Unanswered, 2, 6)).finish(7), []string{"error arp-no-answer"}},
		{"of a lease without boot information", newWorld().do(acked(os, 1, lease(os, ""))).do(resolving("10.0.0.53", track.Unanswered, 2, 6)).finish(7), []string{"error arp-no-answer"}},
		{"somebody answers after all", newWorld().firmware(0, pxe, "").do(resolving("10.0.0.1", track.Unanswered, 2, 6)).do(resolving("10.0.0.1", track.Answered, 2, 9)).finish(10), []string{}},
		{"an address of no lease", newWorld().firmware(0, pxe, "").do(resolving("10.0.0.77", track.Unanswered, 2, 6)).finish(7), []string{}},
		{"a machine without a lease", newWorld().do(resolving("10.0.0.1", track.Unanswered, 2, 6)).finish(7), []string{}},

		// reboot-loop
		{"three starts, each as far as the other", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).do(loaded("k", 4, 5)).firmware(300, pxe, "a").do(loaded("a", 302, 303)).do(loaded("k", 304, 305)).
			firmware(600, pxe, "a").finish(610), []string{"error reboot-loop"}},
		{"two starts", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(300, pxe, "a").do(loaded("a", 302, 303)).finish(310), []string{}},
		{"three starts within an hour", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(1000, pxe, "a").do(loaded("a", 1002, 1003)).firmware(2000, pxe, "a").do(loaded("a", 2002, 2003)).finish(2010), []string{}},
		{"the third one gets further", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(300, pxe, "a").do(loaded("a", 302, 303)).firmware(600, pxe, "a").do(loaded("a", 602, 603)).do(http(605, 606)).finish(610), []string{}},
		{"the third one runs a system", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(300, pxe, "a").do(loaded("a", 302, 303)).firmware(600, pxe, "a").do(loaded("a", 602, 603)).
			do(acked(os, 630, lease(os, ""))).finish(640), []string{}},
		{"firmware that goes from PXE to HTTP and back starts once", newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(10, web, "http://a").do(http(12, 13)).finish(20), []string{}},
		{"a search that is repeated", newWorld().firmware(0, pxe, "").firmware(60, pxe, "").firmware(120, pxe, "").firmware(180, pxe, "").finish(190), []string{}},
	} {
		if got := c.w.findings(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// wrong-vlan compares with where others were served.
func TestWrongVLAN(t *testing.T) {
	in := func(x track.Exchange, vlan uint16, client finding.Endpoint) track.Exchange {
		x.VLAN, x.Client = vlan, client
		return x
	}
	other := func(n byte) finding.Endpoint {
		return finding.Endpoint{MAC: wire.MAC{2, 0, 0, 0, 0, n}, Addr: wire.Addr4([4]byte{10, 0, 1, n})}
	}
	serve := func(w *world, n byte, vlan uint16) *world {
		l := lease(pxe, "")
		l.Addr = other(n).Addr
		return w.do(in(acked(pxe, float64(n), l), vlan, other(n)))
	}
	two := func(vlan uint16) *world { return serve(serve(newWorld(), 1, vlan), 2, vlan) }
	asks := func(w *world, vlan uint16, tries int) *world {
		return w.do(in(discover(pxe, track.Unanswered, 10, 40, tries), vlan, nodeA)).finish(60)
	}
	for _, c := range []struct {
		name string
		w    *world
		want []string
	}{
		{"two served elsewhere", asks(two(20), 30, 4), []string{"warning wrong-vlan"}},
		{"one served elsewhere", asks(serve(newWorld(), 1, 20), 30, 4), []string{}},
		{"untagged", asks(two(20), 0, 4), []string{"note wrong-vlan"}},
		{"one DISCOVER may be lost", asks(two(20), 30, 1), []string{}},
		{"served in its VLAN too", asks(serve(two(20), 3, 30), 30, 4), []string{}},
		{"offered in its VLAN, to somebody", asks(two(20).do(in(discover(pxe, track.Answered, 5, 5, 1), 30, other(9))), 30, 4), []string{}},
		{"it is in both VLANs", asks(two(20).do(in(discover(pxe, track.Unanswered, 5, 10, 4), 20, nodeA)), 30, 4), []string{}},
	} {
		if got := c.w.findings(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A reboot loop is said when the third start comes, not when the capture ends.
func TestRebootLoopIsSaidAtOnce(t *testing.T) {
	w := newWorld().firmware(0, pxe, "a").do(loaded("a", 2, 3)).firmware(300, pxe, "a").do(loaded("a", 302, 303)).do(discover(pxe, track.Answered, 600, 600, 1))
	if got := w.findings(); !slices.Equal(got, []string{"error reboot-loop"}) {
		t.Errorf("got %q", got)
	}
}
