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
	frames := traffic()
	messages := make([]message, len(frames))
	vectors := make([]unix.Iovec, len(frames))
	for i, f := range frames {
		vectors[i].Base = &f[0]
		vectors[i].SetLen(len(f))
		messages[i].hdr.Iov = &vectors[i]
		messages[i].hdr.SetIovlen(1)
	}
	var s sent
	start := time.Now()
	for next := 0; ; next = (next + batch) % len(messages) {
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

// traffic is 2,000 frames of 90 bytes: five of a hundred are of provisioning
// (NTP and DNS, questions and answers in turn), the others are SSH, HTTPS and
// UDP of no service, of 500 nodes.
func traffic() (list [][]byte) {
	for i := range 2000 {
		node, server := byte(i%250), byte(i%2)
		switch answer := i/20%2 == 1; {
		case i%40 == 0:
			list = append(list, datagram(node, server, 123, 123, answer, ntp(answer)))
		case i%40 == 20:
			list = append(list, datagram(node, server, uint16(20000+i/80), 53, answer, dns(uint16(i/80), answer)))
		case i%3 == 0:
			list = append(list, datagram(node, server, uint16(30000+i), 40000, i%2 == 0, make([]byte, 48)))
		default:
			list = append(list, segment(node, server, uint16(30000+i), []uint16{22, 443}[i%2], i%5 == 0))
		}
	}
	return list
}
