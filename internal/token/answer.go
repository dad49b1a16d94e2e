package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/trail"
)

// The types of token that an answer names (RFC 8693 §3).
const (
	typeAccess  = "urn:ietf:params:oauth:token-type:access_token"
	typeRefresh = "urn:ietf:params:oauth:token-type:refresh_token"
)

// issue makes the answer to an exchange that passed every check, and the refresh token to store when the application may
// refresh. family is that of the refresh token which was exchanged, if one was.
func (s *Service) issue(ctx context.Context, x *exchange, family string) (*ssooidc.CreateTokenWithIAMOutput, *refreshToken, error) {
	expires := x.now.Add(tokenTime)
	who := &caller.Identity{
		UserID: x.person.ID, IdentityStoreID: x.instance.StoreID, IdentityStoreARN: x.instance.StoreARN(),
		InstanceARN: x.instance.ARN, ApplicationARN: x.app.ARN, CredentialID: newSecret(),
	}
	x.entry.Add(trail.KeyCredentialID, who.CredentialID)
	access, err := s.sealAccess(&Access{Person: *who, Scopes: x.scopes, Expires: expires})
	if err != nil {
		return nil, nil, err
	}
	out := &ssooidc.CreateTokenWithIAMOutput{
		AccessToken: &access, TokenType: new("Bearer"), ExpiresIn: new(int(tokenTime / time.Second)),
		IssuedTokenType: new(typeAccess), Scope: x.scopes,
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
		claims := s.idClaims(x, who, expires)
		if withContext {
			claims["sts:identity_context"] = identity
			if claims["sts:audit_context"], err = s.sealAudit(who, expires); err != nil {
				return nil, nil, err
			}
		}
		id, err := s.keys.sign(ctx, x.instance.ARN, claims)
		if err != nil {
			return nil, nil, err
		}
		out.IdToken = &id
	}
	if _, ok := x.app.Grants[center.GrantRefreshToken]; !ok {
		return out, nil, nil
	}
	secret := newSecret()
	out.RefreshToken, out.IssuedTokenType = &secret, new(typeRefresh)
	if family == "" {
		family = uuid.NewString()
	}
	return out, &refreshToken{
		hash: hashOf(secret), family: family, application: x.app.ARN, user: x.person.ID, issuer: x.issuer.ARN,
		scopes: x.scopes, signedIn: x.signedIn, expires: x.now.Add(refreshTime),
	}, nil
}

// idClaims are the claims of the identity token. Its aud is not the application's ARN but a name that only the exchange
// knows the meaning of, and auth_time is a text, both as on AWS.
func (s *Service) idClaims(x *exchange, who *caller.Identity, expires time.Time) map[string]any {
	return map[string]any{
		"iss":                    Issuer(s.webURL, x.instance.ID()),
		"aud":                    clientID(x.app.ARN),
		"sub":                    who.UserID,
		"act":                    map[string]string{"sub": x.issuer.ARN},
		"auth_time":              x.signedIn.UTC().Format(time.RFC3339),
		"iat":                    x.now.Unix(),
		"exp":                    expires.Unix(),
		"aws:identity_store_id":  who.IdentityStoreID,
		"aws:identity_store_arn": who.IdentityStoreARN,
		"aws:instance_account":   x.instance.Account,
		"aws:instance_arn":       who.InstanceARN,
		"aws:credential_id":      who.CredentialID,
	}
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

// Access is what an access token says: for whom it is and for what.
type Access struct {
	Person  caller.Identity
	Scopes  []string
	Expires time.Time
}

// ErrInvalidAccess says that an access token was not issued here, was altered, or has expired.
var ErrInvalidAccess = errors.New("invalid access token")

// The places that sealed texts are bound to, so that none passes for another.
const (
	placeAccess = "access-token"
	placeAudit  = "audit-context"
)

type sealedAccess struct {
	User        string   `json:"u"`
	Store       string   `json:"s"`
	Account     string   `json:"n"`
	Instance    string   `json:"i"`
	Application string   `json:"a"`
	Credential  string   `json:"c"`
	Scopes      []string `json:"o,omitempty"`
	Expires     int64    `json:"e"`
}

func (s *Service) seal(place string, who *caller.Identity, scopes []string, expires time.Time) (string, error) {
	store, err := arn.Parse(who.IdentityStoreARN)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", place, err)
	}
	text, err := json.Marshal(sealedAccess{who.UserID, who.IdentityStoreID, store.Account, who.InstanceARN, who.ApplicationARN, who.CredentialID, scopes, expires.Unix()})
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", place, err)
	}
	return base64.RawURLEncoding.EncodeToString(s.db.Seal(place, text)), nil
}

func (s *Service) sealAccess(a *Access) (string, error) {
	return s.seal(placeAccess, &a.Person, a.Scopes, a.Expires)
}

// OpenAccess reads an access token. What its bearer may do now has to be looked up.
func (s *Service) OpenAccess(token string) (*Access, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, ErrInvalidAccess
	}
	text, err := s.db.Unseal(placeAccess, sealed)
	if err != nil {
		return nil, ErrInvalidAccess
	}
	var c sealedAccess
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("decode access token: %w", err)
	}
	expires := time.Unix(c.Expires, 0).UTC()
	if !s.db.Now().Before(expires) {
		return nil, ErrInvalidAccess
	}
	return &Access{
		Person: caller.Identity{
			UserID: c.User, IdentityStoreID: c.Store, IdentityStoreARN: arn.IdentityStore(c.Account, c.Store),
			InstanceARN: c.Instance, ApplicationARN: c.Application, CredentialID: c.Credential,
		},
		Scopes: c.Scopes, Expires: expires,
	}, nil
}

// sealAudit makes the context of sessions that only write the person into the trail. It opens nothing here: AssumeRole
// takes identity contexts alone, which are bound to another place.
func (s *Service) sealAudit(who *caller.Identity, expires time.Time) (string, error) {
	return s.seal(placeAudit, who, nil, expires)
}
