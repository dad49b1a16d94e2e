package devidp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// grant is what a person's sign-in to a client allowed. It is what a code, a refresh token and an access token stand for.
type grant struct {
	ClientID string    `json:"client"`
	OID      string    `json:"oid"`
	Scopes   []string  `json:"scopes"`
	AuthTime time.Time `json:"authTime"`
	// Family names everything that comes of one code, to revoke it together.
	Family string `json:"family"`
	// Session is the digest of the browser's session.
	Session string `json:"-"`

	// These matter to the code alone.
	RedirectURI string `json:"-"`
	Challenge   string `json:"-"`
	Nonce       string `json:"-"`
	MaxAge      bool   `json:"-"` // max_age was asked for, so auth_time is owed
}

// Override changes the claims of a token before it is signed.
type Override func(claims map[string]any)

// WithClaim sets a claim, such as aud, iss or oid, to a value of one's own.
func WithClaim(name string, value any) Override {
	return func(claims map[string]any) { claims[name] = value }
}

// WithoutClaim leaves a claim out.
func WithoutClaim(name string) Override {
	return func(claims map[string]any) { delete(claims, name) }
}

// WithNonce sets the nonce.
func WithNonce(nonce string) Override { return WithClaim(claimNonce, nonce) }

// WithIssuedAt moves iat and nbf to a time, and exp along with them.
func WithIssuedAt(t time.Time) Override {
	return func(claims map[string]any) {
		iat, _ := claims["iat"].(int64)
		exp, _ := claims["exp"].(int64)
		claims["iat"], claims["nbf"], claims["exp"] = t.Unix(), t.Unix(), t.Unix()+exp-iat
	}
}

const claimNonce = "nonce"

// IssueToken returns an ID token for a person, named by userName or oid, and a client, as if they had just signed in
// with the scopes openid, profile and email. Overrides can make it anything, including a token that must be refused.
func (p *Provider) IssueToken(ctx context.Context, userName, clientID string, overrides ...Override) (string, error) {
	b := p.book.Load()
	u, err := b.user(userName)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	if !u.IsActive() {
		return "", fmt.Errorf("issue token: %q: %w", userName, ErrDisabled)
	}
	if b.clients[clientID] == nil {
		return "", fmt.Errorf("issue token: %q: %w", clientID, ErrNoClient)
	}
	if err := context.Cause(ctx); err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	return p.idToken(u, grant{
		ClientID: clientID,
		Scopes:   []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail},
		AuthTime: p.now(),
	}, overrides...)
}

// idToken signs the ID token of a grant. The claims are those of Entra's v2.0 tokens and no others; aud is a string, as
// there, and not a list of one.
func (p *Provider) idToken(u *User, g grant, overrides ...Override) (string, error) {
	now := p.now()
	claims := map[string]any{
		"iss": p.Issuer(),
		"aud": g.ClientID,
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(p.life).Unix(),
		"uti": secret(16),
		"ver": "2.0",
	}
	if g.Nonce != "" {
		claims[claimNonce] = g.Nonce
	}
	if g.MaxAge {
		claims["auth_time"] = g.AuthTime.Unix()
	}
	maps.Copy(claims, p.personClaims(u, g))
	for _, o := range overrides {
		o(claims)
	}
	return p.keys.sign(claims)
}

// personClaims are the claims about the person that the scopes of a grant open.
func (p *Provider) personClaims(u *User, g grant) map[string]any {
	claims := map[string]any{
		"sub": p.keys.subject(u.OID, g.ClientID),
		"tid": p.Tenant(),
	}
	if slices.Contains(g.Scopes, oidc.ScopeProfile) {
		claims["oid"] = u.OID
		claims["name"] = u.DisplayName
		claims["preferred_username"] = u.UserName
	}
	if slices.Contains(g.Scopes, oidc.ScopeEmail) {
		claims["email"] = u.Email
	}
	return claims
}
