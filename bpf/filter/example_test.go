package filter_test

import (
	"fmt"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
)

func ExampleCompile() {
	e, err := filter.Parse("arp or icmp")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := filter.Compile(e, filter.Ethernet)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(filter.Listing(p))
	// Output:
	// (000) ldh      [12]
	// (001) jeq      #0x806           jt 5	jf 2
	// (002) jeq      #0x800           jt 3	jf 6
	// (003) ldb      [23]
	// (004) jeq      #0x1             jt 5	jf 6
	// (005) ret      #262144
	// (006) ret      #0
}

func ExampleBuild() {
	f, err := filter.Build(&filter.Request{Names: []string{"dhcp", "tftp"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Text)
	for _, c := range f.Caveats {
		fmt.Println(c.ID)
	}
	// Output:
	// udp portrange 67-69
	// tftp-data
	// proxydhcp
	// vlan
}

func ExampleMatch() {
	e, err := filter.Parse("ether multicast")
	if err != nil {
		fmt.Println(err)
		return
	}
	match, err := filter.Match(e, capture.LinkEthernet)
	if err != nil {
		fmt.Println(err)
		return
	}
	lldp := []byte{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}
	fmt.Println(match(lldp, 60))
	// Output: true
}

func ExampleError() {
	_, err := filter.Parse("udp port tftp")
	fmt.Println(err)
	// Output: position 10: service names are not supported: "tftp" is a number only in some /etc/services
}
