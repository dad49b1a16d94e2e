package remote

import (
	"context"
	"crypto/md5" //nolint:gosec // Content-MD5 is what S3 wants of some requests
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/sigv4"
)

// Endpoint is an S3 service and the connections to it. It is safe for concurrent use.
type Endpoint struct {
	cfg     Config
	base    *url.URL
	pool    http.RoundTripper
	general *http.Transport // for other addresses than the endpoint's
	idle    func()          // closes connections that are not in use
	signer  sigv4.Signer
	breaker breaker
	slots   chan struct{}
	log     *slog.Logger
	now     func() time.Time

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// keys of all endpoints: a key is good for a day, and a rotated secret has another.
var keys sigv4.KeyCache

// Open makes an endpoint of a configuration that is complete. Nothing is asked of the service yet, which may be down.
func Open(cfg Config, log *slog.Logger, now func() time.Time) (*Endpoint, error) {
	if err := cfg.Complete(); err != nil {
		return nil, fmt.Errorf("open backend %s: %w", cfg.Name, err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	base, err := cfg.url()
	if err != nil {
		return nil, err
	}
	secured, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	base.Path = ""
	dialer := &net.Dialer{Timeout: cfg.ConnectTimeout, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSClientConfig: secured, TLSHandshakeTimeout: cfg.ConnectTimeout,
		MaxIdleConns: cfg.MaxConnections, MaxIdleConnsPerHost: cfg.MaxConnections, MaxConnsPerHost: cfg.MaxConnections, IdleConnTimeout: 60 * time.Second,
		DisableCompression: true, MaxResponseHeaderBytes: maxAnswerHeader, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	e := &Endpoint{
		cfg: cfg, base: base, pool: transport, general: transport, idle: transport.CloseIdleConnections, log: log.With(slog.String("backend", cfg.Name)), now: now,
		signer: sigv4.Signer{
			AccessKeyID: cfg.AccessKeyID, SecretAccessKey: cfg.SecretAccessKey, SessionToken: cfg.SessionToken,
			Region: cfg.Region, Service: "s3", Style: sigv4.Literal, Keys: &keys,
		},
		breaker: breaker{now: now}, slots: make(chan struct{}, cfg.MaxConnections),
	}
	if secured == nil && !cfg.VirtualHost && base.Port() != "" {
		own := &pool{dial: dialer.DialContext, address: base.Host, most: cfg.MaxConnections}
		e.pool, e.idle = own, own.CloseIdleConnections
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.stopped.Go(func() { e.watch(ctx) })
	return e, nil
}

// Close ends the looks at the service and closes connections that are not in use. Transfers go on to their end.
func (e *Endpoint) Close() {
	e.stop()
	e.stopped.Wait()
	e.idle()
}

// Name is what the service is called here.
func (e *Endpoint) Name() string { return e.cfg.Name }

// Health is how the service is doing.
func (e *Endpoint) Health() Health { return e.breaker.health() }

// Bounds of what a service may answer.
const (
	maxAnswerHeader   = 64 << 10
	maxAnswerDocument = 8 << 20 // a page of 1000 versions with keys of 1024 bytes, each encoded threefold
	maxErrorDocument  = 64 << 10
)

// call is a request to the service.
type call struct {
	method, bucket, key string // there; without a key it is about the bucket, without both about the service
	query               query
	header              http.Header
	body                *outgoing // nil for none
	// repeatable says that asking twice does the same as asking once.
	repeatable bool
	// patience replaces the time that the service has to begin its answer.
	patience time.Duration
}

// query is a query string in the making.
type query struct{ b strings.Builder }

func (q *query) flag(name string) *query { return q.add(name, "") }

func (q *query) add(name, value string) *query {
	if q.b.Len() > 0 {
		q.b.WriteByte('&')
	}
	q.b.WriteString(name)
	q.b.WriteByte('=')
	q.b.WriteString(escape(value, false))
	return q
}

// given adds a parameter that has a value.
func (q *query) given(name, value string) *query {
	if value == "" {
		return q
	}
	return q.add(name, value)
}

const upperHex = "0123456789ABCDEF"

// escape encodes everything but the unreserved characters of RFC 3986 §2.3, as signatures want it.
func escape(s string, keepSlash bool) string {
	plain := true
	for i := range len(s) {
		if !unreserved(s[i]) && (s[i] != '/' || !keepSlash) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := range len(s) {
		if c := s[i]; unreserved(c) || c == '/' && keepSlash {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// document gives a call a small body, with the digests that S3 wants of it.
func (c *call) document(text []byte) {
	sum := md5.Sum(text) //nolint:gosec // see import
	c.set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	c.set("Content-Type", "application/xml")
	hash := sha256.Sum256(text)
	c.body = inMemory(text, hex.EncodeToString(hash[:]))
}

func (c *call) set(name, value string) {
	if value == "" {
		return
	}
	if c.header == nil {
		c.header = make(http.Header, 8)
	}
	c.header[name] = []string{value}
}

// unsigned is the payload hash of a content that is not hashed: TLS and checksums protect it.
const (
	unsigned          = "UNSIGNED-PAYLOAD"
	unsignedTrailer   = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	emptyHash         = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	attempts          = 3
	pauseBeforeRepeat = 50 * time.Millisecond
)

// request makes the HTTP request of a call, signed.
func (e *Endpoint) request(ctx context.Context, c *call) (*http.Request, error) {
	u := &url.URL{Scheme: e.base.Scheme, Host: e.base.Host, RawQuery: c.query.b.String()}
	switch {
	case c.bucket == "":
		u.Path = "/"
	case e.cfg.VirtualHost:
		u.Host = c.bucket + "." + e.base.Host
		u.Path = "/" + c.key
	case c.key == "":
		u.Path = "/" + c.bucket
	default:
		u.Path = "/" + c.bucket + "/" + c.key
	}
	u.RawPath = escape(u.Path, true)
	header := c.header
	if header == nil {
		header = make(http.Header, 4)
	}
	header["User-Agent"] = []string{"lakegate"}
	r := &http.Request{Method: c.method, URL: u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	hash := emptyHash
	if c.body != nil {
		hash = c.body.hash
		r.ContentLength = c.body.size
		if r.Body = c.body; c.body.size == 0 {
			r.Body = http.NoBody
		}
	}
	if _, err := e.signer.Sign(r, hash, e.now()); err != nil {
		return nil, err
	}
	return r.WithContext(ctx), nil
}

// errNoConnection says that a request was not made: all connections are in use, or the service is known to be down.
var (
	errNoConnection = errors.New("no connection is free")
	errOpen         = errors.New("the service has not answered for a while")
)

// answer is what the service said. Its body ends with an error when it stalls, is shorter than announced, or is closed.
type answer struct {
	*http.Response
	body *incoming
}

// close gives the connection back.
func (a *answer) close() { _ = a.body.Close() }

// do makes a call, more than once where that is harmless. A status of the service, whichever, is no error.
func (e *Endpoint) do(ctx context.Context, c *call) (*answer, error) {
	var a *answer
	var err error
	for attempt := range attempts {
		if attempt > 0 {
			if !sleep(ctx, pauseBeforeRepeat<<attempt) {
				return nil, context.Cause(ctx)
			}
			e.log.DebugContext(ctx, "ask again", slog.String("method", c.method), slog.Any("error", err))
		}
		a, err = e.once(ctx, c)
		switch {
		case ctx.Err() != nil || errors.Is(err, errNoConnection) || errors.Is(err, errOpen):
			return a, err
		case err != nil:
			if !c.repeatable && !neverSent(c, err) {
				return nil, err
			}
		case c.repeatable && isPassing(a.StatusCode) && attempt < attempts-1:
			a.close()
			err = fmt.Errorf("status %d", a.StatusCode)
		default:
			return a, nil
		}
	}
	return a, err
}

// isPassing are answers that may be another one the next time.
func isPassing(status int) bool {
	return status == http.StatusInternalServerError || status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// neverSent says that the service cannot have seen anything of the request.
func neverSent(c *call, err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return c.body == nil || !c.body.started()
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once makes a call once.
func (e *Endpoint) once(ctx context.Context, c *call) (*answer, error) {
	if !e.breaker.allow() {
		return nil, errOpen
	}
	select {
	case e.slots <- struct{}{}:
	default:
		if !e.wait(ctx) {
			e.breaker.undecided()
			return nil, errNoConnection
		}
	}
	patience := e.cfg.AnswerTimeout
	if c.patience > 0 {
		patience = c.patience
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := newWatch(cancel, patience, e.cfg.StallTimeout)
	release := func() {
		w.stop()
		cancel(nil)
		<-e.slots
	}
	r, err := e.request(ctx, c)
	if err != nil {
		release()
		e.breaker.undecided()
		return nil, err
	}
	if c.body != nil {
		c.body.watch = w
	}
	w.begin(c.body == nil || c.body.size == 0)
	res, err := e.pool.RoundTrip(r)
	if err != nil {
		e.judge(ctx, c, err)
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		release()
		return nil, err
	}
	w.answered()
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		e.breaker.failed(fmt.Sprintf("it answers with status %d", res.StatusCode))
	default:
		e.breaker.succeeded()
	}
	return &answer{Response: res, body: &incoming{r: res.Body, left: res.ContentLength, watch: w, release: release}}, nil
}

// wait waits for a connection for a second at most: a service that is too slow for its load is not to fill the server with
// requests that wait for it.
func (e *Endpoint) wait(ctx context.Context) bool {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case e.slots <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// judge tells the breaker of a request that failed. One that its client gave up, or whose content was bad, says nothing of
// the service.
func (e *Endpoint) judge(ctx context.Context, c *call, err error) {
	cause := context.Cause(ctx)
	switch {
	case c.body != nil && c.body.failed() != nil:
		e.breaker.undecided()
	case cause != nil && !errors.Is(cause, errStalled):
		e.breaker.undecided()
	default:
		if cause != nil {
			err = cause
		}
		e.breaker.failed(explain(err))
	}
}

// watch looks at the service from time to time: at one that is down, so that it is used again as soon as it is up, and at
// one that nobody uses, so that its health is known.
func (e *Endpoint) watch(ctx context.Context) {
	t := time.NewTicker(e.cfg.HealthInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		looking, cancel := context.WithTimeout(ctx, e.cfg.ConnectTimeout+e.cfg.AnswerTimeout)
		before := e.Health()
		if a, err := e.once(looking, &call{method: http.MethodGet}); err == nil {
			_, _ = io.CopyN(io.Discard, a.body, maxErrorDocument)
			a.close()
		}
		cancel()
		if after := e.Health(); after.Up != before.Up {
			e.log.WarnContext(ctx, "the storage changed its state", slog.Bool("up", after.Up), slog.String("cause", after.Cause))
		}
	}
}
