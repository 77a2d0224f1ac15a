package classify

import (
	"runtime"

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
	frames [blockFrames]wire.Frame
	n      int
}

// A pipeline decodes in a goroutine of its own.
type pipeline struct {
	src   capture.Holder
	dec   *wire.Decoder
	free  chan *block
	ready chan *block
	// What ended it, for who has read all that is ready.
	rest []capture.Packet // that src did not hold: not decoded
	err  error            // of src
}

// newPipeline is a pipeline for src, or nil where it would not help.
func newPipeline(src capture.Source, dec *wire.Decoder) *pipeline {
	h, ok := src.(capture.Holder)
	if !ok || runtime.GOMAXPROCS(0) < 2 || !h.Hold(blocks+1) {
		return nil
	}
	p := &pipeline{src: h, dec: dec, free: make(chan *block, blocks), ready: make(chan *block, blocks)}
	for range blocks {
		p.free <- new(block)
	}
	return p
}

// decode fills blocks until the source ends, or no longer holds its packets.
func (p *pipeline) decode() {
	defer close(p.ready)
	b := <-p.free
	defer func() { p.ready <- b }()
	for turn := uint64(0); ; {
		packets, err := p.src.NextBatch(blockFrames)
		if err != nil {
			p.err = err
			return
		}
		now, held := p.src.Turn()
		if !held {
			p.rest = packets
			return
		}
		if now != turn || b.n+len(packets) > blockFrames {
			b, turn = p.pass(b), now
		}
		for i := range packets {
			f := &b.frames[b.n]
			p.dec.Decode(&packets[i], f)
			b.n++
			if f.Datagram != 0 && p.dec.Joined() { // f points into the decoder
				b = p.pass(b)
				p.wait()
			}
		}
	}
}

// pass hands over b and takes an empty block.
func (p *pipeline) pass(b *block) *block {
	p.ready <- b
	b = <-p.free
	b.n = 0
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

// pipelined analyzes what p decodes.
func (e *Engine) pipelined(p *pipeline) {
	go p.decode()
	for b := range p.ready {
		for i := range b.n {
			e.judge(&b.frames[i])
		}
		p.free <- b
	}
	for i := range p.rest {
		e.Packet(&p.rest[i])
	}
}
