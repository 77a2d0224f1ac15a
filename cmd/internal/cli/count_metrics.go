package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pxescope/pxescope/bpf/counter"
)

// A countCollector reads the kernel's counters when Prometheus asks. Labels
// are names of services and interfaces, never an address: their number is
// bounded by the catalog.
type countCollector struct {
	read func() (*counter.Totals, error)
}

var (
	serviceLabels  = []string{"service", "phase", "direction", "iface"}
	packetsDesc    = prometheus.NewDesc("pxescope_packets_total", "Packets counted in the kernel, by service.", serviceLabels, nil)
	bytesDesc      = prometheus.NewDesc("pxescope_bytes_total", "Bytes of whole frames without FCS, by service.", serviceLabels, nil)
	filteredDesc   = prometheus.NewDesc("pxescope_filtered_packets_total", "Packets that --filter left out.", []string{"direction", "iface"}, nil)
	learntDesc     = prometheus.NewDesc("pxescope_learnt_ports", "Ports learnt from portmap's replies.", nil, nil)
	counterDesc    = prometheus.NewDesc("pxescope_counter_info", "Where the counter sits.", []string{"hook"}, nil)
	countMetricSet = []*prometheus.Desc{packetsDesc, bytesDesc, filteredDesc, learntDesc, counterDesc}
)

// Describe names the metrics.
func (countCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range countMetricSet {
		to <- d
	}
}

// Collect reads the counters.
func (c countCollector) Collect(to chan<- prometheus.Metric) {
	t, err := c.read()
	if err != nil {
		to <- prometheus.NewInvalidMetric(packetsDesc, err)
		return
	}
	put := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	service := func(id, phase, iface string, x counter.Count) {
		put(packetsDesc, x.InPackets, id, phase, "in", iface)
		put(bytesDesc, x.InBytes, id, phase, "in", iface)
		if t.Egress {
			put(packetsDesc, x.OutPackets, id, phase, "out", iface)
			put(bytesDesc, x.OutBytes, id, phase, "out", iface)
		}
	}
	for _, i := range t.Interfaces {
		for _, s := range i.Services {
			service(s.ID, s.Phase, i.Name, s.Count)
		}
		service(string(counter.Other), "", i.Name, i.Other)
		service(string(counter.Fragments), "", i.Name, i.Fragments)
		service(string(counter.Undecodable), "", i.Name, i.Undecodable)
		if t.Filter != "" {
			put(filteredDesc, i.Filtered.InPackets, "in", i.Name)
			if t.Egress {
				put(filteredDesc, i.Filtered.OutPackets, "out", i.Name)
			}
		}
	}
	to <- prometheus.MustNewConstMetric(learntDesc, prometheus.GaugeValue, float64(len(t.Learnt)))
	to <- prometheus.MustNewConstMetric(counterDesc, prometheus.GaugeValue, 1, string(t.Hook))
}

// serveMetrics serves the counters until end is called, and says where on w.
func serveMetrics(addr string, c *counter.Counter, w io.Writer) (end func(), err error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, usage("--metrics %q: not an address and a port, as 127.0.0.1:9469", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &statusError{status: ExitUnreadable, err: fmt.Errorf("serve metrics: %w", err),
			hint: "--metrics wants a free address of this host and a port, as 127.0.0.1:9469"}
	}
	server := &http.Server{Handler: metricsHandler(c.Read), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(w, "pxescope: serve metrics: %v\n", err)
		}
	}()
	fmt.Fprintf(w, "pxescope: metrics at http://%s/metrics\n", listener.Addr())
	return func() {
		server.Close() // ends every connection; what it could say helps nobody
		<-done
	}, nil
}

func metricsHandler(read func() (*counter.Totals, error)) http.Handler {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(countCollector{read})
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	return mux
}
