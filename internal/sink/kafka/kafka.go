// Package kafka brings audit records to a topic of Kafka, or of whatever speaks its protocol.
//
// All records of a node have the node's id as their key, so that they are in one partition and in order. The producer is
// idempotent and asks for the acknowledgement of all replicas in sync. Each record's eventID is in the header eventID.
package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/lakegate/lakegate/internal/trail"
)

// Config says where the records go.
type Config struct {
	// Brokers to begin with, host:port, and the Topic, which has to be there.
	Brokers []string `yaml:"brokers"`
	Topic   string   `yaml:"topic"`
	// Plaintext speaks without TLS, which brokers on loopback alone are trusted with.
	Plaintext bool `yaml:"plaintext"`
	// CAFile holds the certificates (PEM) that the brokers' must be signed by; empty takes those of the system.
	CAFile string `yaml:"ca_file"`
	// ClientCertificateFile and ClientKeyFile (PEM) are shown to the brokers.
	ClientCertificateFile string `yaml:"client_certificate_file"`
	ClientKeyFile         string `yaml:"client_key_file"`
	// SASL is "plain", "scram-sha-256" or "scram-sha-512"; empty is none. Password is a reference: file:PATH or env:NAME.
	SASL     string `yaml:"sasl"`
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	// Compression is "none" (default), "gzip", "lz4", "snappy" or "zstd".
	Compression string `yaml:"compression"`
	// TimeoutSeconds bounds a delivery; default 30.
	TimeoutSeconds int `yaml:"timeout_seconds"`
	// MaxRecordBytes is the largest record that the brokers take; default 1 MiB, as theirs (max.message.bytes).
	MaxRecordBytes int `yaml:"max_record_bytes"`
}

var (
	topicName    = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	compressions = map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "lz4": kgo.Lz4Compression(), "snappy": kgo.SnappyCompression(), "zstd": kgo.ZstdCompression(),
	}
	mechanisms = map[string]func(user, password string) sasl.Mechanism{
		"plain":         func(u, p string) sasl.Mechanism { return plain.Auth{User: u, Pass: p}.AsMechanism() },
		"scram-sha-256": func(u, p string) sasl.Mechanism { return scram.Auth{User: u, Pass: p}.AsSha256Mechanism() },
		"scram-sha-512": func(u, p string) sasl.Mechanism { return scram.Auth{User: u, Pass: p}.AsSha512Mechanism() },
	}
)

// Check says what is wrong with the settings, or nil.
func (c *Config) Check() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka.brokers: want one at least, host:port")
	}
	for _, b := range c.Brokers {
		host, port, err := net.SplitHostPort(b)
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("kafka.brokers: %q: want host:port", b)
		}
		if c.Plaintext && host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return fmt.Errorf("kafka.plaintext: %s is not on loopback", b)
		}
	}
	if !topicName.MatchString(c.Topic) || c.Topic == "." || c.Topic == ".." {
		return fmt.Errorf("kafka.topic %q: want up to 249 of a-z, A-Z, 0-9, '.', '_' and '-'", c.Topic)
	}
	if _, ok := compressions[c.Compression]; !ok {
		return fmt.Errorf("kafka.compression %q: want none, gzip, lz4, snappy or zstd", c.Compression)
	}
	if _, ok := mechanisms[c.SASL]; !ok && c.SASL != "" {
		return fmt.Errorf("kafka.sasl %q: want plain, scram-sha-256 or scram-sha-512", c.SASL)
	}
	if (c.SASL == "") != (c.User == "") || (c.SASL == "") != (c.Password == "") {
		return errors.New("kafka.sasl, kafka.user and kafka.password go together")
	}
	if (c.ClientCertificateFile == "") != (c.ClientKeyFile == "") {
		return errors.New("kafka.client_certificate_file and kafka.client_key_file go together")
	}
	if c.Plaintext && (c.CAFile != "" || c.ClientCertificateFile != "") {
		return errors.New("kafka.plaintext: there are certificates for TLS")
	}
	if c.TimeoutSeconds < 0 || c.TimeoutSeconds > 600 {
		return fmt.Errorf("kafka.timeout_seconds %d: want 1 to 600", c.TimeoutSeconds)
	}
	if c.MaxRecordBytes < 0 || c.MaxRecordBytes > 100<<20 {
		return fmt.Errorf("kafka.max_record_bytes %d: want up to %d", c.MaxRecordBytes, 100<<20)
	}
	return nil
}

// ErrTooLarge says that the brokers do not take a delivery, or the client does not offer it to them, for the size of a
// record.
var ErrTooLarge = errors.New("a record is larger than the brokers take")

// Sink produces records.
type Sink struct {
	options []kgo.Opt
	client  *kgo.Client // nil after a delivery that did not end in its time
	key     []byte
	wait    time.Duration
}

// New prepares a sink; it connects with the first delivery. node is the id of the log.
func New(c *Config, node string, refer func(string) (string, error)) (*Sink, error) {
	s := &Sink{key: []byte(node), wait: 30 * time.Second}
	if c.TimeoutSeconds > 0 {
		s.wait = time.Duration(c.TimeoutSeconds) * time.Second
	}
	largest := int32(1 << 20)
	if c.MaxRecordBytes > 0 {
		largest = int32(c.MaxRecordBytes) //nolint:gosec // Check bounds it
	}
	s.options = []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.DefaultProduceTopic(c.Topic), kgo.ClientID("lakegate"), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(compressions[c.Compression]), kgo.ProducerBatchMaxBytes(largest), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProduceRequestTimeout(s.wait),
		// What may have been taken when the time was over comes again.
		kgo.AllowIdempotentProduceCancellation(),
	}
	if !c.Plaintext {
		trust, err := trusted(c)
		if err != nil {
			return nil, err
		}
		s.options = append(s.options, kgo.DialTLSConfig(trust))
	}
	if c.SASL != "" {
		password, err := refer(c.Password)
		if err != nil {
			return nil, fmt.Errorf("kafka.password: %w", err)
		}
		s.options = append(s.options, kgo.SASL(mechanisms[c.SASL](c.User, password)))
	}
	return s, s.connect()
}

func (s *Sink) connect() (err error) {
	if s.client, err = kgo.NewClient(s.options...); err != nil {
		s.client = nil
		return fmt.Errorf("kafka: %w", err)
	}
	return nil
}

func trusted(c *Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("kafka.ca_file: %s has no certificate", c.CAFile)
		}
	}
	if c.ClientCertificateFile != "" {
		pair, err := tls.LoadX509KeyPair(c.ClientCertificateFile, c.ClientKeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.client_certificate_file: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// Deliver produces the records and waits until each is acknowledged by all replicas in sync. After an error some may have
// been.
func (s *Sink) Deliver(ctx context.Context, lines []trail.Line) error {
	if s.client == nil {
		if err := s.connect(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	settled := make(chan error, len(lines))
	for _, l := range lines {
		// The client may hold a record for longer than this call.
		r := &kgo.Record{Key: s.key, Value: bytes.Clone(l.Record), Headers: []kgo.RecordHeader{{Key: "eventID", Value: eventID(l.Record)}}}
		s.client.Produce(ctx, r, func(_ *kgo.Record, err error) { settled <- err })
	}
	var failed error
	for range lines {
		select {
		case err := <-settled:
			// Of several, that is told which does not go away by itself.
			if failed == nil || errors.Is(err, kerr.MessageTooLarge) {
				failed = err
			}
		case <-ctx.Done():
			// The client gives up in its own time, and might send in between what is delivered again.
			why := s.reason(ctx)
			if err := s.Close(); err != nil {
				return err
			}
			return fmt.Errorf("produce to Kafka: no acknowledgement: %w", why)
		}
	}
	if errors.Is(failed, kerr.MessageTooLarge) || errors.Is(failed, kerr.RecordListTooLarge) {
		return fmt.Errorf("produce to Kafka: %w", ErrTooLarge)
	}
	if failed != nil {
		return fmt.Errorf("produce to Kafka: %w", failed)
	}
	return nil
}

// reason asks why there is no answer: the client tries again whatever it is, and tells nobody.
func (s *Sink) reason(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.client.Ping(ask); err != nil {
		return err
	}
	return ctx.Err()
}

// Close ends the connections.
func (s *Sink) Close() error {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	return nil
}

func eventID(record []byte) []byte {
	var r struct {
		EventID string `json:"eventID"`
	}
	_ = json.Unmarshal(record, &r) // one that cannot be read has no id
	return []byte(r.EventID)
}
