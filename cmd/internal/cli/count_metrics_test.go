package cli

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/pxescope/pxescope/bpf/counter"
)

func countedTotals() (*counter.Totals, error) {
	n := func(in, out uint64) counter.Count {
		return counter.Count{Packets: in + out, Bytes: 100 * (in + out), InPackets: in, OutPackets: out, InBytes: 100 * in, OutBytes: 100 * out}
	}
	return &counter.Totals{
		Hook: counter.TCX, Egress: true, Filter: "udp", Learnt: []counter.LearntPort{{Proto: "udp", Port: 40123, Service: "rpc-mount", Server: "10.0.0.2"}},
		Interfaces: []counter.InterfaceCount{
			{Name: "eth1", Services: []counter.ServiceCount{{ID: "dhcp", Phase: "provisioning", Count: n(3, 2)}}, Other: n(7, 0), Filtered: n(5, 6)},
			{Name: "eth2", Fragments: n(1, 0), Undecodable: n(0, 4)},
		},
	}, nil
}

// What is served is what was counted, under names that promtool accepts.
func TestCountMetrics(t *testing.T) {
	_, body := get(t, metricsHandler(countedTotals), "/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var got []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "pxescope_packets_total") || strings.HasPrefix(line, "pxescope_filtered") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		`pxescope_filtered_packets_total{direction="in",iface="eth1"} 5`,
		`pxescope_filtered_packets_total{direction="in",iface="eth2"} 0`,
		`pxescope_filtered_packets_total{direction="out",iface="eth1"} 6`,
		`pxescope_filtered_packets_total{direction="out",iface="eth2"} 0`,
		`pxescope_packets_total{direction="in",iface="eth1",phase="",service="fragments"} 0`,
		`pxescope_packets_total{direction="in",iface="eth1",phase="",service="other"} 7`,
		`pxescope_packets_total{direction="in",iface="eth1",phase="",service="undecodable"} 0`,
		`pxescope_packets_total{direction="in",iface="eth1",phase="provisioning",service="dhcp"} 3`,
		`pxescope_packets_total{direction="in",iface="eth2",phase="",service="fragments"} 1`,
		`pxescope_packets_total{direction="in",iface="eth2",phase="",service="other"} 0`,
		`pxescope_packets_total{direction="in",iface="eth2",phase="",service="undecodable"} 0`,
		`pxescope_packets_total{direction="out",iface="eth1",phase="",service="fragments"} 0`,
		`pxescope_packets_total{direction="out",iface="eth1",phase="",service="other"} 0`,
		`pxescope_packets_total{direction="out",iface="eth1",phase="",service="undecodable"} 0`,
		`pxescope_packets_total{direction="out",iface="eth1",phase="provisioning",service="dhcp"} 2`,
		`pxescope_packets_total{direction="out",iface="eth2",phase="",service="fragments"} 0`,
		`pxescope_packets_total{direction="out",iface="eth2",phase="",service="other"} 0`,
		`pxescope_packets_total{direction="out",iface="eth2",phase="",service="undecodable"} 4`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics differ, -want +got:\n%s", d)
	}
}

// get asks the handler for a page.
func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	r, err := http.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// No label is an address, whatever is counted; other paths are not there, and
// counters that cannot be read are an error and no zeros.
func TestCountMetricsPage(t *testing.T) {
	status, body := get(t, metricsHandler(countedTotals), "/metrics")
	if status != http.StatusOK || !strings.Contains(body, `pxescope_bytes_total{direction="in",iface="eth1",phase="provisioning",service="dhcp"} 300`) {
		t.Errorf("got %d and\n%s", status, body)
	}
	if !strings.Contains(body, "pxescope_learnt_ports 1") || !strings.Contains(body, `pxescope_counter_info{hook="tcx"} 1`) {
		t.Errorf("got no learnt ports or hook in\n%s", body)
	}
	if address := regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|[0-9a-f]{2}:[0-9a-f]{2}:`).FindString(body); address != "" {
		t.Errorf("got the address %s in\n%s", address, body)
	}
	if status, _ := get(t, metricsHandler(countedTotals), "/"); status != http.StatusNotFound {
		t.Errorf("got %d for /, want 404", status)
	}
	broken := func() (*counter.Totals, error) { return nil, errors.New("no such map") }
	if status, body := get(t, metricsHandler(broken), "/metrics"); status != http.StatusInternalServerError || !strings.Contains(body, "no such map") {
		t.Errorf("got %d and %q for counters that cannot be read, want 500 and why", status, body)
	}
	// A hook that does not see what is sent says nothing of it.
	received := func() (*counter.Totals, error) {
		x, err := countedTotals()
		x.Egress = false
		return x, err
	}
	if _, body := get(t, metricsHandler(received), "/metrics"); strings.Contains(body, `direction="out"`) {
		t.Errorf("got sent packets of XDP in\n%s", body)
	}
}
