package tftp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
)

func TestMessage(t *testing.T) {
	type view struct {
		Op      Op
		Number  uint16
		Numbers bool
		Text    string
		File    string
		Mode    string
		Whole   bool
		Options Options
	}
	none := Options{BlockSize: -1, WindowSize: -1, Size: -1}
	for _, c := range []struct {
		name string
		msg  []byte
		want view
	}{
		{"empty", nil, view{Options: none}},
		{"one byte", []byte{0}, view{Options: none}},
		{"opcode only", []byte{0, 4}, view{Op: ACK, Options: none}},
		{"block number cut", []byte{0, 4, 1}, view{Op: ACK, Options: none}},
		{"ack", synth.TFTPAck(65535), view{Op: ACK, Number: 65535, Numbers: true, Options: none}},
		{"data", synth.TFTPData(7, []byte("abc")), view{Op: DATA, Number: 7, Numbers: true, Options: none}},
		{"error", synth.TFTPError(1, "File not found"), view{Op: ERROR, Number: 1, Numbers: true, Text: "File not found", Options: none}},
		{"error without NUL", []byte("\x00\x05\x00\x00hello"), view{Op: ERROR, Numbers: true, Text: "hello", Options: none}},
		{
			"edk2's request", synth.TFTPRead("bootx64.efi", "octet", "tsize", "0", "blksize", "1468", "windowsize", "4"),
			view{Op: RRQ, File: "bootx64.efi", Mode: "octet", Whole: true, Options: Options{BlockSize: 1468, WindowSize: 4, Size: 0, Count: 3}},
		},
		{"write", synth.TFTPWrite("dump", "netascii"), view{Op: WRQ, File: "dump", Mode: "netascii", Whole: true, Options: none}},
		{"mode cut", []byte("\x00\x01boot\x00oct"), view{Op: RRQ, File: "boot", Mode: "oct", Options: none}},
		{"file cut", []byte("\x00\x01boo"), view{Op: RRQ, File: "boo", Options: none}},
		{"option names in capitals", synth.TFTPOack("BLKSIZE", "1024", "TSize", "5"), view{Op: OACK, Options: Options{BlockSize: 1024, WindowSize: -1, Size: 5, Count: 2}}},
		{"option value cut", []byte("\x00\x06blksize\x0014"), view{Op: OACK, Options: none}},
		{"blksize below 8", synth.TFTPOack("blksize", "7"), view{Op: OACK, Options: Options{BlockSize: -1, WindowSize: -1, Size: -1, Count: 1}}},
		{"blksize above 65464", synth.TFTPOack("blksize", "65465"), view{Op: OACK, Options: Options{BlockSize: -1, WindowSize: -1, Size: -1, Count: 1}}},
		{"windowsize 0", synth.TFTPOack("windowsize", "0"), view{Op: OACK, Options: Options{BlockSize: -1, WindowSize: -1, Size: -1, Count: 1}}},
		{"number with junk", synth.TFTPOack("tsize", "12x"), view{Op: OACK, Options: Options{BlockSize: -1, WindowSize: -1, Size: -1, Count: 1}}},
		{"endless number", synth.TFTPOack("tsize", "99999999999999999999"), view{Op: OACK, Options: Options{BlockSize: -1, WindowSize: -1, Size: -1, Count: 1}}},
		{"multicast", synth.TFTPOack("multicast", "224.1.1.1,1758,1"), view{Op: OACK, Options: Options{BlockSize: -1, WindowSize: -1, Size: -1, Multicast: true, Count: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Message(c.msg)
			got := view{Op: m.Op(), Options: none}
			switch got.Op {
			case ERROR:
				got.Text = string(m.Text())
				fallthrough
			case DATA, ACK:
				got.Number, got.Numbers = m.Number()
			case RRQ, WRQ:
				r := m.Request()
				got.File, got.Mode, got.Whole, got.Options = string(r.File), string(r.Mode), r.Whole, r.Options
			case OACK:
				got.Options = m.Options()
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
		})
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(synth.TFTPRead("bootx64.efi", "octet", "tsize", "0", "blksize", "1468", "windowsize", "4"))
	f.Add(synth.TFTPOack("blksize", "1468", "tsize", "99999999999999999999", "multicast", ""))
	f.Add(synth.TFTPError(8, "User aborted the transfer"))
	f.Add([]byte("\x00\x01"))
	f.Add([]byte("\x00\x01\x00\x00blksize"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := Message(b)
		if _, ok := m.Number(); ok != (len(b) >= headerLen) {
			t.Errorf("number of %d bytes: got %v", len(b), ok)
		}
		if len(m.Text()) > len(b) {
			t.Error("text is longer than its message")
		}
		r := m.Request()
		if len(r.File)+len(r.Mode) > len(b) {
			t.Error("file and mode are longer than their message")
		}
		for _, o := range []Options{r.Options, m.Options()} {
			switch {
			case o.BlockSize != -1 && (o.BlockSize < 8 || o.BlockSize > 65464):
				t.Errorf("blksize %d is out of bounds", o.BlockSize)
			case o.WindowSize != -1 && (o.WindowSize < 1 || o.WindowSize > 65535):
				t.Errorf("windowsize %d is out of bounds", o.WindowSize)
			case o.Size < -1 || o.Count > maxOptions:
				t.Errorf("options %+v are out of bounds", o)
			}
		}
		// What a builder makes of what was read is read the same again.
		if r.Whole && m.Op() == RRQ {
			again := Message(synth.TFTPRead(string(r.File), string(r.Mode))).Request()
			if string(again.File) != string(r.File) || string(again.Mode) != string(r.Mode) || !again.Whole {
				t.Errorf("read again: got %q %q, want %q %q", again.File, again.Mode, r.File, r.Mode)
			}
		}
	})
}
