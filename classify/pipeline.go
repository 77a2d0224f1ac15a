package classify

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

// What a packet says by itself, its frame, can be read on one core while another
// judges the packets before. Everything else depends on what came before, and
// stays in order: results are those of one core.

const (
	// blockFrames is how many frames change hands at a time: a hand-over may
	// have to wake the other side, which takes as long as some ten frames.
	blockFrames = 1024
	// blocks is how many there are, in the hands of either side or on their way.
	blocks = 4
)

// A block is frames in their order, whose packets are of one turn of the source.
type block struct {
	frames []wire.Frame
	n      int // of frames that are decoded
	turn   uint64
	last   bool // of the stretch
}

// A pipeline decodes in a goroutine of its own, a stretch of the capture at a
// time; between stretches nothing is under way.
type pipeline struct {
	src   capture.Holder
	dec   *wire.Decoder
	free  chan *block
	ready chan *block
	// What ended the stretch early, for who has read all that is ready.
	rest []capture.Packet // that src could not hold: not decoded
	err  error            // of src
}

// newPipeline makes a pipeline whose blocks have the given number of frames.
func newPipeline(src capture.Holder, dec *wire.Decoder, frames int) *pipeline {
	p := &pipeline{src: src, dec: dec, free: make(chan *block, blocks), ready: make(chan *block, blocks)}
	for range blocks {
		p.free <- &block{frames: make([]wire.Frame, frames)}
	}
	return p
}

// decode decodes n packets into blocks, or those until the source ends or does
// not hold its packets.
func (p *pipeline) decode(n uint64) {
	b := p.take()
	for n > 0 {
		packets, turn, err := p.src.NextHeld(int(min(n, uint64(len(b.frames)))))
		if err != nil || turn == 0 {
			p.rest, p.err = packets, err
			break
		}
		n -= uint64(len(packets))
		if b.n > 0 && turn != b.turn || b.n+len(packets) > len(b.frames) {
			p.ready <- b
			b = p.take()
		}
		b.turn = turn
		for i := range packets {
			f := &b.frames[b.n]
			p.dec.Decode(&packets[i], f)
			b.n++
			if f.Datagram != 0 && p.dec.Joined() { // f points into the decoder
				p.ready <- b
				b = p.take()
				b.turn = turn
				p.wait()
			}
		}
	}
	b.last = true
	p.ready <- b
}

// take takes an empty block.
func (p *pipeline) take() *block {
	b := <-p.free
	b.n, b.last = 0, false
	return b
}

// wait waits until all that was handed over is judged.
func (p *pipeline) wait() {
	var all [blocks - 1]*block
	for i := range all {
		all[i] = <-p.free
	}
	for _, b := range all {
		p.free <- b
	}
}

// pipelined analyzes what p decodes, until limit packets were analyzed or the
// source ends or, with p.rest, does not hold its packets.
func (e *Engine) pipelined(p *pipeline, limit uint64) error {
	go p.decode(limit - e.packets)
	for last := false; !last; {
		b := <-p.ready
		for i := range b.n {
			e.judge(&b.frames[i])
		}
		last = b.last
		p.free <- b
	}
	for i := range p.rest {
		e.Packet(&p.rest[i])
	}
	return p.err
}
