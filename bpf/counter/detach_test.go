//go:build linux

package counter

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// childHook, in the environment, makes TestChildCounts count by that hook.
const childHook = "PXESCOPE_TEST_HOOK"

// TestChildCounts is the process that TestDetach ends; alone it does nothing.
func TestChildCounts(t *testing.T) {
	hook := os.Getenv(childHook)
	if hook == "" {
		return
	}
	c, err := Open(Config{Hook: Hook(hook), Interfaces: []string{"veth0"}, Learn: true})
	if err != nil {
		fmt.Println("refused", err)
		os.Exit(1)
	}
	fmt.Println("counting")
	// What comes on standard input says how to end: a panic where nobody
	// recovers, or an end without Close.
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if strings.TrimSpace(line) == "panic" {
		go panic("as told")
		select {}
	}
	if _, err := c.Read(); err != nil {
		fmt.Println(err)
	}
	os.Exit(3)
}

// However the process ends, nothing stays at the interface.
func TestDetach(t *testing.T) {
	l := newLab(t)
	ends := map[string]func(*exec.Cmd, *bufio.Writer) error{
		"panic": func(_ *exec.Cmd, in *bufio.Writer) error { in.WriteString("panic\n"); return in.Flush() },
		"exit":  func(_ *exec.Cmd, in *bufio.Writer) error { in.WriteString("exit\n"); return in.Flush() },
		"kill":  func(c *exec.Cmd, _ *bufio.Writer) error { return c.Process.Kill() },
		"term":  func(c *exec.Cmd, _ *bufio.Writer) error { return c.Process.Signal(syscall.SIGTERM) },
	}
	for _, hook := range Hooks() {
		for name, end := range ends {
			t.Run(string(hook)+"/"+name, func(t *testing.T) {
				c := exec.Command("ip", "netns", "exec", l.Near, os.Args[0], "-test.run", "^TestChildCounts$")
				c.Env = append(os.Environ(), childHook+"="+string(hook))
				in, err := c.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				out, err := c.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(out)
				lines.Scan()
				if lines.Text() != "counting" {
					c.Process.Kill()
					c.Wait()
					privileged(t, fmt.Errorf("the child said %q: %w", lines.Text(), ErrUnsupported))
				}
				if got := l.attached(hook); got == 0 {
					t.Error("got nothing attached while counting")
				}
				if err := end(c, bufio.NewWriter(in)); err != nil {
					t.Fatal(err)
				}
				if err := c.Wait(); err == nil {
					t.Error("the child ended well")
				}
				for end := time.Now().Add(10 * time.Second); l.attached(hook) != 0; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("got %d programs attached after the end", l.attached(hook))
					}
				}
			})
		}
	}
}

// attached is how many programs the kernel names at the interface, or packet
// sockets bound to it.
func (l *lab) attached(h Hook) (n int) {
	l.t.Helper()
	l.in(l.Near, func() error {
		if h == Socket {
			b, err := os.ReadFile("/proc/thread-self/net/packet")
			n = strings.Count(string(b), "\n") - 1 // its first line names columns
			return err
		}
		ifc, err := net.InterfaceByName("veth0")
		if err != nil {
			return err
		}
		if h.xdp() {
			out, err := exec.Command("ip", "-d", "link", "show", "veth0").Output()
			n = strings.Count(string(out), "prog/xdp")
			return err
		}
		for _, at := range []ebpf.AttachType{tcxIngress, tcxEgress} {
			q, err := link.QueryPrograms(link.QueryOptions{Target: ifc.Index, Attach: at})
			if err != nil {
				return err
			}
			n += len(q.Programs)
		}
		return nil
	})
	return n
}
