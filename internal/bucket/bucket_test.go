package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	red  = "111111111111"
	blue = "222222222222"
)

var (
	objects *storage.Embedded
	serial  atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bucket")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if objects, err = storage.OpenEmbedded(context.Background(), dir, nil); err != nil {
		panic(err)
	}
	defer func() { _ = objects.Close() }()
	return m.Run()
}

// name is a name that no other test has, as all of them share one storage.
func name() string { return fmt.Sprintf("bucket-%d", serial.Add(1)) }

// people are the users and roles that exist: ARN → id.
type people map[string]string

func (p people) PrincipalID(arn string) (string, bool) { id, ok := p[arn]; return id, ok }

func open(t testing.TB, db *store.DB, s bucket.Storage, p bucket.Principals) *bucket.Registry {
	t.Helper()
	r, err := bucket.Open(t.Context(), bucket.Config{DB: db, Storage: s, Principals: p, Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func create(t testing.TB, r *bucket.Registry, account string) string {
	t.Helper()
	n := name()
	if _, err := r.Create(t.Context(), bucket.CreateInput{Name: n, Account: account}); err != nil {
		t.Fatal(err)
	}
	return n
}

func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return "unmodelled: " + err.Error()
}

func wantCode(t testing.TB, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: %q, want %q (%v)", what, got, want, err)
	}
}

func TestCreateAndDelete(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		r := open(t, db, objects, people{})
		n := name()
		before := db.Revision()
		b, err := r.Create(ctx, bucket.CreateInput{Name: n, Account: red, Tags: map[string]string{"team": "red"}})
		if err != nil {
			t.Fatal(err)
		}
		all := bucket.PublicAccessBlock{BlockPublicACLs: true, IgnorePublicACLs: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}
		if b.Name != n || b.Account != red || b.Region != "eu-central-1" || b.Created.IsZero() || b.Policy != nil || *b.PublicAccessBlock != all || b.Tags["team"] != "red" {
			t.Errorf("bucket = %+v", b)
		}
		if db.Revision() != before+1 {
			t.Errorf("creating a bucket is %d changes, want one", db.Revision()-before)
		}
		if err := objects.HeadBucket(ctx, n); err != nil {
			t.Errorf("the storage has no such bucket: %v", err)
		}
		if account, region, ok := r.Owner(n); account != red || region != "eu-central-1" || !ok {
			t.Errorf("Owner = %s, %s, %v", account, region, ok)
		}
		// Another process sees the same.
		again, err := open(t, db, objects, people{}).Get(n)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, again, cmp.AllowUnexported(bucket.Bucket{})); diff != "" {
			t.Errorf("after opening again (-before +after):\n%s", diff)
		}
		_, err = r.Create(ctx, bucket.CreateInput{Name: n, Account: red})
		wantCode(t, "again", err, "BucketAlreadyOwnedByYou")
		_, err = r.Create(ctx, bucket.CreateInput{Name: n, Account: blue})
		wantCode(t, "by another account", err, "BucketAlreadyExists")
		if _, err := objects.PutObject(ctx, &storage.PutObjectInput{Bucket: n, Key: "k"}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "delete with an object", r.Delete(ctx, n), "BucketNotEmpty")
		if _, err := r.Get(n); err != nil {
			t.Errorf("a refused deletion took the bucket away: %v", err)
		}
		if _, err := objects.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: n, Key: "k"}}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "delete", r.Delete(ctx, n), "")
		_, err = r.Get(n)
		wantCode(t, "get after delete", err, "NoSuchBucket")
		wantCode(t, "delete again", r.Delete(ctx, n), "NoSuchBucket")
		wantCode(t, "policy after delete", r.PutPolicy(ctx, n, nil), "NoSuchBucket")
		wantCode(t, "tags after delete", r.PutTags(ctx, n, nil), "NoSuchBucket")
		// The name is free, and its new owner gets nothing of the old.
		if b, err = r.Create(ctx, bucket.CreateInput{Name: n, Account: blue}); err != nil || b.Account != blue || len(b.Tags) != 0 {
			t.Errorf("created anew: %+v, %v", b, err)
		}
	})
}

func TestCreateAgainInTheLegacyRegion(t *testing.T) {
	r, err := bucket.Open(t.Context(), bucket.Config{DB: storetest.New(t), Storage: objects, Principals: people{}, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	n := create(t, r, red)
	b, err := r.Create(t.Context(), bucket.CreateInput{Name: n, Account: red})
	if err != nil || b.Name != n {
		t.Errorf("create again = %+v, %v", b, err)
	}
	_, err = r.Create(t.Context(), bucket.CreateInput{Name: n, Account: blue})
	wantCode(t, "by another account", err, "BucketAlreadyExists")
}

// TestForeignFolder: the storage has a folder of the name that no record knows.
func TestForeignFolder(t *testing.T) {
	ctx, db := t.Context(), storetest.New(t)
	r := open(t, db, objects, people{})
	n := name()
	if err := objects.CreateBucket(ctx, storage.CreateBucketInput{Bucket: n}); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.PutObject(ctx, &storage.PutObjectInput{Bucket: n, Key: "k"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := r.Create(ctx, bucket.CreateInput{Name: n, Account: red})
		wantCode(t, "create", err, "BucketAlreadyExists")
		_, err = r.Get(n)
		wantCode(t, "get", err, "NoSuchBucket")
	}
	if _, err := objects.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: storage.ObjectRef{Bucket: n, Key: "k"}}); err != nil {
		t.Errorf("the foreign object is gone: %v", err)
	}
}

func TestNames(t *testing.T) {
	for n, ok := range map[string]bool{
		"abc": true, "a-b.c-1": true, strings.Repeat("a", 63): true, "11111111111": true, "192.168.5.4.x": true,
		"": false, "ab": false, strings.Repeat("a", 64): false, "Abc": false, "a_b": false, "-ab": false, "ab-": false, ".ab": false, "ab.": false, "a..b": false,
		"192.168.5.4": false, "192.168.5.400": false, "xn--abc": false, "sthree-abc": false, "amzn-s3-demo-abc": false, "abc-s3alias": false, "abc--ol-s3": false,
		"abc.mrap": false, "abc--x-s3": false, "abc--table-s3": false, "v20180820": false, "token": false, "client": false, "device_authorization": false,
		"federation": false, "assignment": false, "logout": false, "authorize": false, "111111111111": false, "a/b": false, "../abc": false, "a\x00bc": false,
	} {
		if got := bucket.CheckName(n) == nil; got != ok {
			t.Errorf("CheckName(%q) accepted = %v, want %v", n, got, ok)
		}
		if !ok {
			wantCode(t, n, bucket.CheckName(n), "InvalidBucketName")
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("abc")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, n string) {
		if bucket.CheckName(n) == nil && storage.CheckBucketName(n) != nil {
			t.Errorf("%q is allowed here and not in the storage", n)
		}
	})
}

func TestList(t *testing.T) {
	db := storetest.New(t)
	r := open(t, db, objects, people{})
	stem := name()
	for _, n := range []string{"c", "a", "b-2", "b-1", "d"} {
		if _, err := r.Create(t.Context(), bucket.CreateInput{Name: stem + n, Account: red}); err != nil {
			t.Fatal(err)
		}
	}
	create(t, r, blue)
	if err := r.Delete(t.Context(), stem+"c"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		account, prefix, after string
		limit                  int
		want                   string
	}{
		{red, "", "", 100, "a b-1 b-2 d"},
		{red, "", "", 2, "a b-1 …"},
		{red, "", stem + "b-1", 2, "b-2 d"},
		{red, stem + "b", "", 1, "b-1 …"},
		{red, stem + "b", stem + "b-1", 1, "b-2"},
		{red, stem + "x", "", 1, ""},
		{red, "", "", 0, ""},
		{"333333333333", "", "", 100, ""},
	}
	for _, tt := range tests {
		page, more := r.List(tt.account, tt.prefix, tt.after, tt.limit)
		var got []string
		for _, b := range page {
			got = append(got, strings.TrimPrefix(b.Name, stem))
		}
		if more {
			got = append(got, "…")
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("List(%s, %s, %s, %d) = %s, want %s", tt.account, tt.prefix, tt.after, tt.limit, s, tt.want)
		}
	}
}

func TestExpectedOwner(t *testing.T) {
	b := &bucket.Bucket{Name: "b", Account: red}
	for account, want := range map[string]string{"": "", red: "", blue: "AccessDenied", "x": "InvalidBucketOwnerAWSAccountID"} {
		wantCode(t, account, b.ExpectOwner(account), want)
	}
}

func TestTags(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		r := open(t, db, objects, people{})
		n := create(t, r, red)
		_, err := r.Tags(n)
		wantCode(t, "none", err, "NoSuchTagSet")
		wantCode(t, "bad", r.PutTags(t.Context(), n, map[string]string{"": "x"}), "InvalidTag")
		want := map[string]string{"team": "red", "ключ": "значение"}
		wantCode(t, "put", r.PutTags(t.Context(), n, want), "")
		if got, err := r.Tags(n); err != nil || !cmp.Equal(got, want) {
			t.Errorf("tags = %v, %v", got, err)
		}
		wantCode(t, "delete", r.PutTags(t.Context(), n, nil), "")
		_, err = r.Tags(n)
		wantCode(t, "after delete", err, "NoSuchTagSet")
	})
}

// killed is a storage whose caller dies before or after a call: the goroutine ends there, as a killed process would.
type killed struct {
	*storage.Embedded
	after bool
}

func (k killed) die(do func() error) error {
	if k.after {
		_ = do()
	}
	runtime.Goexit()
	return nil
}

func (k killed) CreateBucket(ctx context.Context, in storage.CreateBucketInput) error {
	return k.die(func() error { return k.Embedded.CreateBucket(ctx, in) })
}

func (k killed) DeleteBucket(ctx context.Context, n string) error {
	return k.die(func() error { return k.Embedded.DeleteBucket(ctx, n) })
}

func TestKilledInTheMiddle(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, deletion := range []bool{false, true} {
			t.Run(fmt.Sprintf("deletion %v, after the storage %v", deletion, after), func(t *testing.T) {
				storetest.Run(t, func(t *testing.T, db *store.DB) {
					ctx := t.Context()
					n := name()
					if deletion {
						if _, err := open(t, db, objects, people{}).Create(ctx, bucket.CreateInput{Name: n, Account: red}); err != nil {
							t.Fatal(err)
						}
					}
					dying := open(t, db, killed{objects, after}, people{})
					var wg sync.WaitGroup
					wg.Go(func() {
						if deletion {
							_ = dying.Delete(ctx, n)
						} else {
							_, _ = dying.Create(ctx, bucket.CreateInput{Name: n, Account: red})
						}
						t.Error("it was not killed")
					})
					wg.Wait()
					// Until the next start the name is nobody else's.
					_, err := dying.Create(ctx, bucket.CreateInput{Name: n, Account: blue})
					wantCode(t, "create meanwhile", err, "OperationAborted")

					r := open(t, db, objects, people{})
					there := deletion && !after // the only case in which nothing had happened to what was there
					if _, err := r.Get(n); (err == nil) != there {
						t.Errorf("after the start: %v, want there %v", err, there)
					}
					if err := objects.HeadBucket(ctx, n); (err == nil) != there {
						t.Errorf("after the start the storage says %v, want there %v", err, there)
					}
					if there {
						wantCode(t, "delete", r.Delete(ctx, n), "")
					}
					_, err = r.Create(ctx, bucket.CreateInput{Name: n, Account: blue})
					wantCode(t, "create", err, "")
				})
			})
		}
	}
}

// failing is a storage that cannot.
type failing struct{ *storage.Embedded }

var errDisk = &storage.Error{Code: "InternalError", Status: 500, Message: "x", Err: errors.New("disk")}

func (failing) CreateBucket(context.Context, storage.CreateBucketInput) error { return errDisk }
func (failing) DeleteBucket(context.Context, string) error                    { return errDisk }

func TestFailingStorageLeavesNothingHalfDone(t *testing.T) {
	db := storetest.New(t)
	broken, r := open(t, db, failing{objects}, people{}), open(t, db, objects, people{})
	n := name()
	_, err := broken.Create(t.Context(), bucket.CreateInput{Name: n, Account: red})
	wantCode(t, "create", err, "InternalError")
	if _, err := r.Create(t.Context(), bucket.CreateInput{Name: n, Account: blue}); err != nil {
		t.Errorf("the name stayed reserved: %v", err)
	}
	wantCode(t, "delete", broken.Delete(t.Context(), n), "InternalError")
	if _, err := r.Get(n); err != nil {
		t.Errorf("the bucket is gone: %v", err)
	}
	wantCode(t, "delete", r.Delete(t.Context(), n), "")
}

func TestOneOfManyCreatorsWins(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		r := open(t, db, objects, people{})
		n := name()
		var mu sync.Mutex
		var won []string
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				account := fmt.Sprintf("%012d", i)
				if _, err := r.Create(t.Context(), bucket.CreateInput{Name: n, Account: account}); err == nil {
					mu.Lock()
					won = append(won, account)
					mu.Unlock()
				} else if !slices.Contains([]string{"OperationAborted", "BucketAlreadyExists"}, code(err)) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if b, err := r.Get(n); err != nil || len(won) != 1 || b.Account != won[0] {
			t.Errorf("%v were told that they own it; it is %+v, %v", won, b, err)
		}
	})
}
