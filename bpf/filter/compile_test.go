package filter

import (
	"fmt"
	"testing"

	"github.com/pxescope/pxescope/classify/catalog"
)

// everyService is a request for the whole catalog.
func everyService() *Request {
	r := &Request{}
	for _, s := range catalog.Default().Services() {
		r.Names = append(r.Names, s.ID)
	}
	return r
}

// Compiling, once the expression is there: the whole catalog in one filter, with
// all that --complete adds, and each service by itself, one after the other.
func BenchmarkCompile(b *testing.B) {
	whole := everyService()
	complete := *whole
	complete.Complete, complete.VLAN = true, VLANNone
	tags := complete
	tags.VLAN = VLANAny
	for _, c := range []struct {
		name string
		r    *Request
	}{{"catalog", whole}, {"catalog, complete", &complete}, {"catalog, complete, any VLAN", &tags},
		{"provisioning, complete", &Request{Phase: catalog.Provisioning, Complete: true}}} {
		e := must(Build(c.r)).Expr
		n := 0
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				n = len(must(Compile(e, Ethernet)))
			}
			b.ReportMetric(float64(n), "instructions")
		})
	}
	var each []*Expr
	for _, s := range catalog.Default().Services() {
		if f, err := Build(&Request{Names: []string{s.ID}, Complete: true, VLAN: VLANNone}); err == nil {
			each = append(each, f.Expr)
		}
	}
	b.Run(fmt.Sprintf("%d services, each complete", len(each)), func(b *testing.B) {
		for b.Loop() {
			for _, e := range each {
				must(Compile(e, Ethernet))
			}
		}
	})
}
