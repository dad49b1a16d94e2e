package remote_test

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

var serial atomic.Int64

// open makes an endpoint of a peer.
func open(t *testing.T, p storagetest.Peer, change func(*remote.Config)) *remote.Endpoint {
	t.Helper()
	cfg := remote.Config{Name: "peer", Endpoint: p.Endpoint, AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}
	if change != nil {
		change(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	e, err := remote.Open(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// subject runs the contract on a peer: each bucket is a bucket there, or with a prefix a part of one.
func subject(e *remote.Endpoint, prefix string, lacks ...storagetest.Lack) storagetest.Subject {
	return storagetest.Subject{Lacks: lacks, New: func(t *testing.T, w storagetest.Want) (storagetest.Keeper, string) {
		name := fmt.Sprintf("bucket-%d", serial.Add(1))
		m := e.Mount(name, remote.Place{Bucket: name})
		if err := m.Create(t.Context(), w.Locks); err != nil {
			t.Fatal(err)
		}
		if w.Versions && !w.Locks {
			if err := m.PutBucketVersioning(t.Context(), storage.Enabled); err != nil {
				t.Fatal(err)
			}
		}
		if prefix == "" {
			return m, name
		}
		// What lies beside the prefix must never be seen.
		for _, key := range []string{"aaa", "zzz", "other/secret"} {
			if _, err := m.PutObject(t.Context(), &storage.PutObjectInput{Key: key, Body: storagetest.Body("beside")}); err != nil {
				t.Fatal(err)
			}
		}
		return e.Mount(name, remote.Place{Bucket: name, Prefix: prefix}), name
	}}
}

func TestContractVersityGW(t *testing.T) {
	p := storagetest.VersityGW(t)
	// Version 1.8.0 answers the page after a version of a key with the same page, and knows no marker of an upload once the
	// key of the next one is another.
	lacks := []storagetest.Lack{storagetest.VersionPages, storagetest.UploadPages, storagetest.CopyDates}
	t.Run("bucket", func(t *testing.T) { storagetest.Run(t, subject(open(t, p, nil), "", lacks...)) })
	t.Run("prefix", func(t *testing.T) {
		storagetest.Run(t, subject(open(t, p, nil), "teams/red/", append(lacks, storagetest.Locks)...))
	})
	t.Run("verified here", func(t *testing.T) {
		storagetest.Run(t, subject(open(t, p, func(c *remote.Config) { c.VerifyHere = true }), "", lacks...))
	})
}

func TestContractRclone(t *testing.T) {
	p := storagetest.Rclone(t)
	lacks := []storagetest.Lack{
		storagetest.Versions, storagetest.Locks, storagetest.Tags, storagetest.Checksums, storagetest.Conditions, storagetest.PartReads, storagetest.PartTags,
		storagetest.CopyConditions, storagetest.Directives, storagetest.CopyRanges, storagetest.PartChecks, storagetest.UploadLists, storagetest.Paging, storagetest.LongSuffixes,
	}
	here := func(c *remote.Config) { c.VerifyHere, c.NoTrailers = true, true }
	t.Run("bucket", func(t *testing.T) { storagetest.Run(t, subject(open(t, p, here), "", lacks...)) })
	t.Run("prefix", func(t *testing.T) { storagetest.Run(t, subject(open(t, p, here), "teams/red/", lacks...)) })
}

// TestContractOfAService runs the contract against a service of one's own, whose buckets bucket-1 and so on it fills:
// LAKEGATE_TEST_S3_ENDPOINT, LAKEGATE_TEST_S3_ACCESS_KEY_ID and LAKEGATE_TEST_S3_SECRET_ACCESS_KEY say which.
func TestContractOfAService(t *testing.T) {
	p := storagetest.Peer{Endpoint: os.Getenv("LAKEGATE_TEST_S3_ENDPOINT"), AccessKeyID: os.Getenv("LAKEGATE_TEST_S3_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("LAKEGATE_TEST_S3_SECRET_ACCESS_KEY")}
	if p.Endpoint == "" {
		t.Skip("LAKEGATE_TEST_S3_ENDPOINT names no service")
	}
	t.Run("bucket", func(t *testing.T) { storagetest.Run(t, subject(open(t, p, nil), "")) })
	t.Run("prefix", func(t *testing.T) { storagetest.Run(t, subject(open(t, p, nil), "teams/red/", storagetest.Locks)) })
}
