// Package arp follows the address resolution of IPv4 (RFC 826) and address
// conflicts (RFC 5227).
package arp
