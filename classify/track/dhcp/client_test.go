package dhcp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const nodeMAC = "3c:ec:ef:01:02:03"

func TestClientKind(t *testing.T) {
	pxe := synth.UEFI(nodeMAC, 7)
	rfc := append([]byte{4}, "iPXE"...)
	probe := synth.Udhcpc(nodeMAC).Discover(xcatProbeXID, 0)
	for _, tt := range []struct {
		name  string
		d     synth.DHCP
		want  track.ClientKind
		probe string
	}{
		{"BIOS ROM", synth.PXERom(nodeMAC).Discover(1, 0), track.ClientPXE, ""},
		{"UEFI PXE", pxe.Discover(1, 0), track.ClientPXE, ""},
		{"UEFI HTTP boot", synth.UEFIHTTP(nodeMAC, 16).Discover(1, 0), track.ClientHTTP, ""},
		{"iPXE, bare user class", synth.IPXE(nodeMAC, 7).Discover(1, 4), track.ClientIPXE, ""},
		{"iPXE, user class of RFC 3004", pxe.Discover(1, 0).With(synth.Opt{Code: 77, Data: rfc}), track.ClientIPXE, ""},
		{"second class of RFC 3004", pxe.Discover(1, 0).With(synth.Opt{Code: 77, Data: append([]byte{3, 'l', 'a', 'b'}, rfc...)}), track.ClientIPXE, ""},
		{"xNBA", pxe.Discover(1, 0).With(synth.OptText(77, "xNBA")), track.ClientIPXE, ""},
		{"another user class", pxe.Discover(1, 0).With(synth.OptText(77, "rack7")), track.ClientPXE, ""},
		{"FlexBoot: option 175 alone", pxe.Discover(1, 0).With(synth.OptBytes(175, 0xb1, 1, 1, 0xeb, 3, 1, 20, 1)), track.ClientIPXE, ""},
		{"option 175 of another vendor", pxe.Discover(1, 0).With(synth.OptText(175, "text")), track.ClientPXE, ""},
		{"udhcpc", synth.Udhcpc(nodeMAC).Discover(1, 0), track.ClientOther, ""},
		{"dhclient", synth.Dhclient(nodeMAC).Discover(1, 0), track.ClientOther, ""},
		{"networkd", synth.Networkd(nodeMAC).Discover(1, 0), track.ClientOther, ""},
		{"BOOTP", synth.DHCP{Op: 1, MAC: node, NoCookie: true, Pad: 300}, track.ClientBOOTP, ""},
		{"BOOTP with RFC 1497 options", synth.DHCP{Op: 1, MAC: node, Options: []synth.Opt{synth.OptText(12, "n")}}, track.ClientBOOTP, ""},
		{"MAAS probe", synth.MAASProbe(nodeMAC).Discover(1, 0), track.ClientProbe, "maas"},
		{"MAAS in another id type", synth.Udhcpc(nodeMAC).Discover(1, 0).With(synth.Opt{Code: 61, Data: append([]byte{1}, "MAAS-x"...)}), track.ClientOther, ""},
		{"xCAT probe", probe, track.ClientProbe, "xcat"},
		{"nmap", synth.Udhcpc("de:ad:c0:de:ca:fe").Discover(1, 0), track.ClientProbe, "nmap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, o := parse(tt.d)
			if got := ClientKind(m, o); got != tt.want {
				t.Errorf("ClientKind() = %v, want %v", got, tt.want)
			}
			if got := ClientProbe(m, o); got != tt.probe {
				t.Errorf("ClientProbe() = %q, want %q", got, tt.probe)
			}
		})
	}
}

// TestClientKindCut: without its options a message says nothing of its sender,
// and is not BOOTP.
func TestClientKindCut(t *testing.T) {
	b := synth.UEFI(nodeMAC, 7).Discover(1, 0).Bytes()
	var o Options
	o.Parse(b[:54], len(b)) // snap length 96
	if got := ClientKind(b[:54], &o); got != track.ClientOther {
		t.Errorf("ClientKind() = %v, want %v", got, track.ClientOther)
	}
}

func TestUserClass(t *testing.T) {
	for in, want := range map[string]string{
		"iPXE": "iPXE", "\x04iPXE": "iPXE", "\x03lab\x04iPXE": "lab,iPXE", "\x09iPXE": "\x09iPXE", "": "", "\x00x": "\x00x", "iPXE\x00": "iPXE",
	} {
		_, o := parse(synth.DHCP{Type: 1, Options: []synth.Opt{synth.OptText(77, in)}})
		if got := UserClass(o); got != want {
			t.Errorf("UserClass of %q = %q, want %q", in, got, want)
		}
	}
}

func TestIPXESecs(t *testing.T) {
	for _, tt := range []struct {
		name         string
		d            synth.DHCP
		count        int
		offer, proxy bool
		ok           bool
	}{
		{"first", synth.IPXE(nodeMAC, 7).Discover(1, 4), 1, false, false, true},
		{"fourth, heard nothing", synth.IPXE(nodeMAC, 7).Discover(1, 16), 4, false, false, true},
		{"second, has an offer", synth.IPXE(nodeMAC, 7).Discover(1, 10), 2, true, false, true},
		{"third, has a proxy's", synth.IPXE(nodeMAC, 7).Discover(1, 13), 3, false, true, true},
		{"plain seconds: first send cannot have an offer", synth.IPXE(nodeMAC, 7).Discover(1, 7), 0, false, false, false},
		{"plain seconds: zero sends", synth.IPXE(nodeMAC, 7).Discover(1, 3), 0, false, false, false},
		{"too many sends", synth.IPXE(nodeMAC, 7).Discover(1, 0x400), 0, false, false, false},
		{"firmware", synth.UEFI(nodeMAC, 7).Discover(1, 8), 0, false, false, false},
	} {
		m, o := parse(tt.d)
		count, offer, proxy, ok := IPXESecs(m, o)
		if count != tt.count || offer != tt.offer || proxy != tt.proxy || ok != tt.ok {
			t.Errorf("%s: IPXESecs() = %d, %v, %v, %v, want %d, %v, %v, %v", tt.name, count, offer, proxy, ok, tt.count, tt.offer, tt.proxy, tt.ok)
		}
	}
}

func TestNewLease(t *testing.T) {
	c := synth.UEFI(nodeMAC, 7)
	frame := &wire.Frame{SrcMAC: wire.MAC(synth.MAC("00:25:90:00:00:01"))}
	server := synth.DHCPServer{Host: synth.NewHost("00:25:90:00:00:01", "10.0.0.2"), Shape: synth.Dnsmasq, Router: "10.0.0.1", DNS: []string{"10.0.0.53"}, File: "bootx64.efi"}
	m, o := parse(server.Ack(c.Discover(9, 0), "10.0.0.57").With(
		synth.OptText(66, "10.0.0.66\x00"), synth.OptAddr(150, "10.0.0.150", "10.0.0.66"), synth.OptText(60, "PXEClient"),
		synth.OptNested(43, synth.OptBytes(6, 0), synth.OptBytes(8, 0x80, 0, 1, 10, 0, 0, 43)), synth.OptText(12, "node7")))
	got := NewLease(frame, m, o)
	addr := wire.MustAddr
	want := &track.Lease{
		MAC: wire.MAC(node), Addr: addr("10.0.0.57"), Server: addr("10.0.0.2"), ServerMAC: frame.SrcMAC, NextServer: addr("10.0.0.2"),
		ServerName: "10.0.0.66", File: "bootx64.efi", Mask: addr("255.255.255.0"), Routers: []wire.Addr{addr("10.0.0.1")}, DNS: []wire.Addr{addr("10.0.0.53")},
		LeaseTime: 3600, Arch: -1, Hostname: "node7", BootInfo: true,
		BootServers: []wire.Addr{addr("10.0.0.43"), addr("10.0.0.150"), addr("10.0.0.66"), addr("10.0.0.2")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	m, o = parse(synth.IPXE(nodeMAC, 7).Discover(9, 0))
	got = NewLease(frame, m, o)
	want = &track.Lease{MAC: wire.MAC(node), Arch: 7, Kind: track.ClientIPXE, Class: "PXEClient:Arch:00007:UNDI:003016", UserClass: "iPXE"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestBootInfo(t *testing.T) {
	base := synth.DHCP{Type: 2, YIAddr: "10.0.0.9"}
	for _, tt := range []struct {
		name string
		d    synth.DHCP
		want bool
	}{
		{"nothing, but siaddr and option 66", synth.DHCP{Type: 2, SIAddr: "10.0.0.2", Options: []synth.Opt{synth.OptText(66, "10.0.0.2")}}, false},
		{"file", synth.DHCP{Type: 2, File: "pxelinux.0"}, true},
		{"option 67", base.With(synth.OptText(67, "x")), true},
		{"option 67 of NULs", base.With(synth.OptText(67, "\x00")), false},
		{"file in overload", synth.DHCP{Type: 2, Options: []synth.Opt{synth.OptBytes(52, 1)}, FileOptions: []synth.Opt{synth.OptText(67, "x")}}, true},
		{"options in file are no name", synth.DHCP{Type: 2, Options: []synth.Opt{synth.OptBytes(52, 1)}, FileOptions: []synth.Opt{synth.OptText(15, "lab")}}, false},
		{"boot-aware, more on 4011", base.With(synth.OptText(60, "PXEClient")), true},
		{"HTTPClient without a URL", base.With(synth.OptText(60, "HTTPClient")), false},
		{"another vendor's option 43", base.With(synth.OptBytes(43, 8, 7, 0, 0, 1, 10, 0, 0, 1)), false},
		{"petitboot", base.With(synth.OptText(209, "conf")), true},
		{"iSCSI disk", base.With(synth.OptText(17, "iscsi:10.0.0.2::::iqn.x")), true},
		{"NFS root", base.With(synth.OptText(17, "10.0.0.2:/export")), false},
	} {
		m, o := parse(tt.d)
		if got := NewLease(&wire.Frame{}, m, o).BootInfo; got != tt.want {
			t.Errorf("%s: BootInfo = %v, want %v", tt.name, got, tt.want)
		}
	}
}
