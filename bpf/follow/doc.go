// Package follow is a kernel filter that keeps state: an eBPF socket filter
// that passes what an analysis of a phase reads and drops everything else
// before it is copied to user space.
//
// What passes, by the outermost IP header:
//   - both directions of every port of the phase's services, DHCP's always;
//   - all that is not IP but FCoE, RoCE, AoE and MACsec frames, all ICMP and
//     ICMPv6, IGMP and routing protocols, and what is cut or broken: a bad
//     packet is data;
//   - what wire.Decode opens: VXLAN, Geneve, GRE, IP in IP, MPLS, PPPoE. It is
//     passed unopened, bulk inside included: it may hold anything of the phase,
//     four headers deep;
//   - SYN and RST of every TCP connection, and of every UDP conversation one
//     packet a second: that a node loads from a port that nobody listed, and
//     who is there at all, are evidence too. A data segment here and there
//     would look like loss, so there are none.
//
// What it learns:
//   - a datagram to TFTP's port opens the client's address and port;
//   - a reply of portmap or rpcbind to a call that was seen opens the server's
//     address and port (GETPORT, GETADDR, CALLIT; over TCP the message that a
//     segment begins with). DUMP teaches nothing: the calls that follow do;
//   - a call to a program of Sun's block opens the port it goes to, so that a
//     filter that was attached after GETPORT finds mountd all the same;
//   - the first fragment of an IP datagram decides for the later ones.
//
// A later fragment that comes before its first passes, up to 2,048 each eighth
// of a second and processor; what is beyond is dropped and counted in Stats.
//
// The one invariant: the findings of an analysis of the same phase are the same
// with the filter as without. Reference is the filter in Go; tests hold the
// program in the kernel against it frame by frame, and the analysis of what it
// passes against the analysis of everything.
//
// What it cannot follow: a portmap message whose head is spread over TCP
// segments; more learnt ports at one time than Config has room for (Stats
// counts them); a node of which a load is awaited and that only goes on with a
// TCP connection to an unlisted port that it opened before; a transfer whose
// request came before the filter, of which the analysis says nothing either.
//
// It needs CAP_BPF to load (CAP_SYS_ADMIN before Linux 5.8) and no CAP_PERFMON:
// headers and tables are read by helper calls, and there is no loop. With
// CAP_PERFMON, as root has it, the kernel leaves out barriers against
// speculation, and a packet costs half as much. The socket needs CAP_NET_RAW.
// Tried on Linux 6.1, 6.12 and 6.18.
package follow
