package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Config says how to reach an S3 service. Its String and LogValue leave the secrets out.
type Config struct {
	// Name is what the service is called here.
	Name string
	// Endpoint is http(s)://host[:port], without a path.
	Endpoint string
	// Region is what requests are signed for; default "us-east-1".
	Region string
	// VirtualHost puts the bucket before the host name. Without it the bucket begins the path.
	VirtualHost bool

	AccessKeyID, SecretAccessKey, SessionToken string
	// STSEndpoint is where the service's own STS is, in the form of Endpoint; empty is none.
	STSEndpoint string

	// CACertificates are those (PEM) that the service's certificate must be signed by; empty takes those of the system.
	CACertificates string
	// ClientCertificate and ClientKey (PEM) are shown to a service that asks for them.
	ClientCertificate, ClientKey string
	// InsecureSkipVerify takes any certificate. Whoever is between then reads and changes everything.
	InsecureSkipVerify bool

	// VerifyHere computes the checksum of every upload that has one here and compares, for services that take checksums and
	// do not look at them.
	VerifyHere bool
	// NoTrailers sends no checksums after the content (STREAMING-UNSIGNED-PAYLOAD-TRAILER), which some services do not
	// understand. Those that come so are verified here.
	NoTrailers bool

	// MaxConnections bounds the connections at once, and so the requests; default 256.
	MaxConnections int
	// ConnectTimeout bounds connecting and the TLS handshake; default 5 s. AnswerTimeout is how long the service may take to
	// begin an answer, default 60 s, and StallTimeout how long it may take or give no byte of a content, default 60 s.
	ConnectTimeout, AnswerTimeout, StallTimeout time.Duration
	// HealthInterval is the time between two looks at the service; default 15 s.
	HealthInterval time.Duration
}

// String names the service without its secrets.
func (c Config) String() string { return fmt.Sprintf("backend %s at %s", c.Name, c.Endpoint) }

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

var (
	namePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	regionPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
)

// Complete fills in defaults and checks the values. Its errors name the field and say what to change.
func (c *Config) Complete() error {
	orElse(&c.Region, "us-east-1")
	orElse(&c.MaxConnections, 256)
	orElse(&c.ConnectTimeout, 5*time.Second)
	orElse(&c.AnswerTimeout, 60*time.Second)
	orElse(&c.StallTimeout, 60*time.Second)
	orElse(&c.HealthInterval, 15*time.Second)
	if !namePattern.MatchString(c.Name) {
		return fmt.Errorf("name %q: want 1 to 63 lower-case letters, digits and hyphens", c.Name)
	}
	if !regionPattern.MatchString(c.Region) {
		return fmt.Errorf("region %q: want a name such as us-east-1", c.Region)
	}
	if _, err := c.url(); err != nil {
		return err
	}
	if c.STSEndpoint != "" {
		sts := Config{Endpoint: c.STSEndpoint}
		if _, err := sts.url(); err != nil {
			return fmt.Errorf("STS %w", err)
		}
	}
	for name, v := range map[string]string{"access key id": c.AccessKeyID, "secret access key": c.SecretAccessKey} {
		if v == "" || len(v) > 1024 || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("%s: want 1 to 1024 characters without spaces", name)
		}
	}
	if strings.ContainsAny(c.AccessKeyID, "/,") {
		return errors.New("access key id: want no slash and no comma")
	}
	if strings.ContainsFunc(c.SessionToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("session token: want characters without spaces")
	}
	if c.MaxConnections < 1 || c.MaxConnections > 65536 {
		return fmt.Errorf("max connections %d: want 1 to 65536", c.MaxConnections)
	}
	for name, d := range map[string]time.Duration{"connect timeout": c.ConnectTimeout, "answer timeout": c.AnswerTimeout, "stall timeout": c.StallTimeout, "health interval": c.HealthInterval} {
		if d < 0 || d > time.Hour {
			return fmt.Errorf("%s %v: want up to an hour", name, d)
		}
	}
	_, err := c.tls()
	return err
}

func (c *Config) url() (*url.URL, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("endpoint %q: want http(s)://host[:port] without a path", c.Endpoint)
	}
	if c.VirtualHost && net.ParseIP(u.Hostname()) != nil {
		return nil, fmt.Errorf("endpoint %q: virtual-host addressing needs a host name", c.Endpoint)
	}
	return u, nil
}

// tls is the configuration of connections, or nil for a service without TLS.
func (c *Config) tls() (*tls.Config, error) {
	u, err := c.url()
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" {
		if c.CACertificates != "" || c.ClientCertificate != "" || c.ClientKey != "" || c.InsecureSkipVerify {
			return nil, errors.New("certificates are of no use to an endpoint that begins with http://")
		}
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.InsecureSkipVerify} //nolint:gosec // only where the operator says so
	if c.CACertificates != "" {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM([]byte(c.CACertificates)) {
			return nil, errors.New("CA certificates: want certificates in PEM")
		}
	}
	if c.ClientCertificate != "" || c.ClientKey != "" {
		pair, err := tls.X509KeyPair([]byte(c.ClientCertificate), []byte(c.ClientKey))
		if err != nil {
			return nil, errors.New("client certificate and key: want a pair that belongs together, in PEM") // the cause could quote the key
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}
