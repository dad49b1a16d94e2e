// Package dataapp is the reference data application: a small web program that shows a person the sales figures that they
// may see, and nothing else. It has no list of rights of its own. It knows OpenID Connect and the public AWS SDK, and it
// would run against AWS unchanged; where the services are is a matter of the SDK's own environment.
//
// The chain behind each page, in the order of the calls:
//
//	sign in               authorization code with PKCE at the identity provider   → an ID token
//	CreateTokenWithIAM    the ID token, as the application                         → an identity context
//	AssumeRole            the identity context, as the application                 → a session in the person's name
//	GetDataAccess         s3://bucket/prefix/*, READ, in the person's name         → credentials of one access grant
//	ListObjectsV2, GetObject  with those credentials                               → sales-2026-11.csv → a pie chart
//
// Each link has its own life and is renewed from the one before it: credentials by GetDataAccess, the session by AssumeRole
// while the identity context lives, the identity context by a fresh ID token (an ID token can be exchanged once), the ID
// token by the provider's refresh token; and where that ends, by asking the person to sign in again.
//
// What it promises: a session belongs to one person, and everything that was issued for that person hangs on that session,
// so no cache can serve one person's credentials to another; figures are read anew for each page, so that a right that is
// gone is gone; credentials that storage refuses are not used again; whatever grows has a bound.
package dataapp

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	sessionLife  = 8 * time.Hour
	maxSessions  = 10_000
	requestLimit = 30 * time.Second
	maxForm      = 8 << 10
)

// App is the application. It is an http.Handler and safe for concurrent use.
type App struct {
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	provider *provider
	chain    *chain
	sessions *sessions
	attempts *attempts
	pages    *pages
	handler  http.Handler
}

// New makes the application. It calls nobody: the identity provider is asked for its configuration at the first sign-in, so
// the two may start in any order.
func New(cfg Config) (*App, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	pages, err := newPages()
	if err != nil {
		return nil, err
	}
	attempts, err := newAttempts(cfg.Now)
	if err != nil {
		return nil, err
	}
	provider := &provider{
		issuer: cfg.Issuer, clientID: cfg.ClientID, clientSecret: cfg.ClientSecret,
		redirect: cfg.URL.JoinPath("callback").String(), client: boundedClient(cfg.HTTP), now: cfg.Now,
	}
	a := &App{
		cfg: cfg, log: cfg.Log, now: cfg.Now, provider: provider, attempts: attempts, pages: pages,
		sessions: newSessions(maxSessions, sessionLife, cfg.Now),
		chain: &chain{
			application: cfg.ApplicationARN, role: cfg.IdentityRoleARN, account: cfg.AccessGrantsAccount,
			tokens: ssooidc.NewFromConfig(cfg.AWS), sts: sts.NewFromConfig(cfg.AWS), grants: s3control.NewFromConfig(cfg.AWS),
			aws: cfg.AWS, pathStyle: cfg.PathStyle, provider: provider, now: cfg.Now,
		},
	}
	if a.handler, err = a.routes(); err != nil {
		return nil, err
	}
	return a, nil
}

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

func (a *App) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /signin", a.signIn)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /signout", a.signOut)
	mux.HandleFunc("GET /try", a.signedIn(a.tryForm))
	mux.HandleFunc("POST /try", a.signedIn(a.tryLocation))
	mux.Handle("GET /assets/{file}", a.pages.assets())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, Problem{Status: http.StatusNotFound, Sentence: "There is no such page."}, nil)
	})

	crossOrigin := http.NewCrossOriginProtection()
	// Behind a proxy the Host header need not be the origin that the browser sees.
	if err := crossOrigin.AddTrustedOrigin(a.cfg.origin()); err != nil {
		return nil, err
	}
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, Problem{Status: http.StatusForbidden, Sentence: "That request came from another site and was not carried out."}, nil)
	}))
	return a.envelope(crossOrigin.Handler(mux)), nil
}

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// envelope does what every request needs: a request id, the headers that keep a page to itself, bounds, one line of log.
func (a *App) envelope(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.now()
		id := rand.Text()
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), requestIDKey{}, id), requestLimit)
		defer cancel()

		h := w.Header()
		h.Set("X-Request-Id", id)
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "+
			"base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if a.cfg.secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}

		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		// The path alone: the query of /callback carries the authorization code.
		a.log.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("request_id", id), slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", answer.status), slog.Duration("took", a.now().Sub(start)))
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// signedIn lets a handler see nobody but a person who has signed in.
func (a *App) signedIn(next func(http.ResponseWriter, *http.Request, *person)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, ok := a.person(r)
		if !ok {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		next(w, r, p)
	}
}

func (a *App) home(w http.ResponseWriter, r *http.Request) {
	p, ok := a.person(r)
	if !ok {
		a.show(w, r, http.StatusOK, "welcome", page{Title: "Sign in", SignedOut: r.URL.Query().Has("signed-out")})
		return
	}
	a.report(w, r, p)
}

// fail shows a problem on a page of its own and logs what lies behind it.
func (a *App) fail(w http.ResponseWriter, r *http.Request, problem Problem, cause error) {
	p, _ := a.person(r)
	a.logProblem(r, problem, cause)
	a.show(w, r, problem.Status, "problem", page{Title: problem.Title(), Person: p, Problem: &problem})
}

func (a *App) logProblem(r *http.Request, problem Problem, cause error) {
	level := slog.LevelInfo
	if !problem.Refused && problem.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("request_id", requestID(r.Context())), slog.String("says", problem.Sentence)}
	if problem.RequestID != "" {
		attrs = append(attrs, slog.String("service_request_id", problem.RequestID))
	}
	if cause != nil && !errors.Is(cause, context.Canceled) {
		attrs = append(attrs, slog.Any("error", cause))
	}
	a.log.LogAttrs(r.Context(), level, "problem shown", attrs...)
}
