package record

import (
	"errors"
	"fmt"
	"os"
)

// Chown gives the first file to the user that the program is going to be, as
// tcpdump's -Z does. Standard output and what is no regular file stay as they
// are.
func (w *Writer) Chown(uid, gid int) error {
	if w.file == nil || w.file == os.Stdout || !w.out.regular {
		return nil
	}
	if err := w.file.Chown(uid, gid); err != nil {
		return fmt.Errorf("give %s to user %d: %w", w.path, uid, cause(err))
	}
	return nil
}

// Ready tells, when privileges are gone, whether the files to come can be
// made, by making one and removing it.
func (w *Writer) Ready() error {
	if w.root == nil {
		return nil
	}
	return ready(w.root, w.Dirs()[0])
}

// Ready tells, when privileges are gone, whether files can be made.
func (r *Recorder) Ready() error { return ready(r.root, r.dir) }

func ready(root *os.Root, dir string) error {
	name := fmt.Sprintf(".pxescope-%d.tmp", os.Getpid())
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		whose := ""
		if fi, e := root.Stat("."); e == nil {
			if uid, ok := owner(fi); ok {
				whose = fmt.Sprintf("it belongs to user %d: -Z %d writes as that user; or ", uid, uid)
			}
		}
		return fmt.Errorf("later files cannot be made in %s without privileges: %w; %sgive the directory to the user of -Z", dir, cause(err), whose)
	}
	if err := errors.Join(f.Close(), root.Remove(name)); err != nil {
		return fmt.Errorf("try to make a file in %s: %w", dir, cause(err))
	}
	return nil
}
