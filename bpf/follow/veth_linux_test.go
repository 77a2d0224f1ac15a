package follow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/synth"
)

// listen makes a packet socket that hears veth0 through the filter fd.
func listen(t *testing.T, l *netlab.Lab, fd int) (s int) {
	t.Helper()
	l.In(l.Near, func() error {
		ifc, err := net.InterfaceByName("veth0")
		if err != nil {
			return err
		}
		if s, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return errors.Join(unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, fd), unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20),
			unix.SetsockoptInt(s, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.Bind(s, &unix.SockaddrLinklayer{Protocol: raw(binary.NativeEndian, unix.ETH_P_ALL), Ifindex: ifc.Index}))
	})
	t.Cleanup(func() { unix.Close(s) })
	return s
}

// receive reads what is in the socket's buffer. Of a tagged frame the tag is
// beside the packet; it is put back.
func receive(t *testing.T, s int) (frames [][]byte) {
	t.Helper()
	b, oob := make([]byte, 1<<16), make([]byte, 256)
	for {
		n, on, _, _, err := unix.Recvmsg(s, b, oob, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		f := slices.Clone(b[:n])
		list, err := unix.ParseSocketControlMessage(oob[:on])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			// struct tpacket_auxdata: status at 0, tag at 16, its type at 18.
			if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && binary.NativeEndian.Uint32(m.Data)&unix.TP_STATUS_VLAN_VALID != 0 {
				tag := binary.BigEndian.AppendUint16(nil, binary.NativeEndian.Uint16(m.Data[18:]))
				tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(m.Data[16:]))
				f = slices.Insert(f, 12, tag...)
			}
		}
		frames = append(frames, f)
	}
}

// conversations are what must not lose a packet, by name.
func conversations() map[string][][]byte {
	all := make(map[string][][]byte)
	frames := func(c *synth.Capture) (out [][]byte) {
		for _, p := range c.Packets {
			out = append(out, p.Data)
		}
		return out
	}
	host := func(n byte) synth.Host {
		return synth.Host{MAC: [6]byte{0x52, 0x54, 0, 0, 2, n}, IP: netip.AddrFrom4([4]byte{10, 0, 2, n})}
	}
	for i, t := range []synth.TFTP{
		{}, {Options: []string{"tsize", "0"}}, {Options: []string{"blksize", "1408", "tsize", "0"}}, {Options: []string{"blksize", "1468", "windowsize", "16"}},
		{Options: []string{"blksize", "8192"}}, {Options: []string{"blksize", "1024"}, Refuse: []string{"blksize"}}, {Write: true}, {Twice: true}, {From: host(200)},
		{Lost: map[int]int{3: 2}, LostACK: map[int]int{5: 1}},
	} {
		c := new(synth.Capture)
		t.Client, t.Server, t.ClientPort, t.ServerPort, t.File, t.Size = host(byte(i+1)), rack, uint16(30001+i), uint16(45001+i), "vmlinuz", 200_000
		synth.TFTPTransfer(c, 0, t)
		var list [][]byte
		for _, f := range frames(c) {
			if len(f) > 1514 {
				list = append(list, synth.Fragments(f, 1500)...)
			} else {
				list = append(list, f)
			}
		}
		all[fmt.Sprintf("tftp %d", i)] = list
	}
	tagged := slices.Clone(all["tftp 2"])
	for i, f := range tagged {
		tagged[i] = slices.Insert(slices.Clone(f), 12, 0x81, 0x00, 0x00, 0x78)
		tagged[i][32], tagged[i][36] = 11, 11 // another address
	}
	all["tftp tagged"] = tagged
	n := host(100)
	udp := func(from, to synth.Host, sport, dport uint16, b []byte) [][]byte {
		f := synth.UDP(from, to, sport, dport, b)
		if len(f) > 1514 {
			binary.BigEndian.PutUint16(f[18:], uint16(len(b))^sport)
			return synth.Fragments(f, 1500)
		}
		return [][]byte{f}
	}
	all["mount over UDP"] = slices.Concat(
		udp(n, rack, 700, 111, synth.PortmapGetport(1, synth.RPCMount, 3, 17)), udp(rack, n, 111, 700, synth.RPCReply(1, synth.Words(40635))),
		udp(n, rack, 701, 40635, synth.MountMNT(2, 3, "node", "/srv/root")), udp(rack, n, 40635, 701, synth.MountReply(2, 0)),
		udp(n, rack, 702, 2049, synth.NFSCall(3, 3, 6, "node", 0, 0, 8192)), udp(rack, n, 2049, 702, synth.NFSRead(3, 8192)),
		udp(n, rack, 702, 2049, synth.NFSCall(4, 3, 6, "node", 0, 8192, 32768)), udp(rack, n, 2049, 702, synth.NFSRead(4, 32768)))
	n6, r6 := host(102).At("fd00::66"), rack.At("fd00::2")
	all["mount by rpcbind, IPv6"] = slices.Concat(
		udp(n6, r6, 700, 111, synth.RPCBGetaddr(1, 4, synth.RPCMount, 3, "udp6")),
		udp(r6, n6, 111, 700, synth.RPCReply(1, synth.Opaque(synth.UniversalAddr(r6.IP, 40635)))),
		udp(n6, r6, 701, 40635, synth.MountMNT(2, 3, "node", "/srv/root")), udp(r6, n6, 40635, 701, synth.MountReply(2, 0)))
	c := new(synth.Capture)
	n = host(101)
	v := c.Dial(0, n, 703, rack, 111).Open()
	v.Send(false, synth.RPCRecord(synth.PortmapGetport(1, synth.RPCMount, 3, 6))).Send(true, synth.RPCRecord(synth.RPCReply(1, synth.Words(40636)))).Close(false)
	v = c.Dial(time.Second, n, 704, rack, 40636).Open()
	v.Send(false, synth.RPCRecord(synth.MountMNT(2, 3, "node", "/srv/root"))).Send(true, synth.RPCRecord(synth.MountReply(2, 0))).Close(false)
	v = c.Dial(2*time.Second, n, 705, rack, 2049).Open()
	v.Send(false, synth.RPCRecord(synth.NFSCall(3, 3, 6, "node", 0, 0, 4000))).Send(true, synth.RPCRecord(synth.NFSRead(3, 4000))).Close(false)
	all["mount over TCP"] = frames(c)
	d := synth.PXERom("52:54:00:00:02:67").Discover(7, 0).With(synth.OptBytes(43, make([]byte, 250)...), synth.OptBytes(60, make([]byte, 250)...), synth.OptBytes(77, make([]byte, 250)...),
		synth.OptBytes(125, make([]byte, 250)...), synth.OptBytes(124, make([]byte, 250)...), synth.OptBytes(82, make([]byte, 250)...))
	all["fragmented DHCP"] = append(synth.Fragments(d.Broadcast(), 576), d.Broadcast()[:300])
	return all
}

// bulkFrames are what must not reach the socket.
func bulkFrames(i int) [][]byte {
	segment := synth.Segment{Flags: 0x10, Seq: uint32(1400 * i), Payload: make([]byte, 1400)}
	datagram := synth.UDP(rack, other, 50000, 50001, make([]byte, 8000))
	binary.BigEndian.PutUint16(datagram[18:], uint16(i))
	tcp := synth.TCP(rack, other, 40000, 40001, segment)
	return append(synth.Fragments(datagram, 1500),
		tcp, synth.TCP(rack6, node6, 40000, 40001, segment), slices.Insert(slices.Clone(tcp), 12, 0x81, 0, 0, 9),
		synth.UDP(rack, other, 50002, 50003, make([]byte, 1400)), synth.UDP(rack, other, 45001, 50003, make([]byte, 1400)))
}

// Not one packet of a conversation is lost on its way to a socket that the
// filter is attached to, while bulk is dropped all around it.
func TestVeth(t *testing.T) {
	l := netlab.New(t, "veth0")
	f, err := Load(Config{Phase: "provisioning"})
	privileged(t, err)
	defer f.Close()
	in, out := listen(t, l, f.FD()), l.Wire(l.Far, "veth0")
	want, sent, bulk := make(map[string]int), 0, 0
	names := make(map[string]string)
	all := conversations()
	var order []string
	for name := range all {
		order = append(order, name)
	}
	slices.Sort(order)
	// All conversations at once, one packet of each in turn.
	for i, left := 0, true; left; i++ {
		left = false
		for _, name := range order {
			if i >= len(all[name]) {
				continue
			}
			left = true
			b := all[name][i]
			out.Send(b)
			want[string(b)]++
			names[string(b)] = fmt.Sprintf("%s, packet %d", name, i)
			sent++
			for _, b := range bulkFrames(bulk) {
				out.Send(b)
				bulk++
			}
		}
	}
	samples := 0
	deadline := time.Now().Add(10 * time.Second)
	got := 0
	for got < sent && time.Now().Before(deadline) {
		for _, b := range receive(t, in) {
			if want[string(b)] > 0 {
				want[string(b)]--
				got++
			} else {
				samples++
			}
		}
	}
	lost := 0
	for b, n := range want {
		if n > 0 {
			if lost += n; lost < 20 {
				t.Errorf("%s: lost", names[b])
			}
		}
	}
	s, err := f.Stats()
	if err != nil {
		t.Fatal(err)
	}
	stats, err := unix.GetsockoptTpacketStats(in, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d conversations of %d packets, %d lost; %d packets of bulk, %d reached the socket as samples; %+v", len(all), sent, lost, bulk, samples, s)
	if stats.Drops > 0 {
		t.Errorf("got %d drops for want of room in the socket: the test shows nothing", stats.Drops)
	}
	if samples > bulk/100 || s.Dropped < uint64(bulk)*99/100 {
		t.Errorf("got %d of %d packets of bulk, %d dropped; want 1 in 100 at most", samples, bulk, s.Dropped)
	}
}
