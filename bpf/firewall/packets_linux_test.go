package firewall

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/live/netlab"
)

// Real packets through a router with the rules: HTTP, a DHCP renewal and a TFTP
// transfer whose data comes from another port get through; ssh does not, in
// either direction, and a stray datagram from the rack does not.
func TestPackets(t *testing.T) {
	for form, args := range map[string][]string{
		"nft": {"nft", "-f", "-"}, "iptables": {"iptables-restore", "--noflush"},
	} {
		t.Run(form, func(t *testing.T) {
			tool(t, args[0])
			packets(t, form, args)
		})
	}
}

func packets(t *testing.T, form string, load []string) {
	node, router, rack := netlab.Namespace(t, "node"), netlab.Namespace(t, "router"), netlab.Namespace(t, "rack")
	for _, line := range []string{
		"-n " + node + " link add eth0 type veth peer name eth1 netns " + router,
		"-n " + rack + " link add eth0 type veth peer name eth2 netns " + router,
		"-n " + node + " addr add 10.0.0.57/24 dev eth0", "-n " + rack + " addr add 10.0.1.2/24 dev eth0",
		"-n " + router + " addr add 10.0.0.1/24 dev eth1", "-n " + router + " addr add 10.0.1.1/24 dev eth2",
		"-n " + node + " link set eth0 up", "-n " + rack + " link set eth0 up",
		"-n " + router + " link set eth1 up", "-n " + router + " link set eth2 up",
		"-n " + node + " route add default via 10.0.0.1", "-n " + rack + " route add default via 10.0.1.1",
		"netns exec " + router + " sysctl -qw net.ipv4.ip_forward=1",
	} {
		netlab.IP(t, strings.Fields(line)...)
	}
	p := build(t, Options{Racks: addrs("10.0.1.2"), NodeNets: prefixes("10.0.0.0/24"), Iface: "eth1"})
	if err := in(router, forms(p)[form], load...); err != nil {
		netlab.Lacking(t, "needs nf_conntrack_tftp: %v", err)
	}

	listen := func(ns, network, address string) (l net.Listener, c *net.UDPConn) {
		err := netlab.In(ns, func() (err error) {
			if network == "tcp4" {
				l, err = net.Listen(network, address)
				return err
			}
			a, err := net.ResolveUDPAddr(network, address)
			if err != nil {
				return err
			}
			c, err = net.ListenUDP(network, a)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if l != nil {
			t.Cleanup(func() { l.Close() })
		} else {
			t.Cleanup(func() { c.Close() })
		}
		return l, c
	}
	dial := func(ns, address string, wait time.Duration) error {
		return netlab.In(ns, func() error {
			c, err := net.DialTimeout("tcp4", address, wait)
			if err == nil {
				c.Close()
			}
			return err
		})
	}
	const patience, silence = 10 * time.Second, 300 * time.Millisecond
	for _, x := range []struct{ ns, address string }{{rack, "10.0.1.2:80"}, {rack, "10.0.1.2:22"}, {node, "10.0.0.57:22"}} {
		listen(x.ns, "tcp4", x.address)
	}
	if err := dial(node, "10.0.1.2:80", patience); err != nil {
		t.Errorf("http: got %v, want a connection", err)
	}
	for _, x := range []struct{ name, ns, address string }{{"from the node", node, "10.0.1.2:22"}, {"to the node", rack, "10.0.0.57:22"}} {
		var ne net.Error
		if err := dial(x.ns, x.address, silence); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("ssh %s: got %v, want silence", x.name, err)
		}
	}

	send := func(from *net.UDPConn, text string, to net.Addr) {
		t.Helper()
		if _, err := from.WriteTo([]byte(text), to); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(c *net.UDPConn, wait time.Duration) (string, net.Addr, error) {
		c.SetReadDeadline(time.Now().Add(wait))
		b := make([]byte, 600)
		n, from, err := c.ReadFrom(b)
		return string(b[:n]), from, err
	}
	udp := func(s string) net.Addr {
		a, err := net.ResolveUDPAddr("udp4", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	expect := func(what string, c *net.UDPConn, want string) net.Addr {
		t.Helper()
		got, from, err := receive(c, patience)
		if err != nil || got != want {
			t.Fatalf("%s: got %q, %v, want %q", what, got, err, want)
		}
		return from
	}

	_, dhcpd := listen(rack, "udp4", "10.0.1.2:67")
	_, client := listen(node, "udp4", "10.0.0.57:68")
	send(client, "REQUEST", udp("10.0.1.2:67"))
	send(dhcpd, "ACK", expect("DHCP renewal", dhcpd, "REQUEST"))
	expect("DHCP answer", client, "ACK")

	_, tftpd := listen(rack, "udp4", "10.0.1.2:69")
	_, data := listen(rack, "udp4", "10.0.1.2:0")
	_, stray := listen(rack, "udp4", "10.0.1.2:0")
	_, firmware := listen(node, "udp4", "10.0.0.57:2070")
	_, bystander := listen(node, "udp4", "10.0.0.57:2071")
	send(firmware, "\x00\x01pxelinux.0\x00octet\x00", udp("10.0.1.2:69"))
	peer := expect("TFTP request", tftpd, "\x00\x01pxelinux.0\x00octet\x00")
	send(stray, "unasked", bystander.LocalAddr())
	send(data, "\x00\x03\x00\x01kernel", peer)
	from := expect("TFTP data from another port", firmware, "\x00\x03\x00\x01kernel")
	send(firmware, "\x00\x04\x00\x01", from)
	expect("TFTP ACK", data, "\x00\x04\x00\x01")
	if got, _, err := receive(bystander, silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("datagram that nobody asked for: got %q, %v, want none", got, err)
	}
	if form != "nft" {
		return
	}
	var rules strings.Builder
	cmd := exec.Command("ip", "netns", "exec", router, "nft", "list", "table", "inet", "pxescope")
	cmd.Stdout = io.Writer(&rules)
	if err := cmd.Run(); err != nil {
		t.Fatal(fmt.Errorf("list rules: %w", err))
	}
	for _, line := range strings.Split(rules.String(), "\n") {
		if strings.Contains(line, "drop") && strings.Contains(line, `"eth1"`) && strings.Contains(line, "packets 0 ") {
			t.Errorf("drop rule that counted nothing: %s", line)
		}
	}
}
