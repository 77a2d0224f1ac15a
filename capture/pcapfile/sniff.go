package pcapfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A kind is what a stream is by its first bytes.
type kind uint8

const (
	kindOther kind = iota
	kindPcap
	kindPcapng
	kindSnoop
	kindGzip
	kindZstd
	kindXz
	kindLz4
	kindBzip2
	kindZip
	kindTar
)

// sniffLen is how many bytes sniff wants: a tar header.
const sniffLen = 512

func (k kind) capture() bool    { return k >= kindPcap && k <= kindSnoop }
func (k kind) compressed() bool { return k >= kindGzip && k <= kindBzip2 }

func (k kind) String() string {
	return [...]string{"unknown", "pcap", "pcapng", "snoop", "gzip", "zstd", "xz", "lz4", "bzip2", "zip", "tar"}[k]
}

var magics = []struct {
	kind  kind
	magic string
}{
	{kindPcap, "\xd4\xc3\xb2\xa1"}, {kindPcap, "\xa1\xb2\xc3\xd4"},
	{kindPcap, "\x4d\x3c\xb2\xa1"}, {kindPcap, "\xa1\xb2\x3c\x4d"},
	{kindPcap, "\x34\xcd\xb2\xa1"}, {kindPcap, "\xa1\xb2\xcd\x34"},
	{kindPcapng, "\x0a\x0d\x0d\x0a"},
	{kindSnoop, snoopMagic},
	{kindGzip, "\x1f\x8b\x08"}, // RFC 1952: method deflate is the only one
	{kindZstd, "\x28\xb5\x2f\xfd"},
	{kindXz, "\xfd7zXZ\x00"},
	{kindLz4, "\x04\x22\x4d\x18"}, {kindLz4, "\x02\x21\x4c\x18"}, // frame, legacy frame
	{kindBzip2, "BZh"},
	{kindZip, "PK\x03\x04"}, {kindZip, "PK\x05\x06"}, // with members, empty
}

// sniff tells what starts with head.
func sniff(head []byte) kind {
	for _, m := range magics {
		if len(head) >= len(m.magic) && string(head[:len(m.magic)]) == m.magic {
			return m.kind
		}
	}
	// RFC 8878 section 3.1.2: frames that zstd and lz4 skip, which pzstd
	// puts first.
	if len(head) >= 4 {
		if v := binary.LittleEndian.Uint32(head); v&^0xf == 0x184d2a50 {
			return kindZstd
		}
	}
	if isTar(head) {
		return kindTar
	}
	return kindOther
}

// isTar checks the sum of a tar header, which old tars have without a magic.
func isTar(h []byte) bool {
	if len(h) < sniffLen || h[0] == 0 {
		return false
	}
	const sumAt, sumLen = 148, 8
	sum := uint64(0)
	for i, c := range h[:sniffLen] {
		if i >= sumAt && i < sumAt+sumLen {
			c = ' '
		}
		sum += uint64(c)
	}
	var want uint64
	digits := bytes.Trim(h[sumAt:sumAt+sumLen], " \x00")
	if len(digits) == 0 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '7' {
			return false
		}
		want = want<<3 | uint64(c-'0')
	}
	return want == sum
}

// foreign are capture and archive formats that other tools turn into ours.
var foreign = []struct{ magic, what, remedy string }{
	{"GMBU", "a Microsoft Network Monitor capture", "convert it: editcap -F pcapng IN OUT"},
	{"RTSS", "a Microsoft Network Monitor 1 capture", "convert it: editcap -F pcapng IN OUT"},
	{"TRSNIFF data", "a Sniffer capture", "convert it: editcap -F pcapng IN OUT"},
	{"XCP\x00", "a NetXRay capture", "convert it: editcap -F pcapng IN OUT"},
	{"btsnoop\x00", "a Bluetooth capture", "capture on the Ethernet interface"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
	{"Rar!", "a rar archive", "unpack it first"},
	{"\x7fELF", "a program", ""},
	{"%PDF", "a PDF document", ""},
	{"-----BEGIN PGP", "an encrypted file", "decrypt it first"},
}

// notCapture explains what a stream is that starts with head and is none of
// ours. cause is what the read after head returned.
func notCapture(name string, head []byte, cause error) *Error {
	e := &Error{File: name, Err: ErrUnreadable}
	if cause != nil && !isCut(cause) {
		e.Err = fmt.Errorf("%w: %w", ErrUnreadable, cause)
		e.Reason = "read: " + cause.Error()
		return e
	}
	if cause != nil && cause != io.EOF {
		e.Reason, e.Truncated = fmt.Sprintf("the compressed data end early, after %d bytes", len(head)), true
		return e
	}
	if len(head) == 0 {
		e.Reason = "is empty"
		e.Remedy = "the capture was not started, or stopped before its header was written"
		return e
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			e.Reason, e.Remedy = "not a capture file but "+f.what, f.remedy
			return e
		}
	}
	e.Reason = fmt.Sprintf("not a capture file (starts with %q)", head[:min(len(head), 8)])
	low := strings.ToLower(string(head))
	switch {
	case strings.HasPrefix(low, "<!doctype") || strings.HasPrefix(low, "<html"):
		e.Remedy = "is an HTML page: the download may need a login"
	case isText(head):
		e.Remedy = "is a text file: tcpdump -w writes captures"
	case len(bytes.Trim(head, "\x00")) == 0:
		e.Remedy = "is all zero bytes: the file was never written to disk"
	}
	return e
}

func isText(b []byte) bool {
	if len(b) == sniffLen { // a rune may be cut in two
		b = b[:sniffLen-utf8.UTFMax]
		for len(b) > 0 && b[len(b)-1] >= utf8.RuneSelf {
			b = b[:len(b)-1]
		}
	}
	for _, c := range string(b) {
		if c == utf8.RuneError || c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\x1b' {
			return false
		}
	}
	return true
}
