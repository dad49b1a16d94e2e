package dataapp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// errSignInAgain says that nothing is left to renew the person's identity from.
var errSignInAgain = errors.New("the person must sign in again")

// provider is the identity provider as its discovery document describes it, read at first use and kept.
type provider struct {
	issuer, clientID, clientSecret, redirect string

	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	known *discovered
}

type discovered struct {
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// discover asks at each call until it has succeeded once.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		return p.known, nil
	}
	found, err := oidc.NewProvider(p.with(ctx), p.issuer)
	if err != nil {
		return nil, fmt.Errorf("discover identity provider %s: %w", p.issuer, err)
	}
	p.known = &discovered{
		oauth: &oauth2.Config{
			ClientID: p.clientID, ClientSecret: p.clientSecret, Endpoint: found.Endpoint(), RedirectURL: p.redirect,
			Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
		},
		verifier: found.Verifier(&oidc.Config{ClientID: p.clientID, Now: p.now}),
	}
	return p.known, nil
}

func (p *provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// tokens is what the identity provider hands out for one person.
type tokens struct {
	idToken string
	expires time.Time
	refresh string
	claims  claims
}

type claims struct {
	Subject  string `json:"sub"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Username string `json:"preferred_username"`
	Nonce    string `json:"nonce"`
}

// redeem exchanges the code of a finished sign-in and checks that the ID token answers that very attempt.
func (p *provider) redeem(ctx context.Context, code string, t attempt) (tokens, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return tokens{}, err
	}
	reply, err := known.oauth.Exchange(p.with(ctx), code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		return tokens{}, fmt.Errorf("redeem authorization code: %w", err)
	}
	got, err := p.read(ctx, known, reply)
	if err != nil {
		return tokens{}, err
	}
	if subtle.ConstantTimeCompare([]byte(got.claims.Nonce), []byte(t.Nonce)) != 1 {
		return tokens{}, errors.New("check ID token: its nonce is of another sign-in")
	}
	return got, nil
}

// renew gets a new ID token by the refresh token. It is errSignInAgain when the provider will not give one.
func (p *provider) renew(ctx context.Context, old tokens) (tokens, error) {
	if old.refresh == "" {
		return tokens{}, fmt.Errorf("renew ID token: no refresh token was issued: %w", errSignInAgain)
	}
	known, err := p.discover(ctx)
	if err != nil {
		return tokens{}, err
	}
	reply, err := known.oauth.TokenSource(p.with(ctx), &oauth2.Token{RefreshToken: old.refresh}).Token()
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response.StatusCode < http.StatusInternalServerError {
		return tokens{}, fmt.Errorf("renew ID token: %s: %w", refused.ErrorCode, errSignInAgain)
	}
	if err != nil {
		return tokens{}, fmt.Errorf("renew ID token: %w", err)
	}
	if _, ok := reply.Extra("id_token").(string); !ok {
		return tokens{}, fmt.Errorf("renew ID token: the refresh brought none: %w", errSignInAgain)
	}
	got, err := p.read(ctx, known, reply)
	if err != nil {
		return tokens{}, err
	}
	// OpenID Connect Core §12.2: the subject must stay the same, else one person would go on in another's session.
	if got.claims.Subject != old.claims.Subject {
		return tokens{}, fmt.Errorf("renew ID token: its subject changed: %w", errSignInAgain)
	}
	return got, nil
}

func (p *provider) read(ctx context.Context, known *discovered, reply *oauth2.Token) (tokens, error) {
	raw, ok := reply.Extra("id_token").(string)
	if !ok {
		return tokens{}, errors.New("read ID token: the provider sent none")
	}
	token, err := known.verifier.Verify(p.with(ctx), raw)
	if err != nil {
		return tokens{}, fmt.Errorf("check ID token: %w", err)
	}
	got := tokens{idToken: raw, expires: token.Expiry, refresh: reply.RefreshToken}
	if err := token.Claims(&got.claims); err != nil {
		return tokens{}, fmt.Errorf("read claims of ID token: %w", err)
	}
	return got, nil
}

func (a *App) signIn(w http.ResponseWriter, r *http.Request) {
	known, err := a.provider.discover(r.Context())
	if err != nil {
		a.fail(w, r, Problem{
			Status: http.StatusBadGateway, Sentence: "The identity provider does not answer. Try again in a moment.",
		}, err)
		return
	}
	t := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	sealed, err := a.attempts.seal(t)
	if err != nil {
		a.fail(w, r, unexpected(), err)
		return
	}
	a.setCookie(w, attemptCookie, sealed, attemptLife)
	options := []oauth2.AuthCodeOption{oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)}
	if r.URL.Query().Has("choose") {
		// After a sign-out the provider may still know the browser; without this it would sign the same person in again.
		options = append(options, oauth2.SetAuthURLParam("prompt", "select_account"))
	}
	http.Redirect(w, r, known.oauth.AuthCodeURL(t.State, options...), http.StatusSeeOther)
}

func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	t, ok := a.attempts.open(a.cookie(r, attemptCookie))
	if !ok || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(t.State)) != 1 {
		a.fail(w, r, Problem{
			Status: http.StatusBadRequest, SignIn: true,
			Sentence: "This sign-in was not started in this browser, or it took too long. Start again.",
		}, nil)
		return
	}
	a.clearCookie(w, attemptCookie)
	if code := query.Get("error"); code != "" {
		a.fail(w, r, Problem{
			Status: http.StatusForbidden, Refused: true, SignIn: true, Sentence: "The identity provider did not sign you in.",
			Code: shorten(code, 80), Message: shorten(query.Get("error_description"), 300),
		}, nil)
		return
	}
	got, err := a.provider.redeem(r.Context(), query.Get("code"), t)
	if err != nil {
		a.fail(w, r, Problem{
			Status: http.StatusBadGateway, SignIn: true, Sentence: "The identity provider's answer could not be used. Start again.",
		}, err)
		return
	}
	a.sessions.end(a.cookie(r, sessionCookie))
	a.setCookie(w, sessionCookie, a.sessions.begin(newPerson(got)), sessionLife)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut ends the session here, and with it everything issued for it that this program holds. It does not end the
// person's session at the identity provider, which other applications share.
func (a *App) signOut(w http.ResponseWriter, r *http.Request) {
	a.sessions.end(a.cookie(r, sessionCookie))
	a.clearCookie(w, sessionCookie)
	http.Redirect(w, r, "/?signed-out", http.StatusSeeOther)
}

const maxProviderAnswer = 1 << 20

// boundedClient keeps an identity provider from filling the memory or holding a request for ever.
func boundedClient(base *http.Client) *http.Client {
	if base == nil {
		base = &http.Client{Timeout: 15 * time.Second}
	}
	bounded := *base
	bounded.Transport = boundedTransport{base.Transport}
	return &bounded
}

type boundedTransport struct{ base http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.base
	if base == nil {
		base = http.DefaultTransport
	}
	answer, err := base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, maxProviderAnswer)
	return answer, nil
}
