package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// texts is a mirror of all test settings with their values.
func texts() *store.Mirror[string] {
	type row struct{ name, value string }
	m := settings()
	m.Every = func(ctx context.Context, q store.Querier, do func(string, string) error) error {
		return store.Each(ctx, q, func(s store.Scanner) (r row, err error) { return r, s.Scan(&r.name, &r.value) }, func(r row) error { return do(r.name, r.value) },
			`SELECT name, convert_from(value, 'UTF8') FROM settings WHERE name LIKE 'test-%'`)
	}
	m.One = func(ctx context.Context, q store.Querier, key string) (string, error) {
		return store.One(ctx, q, store.Text, `SELECT convert_from(value, 'UTF8') FROM settings WHERE name = ?`, key)
	}
	return m
}

// node opens one more node on a PostgreSQL database, with a mirror of the test settings.
func node(t *testing.T, url string, maxLag time.Duration) (*store.DB, *store.Mirror[string]) {
	t.Helper()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{URL: url, Keys: keys, MaxLag: maxLag})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	m := texts()
	if err := db.Follow(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return db, m
}

func write(t *testing.T, db *store.DB, name, value string) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return put(t.Context(), tx, name, value) }); err != nil {
		t.Fatal(err)
	}
}

func remove(ctx context.Context, tx *store.Tx, name string) error {
	tx.Changed("setting", name)
	_, err := tx.Exec(ctx, `DELETE FROM settings WHERE name = ?`, name)
	return err
}

// administer runs statements that no node knows of.
func administer(t *testing.T, url, statements string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what a node hears of by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func has(m *store.Mirror[string], name, value string) func() bool {
	return func() bool { v, _ := m.Get(name); return v == value }
}

func TestNodeHearsOfChangesOfAnother(t *testing.T) {
	url := storetest.URL(t, "postgres")
	// The bound is an hour: a node that only looked at its own times would see nothing in the time of the test.
	a, inA := node(t, url, time.Hour)
	b, inB := node(t, url, time.Hour)
	write(t, a, "test-x", "1")
	eventually(t, "b has what a wrote", has(inB, "test-x", "1"))
	write(t, b, "test-x", "2")
	eventually(t, "a has what b wrote", has(inA, "test-x", "2"))
	if err := a.Update(t.Context(), func(tx *store.Tx) error { return remove(t.Context(), tx, "test-x") }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b has forgotten what a deleted", has(inB, "test-x", ""))
	if a.Revision() != 3 || b.Revision() != 3 {
		t.Errorf("revisions = %d and %d, want 3", a.Revision(), b.Revision())
	}
}

func TestCatchUpHasWhatWasCommittedBefore(t *testing.T) {
	url := storetest.URL(t, "postgres")
	a, _ := node(t, url, time.Hour)
	b, inB := node(t, url, time.Hour)
	for i := range 50 {
		v := fmt.Sprint(i)
		write(t, a, "test-x", v)
		if err := b.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := inB.Get("test-x"); got != v {
			t.Fatalf("after CatchUp the other node has %q, want %q", got, v)
		}
	}
}

// What a change asks an index is as young as what it changes: else two nodes could each find that there is room for one more.
func TestChangeIsDecidedOnWhatOtherNodesWrote(t *testing.T) {
	const writers, rounds = 4, 15
	url := storetest.URL(t, "postgres")
	var (
		work sync.WaitGroup
		last *store.Mirror[string]
	)
	for range writers {
		db, m := node(t, url, time.Hour)
		last = m
		work.Go(func() {
			for range rounds {
				err := db.Update(context.Background(), func(tx *store.Tx) error {
					n := m.Len() // of the index, not of the rows
					return put(context.Background(), tx, fmt.Sprintf("test-%03d", n), "taken")
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	eventually(t, "every change wrote a row of its own", func() bool { return last.Len() == writers*rounds })
}

// Whatever nodes write at random, in changes of several things, ends up the same in every index, and as a node that starts
// later reads it.
func TestNodesAgree(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			url := storetest.URL(t, "postgres")
			var (
				work    sync.WaitGroup
				dbs     []*store.DB
				mirrors []*store.Mirror[string]
			)
			for n := range uint64(3) {
				db, m := node(t, url, time.Hour)
				dbs, mirrors = append(dbs, db), append(mirrors, m)
				work.Go(func() {
					r := rand.New(rand.NewPCG(seed, n)) //nolint:gosec // repeatable
					for range 60 {
						err := db.Update(context.Background(), func(tx *store.Tx) error {
							for range 1 + r.IntN(4) {
								name := fmt.Sprintf("test-%d", r.IntN(12))
								if r.IntN(3) == 0 {
									if err := remove(context.Background(), tx, name); err != nil {
										return err
									}
								} else if err := put(context.Background(), tx, name, fmt.Sprint(r.Int())); err != nil {
									return err
								}
							}
							return nil
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			work.Wait()
			_, late := node(t, url, time.Hour)
			want := maps.Collect(late.Each())
			for i, db := range dbs {
				if err := db.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, maps.Collect(mirrors[i].Each())); diff != "" {
					t.Errorf("node %d (-rows +index):\n%s", i, diff)
				}
				if db.Revision() != 3*60 {
					t.Errorf("node %d is at revision %d, want %d", i, db.Revision(), 3*60)
				}
			}
		})
	}
}

// A node whose past the feed does not have reads everything anew: it was trimmed, or the database was put back.
func TestNodeReadsEverythingAnew(t *testing.T) {
	tests := map[string]string{
		"the feed was trimmed":               `DELETE FROM changes WHERE revision < 6`,
		"the feed has a hole":                `DELETE FROM changes WHERE revision = 4`,
		"the last changes were lost":         `UPDATE revision SET value = 1; DELETE FROM changes WHERE revision > 1; DELETE FROM settings WHERE name IN ('test-3', 'test-4', 'test-5', 'test-6')`,
		"others came in their place":         `UPDATE changes SET at = at + 1 WHERE revision = 2`,
		"as many others came in their place": `UPDATE changes SET at = at + 1; DELETE FROM settings WHERE name = 'test-2'`,
	}
	for name, statement := range tests {
		t.Run(name, func(t *testing.T) {
			url := storetest.URL(t, "postgres")
			behind, index := node(t, url, time.Hour)
			write(t, behind, "test-1", "a")
			write(t, behind, "test-2", "a")
			eventually(t, "it has its own", has(index, "test-2", "a"))
			// What happens now it does not see step by step: it is one statement of somebody who does not tell.
			ahead := `INSERT INTO settings (name, value) VALUES ('test-3', 'b'), ('test-4', 'b'), ('test-5', 'b'), ('test-6', 'b');
				INSERT INTO changes (revision, position, kind, key, at) VALUES (3, 0, 'setting', 'test-3', 7), (4, 0, 'setting', 'test-4', 7), (5, 0, 'setting', 'test-5', 7), (6, 0, 'setting', 'test-6', 7);
				UPDATE revision SET value = 6;`
			if strings.HasPrefix(name, "as many") {
				ahead = ""
			}
			administer(t, url, "BEGIN;"+ahead+statement+"; COMMIT")
			if err := behind.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, late := node(t, url, time.Hour)
			if diff := cmp.Diff(maps.Collect(late.Each()), maps.Collect(index.Each())); diff != "" {
				t.Errorf("(-rows +index):\n%s", diff)
			}
		})
	}
}

func TestTrimKeepsWhatIsYoungAndTheNewest(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		feed := func() (revisions []int64) {
			t.Helper()
			err := db.View(ctx, func(q store.Querier) (err error) {
				revisions, err = store.All(ctx, q, store.Int, `SELECT revision FROM changes ORDER BY revision`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return revisions
		}
		age := func(upTo int) {
			t.Helper()
			err := db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE changes SET at = at - ? WHERE revision <= ?`, 8*24*time.Hour/time.Millisecond, upTo)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		trim := func() {
			t.Helper()
			if err := db.Trim(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			write(t, db, fmt.Sprint("test-", i), "x")
		}
		age(3)
		trim()
		if diff := cmp.Diff([]int64{4, 5}, feed()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		age(5)
		trim()
		if diff := cmp.Diff([]int64{5}, feed()); diff != "" {
			t.Errorf("the newest change has to stay (-want +got):\n%s", diff)
		}
	})
}

// A node that is cut off from the database decides nothing once its bound is over, and takes up again by itself.
func TestNodeThatIsCutOffIsStale(t *testing.T) {
	database := storetest.URL(t, "postgres")
	const bound = 500 * time.Millisecond
	a, _ := node(t, database, bound)
	way, line := storetest.ByLine(t, database)
	b, inB := node(t, way, bound)
	eventually(t, "b is fresh", func() bool { return b.Fresh() == nil })

	line.Hang(true)
	write(t, a, "test-x", "revoked")
	eventually(t, "b knows that it may not know", func() bool { return errors.Is(b.Fresh(), store.ErrStale) })
	if v, _ := inB.Get("test-x"); v != "" {
		t.Fatalf("b has %q although it is cut off", v)
	}
	if lag := b.Lag(); lag <= bound {
		t.Errorf("lag = %s, want more than %s", lag, bound)
	}
	eventually(t, "a, which is not cut off, is fresh", func() bool { return a.Fresh() == nil })

	line.Hang(false)
	eventually(t, "b is fresh again", func() bool { return b.Fresh() == nil })
	if v, _ := inB.Get("test-x"); v != "revoked" {
		t.Errorf("b calls itself fresh and has %q", v)
	}
}

// One process works on a SQLite file; on PostgreSQL there may be many.
func TestFileIsOfOneProcess(t *testing.T) {
	path := storetest.URL(t, "sqlite")
	first, err := store.Claim(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Claim("sqlite://" + path); err == nil || !strings.Contains(err.Error(), "several nodes need PostgreSQL") {
		t.Errorf("a second process has the file: %v", err)
	}
	db := storetest.Open(t, path)
	if err := db.Fresh(); err != nil || db.Lag() != 0 {
		t.Errorf("alone on the file: %v, lag %s", err, db.Lag())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Claim(path)
	if err != nil {
		t.Fatalf("after the first let go of it: %v", err)
	}
	_ = again.Close()
	for range 2 {
		if shared, err := store.Claim(storetest.URL(t, "postgres")); err != nil || shared.Close() != nil {
			t.Errorf("PostgreSQL: %v", err)
		}
	}
}
