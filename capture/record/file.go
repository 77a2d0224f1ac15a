package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

const fileMode = 0o644 // before the umask, as tcpdump's

// begin opens the next file and writes what stands at its beginning into the
// buffer.
func (w *Writer) begin(ifaces []capture.Interface) error {
	f, path, err := w.open()
	if err != nil {
		return err
	}
	if err := w.out.reset(f, w.pcapng); err != nil {
		f.Close()
		return fmt.Errorf("begin %s: %w", path, err)
	}
	w.file, w.path = f, path
	w.opened, w.flushed = w.now, w.now
	w.ng, w.pcap = nil, nil
	if w.o.Counts != nil {
		ifaces = w.o.Counts()
	}
	w.ifaces.begin(ifaces)
	w.stats.Files++
	if w.pcapng {
		if w.ng, err = pcapfile.NewNgWriter(&w.out, w.o.Section); err != nil {
			return err
		}
		return w.ifaces.describeAll(w.ng)
	}
	for _, i := range w.ifaces.list {
		if w.pcap == nil {
			err = w.pcapHeader(i.Link, i.SnapLen)
		} else if i.Link != w.pcapLink() {
			err = linkError(path, i.Link, w.pcapLink())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) open() (f *os.File, path string, err error) {
	if w.o.Path == "-" {
		return os.Stdout, "standard output", nil
	}
	const flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if w.root == nil {
		f, err = os.OpenFile(w.o.Path, flags, fileMode)
		return f, w.o.Path, err
	}
	if w.slot == 0 {
		w.slot = w.now
	}
	name, err := w.o.fileName(w.base, w.slot.Std().Local(), w.number)
	if err != nil {
		return nil, "", err
	}
	path = filepath.Join(filepath.Dir(w.o.Path), name)
	if f, err = w.root.OpenFile(name, flags, fileMode); err != nil {
		if w.number == 0 {
			w.slot = 0
		}
		return nil, "", fmt.Errorf("open %s: %w", path, cause(err))
	}
	return f, path, nil
}

func (w *Writer) pcapHeader(link capture.LinkType, snapLen uint32) (err error) {
	w.pcap, err = pcapfile.NewPcapWriter(&w.out, link, snapLen, true)
	w.ifaces.pcapLink = link
	return err
}

func (w *Writer) pcapLink() capture.LinkType { return w.ifaces.pcapLink }

func linkError(path string, link, first capture.LinkType) error {
	return fmt.Errorf("write %s: packets of link type %v beside %v: %w", path, link, first, ErrLinkType)
}

// finish ends the file with the counts of its interfaces and closes it. What
// the disk refuses now is lost.
func (w *Writer) finish(ifaces []capture.Interface) error {
	var err error
	if w.out.dead {
		err = w.out.err
	} else {
		if w.o.Counts != nil {
			ifaces = w.o.Counts()
		}
		w.ifaces.see(ifaces)
		switch {
		case w.pcapng:
			err = w.ifaces.statistics(w.ng, w.opened, w.now)
		case w.pcap == nil:
			err = w.pcapHeader(capture.LinkEthernet, 0) // no packet came
		}
		err = errors.Join(err, w.out.flush())
	}
	if err != nil {
		err = fmt.Errorf("write %s: %w", w.path, cause(err))
		if w.trouble == nil {
			w.begun(err)
		}
		n := w.out.packets()
		w.missed += n
		w.stats.NotWritten += n
		w.stats.Packets -= n
	}
	w.stats.Bytes += w.out.base
	w.out.base = 0
	if w.file != os.Stdout {
		if e := w.file.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", w.path, cause(e))
			if w.trouble == nil {
				w.begun(err)
			}
		}
	}
	w.file = nil
	return err
}
