package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// mostGathered is how much of an answer is held back so that it goes out at once. net/http writes the head and what fits
// into its own 4 KiB beside it, and then the rest; a small object would cost two calls of the system and wake its client
// twice.
const mostGathered = 32 << 10

// gatheringListener makes the connections of a listener gathering ones.
type gatheringListener struct{ net.Listener }

// Accept implements net.Listener.
func (l gatheringListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatheringConn{Conn: c}, nil
}

// gatheringConn holds back what is written to it while it is told to. Whoever holds has to release: what is held when the
// connection is closed is lost. It is written to by one goroutine at a time, as net/http does.
type gatheringConn struct {
	net.Conn
	holding bool
	held    *[]byte // nil for nothing: a connection that waits for its next request is to take no room for answers
}

// gathered are the rooms for what is held.
var gathered = sync.Pool{New: func() any { b := make([]byte, 0, mostGathered); return &b }}

type connKey struct{}

// withConn is for http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is the connection of a request; nil where it does not gather.
func connOf(ctx context.Context) *gatheringConn {
	c, _ := ctx.Value(connKey{}).(*gatheringConn)
	return c
}

// Write implements net.Conn.
func (c *gatheringConn) Write(p []byte) (int, error) {
	if c.holding {
		if c.held == nil {
			c.held = gathered.Get().(*[]byte) //nolint:forcetypeassert // there is nothing else in it
		}
		if len(*c.held)+len(p) <= mostGathered {
			*c.held = append(*c.held, p...)
			return len(p), nil
		}
	}
	if err := c.send(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// ReadFrom implements io.ReaderFrom: the kernel may move what is read to the connection below.
func (c *gatheringConn) ReadFrom(r io.Reader) (int64, error) {
	if err := c.send(); err != nil {
		return 0, err
	}
	return io.Copy(c.Conn, r)
}

// release writes what is held, and holds nothing more.
func (c *gatheringConn) release() error {
	c.holding = false
	return c.send()
}

func (c *gatheringConn) send() error {
	if c.held == nil {
		return nil
	}
	_, err := c.Conn.Write(*c.held)
	*c.held = (*c.held)[:0]
	gathered.Put(c.held)
	c.held = nil
	return err
}

// gather begins to hold an answer that is small and says how large it is.
func (w *statusWriter) gather() {
	if w.conn == nil {
		return
	}
	n, err := strconv.Atoi(w.Header().Get("Content-Length"))
	w.conn.holding = err == nil && n > 0 && n < mostGathered
}

// complete lets an answer go that was held.
func (w *statusWriter) complete() {
	if w.conn == nil || !w.conn.holding {
		return
	}
	// Out of net/http's own buffer first. It takes for written what is held, and would keep a connection on which nothing came.
	err := errors.Join(http.NewResponseController(w.ResponseWriter).Flush(), w.conn.release())
	if err != nil {
		_ = w.conn.Close()
	}
}
