package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lakegate/lakegate/internal/ldap"
)

// meter is what the server tells of itself at /metrics.
type meter struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  prometheus.Counter
}

func newMeter() *meter {
	m := &meter{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lakegate_requests_total", Help: "Requests answered on the API door."}, []string{"service", "operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lakegate_request_seconds", Help: "Time to answer a request on the API door.", Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12)}, []string{"service"}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "lakegate_requests_refused_total", Help: "Requests refused because too many were being served."}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.refused, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *meter) served(service, operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(service, operation, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(service).Observe(took.Seconds())
}

// follow reports a number that another room counts.
func (m *meter) follow(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
}

// show reports a number that goes up and down.
func (m *meter) show(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// followLDAP reports how the LDAP source fares.
func (m *meter) followLDAP(s *ldap.Source) {
	m.show("lakegate_ldap_last_success_timestamp_seconds", "When the last synchronisation with LDAP succeeded, in seconds since 1970; 0 for never.", func() float64 {
		if at := s.Succeeded(); !at.IsZero() {
			return float64(at.Unix())
		}
		return 0
	})
	m.show("lakegate_ldap_problems", "Entries that the last synchronisation with LDAP could not take in whole.", func() float64 { return float64(s.Problems()) })
	m.follow("lakegate_ldap_failures_total", "Synchronisations with LDAP that failed or were refused.", func() float64 { return float64(s.Failures()) })
}

func (m *meter) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
