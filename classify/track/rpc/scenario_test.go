package rpc

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

var (
	node   = synth.NewHost("52:54:00:00:00:57", "10.0.0.57")
	server = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	other  = synth.NewHost("52:54:00:00:00:02", "10.0.0.3") // another address of the server
)

const (
	tcp = 6
	udp = 17

	clientPort = 801
	second     = time.Second
)

// A story is a Capture with the verbs of this protocol.
type story struct{ synth.Capture }

func tell(parts ...func(*story)) *synth.Capture {
	s := &story{}
	for _, p := range parts {
		p(s)
	}
	s.Join()
	return &s.Capture
}

// ask sends a UDP payload to a port of the server, and again after gaps.
func ask(at time.Duration, port uint16, payload []byte, gaps ...time.Duration) func(*story) {
	return askFrom(at, clientPort, port, payload, gaps...)
}

func askFrom(at time.Duration, from, port uint16, payload []byte, gaps ...time.Duration) func(*story) {
	return func(s *story) {
		for i := 0; ; i++ {
			s.Add(at, synth.IP{ID: uint16(at / time.Millisecond)}.UDP(node, server, from, port, payload))
			if i == len(gaps) {
				return
			}
			at += gaps[i]
		}
	}
}

func answer(at time.Duration, port uint16, payload []byte) func(*story) {
	return answerTo(at, clientPort, port, payload)
}

func answerTo(at time.Duration, to, port uint16, payload []byte) func(*story) {
	return func(s *story) { s.Add(at, synth.UDP(server, node, port, to, payload)) }
}

// both is a call and its reply a millisecond later.
func both(at time.Duration, port uint16, call, reply []byte) func(*story) {
	return func(s *story) {
		ask(at, port, call)(s)
		answer(at+time.Millisecond, port, reply)(s)
	}
}

// unreachable is the server's ICMP port unreachable to a datagram.
func unreachable(at time.Duration, port uint16, payload []byte) func(*story) {
	return func(s *story) {
		q := synth.UDP(node, server, clientPort, port, payload)
		s.Add(at, q)
		s.Add(at+time.Millisecond, synth.ICMPError(server, node, 3, 3, 0, q))
	}
}

// quiet is a frame of another protocol, which moves the time on.
func quiet(at time.Duration) func(*story) {
	return func(s *story) { s.Add(at, synth.UDP(node, server, 5000, 9, []byte("tick"))) }
}

func dial(at time.Duration, port uint16, f func(*synth.Conversation)) func(*story) {
	return dialFrom(at, clientPort, port, f)
}

func dialFrom(at time.Duration, from, port uint16, f func(*synth.Conversation)) func(*story) {
	return func(s *story) { f(s.Dial(at, node, from, server, port)) }
}

func getport(prog, vers, proto uint32) []byte {
	return synth.PortmapGetport(0x1000+vers+proto<<8+prog<<16, prog, vers, proto)
}

func getportReply(prog, vers, proto, port uint32) []byte {
	return synth.RPCReply(0x1000+vers+proto<<8+prog<<16, synth.Words(port))
}

var (
	mountV3 = synth.MountMNT(0x33, 3, "cn01", "/srv/image")
	mountV1 = synth.MountMNT(0x31, 1, "cn01", "/srv/image")
	getattr = synth.NFSCall(0x44, 3, 1, "cn01")
	rootV4  = synth.NFSCompound(0x46, "cn01", 53, 24, 10, 9)
)

// mountedV4 is an NFSv4 mount that succeeds.
func mountedV4(at time.Duration) func(*story) {
	return dialFrom(at, 790, 2049, func(v *synth.Conversation) {
		v.Open().Send(false, synth.RPCRecord(rootV4)).Send(true, synth.RPCRecord(synth.NFSCompoundReply(0x46, 0))).Close(false)
	})
}

// established is an NFSv3 connection on which a call was answered.
func established(at time.Duration, more func(*synth.Conversation)) func(*story) {
	return dial(at, 2049, func(v *synth.Conversation) {
		v.Open().Send(false, synth.RPCRecord(getattr)).Send(true, synth.RPCRecord(synth.NFSReply(0x44, 0)))
		more(v)
	})
}

var stuck = synth.NFSCall(0x45, 3, 6, "cn01", 0, 0, 65536)

func repeat(n int, f func(i int) func(*story)) func(*story) {
	return func(s *story) {
		for i := range n {
			f(i)(s)
		}
	}
}

func at(s float64) time.Duration { return time.Duration(s * float64(second)) }

type scenario struct {
	name string
	c    *synth.Capture
	want []string
	// says is part of the first finding's summary.
	says string
}

var scenarios = []scenario{
	// FM-23
	{
		"portmap silent over UDP", tell(ask(0, 111, getport(100005, 3, udp), second, second), quiet(at(8))),
		[]string{"rpc-portmap-no-answer"}, `3 calls over UDP for "mount v3 udp" to portmap on 10.0.0.2, no reply, no ICMP`,
	},
	{
		"portmap: TCP filtered, then UDP silent", tell(
			dial(0, 111, func(v *synth.Conversation) { v.SYN(at(1.03), at(1.03), at(1.02)) }),
			ask(at(5), 111, getport(100005, 3, udp), second, second), quiet(at(12)),
		), []string{"rpc-portmap-no-answer"}, "3 calls over UDP and 4 SYNs",
	},
	{
		"portmap: TCP refused, then UDP answers", tell(
			dial(0, 111, func(v *synth.Conversation) { v.Refused() }),
			both(at(0.1), 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 20048)), quiet(at(20)),
		), nil, "",
	},
	{
		"portmap: TCP filtered, then UDP answers", tell(
			dial(0, 111, func(v *synth.Conversation) { v.SYN(at(1.03), at(1.03)) }),
			both(at(10), 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 20048)), quiet(at(20)),
		), nil, "",
	},
	{
		"portmap refused by ICMP", tell(unreachable(0, 111, getport(100005, 3, udp)), quiet(at(8))),
		[]string{"rpc-portmap-no-answer"}, "refused by ICMP port unreachable",
	},
	{
		"portmap refused over both, at once", tell(
			dial(0, 111, func(v *synth.Conversation) { v.Refused() }), unreachable(at(0.1), 111, getport(100005, 3, udp)),
		), []string{"rpc-portmap-no-answer"}, "by ICMP port unreachable and by TCP reset",
	},
	{
		"portmap accepts the connection and says nothing", tell(
			dial(0, 111, func(v *synth.Conversation) { v.Open().Send(false, synth.RPCRecord(getport(100005, 3, tcp))) }), quiet(at(11)),
		), []string{"rpc-portmap-no-answer"}, "1 call over TCP",
	},
	{"portmap: one call over UDP proves nothing", tell(ask(0, 111, getport(100005, 3, udp)), quiet(at(8))), nil, ""},
	{
		"portmap: CALLIT broadcast", tell(func(s *story) {
			c := synth.RPCCall{XID: 9, Prog: 100000, Vers: 2, Proc: 5, Args: synth.Words(100003, 3, 0, 0)}.Bytes()
			for i := range 4 {
				s.Add(at(float64(i)), synth.UDP(node, synth.Host{MAC: synth.Everyone.MAC, IP: synth.Everyone.IP}, 700, 111, c))
			}
		}, quiet(at(20))), nil, "",
	},
	{
		"portmap: a scan knocks from port after port", tell(repeat(5, func(i int) func(*story) {
			return dialFrom(at(float64(i)), uint16(40000+i), 111, func(v *synth.Conversation) { v.SYN() })
		}), quiet(at(20))), nil, "",
	},
	{
		"portmap: a server of NFSv4 alone", tell(
			ask(0, 111, getport(100005, 3, udp), second, second), mountedV4(at(6)), quiet(at(20)),
		), nil, "",
	},

	{
		"portmap: a scan with an absurd version", tell(
			ask(0, 111, synth.RPCCall{XID: 1, Prog: 100000, Vers: 104316}.Bytes(), second, second), quiet(at(20)),
		), nil, "",
	},
	{
		"portmap: the reply is missing, but was acknowledged", tell(dial(0, 111, func(v *synth.Conversation) {
			v.Open().Send(false, synth.RPCRecord(getport(100005, 3, tcp))).Advance(true, 32).ACK(false)
		}), quiet(at(20))), nil, "",
	},

	// FM-24
	{
		"mountd not registered", tell(
			both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 0)), both(at(0.1), 111, getport(100005, 3, tcp), getportReply(100005, 3, tcp, 0)), quiet(at(8)),
		), []string{"rpc-program-not-registered"}, "10.0.0.2 has no mount (asked for mount v3 udp and mount v3 tcp): port 0",
	},
	{
		"mountd not registered for UDP, but for TCP", tell(
			both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 0)), both(at(0.1), 111, getport(100005, 3, tcp), getportReply(100005, 3, tcp, 635)), quiet(at(8)),
		), nil, "",
	},
	{
		"GETADDR with an empty address", tell(
			both(0, 111, synth.RPCBGetaddr(7, 4, 100003, 3, "tcp"), synth.RPCReply(7, synth.Opaque(""))), quiet(at(8)),
		), []string{"rpc-program-not-registered"}, "has no nfs (asked for nfs v3 tcp)",
	},
	{
		"PROG_MISMATCH for version 4, then version 3 works", tell(
			dial(0, 2049, func(v *synth.Conversation) {
				v.Open().Send(false, synth.RPCRecord(synth.NFSCall(1, 4, 0, ""))).Send(true, synth.RPCRecord(synth.RPCUnaccepted(1, 2, 2, 3)))
				v.Send(false, synth.RPCRecord(getattr)).Send(true, synth.RPCRecord(synth.NFSReply(0x44, 0)))
			}), quiet(at(20)),
		), nil, "",
	},
	{
		"PROG_MISMATCH and nothing else", tell(
			dial(0, 2049, func(v *synth.Conversation) {
				v.Open().Send(false, synth.RPCRecord(synth.NFSCall(1, 4, 0, ""))).Send(true, synth.RPCRecord(synth.RPCUnaccepted(1, 2, 2, 3)))
			}), quiet(at(20)),
		), []string{"rpc-program-not-registered"}, "PROG_MISMATCH, versions 2 to 3",
	},
	{
		"a scanner asks for an absurd version", tell(
			both(0, 2049, synth.RPCCall{XID: 1, Prog: 100003, Vers: 168078}.Bytes(), synth.RPCUnaccepted(1, 2, 3, 4)), quiet(at(20)),
		), nil, "",
	},
	{
		"UMNT of a version that is not there", tell(
			both(0, 20048, synth.RPCCall{XID: 5, Prog: 100005, Vers: 1, Proc: 3}.Bytes(), synth.RPCUnaccepted(5, 2, 3, 3)), quiet(at(20)),
		), nil, "",
	},
	{
		"it works over TCP, and UDP is looked at too", tell(
			both(0, 111, getport(100003, 3, tcp), getportReply(100003, 3, tcp, 2049)), both(at(0.1), 111, getport(100003, 3, udp), getportReply(100003, 3, udp, 0)),
			established(at(0.6), func(*synth.Conversation) {}), quiet(at(8)),
		), nil, "",
	},
	{
		"a program that no mount needs", tell(
			both(0, 111, getport(100011, 1, udp), getportReply(100011, 1, udp, 0)), quiet(at(8)),
		), nil, "",
	},

	// FM-25
	{
		"mountd silent over UDP on the learnt port", tell(
			both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 41234)), ask(at(0.1), 41234, mountV3, second, second), quiet(at(8)),
		), []string{"rpc-mount-no-answer"}, `3 calls over UDP for "/srv/image" to mountd on 10.0.0.2 port 41234 (from portmap), no reply, no ICMP`,
	},
	{
		"mountd silent, port not learnt", tell(ask(0, 41234, mountV3, second, second), quiet(at(8))),
		[]string{"rpc-mount-no-answer"}, "on 10.0.0.2 port 41234, no reply",
	},
	{
		"SYNs to the learnt port dropped", tell(
			both(0, 111, getport(100005, 3, tcp), getportReply(100005, 3, tcp, 41234)),
			dial(at(0.1), 41234, func(v *synth.Conversation) { v.SYN(at(1.03), at(1.03), at(1.02)) }), quiet(at(8)),
		), []string{"rpc-mount-no-answer"}, "4 SYNs to mountd",
	},
	{
		"old port after a restart, then the new one", tell(
			both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 41234)), unreachable(at(0.1), 41234, mountV3),
			both(at(0.3), 111, getport(100005, 1, udp), getportReply(100005, 1, udp, 41300)), both(at(0.4), 41300, mountV1, synth.MountReply(0x31, 0)), quiet(at(20)),
		), nil, "",
	},
	{
		"mountd refused by ICMP and for good", tell(
			both(0, 111, getport(100005, 3, udp), getportReply(100005, 3, udp, 41234)), unreachable(at(0.1), 41234, mountV3), quiet(at(8)),
		), []string{"rpc-mount-no-answer"}, "refused by ICMP port unreachable",
	},
	{
		"UMNT at shutdown", tell(
			ask(0, 41234, synth.RPCCall{XID: 5, Prog: 100005, Vers: 3, Proc: 3, Args: synth.Opaque("/srv/image")}.Bytes(), second, second), quiet(at(8)),
		), nil, "",
	},

	// FM-26, FM-69
	{
		"mount denied", tell(both(0, 20048, mountV3, synth.MountReply(0x33, 13)), quiet(at(8))),
		[]string{"nfs-mount-denied"}, `10.0.0.2 refused to mount "/srv/image" for 10.0.0.57: status 13 ACCES (the export refuses this client)`,
	},
	{
		"mount denied over TCP on an unknown port", tell(dial(0, 41234, func(v *synth.Conversation) {
			v.Open().Send(false, synth.RPCRecord(mountV3)).Send(true, synth.RPCRecord(synth.MountReply(0x33, 2)))
		}), quiet(at(8))), []string{"nfs-mount-denied"}, "the path does not exist",
	},
	{
		"denied with version 3, accepted with version 4", tell(
			both(0, 20048, mountV3, synth.MountReply(0x33, 13)), mountedV4(at(1)), quiet(at(8)),
		), nil, "",
	},
	{
		"denied, then accepted much later", tell(
			both(0, 20048, mountV3, synth.MountReply(0x33, 13)), both(at(9), 20048, mountV1, synth.MountReply(0x31, 0)), quiet(at(20)),
		), nil, "",
	},
	{
		"denied from an unprivileged port", tell(
			askFrom(0, 40001, 20048, mountV3), answerTo(at(0.01), 40001, 20048, synth.MountReply(0x33, 1)), quiet(at(8)),
		), []string{"nfs-mount-denied", "privileged-port-refused"}, "status 1 PERM",
	},
	{
		"denied from both kinds of port", tell(
			askFrom(0, 40001, 20048, mountV3), answerTo(at(0.01), 40001, 20048, synth.MountReply(0x33, 13)),
			both(at(1), 20048, mountV1, synth.MountReply(0x31, 13)), quiet(at(12)),
		), []string{"nfs-mount-denied"}, "2 times",
	},

	// FM-30
	{
		"NFS over TCP hangs", tell(established(0, func(v *synth.Conversation) { v.Wait(second).Send(false, synth.RPCRecord(stuck)) }), quiet(at(70))),
		[]string{"nfs-server-not-responding"}, "the first (v3 READ) 60 s ago, no reply; its TCP still acknowledges",
	},
	{
		"NFS over UDP repeated and silent", tell(ask(0, 2049, getattr, at(1.1), at(2.2), at(4.4)), quiet(at(20))),
		[]string{"nfs-server-not-responding"}, "repeated 3 times",
	},
	{
		"NFS over UDP repeated and answered", tell(ask(0, 2049, getattr, at(1.1), at(2.2), at(4.4)), answer(at(8), 2049, synth.NFSReply(0x44, 0)), quiet(at(90))),
		nil, "",
	},
	{
		"a long flush while the rest goes on", tell(established(0, func(v *synth.Conversation) {
			v.Wait(second).Send(false, synth.RPCRecord(synth.NFSCall(0x99, 3, 21, "cn01", 0, 0, 0)))
			for i := range uint32(8) {
				v.Wait(10*second).Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 1, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, 0)))
			}
		}), quiet(at(100))), nil, "",
	},
	{
		"a long flush alone, answered", tell(established(0, func(v *synth.Conversation) {
			v.Wait(second).Send(false, synth.RPCRecord(synth.NFSCall(0x99, 3, 21, "cn01", 0, 0, 0))).Wait(75*second).Send(true, synth.RPCRecord(synth.NFSReply(0x99, 0)))
		}), quiet(at(200))), nil, "",
	},
	{
		"a client that hangs up waits no more", tell(established(0, func(v *synth.Conversation) {
			v.Wait(second).Send(false, synth.RPCRecord(stuck)).Reset(false)
		}), quiet(at(100))), nil, "",
	},
	{
		"a server that is gone", tell(established(0, func(v *synth.Conversation) {
			v.Wait(second).Send(false, synth.RPCRecord(stuck)).Wait(50 * second).Reset(false)
		}), dialFrom(at(60), 802, 2049, func(v *synth.Conversation) { v.SYN(at(1.03), at(1.03), at(1.02)) }), quiet(at(70))),
		[]string{"nfs-server-not-responding"}, "3 SYNs to NFS on 10.0.0.2, which had answered before",
	},
	{
		"JUKEBOX is an answer", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(5) {
				v.Wait(5*second).Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 6, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, 10008)))
			}
		}), quiet(at(200))), nil, "",
	},

	{
		"the last reply is missing, but was acknowledged", tell(established(0, func(v *synth.Conversation) {
			v.Send(false, synth.RPCRecord(stuck)).Advance(true, 65660).ACK(false)
		}), quiet(at(200))), nil, "",
	},

	// FM-31
	{
		"STALE once", tell(established(0, func(v *synth.Conversation) {
			v.Send(false, synth.RPCRecord(stuck)).Send(true, synth.RPCRecord(synth.NFSReply(0x45, 70)))
		})), []string{"nfs-error"}, "1 NFS error reply from 10.0.0.2, last to v3 READ: STALE",
	},
	{
		"ROFS three times", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(3) {
				v.Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 7, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, 30)))
			}
		})), []string{"nfs-error"}, "3 NFS error replies",
	},
	{
		"ROFS three times in three minutes", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(3) {
				v.Wait(61*second).Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 7, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, 30)))
			}
		})), nil, "",
	},
	{
		"NOENT and ACCES are everyday business", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(20) {
				v.Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 3, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, []uint32{2, 13}[i%2])))
			}
		})), nil, "",
	},
	{
		"ACCES at the mount's root", tell(established(0, func(v *synth.Conversation) {
			v.Send(false, synth.RPCRecord(synth.NFSCall(0x50, 3, 19, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50, 13)))
		})), []string{"nfs-error"}, "v3 FSINFO: ACCES",
	},
	{
		"JUKEBOX for too long", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(8) {
				v.Wait(5*second).Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 6, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x50+i, 10008)))
			}
		})), []string{"nfs-error"}, "JUKEBOX for 35 s now",
	},
	{
		"GRACE after a restart", tell(dial(0, 2049, func(v *synth.Conversation) {
			v.Open()
			for i := range uint32(16) {
				v.Wait(5*second).Send(false, synth.RPCRecord(synth.NFSCompound(0x50+i, "", 22))).Send(true, synth.RPCRecord(synth.NFSCompoundReply(0x50+i, 10013)))
			}
		})), nil, "",
	},

	// FM-32
	{
		"AUTH_ERROR twice", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(2) {
				v.Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 19, ""))).Send(true, synth.RPCRecord(synth.RPCDenied(0x50+i, 1)))
			}
		}), quiet(at(8))), []string{"rpc-auth-error"}, "10.0.0.2 denied nfs FSINFO, 2 times: AUTH_ERROR 1 AUTH_BADCRED",
	},
	{
		"one refresh of a GSS context", tell(established(0, func(v *synth.Conversation) {
			v.Send(false, synth.RPCRecord(synth.NFSCall(0x50, 3, 19, ""))).Send(true, synth.RPCRecord(synth.RPCDenied(0x50, 14)))
			v.Send(false, synth.RPCRecord(synth.NFSCall(0x51, 3, 19, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x51, 0)))
		}), quiet(at(8))), nil, "",
	},
	{
		"flavors are tried until one is accepted", tell(established(0, func(v *synth.Conversation) {
			for i := range uint32(2) {
				v.Send(false, synth.RPCRecord(synth.NFSCall(0x50+i, 3, 19, ""))).Send(true, synth.RPCRecord(synth.RPCDenied(0x50+i, 2)))
			}
			v.Send(false, synth.RPCRecord(synth.NFSCall(0x53, 3, 19, ""))).Send(true, synth.RPCRecord(synth.NFSReply(0x53, 0)))
		}), quiet(at(8))), nil, "",
	},
	{
		"AUTH_TOOWEAK to an unprivileged port", tell(
			askFrom(0, 40001, 20048, mountV3), answerTo(at(0.01), 40001, 20048, synth.RPCDenied(0x33, 5)), quiet(at(8)),
		), []string{"privileged-port-refused"}, "refused mount MNT from source port 40001: 5 AUTH_TOOWEAK",
	},

	// Positive
	{"NFSv4 alone", tell(mountedV4(0)), []string{"nfs-v4-no-portmap"}, "version 4 needs neither"},
	{
		"NFSv4 after a look at portmap", tell(
			both(0, 111, getport(100003, 4, tcp), getportReply(100003, 4, tcp, 2049)), mountedV4(at(1)),
		), nil, "",
	},

	// A server with two addresses
	{
		"a reply from another address that the client takes", tell(
			ask(0, 111, getport(100005, 3, udp)),
			func(s *story) {
				s.Add(at(0.01), synth.UDP(other, node, 111, clientPort, getportReply(100005, 3, udp, 20048)))
			},
			both(at(0.1), 20048, mountV3, synth.MountReply(0x33, 0)), quiet(at(20)),
		), nil, "",
	},
	{
		"a reply from another address that the client drops", tell(
			ask(0, 111, getport(100005, 3, udp), second, second),
			func(s *story) {
				for i := range 3 {
					s.Add(at(float64(i)+0.01), synth.IP{ID: uint16(i)}.UDP(other, node, 111, clientPort, getportReply(100005, 3, udp, 20048)))
				}
			},
			quiet(at(20)),
		), []string{"rpc-portmap-no-answer"}, "a reply came from 10.0.0.3, another address",
	},
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			r := tracktest.Run(t, s.c, nil, Spec)
			if d := cmp.Diff(append([]string{}, s.want...), r.IDs()); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			if len(r.Findings) > 0 && !strings.Contains(r.Findings[0].Summary, s.says) {
				t.Errorf("got %q, want it to say %q", r.Findings[0].Summary, s.says)
			}
			for _, f := range r.Findings {
				checkFinding(t, f)
			}
		})
	}
}

func checkFinding(t *testing.T, f finding.Finding) {
	t.Helper()
	if f.Node.Addr.String() != "10.0.0.57" || f.Server.Addr.String() != "10.0.0.2" {
		t.Errorf("%s: got node %s and server %s, want 10.0.0.57 and 10.0.0.2", f.Rule.ID, f.Node.Addr, f.Server.Addr)
	}
	if len(f.Frames) == 0 || len(f.Frames) > finding.MaxFrames {
		t.Errorf("%s: got %d frames", f.Rule.ID, len(f.Frames))
	}
	if f.First == 0 || f.Last < f.First {
		t.Errorf("%s: got the time from %d to %d", f.Rule.ID, f.First, f.Last)
	}
}

// TestCopies plays every scenario as a SPAN port of both directions shows it:
// the verdicts stay.
func TestCopies(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			r := tracktest.Run(t, s.c.Doubled(), nil, Spec)
			if d := cmp.Diff(append([]string{}, s.want...), r.IDs()); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// TestTagged plays every scenario on a VLAN.
func TestTagged(t *testing.T) {
	for _, s := range scenarios {
		r := tracktest.Run(t, s.c.Tagged(120), nil, Spec)
		if d := cmp.Diff(append([]string{}, s.want...), r.IDs()); d != "" {
			t.Errorf("%s: findings (-want +got):\n%s", s.name, d)
		}
		for _, f := range r.Findings {
			if f.VLAN != 120 {
				t.Errorf("%s: got VLAN %d, want 120", s.name, f.VLAN)
			}
		}
	}
}

// TestSnapped cuts frames to 96 bytes: what the heads tell is still found, and
// nothing is that was not there.
func TestSnapped(t *testing.T) {
	for _, s := range scenarios {
		r := tracktest.Run(t, s.c.Snapped(96), nil, Spec)
		for _, id := range r.IDs() {
			if !strings.Contains(strings.Join(s.want, " "), id) {
				t.Errorf("%s: got %s, want only %v", s.name, id, s.want)
			}
		}
		absence := len(s.want) > 0 && r.Find(s.want[0]) == nil && ruleByID(s.want[0]).Absence
		if absence {
			t.Errorf("%s: the cut hides %s", s.name, s.want[0])
		}
	}
}

func ruleByID(id string) *finding.Rule {
	for _, r := range Spec.Rules {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// TestEveryRuleFires holds the scenarios against the rules: each fires, and
// each stays silent in a scenario that is about it.
func TestEveryRuleFires(t *testing.T) {
	fires := map[string]bool{}
	for _, s := range scenarios {
		for _, id := range s.want {
			fires[id] = true
		}
	}
	for _, r := range Spec.Rules {
		if !fires[r.ID] {
			t.Errorf("no scenario fires %s", r.ID)
		}
		if r.Title == "" || r.Detect == "" || r.Means == "" || r.Next == "" || r.Traps == "" || len(r.References) == 0 {
			t.Errorf("%s lacks a text", r.ID)
		}
	}
}

// TestCutBeforeDeadline ends captures early: nothing is decided, and what is
// asked is open.
func TestCutBeforeDeadline(t *testing.T) {
	for _, x := range []struct {
		name  string
		until time.Duration
		want  []string
	}{
		{"portmap silent over UDP", at(3.9), nil},
		{"portmap silent over UDP", at(1.5), nil},
		{"portmap: TCP filtered, then UDP silent", at(2.9), nil},
		{"portmap accepts the connection and says nothing", at(9), nil},
		{"mountd silent over UDP on the learnt port", at(3.5), nil},
		{"SYNs to the learnt port dropped", at(2.5), nil},
		{"NFS over TCP hangs", at(59), nil},
		{"NFS over UDP repeated and silent", at(9), nil},
		// Negative answers need no grace.
		{"mountd not registered", at(1), []string{"rpc-program-not-registered"}},
		{"mount denied", at(1), []string{"nfs-mount-denied"}},
		{"mountd refused by ICMP and for good", at(1), []string{"rpc-mount-no-answer"}},
	} {
		c := scenarioByName(t, x.name).Until(x.until).Join()
		c.Add(x.until, synth.UDP(node, server, 5000, 9, []byte("tick")))
		r := tracktest.Run(t, c, nil, Spec)
		if d := cmp.Diff(append([]string{}, x.want...), r.IDs()); d != "" {
			t.Errorf("%s, until %v (-want +got):\n%s", x.name, x.until, d)
		}
		open := 0
		for _, e := range r.Exchanges {
			switch e.Outcome {
			case track.Open:
				open++
			case track.Unanswered:
				t.Errorf("%s, until %v: got %s %s unanswered", x.name, x.until, e.Op, e.Subject)
			}
		}
		if x.want == nil && open != 1 && !strings.Contains(x.name, "SYN") && !strings.Contains(x.name, "TCP filtered") {
			t.Errorf("%s, until %v: got %d open exchanges, want 1", x.name, x.until, open)
		}
		for _, f := range r.Findings {
			if f.Confidence != f.Rule.Confidence.Lower() {
				t.Errorf("%s: got confidence %s, want one step less than %s", x.name, f.Confidence, f.Rule.Confidence)
			}
		}
	}
}

func scenarioByName(t *testing.T, name string) *synth.Capture {
	t.Helper()
	for _, s := range scenarios {
		if s.name == name {
			return s.c
		}
	}
	t.Fatalf("no scenario %q", name)
	return nil
}

// TestStartsLate begins captures in the middle: a mount that goes on is no
// fault, and what fails afterwards is found.
func TestStartsLate(t *testing.T) {
	for _, s := range scenarios {
		if s.want != nil {
			continue
		}
		for _, from := range []time.Duration{at(0.05), at(0.5), at(1.5), at(6.5)} {
			if strings.Contains(s.name, "TCP filtered") || strings.Contains(s.name, "until one") || strings.Contains(s.name, "look at portmap") ||
				strings.Contains(s.name, "NFSv4 alone") || strings.Contains(s.name, "version 4") {
				continue // what is left shows an honest NFSv4 mount without portmap
			}
			if got := tracktest.Run(t, s.c.From(from), nil, Spec).IDs(); len(got) > 0 {
				t.Errorf("%s, from %v: got %v, want nothing", s.name, from, got)
			}
		}
	}
	late := scenarioByName(t, "mountd silent over UDP on the learnt port").From(at(0.05))
	if got := tracktest.Run(t, late, nil, Spec).IDs(); len(got) != 1 || got[0] != "rpc-mount-no-answer" {
		t.Errorf("begun after GETPORT: got %v, want rpc-mount-no-answer", got)
	}
}
