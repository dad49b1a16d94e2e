package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/lakegate/lakegate/internal/visit"
)

// How long a provider's discovery document is believed, and for how long an old one stands in when a new one cannot be had.
const (
	metadataTime  = time.Hour
	metadataStale = 24 * time.Hour
	// retryTime is how long a failure is remembered, so that nobody can make the server knock at a provider without end.
	retryTime    = 10 * time.Second
	maxProviders = 256
	// maxAhead is how far in the future a provider's clock may put the making of a token.
	maxAhead = 5 * time.Minute
)

// relying is Lakegate as the relying party of the instances' providers.
type relying struct {
	visitor *visit.Visitor
	now     func() time.Time

	flights singleflight.Group
	mu      sync.Mutex
	known   map[string]*metadata
}

// metadata is what a provider says of itself.
type metadata struct {
	provider *oidc.Provider
	// basic says that the provider takes the client's secret in the header, as every provider has to that says nothing.
	basic bool
	// responseIssuer says that the provider names itself in its answers (RFC 9207).
	responseIssuer bool
	read           time.Time
	failed         time.Time
	err            error
}

func newRelying(v *visit.Visitor, now func() time.Time) *relying {
	return &relying{visitor: v, now: now, known: map[string]*metadata{}}
}

// metadataOf returns what the provider with the issuer URL says of itself.
func (r *relying) metadataOf(ctx context.Context, issuer string) (*metadata, error) {
	now := r.now()
	r.mu.Lock()
	m := r.known[issuer]
	r.mu.Unlock()
	switch {
	case m == nil:
	case m.provider != nil && now.Sub(m.read) < metadataTime:
		return m, nil
	case now.Sub(m.failed) < retryTime:
		return m.usable(now)
	}
	flight := r.flights.DoChan(issuer, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*visit.Time)
		defer cancel()
		return r.read(ctx, issuer, m), nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case f := <-flight:
		return f.Val.(*metadata).usable(now)
	}
}

func (m *metadata) usable(now time.Time) (*metadata, error) {
	if m.provider == nil || now.Sub(m.read) >= metadataStale {
		return nil, m.err
	}
	return m, nil
}

func (r *relying) read(ctx context.Context, issuer string, before *metadata) *metadata {
	now := r.now()
	m := &metadata{}
	if before != nil {
		*m = *before
	}
	// The library refuses a document that names another issuer.
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, r.visitor.Client()), issuer)
	var document struct {
		AuthURL        string   `json:"authorization_endpoint"`
		Methods        []string `json:"token_endpoint_auth_methods_supported"`
		ResponseIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err == nil {
		err = p.Claims(&document)
	}
	if err == nil {
		err = r.visitor.CheckURL(document.AuthURL) // a browser is sent there
	}
	if err != nil {
		m.failed, m.err = now, fmt.Errorf("read the provider's discovery document: %w", err)
	} else {
		basic := len(document.Methods) == 0 || slices.Contains(document.Methods, "client_secret_basic")
		m = &metadata{provider: p, basic: basic, responseIssuer: document.ResponseIssuer, read: now}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxProviders {
		clear(r.known)
	}
	r.known[issuer] = m
	return m
}

func (m *metadata) config(p *Provider, secret, redirectURI string) *oauth2.Config {
	endpoint := m.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	if secret != "" && m.basic {
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: redirectURI, Scopes: p.Scopes}
}

// begin returns where a browser signs in; again has the provider ask who it is, even if it knows.
func (r *relying) begin(ctx context.Context, p *Provider, redirectURI string, f *flow, again bool) (string, error) {
	m, err := r.metadataOf(ctx, p.Issuer)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return m.config(p, "", redirectURI).AuthCodeURL(f.State, options...), nil
}

// finish redeems the code that the provider answered with, and returns the claims of its ID token. responseIssuer is the iss
// of the answer, if it had one.
func (r *relying) finish(ctx context.Context, p *Provider, secret, redirectURI, code, responseIssuer string, f *flow) (map[string]any, error) {
	m, err := r.metadataOf(ctx, p.Issuer)
	if err != nil {
		return nil, err
	}
	if responseIssuer != "" && responseIssuer != p.Issuer || responseIssuer == "" && m.responseIssuer {
		return nil, fmt.Errorf("the answer is of the issuer %.256q, not %q", responseIssuer, p.Issuer)
	}
	ctx = oidc.ClientContext(ctx, r.visitor.Client())
	tokens, err := m.config(p, secret, redirectURI).Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, fmt.Errorf("redeem code: the provider answered %s, %.100q", refused.Response.Status, refused.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("redeem code: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return nil, errors.New("the provider answered without an ID token")
	}
	// Issuer, audience, signature and expiry are the library's; what it leaves to us follows.
	id, err := m.provider.Verifier(&oidc.Config{ClientID: p.ClientID, Now: r.now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("verify ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return nil, errors.New("verify ID token: its nonce is not that of this sign-in")
	}
	if !r.now().Before(id.Expiry) { // the library takes the last instant in
		return nil, errors.New("verify ID token: it has expired")
	}
	if id.IssuedAt.After(r.now().Add(maxAhead)) {
		return nil, errors.New("verify ID token: it was made in the future")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("read ID token: %w", err)
	}
	// OpenID Connect Core §3.1.3.7, 4 and 5.
	if azp, _ := claims["azp"].(string); (azp != "" || len(id.Audience) > 1) && azp != p.ClientID {
		return nil, fmt.Errorf("verify ID token: it was made for %.100q", azp)
	}
	return claims, nil
}

// valueOf finds the claim at a path such as oid, or attributes.employee. An address that the provider says nobody verified
// is nobody's: else whoever may choose an address would be whom they choose.
func valueOf(claims map[string]any, path string) (string, error) {
	if v, ok := claims["email_verified"]; ok && path == "email" && v != true && v != "true" {
		return "", errors.New("the provider says that the email address was not verified")
	}
	at, whole := claims[path] // a claim may have a dot in its name
	if !whole {
		at = claims
		for name := range strings.SplitSeq(path, ".") {
			m, _ := at.(map[string]any)
			at = m[name]
		}
	}
	text, _ := at.(string)
	if text == "" || len(text) > 1024 {
		return "", fmt.Errorf("the ID token has no text at %q", path)
	}
	return text, nil
}
