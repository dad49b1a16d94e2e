package server

import (
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lakegate/lakegate/internal/sink"
	"github.com/lakegate/lakegate/internal/store"
)

// openSinks prepares the sinks of the audit log.
func (r *rooms) openSinks(cfg *Config, db *store.DB) (*sink.Sinks, error) {
	return sink.Open(cfg.Audit.Sinks, sink.Env{
		Audit: r.trail.Log(), Refer: cfg.refer, Region: cfg.Region, AuditDir: filepath.Join(cfg.Dir, "audit"), Now: db.Now, Log: r.log,
	})
}

// sinks tells at /metrics what receivers of sinks did not take for good. The rest is told of followers.
type sinks struct {
	all                                  *sink.Sinks
	rejected, aside, unselected, damaged *prometheus.Desc
}

func (m *meter) watchSinks(s *sink.Sinks) {
	m.registry.MustRegister(&sinks{
		all:        s,
		rejected:   prometheus.NewDesc("lakegate_audit_sink_rejected_total", "Records that the receiver of a sink has rejected for good since the start.", []string{"sink"}, nil),
		aside:      prometheus.NewDesc("lakegate_audit_sink_set_aside_total", "Records that were set aside since the start, because they are too large for the receiver of a sink.", []string{"sink"}, nil),
		unselected: prometheus.NewDesc("lakegate_audit_sink_unselected_total", "Records that a sink does not want and that were passed over since the start.", []string{"sink"}, nil),
		damaged:    prometheus.NewDesc("lakegate_audit_sink_damaged_total", "Places of the audit log that somebody has altered and of which a sink was told since the start.", []string{"sink"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (s *sinks) Describe(to chan<- *prometheus.Desc) {
	to <- s.rejected
	to <- s.aside
	to <- s.unselected
	to <- s.damaged
}

// Collect implements prometheus.Collector.
func (s *sinks) Collect(to chan<- prometheus.Metric) {
	for _, c := range s.all.Counts() {
		to <- prometheus.MustNewConstMetric(s.rejected, prometheus.CounterValue, float64(c.Rejected), c.Sink)
		to <- prometheus.MustNewConstMetric(s.aside, prometheus.CounterValue, float64(c.SetAside), c.Sink)
		to <- prometheus.MustNewConstMetric(s.unselected, prometheus.CounterValue, float64(c.Unselected), c.Sink)
		to <- prometheus.MustNewConstMetric(s.damaged, prometheus.CounterValue, float64(c.Damaged), c.Sink)
	}
}
