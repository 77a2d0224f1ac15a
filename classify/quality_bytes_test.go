package classify

import (
	"strings"
	"testing"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/wire"
)

// The filter that pxescope makes for a phase is understood: it keeps what it is
// made to keep, and of a filter that does not, that is known too.
func TestPassesPhase(t *testing.T) {
	whole := func(live bool) string {
		f, err := filter.Build(&filter.Request{Phase: catalog.Provisioning, Complete: true, Live: live})
		if err != nil {
			t.Fatal(err)
		}
		return f.Text
	}
	node, six := addr("10.0.0.57"), addr("2001:db8::57")
	data := missed{proto: wire.ProtoUDP, from: ephemeral, to: 2070, server: addr("10.0.0.2"), node: node, payload: tftpReply}
	data6, mount, mount6, mountAny, mountTCP := data, data, data, data, data
	data6.server, data6.node = addr("2001:db8::2"), six
	mount.payload, mount.from = rpcReply, 33334
	mount6.payload, mount6.node = rpcReply, six
	mountAny.payload, mountAny.proto = rpcReply, 0
	mountTCP.payload, mountTCP.proto = rpcReply, wire.ProtoTCP
	part := missed{proto: wire.ProtoUDP, fragment: true, node: node}
	for _, live := range []bool{false, true} {
		f := whole(live)
		for _, c := range []struct {
			name string
			f    string
			m    missed
			want chance
		}{
			{"offer", f, missed{proto: wire.ProtoUDP, from: 67, to: 68}, always}, {"TFTP data", f, data, always}, {"TFTP data over IPv6", f, data6, always},
			{"a mount reply over UDP", f, mount, always}, {"one over IPv6", f, mount6, always}, {"one over what is not known", f, mountAny, maybe},
			{"one over TCP", f, mountTCP, maybe}, {"ARP", f, missed{arp: true}, always}, {"a later fragment", f, part, always},
			{"HTTP", f, missed{proto: wire.ProtoTCP, from: 80, to: 40000}, always}, {"bulk", f, missed{proto: wire.ProtoTCP, from: 5201, to: 40000}, maybe},
			{"of a node alone", "host 10.0.0.57 and (" + f + ")", data, always}, {"of another", "host 10.0.0.58 and (" + f + ")", data, never},
			{"without its TFTP terms", strings.ReplaceAll(f, "udp[8:2]", "udp[9:2]"), data, maybe},
		} {
			if got := passes(c.f, &c.m); got != c.want {
				t.Errorf("live %v, %s: got %d, want %d", live, c.name, got, c.want)
			}
		}
	}
}

func TestPassesBytes(t *testing.T) {
	node := addr("10.0.0.57")
	data := missed{proto: wire.ProtoUDP, from: ephemeral, to: 2070, node: node, payload: tftpReply}
	reply := missed{proto: wire.ProtoUDP, from: 33334, to: 700, node: node, payload: rpcReply}
	web := missed{proto: wire.ProtoTCP, from: 80, to: 40000, node: node}
	part := missed{proto: wire.ProtoUDP, fragment: true, node: node}
	for _, c := range []struct {
		filter string
		m      missed
		want   chance
	}{
		{"udp[8:2] = 1", data, never}, {"udp[8:2] != 1", data, always}, {"udp[8:2]=3", data, maybe}, {"udp[8:2] == 3", data, maybe}, {"udp[8:2] >= 3", data, always},
		{"udp[8:2] <= 0x6", data, always}, {"udp[8:2] < 3", data, never}, {"udp[8:2] > 6", data, never}, {"not udp[8:2] < 3", data, always},
		{"udp[ 8 : 2 ] < 3 or port 67", data, never}, {"(udp[8:2] > 2 && udp[8:2] < 7)", data, always}, {"udp[8:2] & 4 != 0", data, maybe}, {"udp[9] > 2", data, maybe},
		{"udp[12:4] = 1", reply, always}, {"udp[12:4] = 0", reply, never}, {"udp[16:4] < 2", reply, always}, {"udp[8:2] > 2", reply, maybe},
		{"udp[8:2] > 2", web, never}, {"tcp[13] & 7 != 0", web, maybe}, {"tcp[13] & 7 != 0", data, never}, {"tcp[((tcp[12] >> 4) << 2):4] = 0x47455420 or port 80", web, always},
		{"ip[6:2] & 0x1fff != 0", part, always}, {"ip[6:2]&0x1fff = 0", part, never}, {"ip[6:2] & 0x1fff = 0", data, always}, {"ip[6:2] & 0x1fff != 0", missed{arp: true}, maybe},
		{"(ip[2:2] - ((ip[0] & 0xf) << 2)) != 0", data, maybe}, {"udp[8:2", data, maybe}, {"udp[]] > 1", data, maybe}, {"udp[8:] > 1", data, maybe}, {"udp[8:2] >", data, maybe},
	} {
		if got := passes(c.filter, &c.m); got != c.want {
			t.Errorf("%q, %+v: got %d, want %d", c.filter, c.m, got, c.want)
		}
	}
}
