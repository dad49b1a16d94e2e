package server

import (
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/bucket"
)

// Backend is storage elsewhere in the configuration file: an S3 service. See docs/backends.md.
type Backend struct {
	Name string `yaml:"name"`
	// Endpoint is http(s)://host[:port]; Region is what its requests are signed for, default us-east-1.
	Endpoint string `yaml:"endpoint"`
	Region   string `yaml:"region"`
	// VirtualHost puts buckets before the host name instead of into the path.
	VirtualHost bool `yaml:"virtual_host"`
	// AccessKeyID is the key that this server has there. SecretAccessKey and SessionToken are references: file:PATH or
	// env:NAME.
	AccessKeyID     string `yaml:"access_key_id"`
	SecretAccessKey string `yaml:"secret_access_key"`
	SessionToken    string `yaml:"session_token"`
	// STSEndpoint is where the service's own STS is, for locations that vend its credentials (lakegate:Vending=direct).
	STSEndpoint string `yaml:"sts_endpoint"`
	// CAFile holds the certificates (PEM) that the service's must be signed by; empty takes those of the system.
	CAFile string `yaml:"ca_file"`
	// ClientCertificateFile and ClientKeyFile (PEM) are shown to the service.
	ClientCertificateFile string `yaml:"client_certificate_file"`
	ClientKeyFile         string `yaml:"client_key_file"`
	// InsecureSkipVerify takes any certificate.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
	// Checksums are verified by the "backend" (default) or by the "gate"; NoTrailers sends none after the content.
	Checksums  string `yaml:"checksums"`
	NoTrailers bool   `yaml:"no_trailers"`
	// MaxConnections at once; default 256.
	MaxConnections int `yaml:"max_connections"`
	// NewBuckets is where a bucket goes that is created on it; default "{bucket}".
	NewBuckets string `yaml:"new_buckets"`
	// Accounts may create buckets on it; none means every account.
	Accounts []string `yaml:"accounts"`
}

// maxSecretFile bounds what is read of a file with a secret or certificates.
const maxSecretFile = 256 << 10

// backends reads the backends of the configuration with what they refer to.
func (c *Config) backends() ([]*bucket.Backend, error) {
	var all []*bucket.Backend
	for _, b := range c.Backends {
		s := bucket.Settings{
			Endpoint: b.Endpoint, Region: b.Region, VirtualHost: b.VirtualHost, InsecureSkipVerify: b.InsecureSkipVerify, NoTrailers: b.NoTrailers,
			MaxConnections: b.MaxConnections, AccessKeyID: b.AccessKeyID, NewBuckets: b.NewBuckets, Accounts: b.Accounts, STSEndpoint: b.STSEndpoint,
		}
		switch b.Checksums {
		case "", "backend":
		case "gate":
			s.VerifyHere = true
		default:
			return nil, fmt.Errorf("backend %s: checksums %q: want backend or gate", b.Name, b.Checksums)
		}
		var secret bucket.Credentials
		for _, x := range []struct {
			name, ref string
			to        *string
		}{
			{"secret_access_key", b.SecretAccessKey, &secret.SecretAccessKey}, {"session_token", b.SessionToken, &secret.SessionToken},
			{"ca_file", file(b.CAFile), &s.CACertificates}, {"client_certificate_file", file(b.ClientCertificateFile), &s.ClientCertificate},
			{"client_key_file", file(b.ClientKeyFile), &secret.ClientKey},
		} {
			if x.ref == "" {
				continue
			}
			text, err := c.refer(x.ref)
			if err != nil {
				return nil, fmt.Errorf("backend %s: %s: %w", b.Name, x.name, err)
			}
			*x.to = text
		}
		all = append(all, bucket.FileBackend(b.Name, s, secret))
	}
	return all, nil
}

func file(path string) string {
	if path == "" {
		return ""
	}
	return "file:" + path
}

// refer reads what a reference refers to: file:PATH or env:NAME. The value itself is refused, as it would be a secret in
// the configuration.
func (c *Config) refer(ref string) (string, error) {
	scheme, name, _ := strings.Cut(ref, ":")
	var text string
	switch scheme {
	case "env":
		if c.getenv != nil {
			text = c.getenv(name)
		}
	case "file":
		raw, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if len(raw) > maxSecretFile {
			return "", fmt.Errorf("%s is larger than %d bytes", name, maxSecretFile)
		}
		text = strings.TrimRight(string(raw), "\r\n")
	default:
		return "", fmt.Errorf("want file:PATH or env:NAME")
	}
	if text == "" {
		return "", fmt.Errorf("%s is empty", ref)
	}
	return text, nil
}

// knownAccounts is what the operations on backends ask of accounts.
type knownAccounts struct{ *account.Registry }

// IsActive implements bucket.Accounts.
func (k knownAccounts) IsActive(id string) bool {
	a, ok := k.Account(id)
	return ok && a.Status == account.Active
}

// backendStates reports how each backend is doing; which there are, changes.
type backendStates struct {
	buckets *bucket.Registry
	up      *prometheus.Desc
}

func (m *meter) followBackends(b *bucket.Registry) {
	m.registry.MustRegister(&backendStates{b, prometheus.NewDesc("lakegate_backend_up", "1 while a backend answers, 0 while requests to it are refused because it does not.", []string{"backend"}, nil)})
}

// Describe implements prometheus.Collector.
func (s *backendStates) Describe(to chan<- *prometheus.Desc) { to <- s.up }

// Collect implements prometheus.Collector.
func (s *backendStates) Collect(to chan<- prometheus.Metric) {
	for name, h := range s.buckets.Health() {
		up := 0.0
		if h.Up {
			up = 1
		}
		to <- prometheus.MustNewConstMetric(s.up, prometheus.GaugeValue, up, name)
	}
}
