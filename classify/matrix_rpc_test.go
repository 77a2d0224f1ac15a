package classify_test

import (
	"time"

	"github.com/pxescope/pxescope/capture/synth"
)

const rpcPort = 801 // the client's privileged port

const (
	overTCP = 6
	overUDP = 17
)

var (
	mountV3 = synth.MountMNT(0x33, 3, "cn01", "/srv/image")
	mountV1 = synth.MountMNT(0x31, 1, "cn01", "/srv/image")
	getattr = synth.NFSCall(0x44, 3, 1, "cn01")
	enterV4 = synth.NFSCompound(0x46, "cn01", 53, 24, 10, 9)
)

func getport(prog, vers, proto uint32) []byte {
	return synth.PortmapGetport(0x1000+vers+proto<<8+prog<<16, prog, vers, proto)
}

func getportReply(prog, vers, proto, port uint32) []byte {
	return synth.RPCReply(0x1000+vers+proto<<8+prog<<16, synth.Words(port))
}

// calls are datagrams of one call to the rack.
func (s *story) calls(port uint16, msg []byte, times ...float64) *story {
	for _, x := range times {
		s.says(x, node, rack.Host, rpcPort, port, msg)
	}
	return s
}

// called is a call over UDP and its reply.
func (s *story) called(x float64, port uint16, call, reply []byte) *story {
	return s.calls(port, call, x).says(x+0.001, rack.Host, node, port, rpcPort, reply)
}

// dials begins a TCP conversation of node with the rack.
func (s *story) dials(x float64, from, port uint16) *synth.Conversation {
	return s.Dial(secs(x), node, from, rack.Host, port)
}

// boots is what comes before the root file system: lease, loader, and the
// system's own lease, in 30 s.
func (s *story) boots() *story { return s.loaded(0).running(30, nodeMAC, nodeAddr, 0x2001) }

func record(m []byte) []byte { return synth.RPCRecord(m) }

func rpcRows() []row {
	return []row{
		{rule: "rpc-portmap-no-answer", fires: portmapSilent, node: nodeMAC, server: rackAddr, due: 44,
			cut96: []string{"error rpc-portmap-no-answer"},
			normal: []lookalike{
				{name: "TCP refused, then UDP answers", tell: portmapTCPThenUDP},
				{name: "CALLIT broadcasts", tell: callIt},
				{name: "a server of NFSv4 alone", early: []string{"error rpc-portmap-no-answer"}, tell: func(s *story) {
					s.boots().calls(111, getport(100005, 3, overUDP), 40, 41).tick(43)
					s.mountsV4(46).tick(120)
				}},
			}},
		{rule: "rpc-program-not-registered", fires: notRegistered, node: nodeMAC, server: rackAddr,
			cut96: []string{"error rpc-program-not-registered"},
			normal: []lookalike{
				{name: "not over UDP, but over TCP", tell: registeredForTCP, early: []string{"error rpc-program-not-registered"}},
				{name: "version 4 is refused, version 3 works", tell: mismatchThenV3, early: []string{"error rpc-program-not-registered"}},
			}},
		{rule: "rpc-mount-no-answer", fires: mountdSilent, node: nodeMAC, server: rackAddr, due: 44.1,
			cut96: []string{"error rpc-mount-no-answer"},
			normal: []lookalike{
				{name: "the old port after a restart, then the new one", tell: mountdRestarted, early: []string{"error rpc-mount-no-answer"}},
				{name: "UMNT at shutdown", tell: unmounts},
			}},
		{rule: "nfs-mount-denied", fires: mountDenied, node: nodeMAC, server: rackAddr,
			cut96: []string{"error nfs-mount-denied"},
			normal: []lookalike{
				{name: "denied with version 3, accepted with version 4", early: []string{"error nfs-mount-denied"}, tell: func(s *story) {
					s.boots().called(40, 20048, mountV3, synth.MountReply(0x33, 13)).mountsV4(41).tick(120)
				}},
			}},
		{rule: "privileged-port-refused", fires: highPortRefused, node: nodeMAC, server: rackAddr,
			cut96: []string{"error privileged-port-refused"},
			normal: []lookalike{
				{name: "refused from a privileged port too", tell: refusedFromBoth, early: []string{"error privileged-port-refused"}, says: []string{"error nfs-mount-denied"}},
			}},
		{rule: "rpc-auth-error", fires: authErrors, node: nodeMAC, server: rackAddr,
			cut96: []string{"error rpc-auth-error"},
			normal: []lookalike{
				{name: "one refresh of a GSS context", tell: gssRefresh},
			}},
	}
}

func nfsRows() []row {
	return []row{
		{rule: "nfs-server-not-responding", fires: nfsHangs, node: nodeMAC, server: rackAddr, due: 101.0014,
			cut96: []string{"error nfs-server-not-responding"},
			normal: []lookalike{
				{name: "JUKEBOX is an answer", tell: jukebox},
				{name: "a long flush while other calls are answered", tell: longFlush},
				{name: "a client that hangs up", tell: hangsUp},
			}},
		{rule: "nfs-error", fires: staleHandle, severity: "warning", node: nodeMAC, server: rackAddr,
			cut96: []string{"warning nfs-error"},
			normal: []lookalike{
				{name: "NOENT and ACCES of files", tell: everydayErrors},
				{name: "GRACE after a restart", tell: grace},
			}},
		{rule: "nfs-v4-no-portmap", fires: nfsV4Alone, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "after a look at portmap", tell: func(s *story) {
					s.boots().called(40, 111, getport(100003, 4, overTCP), getportReply(100003, 4, overTCP, 2049)).mountsV4(41).tick(120)
				}},
				{name: "a mount with version 3", tell: mountsV3},
			}},
	}
}

// portmapSilent: the firewall drops port 111.
func portmapSilent(s *story) {
	s.boots()
	s.proof(func() { s.calls(111, getport(100005, 3, overUDP), 40, 41) }).tick(120)
}

// portmapTCPThenUDP: one transport refuses, the other answers.
func portmapTCPThenUDP(s *story) {
	s.boots()
	s.dials(40, rpcPort, 111).Refused()
	s.called(40.1, 111, getport(100005, 3, overUDP), getportReply(100005, 3, overUDP, 20048)).called(40.2, 20048, mountV3, synth.MountReply(0x33, 0)).tick(120)
}

// callIt: broadcasts are answered by those that have something to say.
func callIt(s *story) {
	s.boots()
	c := synth.RPCCall{XID: 9, Prog: 100000, Vers: 2, Proc: 5, Args: synth.Words(100003, 3, 0, 0)}.Bytes()
	for i := range 4 {
		s.says(40+float64(i), node, synth.Everyone, 700, 111, c)
	}
	s.tick(120)
}

// mountsV4 is an NFSv4 mount over port 2049 alone.
func (s *story) mountsV4(x float64) *story {
	s.dials(x, 790, 2049).Open().Send(false, record(enterV4)).Send(true, record(synth.NFSCompoundReply(0x46, 0))).Close(false)
	return s
}

// nfsV4Alone: the call that enters the server's root, and its reply.
func nfsV4Alone(s *story) {
	n := len(s.boots().mountsV4(40).Packets)
	s.names(n-6, n-4).tick(120)
}

// notRegistered: portmap runs, mountd does not, for no transport.
func notRegistered(s *story) {
	s.boots()
	s.proof(func() {
		s.called(40, 111, getport(100005, 3, overUDP), getportReply(100005, 3, overUDP, 0))
		s.called(40.1, 111, getport(100005, 3, overTCP), getportReply(100005, 3, overTCP, 0))
	}).tick(120)
}

// registeredForTCP: the client looks for UDP first, in vain.
func registeredForTCP(s *story) {
	s.boots().called(40, 111, getport(100005, 3, overUDP), getportReply(100005, 3, overUDP, 0))
	s.called(40.1, 111, getport(100005, 3, overTCP), getportReply(100005, 3, overTCP, 635))
	s.dials(40.2, 802, 635).Open().Send(false, record(mountV3)).Send(true, record(synth.MountReply(0x33, 0))).Close(false)
	s.tick(120)
}

// mismatchThenV3: the server speaks version 3; the client learns it.
func mismatchThenV3(s *story) {
	s.boots()
	v := s.dials(40, rpcPort, 2049).Open().Send(false, record(synth.NFSCall(1, 4, 0, ""))).Send(true, record(synth.RPCUnaccepted(1, 2, 2, 3)))
	v.Send(false, record(getattr)).Send(true, record(synth.NFSReply(0x44, 0))).Close(false)
	s.tick(120)
}

// mountdSilent: portmap tells port 41234, the firewall drops it.
func mountdSilent(s *story) {
	s.boots().called(40, 111, getport(100005, 3, overUDP), getportReply(100005, 3, overUDP, 41234))
	s.proof(func() { s.calls(41234, mountV3, 40.1, 41.1, 42.1) }).tick(120)
}

// mountdRestarted: the first MOUNT goes to the old port.
func mountdRestarted(s *story) {
	s.boots().called(40, 111, getport(100005, 3, overUDP), getportReply(100005, 3, overUDP, 41234)).calls(41234, mountV3, 40.1)
	s.at(40.101, synth.ICMPError(rack.Host, node, 3, 3, 0, s.Packets[len(s.Packets)-1].Data))
	s.called(40.3, 111, getport(100005, 1, overUDP), getportReply(100005, 1, overUDP, 41300)).called(40.4, 41300, mountV1, synth.MountReply(0x31, 0)).tick(120)
}

// unmounts: nobody waits for the reply to UMNT.
func unmounts(s *story) {
	s.boots().calls(41234, synth.RPCCall{XID: 5, Prog: 100005, Vers: 3, Proc: 3, Args: synth.Opaque("/srv/image")}.Bytes(), 40, 41, 42).tick(120)
}

// mountDenied: the export does not list the node.
func mountDenied(s *story) {
	s.boots()
	s.proof(func() { s.called(40, 20048, mountV3, synth.MountReply(0x33, 13)) }).tick(120)
}

// highPortRefused: NAT gave the node's call a source port above 1023.
func highPortRefused(s *story) {
	s.boots()
	s.proof(func() {
		s.says(40, node, rack.Host, 40001, 20048, mountV3).says(40.01, rack.Host, node, 20048, 40001, synth.MountReply(0x33, 1))
	}).tick(120)
}

// refusedFromBoth: the port is not the reason.
func refusedFromBoth(s *story) {
	s.boots().says(40, node, rack.Host, 40001, 20048, mountV3).says(40.01, rack.Host, node, 20048, 40001, synth.MountReply(0x33, 13))
	s.called(41, 20048, mountV1, synth.MountReply(0x31, 13)).tick(120)
}

// nfs is a connection to port 2049 on which a call was answered.
func (s *story) nfs(x float64) *synth.Conversation {
	return s.dials(x, rpcPort, 2049).Open().Send(false, record(getattr)).Send(true, record(synth.NFSReply(0x44, 0)))
}

// asks is one more NFS call with a status for its reply.
func ask(v *synth.Conversation, xid, proc, status uint32) {
	v.Send(false, record(synth.NFSCall(xid, 3, proc, "cn01"))).Send(true, record(synth.NFSReply(xid, status)))
}

// authErrors: the mount's sec= is not the export's.
func authErrors(s *story) {
	s.boots()
	v := s.nfs(40)
	s.proof(func() {
		for i := range uint32(2) {
			v.Transmit(false, record(synth.NFSCall(0x50+i, 3, 19, ""))).Advance(false, len(record(synth.NFSCall(0x50+i, 3, 19, ""))))
			v.Transmit(true, record(synth.RPCDenied(0x50+i, 1))).Advance(true, len(record(synth.RPCDenied(0x50+i, 1))))
		}
	})
	v.ACK(false).Close(false)
	s.tick(120)
}

// gssRefresh: a context has expired and is made anew.
func gssRefresh(s *story) {
	s.boots()
	v := s.nfs(40)
	v.Send(false, record(synth.NFSCall(0x50, 3, 19, ""))).Send(true, record(synth.RPCDenied(0x50, 14)))
	ask(v, 0x51, 19, 0)
	v.Close(false)
	s.tick(120)
}

// nfsHangs: a READ is acknowledged by TCP and never answered.
func nfsHangs(s *story) {
	s.boots()
	v := s.nfs(40).Wait(time.Second)
	s.proof(func() { v.Transmit(false, record(synth.NFSCall(0x45, 3, 6, "cn01", 0, 0, 65536))) })
	v.Advance(false, len(record(synth.NFSCall(0x45, 3, 6, "cn01", 0, 0, 65536)))).ACK(true)
	s.tick(120)
}

// jukebox: the server asks for patience, each time.
func jukebox(s *story) {
	s.boots()
	v := s.nfs(40)
	for i := range uint32(5) {
		ask(v.Wait(5*time.Second), 0x50+i, 6, 10008)
	}
	ask(v, 0x60, 6, 0)
	v.Close(false)
	s.tick(200)
}

// longFlush: a COMMIT takes its time, all else is answered.
func longFlush(s *story) {
	s.boots()
	v := s.nfs(40).Wait(time.Second).Send(false, record(synth.NFSCall(0x99, 3, 21, "cn01", 0, 0, 0)))
	for i := range uint32(8) {
		ask(v.Wait(10*time.Second), 0x50+i, 1, 0)
	}
	v.Send(true, record(synth.NFSReply(0x99, 0))).Close(false)
	s.tick(200)
}

// hangsUp: the client resets the connection and waits no more.
func hangsUp(s *story) {
	s.boots()
	s.nfs(40).Wait(time.Second).Send(false, record(synth.NFSCall(0x45, 3, 6, "cn01", 0, 0, 65536))).Reset(false)
	s.tick(200)
}

// staleHandle: the image was rebuilt under the running node.
func staleHandle(s *story) {
	s.boots()
	v := s.nfs(40)
	call, reply := record(synth.NFSCall(0x50, 3, 6, "cn01", 0, 0, 65536)), record(synth.NFSReply(0x50, 70))
	s.proof(func() {
		v.Transmit(false, call).Advance(false, len(call)).Transmit(true, reply).Advance(true, len(reply))
	})
	v.ACK(false)
	ask(v, 0x51, 1, 0)
	v.Close(false)
	s.tick(120)
}

// everydayErrors: files that are not there, files that are not for everybody.
func everydayErrors(s *story) {
	s.boots()
	v := s.nfs(40)
	for i := range uint32(20) {
		ask(v, 0x50+i, 3, []uint32{2, 13}[i%2])
	}
	v.Close(false)
	s.tick(120)
}

// grace: for 90 s after a restart the server takes no new opens.
func grace(s *story) {
	s.boots()
	v := s.dials(40, 790, 2049).Open()
	for i := range uint32(16) {
		v.Wait(5*time.Second).Send(false, record(synth.NFSCompound(0x50+i, "", 22))).Send(true, record(synth.NFSCompoundReply(0x50+i, 10013)))
	}
	v.Send(false, record(synth.NFSCompound(0x80, "", 22))).Send(true, record(synth.NFSCompoundReply(0x80, 0))).Close(false)
	s.tick(200)
}

// mountsV3 is a whole mount of version 3.
func mountsV3(s *story) {
	s.boots().called(40, 111, getport(100005, 3, overUDP), getportReply(100005, 3, overUDP, 20048)).called(40.1, 20048, mountV3, synth.MountReply(0x33, 0))
	ask(s.nfs(40.2), 0x50, 1, 0)
	s.tick(120)
}
