// Package replay puts captures back onto an interface with their own timing, so
// that tests can hold what is told live against what is told of the file.
//
// It sends what was captured and nothing else: frames that were cut by a snap
// length, or that are not Ethernet, cannot be sent and are an error.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Options say how to send.
type Options struct {
	Interface string
	NetNS     string // name under /run/netns; "" is this one
	// LongestGap shortens longer pauses between two packets; 0: none. It must be
	// longer than every deadline that shall pass in a pause.
	LongestGap time.Duration
	// Speed divides what is left of the pauses, where no deadline depends on
	// them; 0: as they were.
	Speed float64
}

// Sent counts what was sent.
type Sent struct {
	Packets int
	Took    time.Duration
	Behind  time.Duration // the most that a packet was sent too late
}

// Send sends the packets of src until its end, or until ctx ends. A tag that
// src has beside a packet is put back into it.
func Send(ctx context.Context, src capture.Source, o Options) (s Sent, err error) {
	w, err := open(o.Interface, o.NetNS)
	if err != nil {
		return s, err
	}
	defer w.close()
	var p capture.Packet
	var last capture.Time
	var tagged []byte
	begin := time.Now()
	due := begin
	for {
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			s.Took = time.Since(begin)
			return s, nil
		} else if err != nil {
			return s, err
		}
		switch {
		case p.Tick():
			continue
		case p.Link != capture.LinkEthernet:
			return s, fmt.Errorf("frame %d: link type %s cannot be sent on %s", p.ID.Number(), p.Link, o.Interface)
		case len(p.Data) < p.WireLen:
			return s, fmt.Errorf("frame %d: %d of %d bytes were captured, the rest cannot be sent", p.ID.Number(), len(p.Data), p.WireLen)
		}
		if s.Packets > 0 {
			gap := max(p.Time.Sub(last), 0)
			if o.LongestGap > 0 {
				gap = min(gap, o.LongestGap)
			}
			if o.Speed > 0 {
				gap = time.Duration(float64(gap) / o.Speed)
			}
			due = due.Add(gap)
		}
		last = max(last, p.Time)
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return s, ctx.Err()
			}
		} else {
			s.Behind = max(s.Behind, -wait)
		}
		data := p.Data
		if p.VLAN.Present && len(data) >= 12 {
			tagged = append(append(tagged[:0], data[:12]...), byte(p.VLAN.TPID>>8), byte(p.VLAN.TPID), byte(p.VLAN.TCI>>8), byte(p.VLAN.TCI))
			tagged = append(tagged, data[12:]...)
			data = tagged
		}
		if err := w.send(data); err != nil {
			return s, fmt.Errorf("send frame %d of %d bytes: %w", p.ID.Number(), len(data), err)
		}
		s.Packets++
	}
}
