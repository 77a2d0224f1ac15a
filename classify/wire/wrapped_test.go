package wire_test

import (
	"encoding/binary"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// nflog wraps ip as nflog does on a little-endian host: a packet header, the
// sender's MAC, a prefix whose length needs padding, the payload.
func nflog(family byte, ip []byte) []byte {
	return cat([]byte{family, 0, 0, 30}, hx("0800 0100 0800 0300 1000 0800 0006 0000 525400aabb01 0000 0500 0a00 00 000000"),
		binary.LittleEndian.AppendUint16(nil, uint16(len(ip)+4)), hx("0900"), ip, make([]byte, -len(ip)&3))
}

// pktap is a header of Darwin for a packet of a link type, without and with a
// direction.
func pktap(dlt, direction byte) []byte {
	b := make([]byte, 108)
	b[0], b[4], b[8], b[36] = 108, 1, dlt, direction
	return b
}

func TestDecodeWrapped(t *testing.T) {
	ip := udp4(69, "rrq")
	plain := udpOver4(69, "rrq")
	from := with(plain, func(f *wire.Frame) { f.SrcMAC = clientMAC })
	big := cat(hx("02000000 0008 0001 0800 0300"), binary.BigEndian.AppendUint16(nil, uint16(len(ip)+4)), hx("0009"), ip)
	sent := func(f wire.Frame) wire.Frame { f.Outgoing = true; return f }
	short := wire.Frame{Stop: wire.StopLinkShort}
	runDecode(t, []decodeCase{
		{name: "NFLOG", link: capture.LinkNFLOG, data: nflog(2, ip), want: from},
		{name: "NFLOG of a big-endian host", link: capture.LinkNFLOG, data: big, want: plain},
		{name: "NFLOG, IPv6", link: capture.LinkNFLOG, data: nflog(10, udp6(547, "sol")), want: with(udpOver6(547, "sol"), func(f *wire.Frame) { f.SrcMAC = clientMAC })},
		{name: "NFLOG of a bridge", link: capture.LinkNFLOG, data: nflog(7, hx("0102")), want: wire.Frame{SrcMAC: clientMAC, Stop: wire.StopEtherType, Payload: hx("0102"), PayloadLen: 2}},
		{name: "NFLOG without a packet", link: capture.LinkNFLOG, data: nflog(2, ip)[:36], want: with(short, func(f *wire.Frame) { f.SrcMAC = clientMAC })},
		{name: "NFLOG with an attribute of no length", link: capture.LinkNFLOG, data: hx("02000000 0000 0100 0000 0000"), want: short},
		{name: "NFLOG with an attribute past the end", link: capture.LinkNFLOG, data: hx("02000000 ffff 0100 0000 0000"), want: short},
		{name: "NFLOG cut", link: capture.LinkNFLOG, data: hx("0200"), want: short},
		{name: "PKTAP sent", link: capture.LinkPKTAP, data: cat(pktap(1, 2), eth(0x0800, ip)), want: sent(wantEth(plain))},
		{name: "PKTAP received, as USER2", link: capture.LinkUser2, data: cat(pktap(1, 1), eth(0x0800, ip)), want: wantEth(plain)},
		{name: "PKTAP of loopback", link: capture.LinkPKTAP, data: cat(pktap(0, 0), hx("02000000"), ip), want: plain},
		{name: "PKTAP of a tunnel", link: capture.LinkPKTAP, data: cat(pktap(12, 0), ip), want: plain},
		{name: "PKTAP in PKTAP", link: capture.LinkPKTAP, data: cat(pktap(149, 0), hx("00")), want: wire.Frame{Stop: wire.StopLinkType, Payload: hx("00"), PayloadLen: 1}},
		{name: "PKTAP cut", link: capture.LinkPKTAP, data: pktap(1, 0)[:107], want: short},
		{name: "a USER2 of somebody else", link: capture.LinkUser2, data: make([]byte, 200), want: wire.Frame{Stop: wire.StopLinkType, Payload: make([]byte, 200), PayloadLen: 200}},
	})
}
