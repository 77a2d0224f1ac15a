package tftp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Where proceeds takes a packet, in whatever state a transfer is, fromServer and
// fromClient come to the same and have nothing to say.
func TestProceedsIsTheGeneralWay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	few := func(n int) int { return r.IntN(n) }
	mostly := func() bool { return few(16) != 0 }
	hosts := []wire.Addr{wire.MustAddr("10.0.0.57"), wire.MustAddr("10.0.0.2"), wire.MustAddr("10.0.0.9")}
	taken := [2]int{}
	tr := testTracker()
	for range 50_000 {
		high := int64(few(4))
		if few(4) == 0 {
			high = 65533 + int64(few(6))
		}
		before := transfer{
			key: endpoint{hosts[0], 2070}, fetch: fetchKey{client: hosts[0], server: hosts[1]}, peer: hosts[1], peerPort: 49152, op: RRQ,
			replied: mostly(), answered: mostly(), reacted: mostly(), done: !mostly(), stalled: !mostly(), renewAt: capture.Time(900 + few(200)),
			repeatAt: capture.Time(few(2)), last: 1, lastClient: 2,
			b: blocks{
				high: high, highRaw: uint16(high), acked: high - int64(few(3)), size: int32(4 + 4*few(2)), highLen: int32(4 + few(5)), tsize: int64(few(2) * 4 * int(high+2)),
				window: 1, roll: roll(few(3)), dataSends: uint16(few(3)), sends: uint16(few(3)), ackSends: uint16(few(3)), idleACKs: uint16(few(3)),
				behind: uint16(few(2)), pairs: uint16(few(10)), ackPairs: uint16(few(10)), final: int64(few(2)) * high, shortFinal: few(2) == 0,
			},
		}
		if !mostly() {
			before.op, before.peerPort = WRQ, 0
		}
		m := binary.BigEndian.AppendUint16(nil, uint16(DATA)+uint16(few(2)))
		m = binary.BigEndian.AppendUint16(m, uint16(high)+uint16(few(4))-1)
		m = append(m, make([]byte, 4*few(3))...)
		f := udpFrame(hosts[0], hosts[1+few(8)/7], 2070, 49152+uint16(few(8)/7), m)
		f.Time, f.ID = capture.Time(700+few(400)), capture.NewFrameID(0, 77)
		f.PayloadLen += few(8) / 7
		toClient := few(2) == 0
		if toClient {
			f.Src, f.Dst, f.SrcPort, f.DstPort = f.Dst, f.Src, f.DstPort, f.SrcPort
		}
		op := Message(m).Op()
		short := before
		if !short.proceeds(&f, op, toClient) {
			if short != before {
				t.Fatalf("not taken, and yet changed:\n%+v\n%+v", before, short)
			}
			continue
		}
		general, deadline := before, tr.Deadline()
		var out track.Out
		if toClient {
			tr.fromServer(&general, &f, m, op, &out)
			taken[0]++
		} else {
			tr.fromClient(&general, &f, m, op, &out)
			taken[1]++
		}
		if general != short || out.Said() != 0 || tr.Deadline() != deadline {
			t.Fatalf("%v block %d in state\n%+v: got\n%+v\nwant\n%+v", op, binary.BigEndian.Uint16(m[2:]), before, short, general)
		}
	}
	if taken[0] < 20 || taken[1] < 20 {
		t.Errorf("only %v packets were taken", taken)
	}
}
