package storetest

import (
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Line is the way of a node to its PostgreSQL. It can hang, as a network does that loses everything: nobody is told.
type Line struct {
	mu      sync.Mutex
	hangs   bool
	carried []net.Conn
}

// ByLine returns the URL of a database, one of URL's, by way of a line of its own.
func ByLine(t testing.TB, database string) (string, *Line) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	dir := u.Query().Get("host")
	if !filepath.IsAbs(dir) {
		t.Fatalf("the database is not on a socket: %s", database)
	}
	door, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{}
	t.Cleanup(func() {
		_ = door.Close()
		l.Hang(false)
	})
	go l.serve(door, filepath.Join(dir, ".s.PGSQL.5432"))
	return "postgres://postgres@" + door.Addr().String() + u.Path + "?sslmode=disable", l
}

// Hang lets every connection stand still, and those that come. When it ends they break, and others may be made.
func (l *Line) Hang(hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hangs = hangs; hangs {
		return
	}
	for _, c := range l.carried {
		_ = c.Close()
	}
	l.carried = nil
}

func (l *Line) hanging() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hangs
}

func (l *Line) serve(door net.Listener, socket string) {
	for {
		from, err := door.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", socket) //nolint:noctx // a socket
		if err != nil {
			_ = from.Close()
			continue
		}
		l.mu.Lock()
		l.carried = append(l.carried, from, to)
		l.mu.Unlock()
		go l.carry(from, to)
		go l.carry(to, from)
	}
}

func (l *Line) carry(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		for l.hanging() {
			time.Sleep(time.Millisecond)
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
