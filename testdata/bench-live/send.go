//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many packets one system call sends.
const batch = 50

// sent is what the sender says at its end.
type sent struct {
	Packets uint64        `json:"packets"`
	Took    time.Duration `json:"took"`
}

func (s sent) rate() float64 { return float64(s.Packets) / s.Took.Seconds() }

// message is struct mmsghdr of sendmmsg(2).
type message struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// send sends packets at a rate for some time: send RATE DURATION.
func send(args []string) {
	if err := sendAll(args); err != nil {
		fmt.Fprintln(os.Stderr, "bench-live send:", err)
		os.Exit(2)
	}
}

func sendAll(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("a rate and a duration are needed")
	}
	rate, err := strconv.Atoi(args[0])
	if err != nil || rate < 1 {
		return fmt.Errorf("rate %q: a number of packets per second", args[0])
	}
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	ifc, err := net.InterfaceByName(link)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return err
	}
	ip := binary.NativeEndian.Uint16([]byte{8, 0})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifc.Index, Protocol: ip}); err != nil {
		return err
	}
	traffic := newTraffic()
	messages := make([]message, len(traffic.frames))
	vectors := make([]unix.Iovec, len(traffic.frames))
	for i, f := range traffic.frames {
		vectors[i].Base = &f[0]
		vectors[i].SetLen(len(f))
		messages[i].hdr.Iov = &vectors[i]
		messages[i].hdr.SetIovlen(1)
	}
	var s sent
	start := time.Now()
	for next := 0; ; next = (next + batch) % len(messages) {
		if next == 0 {
			traffic.again(uint32(s.Packets / uint64(len(messages))))
		}
		// What is due by now, in batches.
		for due := time.Duration(s.Packets) * time.Second / time.Duration(rate); ; {
			if s.Took = time.Since(start); s.Took >= due {
				break
			}
		}
		if s.Took >= length {
			return json.NewEncoder(os.Stdout).Encode(s)
		}
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[next])), batch, 0, 0, 0)
		if errno != 0 && errno != unix.ENOBUFS && errno != unix.EAGAIN {
			return fmt.Errorf("sendmmsg: %w", errno)
		}
		if errno == 0 {
			s.Packets += uint64(n)
		}
	}
}

// Traffic is 2,000 frames of 90 bytes of 250 nodes: five of a hundred are of
// provisioning (NTP and DNS, each question with its answer), the others are SSH,
// remote desktops and UDP of no service.
type traffic struct {
	frames    [][]byte
	questions []question
}

// A question is what differs from round to round, so that no packet is a copy of
// an earlier one.
type question struct {
	ask, answer []byte // the bytes that tell them from others
	first       uint32
}

const udpData = 14 + 20 + 8

func newTraffic() (t traffic) {
	var control [][]byte
	for i := range 25 {
		node, server := byte(7*i), byte(i%2)
		q, a := datagram(node, server, 123, 123, false, ntp(false)), datagram(node, server, 123, 123, true, ntp(true))
		t.questions = append(t.questions, question{q[udpData+44 : udpData+48], a[udpData+28 : udpData+32], 1}) // transmit, and originate
		control = append(control, q, a)
		port := uint16(20000 + i)
		q, a = datagram(node, server, port, 53, false, dns(0, false)), datagram(node, server, port, 53, true, dns(0, true))
		t.questions = append(t.questions, question{q[udpData : udpData+2], a[udpData : udpData+2], uint32(i)}) // ID
		control = append(control, q, a)
	}
	for i := range 2000 {
		node, server := byte(i%250), byte(i%2)
		switch {
		case i%20 == 0:
			t.frames = append(t.frames, control[i/20])
		case i%3 == 0:
			t.frames = append(t.frames, datagram(node, server, uint16(30000+i), 40000, i%2 == 0, make([]byte, 48)))
		default:
			t.frames = append(t.frames, segment(node, server, uint16(30000+i), []uint16{22, 3389}[i%2], i%5 == 0))
		}
	}
	return t
}

// again makes the questions of another round.
func (t *traffic) again(round uint32) {
	for _, q := range t.questions {
		n := q.first + round
		if len(q.ask) == 2 {
			binary.BigEndian.PutUint16(q.ask, uint16(n))
		} else {
			binary.BigEndian.PutUint32(q.ask, n)
		}
		copy(q.answer, q.ask)
	}
}
