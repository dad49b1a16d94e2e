package delivery_test

import (
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/delivery"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	account = "111111111111"
	other   = "222222222222"
	region  = "us-east-1"
	lake    = "audit-records"
)

// house is a database, an embedded storage with a bucket, and nodes with logs of their own.
type house struct {
	t       *testing.T
	clock   atomic.Int64
	db      *store.DB
	buckets *bucket.Registry
	objects *embedded
	nodes   []*node
}

// node is one process.
type node struct {
	*delivery.Service
	log *trail.Log
	dir string
}

// embedded is the storage, whose writes can fail before or after they are done.
type embedded struct {
	storage.Backend
	before, after error
	written       []string
}

func (e *embedded) PutObject(ctx context.Context, in *storage.PutObjectInput) (*storage.PutObjectOutput, error) {
	if e.before != nil {
		return nil, e.before
	}
	out, err := e.Backend.PutObject(ctx, in)
	e.written = append(e.written, in.Key)
	if e.after != nil {
		return nil, e.after
	}
	return out, err
}

// files are the keys of the files of records that were written, in their order.
func (e *embedded) files() []string {
	return slices.DeleteFunc(slices.Clone(e.written), func(key string) bool { return strings.Contains(key, "CloudTrail-Digest") })
}

func (h *house) now() time.Time { return time.UnixMilli(h.clock.Load()).UTC() }

func (h *house) pass(d time.Duration) { h.clock.Add(d.Milliseconds()) }

// administrators may do everything in their account, readers what begins with Get, List and Describe.
type administrators struct{}

func (administrators) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	actions := `"cloudtrail:*"`
	if strings.HasSuffix(c.ARN, "/reader") {
		actions = `"cloudtrail:Get*","cloudtrail:List*","cloudtrail:Describe*"`
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"}}`), policy.Identity)
	return policy.Policies{Identity: []policy.Named{{Name: "p", Document: doc}}}, err
}

// people are the users and roles that bucket policies may name: none.
type people struct{}

func (people) PrincipalID(string) (string, bool) { return "", false }

// onBothEngines runs a test in a fresh house on each engine.
func onBothEngines(t *testing.T, test func(t *testing.T, h *house)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, engine)) })
	}
}

func open(t *testing.T, engine string) *house {
	t.Helper()
	h := &house{t: t}
	h.clock.Store(time.Date(2026, 11, 2, 9, 58, 30, 0, time.UTC).UnixMilli())
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	if h.db, err = store.Open(t.Context(), store.Config{URL: storetest.URL(t, engine), Keys: keys, Now: h.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.db.Close() })
	backend, err := storage.OpenEmbedded(t.Context(), filepath.Join(t.TempDir(), "storage"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Close() })
	h.objects = &embedded{Backend: backend}
	if h.buckets, err = bucket.Open(t.Context(), bucket.Config{DB: h.db, Storage: backend, Principals: people{}, Region: region}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.buckets.Create(t.Context(), bucket.CreateInput{Name: lake, Account: account}); err != nil {
		t.Fatal(err)
	}
	h.allow("everything")
	h.join()
	return h
}

// join starts another node.
func (h *house) join() *node {
	h.t.Helper()
	dir := h.t.TempDir()
	log, _, err := trail.OpenLog(trail.LogConfig{Dir: dir, Now: h.now, Keep: time.Hour, SegmentSize: 4 << 10, Hold: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = log.Close() })
	a := &authz.Authorizer{Policies: administrators{}}
	n := &node{log: log, dir: dir, Service: &delivery.Service{Authorizer: a, Deliverer: &delivery.Deliverer{
		DB: h.db, Audit: log, Buckets: h.buckets, Objects: h.objects, Decider: a, Region: region, Management: account, Log: slog.New(slog.DiscardHandler),
	}}}
	h.nodes = append(h.nodes, n)
	return n
}

// allow gives the bucket the policy that AWS documents, for one trail.
func (h *house) allow(name string) {
	h.t.Helper()
	text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::%[1]s","Condition":{"StringEquals":{"aws:SourceArn":"%[2]s"}}},
		{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::%[1]s/AWSLogs/%[3]s/*",
		 "Condition":{"StringEquals":{"aws:SourceArn":"%[2]s","aws:SourceAccount":"%[3]s","s3:x-amz-acl":"bucket-owner-full-control"}}}]}`,
		lake, "arn:aws:cloudtrail:"+region+":"+account+":trail/"+name, account)
	if err := h.buckets.PutPolicy(h.t.Context(), lake, []byte(text)); err != nil {
		h.t.Fatal(err)
	}
}

// allowAll gives the bucket a policy for all trails and prefixes of the account.
func (h *house) allowAll() {
	h.t.Helper()
	text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":["s3:GetBucketAcl","s3:PutObject"],
		"Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/*"]}]}`, lake)
	if err := h.buckets.PutPolicy(h.t.Context(), lake, []byte(text)); err != nil {
		h.t.Fatal(err)
	}
}

func as(account, user string) context.Context {
	return caller.With(context.Background(), &caller.Caller{Type: caller.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/" + user, UserID: "AIDA" + user})
}

func admin() context.Context { return as(account, "admin") }

// trail makes a trail with digests that logs.
func (h *house) trail() {
	h.t.Helper()
	n := h.nodes[0]
	if _, err := n.CreateTrail(admin(), &cloudtrail.CreateTrailInput{Name: "everything", S3BucketName: lake, EnableLogFileValidation: new(true)}); err != nil {
		h.t.Fatal(err)
	}
	h.start()
}

func (h *house) start() {
	h.t.Helper()
	if _, err := h.nodes[0].StartLogging(admin(), &cloudtrail.StartLoggingInput{Name: "everything"}); err != nil {
		h.t.Fatal(err)
	}
	h.tend() // every node has noticed
}

// happen records management events of an account.
func (n *node) happen(h *house, account string, names ...string) {
	h.t.Helper()
	for _, name := range names {
		text := fmt.Sprintf(`{"eventTime":%q,"eventSource":"iam.amazonaws.com","eventName":%q,"managementEvent":true,"recipientAccountId":%q,"eventID":%q}`,
			h.now().Format("2006-01-02T15:04:05Z"), name, account, name)
		if err := n.log.Append(true, []byte(text)); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) tend() {
	h.t.Helper()
	for _, n := range h.nodes {
		if err := n.Tend(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// turn lets the time of a file pass, and delivers.
func (h *house) turn() {
	h.t.Helper()
	h.pass(5 * time.Minute)
	h.tend()
}

func (h *house) keys(kind string) (keys []string) {
	h.t.Helper()
	out, err := h.objects.ListObjectsV2(h.t.Context(), &storage.ListObjectsV2Input{Bucket: lake, Prefix: "AWSLogs/" + account + "/" + kind + "/", MaxKeys: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, o := range out.Objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func (h *house) read(key string) (text []byte, metadata map[string]string) {
	h.t.Helper()
	o, err := h.objects.GetObject(h.t.Context(), &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Bucket: lake, Key: key}})
	if err != nil {
		h.t.Fatal(err)
	}
	defer o.Body.Close() //nolint:errcheck // read to its end
	z, err := gzip.NewReader(o.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if text, err = io.ReadAll(z); err != nil {
		h.t.Fatal(err)
	}
	return text, o.Headers.Metadata
}

// delivered are the names of the events in all files, in no order.
func (h *house) delivered() map[string]int {
	h.t.Helper()
	names := map[string]int{}
	for _, key := range h.keys("CloudTrail") {
		text, _ := h.read(key)
		var file struct {
			Records []struct {
				EventName string `json:"eventName"`
			}
		}
		if err := json.Unmarshal(text, &file); err != nil {
			h.t.Fatal(err)
		}
		for _, r := range file.Records {
			names[r.EventName]++
		}
	}
	return names
}

type digest struct {
	DigestStartTime, DigestEndTime, DigestS3Bucket, DigestS3Object, DigestPublicKeyFingerprint string
	PreviousDigestS3Object, PreviousDigestHashValue, PreviousDigestSignature                   *string
	LogFiles                                                                                   []struct{ S3Object, HashValue string }
}

// digests verifies all digests as a reader does, each by itself, and gives them in order.
func (h *house) digests() []digest { h.t.Helper(); return h.digestsSince(1000 * time.Hour) }

func (h *house) digestsSince(age time.Duration) (all []digest) {
	h.t.Helper()
	keys, err := h.nodes[0].ListPublicKeys(admin(), &cloudtrail.ListPublicKeysInput{StartTime: new(h.now().Add(-age))})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, key := range h.keys("CloudTrail-Digest") {
		text, metadata := h.read(key)
		var d digest
		if err := json.Unmarshal(text, &d); err != nil {
			h.t.Fatal(err)
		}
		previous := "null"
		if d.PreviousDigestSignature != nil {
			previous = *d.PreviousDigestSignature
		}
		signed := sha256.Sum256(fmt.Appendf(nil, "%s\n%s/%s\n%x\n%s", d.DigestEndTime, lake, key, sha256.Sum256(text), previous))
		signature, err := hex.DecodeString(metadata["signature"])
		if err != nil {
			h.t.Fatal(err)
		}
		valid := false
		for _, k := range keys.PublicKeyList {
			public, err := x509.ParsePKCS1PublicKey(k.Value)
			if err != nil {
				h.t.Fatal(err)
			}
			valid = valid || *k.Fingerprint == d.DigestPublicKeyFingerprint && rsa.VerifyPKCS1v15(public, crypto.SHA256, signed[:], signature) == nil
		}
		if !valid || d.DigestS3Object != key || d.DigestS3Bucket != lake || metadata["signature-algorithm"] != "SHA256withRSA" {
			h.t.Errorf("digest %s is not what it says", key)
		}
		for _, f := range d.LogFiles {
			content, _ := h.read(f.S3Object)
			if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != f.HashValue {
				h.t.Errorf("digest %s has another hash of %s", key, f.S3Object)
			}
		}
		if n := len(all); n > 0 && d.PreviousDigestS3Object != nil {
			before, _ := h.read(*d.PreviousDigestS3Object)
			if sum := sha256.Sum256(before); *d.PreviousDigestS3Object != all[n-1].DigestS3Object || *d.PreviousDigestHashValue != hex.EncodeToString(sum[:]) || d.DigestStartTime != all[n-1].DigestEndTime {
				h.t.Errorf("digest %s does not follow the one before", key)
			}
		}
		all = append(all, d)
	}
	return all
}

func (h *house) failure() string {
	h.t.Helper()
	out, err := h.nodes[0].GetTrailStatus(admin(), &cloudtrail.GetTrailStatusInput{Name: "everything"})
	if err != nil {
		h.t.Fatal(err)
	}
	if out.LatestDeliveryError == nil {
		return ""
	}
	return *out.LatestDeliveryError
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}
