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

// sinks tells at /metrics what the receivers of sinks have refused for good. The rest is told of followers.
type sinks struct {
	all      *sink.Sinks
	rejected *prometheus.Desc
}

func (m *meter) watchSinks(s *sink.Sinks) {
	m.registry.MustRegister(&sinks{s, prometheus.NewDesc("lakegate_audit_sink_rejected_total", "Records that the receiver of a sink has rejected for good since the start.", []string{"sink"}, nil)})
}

// Describe implements prometheus.Collector.
func (s *sinks) Describe(to chan<- *prometheus.Desc) { to <- s.rejected }

// Collect implements prometheus.Collector.
func (s *sinks) Collect(to chan<- prometheus.Metric) {
	for name, n := range s.all.Rejected() {
		to <- prometheus.MustNewConstMetric(s.rejected, prometheus.CounterValue, float64(n), name)
	}
}
