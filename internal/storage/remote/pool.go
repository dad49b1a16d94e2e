package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// pool keeps connections without TLS to one address. It does what http.Transport does for our requests and no more: a
// request is written and its answer read by the goroutine that asks, where the transport has two more for each connection,
// and a content goes from socket to socket in the kernel.
type pool struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string
	most    int // idle connections

	mu   sync.Mutex
	idle []*link // the last one in is the first one out
}

// link is one connection.
type link struct {
	net.Conn
	r     *bufio.Reader
	limit io.LimitedReader // of the connection, while a head is read
	since time.Time        // when it became idle
}

// idleTime is how long a connection is kept that nobody uses, which is less than services keep it.
const idleTime = 30 * time.Second

// unlimited is more than any answer has.
const unlimited = 1 << 62

var errHead = errors.New("malformed HTTP answer")

// RoundTrip implements http.RoundTripper for requests of Endpoint.request: they have a length, and no header that has
// not been checked.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	l, err := p.get(ctx)
	if err != nil {
		return nil, err
	}
	// Whoever ends the request ends what the connection waits for, and the connection with it.
	release := context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
	res, err := l.ask(r)
	if err != nil {
		release()
		_ = l.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	res.Body = p.body(l, res, r.Method, release)
	return res, nil
}

// CloseIdleConnections closes those that are not in use.
func (p *pool) CloseIdleConnections() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, l := range idle {
		_ = l.Close()
	}
}

func (p *pool) get(ctx context.Context) (*link, error) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			break
		}
		l := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if time.Since(l.since) < idleTime && l.quiet() {
			return l, nil
		}
		_ = l.Close()
	}
	c, err := p.dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: c}
	l.limit = io.LimitedReader{R: c, N: unlimited}
	l.r = bufio.NewReaderSize(&l.limit, 16<<10)
	return l, nil
}

func (p *pool) put(l *link) {
	l.since = time.Now()
	p.mu.Lock()
	if len(p.idle) < p.most {
		p.idle = append(p.idle, l)
		l = nil
	}
	p.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
}

// quiet says that nothing came on an idle connection: no end, and no answer that nobody asked for.
func (l *link) quiet() bool {
	if l.r.Buffered() > 0 {
		return false
	}
	s, ok := l.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}

// buffers for requests: their head and the pieces of their content.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 128<<10); return &b }}

// ask writes a request and reads the head of its answer.
func (l *link) ask(r *http.Request) (*http.Response, error) {
	written := l.write(r)
	if written != nil {
		if o, ok := r.Body.(*outgoing); ok && o.failed() != nil || r.Context().Err() != nil {
			return nil, written
		}
		// The service may have refused the request without reading all of it. What it said counts.
		_ = l.SetReadDeadline(time.Now().Add(time.Second))
	}
	res, err := l.head(r)
	if err != nil {
		if written != nil {
			err = written
		}
		return nil, err
	}
	if written != nil {
		res.Close = true
	}
	return res, nil
}

func (l *link) write(r *http.Request) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	b := (*buffer)[:0]
	b = append(append(append(b, r.Method...), ' '), r.URL.RequestURI()...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), r.Host...), "\r\n"...)
	for name, values := range r.Header {
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if r.ContentLength > 0 || r.Method == http.MethodPut || r.Method == http.MethodPost {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), r.ContentLength, 10), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	for left := r.ContentLength; left > 0; {
		if len(b) > cap(b)/2 && len(b) == cap(b) {
			if _, err := l.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		room := b[len(b):cap(b)]
		if int64(len(room)) > left {
			room = room[:left]
		}
		n, err := r.Body.Read(room)
		b = b[:len(b)+n]
		if left -= int64(n); err != nil && left > 0 {
			// What was read is not sent: without its end it is of no use.
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	_, err := l.Write(b)
	if o, ok := r.Body.(*outgoing); ok && err == nil && o.watch != nil {
		o.watch.sent()
	}
	return err
}

// head reads the head of an answer, of bounded size, and passes over those that only announce it.
func (l *link) head(r *http.Request) (*http.Response, error) {
	for range 5 {
		l.limit.N = maxAnswerHeader
		res, err := http.ReadResponse(l.r, r)
		ended := l.limit.N <= 0
		l.limit.N = unlimited
		switch {
		case err != nil && ended:
			return nil, fmt.Errorf("%w: its head is too large", errHead)
		case err != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			if op, ok := errors.AsType[*net.OpError](err); ok {
				return nil, op
			}
			return nil, fmt.Errorf("%w: %w", errHead, err)
		case res.StatusCode >= 200:
			return res, nil
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errHead
		}
	}
	return nil, errHead
}

// body is the content of an answer; its end gives the connection back.
func (p *pool) body(l *link, res *http.Response, method string, release func() bool) io.ReadCloser {
	b := &content{pool: p, link: l, release: release, keep: !res.Close}
	switch {
	case method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified || res.ContentLength == 0:
		b.done()
		return http.NoBody
	case len(res.TransferEncoding) > 0 || res.ContentLength < 0:
		b.encoded = res.Body
	default:
		b.left = res.ContentLength
	}
	return b
}

// content is what an answer has after its head.
type content struct {
	pool    *pool
	link    *link // nil when it was given back
	release func() bool
	keep    bool
	left    int64
	encoded io.ReadCloser // for what has no length
}

// Read gives the next bytes.
func (c *content) Read(p []byte) (int, error) {
	if c.link == nil {
		return 0, io.EOF
	}
	if c.encoded != nil {
		n, err := c.encoded.Read(p)
		if errors.Is(err, io.EOF) {
			c.done()
		}
		return n, err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.link.r.Read(p)
	if c.left -= int64(n); c.left == 0 {
		c.done()
		return n, io.EOF
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// splice moves up to most bytes to a writer: what is in the buffer, or else from socket to socket, which the kernel does where
// the writer is a connection that knows how.
func (c *content) splice(w io.Writer, most int64) (n int64, err error) {
	if c.link == nil {
		return 0, io.EOF
	}
	most = min(most, c.left)
	if have := c.link.r.Buffered(); have > 0 {
		var piece []byte
		piece, _ = c.link.r.Peek(int(min(int64(have), most)))
		k, err := w.Write(piece)
		_, _ = c.link.r.Discard(k)
		n = int64(k)
		if err != nil {
			return n, err
		}
	} else {
		n, err = io.Copy(w, &io.LimitedReader{R: c.link.Conn, N: most})
		if err == nil && n < most {
			err = io.ErrUnexpectedEOF
		}
	}
	if c.left -= n; c.left == 0 && err == nil {
		c.done()
	}
	return n, err
}

// Close gives up what was not read, and the connection with it.
func (c *content) Close() error {
	if c.link == nil {
		return nil
	}
	if have := int64(c.link.r.Buffered()); c.encoded == nil && c.left <= have {
		_, err := c.link.r.Discard(int(c.left)) // the rest is here already
		c.keep = c.keep && err == nil
	} else {
		c.keep = false
	}
	c.done()
	return nil
}

// done gives the connection back, unless its request was ended while it was used.
func (c *content) done() {
	l := c.link
	c.link = nil
	if c.release() && c.keep {
		c.pool.put(l)
		return
	}
	_ = l.Close()
}
