package follow

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

func entries(t *testing.T, m *ebpf.Map) int {
	t.Helper()
	n := 0
	key := make([]byte, m.KeySize())
	for err := m.NextKey(nil, &key); err == nil; err = m.NextKey(key, &key) {
		n++
	}
	return n
}

// A hundred thousand read requests from as many clients, and as many
// fragmented datagrams, keep the tables at their size, and the newest transfers
// pass. An old transfer that goes on all the while is not pushed out.
func TestOverflow(t *testing.T) {
	const requests, newest = 100_000, 1000
	r := newRunner(t, Config{Phase: "provisioning"})
	now := capture.Time(1_700_000_000e9)
	client := func(i int) synth.Host {
		return synth.Host{MAC: node.MAC, IP: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
	}
	old := synth.UDP(other, rack, 1999, 69, synth.TFTPRead("vmlinuz", "octet"))
	oldData := synth.UDP(rack, other, 50000, 1999, make([]byte, 512))
	if !r.passes(old, now) || !r.passes(oldData, now) {
		t.Fatal("got a transfer dropped")
	}
	rrq := synth.TFTPRead("pxelinux.0", "octet")
	for i := range requests {
		now += 1e6
		if !r.passes(synth.UDP(client(i), rack, 2070, 69, rrq), now) {
			t.Fatalf("request %d: got it dropped", i)
		}
		if i%1000 == 0 && !r.passes(oldData, now) {
			t.Fatalf("after %d requests: got a running transfer dropped", i)
		}
	}
	lost := 0
	for i := requests - newest; i < requests; i++ {
		f := synth.UDP(rack, client(i), 50000, 2070, synth.TFTPData(1, make([]byte, 512)))
		r.passes(f, now) // perhaps as a sample
		if !r.passes(f, now) {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("got %d of the %d newest transfers dropped", lost, newest)
	}
	s, err := r.Stats()
	if err != nil {
		t.Fatal(err)
	}
	n, room := entries(t, r.clients), int(r.config.Clients)
	t.Logf("%d clients in the table of %d; %+v", n, room, s)
	if n > room || n < room/2 {
		t.Errorf("got %d clients, want at most %d and most of them", n, room)
	}
	if s.TFTP < requests || s.Evicted < uint64(requests-room) {
		t.Errorf("got %d learnt, %d evicted, want %d and %d at least", s.TFTP, s.Evicted, requests, requests-room)
	}

	for i := range requests {
		f := synth.Fragments(synth.UDP(client(i), rack, 800, 2049, make([]byte, 2000)), 1500)
		if !r.passes(f[0], now) || !r.passes(f[1], now) {
			t.Fatalf("datagram %d: got a fragment dropped", i)
		}
	}
	if n := entries(t, r.frags); n > int(r.config.Fragments) {
		t.Errorf("got %d datagrams, want %d at most", n, r.config.Fragments)
	}
}

// Later fragments whose first never comes pass up to a bound, which begins
// anew some times a second.
func TestStrays(t *testing.T) {
	r := newRunner(t, Config{Phase: "provisioning"})
	now := capture.Time(1_700_000_000e9)
	passed := func() (n int) {
		for i := range 2 * straysPerWindow {
			f := synth.Fragments(synth.UDP(node, rack, 40000, 40001, make([]byte, 2000)), 1500)[1]
			f[18], f[19] = byte(i>>8), byte(i)
			if r.passes(f, now) {
				n++
			}
		}
		return n
	}
	// Test runs may move to another processor, which has a bound of its own.
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n := passed(); n < straysPerWindow || n > cpus*straysPerWindow {
			t.Errorf("got %d of %d passed, want %d a processor", n, 2*straysPerWindow, straysPerWindow)
		}
		now += 1 << windowShift
	}
	s, err := r.Stats()
	if err != nil || s.Strays == 0 || errors.Is(err, ebpf.ErrKeyNotExist) {
		t.Errorf("got %+v, %v", s, err)
	}
}
