package kafka

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/lakegate/lakegate/internal/trail"
)

const topic = "audit"

// cluster is brokers in this process that speak Kafka's protocol, with a topic of several partitions.
func cluster(t *testing.T, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(5, topic)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, c *Config, password string) *Sink {
	t.Helper()
	c.Topic, c.Plaintext = topic, c.CAFile == ""
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := New(c, "4f0e9a510d5d3c1f", func(ref string) (string, error) {
		if ref != "env:PASSWORD" {
			return "", errors.New("no such reference")
		}
		return password, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func lines(from, to int) (all []trail.Line) {
	for n := from; n <= to; n++ {
		all = append(all, trail.Line{Record: fmt.Appendf(nil, `{"eventVersion":"1.11","eventID":"%d"}`, n)})
	}
	return all
}

// consume reads n records of the topic.
func consume(t *testing.T, brokers []string, n int) (all []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for len(all) < n {
		fetched := client.PollFetches(t.Context())
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		all = append(all, fetched.Records()...)
	}
	return all
}

// TestTopicKeepsTheOrder: all records of a node are in one partition, in order, with their ids.
func TestTopicKeepsTheOrder(t *testing.T) {
	for _, compression := range []string{"", "zstd"} {
		c := cluster(t)
		s := open(t, &Config{Brokers: c.ListenAddrs(), Compression: compression}, "")
		for n := 1; n <= 91; n += 10 {
			if err := s.Deliver(t.Context(), lines(n, n+9)); err != nil {
				t.Fatal(err)
			}
		}
		got := consume(t, c.ListenAddrs(), 100)
		for i, r := range got {
			id := fmt.Sprint(i + 1)
			if r.Partition != got[0].Partition || string(r.Key) != "4f0e9a510d5d3c1f" || string(r.Value) != `{"eventVersion":"1.11","eventID":"`+id+`"}` ||
				!slices.EqualFunc(r.Headers, []string{"eventID=" + id}, func(h kgo.RecordHeader, want string) bool { return h.Key+"="+string(h.Value) == want }) {
				t.Fatalf("record %d: %+v", i, r)
			}
		}
	}
}

// TestDeliveryFails says so, and what was not taken is taken when it comes again.
func TestDeliveryFails(t *testing.T) {
	c := cluster(t)
	s := open(t, &Config{Brokers: c.ListenAddrs(), TimeoutSeconds: 1}, "")
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		return refuse(r.(*kmsg.ProduceRequest)), nil, true
	})
	if err := s.Deliver(t.Context(), lines(1, 3)); err == nil || !strings.Contains(err.Error(), "TOPIC_AUTHORIZATION_FAILED") {
		t.Fatalf("refused records were delivered: %v", err)
	}
	if err := s.Deliver(t.Context(), lines(1, 3)); err != nil {
		t.Fatal(err)
	}
	if got := consume(t, c.ListenAddrs(), 3); string(got[0].Headers[0].Value) != "1" || string(got[2].Headers[0].Value) != "3" {
		t.Errorf("got %v", got)
	}
}

// refuse answers that the producer may not write into the topic.
func refuse(r *kmsg.ProduceRequest) kmsg.Response {
	answer := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, of := range r.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = of.Topic, of.TopicID
		for _, p := range of.Partitions {
			refused := kmsg.NewProduceResponseTopicPartition()
			refused.Partition, refused.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
			t.Partitions = append(t.Partitions, refused)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer
}

// TestBrokersAreAway: a delivery ends with an error in its time, or when the server stops.
func TestBrokersAreAway(t *testing.T) {
	c := cluster(t)
	s := open(t, &Config{Brokers: c.ListenAddrs(), TimeoutSeconds: 1}, "")
	if err := s.Deliver(t.Context(), lines(1, 1)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := s.Deliver(t.Context(), lines(2, 2)); err == nil {
		t.Error("it was delivered to nobody")
	}
	// One that could take an hour ends with its context.
	s.wait = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Deliver(ctx, lines(2, 2)); err == nil {
		t.Error("it was delivered to nobody")
	}
}

// TestSignIn with a password, by each mechanism; another password is refused.
func TestSignIn(t *testing.T) {
	for name, mechanism := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "lakegate", "right"))
			brokers := c.ListenAddrs()
			good := open(t, &Config{Brokers: brokers, SASL: name, User: "lakegate", Password: "env:PASSWORD", TimeoutSeconds: 5}, "right")
			if err := good.Deliver(t.Context(), lines(1, 1)); err != nil {
				t.Error(err)
			}
			bad := open(t, &Config{Brokers: brokers, SASL: name, User: "lakegate", Password: "env:PASSWORD", TimeoutSeconds: 1}, "wrong-password")
			if err := bad.Deliver(t.Context(), lines(2, 2)); err == nil || strings.Contains(err.Error(), "wrong-password") {
				t.Errorf("with another password: %v", err)
			}
		})
	}
}

// TestTooLarge: a record that the brokers do not take is an error, not a loss.
func TestTooLarge(t *testing.T) {
	c := cluster(t)
	s := open(t, &Config{Brokers: c.ListenAddrs(), MaxRecordBytes: 1000}, "")
	large := []trail.Line{{Record: []byte(strings.Repeat("x", 2000))}}
	if err := s.Deliver(t.Context(), large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestTLS: brokers that nobody vouches for get nothing.
func TestTLS(t *testing.T) {
	vouched := httptest.NewTLSServer(nil)
	t.Cleanup(vouched.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: vouched.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cluster(t, kfake.TLS(&tls.Config{Certificates: vouched.TLS.Certificates, MinVersion: tls.VersionTLS12}))
	s := open(t, &Config{Brokers: c.ListenAddrs(), CAFile: ca}, "")
	if err := s.Deliver(t.Context(), lines(1, 1)); err != nil {
		t.Error(err)
	}
	other, err := New(&Config{Brokers: c.ListenAddrs(), Topic: topic, TimeoutSeconds: 1}, "n", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	if err := other.Deliver(t.Context(), lines(2, 2)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the certificate: %v", err)
	}
}
