//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/synth/traffic"
)

// seed makes the traces the same everywhere.
const seed = 1

// A trace is a capture in several forms.
type trace struct {
	kind    string // mix or small
	packets uint64
	bytes   int64
	path    map[string]string // by form: pcap, pcapng, gz, zst
}

// source plays a trace of about size bytes as pcap.
func source(kind string, size uint64) *traffic.Source {
	if kind == "small" {
		return traffic.Small(seed).Bytes(size)
	}
	return traffic.Mix(seed).Bytes(size)
}

// makeTrace writes the forms of a trace that dir does not have yet.
func makeTrace(dir, kind string, size uint64) (*trace, error) {
	base := filepath.Join(dir, fmt.Sprintf("%s-%d-%dM", kind, generation, size>>20))
	t := &trace{kind: kind, path: map[string]string{"pcap": base + ".pcap", "pcapng": base + ".pcapng", "gz": base + ".pcap.gz", "zst": base + ".pcap.zst"}}
	for _, form := range []string{"pcap", "pcapng"} {
		err := once(t.path[form], func(w io.Writer) error { return write(w, form, source(kind, size)) })
		if err != nil {
			return nil, err
		}
	}
	for form, args := range map[string][]string{"gz": {"gzip", "-c", "-6"}, "zst": {"zstd", "-c", "-q", "-3"}} {
		err := once(t.path[form], func(w io.Writer) error {
			c := exec.Command(args[0], append(args[1:], t.path["pcap"])...)
			c.Stdout, c.Stderr = w, os.Stderr
			return c.Run()
		})
		if err != nil {
			return nil, err
		}
	}
	st, err := os.Stat(t.path["pcap"])
	if err != nil {
		return nil, err
	}
	t.bytes = st.Size()
	t.packets, err = count(t.path["pcap"])
	return t, err
}

// generation is raised whenever the traffic changes, so that no old trace is
// taken for a new one.
const generation = 1

// once writes path, unless it is there.
func once(path string, write func(io.Writer) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	fmt.Fprintf(os.Stderr, "writing %s\n", path)
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer os.Remove(path + ".part")
	err = write(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(path+".part", path)
}

func write(w io.Writer, form string, src capture.Source) error {
	b := bufio.NewWriterSize(w, 1<<20)
	put, err := writer(b, form)
	if err != nil {
		return err
	}
	var p capture.Packet
	for err == nil {
		if err = src.Next(&p); err == nil {
			err = put(&p)
		}
	}
	if err != io.EOF {
		return err
	}
	src.Close()
	return b.Flush()
}

func writer(w io.Writer, form string) (func(*capture.Packet) error, error) {
	if form == "pcap" {
		p, err := pcapfile.NewPcapWriter(w, capture.LinkEthernet, 0, false)
		if err != nil {
			return nil, err
		}
		return p.WritePacket, nil
	}
	n, err := pcapfile.NewNgWriter(w, pcapfile.Section{Application: "pxescope bench"})
	if err != nil {
		return nil, err
	}
	if _, err := n.Interface(capture.Interface{Name: "eth0", Link: capture.LinkEthernet}); err != nil {
		return nil, err
	}
	return func(p *capture.Packet) error { return n.WritePacket(p, "") }, nil
}

func count(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := pcapfile.NewReader(f)
	if err != nil {
		return 0, err
	}
	var p capture.Packet
	for err == nil {
		err = r.Next(&p)
	}
	if err != io.EOF {
		return 0, err
	}
	return r.Info().Packets, nil
}
