// Package privilege gives up what a capture needs only to begin, and says what
// is missing when it cannot begin.
//
// Drop is called when sockets, filters and the first files are open. What the
// process keeps is what it holds open, the directories that it writes files
// to, and the files that it reads again; every thread is bound, and children
// cannot get anything back.
//
// Of landlock (https://docs.kernel.org/userspace-api/landlock.html) it uses
// files and TCP, up to ABI 5. The scopes of ABI 6 are left out: kernels 6.12 to
// 6.14 let them forbid the signals between threads that Go's scheduler sends.
package privilege

import (
	"fmt"
	"os/user"
	"strconv"
)

// Needs say what is to be kept.
type Needs struct {
	// User is who to become, by name or number, as tcpdump's -Z; "" keeps the
	// user, without capabilities. A program that runs set-user-id becomes who
	// started it.
	User string
	// WriteDirs are directories in which files are going to be made, renamed
	// and removed.
	WriteDirs []string
	// ReadFiles are files that are going to be read again. They may be
	// replaced by then, so what is opened is their directory, with what is
	// below it, as far as the user may read it.
	ReadFiles []string
	// TCP keeps TCP: something is going to listen, accept or connect.
	TCP bool
	// NoLandlock leaves landlock out.
	NoLandlock bool
}

// An Account is a user as the system knows it.
type Account struct {
	Name     string
	UID, GID int
	Groups   []int // with GID
}

// Lookup finds a user by name or number.
func Lookup(name string) (*Account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if _, e := strconv.ParseUint(name, 10, 31); e != nil {
			return nil, fmt.Errorf("look up user %q: %w", name, err)
		}
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("look up user %q: %w", name, err)
		}
	}
	a := &Account{Name: u.Username}
	if a.UID, err = strconv.Atoi(u.Uid); err != nil {
		return nil, fmt.Errorf("user %q has no number: %q", name, u.Uid)
	}
	if a.GID, err = strconv.Atoi(u.Gid); err != nil {
		return nil, fmt.Errorf("user %q has no group: %q", name, u.Gid)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %q: %w", name, err)
	}
	for _, g := range groups {
		n, err := strconv.Atoi(g)
		if err != nil {
			return nil, fmt.Errorf("user %q has a group without a number: %q", name, g)
		}
		a.Groups = append(a.Groups, n)
	}
	return a, nil
}
