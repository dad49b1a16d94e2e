package bucket_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

const manager = "999999999999"

// administrators are allowed everything; nobody else has a policy.
type administrators struct{ everything *policy.Document }

func (a administrators) PoliciesOf(_ context.Context, c *caller.Caller) (policy.Policies, error) {
	if !strings.HasSuffix(c.ARN, ":root") {
		return policy.Policies{}, nil
	}
	return policy.Policies{Identity: []policy.Named{{Name: "everything", Document: a.everything}}}, nil
}

type organization struct{}

func (organization) IsManagement(account string) bool { return account == manager }
func (organization) IsActive(account string) bool {
	return account == manager || account == red || account == blue
}

func as(ctx context.Context, account, who string) context.Context {
	kind := caller.Root
	if who != "root" {
		kind = caller.User
	}
	return caller.With(ctx, &caller.Caller{Type: kind, Account: account, ARN: "arn:aws:iam::" + account + ":" + who, UserID: account})
}

// house is a registry with its operations on backends.
type house struct {
	*bucket.BackendService
	db     *store.DB
	router *bucket.Router
	admin  context.Context
}

func newHouse(t *testing.T, db *store.DB, cfg bucket.Config) *house {
	t.Helper()
	cfg.DB, cfg.Storage, cfg.Principals, cfg.Region = db, objects, people{}, "eu-central-1"
	r, err := bucket.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`), policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return &house{
		BackendService: &bucket.BackendService{Registry: r, Accounts: organization{}, Authorizer: &authz.Authorizer{Policies: administrators{doc}, Revision: db.Revision}},
		db:             db, router: r.Router(objects), admin: as(t.Context(), manager, "root"),
	}
}

// make makes a backend of a peer.
func (h *house) make(t *testing.T, name string, p storagetest.Peer, template string, accounts ...string) {
	t.Helper()
	in := &lakegate.CreateBackendInput{Name: name, Endpoint: p.Endpoint, AccessKeyId: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, Accounts: accounts}
	if template != "" {
		in.NewBuckets = &template
	}
	if _, err := h.CreateBackend(h.admin, in); err != nil {
		t.Fatal(err)
	}
}

func (h *house) put(t *testing.T, bucket, key, text string) {
	t.Helper()
	if _, err := h.router.PutObject(t.Context(), &storage.PutObjectInput{Bucket: bucket, Key: key, Body: storagetest.Body(text)}); err != nil {
		t.Fatalf("put %s/%s: %v", bucket, key, err)
	}
}

func (h *house) read(t *testing.T, bucket, key string) string {
	t.Helper()
	o, err := h.router.GetObject(t.Context(), &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Bucket: bucket, Key: key}})
	if err != nil {
		return storagetest.Code(err)
	}
	defer func() { _ = o.Body.Close() }()
	text, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// there looks at a service past the gate.
func there(t *testing.T, p storagetest.Peer, place remote.Place) *remote.Mount {
	t.Helper()
	e, err := remote.Open(remote.Config{Name: "direct", Endpoint: p.Endpoint, AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.Mount("direct", place)
}

func TestBucketsOnBackends(t *testing.T) {
	peer := storagetest.VersityGW(t)
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		h := newHouse(t, db, bucket.Config{})
		one, two, shared := name(), name(), name()
		h.make(t, "whole", peer, "")
		if _, err := h.Registry.Create(ctx, bucket.CreateInput{Name: one, Account: red, Backend: "whole"}); err != nil {
			t.Fatal(err)
		}
		h.put(t, one, "k", "one")
		direct := there(t, peer, remote.Place{Bucket: one})
		if _, err := direct.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}}); err != nil {
			t.Errorf("the object is not at the service: %v", err)
		}
		// Prefixes of one bucket there.
		lake := there(t, peer, remote.Place{Bucket: shared})
		if err := lake.Create(ctx, false); err != nil {
			t.Fatal(err)
		}
		h.make(t, "parts", peer, shared+"/{bucket}/")
		if _, err := h.Registry.Create(ctx, bucket.CreateInput{Name: two, Account: red, Backend: "parts"}); err != nil {
			t.Fatal(err)
		}
		h.put(t, two, "k", "two")
		if got, err := lake.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: two + "/k"}}); err != nil || got.Size != 3 {
			t.Errorf("the object is not under its prefix: %+v, %v", got, err)
		}
		// Copies within a service, to the embedded storage and back.
		local := create(t, h.Registry, red)
		copied := func(to, toKey, from, fromKey string) {
			t.Helper()
			if _, err := h.router.CopyObject(ctx, &storage.CopyObjectInput{Bucket: to, Key: toKey, Source: storage.ObjectRef{Bucket: from, Key: fromKey}}); err != nil {
				t.Errorf("copy %s/%s to %s/%s: %v", from, fromKey, to, toKey, err)
			} else if got, want := h.read(t, to, toKey), h.read(t, from, fromKey); got != want {
				t.Errorf("copied %q, want %q", got, want)
			}
		}
		copied(local, "a", one, "k")
		copied(two, "a", local, "a")
		copied(one, "a", two, "k")
		copied(one, "b", one, "k")
		_, err := h.router.CopyObject(ctx, &storage.CopyObjectInput{Bucket: local, Key: "none", Source: storage.ObjectRef{Bucket: two, Key: "none"}})
		if storagetest.Code(err) != "NoSuchKey" {
			t.Errorf("copy of nothing: %v", err)
		}
		// All is there again after a restart, from the database alone.
		again := newHouse(t, db, bucket.Config{})
		if got := again.read(t, two, "k"); got != "two" {
			t.Errorf("after a restart: %q", got)
		}
		// A bucket with something in it is not deleted; an empty one is, and what is beside it there stays.
		h.put(t, one, "k", "x")
		wantCode(t, "delete what is not empty", h.Registry.Delete(ctx, one), "BucketNotEmpty")
		wantCode(t, "delete what is not empty", h.Registry.Delete(ctx, two), "BucketNotEmpty")
		for _, b := range []string{one, two} {
			for _, k := range []string{"k", "a", "b"} {
				if _, err := h.router.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: b, Key: k}}); err != nil {
					t.Fatal(err)
				}
			}
			wantCode(t, "delete", h.Registry.Delete(ctx, b), "")
		}
		if err := direct.Head(ctx); storagetest.Code(err) != "NoSuchBucket" {
			t.Errorf("the bucket is left at the service: %v", err)
		}
		if err := lake.Head(ctx); err != nil {
			t.Errorf("the shared bucket is gone: %v", err)
		}
	})
}

// Nobody gets at another's objects by giving a bucket a name, and no two buckets share a place.
func TestNobodyFindsAnothersObjects(t *testing.T) {
	peer := storagetest.VersityGW(t)
	db := storetest.New(t)
	ctx := t.Context()
	h := newHouse(t, db, bucket.Config{})
	theirs, shared := name(), name()
	for _, b := range []string{theirs, shared} {
		if err := there(t, peer, remote.Place{Bucket: b}).Create(ctx, false); err != nil {
			t.Fatal(err)
		}
	}
	secret := there(t, peer, remote.Place{Bucket: shared})
	if _, err := secret.PutObject(ctx, &storage.PutObjectInput{Key: "victim/secret", Body: storagetest.Body("secret")}); err != nil {
		t.Fatal(err)
	}
	h.make(t, "whole", peer, "")
	h.make(t, "parts", peer, shared+"/{bucket}/", blue)
	_, err := h.Registry.Create(ctx, bucket.CreateInput{Name: theirs, Account: red, Backend: "whole"})
	wantCode(t, "a bucket of a name that is there", err, "BucketAlreadyExists")
	_, err = h.Registry.Create(ctx, bucket.CreateInput{Name: "victim", Account: blue, Backend: "parts"})
	wantCode(t, "a bucket of a prefix that is there", err, "BucketAlreadyExists")
	_, err = h.Registry.Create(ctx, bucket.CreateInput{Name: name(), Account: red, Backend: "parts"})
	wantCode(t, "a backend that is for another account", err, "InvalidLocationConstraint")
	_, err = h.Registry.Create(ctx, bucket.CreateInput{Name: name(), Account: red, Backend: "nowhere"})
	wantCode(t, "a backend that is not there", err, "InvalidLocationConstraint")
	if _, ok := h.Registry.Lookup(theirs); ok {
		t.Error("a refused bucket is there")
	}
	attach := func(bucket, backend, remoteBucket, prefix string) string {
		in := &lakegate.AttachBucketInput{BucketName: bucket, BackendName: backend, RemoteBucket: remoteBucket}
		if prefix != "" {
			in.RemotePrefix = &prefix
		}
		_, err := h.AttachBucket(h.admin, in)
		return code(err)
	}
	first := name()
	for _, tt := range []struct{ bucket, backend, remote, prefix, want string }{
		{first, "whole", shared, "victim/", ""},
		{first, "whole", shared, "other/", "ConflictException"},
		{name(), "whole", shared, "victim/", "ConflictException"},
		{name(), "parts", shared, "victim/", "ConflictException"},
		{name(), "whole", shared, "victim/deeper/", "ConflictException"},
		{name(), "whole", shared, "", "ConflictException"},
		{name(), "whole", shared, "victims/", ""},
		{name(), "whole", shared, "../x/", "ValidationException"},
		{name(), "whole", shared, "no-slash", "ValidationException"},
		{name(), "whole", name(), "", "ValidationException"},
		{name(), "nowhere", shared, "", "ResourceNotFoundException"},
		{"v20180820", "whole", theirs, "", "ValidationException"},
	} {
		if got := attach(tt.bucket, tt.backend, tt.remote, tt.prefix); got != tt.want {
			t.Errorf("attach %s/%s of %s: %q, want %q", tt.remote, tt.prefix, tt.backend, got, tt.want)
		}
	}
	if got := h.read(t, first, "secret"); got != "secret" {
		t.Errorf("the attached bucket has %q", got)
	}
	b, _ := h.Registry.Lookup(first)
	if b.Account != manager || b.PublicAccessBlock == nil || !b.PublicAccessBlock.BlockPublicPolicy {
		t.Errorf("an attached bucket is %+v", b)
	}
	_, err = h.DetachBucket(h.admin, &lakegate.DetachBucketInput{BucketName: first})
	wantCode(t, "detach", err, "")
	if info, err := secret.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "victim/secret"}}); err != nil || info.Size != 6 {
		t.Errorf("detaching touched the objects: %v", err)
	}
	_, err = h.DetachBucket(h.admin, &lakegate.DetachBucketInput{BucketName: create(t, h.Registry, red)})
	wantCode(t, "detach what was not attached", err, "ConflictException")
}

func TestBackendOperations(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		h := newHouse(t, db, bucket.Config{})
		peer := storagetest.Peer{Endpoint: "http://127.0.0.1:1", AccessKeyID: "AKIDONE", SecretAccessKey: "topsecretone"}
		h.make(t, "one", peer, "")
		got, err := h.GetBackend(h.admin, &lakegate.GetBackendInput{Name: "one"})
		if err != nil || got.Backend.AccessKeyId != "AKIDONE" || got.Backend.Region != "us-east-1" || got.Backend.NewBuckets != "{bucket}" || got.Backend.Source != lakegate.BackendSourceAPI {
			t.Errorf("%+v, %v", got, err)
		}
		list, err := h.ListBackends(h.admin, &lakegate.ListBackendsInput{})
		if err != nil || len(list.Backends) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		if text := fmt.Sprintf("%+v %+v", got.Backend, list.Backends); strings.Contains(text, "topsecret") {
			t.Errorf("the secret is shown: %s", text)
		}
		// Rotation needs both halves, drops the old token, and leaves the rest alone.
		key, secret := "AKIDTWO", "topsecrettwo"
		_, err = h.UpdateBackend(h.admin, &lakegate.UpdateBackendInput{Name: "one", AccessKeyId: &key})
		wantCode(t, "half a rotation", err, "ValidationException")
		updated, err := h.UpdateBackend(h.admin, &lakegate.UpdateBackendInput{Name: "one", AccessKeyId: &key, SecretAccessKey: &secret})
		if err != nil || updated.Backend.AccessKeyId != key || updated.Backend.Endpoint != peer.Endpoint {
			t.Errorf("%+v, %v", updated, err)
		}
		for name, in := range map[string]*lakegate.CreateBackendInput{
			"endpoint with a path":     {Name: "x", Endpoint: "http://h/path", AccessKeyId: "a", SecretAccessKey: "b"},
			"endpoint with a password": {Name: "x", Endpoint: "http://u:p@h", AccessKeyId: "a", SecretAccessKey: "b"},
			"a template without name":  {Name: "x", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b", NewBuckets: new("lake/all/")},
			"a template that escapes":  {Name: "x", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b", NewBuckets: new("lake/../{bucket}/")},
			"a template without slash": {Name: "x", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b", NewBuckets: new("lake/{bucket}")},
			"TLS options for http":     {Name: "x", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b", InsecureSkipVerify: new(true)},
			"no certificate":           {Name: "x", Endpoint: "https://h", AccessKeyId: "a", SecretAccessKey: "b", CaCertificates: new("nonsense")},
			"half a pair":              {Name: "x", Endpoint: "https://h", AccessKeyId: "a", SecretAccessKey: "b", ClientKey: new("nonsense")},
			"an account that is none":  {Name: "x", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b", Accounts: []string{"1"}},
		} {
			_, err := h.CreateBackend(h.admin, in)
			wantCode(t, name, err, "ValidationException")
		}
		_, err = h.CreateBackend(h.admin, &lakegate.CreateBackendInput{Name: "one", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b"})
		wantCode(t, "twice", err, "ConflictException")
		// What is down is told in one sentence, and a bucket cannot be created there.
		tested, err := h.TestBackend(h.admin, &lakegate.TestBackendInput{Name: "one"})
		if err != nil || tested.Healthy || tested.Problem == nil || !strings.Contains(*tested.Problem, "nothing listens there") {
			t.Errorf("%+v, %v", tested, err)
		}
		_, err = h.Registry.Create(t.Context(), bucket.CreateInput{Name: name(), Account: red, Backend: "one"})
		wantCode(t, "on a backend that is down", err, "ServiceUnavailable")
		// Others than administrators of the management account have no part in it.
		for who, ctx := range map[string]context.Context{"another account": as(t.Context(), red, "root"), "no administrator": as(t.Context(), manager, "user/u")} {
			for op, call := range map[string]func() error{
				"CreateBackend": func() error {
					_, err := h.CreateBackend(ctx, &lakegate.CreateBackendInput{Name: "y", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b"})
					return err
				},
				"GetBackend":   func() error { _, err := h.GetBackend(ctx, &lakegate.GetBackendInput{Name: "one"}); return err },
				"ListBackends": func() error { _, err := h.ListBackends(ctx, &lakegate.ListBackendsInput{}); return err },
				"UpdateBackend": func() error {
					_, err := h.UpdateBackend(ctx, &lakegate.UpdateBackendInput{Name: "one", Endpoint: new("http://evil")})
					return err
				},
				"DeleteBackend": func() error { _, err := h.DeleteBackend(ctx, &lakegate.DeleteBackendInput{Name: "one"}); return err },
				"TestBackend":   func() error { _, err := h.TestBackend(ctx, &lakegate.TestBackendInput{Name: "one"}); return err },
				"AttachBucket": func() error {
					_, err := h.AttachBucket(ctx, &lakegate.AttachBucketInput{BucketName: name(), BackendName: "one", RemoteBucket: "abc"})
					return err
				},
				"DetachBucket": func() error {
					_, err := h.DetachBucket(ctx, &lakegate.DetachBucketInput{BucketName: "abc"})
					return err
				},
				"ListBucketPlaces": func() error { _, err := h.ListBucketPlaces(ctx, &lakegate.ListBucketPlacesInput{}); return err },
			} {
				if got := code(call()); !strings.HasPrefix(got, "AccessDenied") {
					t.Errorf("%s by %s: %q", op, who, got)
				}
			}
		}
		_, err = h.DeleteBackend(h.admin, &lakegate.DeleteBackendInput{Name: "one"})
		wantCode(t, "delete", err, "")
		_, err = h.DeleteBackend(h.admin, &lakegate.DeleteBackendInput{Name: "one"})
		wantCode(t, "delete again", err, "ResourceNotFoundException")
	})
}

// The database has the secret sealed, and for this backend alone.
func TestSecretsAreSealed(t *testing.T) {
	db := storetest.New(t)
	h := newHouse(t, db, bucket.Config{})
	peer := storagetest.Peer{Endpoint: "http://127.0.0.1:1", AccessKeyID: "AKIDONE", SecretAccessKey: "topsecretone"}
	h.make(t, "one", peer, "")
	h.make(t, "two", storagetest.Peer{Endpoint: "http://127.0.0.1:2", AccessKeyID: "AKIDTWO", SecretAccessKey: "topsecrettwo"}, "")
	var sealed []byte
	err := db.View(t.Context(), func(q store.Querier) (err error) {
		sealed, err = store.One(t.Context(), q, func(s store.Scanner) (b []byte, err error) { return b, s.Scan(&b) }, `SELECT secrets FROM backends WHERE name = ?`, "one")
		return err
	})
	if err != nil || bytes.Contains(sealed, []byte("topsecret")) {
		t.Errorf("sealed %q, %v", sealed, err)
	}
	// Who can write to the database cannot point one backend's secret at another's endpoint by name.
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.MustExec(t.Context(), `UPDATE backends SET secrets = ? WHERE name = ?`, sealed, "two")
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := bucket.Open(t.Context(), bucket.Config{DB: db, Storage: objects, Principals: people{}, Region: "eu-central-1"}); err == nil {
		r.Close()
		t.Error("a secret was opened for another backend")
	}
}

func TestBackendsOfTheFile(t *testing.T) {
	db := storetest.New(t)
	file := func() *bucket.Backend {
		return bucket.FileBackend("filed", bucket.Settings{Endpoint: "http://127.0.0.1:1", AccessKeyID: "AKID"}, bucket.Credentials{SecretAccessKey: "s3cr3t"})
	}
	h := newHouse(t, db, bucket.Config{Backends: []*bucket.Backend{file()}, DefaultBackend: "filed"})
	got, err := h.GetBackend(h.admin, &lakegate.GetBackendInput{Name: "filed"})
	if err != nil || got.Backend.Source != lakegate.BackendSourceFILE || got.Backend.Default == nil {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = h.DeleteBackend(h.admin, &lakegate.DeleteBackendInput{Name: "filed"})
	wantCode(t, "delete", err, "ConflictException")
	_, err = h.UpdateBackend(h.admin, &lakegate.UpdateBackendInput{Name: "filed", Region: new("x")})
	wantCode(t, "update", err, "ConflictException")
	_, err = h.CreateBackend(h.admin, &lakegate.CreateBackendInput{Name: "filed", Endpoint: "http://h", AccessKeyId: "a", SecretAccessKey: "b"})
	wantCode(t, "create", err, "ConflictException")
	_, err = h.Registry.Create(t.Context(), bucket.CreateInput{Name: name(), Account: red})
	wantCode(t, "a bucket goes to the default backend", err, "ServiceUnavailable")
	if r, err := bucket.Open(t.Context(), bucket.Config{DB: db, Storage: objects, Principals: people{}, Region: "x", DefaultBackend: "none"}); err == nil {
		r.Close()
		t.Error("a default backend that is not there was accepted")
	}
	if r, err := bucket.Open(t.Context(), bucket.Config{DB: db, Storage: objects, Principals: people{}, Region: "x", Backends: []*bucket.Backend{file(), file()}}); err == nil {
		r.Close()
		t.Error("a backend that is there twice was accepted")
	}
}

// A backend with buckets is kept, also against one that is being created.
func TestBackendsWithBucketsAreKept(t *testing.T) {
	peer := storagetest.VersityGW(t)
	h := newHouse(t, storetest.New(t), bucket.Config{})
	h.make(t, "whole", peer, "")
	n := name()
	if _, err := h.Registry.Create(t.Context(), bucket.CreateInput{Name: n, Account: red, Backend: "whole"}); err != nil {
		t.Fatal(err)
	}
	_, err := h.DeleteBackend(h.admin, &lakegate.DeleteBackendInput{Name: "whole"})
	wantCode(t, "delete", err, "ConflictException")
	// Credentials that are wrong are told, and so is a rotation to good ones.
	_, err = h.UpdateBackend(h.admin, &lakegate.UpdateBackendInput{Name: "whole", AccessKeyId: &peer.AccessKeyID, SecretAccessKey: new("wrongwrongwrong")})
	wantCode(t, "update", err, "")
	if got := h.read(t, n, "k"); got != "InternalError" {
		t.Errorf("with wrong credentials: %q", got)
	}
	tested, err := h.TestBackend(h.admin, &lakegate.TestBackendInput{Name: "whole", RemoteBucket: &n})
	if err != nil || tested.Problem == nil || !strings.Contains(*tested.Problem, "secret access key does not belong") {
		t.Errorf("%+v, %v", tested, err)
	}
	_, err = h.UpdateBackend(h.admin, &lakegate.UpdateBackendInput{Name: "whole", AccessKeyId: &peer.AccessKeyID, SecretAccessKey: &peer.SecretAccessKey})
	wantCode(t, "update", err, "")
	if got := h.read(t, n, "k"); got != "NoSuchKey" {
		t.Errorf("with good credentials: %q", got)
	}
	tested, err = h.TestBackend(h.admin, &lakegate.TestBackendInput{Name: "whole", RemoteBucket: &n})
	if err != nil || !tested.Healthy {
		t.Errorf("%+v, %v", tested, err)
	}
	missing := name()
	tested, err = h.TestBackend(h.admin, &lakegate.TestBackendInput{Name: "whole", RemoteBucket: &missing})
	if err != nil || tested.Problem == nil || !strings.Contains(*tested.Problem, "no bucket "+missing) {
		t.Errorf("%+v, %v", tested, err)
	}
	if list, err := h.router.ListObjectsV2(t.Context(), &storage.ListObjectsV2Input{Bucket: n, MaxKeys: 10}); err != nil || len(list.Objects) != 0 {
		t.Errorf("the test left %+v, %v", list, err)
	}
}
