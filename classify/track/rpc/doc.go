// Package rpc follows ONC RPC (RFC 5531) over UDP and TCP: portmap and rpcbind
// (RFC 1833), MOUNT and NFS (RFC 1813, 7530, 8881), NLM and NSM. It pairs calls
// with replies, learns ports from portmap, and tells why a network root cannot
// be mounted.
//
// Frames come by port (111, 2049, 20048, learnt ones) and by content: a call to
// a program of the NFS family is one on any port, so that a capture that began
// after GETPORT still shows MOUNT on its dynamic port.
//
// The one invariant: only the heads of messages are read. Of a record that is
// spread over TCP segments at most headLen bytes are kept, whatever its length.
package rpc
