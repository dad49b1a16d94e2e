package bucket

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
)

// Backend is storage elsewhere: an S3 service, what this server has there, and where a new bucket goes.
type Backend struct {
	Name     string
	Settings Settings
	secrets  secrets
	// FromFile says that it stands in the configuration file and is changed there.
	FromFile bool
	// Created and Updated are zero for one of the file.
	Created, Updated time.Time
}

// Settings are what is no secret of a backend.
type Settings struct {
	Endpoint           string `json:"endpoint"`
	Region             string `json:"region,omitempty"`
	VirtualHost        bool   `json:"virtual_host,omitempty"`
	CACertificates     string `json:"ca_certificates,omitempty"`
	ClientCertificate  string `json:"client_certificate,omitempty"`
	InsecureSkipVerify bool   `json:"insecure_skip_verify,omitempty"`
	VerifyHere         bool   `json:"verify_here,omitempty"`
	NoTrailers         bool   `json:"no_trailers,omitempty"`
	MaxConnections     int    `json:"max_connections,omitempty"`
	AccessKeyID        string `json:"access_key_id"`
	STSEndpoint        string `json:"sts_endpoint,omitempty"`
	// NewBuckets says where a bucket goes that is created here: the name of a bucket there, or a bucket and a prefix in it,
	// with {bucket} for the name here. "{bucket}" is the default; "lake/{bucket}/" makes each one a prefix of one bucket.
	NewBuckets string `json:"new_buckets,omitempty"`
	// Accounts may create buckets on it; none means every account.
	Accounts []string `json:"accounts,omitempty"`
}

// secrets of a backend, which nothing prints.
type secrets struct {
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token,omitempty"`
	ClientKey       string `json:"client_key,omitempty"`
}

func (secrets) String() string   { return "secrets of a backend" }
func (secrets) GoString() string { return "secrets of a backend" }

// LogValue hides them.
func (secrets) LogValue() slog.Value { return slog.StringValue("secrets of a backend") }

// Credentials are the secrets of a backend on their way in.
type Credentials struct {
	SecretAccessKey, SessionToken, ClientKey string
}

// FileBackend is a backend of the configuration file.
func FileBackend(name string, s Settings, c Credentials) *Backend {
	return &Backend{Name: name, Settings: s, secrets: secrets(c), FromFile: true}
}

const bucketMark = "{bucket}"

// check refuses a backend that cannot work. Its errors are for the administrator.
func (b *Backend) check() error {
	if b.Settings.NewBuckets == "" {
		b.Settings.NewBuckets = bucketMark
	}
	if !strings.Contains(b.Settings.NewBuckets, bucketMark) {
		return fmt.Errorf("new buckets %q: want %s in it, or all buckets would be in one place", b.Settings.NewBuckets, bucketMark)
	}
	for _, sample := range []string{"abc", "a-b.c"} {
		if at, err := b.placeOf(sample); err != nil || at.Bucket == sample && at.Prefix != "" {
			return fmt.Errorf("new buckets %q: want the name of a bucket, or bucket/prefix/ with a slash at the end, with %s for the name here", b.Settings.NewBuckets, bucketMark)
		}
	}
	for _, a := range b.Settings.Accounts {
		if !arn.IsAccountID(a) {
			return fmt.Errorf("account %q: want twelve digits", a)
		}
	}
	cfg := b.config()
	if err := cfg.Complete(); err != nil {
		return err
	}
	b.Settings.Region, b.Settings.MaxConnections = cfg.Region, cfg.MaxConnections
	return nil
}

// placeOf is where a bucket goes that is created here.
func (b *Backend) placeOf(name string) (remote.Place, error) {
	text := strings.ReplaceAll(b.Settings.NewBuckets, bucketMark, name)
	var at remote.Place
	at.Bucket, at.Prefix, _ = strings.Cut(text, "/")
	if strings.Contains(text, "/") && at.Prefix == "" {
		return at, errors.New("there is no prefix")
	}
	return at, at.Check()
}

func (b *Backend) config() remote.Config {
	s := &b.Settings
	return remote.Config{
		Name: b.Name, Endpoint: s.Endpoint, Region: s.Region, VirtualHost: s.VirtualHost,
		AccessKeyID: s.AccessKeyID, SecretAccessKey: b.secrets.SecretAccessKey, SessionToken: b.secrets.SessionToken, STSEndpoint: s.STSEndpoint,
		CACertificates: s.CACertificates, ClientCertificate: s.ClientCertificate, ClientKey: b.secrets.ClientKey, InsecureSkipVerify: s.InsecureSkipVerify,
		VerifyHere: s.VerifyHere, NoTrailers: s.NoTrailers, MaxConnections: s.MaxConnections,
	}
}

// admits says whether an account may create buckets on the backend.
func (b *Backend) admits(account string) bool {
	if len(b.Settings.Accounts) == 0 {
		return true
	}
	for _, a := range b.Settings.Accounts {
		if a == account {
			return true
		}
	}
	return false
}

// place of the secrets in the store of secrets.
func (b *Backend) place() string { return "backend/" + b.Name }

func (b *Backend) encode() (settings string, opened []byte, err error) {
	text, err := json.Marshal(b.Settings)
	if err != nil {
		return "", nil, err
	}
	opened, err = json.Marshal(b.secrets)
	return string(text), opened, err
}

// unavailable answers for a bucket whose backend cannot be used.
func unavailable(backend, why string) error {
	return &storage.Error{Code: "ServiceUnavailable", Status: 503, Message: "Service is unable to handle request.", Err: fmt.Errorf("backend %s: %s", backend, why)}
}
