package pcapfile

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
)

// writes keeps each Write apart.
type writes [][]byte

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, bytes.Clone(p))
	return len(p), nil
}

func (w writes) all() []byte { return bytes.Join(w, nil) }

// ngSample writes two sections with all that NgWriter knows.
func ngSample(t testing.TB) (w writes, packets []seen, ifaces []capture.Interface) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := NewNgWriter(&w, Section{Hardware: "rack 7", OS: "Linux", Application: "pxescope", Comment: "ticket 4711"})
	check(err)
	ifaces = []capture.Interface{
		{Name: "eth0", Link: capture.LinkEthernet, SnapLen: 262144, Filter: "udp port 67"},
		{Name: "any", Link: capture.LinkSLL2},
		{Name: "lo", Link: capture.LinkNull},
	}
	packet := func(iface int, link capture.LinkType, ns int64, wireLen int, data, comment string) {
		t.Helper()
		check(n.WritePacket(&capture.Packet{Time: capture.Time(ns), Link: link, Iface: iface, WireLen: wireLen, Data: []byte(data)}, comment))
	}
	for i := range 2 {
		no, err := n.Interface(ifaces[i])
		check(err)
		if no != i {
			t.Errorf("got interface %d, want %d", no, i)
		}
	}
	eth := strings.Repeat("\xff", 12) + "\x88\xb5"
	packet(0, 1, t0*1e9+123456789, 0, eth+"a", "")
	packet(1, 276, t0*1e9+1, 500, strings.Repeat("c", 22), "why it matters")
	packet(0, 1, 1<<62-1, 70000, eth, "x")
	check(n.Statistics(0, t0*1e9, (t0+1)*1e9, capture.Count{Known: true, N: 3}, capture.Count{Known: true, N: 1}))
	check(n.Statistics(1, 0, 0, capture.Count{}, capture.Count{}))
	check(n.Section(Section{}))
	no, err := n.Interface(ifaces[2])
	check(err)
	packet(no, 0, (t0+1)*1e9, 4, "\x02\x00\x00\x00", "")

	packets = []seen{
		{Number: 1, Time: t0*1e9 + 123456789, Link: 1, WireLen: 15, Data: eth + "a"},
		{Number: 2, Time: t0*1e9 + 1, Link: 276, Iface: 1, WireLen: 500, Data: strings.Repeat("c", 22)},
		{Number: 3, Time: 1<<62 - 1, Link: 1, WireLen: 70000, Data: eth},
		{Number: 4, Time: (t0 + 1) * 1e9, Link: 0, Iface: 2, WireLen: 4, Data: "\x02\x00\x00\x00"},
	}
	ifaces[0].Received = capture.Count{Known: true, N: 3}
	ifaces[0].Dropped = capture.Count{Known: true, N: 1}
	ifaces[0].End = (t0 + 1) * 1e9
	return w, packets, ifaces
}

func TestNgWriterRoundTrip(t *testing.T) {
	w, want, ifaces := ngSample(t)
	r, err := NewReader(bytes.NewReader(w.all()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(r)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("packets: want -, got +\n%s", d)
	}
	if d := cmp.Diff(ifaces, r.Interfaces()); d != "" {
		t.Errorf("interfaces: want -, got +\n%s", d)
	}
	if c := r.Info().Comment; c != "ticket 4711" {
		t.Errorf("got comment %q", c)
	}
}

// Each Write is a block: whatever number of them reached the disk, the file
// is whole.
func TestWritersWriteWholeRecords(t *testing.T) {
	ng, _, _ := ngSample(t)
	var pcap writes
	w, err := NewPcapWriter(&pcap, capture.LinkEthernet, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := w.WritePacket(&capture.Packet{Time: at(i), Link: 1, Data: make([]byte, i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, ws := range []writes{ng, pcap} {
		for n := 1; n <= len(ws); n++ {
			r, err := NewReader(bytes.NewReader(ws[:n].all()))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := drain(r); err != nil {
				t.Errorf("after %d of %d writes: %v", n, len(ws), err)
			}
		}
	}
}

func TestPcapWriterRoundTrip(t *testing.T) {
	for _, nano := range []bool{false, true} {
		var b bytes.Buffer
		w, err := NewPcapWriter(&b, capture.LinkSLL2, 96, nano)
		if err != nil {
			t.Fatal(err)
		}
		in := capture.Packet{Time: t0*1e9 + 123456789, Link: capture.LinkSLL2, WireLen: 1500, Data: []byte("abc")}
		if err := w.WritePacket(&in); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		want := seen{Number: 1, Time: in.Time, Link: 276, WireLen: 1500, Data: "abc"}
		if !nano {
			want.Time -= 789
		}
		if d := cmp.Diff([]seen{want}, got); d != "" {
			t.Errorf("nano %v: want -, got +\n%s", nano, d)
		}
		if s := r.Interfaces()[0].SnapLen; s != 96 {
			t.Errorf("got snap length %d, want 96", s)
		}
	}
}

// A tag that the kernel delivered beside the packet goes back into it.
func TestWritersPutTheTagBack(t *testing.T) {
	vlan := capture.VLAN{Present: true, TCI: 0x2078, TPID: 0x8100}
	eth := strings.Repeat("d", 6) + strings.Repeat("s", 6) + "\x08\x00rest"
	sll := strings.Repeat("h", 14) + "\x08\x00rest"
	for _, tt := range []struct {
		name string
		link capture.LinkType
		data string
		want string
	}{
		{"Ethernet", capture.LinkEthernet, eth, eth[:12] + "\x81\x00\x20\x78\x08\x00rest"},
		{"cooked", capture.LinkSLL, sll, sll[:14] + "\x81\x00\x20\x78\x08\x00rest"},
		{"raw has no place for it", capture.LinkRaw, "\x45\x00", "\x45\x00"},
		{"too short for it", capture.LinkEthernet, "short", "short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := capture.Packet{Time: at(0), Link: tt.link, VLAN: vlan, WireLen: 100, Data: []byte(tt.data)}
			var a, b bytes.Buffer
			pw, err := NewPcapWriter(&a, tt.link, 0, true)
			if err != nil {
				t.Fatal(err)
			}
			nw, err := NewNgWriter(&b, Section{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := nw.Interface(capture.Interface{Link: tt.link}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(pw.WritePacket(&p), nw.WritePacket(&p, "")); err != nil {
				t.Fatal(err)
			}
			for _, f := range []*bytes.Buffer{&a, &b} {
				r, err := NewReader(f)
				if err != nil {
					t.Fatal(err)
				}
				got, err := drain(r)
				if err != nil || len(got) != 1 {
					t.Fatalf("got %v, %v", got, err)
				}
				if wire := 100 + len(tt.want) - len(tt.data); got[0].Data != tt.want || got[0].WireLen != wire {
					t.Errorf("got %q of %d bytes, want %q of %d", got[0].Data, got[0].WireLen, tt.want, wire)
				}
			}
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriterErrors(t *testing.T) {
	var sink writes
	pw, _ := NewPcapWriter(&sink, capture.LinkEthernet, 0, true)
	nw, _ := NewNgWriter(&sink, Section{})
	if _, err := nw.Interface(capture.Interface{Link: capture.LinkEthernet}); err != nil {
		t.Fatal(err)
	}
	_, pcapErr := NewPcapWriter(broken{}, 1, 0, true)
	_, ngErr := NewNgWriter(broken{}, Section{})
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"pcap of another link type", pw.WritePacket(&capture.Packet{Link: capture.LinkRaw}), "link type RAW in a file of EN10MB"},
		{"pcap before 1970", pw.WritePacket(&capture.Packet{Link: 1, Time: -1}), "does not fit"},
		{"pcap after 2106", pw.WritePacket(&capture.Packet{Link: 1, Time: maxTime}), "does not fit"},
		{"pcapng interface unknown", nw.WritePacket(&capture.Packet{Link: 1, Iface: 1}, ""), "interface 1 is not described"},
		{"pcapng interface negative", nw.WritePacket(&capture.Packet{Link: 1, Iface: -1}, ""), "interface -1 is not described"},
		{"pcapng link type", nw.WritePacket(&capture.Packet{Link: 0}, ""), "link type NULL on interface 0 of EN10MB"},
		{"pcapng before 1970", nw.WritePacket(&capture.Packet{Link: 1, Time: -1}, ""), "before 1970"},
		{"statistics interface", nw.Statistics(1, 0, 0, capture.Count{}, capture.Count{}), "interface 1 is not described"},
		{"statistics before 1970", nw.Statistics(0, -1, 0, capture.Count{}, capture.Count{}), "before 1970"},
		{"pcap disk", pcapErr, "write pcap header: file already closed"},
		{"pcapng disk", ngErr, "write pcapng section header: file already closed"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, tt.err, tt.want)
		}
	}
	if len(sink) != 3 {
		t.Errorf("got %d writes, want the 3 before the errors", len(sink))
	}
}

func TestWritersAllocateNothing(t *testing.T) {
	var sink discard
	pw, _ := NewPcapWriter(&sink, 1, 0, true)
	nw, _ := NewNgWriter(&sink, Section{})
	nw.Interface(capture.Interface{Link: 1})
	p := capture.Packet{Link: 1, Data: make([]byte, 1500)}
	n := testing.AllocsPerRun(100, func() {
		if pw.WritePacket(&p) != nil || nw.WritePacket(&p, "comment") != nil {
			t.Fatal("write")
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations per packet, want 0", n)
	}
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }

// The bytes of a small file, by the specification.
func TestNgWriterBytes(t *testing.T) {
	var b bytes.Buffer
	w, _ := NewNgWriter(&b, Section{})
	w.Interface(capture.Interface{Name: "eth0", Link: 1, SnapLen: 96})
	w.WritePacket(&capture.Packet{Time: 0x0102030405060708, Link: 1, WireLen: 9, Data: []byte("abcde")}, "hi")
	want := "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00" +
		"\x01\x00\x00\x00\x28\x00\x00\x00\x01\x00\x00\x00\x60\x00\x00\x00" +
		"\x02\x00\x04\x00eth0\x09\x00\x01\x00\x09\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00" +
		"\x06\x00\x00\x00\x34\x00\x00\x00\x00\x00\x00\x00\x04\x03\x02\x01\x08\x07\x06\x05\x05\x00\x00\x00\x09\x00\x00\x00" +
		"abcde\x00\x00\x00\x01\x00\x02\x00hi\x00\x00\x00\x00\x00\x00\x34\x00\x00\x00"
	if got := b.String(); got != want {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// What tshark and capinfos read in our files.
func TestWritersAgainstTshark(t *testing.T) {
	for _, tool := range []string{"tshark", "capinfos"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	ng, _, _ := ngSample(t)
	tree(t, map[string][]byte{"x.pcapng": ng.all(), "x.pcap": pcapAt(t, strings.Repeat("e", 20), 1, 2)})
	fields := func(file string, names ...string) string {
		args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=|"}
		for _, n := range names {
			args = append(args, "-e", n)
		}
		out, err := exec.Command("tshark", args...).Output()
		if err != nil {
			t.Fatalf("tshark %v: %v", args, err)
		}
		return string(out)
	}
	got := fields("x.pcapng", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.comment")
	want := "1700000000.123456789|15|15|\n" +
		"1700000000.000000001|500|22|why it matters\n" +
		"4611686018.427387903|70000|14|x\n" +
		"1700000001.000000000|4|4|\n"
	if got != want {
		t.Errorf("tshark says\n%swant\n%s", got, want)
	}
	got = fields("x.pcap", "frame.time_epoch", "frame.len")
	if want := "1700000001.000000000|22\n1700000002.000000000|22\n"; got != want {
		t.Errorf("tshark says\n%swant\n%s", got, want)
	}
	out, err := exec.Command("capinfos", "x.pcapng").CombinedOutput()
	if err != nil {
		t.Fatalf("capinfos: %v\n%s", err, out)
	}
	for _, want := range []string{"ticket 4711", "rack 7", "pxescope", "Filter string = udp port 67", "Name = eth0", "Name = any", "Name = lo", "Time resolution = 0x09"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("capinfos does not say %q:\n%s", want, out)
		}
	}
}

// Frame numbers are those of Wireshark, whatever blocks lie between packets.
func TestFrameNumbersAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	eth := strings.Repeat("\xff", 12) + "\x88\xb5"
	f := newRaw(false).section(nil).iface(1, 0, nil).
		epb(0, t0*1e6, eth+"one", nil).
		block(blockCustom, func(b *raw) { b.u32(32473).text("mine") }).
		block(0x0a, func(b *raw) { b.u32(0x544c534b, 4).text("key\n") }).
		block(4, func(b *raw) { b.u32(0) }).
		epb(0, t0*1e6, eth+"two", nil).
		block(blockJournal, func(b *raw) { b.text("__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hello\n") }).
		block(blockCustomKeep, func(b *raw) { b.u32(32473).text("mine") }).
		block(0x12345678, func(b *raw) { b.u32(1) }).
		block(blockStatistics, func(b *raw) { b.u32(0, 0, 0) }).
		epb(0, t0*1e6, eth+"six", nil)
	tree(t, map[string][]byte{"x.pcapng": f.b})
	out, err := exec.Command("tshark", "-n", "-r", "x.pcapng", "-T", "fields", "-e", "frame.number", "-Y", "eth.type == 0x88b5").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(open(t, Options{}, "x.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	var ours strings.Builder
	for _, p := range got {
		ours.WriteString(label("", int(p.Number))[1:] + "\n")
	}
	if ours.String() != string(out) {
		t.Errorf("got frames\n%stshark says\n%s", ours.String(), out)
	}
}
