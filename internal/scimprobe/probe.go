// Package scimprobe asks a SCIM endpoint what an identity provider would ask, with people and a group of its own that it
// takes away at the end: is the token good, is nobody found as nobody, can somebody be made, found, changed, disabled, put
// into a group and out of it. Each step passes, fails with the exchange in which it failed, or passes with a note on what
// some provider may stumble over. It knows an endpoint by HTTP alone, whoever's it is.
package scimprobe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Dialect is a way of speaking SCIM.
type Dialect string

// The dialects. With Entra, an endpoint that ends in ?aadOptscim062020 is asked in the form that this flag brings about.
const (
	Entra   Dialect = "entra"
	Okta    Dialect = "okta"
	Generic Dialect = "generic"
)

// Config says what to probe.
type Config struct {
	// Endpoint is the base URL, to which /Users is added. A query goes with every request.
	Endpoint, Token string
	Dialect         Dialect
	// Keep leaves the people and the group there.
	Keep bool
	// Done is called after each step.
	Done func(Step)
	// Transport may be nil.
	Transport http.RoundTripper
}

// Outcome is how a step ended.
type Outcome string

// The outcomes.
const (
	Pass Outcome = "ok"
	Fail Outcome = "FAIL"
	Skip Outcome = "skip"
)

// Step is one question to the endpoint.
type Step struct {
	Name    string
	Outcome Outcome
	// Why it failed or was skipped.
	Why   string
	Notes []string
	// Exchange is the last request of a step that failed, and its reply; nil when there was none.
	Exchange *Exchange
}

// Exchange is a request and its reply. The token is not in it.
type Exchange struct {
	Method, URL, Request string
	Status               int
	Reply                string
}

// The bounds of an exchange.
const (
	maxReply = 1 << 20
	maxShown = 4096
	patience = 30 * time.Second
)

// String is the step as lines of text, safe for a terminal: a reply is whatever the endpoint sends.
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-4s  %s\n", s.Outcome, s.Name)
	if s.Why != "" {
		fmt.Fprintf(&b, "      %s\n", plain(s.Why))
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "      note: %s\n", plain(n))
	}
	if x := s.Exchange; x != nil {
		fmt.Fprintf(&b, "      > %s %s\n", x.Method, plain(x.URL))
		if x.Request != "" {
			fmt.Fprintf(&b, "      > %s\n", plain(x.Request))
		}
		if x.Status != 0 {
			fmt.Fprintf(&b, "      < %d %s\n", x.Status, http.StatusText(x.Status))
		}
		if x.Reply != "" {
			fmt.Fprintf(&b, "      < %s\n", plain(x.Reply))
		}
	}
	return b.String()
}

func plain(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + " …"
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// Report counts the steps, and names by their paths what is still at the endpoint.
type Report struct {
	Passed, Failed, Skipped int
	Left                    []string
}

// Run probes an endpoint. An error says that it could not begin; what the endpoint does wrong is in the steps.
func Run(ctx context.Context, cfg Config) (Report, error) {
	base, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return Report{}, fmt.Errorf("parse endpoint: %w", err)
	}
	if base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.User != nil || base.Fragment != "" {
		return Report{}, errors.New("the endpoint must be an http or https URL, without a user")
	}
	if cfg.Token == "" {
		return Report{}, errors.New("a token is needed")
	}
	if !slices.Contains([]Dialect{Entra, Okta, Generic}, cfg.Dialect) {
		return Report{}, fmt.Errorf("there is no dialect %q: entra, okta and generic are known", cfg.Dialect)
	}
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/"), ""
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	p := &probe{
		Config: cfg, base: base, name: "lakegate-probe-" + hex.EncodeToString(random[:]),
		// A redirect would take the token somewhere else; no provider follows one.
		http: &http.Client{Transport: cfg.Transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		flag: base.Query().Has("aadOptscim062020"),
	}
	p.all(ctx)
	if !cfg.Keep {
		// Also after an interrupt: what was made is taken away.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		p.step(ctx, "clean up", p.cleanUp)
	}
	p.report.Left = p.made
	return p.report, nil
}

// probe is one run.
type probe struct {
	Config
	base *url.URL
	http *http.Client
	// name begins the names of what is made.
	name string
	flag bool

	report Report
	// made are the paths of what is there, in the order of its making.
	made []string
	last *Exchange
	note []string
}

// fault is what an endpoint does wrong.
type fault string

func (f fault) Error() string { return string(f) }

func wrong(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }

// step asks one question and reports how it went.
func (p *probe) step(ctx context.Context, name string, ask func(context.Context) error) bool {
	p.last, p.note = nil, nil
	s := Step{Name: name, Outcome: Pass}
	if err := ask(ctx); err != nil {
		s.Outcome, s.Why, s.Exchange = Fail, err.Error(), p.last
	}
	s.Notes = p.note
	p.done(s)
	return s.Outcome == Pass
}

func (p *probe) done(s Step) {
	switch s.Outcome {
	case Pass:
		p.report.Passed++
	case Fail:
		p.report.Failed++
	case Skip:
		p.report.Skipped++
	}
	if p.Done != nil {
		p.Done(s)
	}
}

func (p *probe) skip(why string, names ...string) {
	for _, n := range names {
		p.done(Step{Name: n, Outcome: Skip, Why: why})
	}
}

func (p *probe) remark(format string, args ...any) {
	p.note = append(p.note, fmt.Sprintf(format, args...))
}

// object is a JSON object.
type object = map[string]any

// reply is what came back. body is nil when there was none, or no JSON object.
type reply struct {
	status int
	header http.Header
	body   object
}

// ask sends a request and holds the status against those that are good. A path begins with a slash; query is added to that
// of the endpoint.
func (p *probe) ask(ctx context.Context, method, path string, query url.Values, body object, good ...int) (reply, error) {
	return p.askAs(ctx, p.Token, method, path, query, body, good...)
}

func (p *probe) askAs(ctx context.Context, token, method, path string, query url.Values, body object, good ...int) (reply, error) {
	u := *p.base
	u.Path += path
	if q := query.Encode(); q != "" && u.RawQuery != "" {
		u.RawQuery += "&" + q
	} else {
		u.RawQuery += q
	}
	p.last = &Exchange{Method: method, URL: u.String()}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return reply{}, fmt.Errorf("encode request: %w", err)
		}
		p.last.Request, content = string(text), bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return reply{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/scim+json, application/json")
	req.Header.Set("User-Agent", "lakegate-scim-test")
	if body != nil {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return reply{}, wrong("there was no reply: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return reply{}, wrong("the reply ended early: %v", err)
	}
	p.last.Status, p.last.Reply = resp.StatusCode, string(text)
	r := reply{status: resp.StatusCode, header: resp.Header}
	if !slices.Contains(good, r.status) {
		return r, wrong("the status is %d, want %s%s", r.status, strings.Trim(strings.ReplaceAll(fmt.Sprint(good), " ", " or "), "[]"), hint(r.status))
	}
	if len(text) > maxReply {
		return r, wrong("the reply is larger than %d bytes", maxReply)
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &r.body); err != nil {
			return r, wrong("the reply is not a JSON object: %v", err)
		}
	}
	return r, nil
}

// hint says what a status most often means here.
func hint(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return ": the token is not valid for this endpoint"
	case http.StatusTooManyRequests:
		return ": the endpoint asks for fewer requests"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return ": providers do not follow redirects; give the URL that it leads to"
	}
	return ""
}

// isLoopback reports whether a host is this machine, where plain HTTP is harmless.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// cleanUp deletes what is still there, the last first.
func (p *probe) cleanUp(ctx context.Context) error {
	var errs []error
	var left []string
	for _, path := range slices.Backward(p.made) {
		if _, err := p.ask(ctx, http.MethodDelete, path, nil, nil, http.StatusNoContent, http.StatusOK, http.StatusNotFound); err != nil {
			errs = append(errs, fmt.Errorf("%s is left behind: %w", path, err))
			left = append(left, path)
		}
	}
	p.made = left
	return errors.Join(errs...)
}
