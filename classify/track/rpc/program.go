package rpc

import "strconv"

// Program numbers (https://www.iana.org/assignments/rpc-program-numbers).
const (
	programPortmap  = 100000
	programNFS      = 100003
	programMount    = 100005
	programRquota   = 100011
	programNLM      = 100021
	programNSM      = 100024
	programNFSACL   = 100227
	programCallback = 0x40000000 // transient (RFC 5531 section 8.1); Linux and others use it for NFSv4 callbacks
)

// A program names its procedures by version, as Wireshark writes them.
type program struct {
	number  uint32
	name    string // for people: mount v3
	service string // catalog id, empty for none
	// procedures of a version; of every other version, those of index 0.
	procedures [5][]string
}

// The procedures of index 0 hold for any version that has none of its own;
// only the portmapper has such, because its versions differ in one name.
var programs = []program{
	{number: programPortmap, name: "portmap", service: "portmap", procedures: [5][]string{
		0: {"NULL", "SET", "UNSET", "GETADDR", "DUMP", "CALLIT", "GETTIME", "UADDR2TADDR", "TADDR2UADDR", "GETVERSADDR", "INDIRECT", "GETADDRLIST", "GETSTAT"},
		2: {"NULL", "SET", "UNSET", "GETPORT", "DUMP", "CALLIT"},
	}},
	{number: programNFS, name: "nfs", service: "nfs", procedures: [5][]string{
		2: {"NULL", "GETATTR", "SETATTR", "ROOT", "LOOKUP", "READLINK", "READ", "WRITECACHE", "WRITE", "CREATE", "REMOVE", "RENAME", "LINK", "SYMLINK", "MKDIR", "RMDIR", "READDIR", "STATFS"},
		3: {
			"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK",
			"READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
		},
		4: {"NULL", "COMPOUND"},
	}},
	{number: programMount, name: "mount", service: "rpc-mount", procedures: [5][]string{
		0: {"NULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT", "EXPORTALL", "PATHCONF"},
	}},
	{number: programNLM, name: "nlm", service: "nlm", procedures: [5][]string{
		0: {
			"NULL", "TEST", "LOCK", "CANCEL", "UNLOCK", "GRANTED", "TEST_MSG", "LOCK_MSG", "CANCEL_MSG", "UNLOCK_MSG", "GRANTED_MSG",
			"TEST_RES", "LOCK_RES", "CANCEL_RES", "UNLOCK_RES", "GRANTED_RES", "", "", "", "", "SHARE", "UNSHARE", "NM_LOCK", "FREE_ALL",
		},
	}},
	{number: programNSM, name: "nsm", service: "nsm", procedures: [5][]string{
		0: {"NULL", "STAT", "MON", "UNMON", "UNMON_ALL", "SIMU_CRASH", "NOTIFY"},
	}},
	{number: programNFSACL, name: "nfsacl", service: "nfs", procedures: [5][]string{
		0: {"NULL", "GETACL", "SETACL", "GETATTR", "ACCESS", "GETXATTRDIR"},
	}},
	{number: programRquota, name: "rquota", procedures: [5][]string{
		0: {"NULL", "GETQUOTA", "GETACTIVEQUOTA", "SETQUOTA", "SETACTIVEQUOTA"},
	}},
	{number: programCallback, name: "nfs-callback", procedures: [5][]string{
		0: {"NULL", "CB_COMPOUND"},
	}},
}

// programIndex is the index in programs, or -1.
func programIndex(number uint32) int {
	switch number {
	case programNFS: // nearly always
		return 1
	case programPortmap:
		return 0
	}
	for i := 2; i < len(programs); i++ {
		if programs[i].number == number {
			return i
		}
	}
	return -1
}

func procedureNames(i int, vers uint32) []string {
	p := &programs[i]
	if vers < uint32(len(p.procedures)) && p.procedures[vers] != nil {
		return p.procedures[vers]
	}
	return p.procedures[0]
}

// procedureName is the procedure's name, or its number.
func procedureName(prog, vers, proc uint32) string {
	if i := programIndex(prog); i >= 0 {
		if names := procedureNames(i, vers); proc < uint32(len(names)) && names[proc] != "" {
			return names[proc]
		}
	}
	return strconv.FormatUint(uint64(proc), 10)
}

// programName is what people call the program, or its number.
func programName(prog uint32) string {
	if i := programIndex(prog); i >= 0 {
		return programs[i].name
	}
	return strconv.FormatUint(uint64(prog), 10)
}

// serviceOf is the catalog's id for a program, empty when it has none.
func serviceOf(prog uint32) string {
	if i := programIndex(prog); i >= 0 {
		return programs[i].service
	}
	return ""
}

// oneWay reports calls that have no reply by design: NLM's asynchronous
// procedures, whose result is a call the other way (X/Open XNFS chapter 10).
func oneWay(prog, proc uint32) bool { return prog == programNLM && proc >= 6 && proc <= 15 }
