package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// The tests keep their rows in the settings table: it has a text key and a value, which is all they need.
func settings() *store.Mirror[string] {
	return &store.Mirror[string]{
		Kind: "setting",
		One: func(ctx context.Context, q store.Querier, key string) (string, error) {
			return store.One(ctx, q, store.Text, `SELECT CAST(value AS TEXT) FROM settings WHERE name = ?`, key)
		},
		Every: func(ctx context.Context, q store.Querier, do func(string, string) error) error {
			return store.Each(ctx, q, store.Text, func(name string) error { return do(name, "loaded") }, `SELECT name FROM settings WHERE name LIKE 'test-%'`)
		},
	}
}

func put(ctx context.Context, tx *store.Tx, name, value string) error {
	tx.Changed("setting", name)
	return tx.SetSetting(ctx, name, []byte(value))
}

func TestChangeIsOneTransaction(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		before := db.Revision()
		boom := errors.New("boom")
		err := db.Update(ctx, func(tx *store.Tx) error {
			if err := put(ctx, tx, "test-a", "1"); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("Update = %v, want the function's own error", err)
		}
		if _, err := db.Setting(ctx, "test-a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a refused change left a row behind: %v", err)
		}
		if db.Revision() != before {
			t.Errorf("a refused change advanced the revision to %d", db.Revision())
		}
		if err := db.Update(ctx, func(tx *store.Tx) error { return put(ctx, tx, "test-a", "1") }); err != nil {
			t.Fatal(err)
		}
		if db.Revision() != before+1 {
			t.Errorf("revision = %d, want %d", db.Revision(), before+1)
		}
	})
}

func TestFeedNamesEachThingTouchedOnce(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Changed("role", "a")
			tx.Changed("role", "b")
			tx.Changed("role", "a")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = db.View(ctx, func(q store.Querier) error {
			got, err = store.All(ctx, q, store.Text, `SELECT key FROM changes WHERE revision = ? ORDER BY position`, db.Revision())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
			t.Errorf("feed rows (-want +got):\n%s", diff)
		}
	})
}

func TestMirrorSeesChangeBeforeUpdateReturns(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := settings()
		if err := db.Follow(ctx, m); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				name := fmt.Sprintf("test-%d", i)
				if err := db.Update(ctx, func(tx *store.Tx) error { return put(ctx, tx, name, "v") }); err != nil {
					t.Error(err)
				}
				if _, ok := m.Get(name); !ok {
					t.Errorf("%s is not in the mirror after its change was acknowledged", name)
				}
			})
		}
		wg.Wait()
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Changed("setting", "test-3")
			return tx.MustExec(ctx, `DELETE FROM settings WHERE name = ?`, "test-3")
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.Get("test-3"); ok {
			t.Error("a deleted row is still in the mirror")
		}
		if m.Len() != 7 {
			t.Errorf("mirror holds %d rows, want 7", m.Len())
		}
	})
}

func TestMirrorIgnoresWhatDidNotCommit(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		m := settings()
		refuse := refusing{}
		if err := errors.Join(db.Follow(ctx, m), db.Follow(ctx, refuse)); err != nil {
			t.Fatal(err)
		}
		err := db.Update(ctx, func(tx *store.Tx) error { return put(ctx, tx, "test-a", "1") })
		if !errors.Is(err, errRefused) {
			t.Fatalf("Update = %v, want %v", err, errRefused)
		}
		if _, ok := m.Get("test-a"); ok {
			t.Error("the mirror took in a change that was rolled back")
		}
	})
}

var errRefused = errors.New("refused")

type refusing struct{}

func (refusing) Load(context.Context, store.Querier) error { return nil }
func (refusing) Prepare(context.Context, *store.Tx, []store.Change) (func(), error) {
	return nil, errRefused
}

type recorder struct{ revisions *[]int64 }

func (r recorder) RecordChange(ctx context.Context, tx *store.Tx, revision int64) error {
	*r.revisions = append(*r.revisions, revision)
	return tx.SetSetting(ctx, fmt.Sprintf("record-%d", revision), []byte("x"))
}

func TestChangeCommitsWithItsRecord(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		var revisions []int64
		ctx := store.WithRecorder(t.Context(), recorder{&revisions})
		if err := db.Update(ctx, func(tx *store.Tx) error { return put(ctx, tx, "test-a", "1") }); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Setting(ctx, fmt.Sprintf("record-%d", db.Revision())); err != nil {
			t.Errorf("the record is missing: %v", err)
		}
		if err := db.Update(ctx, func(*store.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if len(revisions) != 1 {
			t.Errorf("recorded %d times, want once: a transaction that changed nothing has nothing to record", len(revisions))
		}
	})
}

func TestUniqueConstraintIsErrConflict(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		insert := func() error {
			return db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO settings (name, value) VALUES (?, ?)`, "test-once", []byte("?'"))
				return err
			})
		}
		if err := insert(); err != nil {
			t.Fatal(err)
		}
		if err := insert(); !errors.Is(err, store.ErrConflict) {
			t.Errorf("second insert = %v, want ErrConflict", err)
		}
	})
}

func TestStateSurvivesReopening(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			ctx, url := t.Context(), storetest.URL(t, engine)
			db := storetest.Open(t, url)
			if err := db.Update(ctx, func(tx *store.Tx) error { return put(ctx, tx, "test-a", "1") }); err != nil {
				t.Fatal(err)
			}
			rev := db.Revision()
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = storetest.Open(t, url)
			if db.Revision() != rev {
				t.Errorf("revision = %d after reopening, want %d", db.Revision(), rev)
			}
			if v, err := db.Setting(ctx, "test-a"); err != nil || string(v) != "1" {
				t.Errorf("setting = %q, %v", v, err)
			}
		})
	}
}

func TestForeignMasterKeyIsRefused(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			if err := storetest.Open(t, url).Close(); err != nil {
				t.Fatal(err)
			}
			other, err := store.ParseKeys("//////////////////////////////////////////8=")
			if err != nil {
				t.Fatal(err)
			}
			if db, err := store.Open(t.Context(), store.Config{URL: url, Keys: other}); err == nil {
				_ = db.Close()
				t.Error("a database opened under a key that is not its own")
			}
		})
	}
}

func TestSealedSecretOpensOnlyInItsPlace(t *testing.T) {
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	sealed := keys.Seal("access-key/A", []byte("secret"))
	if bytes.Contains(sealed, []byte("secret")) {
		t.Fatal("the secret shows in its sealed form")
	}
	if got, err := keys.Unseal("access-key/A", sealed); err != nil || string(got) != "secret" {
		t.Errorf("Unseal = %q, %v", got, err)
	}
	if _, err := keys.Unseal("access-key/B", sealed); !errors.Is(err, store.ErrSealed) {
		t.Errorf("a secret moved to another row opened: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := keys.Unseal("access-key/A", bad); err == nil {
			t.Errorf("altered byte %d went unnoticed", i)
		}
	}
	rotated, err := store.ParseKeys("//////////////////////////////////////////8=\n" + storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.Unseal("access-key/A", sealed); err != nil || string(got) != "secret" {
		t.Errorf("after rotation Unseal = %q, %v", got, err)
	}
}

func TestKeyFile(t *testing.T) {
	none := func(string) string { return "" }
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := store.LoadKeys(path, none); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file mode = %v, want 0600", info.Mode().Perm())
	}
	first, _ := os.ReadFile(path)
	if _, err := store.LoadKeys(path, none); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
		t.Error("a second start replaced the master key")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.LoadKeys(path, none); err == nil {
		t.Error("a key file that others can read was accepted")
	}
	if _, err := store.LoadKeys(path, func(string) string { return "c2hvcnQ=" }); err == nil {
		t.Error("a short key from the environment was accepted")
	}
}

func TestDatabaseFileIsPrivate(t *testing.T) {
	url := storetest.URL(t, "sqlite")
	storetest.Open(t, url)
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(url + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s = %v, want 0600", filepath.Base(url)+suffix, info.Mode().Perm())
		}
	}
}

// TestFollowersAreToldWhatWasWritten: a follower learns what Wrote told last of a thing, and that it has to read it where another
// change came after.
func TestFollowersAreToldWhatWasWritten(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		seen := &written{}
		if err := db.Follow(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			tx.Wrote("role", "a", 1)
			tx.Wrote("role", "a", 2)
			tx.Wrote("role", "b", 1)
			tx.Changed("role", "b")
			tx.Changed("role", "c")
			tx.Wrote("role", "c", 3)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"a": 2, "b": nil, "c": 3}, seen.things); diff != "" {
			t.Errorf("things (-want +got):\n%s", diff)
		}
	})
}

type written struct{ things map[string]any }

func (*written) Load(context.Context, store.Querier) error { return nil }

func (w *written) Prepare(_ context.Context, tx *store.Tx, changes []store.Change) (func(), error) {
	w.things = map[string]any{}
	for _, c := range changes {
		w.things[c.Key] = tx.Written(c)
	}
	return func() {}, nil
}

// TestRepeat: a statement that is run again and again does what Exec does, and is no longer there in the next transaction.
func TestRepeat(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		const query = `INSERT INTO settings (name, value) VALUES (?, ?)`
		for _, names := range [][]string{{"test-a", "test-b", "test-c"}, {"test-d"}} {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				for _, name := range names {
					if n, err := tx.Repeat(t.Context(), query, name, []byte("?")); err != nil || n != 1 {
						return fmt.Errorf("%d rows: %w", n, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Repeat(t.Context(), query, "test-d", []byte("?"))
			return err
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("a name that is taken: %v, want %v", err, store.ErrConflict)
		}
	})
}
