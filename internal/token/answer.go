package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
)

// The types of token that an answer names (RFC 8693 §3).
const (
	typeAccess  = "urn:ietf:params:oauth:token-type:access_token"
	typeRefresh = "urn:ietf:params:oauth:token-type:refresh_token"
)

// issue makes the answer to an exchange that passed every check, and the hash of the refresh token to store when there is
// one.
func (s *Service) issue(ctx context.Context, x *exchange, f *family) (*ssooidc.CreateTokenWithIAMOutput, []byte, error) {
	expires := x.now.Add(tokenTime)
	if expires.After(f.expires) {
		expires = f.expires
	}
	tokens, credential, hash, err := s.tokens(ctx, f, x.scopes, x.now, expires, x.refreshable)
	if err != nil {
		return nil, nil, err
	}
	who := personOf(x.instance, f, credential, x.scopes)
	out := &ssooidc.CreateTokenWithIAMOutput{
		AccessToken: &tokens.AccessToken, TokenType: new("Bearer"), ExpiresIn: new(int(tokens.ExpiresIn / time.Second)),
		IssuedTokenType: new(typeAccess), Scope: x.scopes,
	}
	if x.refreshable {
		out.RefreshToken, out.IssuedTokenType = &tokens.RefreshToken, new(typeRefresh)
	}
	withContext := slices.Contains(x.scopes, scopeContext)
	identity := ""
	if withContext {
		if identity, err = s.contexts.SealContext(who, expires); err != nil {
			return nil, nil, fmt.Errorf("seal identity context: %w", err)
		}
		out.AwsAdditionalDetails = &ssooidc.AwsAdditionalDetails{IdentityContext: &identity}
	}
	if withContext || slices.Contains(x.scopes, scopeOpenID) {
		claims := s.idClaims(x, f, who, expires)
		if withContext {
			claims["sts:identity_context"] = identity
			if claims["sts:audit_context"], err = s.contexts.SealAuditContext(who, expires); err != nil {
				return nil, nil, err
			}
		}
		id, err := s.keys.sign(ctx, x.instance.ARN, claims)
		if err != nil {
			return nil, nil, err
		}
		out.IdToken = &id
	}
	return out, hash, nil
}

// idClaims are the claims of the identity token. Its aud is not the application's ARN but a name that only the exchange
// knows the meaning of, and auth_time is a text, both as on AWS. act is the trusted token issuer that vouched for the person;
// who signed in here, or was handed on by another application, has none.
func (s *Service) idClaims(x *exchange, f *family, who *caller.Identity, expires time.Time) map[string]any {
	claims := map[string]any{
		"iss":                    Issuer(s.webURL, x.instance.ID()),
		"aud":                    clientID(x.app.ARN),
		"sub":                    who.UserID,
		"auth_time":              f.signedIn.UTC().Format(time.RFC3339),
		"iat":                    x.now.Unix(),
		"exp":                    expires.Unix(),
		"aws:identity_store_id":  who.IdentityStoreID,
		"aws:identity_store_arn": who.IdentityStoreARN,
		"aws:instance_account":   x.instance.Account,
		"aws:instance_arn":       who.InstanceARN,
		"aws:credential_id":      who.CredentialID,
	}
	if f.grantType == center.GrantJWTBearer {
		claims["act"] = map[string]string{"sub": f.issuer}
	}
	return claims
}

// clientID is the name of an application in the aud of its identity tokens.
func clientID(application string) string {
	sum := sha256.Sum256([]byte("lakegate client id\x00" + application))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// newSecret makes 64 random bytes as text.
func newSecret() string {
	b := make([]byte, 64)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
