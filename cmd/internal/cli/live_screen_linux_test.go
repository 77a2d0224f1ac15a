package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is the two ends of a pseudo terminal, and what was shown on it.
type terminal struct {
	master, slave *os.File
	mu            sync.Mutex
	shown         bytes.Buffer
}

func newTerminal(t *testing.T, cols, rows uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows}); err != nil {
		t.Fatal(err)
	}
	x := &terminal{master: master, slave: slave}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := master.Read(b)
			if err != nil {
				return
			}
			x.mu.Lock()
			x.shown.Write(b[:n])
			x.mu.Unlock()
		}
	}()
	return x
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.String()
}

func (x *terminal) wait(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(x.text(), what); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %q; shown was %q", what, x.text())
		}
	}
}

// A terminal that cannot place text has lines, as a file has.
func TestLiveDumbTerminal(t *testing.T) {
	w := newWire(t)
	x := newTerminal(t, 100, 30)
	cmd := exec.Command("pxescope", "live", w.far, "--netns", w.ns, "-c", "30")
	cmd.Stdin, cmd.Stdout = x.slave, x.slave
	cmd.Env = append(os.Environ(), "TERM=dumb", "COLUMNS=")
	var errs lockedBuffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for end := time.Now().Add(time.Minute); !strings.Contains(errs.String(), "capturing on"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("does not capture: %s", errs.String())
		}
	}
	w.send(t, "healthy-boot.pcap", 1000)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
	x.wait(t, "NODES: 1 ")
	if strings.Contains(x.text(), "\x1b") {
		t.Errorf("escape codes on a dumb terminal: %q", x.text())
	}
}

// A lockedBuffer is read while a process writes into it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// On a terminal there is the screen: it shows the machine, writes its packets to
// a file, and leaves with the report, by q as by Ctrl-C.
func TestLiveScreen(t *testing.T) {
	for name, key := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			x := newTerminal(t, 100, 30)
			dir := t.TempDir()
			cmd := exec.Command("pxescope", "live", w.far, "--netns", w.ns)
			cmd.Dir = dir
			cmd.Stdin, cmd.Stdout = x.slave, x.slave
			cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLUMNS=")
			var errs bytes.Buffer
			cmd.Stderr = &errs
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			x.wait(t, "no machine has asked")
			w.send(t, "healthy-boot.pcap", 1000)
			x.wait(t, "d4:ae:52:00:20:01")
			if _, err := x.master.WriteString("w"); err != nil {
				t.Fatal(err)
			}
			x.wait(t, "_d4-ae-52-00-20-01_packets.pcapng in "+dir)
			files, err := filepath.Glob(filepath.Join(dir, "*.pcapng"))
			if err != nil || len(files) != 1 || packets(t, files[0]) == 0 {
				t.Errorf("got files %v, %v", files, err)
			}
			if _, err := x.master.WriteString(key); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("%v: %s", err, errs.String())
				}
			case <-time.After(time.Minute):
				t.Fatal("it does not end")
			}
			x.wait(t, "CAPTURE QUALITY")
			if errs.Len() > 0 {
				t.Errorf("it wrote beside the screen: %s", errs.String())
			}
		})
	}
}
