package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lakegate/lakegate/internal/trail"
)

// followers tells at /metrics how far those have come that the audit log is brought to.
type followers struct {
	log                                                    *trail.Log
	behind, waiting, delivered, failures, missing, failing *prometheus.Desc
}

func (m *meter) watchFollowers(l *trail.Log) {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("lakegate_audit_follower_"+name, help, []string{"follower"}, nil)
	}
	m.registry.MustRegister(&followers{
		log:       l,
		behind:    desc("behind_bytes", "Bytes of the audit log that a sink or a trail has not had yet."),
		waiting:   desc("waiting_seconds", "For how long there have been records that a sink or a trail has not had yet."),
		delivered: desc("delivered_total", "Records that a sink or a trail has taken since the start."),
		failures:  desc("failures_total", "Attempts to deliver that failed since the start."),
		missing:   desc("missing_total", "Records at most that a sink or a trail came too late for, since the start."),
		failing:   desc("failing", "1 while a sink or a trail does not take what is brought to it."),
	})
}

// Describe implements prometheus.Collector.
func (f *followers) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.behind, f.waiting, f.delivered, f.failures, f.missing, f.failing} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (f *followers) Collect(to chan<- prometheus.Metric) {
	for _, s := range f.log.Followers() {
		to <- prometheus.MustNewConstMetric(f.behind, prometheus.GaugeValue, float64(s.Behind), s.Name)
		waiting := 0.0
		if !s.Waiting.IsZero() {
			waiting = max(0, time.Since(s.Waiting).Seconds())
		}
		to <- prometheus.MustNewConstMetric(f.waiting, prometheus.GaugeValue, waiting, s.Name)
		to <- prometheus.MustNewConstMetric(f.delivered, prometheus.CounterValue, float64(s.Delivered), s.Name)
		to <- prometheus.MustNewConstMetric(f.failures, prometheus.CounterValue, float64(s.Failures), s.Name)
		to <- prometheus.MustNewConstMetric(f.missing, prometheus.CounterValue, float64(s.Missing), s.Name)
		to <- prometheus.MustNewConstMetric(f.failing, prometheus.GaugeValue, oneIf(!s.Failing.IsZero()), s.Name)
	}
}
