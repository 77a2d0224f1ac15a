//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live"
)

// received is what a receiver says at its end.
type received struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Dropped uint64 `json:"dropped"`
}

// receive reads everything from the ring until SIGINT, and touches each
// packet's first bytes.
func receive(args []string) {
	f := flag.NewFlagSet("receive", flag.ExitOnError)
	text := f.String("filter", "", "attach this filter")
	f.Parse(args)
	if err := read(*text); err != nil {
		fmt.Fprintln(os.Stderr, "bench-live receive:", err)
		os.Exit(2)
	}
}

func read(text string) error {
	o := live.Options{Interfaces: []string{link}, Engine: live.EngineRing}
	if text == "" {
		o.Buffer = 32 << 20 // as tcpdump has; with a filter the default is enough
	} else {
		e, err := filter.Parse(text)
		if err != nil {
			return err
		}
		o.Filter.Classic = func(l capture.LinkType) ([]bpf.RawInstruction, error) {
			return filter.Compile(e, filter.Target{Link: l, Live: live.TagsBeside})
		}
	}
	c, err := live.Open(o)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	go func() { <-stop; c.Stop() }()
	var p capture.Packet
	var types [2]uint64
	for {
		err := c.Next(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if len(p.Data) > 14 {
			types[p.Data[12]&1]++
		}
	}
	info := c.Files()[0]
	return json.NewEncoder(os.Stdout).Encode(received{info.Packets, info.Bytes, info.Dropped.N})
}
