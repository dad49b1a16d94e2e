package ldap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/trail"
)

const (
	storeID = "d-0123456789"
	account = "222222222222"
)

// house is a directory with one store, and a source that fills it.
type house struct {
	db     *store.DB
	dir    *directory.Directory
	trail  *trail.Trail
	source *ldap.Source
	clock  *atomic.Int64
	logs   string
	log    *bytes.Buffer
}

// onOpenLDAP is the configuration for a server of slapdtest.
func onOpenLDAP(s *slapdtest.Server) *ldap.Config {
	c := &ldap.Config{
		Preset: "openldap", URL: s.TLSURL, CAFile: s.CAFile, BindDN: slapdtest.BindDN, BindPassword: "file:" + s.PasswordFile, OnDemand: true,
		TimeoutSeconds: 10, PageSize: 10,
	}
	c.Users.Base, c.Groups.Base = slapdtest.People, slapdtest.Groups
	return c
}

// run runs a test on each engine against a fresh LDAP server.
func run(t *testing.T, test func(t *testing.T, s *slapdtest.Server, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			s := slapdtest.Start(t)
			test(t, s, open(t, storetest.URL(t, engine), onOpenLDAP(s)))
		})
	}
}

func open(t testing.TB, url string, cfg *ldap.Config) *house {
	t.Helper()
	ctx := context.Background()
	keys, err := store.ParseKeys(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{clock: &atomic.Int64{}, logs: t.TempDir(), log: &bytes.Buffer{}}
	h.clock.Store(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).UnixNano())
	h.db, err = store.Open(ctx, store.Config{URL: url, Keys: keys, Now: func() time.Time { return time.Unix(0, h.clock.Add(int64(time.Millisecond))).UTC() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.db.Close() })
	if h.trail, err = trail.Open(ctx, trail.Config{DB: h.db, Dir: h.logs, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.trail.Close() })
	if h.dir, err = directory.Open(ctx, h.db); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.dir.StoreAccount(storeID); !ok {
		if err := h.db.Update(ctx, func(tx *store.Tx) error { return h.dir.CreateStore(ctx, tx, storeID, account) }); err != nil {
			t.Fatal(err)
		}
	}
	h.source = h.with(t, cfg)
	return h
}

// with is a source by another configuration on the same directory.
func (h *house) with(t testing.TB, cfg *ldap.Config) *ldap.Source {
	t.Helper()
	if err := cfg.Complete(true); err != nil {
		t.Fatal(err)
	}
	s, err := ldap.Open(t.Context(), ldap.Parts{
		Settings: cfg, DB: h.db, Directory: h.dir, Trail: h.trail, Region: "us-east-1", Store: func() string { return storeID }, Getenv: os.Getenv,
		Log: slog.New(slog.NewJSONHandler(h.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sync runs the source once, to its end.
func (h *house) sync(t testing.TB) ldap.Run { return h.syncWith(t, h.source, false, false) }

func (h *house) syncWith(t testing.TB, s *ldap.Source, dryRun, force bool) ldap.Run {
	t.Helper()
	id, err := s.Start(t.Context(), "arn:aws:iam::222222222222:root", dryRun, force)
	if err != nil {
		t.Fatal(err)
	}
	return h.ended(t, s, id)
}

// ended waits for the end of a run.
func (h *house) ended(t testing.TB, s *ldap.Source, id string) ldap.Run {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := s.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State != ldap.Running && !s.Busy() {
			return r
		}
		<-tick.C
	}
}

// wantSync runs the source and fails the test unless it succeeded with so many changes and no problem.
func (h *house) wantSync(t testing.TB, changes int) ldap.Run {
	t.Helper()
	r := h.sync(t)
	n := 0
	for _, c := range r.Report.Changes {
		n += c
	}
	if r.State != ldap.Succeeded || n != changes || r.Report.ProblemCount != 0 {
		t.Fatalf("the run ended %s (%s) with the changes %v and the problems %v, want %d changes", r.State, r.Report.Message, r.Report.Changes, r.Report.Problems, changes)
	}
	return r
}

// user finds a person by user name.
func (h *house) user(t testing.TB, name string) directory.User {
	t.Helper()
	users, err := h.dir.ListUsers(t.Context(), storeID, directory.UserFilter{UserName: name}, directory.Page{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(users) != 1 {
		t.Fatalf("%d users are called %s", len(users), name)
	}
	return users[0]
}

// members are the user names of who is in a group, sorted.
func (h *house) members(t testing.TB, group string) []string {
	t.Helper()
	g, err := h.dir.FindGroup(t.Context(), storeID, group)
	if err != nil {
		t.Fatalf("group %s: %v", group, err)
	}
	names := []string{}
	list, err := h.dir.MembersOfGroup(t.Context(), storeID, g.ID, directory.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		u, _ := h.dir.User(storeID, m.UserID)
		names = append(names, u.UserName)
	}
	slices.Sort(names)
	return names
}

func (h *house) wantMembers(t testing.TB, group string, want ...string) {
	t.Helper()
	if got := h.members(t, group); !slices.Equal(got, want) {
		t.Errorf("%s has the members %v, want %v", group, got, want)
	}
}

// records are the records of the audit log with a name.
func (h *house) records(t testing.TB, name string) (all []map[string]any) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.logs, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if r["eventName"] == name {
				all = append(all, r)
			}
		}
	}
	return all
}
