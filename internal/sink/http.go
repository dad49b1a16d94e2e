package sink

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/hook"
	"github.com/lakegate/lakegate/internal/trail"
)

// HTTP is what sinks that post have in common.
type HTTP struct {
	// URL is where deliveries are posted: https, or http on loopback.
	URL string `yaml:"url"`
	// Headers are sent with each delivery, such as Authorization. Their values are references: file:PATH or env:NAME.
	Headers map[string]string `yaml:"headers"`
	// Compress posts with Content-Encoding gzip.
	Compress bool `yaml:"compress"`
	// TimeoutSeconds bounds a delivery; default 30.
	TimeoutSeconds int `yaml:"timeout_seconds"`
	// CAFile holds the certificates (PEM) that the server's must be signed by; empty takes those of the system.
	CAFile string `yaml:"ca_file"`
	// ClientCertificateFile and ClientKeyFile (PEM) are shown to the server.
	ClientCertificateFile string `yaml:"client_certificate_file"`
	ClientKeyFile         string `yaml:"client_key_file"`
}

// ours are the headers that no setting may change.
var ours = map[string]bool{
	"Host": true, "Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Transfer-Encoding": true, "Connection": true,
	hook.SignatureHeader: true, hook.DeliveryHeader: true,
}

func (c *HTTP) check() error {
	if err := hook.CheckURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	for name := range c.Headers {
		if !isToken(name) || ours[textproto.CanonicalMIMEHeaderKey(name)] {
			return fmt.Errorf("headers: %.100q is not one that can be set", name)
		}
	}
	if c.TimeoutSeconds < 0 || c.TimeoutSeconds > 600 {
		return fmt.Errorf("timeout_seconds %d: want 1 to 600", c.TimeoutSeconds)
	}
	if (c.ClientCertificateFile == "") != (c.ClientKeyFile == "") {
		return errors.New("client_certificate_file and client_key_file go together")
	}
	return nil
}

// isToken reports whether a text is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// poster posts bodies to one URL.
type poster struct {
	url      string
	header   http.Header
	compress bool
	client   http.Client
	now      func() time.Time
	packed   bytes.Buffer
	// secrets are what no answer may bring into a log.
	secrets []string
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

func newPoster(c *HTTP, env Env) (*poster, error) {
	p := &poster{url: c.URL, header: http.Header{"User-Agent": {"lakegate"}}, compress: c.Compress, now: env.Now}
	for name, ref := range c.Headers {
		value, err := env.Refer(ref)
		if err != nil {
			return nil, fmt.Errorf("headers: %s: %w", name, err)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("headers: %s: the value has control characters", name)
		}
		p.header.Set(name, value)
		p.secrets = append(p.secrets, partsOf(value)...)
	}
	if u, err := url.Parse(c.URL); err == nil {
		for _, values := range u.Query() {
			p.secrets = append(p.secrets, values...)
		}
	}
	trust, err := trusted(c.CAFile, c.ClientCertificateFile, c.ClientKeyFile)
	if err != nil {
		return nil, err
	}
	wait := 30 * time.Second
	if c.TimeoutSeconds > 0 {
		wait = time.Duration(c.TimeoutSeconds) * time.Second
	}
	dialer := &net.Dialer{Timeout: wait}
	p.client = http.Client{
		Timeout: wait, CheckRedirect: hook.StayHere,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: trust, ForceAttemptHTTP2: true,
			MaxIdleConns: 1, MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10,
		},
	}
	return p, nil
}

// trusted is how TLS is spoken with a receiver; each file may be "".
func trusted(ca, certificate, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca_file: %s has no certificate", ca)
		}
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("client_certificate_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// refusal is an answer that takes nothing. What it says of itself goes into a log, without secrets.
type refusal struct {
	code int
	said string
}

func (r *refusal) Error() string {
	text := "it answered " + strconv.Itoa(r.code)
	if name := http.StatusText(r.code); name != "" {
		text += " " + name
	}
	if r.said != "" {
		text += fmt.Sprintf(": %q", r.said)
	}
	return text
}

// post posts a body and returns the answer's, if that says that it was taken.
func (p *poster) post(ctx context.Context, header http.Header, body []byte) ([]byte, error) {
	sent := body
	if p.compress {
		p.packed.Reset()
		z := gzip.NewWriter(&p.packed)
		if _, err := z.Write(body); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		sent = p.packed.Bytes()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(sent))
	if err != nil {
		return nil, errors.New("the URL is not usable")
	}
	for _, h := range []http.Header{p.header, header} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	if p.compress {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		// Without the URL, which may hold a token.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		// Taken is taken, even if the rest of the answer is lost; who needs it sees that it is not whole.
		return answer, nil
	}
	if err != nil {
		answer = nil
	}
	var failure error = &refusal{resp.StatusCode, masked(answer, p.secrets)}
	if after := retryAfter(resp.Header.Get("Retry-After"), p.now()); after > 0 {
		failure = &trail.RetryLater{After: after, Err: failure}
	}
	return nil, failure
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// retryAfter reads Retry-After (RFC 9110 §10.2.3): seconds, or a time.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
