//go:build unix

package record

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

const killEnv = "PXESCOPE_TEST_RECORD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		how := os.Getenv(killEnv + "_HOW")
		if how == "limit" {
			os.Exit(writeTooMuch(dir))
		}
		fmt.Println(writeForEver(dir, how))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForEver writes as fast as it can until it is killed.
func writeForEver(dir, how string) error {
	name := "x"
	if how == "pcap" {
		name = "x.pcap"
	}
	w, err := Create(Options{Path: filepath.Join(dir, name), RotateBytes: 4 << 20, Files: 3, Unbuffered: how == "unbuffered", Interfaces: eth})
	if err != nil {
		return err
	}
	fmt.Println("started")
	r := rand.New(rand.NewPCG(1, 2))
	p := packet(1, 0, 1514)
	data := p.Data
	for n := uint64(1); ; n++ {
		p.ID = capture.NewFrameID(0, n)
		p.Time += 1000
		p.Data = data[:14+r.IntN(1501)]
		if err := w.Write(p, eth); err != nil {
			return err
		}
		if how == "ticks" && r.IntN(20) == 0 {
			if err := w.Write(&capture.Packet{Time: p.Time}, eth); err != nil {
				return err
			}
		}
	}
}

// writeTooMuch writes a MiB.
func writeTooMuch(dir string) int {
	w, err := Create(Options{Path: filepath.Join(dir, "x"), Interfaces: eth, Notice: func(s string) { fmt.Println(s) }})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i := range 1000 {
		if err := w.Write(packet(i+1, 0, 1000), eth); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println(w.Close(eth))
	return 0
}

// killed starts a writer and kills it after a random time; it returns the
// files that are there.
func killed(t *testing.T, how string, r *rand.Rand) []string {
	t.Helper()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), killEnv+"="+dir, killEnv+"_HOW="+how)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := make([]byte, len("started\n"))
	if _, err := io.ReadFull(out, started); err != nil || string(started) != "started\n" {
		t.Fatalf("the writer says %q, %v", started, err)
	}
	time.Sleep(time.Duration(r.IntN(int(8 * time.Millisecond))))
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(out)
	cmd.Wait()
	if len(rest) > 0 {
		t.Fatalf("the writer says %q", rest)
	}
	files, err := filepath.Glob(filepath.Join(dir, "x*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got no files, %v", err)
	}
	return files
}

// Whenever a writer is killed, each of its files ends with a whole block.
func TestKilled(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	if n := os.Getenv(killEnv + "_ROUNDS"); n != "" { // for a long run by hand
		fmt.Sscan(n, &rounds)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	tools := 0
	for _, tool := range []string{"capinfos", "tshark"} {
		if _, err := exec.LookPath(tool); err == nil {
			tools++
		} else {
			t.Logf("%s is not installed: it is not asked", tool)
		}
	}
	for _, how := range []string{"buffered", "ticks", "unbuffered"} {
		var packets uint64
		for round := range rounds {
			for _, path := range killed(t, how, r) {
				st, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if st.Size() == 0 {
					continue // killed between opening it and its first write
				}
				n, err := whole(path)
				if err != nil {
					t.Errorf("%s, round %d, seed %d: %s of %d bytes: %v", how, round, seed, filepath.Base(path), st.Size(), err)
				}
				packets += n
				if round == 0 && tools == 2 {
					askTools(t, path)
				}
			}
		}
		t.Logf("%s: %d rounds, %d packets", how, rounds, packets)
		if packets == 0 {
			t.Errorf("%s: nothing was written", how)
		}
	}
}

// What a kill can do to a pcap file, which cannot be filled up to a page, is
// half a record at its end: all before it is read.
func TestKilledPcap(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	halves, files := 0, 0
	for range 20 {
		for _, path := range killed(t, "pcap", r) {
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if st.Size() == 0 {
				continue // killed between opening it and its first write
			}
			files++
			n, err := whole(path)
			var cut *pcapfile.Error
			switch {
			case err == nil:
			case errors.As(err, &cut) && cut.Truncated:
				halves++
				if st.Size() > 4096 && n == 0 {
					t.Errorf("got no packet of %d bytes", st.Size())
				}
			default:
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	t.Logf("%d of %d files end with half a record", halves, files)
}

// whole reads a file and says if it ends inside a block.
func whole(path string) (uint64, error) {
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
	for {
		err := r.Next(&p)
		if err == io.EOF {
			return r.Info().Packets, nil
		}
		if err != nil {
			return r.Info().Packets, err
		}
	}
}

func askTools(t *testing.T, path string) {
	t.Helper()
	for _, args := range [][]string{{"capinfos", "-c", path}, {"tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.len"}} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "cut short") {
			t.Errorf("%s: %v\n%.300s", args[0], err, out)
		}
	}
}
