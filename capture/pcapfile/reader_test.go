package pcapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
)

// A golden file, the packets in it and what is said of it.
type golden struct {
	name    string
	b       []byte
	packets []seen
	info    capture.FileInfo // Packets, Bytes, First and Last are derived when zero
	ifaces  []capture.Interface
}

const t0 = 1_700_000_000

func pcapGoldens() (out []golden) {
	link := []capture.LinkType{capture.LinkEthernet}
	for _, big := range []bool{false, true} {
		order := " little"
		if big {
			order = " big"
		}
		file := func(magic uint32) *raw { return newRaw(big).pcapHeader(magic, 2, 4, 65535, 1) }
		out = append(out,
			golden{
				name: "micro" + order,
				b:    file(magicMicro).u32(t0, 123456, 3, 60).text("abc").u32(t0+1, 0, 2, 2).text("de").b,
				packets: []seen{
					{Number: 1, Time: t0*1e9 + 123456000, Link: 1, WireLen: 60, Data: "abc"},
					{Number: 2, Time: (t0 + 1) * 1e9, Link: 1, WireLen: 2, Data: "de"},
				},
				ifaces: []capture.Interface{{Link: 1, SnapLen: 65535}},
			},
			golden{
				name:    "nano" + order,
				b:       file(magicNano).u32(t0, 123456789, 3, 60).text("abc").b,
				packets: []seen{{Number: 1, Time: t0*1e9 + 123456789, Link: 1, WireLen: 60, Data: "abc"}},
			},
			golden{
				name: "modified" + order,
				b: file(magicModified).u32(t0, 5, 3, 60).u32(7).u16(0x800).add(4, 0).text("abc").
					u32(t0, 6, 1, 1).u32(7).u16(0x800).add(4, 0).text("z").b,
				packets: []seen{
					{Number: 1, Time: t0*1e9 + 5000, Link: 1, WireLen: 60, Data: "abc"},
					{Number: 2, Time: t0*1e9 + 6000, Link: 1, WireLen: 1, Data: "z"},
				},
			},
		)
	}
	le := func() *raw { return newRaw(false) }
	return append(out,
		golden{
			name:    "fcs bits above the link type",
			b:       le().pcapHeader(magicMicro, 2, 4, 65535, 0x24000000|113).u32(t0, 0, 1, 1).text("x").b,
			packets: []seen{{Number: 1, Time: t0 * 1e9, Link: capture.LinkSLL, WireLen: 1, Data: "x"}},
			info:    capture.FileInfo{Links: []capture.LinkType{capture.LinkSLL}},
		},
		golden{
			name:    "link type above 255",
			b:       le().pcapHeader(magicMicro, 2, 4, 65535, 276).u32(t0, 0, 1, 1).text("x").b,
			packets: []seen{{Number: 1, Time: t0 * 1e9, Link: capture.LinkSLL2, WireLen: 1, Data: "x"}},
			info:    capture.FileInfo{Links: []capture.LinkType{capture.LinkSLL2}},
		},
		golden{
			name:    "snap length 0",
			b:       le().pcapHeader(magicMicro, 2, 4, 0, 1).u32(t0, 0, 3, 3).text("abc").b,
			packets: []seen{{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 3, Data: "abc"}},
		},
		golden{
			name:    "captured more than the snap length",
			b:       le().pcapHeader(magicMicro, 2, 4, 2, 1).u32(t0, 0, 3, 3).text("abc").b,
			packets: []seen{{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 3, Data: "abc"}},
			ifaces:  []capture.Interface{{Link: 1, SnapLen: 2}},
		},
		golden{
			name:    "version 2.2 has the wire length first",
			b:       le().pcapHeader(magicMicro, 2, 2, 65535, 1).u32(t0, 0, 60, 3).text("abc").b,
			packets: []seen{{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 60, Data: "abc"}},
		},
		golden{
			name: "version 2.3 has the smaller length for the capture",
			b: le().pcapHeader(magicMicro, 2, 3, 65535, 1).u32(t0, 0, 60, 3).text("abc").
				u32(t0, 0, 3, 60).text("abc").b,
			packets: []seen{
				{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 60, Data: "abc"},
				{Number: 2, Time: t0 * 1e9, Link: 1, WireLen: 60, Data: "abc"},
			},
		},
		golden{
			name:    "microseconds beyond a second",
			b:       le().pcapHeader(magicMicro, 2, 4, 0, 1).u32(t0, 2_500_000, 0, 9).b,
			packets: []seen{{Number: 1, Time: (t0+2)*1e9 + 5e8, Link: 1, WireLen: 9}},
		},
		golden{
			name:    "seconds after 2038",
			b:       le().pcapHeader(magicMicro, 2, 4, 0, 1).u32(0xffffffff, 1, 0, 9).b,
			packets: []seen{{Number: 1, Time: 4294967295*1e9 + 1000, Link: 1, WireLen: 9}},
		},
		golden{
			name: "clock steps back",
			b:    le().pcapHeader(magicMicro, 2, 4, 0, 1).u32(t0, 0, 0, 9).u32(t0-5, 0, 0, 9).u32(t0-4, 0, 0, 9).b,
			packets: []seen{
				{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 9},
				{Number: 2, Time: (t0 - 5) * 1e9, Link: 1, WireLen: 9},
				{Number: 3, Time: (t0 - 4) * 1e9, Link: 1, WireLen: 9},
			},
			info: capture.FileInfo{First: (t0 - 5) * 1e9, Last: t0 * 1e9},
		},
		golden{name: "header only", b: le().pcapHeader(magicMicro, 2, 4, 65535, 1).b},
		golden{
			name: "snoop",
			b: newRaw(true).text(snoopMagic).u32(2, 4).u32(60, 3, 28, 5, t0, 250000).text("abc\x00").
				u32(2, 2, 28, 9, t0+1, 0).text("de\x00\x00").b,
			packets: []seen{
				{Number: 1, Time: t0*1e9 + 25e7, Link: 1, WireLen: 60, Data: "abc"},
				{Number: 2, Time: (t0 + 1) * 1e9, Link: 1, WireLen: 2, Data: "de"},
			},
			info: capture.FileInfo{Format: "snoop", Links: link, Dropped: capture.Count{Known: true, N: 9}},
		},
	)
}

func ngGoldens() (out []golden) {
	for _, big := range []bool{false, true} {
		order := " little"
		if big {
			order = " big"
		}
		f := newRaw(big).
			section(func(b *raw) {
				b.option(optComment, []byte("ticket 4711")...).option(shbOS, []byte("Linux")...).
					option(optComment, []byte("rack 3")...).option(optEnd)
			}).
			iface(1, 96, func(b *raw) {
				b.option(ifName, []byte("eth0")...).option(ifDescription, []byte("uplink")...).
					option(ifFilter, []byte("\x00udp port 67")...).option(ifTSResol, 9).option(optEnd)
			}).
			iface(113, 0, func(b *raw) { b.option(ifDescription, []byte("any")...).option(ifFilter, 1, 0, 0, 0) }).
			iface(101, 0, nil).
			block(0x0a, func(b *raw) { b.u32(0x544c534b, 4).text("key\n") }). // decryption secrets
			block(0x04, func(b *raw) { b.u16(0).u16(0) }).                    // name resolution
			epb(0, t0*1e9+7, "abc", func(b *raw) {
				b.option(optComment, []byte("why")...).option(epbDropCount, new64(b, 3)...).option(optEnd)
			}).
			block(0x77777777, func(b *raw) { b.text("unknown") }).
			block(blockCustom, func(b *raw) { b.u32(32473).text("mine") }).
			epb(1, t0*1e6+1e6, "defgh", nil).
			block(blockSimple, func(b *raw) { b.u32(200).text(strings.Repeat("s", 96)) }).
			block(blockPacket, func(b *raw) {
				ticks := uint64(t0*1e6 + 3e6)
				b.u16(2).u16(4).u32(uint32(ticks>>32), uint32(ticks), 2, 9).text("ob")
			}).
			block(blockStatistics, func(b *raw) {
				b.u32(0, 0, 0).option(isbIfRecv, new64(b, 1000)...).option(isbIfDrop, new64(b, 5)...).option(isbOSDrop, new64(b, 6)...)
			}).
			block(blockStatistics, func(b *raw) {
				b.u32(0, 0, 0).option(isbIfRecv, new64(b, 2000)...).option(isbIfDrop, new64(b, 7)...).option(isbOSDrop, new64(b, 8)...)
			})
		out = append(out, golden{
			name: "everything" + order,
			b:    f.b,
			packets: []seen{
				{Number: 1, Time: t0*1e9 + 7, Link: 1, WireLen: 3, Data: "abc"},
				// Wireshark shows the custom block as frame 2.
				{Number: 3, Time: (t0 + 1) * 1e9, Link: 113, Iface: 1, WireLen: 5, Data: "defgh"},
				{Number: 4, Time: (t0 + 1) * 1e9, Link: 1, WireLen: 200, Data: strings.Repeat("s", 96)},
				{Number: 5, Time: (t0 + 3) * 1e9, Link: 101, Iface: 2, WireLen: 9, Data: "ob"},
			},
			info: capture.FileInfo{
				Links:   []capture.LinkType{1, 113, 101},
				Ifaces:  []string{"eth0", "any"},
				Comment: "ticket 4711\nrack 3",
				Dropped: capture.Count{Known: true, N: 15 + 4},
			},
			ifaces: []capture.Interface{
				{Name: "eth0", Link: 1, SnapLen: 96, Filter: "udp port 67", Received: capture.Count{Known: true, N: 2000}, Dropped: capture.Count{Known: true, N: 15}},
				{Name: "any", Link: 113, Filter: "bpf bytecode"},
				{Link: 101, Dropped: capture.Count{Known: true, N: 4}},
			},
		})
	}
	le := func() *raw { return newRaw(false) }
	mixed := le().section(nil).iface(1, 0, nil).epb(0, t0*1e6, "a", nil).b
	mixed = append(mixed, newRaw(true).section(nil).iface(101, 0, nil).epb(0, t0*1e6+1, "b", nil).b...)
	return append(out,
		golden{
			name: "sections of both byte orders",
			b:    mixed,
			packets: []seen{
				{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 1, Data: "a"},
				{Number: 2, Time: t0*1e9 + 1000, Link: 101, Iface: 1, WireLen: 1, Data: "b"},
			},
			info: capture.FileInfo{Links: []capture.LinkType{1, 101}},
		},
		golden{
			name: "drop counts beside packets only",
			b: le().section(nil).iface(1, 0, nil).
				epb(0, t0*1e6, "a", func(b *raw) { b.option(epbDropCount, new64(b, 2)...) }).
				epb(0, t0*1e6, "b", func(b *raw) { b.option(epbDropCount, new64(b, 3)...) }).b,
			packets: []seen{
				{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 1, Data: "a"},
				{Number: 2, Time: t0 * 1e9, Link: 1, WireLen: 1, Data: "b"},
			},
			info: capture.FileInfo{Dropped: capture.Count{Known: true, N: 5}},
		},
		golden{
			name: "simple packet first has no time",
			b: le().section(nil).iface(1, 0, nil).block(blockSimple, func(b *raw) { b.u32(2).text("aa") }).
				epb(0, t0*1e6, "b", nil).b,
			packets: []seen{
				{Number: 1, Link: 1, WireLen: 2, Data: "aa"},
				{Number: 2, Time: t0 * 1e9, Link: 1, WireLen: 1, Data: "b"},
			},
			info: capture.FileInfo{First: t0 * 1e9, Last: t0 * 1e9},
		},
		golden{
			name: "simple packet cut by the snap length",
			b: le().section(nil).iface(1, 3, nil).
				block(blockSimple, func(b *raw) { b.u32(9).text("abc\x00") }).b,
			packets: []seen{{Number: 1, Link: 1, WireLen: 9, Data: "abc"}},
		},
		golden{name: "no interfaces", b: le().section(nil).b, info: capture.FileInfo{Links: nil}},
		golden{
			name: "interface filter of an unknown kind and empty options",
			b: le().section(nil).iface(1, 0, func(b *raw) {
				b.option(ifFilter, 9, 9).option(ifFilter).option(ifTSResol).option(ifTSOffset, 1)
			}).epb(0, t0*1e6, "a", nil).b,
			packets: []seen{{Number: 1, Time: t0 * 1e9, Link: 1, WireLen: 1, Data: "a"}},
			ifaces:  []capture.Interface{{Link: 1}},
		},
	)
}

// new64 is v in the byte order of b.
func new64(b *raw, v uint64) []byte { return (&raw{order: b.order}).u64(v).b }

func TestGolden(t *testing.T) {
	for _, g := range append(pcapGoldens(), ngGoldens()...) {
		if g.info.Format == "" {
			g.info.Format = "pcap"
			if bytes.HasPrefix(g.b, []byte("\n\r\r\n")) {
				g.info.Format = "pcapng"
			}
		}
		if g.info.Links == nil && g.name != "no interfaces" {
			g.info.Links = []capture.LinkType{1}
		}
		for i, p := range g.packets {
			g.info.Packets++
			g.info.Bytes += uint64(p.WireLen)
			if g.info.First == 0 && i == 0 {
				g.info.First = p.Time
			}
			if i == len(g.packets)-1 && g.info.Last == 0 {
				g.info.Last = p.Time
			}
		}
		t.Run(g.name, func(t *testing.T) {
			for _, src := range []struct {
				name string
				r    io.Reader
			}{
				{"whole", bytes.NewReader(g.b)},
				{"a byte at a time", iotest.OneByteReader(bytes.NewReader(g.b))},
				{"end with the data", iotest.DataErrReader(bytes.NewReader(g.b))},
			} {
				r, err := NewReader(src.r)
				if err != nil {
					t.Fatalf("%s: %v", src.name, err)
				}
				got, err := drain(r)
				if err != nil {
					t.Errorf("%s: %v", src.name, err)
				}
				if d := cmp.Diff(g.packets, got); d != "" {
					t.Errorf("%s: packets: want -, got +\n%s", src.name, d)
				}
				if d := cmp.Diff(g.info, r.Info()); d != "" {
					t.Errorf("%s: info: want -, got +\n%s", src.name, d)
				}
				if g.ifaces != nil {
					if d := cmp.Diff(g.ifaces, r.Interfaces()); d != "" {
						t.Errorf("%s: interfaces: want -, got +\n%s", src.name, d)
					}
				}
			}
		})
	}
}

// Damage: what came before it is delivered, and the error tells the frame.
func TestDamage(t *testing.T) {
	le := func() *raw { return newRaw(false) }
	pcap := func() *raw {
		return le().pcapHeader(magicMicro, 2, 4, 0, 1).u32(t0, 0, 3, 3).text("abc")
	}
	ng := func() *raw { return le().section(nil).iface(1, 0, nil).epb(0, t0*1e6, "abcd", nil) }
	for _, tt := range []struct {
		name      string
		b         []byte
		packets   int
		err       string
		truncated bool
	}{
		{"cut in a record header", pcap().u32(t0, 0).b, 1, "frame 2 (byte 43): the file ends after 8 of the 16 bytes of a record header", true},
		{"cut in a record", pcap().u32(t0, 0, 9, 9).text("abc").b, 1, "frame 2 (byte 43): the file ends after 19 of the 25 bytes of a record", true},
		{"record of 512 MB", pcap().u32(t0, 0, 512<<20, 512<<20).text("abc").b, 1, "frame 2 (byte 43): record length 536870912 exceeds the limit of 16777216 bytes", false},
		{"record at the limit", pcap().u32(t0, 0, MaxRecord, MaxRecord).text("abc").b, 1, "the file ends after 19 of the 16777232 bytes", true},
		{"zero tail", pcap().add(make([]byte, 4096)...).b, 1, "only zero bytes follow", false},
		{"snoop record shorter than its packet", newRaw(true).text(snoopMagic).u32(2, 4).u32(60, 3, 26, 0, t0, 0).text("abc").b, 0, "record length 26 does not hold its 3 bytes", false},
		{"snoop record too long", newRaw(true).text(snoopMagic).u32(2, 4).u32(60, 3, 1<<30, 0, t0, 0).text("abc").b, 0, "exceeds the limit", false},
		{"snoop cut", newRaw(true).text(snoopMagic).u32(2, 4).u32(60, 3, 28, 0, t0, 0).text("a").b, 0, "frame 1 (byte 16): the file ends after 25 of the 28 bytes of a record", true},

		{"block cut in its header", ng().u32(6).b, 1, "frame 2 (byte 84): the file ends after 4 of the 12 bytes of a block", true},
		{"block cut", ng().u32(6, 64).text("abcdefgh").b, 1, "the file ends after 16 of the 64 bytes of a block", true},
		{"block length 0", ng().u32(6, 0, 0).b, 1, "block length 0 is impossible", false},
		{"block length 13", ng().u32(6, 13).text("123456789").b, 1, "block length 13 is impossible", false},
		{"block lengths differ", ng().u32(99, 16, 0, 20).b, 1, "block length is 16 at its start and 20 at its end", false},
		{"packet block of 512 MB", ng().u32(6, 512<<20).text("abcdefgh").b, 1, "record length 536870912 exceeds the limit of 16777216 bytes", false},
		{"unknown block of 512 MB is skipped", ng().u32(99, 512<<20).text("abcdefgh").b, 1, "the file ends inside a block of 536870912 bytes", true},
		{"packet longer than its block", ng().block(6, func(b *raw) { b.u32(0, 0, 0, 5, 5).text("abcd") }).b, 1, "packet of 5 bytes in a block with room for 4", false},
		{"packet block too short", ng().block(6, func(b *raw) { b.u32(0, 0, 0, 0) }).b, 1, "packet block of 28 bytes is too short", false},
		{"obsolete packet block too short", ng().block(2, func(b *raw) { b.u32(0, 0, 0, 0) }).b, 1, "packet block of 28 bytes is too short", false},
		{"obsolete packet longer than its block", ng().block(2, func(b *raw) { b.u32(0, 0, 0, 5, 5).text("abcd") }).b, 1, "packet of 5 bytes in a block with room for 4", false},
		{"interface unknown", ng().epb(1, 0, "a", nil).b, 1, "interface 1 is not described: the section has 1", false},
		{"interface of the section before", ng().section(nil).epb(0, 0, "a", nil).b, 1, "interface 0 is not described: the section has 0", false},
		{"simple packet without an interface", le().section(nil).block(3, func(b *raw) { b.u32(1).text("a") }).b, 0, "interface 0 is not described", false},
		{"resolution 10^-64", ng().iface(1, 0, func(b *raw) { b.option(ifTSResol, 64) }).b, 1, "impossible timestamp resolution 10^-64 s", false},
		{"resolution 10^-30", ng().iface(1, 0, func(b *raw) { b.option(ifTSResol, 30) }).b, 1, "impossible timestamp resolution 10^-30 s", false},
		{"resolution 2^-64", ng().iface(1, 0, func(b *raw) { b.option(ifTSResol, 0x80|64) }).b, 1, "impossible timestamp resolution 2^-64 s", false},
		{"option past its block", ng().iface(1, 0, func(b *raw) { b.u16(ifName).u16(99).text("eth0") }).b, 1, "option 2 of 99 bytes runs past its block", false},
		{"interface description too short", ng().block(1, func(b *raw) { b.u32(1) }).b, 1, "interface description of 16 bytes is too short", false},
		{"second section with a bad magic", ng().u32(blockSection, 28, 0xdeadbeef, 1, 0, 0, 28).b, 1, "byte-order magic 0xdeadbeef", false},
		{"second section of another version", ng().block(blockSection, func(b *raw) { b.u32(byteOrderMagic).u16(2).u16(0).u64(0) }).b, 1, "pcapng version 2.0 is not supported", false},
		{"second section cut", ng().u32(blockSection, 28, byteOrderMagic).b, 1, "the file ends after 12 of the 28 bytes of a section header", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewReader(bytes.NewReader(tt.b))
			if err != nil {
				t.Fatal(err)
			}
			got, err := drain(r)
			if len(got) != tt.packets {
				t.Errorf("got %d packets, want %d", len(got), tt.packets)
			}
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("got error %v, want %q", err, tt.err)
			}
			if e.Frame != uint64(tt.packets+1) {
				t.Errorf("got frame %d, want %d", e.Frame, tt.packets+1)
			}
			i := r.Info()
			if i.Truncated != tt.truncated || i.Damage != e.Detail() {
				t.Errorf("got truncated %v and damage %q, want %v and %q", i.Truncated, i.Damage, tt.truncated, e.Detail())
			}
			if again := r.Next(&capture.Packet{}); again != err {
				t.Errorf("got %v from another Next, want the same error", again)
			}
		})
	}
}

func TestNotACapture(t *testing.T) {
	le := func() *raw { return newRaw(false) }
	for _, tt := range []struct{ name, b, want string }{
		{"empty", "", "is empty"},
		{"html", "<!DOCTYPE html><html>", `not a capture file (starts with "<!DOCTYP"); is an HTML page`},
		{"text", "12:00:01 IP 10.0.0.1 > 10.0.0.2\n", `not a capture file (starts with "12:00:01"); is a text file: tcpdump -w writes captures`},
		{"zeros", strings.Repeat("\x00", 600), "is all zero bytes"},
		{"binary", "\x01\x02\x03\x04\x05", `starts with "\x01\x02\x03\x04\x05"`},
		{"network monitor", "GMBU\x01\x02", "editcap"},
		{"cut pcap header", string(le().u32(magicMicro, 2).b), "the file ends after 8 of the 24 bytes of a pcap file header"},
		{"pcap version 1", string(le().pcapHeader(magicMicro, 1, 4, 0, 1).b), "pcap version 1.4 is not supported"},
		{"snoop version 3", string(newRaw(true).text(snoopMagic).u32(3, 4).b), "snoop version 3 is not supported"},
		{"snoop of ATM", string(newRaw(true).text(snoopMagic).u32(2, 18).b), "snoop data link type 18 is not supported"},
		{"snoop cut", snoopMagic + "\x00", "the file ends after 9 of the 16 bytes of a snoop file header"},
		{"pcapng magic", "\n\r\r\n" + strings.Repeat("x", 40), "byte-order magic 0x78787878"},
		{"pcapng cut", "\n\r\r\n\x1c\x00\x00\x00", "the file ends after 8 of the 28 bytes of a section header"},
		{"pcapng header of 4 GB", string(le().u32(blockSection, 0xfffffffc, byteOrderMagic, 1, 0, 0, 0).b), "section header length 4294967292 exceeds"},
		{"pcapng header of 8 bytes", string(le().u32(blockSection, 8, byteOrderMagic, 1, 0, 0, 0).b), "section header length 8 is impossible"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(tt.b))
			if r != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if !errors.Is(err, ErrUnreadable) {
				t.Errorf("%v is not ErrUnreadable", err)
			}
		})
	}
	cause := errors.New("the disk is on fire")
	_, err := NewReader(iotest.ErrReader(cause))
	if !errors.Is(err, cause) || !errors.Is(err, ErrUnreadable) {
		t.Errorf("got %v, want the cause and ErrUnreadable", err)
	}
	if _, err := NewReader(stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v from a reader that reads nothing, want %v", err, io.ErrNoProgress)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// A record may be larger than the buffer, and lies about its size cost no
// memory.
func TestBufferGrowsWithTheData(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	f := newRaw(false).pcapHeader(magicMicro, 2, 4, 0, 1).
		u32(t0, 0, 1, 1).text("a").u32(t0, 0, uint32(len(big)), uint32(len(big))).text(big).u32(t0, 0, 1, 1).text("z")
	r, err := NewReader(iotest.HalfReader(bytes.NewReader(f.b)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(r)
	if err != nil || len(got) != 3 || got[1].Data != big || got[2].Data != "z" {
		t.Errorf("got %d packets, error %v", len(got), err)
	}

	lie := newRaw(false).pcapHeader(magicMicro, 2, 4, 0, 1).u32(t0, 0, MaxRecord, MaxRecord).text("abc")
	r, err = NewReader(bytes.NewReader(lie.b))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = drain(r); err == nil {
		t.Error("got no error from a record that is not there")
	}
	if len(r.buf) != bufferSize {
		t.Errorf("got a buffer of %d bytes, want %d", len(r.buf), bufferSize)
	}
}

// Timestamps against arithmetic with big numbers.
func TestResolution(t *testing.T) {
	ticks := []uint64{0, 1, 2, 999_999, 1 << 20, 1<<20 - 1, 1<<20 + 1, 1_700_000_000, 1_700_000_000_123_456, 1<<31<<20 + 1<<19, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for _, offset := range []int64{0, 1, -1, 1_700_000_000, -1_700_000_000, 1<<63 - 1, -1 << 63} {
		for exp := range uint(128) {
			for _, binary := range []bool{false, true} {
				res := resolution{binary: binary, exp: exp, offset: offset}
				if want := exp <= 19 || binary && exp <= 63; res.valid() != want {
					t.Fatalf("%v: got valid %v, want %v", res, res.valid(), want)
				}
				if !res.valid() {
					continue
				}
				i := ngInterface{res: res}
				i.mul, i.limit = res.fast()
				for _, n := range ticks {
					if got, want := i.timed(n), exactTime(res, n); got != want {
						t.Fatalf("%d ticks of %v from %d: got %d, want %d", n, res, offset, got, want)
					}
				}
			}
		}
	}
	half := resolution{binary: true, exp: 20}
	if got := half.time(1 << 19); got != 5e8 {
		t.Errorf("got %d ns for half a second of 2^-20 s, want 5e8", got)
	}
}

func exactTime(s resolution, ticks uint64) capture.Time {
	base := int64(10)
	if s.binary {
		base = 2
	}
	unit := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(s.exp)), nil)
	sec, frac := new(big.Int).QuoRem(new(big.Int).SetUint64(ticks), unit, new(big.Int))
	sec.Add(sec, big.NewInt(s.offset))
	if sec.Sign() < 0 {
		return 0
	}
	ns := new(big.Int).Mul(sec, big.NewInt(1e9))
	ns.Add(ns, frac.Quo(frac.Mul(frac, big.NewInt(1e9)), unit))
	if !ns.IsInt64() || ns.Int64() > maxTime {
		return maxTime
	}
	return capture.Time(ns.Int64())
}

func TestSkipsLargeBlocks(t *testing.T) {
	// A secrets block larger than the limit of a record.
	const n = MaxRecord + 4096
	f := newRaw(false).section(nil).iface(1, 0, nil)
	f.u32(0x0a, n).add(make([]byte, n-12)...).u32(n)
	f.epb(0, t0*1e6, "abcd", nil)
	r, err := NewReader(bytes.NewReader(f.b))
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(r)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d packets, error %v, want 1", len(got), err)
	}
	if len(r.buf) != bufferSize {
		t.Errorf("got a buffer of %d bytes, want %d", len(r.buf), bufferSize)
	}
}

// The steady state allocates nothing: not per packet, and not over buffer
// boundaries.
func TestNextAllocatesNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
	}{
		{"pcap", bulk(t, false, 80, 4<<20)},
		{"pcapng", bulk(t, true, 80, 4<<20)},
	} {
		for _, open := range []struct {
			name string
			f    func([]byte) (nexter, error)
		}{{"reader", reader}, {"timeline", timeline}} {
			t.Run(tt.name+" "+open.name, func(t *testing.T) {
				r, err := open.f(tt.b)
				if err != nil {
					t.Fatal(err)
				}
				var p capture.Packet
				n := testing.AllocsPerRun(20, func() {
					for range 1000 {
						if err := r.Next(&p); err != nil {
							t.Fatal(err)
						}
					}
				})
				if n != 0 {
					t.Errorf("got %v allocations in 1000 packets, want 0", n)
				}
			})
		}
	}
}

// Byte orders of the golden files are those of the formats.
func TestGoldenBytes(t *testing.T) {
	got := newRaw(true).pcapHeader(magicNano, 2, 4, 65535, 1).u32(1, 2, 1, 3).text("x").b
	want := []byte("\xa1\xb2\x3c\x4d\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x01" +
		"\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x03x")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	got = newRaw(false).section(nil).b
	want = []byte("\n\r\r\n\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00")
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if n := binary.LittleEndian.Uint32(want[4:]); int(n) != len(want) {
		t.Errorf("got block length %d, want %d", n, len(want))
	}
}

// Descriptions cost bounded memory, whatever the file says.
func TestDescriptionsAreBounded(t *testing.T) {
	long := bytes.Repeat([]byte("n"), 60_000)
	f := newRaw(false).section(func(b *raw) { b.option(optComment, long...).option(optComment, long...) })
	one := newRaw(false).iface(1, 0, func(b *raw) {
		b.option(ifName, long[:1000]...).option(ifFilter, append([]byte{0}, long[:5000]...)...)
	}).b
	for range 2000 {
		f.add(one...)
	}
	r, err := NewReader(bytes.NewReader(f.b))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(r); err != nil {
		t.Fatal(err)
	}
	total := len(r.Info().Comment)
	if total != maxComment {
		t.Errorf("got %d bytes of comment, want %d", total, maxComment)
	}
	first := r.Interfaces()[0]
	if len(first.Name) != maxName || len(first.Filter) != maxFilter {
		t.Errorf("got a name of %d bytes and a filter of %d, want %d and %d", len(first.Name), len(first.Filter), maxName, maxFilter)
	}
	for _, i := range r.Interfaces() {
		total += len(i.Name) + len(i.Filter)
	}
	if total > maxText {
		t.Errorf("got %d bytes of text, want at most %d", total, maxText)
	}

	f = newRaw(false).section(nil)
	f.add(bytes.Repeat(newRaw(false).iface(1, 0, nil).b, maxInterfaces+1)...)
	r, err = NewReader(bytes.NewReader(f.b))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(r); err == nil || !strings.Contains(err.Error(), "more than 65536 interfaces") {
		t.Errorf("got %v", err)
	}
}
