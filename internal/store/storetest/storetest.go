// Package storetest opens every engine that the store runs on, for the tests of the rooms that keep state.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that makes databases

	"github.com/lakegate/lakegate/internal/store"
)

// Variable names the environment variable that gives tests a running PostgreSQL, as a URL of a superuser. Without it a
// test binary starts a server of its own.
const Variable = "LAKEGATE_TEST_POSTGRES"

// Key is the master key of the databases that tests open.
const Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// Run runs the test once on each engine, each time on an empty database.
func Run(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			test(t, Open(t, URL(t, engine)))
		})
	}
}

// New opens an empty database on SQLite, for tests to which the engine does not matter.
func New(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, URL(t, "sqlite"))
}

// URL makes an empty database on the engine, "sqlite" or "postgres", and returns where it is.
func URL(t testing.TB, engine string) string {
	t.Helper()
	if engine == "sqlite" {
		return filepath.Join(t.TempDir(), "lakegate.db")
	}
	return postgresDatabase(t)
}

// Open opens a database until the test ends. The same URL may be opened again after it was closed.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	keys, err := store.ParseKeys(Key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Config{URL: url, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var (
	server struct {
		sync.Once
		url string
		err error
		// lifeline is held as long as the process lives: closing it, which the garbage collector would do, ends the server.
		lifeline io.Closer
	}
	databases struct {
		sync.Mutex
		n int
	}
)

func postgresDatabase(t testing.TB) string {
	t.Helper()
	server.Do(func() {
		if server.url = os.Getenv(Variable); server.url == "" {
			server.url, server.err = startPostgres()
		}
	})
	if server.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("start PostgreSQL: %v", server.err)
		}
		t.Skipf("not run on PostgreSQL: %v (install the package postgresql)", server.err)
	}
	databases.Lock()
	databases.n++
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), databases.n)
	databases.Unlock()
	admin, err := sql.Open("pgx", server.url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		_, _ = admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
		_ = admin.Close()
	})
	return strings.Replace(server.url, "/postgres?", "/"+name+"?", 1)
}

// startPostgres makes a cluster in a temporary folder and starts it on a socket there. The server watches the lifetime
// of this process through a pipe that its supervising shell reads, so that it never outlives the tests.
func startPostgres() (string, error) {
	bin, err := postgresBin()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "lakegate-pg")
	if err != nil {
		return "", err
	}
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		// initdb refuses to run as root.
		cred, err := unprivileged()
		if err != nil {
			return "", err
		}
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return "", err
		}
		attr.Credential = cred
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync") //nolint:gosec // a fixed program
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	// The shell holds the read end of the pipe: when this process ends, however it ends, read returns and the shell stops
	// the server and removes its folder.
	const supervise = `"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 >"$2/log" 2>&1 & pid=$!; read -r _; kill -INT $pid; wait $pid; rm -rf "$2"`
	cmd := exec.Command("sh", "-c", supervise, "sh", bin, dir) //nolint:gosec // a fixed program
	cmd.SysProcAttr, cmd.Dir = attr, dir
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	server.lifeline = lifeline
	if err := cmd.Start(); err != nil {
		return "", err
	}
	url := "postgres://postgres@/postgres?host=" + dir
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		db, err := sql.Open("pgx", url)
		if err != nil {
			return "", err
		}
		err = db.Ping()
		_ = db.Close()
		if err == nil {
			return url, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	return "", fmt.Errorf("the server did not start: %s", log)
}

func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		if p, err := exec.LookPath("postgres"); err == nil {
			return filepath.Dir(p), nil
		}
		return "", fmt.Errorf("no PostgreSQL server is installed")
	}
	return filepath.Dir(slices.Max(found)), nil
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("no unprivileged user to run PostgreSQL as")
}
