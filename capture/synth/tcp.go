package synth

import "time"

// TCP flags of RFC 9293 section 3.1, as in package wire, which a builder of
// test frames must not import.
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
)

// A Conversation adds the frames of one TCP connection to a Capture and keeps
// both sides' sequence numbers. Its methods add frames at Now and move Now on;
// they return the conversation, so that calls can be chained.
type Conversation struct {
	Capture                *Capture
	Client, Server         Host
	ClientPort, ServerPort uint16
	MSS                    uint16        // of both SYNs; segments are at most this long
	RTT                    time.Duration // between a segment and what answers it
	IP                     IP            // of every datagram
	Now                    time.Duration // after Start: when the next frame is sent
	Seq                    [2]uint32     // next sequence number of client and server
	Last                   []byte        // the frame added last, for ICMPError to quote
}

// Dial begins a conversation at an offset; it adds no frame. The MSS is 1460,
// the round trip 200 microseconds.
func (c *Capture) Dial(at time.Duration, client Host, clientPort uint16, server Host, serverPort uint16) *Conversation {
	return &Conversation{
		Capture: c, Client: client, Server: server, ClientPort: clientPort, ServerPort: serverPort,
		MSS: 1460, RTT: 200 * time.Microsecond, Now: at,
		Seq: [2]uint32{1000 * uint32(clientPort), 7_000_000 + uint32(clientPort)},
	}
}

// Wait moves Now on.
func (v *Conversation) Wait(d time.Duration) *Conversation {
	v.Now += d
	return v
}

// add puts a segment of the client (side 0) or the server (side 1) at Now.
func (v *Conversation) add(side int, s Segment) {
	if side == 0 {
		v.Last = v.IP.TCP(v.Client, v.Server, v.ClientPort, v.ServerPort, s)
	} else {
		v.Last = v.IP.TCP(v.Server, v.Client, v.ServerPort, v.ClientPort, s)
	}
	v.Capture.Add(v.Now, v.Last)
	v.Now += v.RTT
}

// SYN adds the client's SYN and its repetitions after the given gaps, each
// with the same sequence number. Now is then the round trip after the last.
func (v *Conversation) SYN(gaps ...time.Duration) *Conversation {
	at := v.Now
	s := Segment{Flags: tcpSYN, Seq: v.Seq[0], MSS: v.MSS}
	v.add(0, s)
	for _, g := range gaps {
		at += g
		v.Now = at
		v.add(0, s)
	}
	return v
}

// SYNACK adds the server's answer to the SYN.
func (v *Conversation) SYNACK() *Conversation {
	v.add(1, Segment{Flags: tcpSYN | tcpACK, Seq: v.Seq[1], Ack: v.Seq[0] + 1, MSS: v.MSS})
	return v
}

// Open adds the three-way handshake.
func (v *Conversation) Open() *Conversation {
	v.SYN().SYNACK()
	v.Seq[0]++
	v.Seq[1]++
	return v.ACK(false)
}

// ACK adds an acknowledgment without data by the client, or the server.
func (v *Conversation) ACK(byServer bool) *Conversation {
	i := side(byServer)
	v.add(i, Segment{Flags: tcpACK, Seq: v.Seq[i], Ack: v.Seq[1-i]})
	return v
}

// Refuse adds the server's RST to a SYN.
func (v *Conversation) Refuse() *Conversation {
	v.add(1, Segment{Flags: tcpRST | tcpACK, Ack: v.Seq[0] + 1})
	return v
}

// Refused adds a SYN and the server's RST.
func (v *Conversation) Refused() *Conversation { return v.SYN().Refuse() }

// Send adds data of the client, or the server, in segments of at most the MSS;
// the other side acknowledges each.
func (v *Conversation) Send(byServer bool, data []byte) *Conversation {
	for len(data) > 0 {
		n := min(len(data), int(v.MSS))
		v.Transmit(byServer, data[:n]).Advance(byServer, n).ACK(!byServer)
		data = data[n:]
	}
	return v
}

// Transmit adds one segment of data and does not move the sequence number:
// again and again, it is a retransmission.
func (v *Conversation) Transmit(byServer bool, data []byte) *Conversation {
	i := side(byServer)
	v.add(i, Segment{Flags: tcpPSH | tcpACK, Seq: v.Seq[i], Ack: v.Seq[1-i], Payload: data})
	return v
}

// Advance moves the sequence number of the client, or the server, on by n.
func (v *Conversation) Advance(byServer bool, n int) *Conversation {
	v.Seq[side(byServer)] += uint32(n)
	return v
}

// Close adds the FINs of both sides, the client's or the server's first, and
// their acknowledgments.
func (v *Conversation) Close(byServer bool) *Conversation {
	i := side(byServer)
	for _, s := range []int{i, 1 - i} {
		v.add(s, Segment{Flags: tcpFIN | tcpACK, Seq: v.Seq[s], Ack: v.Seq[1-s]})
		v.Seq[s]++
	}
	return v.ACK(byServer)
}

// Reset adds a RST of the client, or the server, in the middle of things.
func (v *Conversation) Reset(byServer bool) *Conversation {
	i := side(byServer)
	v.add(i, Segment{Flags: tcpRST | tcpACK, Seq: v.Seq[i], Ack: v.Seq[1-i]})
	return v
}

func side(byServer bool) int {
	if byServer {
		return 1
	}
	return 0
}
