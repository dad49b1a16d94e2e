package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// What can be wrong with a code, a refresh token or an access token. What a client is told depends on the protocol; the
// text around it says more and is for the trail.
var (
	// ErrInvalid says that it was not issued here, was altered, or belongs to another client.
	ErrInvalid = errors.New("not valid for this client")
	// ErrExpired says that it was good once.
	ErrExpired = errors.New("expired")
	// ErrEnded says that the sign-in from which it came was ended: at the person's wish, or because something of it was
	// used twice.
	ErrEnded = errors.New("the sign-in has ended")
	// ErrInactive says that the person or the application may no longer act, or not for each other.
	ErrInactive = errors.New("may no longer act")
	// ErrScope says that a scope is not for the instance.
	ErrScope = errors.New("the scope is not for this instance")
)

// scopeAccounts opens the accounts of the organization to a person, through the portal. Only the organization's instance
// has it.
const scopeAccounts = center.ScopeAccountAccess

// endedTime is how long an end is remembered: longer than the longest session that came from the family can last.
const endedTime = 72 * time.Hour

// family is one sign-in of a person at one client, and all that came from it. It ends as one, and takes those along that
// were made from its access tokens at other applications.
type family struct {
	id, parent string
	// client is the ARN of an application or the id of a registered client; application is empty for the latter.
	client, application string
	instance, user      string
	// grantType is the grant through which an application began it; empty for IssueAccess. issuer is the trusted token
	// issuer of jwt-bearer, or the application whose token was exchanged.
	grantType, issuer string
	// scopes are the most that anything of the family may have.
	scopes            []string
	signedIn, expires time.Time
	ended             time.Time // zero while it goes on
}

// endOf is when a sign-in at an instance ends.
func (s *Service) endOf(instance string, signedIn time.Time) time.Time {
	last := time.Duration(0)
	if s.signInTime != nil {
		last = s.signInTime(instance)
	}
	if last <= 0 {
		last = familyTime
	}
	return signedIn.Add(min(last, longestFamily))
}

// newCredential makes a credential id. It begins with the id of the family, so that what carries it away (an identity
// context, a session, the credentials vended to it) can be asked whether the family has ended; the rest is random.
func (f *family) newCredential() (string, error) {
	id, err := uuid.Parse(f.id)
	if err != nil {
		return "", fmt.Errorf("family %.64q: %w", f.id, err)
	}
	b := make([]byte, 64)
	_, _ = rand.Read(b[copy(b, id[:]):])
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// familyOf reads the family out of a credential id; empty when there is none.
func familyOf(credentialID string) string {
	b, err := base64.RawURLEncoding.DecodeString(credentialID)
	if err != nil || len(b) != 64 {
		return ""
	}
	return uuid.UUID(b[:16]).String()
}

// SignInEnded reports whether the sign-in from which an identity came has ended. It is answered from memory, for whoever
// asks on every request.
func (s *Service) SignInEnded(id *caller.Identity) bool {
	_, ended := s.ended.Get(familyOf(id.CredentialID))
	return ended
}

// Access is what an access token says: which client got it, for whom it is and for what.
type Access struct {
	// Client is the ARN of an application or the id of a registered client.
	Client string
	// Person has a credential id of its own for each token.
	Person   caller.Identity
	Scopes   []string
	SignedIn time.Time
	Expires  time.Time
	// Family names the sign-in, for EndSession.
	Family string
}

// Tokens are handed out once.
type Tokens struct {
	AccessToken string
	// RefreshToken is empty when the sign-in cannot be refreshed.
	RefreshToken string
	ExpiresIn    time.Duration
	// Person is whose sign-in it is, where RefreshAccess found it.
	Person caller.Identity
}

// IssueAccess begins a sign-in and gives its first tokens. Of the person, the instance and the user count. A family that
// RedeemCode returned is begun under that name, once; an empty one gets a new name. An access token lives for an hour, or
// until Expires, and never for longer than the sign-in, which lasts from SignedIn (zero: now) for as long as the instance
// says. ErrExpired, ErrEnded, ErrInactive and ErrScope say why there is none.
func (s *Service) IssueAccess(ctx context.Context, a Access, refreshable bool) (Tokens, error) {
	now := s.db.Now()
	f := &family{
		id: a.Family, client: a.Client, instance: a.Person.InstanceARN, user: a.Person.UserID, scopes: a.Scopes, signedIn: a.SignedIn,
	}
	if f.id == "" {
		f.id = uuid.NewString()
	}
	if _, ok := s.center.Application(a.Client); ok {
		f.application = a.Client
	}
	if f.signedIn.IsZero() {
		f.signedIn = now
	}
	if f.expires = s.endOf(f.instance, f.signedIn); !now.Before(f.expires) {
		return Tokens{}, fmt.Errorf("the person signed in at %s: %w", f.signedIn.Format(time.RFC3339), ErrExpired)
	}
	i, err := s.stands(f)
	if err != nil {
		return Tokens{}, err
	}
	if slices.Contains(f.scopes, scopeAccounts) && !i.Organization {
		return Tokens{}, fmt.Errorf("%s: %w", scopeAccounts, ErrScope)
	}
	expires := a.Expires
	if expires.IsZero() {
		expires = now.Add(tokenTime)
	}
	out, _, hash, err := s.tokens(ctx, f, f.scopes, now, expires, refreshable)
	if err != nil {
		return Tokens{}, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error { return storeFamily(ctx, tx, f, hash) })
	if err != nil {
		return Tokens{}, fmt.Errorf("begin sign-in: %w", err)
	}
	return out, nil
}

// tokens makes an access token with its credential id, and a refresh token with its hash when there is to be one.
func (s *Service) tokens(ctx context.Context, f *family, scopes []string, now, expires time.Time, refreshable bool) (out Tokens, credential string, hash []byte, err error) {
	if expires.After(f.expires) {
		expires = f.expires
	}
	if credential, err = f.newCredential(); err != nil {
		return out, "", nil, err
	}
	trail.From(ctx).Add(trail.KeyCredentialID, credential)
	if out.AccessToken, err = s.sealAccess(f.id, credential, scopes, expires); err != nil {
		return out, "", nil, err
	}
	out.ExpiresIn = expires.Sub(now)
	if refreshable {
		out.RefreshToken = newSecret()
		hash = hashOf(out.RefreshToken)
	}
	return out, credential, hash, nil
}

// checkRevoked says why a sign-in was revoked, with ErrEnded: the person's, the application's, or that of the application
// whose token was exchanged for it.
func (s *Service) checkRevoked(f *family) error {
	through := []string{f.application}
	if f.grantType == center.GrantTokenExchange {
		through = append(through, f.issuer)
	}
	for _, application := range through {
		if err := s.revoked(f.user, application, f.signedIn); err != nil {
			return fmt.Errorf("%w: %w", err, ErrEnded)
		}
	}
	return nil
}

// stands asks whether what a family is of is still there: the sign-in, the instance, the person, the application and the
// assignment.
func (s *Service) stands(f *family) (*center.Instance, error) {
	if err := s.checkRevoked(f); err != nil {
		return nil, err
	}
	i, ok := s.center.Instance(f.instance)
	if !ok {
		return nil, fmt.Errorf("the instance is gone: %w", ErrInactive)
	}
	p, ok := s.people.User(i.StoreID, f.user)
	switch {
	case !ok:
		return nil, fmt.Errorf("the person %s is no longer in the directory: %w", f.user, ErrInactive)
	case !p.Enabled:
		return nil, fmt.Errorf("the person %s is disabled: %w", p.UserName, ErrInactive)
	case f.application == "":
		return i, nil
	case !s.center.ApplicationEnabled(f.application):
		return nil, fmt.Errorf("the application is disabled or gone: %w", ErrInactive)
	case !s.center.Assigned(f.application, f.user, s.people.GroupsOf(i.StoreID, f.user)):
		return nil, fmt.Errorf("the person %s is not assigned to the application: %w", p.UserName, ErrInactive)
	}
	return i, nil
}

// placeAccess is what sealed access tokens are bound to, so that nothing else that is sealed passes for one.
const placeAccess = "access-token"

// sealedAccess is what an access token holds. The rest is read from the family when it is opened.
type sealedAccess struct {
	Family     string   `json:"f"`
	Credential string   `json:"c"`
	Scopes     []string `json:"o"`
	Expires    int64    `json:"e"` // milliseconds
}

// sealAccess makes an access token: a text that only a server with the master key can read or make.
func (s *Service) sealAccess(family, credential string, scopes []string, expires time.Time) (string, error) {
	text, err := json.Marshal(sealedAccess{family, credential, scopes, store.Millis(expires)})
	if err != nil {
		return "", fmt.Errorf("encode access token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.db.Seal(placeAccess, text)), nil
}

// maxAccess bounds the text of an access token.
const maxAccess = 8 << 10

// OpenAccess reads an access token and asks, as things are now on any node, whether its bearer may use it: the sign-in
// goes on, the person is enabled, and where the client is an application, it is enabled and the person assigned to it.
// ErrInvalid, ErrExpired, ErrEnded and ErrInactive say why not.
func (s *Service) OpenAccess(ctx context.Context, accessToken string) (Access, error) {
	a, _, err := s.openAccess(ctx, accessToken)
	return a, err
}

func (s *Service) openAccess(ctx context.Context, accessToken string) (Access, *family, error) {
	if len(accessToken) > maxAccess {
		return Access{}, nil, fmt.Errorf("more than %d bytes: %w", maxAccess, ErrInvalid)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(accessToken)
	if err != nil {
		return Access{}, nil, fmt.Errorf("not base64url: %w", ErrInvalid)
	}
	text, err := s.db.Unseal(placeAccess, sealed)
	if err != nil {
		return Access{}, nil, fmt.Errorf("not sealed here: %w", ErrInvalid)
	}
	var c sealedAccess
	if err := json.Unmarshal(text, &c); err != nil {
		return Access{}, nil, fmt.Errorf("decode access token: %w", err)
	}
	now := s.db.Now()
	if !now.Before(store.Time(c.Expires)) {
		return Access{}, nil, ErrExpired
	}
	var f *family
	err = s.db.View(ctx, func(q store.Querier) (err error) {
		f, err = readFamily(ctx, q, c.Family)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Access{}, nil, fmt.Errorf("of a sign-in that is not known: %w", ErrInvalid)
	case err != nil:
		return Access{}, nil, fmt.Errorf("read sign-in: %w", err)
	case !f.ended.IsZero():
		return Access{}, nil, ErrEnded
	}
	i, err := s.stands(f)
	if err != nil {
		return Access{}, nil, err
	}
	return Access{
		Client: f.client, Person: *personOf(i, f, c.Credential, c.Scopes), Scopes: c.Scopes,
		SignedIn: f.signedIn, Expires: store.Time(c.Expires), Family: f.id,
	}, f, nil
}

// personOf is the person of a family as sessions carry it.
func personOf(i *center.Instance, f *family, credential string, scopes []string) *caller.Identity {
	return &caller.Identity{
		UserID: f.user, IdentityStoreID: i.StoreID, IdentityStoreARN: i.StoreARN(),
		InstanceARN: i.ARN, ApplicationARN: f.application, CredentialID: credential,
		Grants: slices.Contains(scopes, center.ScopeAccessGrants),
	}
}

// EndSession ends a sign-in: its access and refresh tokens, those that were exchanged for one of them, and the sessions
// that were made from any of these. Ending it again is no error; ErrInvalid says that there is none.
func (s *Service) EndSession(ctx context.Context, family string) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error { return endFamily(ctx, tx, family, s.db.Now()) })
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("end sign-in: %w", ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("end sign-in: %w", err)
	}
	return nil
}
