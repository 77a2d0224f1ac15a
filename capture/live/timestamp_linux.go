package live

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

// inFlight is how long the kernel may take from stamping a packet to counting
// it in a block: some microseconds, or what the processor was taken away for.
const inFlight = 10 * time.Millisecond

// maxSkew is how far an adapter's clock may be off to be in step with the
// host's.
const maxSkew = time.Second

// An adapterClock is what is known about the clock of an interface.
type adapterClock struct {
	checked bool
	off     bool          // its stamps are not used
	skew    time.Duration // its time minus the host's
}

// stampByAdapter asks for the adapter's stamps of a ring.
func (r *ring) stampByAdapter() error {
	return unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, unix.SOF_TIMESTAMPING_RAW_HARDWARE)
}

// adapterTime has an interface stamp every packet that it receives, as libpcap
// does. The kernel stamps the others, and all where the adapter cannot.
func (s *rings) adapterTime(r *ring, d *device) {
	err := unix.IoctlSetHwTstamp(r.fd, d.name, &unix.HwTstampConfig{Tx_type: unix.HWTSTAMP_TX_OFF, Rx_filter: unix.HWTSTAMP_FILTER_ALL})
	if err == nil {
		err = r.stampByAdapter()
	}
	if err != nil {
		s.o.Notice(fmt.Sprintf("%s does not stamp packets (%v): the kernel does; 'ethtool -T %s' tells more", d.name, err, d.name))
	}
}

// stamp judges a stamp of an adapter. With "adapter" one that is far from the
// host's clock is not used. The packet was received a moment ago: the ring is
// read as it fills.
func (s *rings) stamp(r *ring, d *device, p *capture.Packet) {
	if !r.stamped {
		return
	}
	c := &d.clock
	if c.off {
		p.Time = p.Time.Add(-c.skew) // of those that were in the ring already
		return
	}
	if c.checked {
		return
	}
	c.checked = true
	skew := p.Time.Sub(capture.Time(time.Now().UnixNano()))
	if skew.Abs() < maxSkew {
		return
	}
	c.skew = skew
	if s.o.Timestamps == "adapter" {
		c.off = true
		p.Time = p.Time.Add(-skew)
		if r.dev != nil {
			unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP, 0)
		}
		s.o.Notice(fmt.Sprintf("the adapter's clock of %s is %v off: the kernel stamps the packets; adapter_unsynced takes it as it is", d.name, skew.Round(time.Millisecond)))
	}
}

// tickTime is the time of a tick. Where an adapter stamps by a clock of its
// own the tick has the time of the one that is most behind.
func (s *rings) tickTime(now time.Time) capture.Time {
	t := capture.Time(now.Add(-inFlight).UnixNano())
	if s.o.Timestamps != "adapter_unsynced" {
		return t
	}
	least := t
	for _, d := range s.devs {
		least = min(least, t.Add(d.clock.skew))
	}
	return least
}
