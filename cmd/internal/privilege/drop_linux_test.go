package privilege

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture/live/netlab"
)

const sleepers = 8

// child drops its privileges, tries what it should not be able to do any more,
// and stays until standard input ends, so that its threads can be looked at.
func child() int {
	if os.Getenv("PXESCOPE_TEST_RECORD") != "" {
		if err := recordChild(); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	base := os.Getenv(childEnv)
	write, site := filepath.Join(base, "write"), filepath.Join(base, "conf", "site.yaml")
	// Threads that exist before, and that sleep in the kernel.
	var threads sync.WaitGroup
	for range sleepers {
		threads.Add(1)
		go func() {
			runtime.LockOSThread()
			threads.Done()
			for {
				unix.Nanosleep(&unix.Timespec{Sec: 600}, nil)
			}
		}()
	}
	threads.Wait()
	before, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		fmt.Println("open a socket before:", err)
		return 1
	}
	root, err := os.OpenRoot(write)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	keep := os.Getenv("PXESCOPE_TEST_KEEP")
	done, err := Drop(Needs{
		User: os.Getenv("PXESCOPE_TEST_USER"), WriteDirs: []string{write}, ReadFiles: []string{site},
		TCP: keep == "TCP", NoLandlock: keep == "files",
	})
	fmt.Println("done:", strings.Join(done, "; "), err)
	if err != nil {
		return 1
	}
	say := func(what string, err error) { fmt.Printf("%s: %v\n", what, err) }

	_, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	say("packet socket", err)
	say("bind the old socket again", unix.Bind(before, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: 1}))
	say("promiscuous again", unix.SetsockoptPacketMreq(before, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: 1, Type: unix.PACKET_MR_PROMISC}))
	f, err := root.Create("later")
	if err == nil {
		_, err = f.WriteString("x")
		err = errors.Join(err, f.Truncate(0), f.Close(), root.Rename("later", "named"))
	}
	say("write in the directory", err)
	say("write elsewhere", os.WriteFile(filepath.Join(base, "elsewhere"), nil, 0o644))
	_, err = os.ReadFile(site)
	say("read the site file", err)
	_, err = os.ReadFile(filepath.Join(base, "secret"))
	say("read elsewhere", err)
	_, err = os.ReadDir("/sys/class/net/lo/statistics")
	say("read statistics", err)
	_, err = net.Dial("tcp4", os.Getenv("PXESCOPE_TEST_TCP"))
	say("TCP", err)
	say("run a program", exec.Command("/bin/true").Run())
	say("become root", unix.Setresuid(0, 0, 0))
	_, err = unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_NET_RAW, 0, 0, 0)
	say("ready", err)
	bufio.NewReader(os.Stdin).ReadString('\n')
	return 0
}

// rights are what giving them up takes.
const rights = "CAP_NET_RAW, CAP_SETUID and CAP_SETPCAP"

func TestDrop(t *testing.T) {
	netlab.Root(t, rights)
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		t.Logf("no landlock here, that part is not tested: %v", err)
	}
	nobody, err := Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		name    string
		user    string // -Z
		service bool   // starts as nobody with one ambient capability, as under systemd
		keep    string // of Needs
	}{
		{"root", "", false, ""},
		{"another user", "nobody", false, ""},
		{"service", "", true, ""},
		{"TCP", "", false, "TCP"},
		{"no landlock", "nobody", false, "files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			openPath(base)
			for _, d := range []string{"write", "conf"} {
				if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range []string{"conf/site.yaml", "secret"} {
				if err := os.WriteFile(filepath.Join(base, f), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if tt.user != "" || tt.service {
				if err := os.Chown(filepath.Join(base, "write"), nobody.UID, nobody.GID); err != nil {
					t.Fatal(err)
				}
			}
			exe := filepath.Join(base, "test") // where nobody can run it
			if err := copyFile("/proc/self/exe", exe); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe)
			if tt.service {
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Credential:  &syscall.Credential{Uid: uint32(nobody.UID), Gid: uint32(nobody.GID)},
					AmbientCaps: []uintptr{unix.CAP_NET_RAW},
				}
			}
			cmd.Env = append(os.Environ(), childEnv+"="+base, "PXESCOPE_TEST_USER="+tt.user, "PXESCOPE_TEST_KEEP="+tt.keep, "PXESCOPE_TEST_TCP="+l.Addr().String())
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer in.Close()
			said := map[string]string{}
			for s := bufio.NewScanner(out); s.Scan(); {
				t.Log(s.Text())
				k, v, _ := strings.Cut(s.Text(), ": ")
				said[k] = v
				if k == "ready" {
					break
				}
			}
			if _, ok := said["ready"]; !ok {
				t.Fatal("the child did not come to its end")
			}
			want := map[string]string{
				"packet socket":             "operation not permitted",
				"bind the old socket again": "<nil>",
				"promiscuous again":         "<nil>",
				"write in the directory":    "<nil>",
				"read the site file":        "<nil>",
				"read statistics":           "<nil>",
			}
			if abi > 0 && tt.keep != "files" {
				want["read elsewhere"] = "permission denied"
				want["write elsewhere"] = "permission denied"
				want["run a program"] = "permission denied"
			}
			if abi >= 4 && tt.keep == "" {
				want["TCP"] = "permission denied"
			} else {
				want["TCP"] = "<nil>"
			}
			if tt.user != "" || tt.service {
				want["become root"] = "operation not permitted"
				want["write elsewhere"] = "permission denied"
			}
			if tt.user != "" {
				want["done"] = "user nobody"
			}
			if tt.keep == "files" {
				want["done"], want["read elsewhere"], want["run a program"] = "landlock was left out; user nobody", "<nil>", "<nil>"
			}
			for k, v := range want {
				if !strings.Contains(said[k], v) {
					t.Errorf("%s: got %q, want %q", k, said[k], v)
				}
			}
			threads := map[string]string{"NoNewPrivs": "1"}
			sets := []string{"CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"}
			if tt.service {
				sets = sets[:4] // the unit clears the last one
			}
			for _, set := range sets {
				threads[set] = "0000000000000000"
			}
			if tt.user != "" {
				id := fmt.Sprint(nobody.UID)
				threads["Uid"] = strings.Join([]string{id, id, id, id}, "\t")
			}
			checkThreads(t, cmd.Process.Pid, threads)
		})
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// checkThreads looks at every thread of the child from outside.
func checkThreads(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) <= sleepers {
		t.Fatalf("got %d threads, %v; want more than %d", len(tasks), err, sleepers)
	}
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for line := range strings.Lines(string(b)) {
			k, v, _ := strings.Cut(line, ":")
			got[k] = strings.TrimSpace(v)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: got %s %q, want %q", path, k, got[k], v)
			}
		}
	}
}
