package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
	issuers "github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/visit"
	"github.com/lakegate/lakegate/internal/wire"
)

const (
	management = centertest.Management
	member     = centertest.Member
	audience   = "0f8fad5b-d9cb-469f-a165-70867728950e"
	webURL     = "https://gate.example.com"
	scopeS3    = "s3:access_grants:read_write"
)

// issuer is a real OpenID Connect issuer, as far as discovery and keys go.
type issuer struct {
	*httptest.Server
	visits atomic.Int64

	mu        sync.Mutex
	keys      map[string]crypto.Signer
	algorithm map[string]jose.SignatureAlgorithm
	discovery func(w http.ResponseWriter, r *http.Request)
	jwks      func(w http.ResponseWriter, r *http.Request)
	cache     string
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })

func newRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func newEC(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]crypto.Signer{"one": rsaKey()}, algorithm: map[string]jose.SignatureAlgorithm{"one": jose.RS256}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		if i.discovery != nil {
			i.discovery(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/jwks"})
	case "/jwks":
		i.visits.Add(1)
		if i.jwks != nil {
			i.jwks(w, r)
			return
		}
		if i.cache != "" {
			w.Header().Set("Cache-Control", i.cache)
		}
		set := jose.JSONWebKeySet{}
		for id, k := range i.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: id})
		}
		_ = json.NewEncoder(w).Encode(set)
	default:
		http.NotFound(w, r)
	}
}

// publish changes what the issuer publishes.
func (i *issuer) publish(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// addKey publishes another key.
func (i *issuer) addKey(id string, alg jose.SignatureAlgorithm, k crypto.Signer) {
	i.publish(func() { i.keys[id], i.algorithm[id] = k, alg })
}

// sign makes a token under one of the issuer's keys.
func (i *issuer) sign(t testing.TB, kid string, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	k, alg := i.keys[kid], i.algorithm[kid]
	i.mu.Unlock()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signText(t, alg, k, map[string]any{"kid": kid, "typ": "JWT"}, string(payload))
}

// signText signs any payload under any key with any header.
func signText(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[string]any, payload string) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for k, v := range header {
		o = o.WithHeader(jose.HeaderKey(k), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// house is an identity center with an application that may exchange the issuer's tokens, and a person.
type house struct {
	*centertest.House
	tokens *token.Service
	keys   *token.Keyring
	ring   *session.Ring
	issuer *issuer
	tti    string
	app    string
	person string
	url    string // of the database
}

const actorPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sso-oauth:CreateTokenWithIAM","Resource":"*",
"Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/ApplicationRole"}}}}`

func run(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) { test(t, open(t, storetest.URL(t, engine), func(*token.Config) {})) })
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"), func(*token.Config) {})
}

func open(t testing.TB, url string, change func(*token.Config)) *house {
	t.Helper()
	h := &house{House: centertest.At(t, url), issuer: newIssuer(t), url: url}
	var err error
	if h.ring, err = session.OpenRing(t.Context(), h.DB); err != nil {
		t.Fatal(err)
	}
	if h.keys, err = token.OpenKeyring(t.Context(), h.DB, "ES256"); err != nil {
		t.Fatal(err)
	}
	cfg := token.Config{
		DB: h.DB, Center: h.Center, Directory: h.Directory, Contexts: h.ring, Authorizer: h.Authorizer, Keys: h.keys, WebURL: webURL, Issuers: issuers.NewKeys(visit.New(visit.Config{Development: true}), h.DB.Now),
	}
	change(&cfg)
	h.keys = cfg.Keys
	if h.tokens, err = token.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	h.tti = h.trust(t, h.issuer.URL, "oid", "externalId")
	h.app = h.newApplication(t, "App")
	h.requireAssignment(t, false)
	h.grantIssuer(t, h.tti, audience)
	h.putScope(t, scopeS3)
	h.person = h.Person(t, "mateo", "oid-of-mateo")
	return h
}

// newApplication makes an application that ApplicationRole may act as, and nothing else.
func (h *house) newApplication(t testing.TB, name string) string {
	t.Helper()
	out, err := h.Service.CreateApplication(h.As(t.Context(), member, "Admin"), &ssoadmin.CreateApplicationInput{
		InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: name,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.at(*out.ApplicationArn, func() { h.putPolicy(t, actorPolicy) })
	return *out.ApplicationArn
}

// at does something with another application.
func (h *house) at(app string, do func()) {
	own := h.app
	h.app = app
	do()
	h.app = own
}

func (h *house) trust(t testing.TB, url, claim, attribute string) string {
	t.Helper()
	out, err := h.Service.CreateTrustedTokenIssuer(h.As(t.Context(), management, "Admin"), &ssoadmin.CreateTrustedTokenIssuerInput{
		InstanceArn: h.Instance.ARN, Name: "Issuer", TrustedTokenIssuerType: "OIDC_JWT",
		TrustedTokenIssuerConfiguration: &ssoadmin.TrustedTokenIssuerConfiguration{OidcJwtConfiguration: &ssoadmin.OidcJwtConfiguration{
			IssuerUrl: url, ClaimAttributePath: claim, IdentityStoreAttributePath: attribute, JwksRetrievalOption: "OPEN_ID_DISCOVERY",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.TrustedTokenIssuerArn
}

func (h *house) grant(t testing.TB, kind string, g *ssoadmin.Grant) {
	t.Helper()
	_, err := h.Service.PutApplicationGrant(h.As(t.Context(), member, "Admin"), &ssoadmin.PutApplicationGrantInput{ApplicationArn: h.app, GrantType: ssoadmin.GrantType(kind), Grant: g})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) grantIssuer(t testing.TB, tti string, audiences ...string) {
	t.Helper()
	h.grant(t, center.GrantJWTBearer, &ssoadmin.Grant{JwtBearer: &ssoadmin.JwtBearerGrant{AuthorizedTokenIssuers: []ssoadmin.AuthorizedTokenIssuer{
		{TrustedTokenIssuerArn: &tti, AuthorizedAudiences: audiences},
	}}})
}

func (h *house) grantRefresh(t testing.TB) {
	t.Helper()
	h.grant(t, center.GrantRefreshToken, &ssoadmin.Grant{RefreshToken: &ssoadmin.RefreshTokenGrant{}})
}

func (h *house) putScope(t testing.TB, scope string, targets ...string) {
	t.Helper()
	_, err := h.Service.PutApplicationAccessScope(h.As(t.Context(), management, "Admin"), &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: h.app, Scope: scope, AuthorizedTargets: targets})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) putPolicy(t testing.TB, text string) {
	t.Helper()
	_, err := h.Service.PutApplicationAuthenticationMethod(h.As(t.Context(), member, "Admin"), &ssoadmin.PutApplicationAuthenticationMethodInput{
		ApplicationArn: h.app, AuthenticationMethodType: "IAM",
		AuthenticationMethod: &ssoadmin.AuthenticationMethod{Iam: &ssoadmin.IamAuthenticationMethod{ActorPolicy: json.RawMessage(text)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) requireAssignment(t testing.TB, required bool) {
	t.Helper()
	_, err := h.Service.PutApplicationAssignmentConfiguration(h.As(t.Context(), member, "Admin"), &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: h.app, AssignmentRequired: required})
	if err != nil {
		t.Fatal(err)
	}
}

// claims are those of a good token, each time another one, changed as a test wants: a nil value takes a claim away.
func (h *house) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": h.issuer.URL, "sub": "pairwise", "aud": audience, "oid": "oid-of-mateo", "jti": uuid.NewString(),
		"iat": h.Now().Unix(), "nbf": h.Now().Unix(), "exp": h.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (h *house) good(t testing.TB) string { return h.issuer.sign(t, "one", h.claims(nil)) }

// exchange asks for tokens as the application's role.
func (h *house) exchange(ctx context.Context, assertion string, scopes ...string) (*ssooidc.CreateTokenWithIAMOutput, error) {
	return h.tokens.CreateTokenWithIAM(h.As(ctx, member, "ApplicationRole"), &ssooidc.CreateTokenWithIAMInput{
		ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion, Scope: scopes,
	})
}

func (h *house) refresh(ctx context.Context, secret string, scopes ...string) (*ssooidc.CreateTokenWithIAMOutput, error) {
	return h.tokens.CreateTokenWithIAM(h.As(ctx, member, "ApplicationRole"), &ssooidc.CreateTokenWithIAMInput{
		ClientId: h.app, GrantType: center.GrantRefreshToken, RefreshToken: &secret, Scope: scopes,
	})
}

// refused asks for tokens, wants a refusal with the code at the step, and returns what the client reads.
func (h *house) refused(t testing.TB, in *ssooidc.CreateTokenWithIAMInput, wantCode, wantStep string) string {
	t.Helper()
	ctx, entry, ledger := h.Request(t.Context(), member, "ApplicationRole")
	out, err := h.tokens.CreateTokenWithIAM(ctx, in)
	if got := code(err); got != wantCode || out != nil {
		t.Fatalf("got %q (%v), want %q", got, err, wantCode)
	}
	if !ledger.Asked() {
		t.Error("nobody was asked for authorisation")
	}
	r := h.Record(t, ctx, entry, err, member)
	step := ""
	for _, s := range r.Extra.Steps {
		if s.Outcome == "fail" {
			step = s.Step
		}
	}
	if step != wantStep {
		t.Errorf("failed at %q, want %q; steps %v", step, wantStep, r.Extra.Steps)
	}
	e, _ := errors.AsType[*wire.Error](err)
	return e.Message
}

func (h *house) refusedAssertion(t testing.TB, assertion, step string) string {
	t.Helper()
	return h.refused(t, &ssooidc.CreateTokenWithIAMInput{ClientId: h.app, GrantType: center.GrantJWTBearer, Assertion: &assertion}, "InvalidGrantException", step)
}

func code(err error) string {
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return "not modelled: " + err.Error()
	}
	if e.Kind == wire.KindAccessDenied {
		return "AccessDeniedException"
	}
	return e.Code
}

func openWith(t testing.TB, algorithm string, change func(*token.Config)) *house {
	t.Helper()
	return open(t, storetest.URL(t, "sqlite"), func(c *token.Config) {
		keys, err := token.OpenKeyring(t.Context(), c.DB, algorithm)
		if err != nil {
			t.Fatal(err)
		}
		c.Keys = keys
		change(c)
	})
}

// signers is a key for each signature that is accepted.
func signers() map[jose.SignatureAlgorithm]crypto.Signer { return signerKeys() }

var signerKeys = sync.OnceValue(func() map[jose.SignatureAlgorithm]crypto.Signer {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	r := rsaKey()
	return map[jose.SignatureAlgorithm]crypto.Signer{
		jose.RS256: r, jose.RS384: r, jose.RS512: r, jose.PS256: r, jose.PS384: r, jose.PS512: r,
		jose.ES256: newEC(elliptic.P256()), jose.ES384: newEC(elliptic.P384()), jose.EdDSA: ed,
	}
})

// rows reads a column of the database.
func rows(t testing.TB, h *house, query string) (out []string) {
	t.Helper()
	err := h.DB.View(t.Context(), func(q store.Querier) (err error) {
		out, err = store.All(t.Context(), q, store.Text, query)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
