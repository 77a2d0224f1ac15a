package track

// Counts is the plain arithmetic over the input, before any judgement; its
// JSON form is "counts" in the report. Message counts include copies and
// retries; unanswered counts distinct exchanges without a reply in the input.
type Counts struct {
	Packets   uint64            `json:"packets"`
	Undecoded map[string]uint64 `json:"undecoded"`
	DHCP4     DHCP4Counts       `json:"dhcp4"`
	DHCP6     DHCP6Counts       `json:"dhcp6"`
	TFTP      TFTPCounts        `json:"tftp"`
	RPC       RPCCounts         `json:"rpc"`
	DNS       QueryCounts       `json:"dns"`
	NTP       RequestCounts     `json:"ntp"`
	TCP       TCPCounts         `json:"tcp"`
}

// DHCP4Counts counts DHCPv4. Transactions are distinct (xid, chaddr); servers
// are option 54 of OFFER and ACK; relayed are messages with giaddr not 0.
type DHCP4Counts struct {
	Messages           map[string]uint64 `json:"messages"`
	Servers            []string          `json:"servers"`
	Relayed            uint64            `json:"relayed"`
	Transactions       uint64            `json:"transactions"`
	DiscoverUnanswered uint64            `json:"discover_unanswered"`
	RequestUnanswered  uint64            `json:"request_unanswered"`
}

// DHCP6Counts counts DHCPv6.
type DHCP6Counts struct {
	Messages          map[string]uint64 `json:"messages"`
	SolicitUnanswered uint64            `json:"solicit_unanswered"`
}

// TFTPCounts counts TFTP. Unanswered and completed count distinct requests
// (client address, client port, server, operation, file name).
type TFTPCounts struct {
	RRQ        uint64            `json:"rrq"`
	WRQ        uint64            `json:"wrq"`
	Unanswered uint64            `json:"unanswered"`
	Errors     map[string]uint64 `json:"errors"` // by error code
	Completed  uint64            `json:"completed"`
}

// RPCCounts counts ONC RPC by program:PROCEDURE. Unanswered are distinct by
// 4-tuple, transport, xid, program and procedure.
type RPCCounts struct {
	Calls      map[string]uint64 `json:"calls"`
	Unanswered map[string]uint64 `json:"unanswered"`
}

// QueryCounts counts DNS.
type QueryCounts struct {
	Queries    uint64 `json:"queries"`
	Unanswered uint64 `json:"unanswered"`
}

// RequestCounts counts NTP, unanswered per request packet.
type RequestCounts struct {
	Requests   uint64 `json:"requests"`
	Unanswered uint64 `json:"unanswered"`
}

// TCPCounts counts TCP by 4-tuple. A RST to a SYN is refused, not unanswered.
type TCPCounts struct {
	Connections   uint64 `json:"connections"`
	SYNUnanswered uint64 `json:"syn_unanswered"`
	Refused       uint64 `json:"refused"`
}
