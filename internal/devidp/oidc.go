package devidp

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The paths below the issuer. Discovery names them; nobody needs to know them.
const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/keys"
	authorizePath = "/authorize"
	tokenPath     = "/token"
	userinfoPath  = "/userinfo"
	revokePath    = "/revoke"
	signInPath    = "/sign-in"
	logoutPath    = "/logout"
	stylePath     = "/style.css"
)

// protocol is the OpenID Connect face: the library takes requests apart and puts answers together, and asks protocol
// for what they mean.
type protocol struct {
	op.UnimplementedServer
	*Provider
}

// handler routes below the issuer's path. The library also takes token requests by GET and from a query; our mux, in
// front of it, lets POST through alone.
func (s protocol) handler() http.Handler {
	return op.RegisterServer(s, op.Endpoints{
		Authorization: op.NewEndpoint(authorizePath),
		Token:         op.NewEndpoint(tokenPath),
		Userinfo:      op.NewEndpoint(userinfoPath),
		Revocation:    op.NewEndpoint(revokePath),
		JwksURI:       op.NewEndpoint(keysPath),
	}, op.WithServerCORSOptions(nil)) // no page of another origin has business here
}

// Discovery is the discovery document. It names what this provider does and nothing that the library could do besides.
func (s protocol) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	iss := s.Issuer()
	return op.NewResponse(&oidc.DiscoveryConfiguration{
		Issuer:                            iss,
		AuthorizationEndpoint:             iss + authorizePath,
		TokenEndpoint:                     iss + tokenPath,
		UserinfoEndpoint:                  iss + userinfoPath,
		RevocationEndpoint:                iss + revokePath,
		EndSessionEndpoint:                iss + logoutPath,
		JwksURI:                           iss + keysPath,
		ScopesSupported:                   supportedScopes(),
		ResponseTypesSupported:            []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:            []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:               []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
		SubjectTypesSupported:             []string{"pairwise"},
		IDTokenSigningAlgValuesSupported:  []string{"RS256"},
		TokenEndpointAuthMethodsSupported: []oidc.AuthMethod{oidc.AuthMethodNone, oidc.AuthMethodBasic, oidc.AuthMethodPost},
		CodeChallengeMethodsSupported:     []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		ClaimsSupported: []string{
			"iss", "aud", "sub", "oid", "tid", "preferred_username", "name", "email", "uti", "ver", "iat", "nbf", "exp", "nonce", "auth_time",
		},
	}), nil
}

func supportedScopes() []string {
	return []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess}
}

// Keys is the set of public keys.
func (s protocol) Keys(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(s.keys.published()), nil
}

// request is an authorization request that waits for somebody to sign in.
type request struct {
	grant     // what a sign-in will allow; nobody's yet
	State     string
	LoginHint string
}

// VerifyAuthRequest finds the client and decides whether the redirect URI is its own. Until that is known, no error may
// be sent there: it would make this provider a way to send people anywhere.
func (s protocol) VerifyAuthRequest(_ context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	c := s.book.Load().clients[r.Data.ClientID]
	if c == nil {
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("unknown client_id")
	}
	if !redirectAllowed(c.RedirectURIs, r.Data.RedirectURI) {
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("redirect_uri is not one that the client registered")
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: relyingParty{c, r.Data.RedirectURI}}, nil
}

// challengeForm is base64url of a SHA-256, and verifierForm what RFC 7636 section 4.1 lets a verifier be.
var (
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifierForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// Authorize checks the rest of the request, then sends the browser to the sign-in page. The page is shown every time,
// also to who is signed in: choosing who to be is what a development provider is for. Only prompt=none answers at once.
func (s protocol) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	a := r.Data
	refuse := func(d string) (*op.Redirect, error) { return nil, oidc.ErrInvalidRequest().WithDescription("%s", d) }
	switch {
	case a.RequestParam != "":
		return nil, oidc.ErrRequestNotSupported()
	case a.ResponseMode != "" && a.ResponseMode != oidc.ResponseModeQuery:
		return refuse("response_mode must be query")
	case !slices.Contains(a.Scopes, oidc.ScopeOpenID):
		return nil, oidc.ErrInvalidScope().WithDescription("scope must have openid")
	case a.CodeChallenge == "" && r.Client.AuthMethod() == oidc.AuthMethodNone:
		return refuse("a public client must send a code_challenge (PKCE)")
	case a.CodeChallenge != "" && (a.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || !challengeForm.MatchString(a.CodeChallenge)):
		return refuse("code_challenge_method must be S256, and code_challenge the base64url of a SHA-256")
	case len(a.Nonce) > 1024 || len(a.State) > 4096:
		return refuse("nonce or state is too long")
	}
	req := request{
		grant: grant{
			ClientID: a.ClientID, RedirectURI: a.RedirectURI, Challenge: a.CodeChallenge, Nonce: a.Nonce, MaxAge: a.MaxAge != nil,
			Scopes: slices.DeleteFunc(slices.Clone([]string(a.Scopes)), func(scope string) bool { return !slices.Contains(supportedScopes(), scope) }),
		},
		State: a.State, LoginHint: a.LoginHint,
	}
	if slices.Contains(a.Prompt, oidc.PromptNone) {
		cookie := cookieFrom(r.Header)
		ses, ok := s.sessions.find(cookie)
		if !ok || a.MaxAge != nil && s.now().Sub(ses.Since) > time.Duration(*a.MaxAge)*time.Second {
			return nil, oidc.ErrLoginRequired()
		}
		to, err := s.answer(ctx, req, ses, cookie)
		if err != nil {
			return nil, oidc.ErrServerError().WithParent(err)
		}
		return op.NewRedirect(to), nil
	}
	id := secret(24)
	s.requests.put(id, req, requestLifetime)
	return op.NewRedirect(s.issuer.Path + signInPath + "?request=" + id), nil
}

// answer makes the code for a person who signed in, and returns where to send the browser with it. The code goes to the
// browser that signed in and to no other: there is no address at which somebody else could pick it up.
func (p *Provider) answer(ctx context.Context, req request, ses session, cookie string) (string, error) {
	g := req.grant
	g.OID, g.AuthTime, g.Family, g.Session = ses.OID, ses.Since, secret(16), digest(cookie)
	code := secret(32)
	p.codes.put(code, g, codeLifetime)
	p.log.LogAttrs(ctx, slog.LevelInfo, "signed in", slog.String("oid", g.OID), slog.String("client", g.ClientID))
	return op.AuthResponseURL(g.RedirectURI, oidc.ResponseTypeCode, oidc.ResponseModeQuery,
		&op.CodeResponseType{Code: code, State: req.State}, oidc.NewEncoder())
}

// VerifyClient authenticates the client of a token request.
func (s protocol) VerifyClient(_ context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	c := s.book.Load().clients[r.Data.ClientID]
	if c == nil {
		return nil, oidc.ErrInvalidClient().WithDescription("unknown client_id")
	}
	if c.Public() {
		if r.Data.ClientSecret != "" {
			return nil, oidc.ErrInvalidClient().WithDescription("the client is public and has no secret")
		}
		return relyingParty{c, ""}, nil
	}
	if subtle.ConstantTimeCompare([]byte(digest(r.Data.ClientSecret)), []byte(c.SecretHash)) != 1 {
		return nil, oidc.ErrInvalidClient().WithDescription("wrong client_secret")
	}
	return relyingParty{c, ""}, nil
}

// CodeExchange gives tokens for a code. The code is spent by whoever presents it first, rightly or not; its second use
// ends what the first one got (RFC 6749 section 4.1.2).
func (s protocol) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	g, ok := s.codes.take(r.Data.Code)
	if !ok {
		if family, used := s.spent.take(r.Data.Code); used {
			s.log.LogAttrs(ctx, slog.LevelWarn, "refused a code that was used before, and revoked its tokens", slog.String("client", r.Client.GetID()))
			s.revokeFamily(ctx, family, r.Client.GetID())
		}
		return nil, oidc.ErrInvalidGrant().WithDescription("code is unknown, expired or was used")
	}
	s.spent.put(r.Data.Code, g.Family, spentLifetime)
	switch {
	case g.ClientID != r.Client.GetID():
		return nil, oidc.ErrInvalidGrant().WithDescription("code was issued to another client")
	case g.RedirectURI != r.Data.RedirectURI:
		return nil, oidc.ErrInvalidGrant().WithDescription("redirect_uri is not the one of the authorization request")
	case g.Challenge != "" && !verifierForm.MatchString(r.Data.CodeVerifier):
		return nil, oidc.ErrInvalidGrant().WithDescription("code_verifier is missing or malformed")
	}
	var challenge *oidc.CodeChallenge
	if g.Challenge != "" {
		challenge = &oidc.CodeChallenge{Challenge: g.Challenge, Method: oidc.CodeChallengeMethodS256}
	}
	if err := op.AuthorizeCodeChallenge(r.Data.CodeVerifier, challenge); err != nil {
		return nil, err
	}
	var refreshToken string
	if slices.Contains(g.Scopes, oidc.ScopeOfflineAccess) {
		var err error
		if refreshToken, err = s.sessions.allow(g); err != nil {
			return nil, oidc.ErrServerError().WithParent(err)
		}
	}
	return s.tokens(ctx, g, refreshToken)
}

// RefreshToken gives new tokens, and a new refresh token, for a refresh token.
func (s protocol) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	g, successor, err := s.sessions.renew(r.Data.RefreshToken, r.Client.GetID())
	switch {
	case errors.Is(err, errRefreshReused):
		s.log.LogAttrs(ctx, slog.LevelWarn, "refused a refresh token that was used before, and revoked its tokens", slog.String("client", r.Client.GetID()))
		s.revokeFamily(ctx, g.Family, r.Client.GetID())
		fallthrough
	case errors.Is(err, errNoRefresh):
		return nil, oidc.ErrInvalidGrant().WithDescription("%s", errNoRefresh.Error())
	case err != nil:
		return nil, oidc.ErrServerError().WithParent(err)
	}
	if len(r.Data.Scopes) > 0 { // fewer may be asked for, for this answer alone
		for _, scope := range r.Data.Scopes {
			if !slices.Contains(g.Scopes, scope) {
				return nil, oidc.ErrInvalidScope().WithDescription("scope was not granted at sign-in")
			}
		}
		g.Scopes = r.Data.Scopes
	}
	return s.tokens(ctx, g, successor)
}

func (p *Provider) revokeFamily(ctx context.Context, family, clientID string) {
	p.access.drop(func(g grant) bool { return g.Family == family })
	if err := p.sessions.revoke(family, clientID); err != nil {
		p.log.LogAttrs(ctx, slog.LevelError, "revoke tokens", slog.Any("error", err))
	}
}

func (s protocol) tokens(ctx context.Context, g grant, refreshToken string) (*op.Response, error) {
	u := s.book.Load().byOID[g.OID]
	if u == nil || !u.IsActive() {
		return nil, oidc.ErrInvalidGrant().WithDescription("the person is gone or disabled")
	}
	idToken, err := s.idToken(u, g)
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	accessToken := secret(32)
	s.access.put(accessToken, g, s.life)
	s.log.LogAttrs(ctx, slog.LevelInfo, "issued tokens", slog.String("oid", g.OID), slog.String("client", g.ClientID))
	resp := op.NewResponse(&oidc.AccessTokenResponse{
		AccessToken: accessToken, TokenType: oidc.BearerToken, ExpiresIn: uint64(s.life.Seconds()),
		IDToken: idToken, RefreshToken: refreshToken, Scope: g.Scopes,
	})
	resp.Header.Set("Cache-Control", "no-store")
	return resp, nil
}

// UserInfo tells what an access token's grant opens about the person.
func (s protocol) UserInfo(_ context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	g, ok := s.access.get(r.Data.AccessToken)
	u := s.book.Load().byOID[g.OID]
	if !ok || u == nil || !u.IsActive() {
		return nil, op.NewStatusError(oidc.ErrAccessDenied().WithDescription("access token is unknown, expired or revoked"), http.StatusUnauthorized)
	}
	return op.NewResponse(s.personClaims(u, g)), nil
}

// Revocation ends a refresh token's family or an access token (RFC 7009). What is unknown is answered as if it had been
// revoked.
func (s protocol) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	if g, ok := s.access.get(r.Data.Token); ok && g.ClientID == r.Client.GetID() {
		s.access.take(r.Data.Token)
	}
	if family, ok := s.sessions.family(r.Data.Token, r.Client.GetID()); ok {
		s.revokeFamily(ctx, family, r.Client.GetID())
	}
	return op.NewResponse(nil), nil
}

// relyingParty is a client as the library wants to see it. The redirect URI has passed our own rule; the library checks
// it again against the list of one.
type relyingParty struct {
	c        *Client
	redirect string
}

func (r relyingParty) GetID() string                       { return r.c.ID }
func (r relyingParty) RedirectURIs() []string              { return []string{r.redirect} }
func (r relyingParty) PostLogoutRedirectURIs() []string    { return r.c.PostLogoutRedirectURIs }
func (r relyingParty) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (r relyingParty) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (r relyingParty) LoginURL(id string) string {
	return signInPath + "?request=" + url.QueryEscape(id)
}
func (r relyingParty) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (r relyingParty) IDTokenLifetime() time.Duration       { return 0 }
func (r relyingParty) DevMode() bool                        { return true } // lets http through, which our rule confines to this machine
func (r relyingParty) IsScopeAllowed(string) bool           { return false }
func (r relyingParty) IDTokenUserinfoClaimsAssertion() bool { return false }
func (r relyingParty) ClockSkew() time.Duration             { return 0 }

func (r relyingParty) AuthMethod() oidc.AuthMethod {
	if r.c.Public() {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (r relyingParty) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

func (r relyingParty) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(s []string) []string { return s }
}

func (r relyingParty) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(s []string) []string { return s }
}
