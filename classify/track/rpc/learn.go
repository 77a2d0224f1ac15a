package rpc

import (
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	// learntFor is how long a learnt port is believed after it was last seen:
	// longer than the pause between GETPORT and the last UMNT of a boot.
	learntFor = 10 * time.Minute
	// toldAgain is how often a port in use is announced again.
	toldAgain = time.Minute
)

type serverKey struct {
	addr  wire.Addr
	port  uint16
	proto uint8
}

func hashServer(seed uint64, k serverKey) uint64 {
	return wire.Mix(wire.MixAddr(seed, &k.addr), uint64(k.port), uint64(k.proto))
}

type learntPort struct {
	prog    uint32
	told    capture.Time
	portmap bool // portmap said so; else a call showed it
}

// learn remembers that a program is on a port of a server and announces it.
func (t *tracker) learn(addr wire.Addr, port uint16, proto uint8, prog uint32, portmap bool, now capture.Time, out *track.Out) {
	if port == 0 || proto == 0 || addr.IsZero() || addr.IsMulticast() {
		return
	}
	k := serverKey{addr, port, proto}
	p := t.learnt.Get(k)
	if p != nil && p.prog == prog && (p.portmap || !portmap) && now.Sub(p.told) < toldAgain {
		return
	}
	if p == nil {
		p = t.learnt.Put(k)
	}
	*p = learntPort{prog: prog, told: now, portmap: portmap || p.portmap && p.prog == prog}
	i := 0
	if proto == wire.ProtoTCP {
		i = 1
		out.Watch(Spec.Name, port)
	}
	t.ports[i].Add(port)
	if s := serviceOf(prog); s != "" {
		out.Expect(track.Expectation{
			Proto: proto, Addr: addr, Port: port, Server: true, Service: s, Tracker: Spec.Name, Until: now.Add(learntFor),
		})
	}
}

// programAt is the program that was learnt for a port, or 0.
func (t *tracker) programAt(addr wire.Addr, port uint16, proto uint8, now capture.Time) uint32 {
	p := t.learnt.Get(serverKey{addr, port, proto})
	if p == nil || now.Sub(p.told) > learntFor {
		return 0
	}
	return p.prog
}

// fromPortmap reports whether portmap told the port of mountd.
func (t *tracker) fromPortmap(server wire.Addr, port uint16) bool {
	for _, proto := range [...]uint8{wire.ProtoUDP, wire.ProtoTCP} {
		if p := t.learnt.Get(serverKey{server, port, proto}); p != nil && p.portmap && p.prog == programMount {
			return true
		}
	}
	return false
}
