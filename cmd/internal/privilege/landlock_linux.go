package privilege

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// What is open to everyone who captures: counters of interfaces, what a
// terminal needs, and the own threads, which libpsx lists at each call.
var (
	readDirs = []string{
		"/sys/class/net", "/sys/devices", "/proc/self/net", "/proc/self/task",
		"/usr/share/terminfo", "/lib/terminfo", "/etc/terminfo",
	}
	devices = []string{"/dev/null", "/dev/tty"}
)

const (
	readAccess  = ll.AccessFSReadFile | ll.AccessFSReadDir
	writeAccess = readAccess | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSMakeReg | ll.AccessFSRemoveFile
)

// restrict binds the process to what it needs, as far as the kernel can.
func restrict(n Needs) (string, error) {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil || abi < 1 {
		return "no landlock: the kernel does not have it, or it is not enabled (lsm=)", nil
	}
	rules := []landlock.Rule{
		landlock.PathAccess(readAccess, readDirs...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSWriteFile, devices...).WithIoctlDev().IgnoreIfMissing(),
	}
	var read []string
	for _, f := range n.ReadFiles {
		read = appendNew(read, filepath.Dir(f))
		if to, err := filepath.EvalSymlinks(f); err == nil && to != f {
			read = appendNew(read, filepath.Dir(to))
		}
	}
	if len(read) > 0 {
		rules = append(rules, landlock.PathAccess(readAccess, read...))
	}
	var write []string
	for _, d := range n.WriteDirs {
		write = appendNew(write, d)
	}
	if len(write) > 0 {
		rules = append(rules, landlock.PathAccess(writeAccess, write...))
	}
	c := landlock.V5.BestEffort()
	if n.TCP {
		err = c.RestrictPaths(rules...)
	} else {
		err = c.Restrict(rules...)
	}
	if err != nil {
		return "", fmt.Errorf("restrict by landlock: %w", err)
	}
	said := fmt.Sprintf("landlock (ABI %d): writes ", abi)
	if len(write) == 0 {
		said += "no new file"
	} else {
		said += "only below " + strings.Join(write, ", ")
	}
	if len(read) > 0 {
		said += ", reads below " + strings.Join(read, ", ")
	}
	if !n.TCP && abi >= 4 {
		said += ", no TCP"
	}
	return said, nil
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
