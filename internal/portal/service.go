package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/lakegate/lakegate/internal/account"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/session"
	"github.com/lakegate/lakegate/internal/token"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Tokens opens access tokens and ends sign-ins; token.Service provides it, with its errors.
type Tokens interface {
	OpenAccess(ctx context.Context, accessToken string) (token.Access, error)
	EndSession(ctx context.Context, family string) error
}

// Center knows what is assigned; center provides it.
type Center interface {
	Instance(arn string) (*center.Instance, bool)
	// AccountRoles lists the permission sets of a person and the groups, in accounts that are active.
	AccountRoles(instanceARN, userID string, groups []string) []center.AccountRole
	// AccountRole finds one of them.
	AccountRole(instanceARN, userID string, groups []string, account, permissionSetARN string) (center.AccountRole, bool)
	// SessionTags are the instance's attributes for access control, as a person has them.
	SessionTags(instanceARN string, u *directory.User) map[string]string
}

// Directory knows the people; directory provides it.
type Directory interface {
	ReadUser(ctx context.Context, storeID, userID string) (directory.User, error)
	GroupsOf(storeID, userID string) []string
}

// Accounts knows the organization's accounts; account provides it.
type Accounts interface {
	Account(id string) (*account.Account, bool)
}

// Vault makes the credentials of a session; session.Ring provides it.
type Vault interface {
	Issue(c *caller.Caller) (session.Credentials, error)
}

// Service is sso.
type Service struct {
	Tokens    Tokens
	Center    Center
	Directory Directory
	Accounts  Accounts
	Vault     Vault
	// Strict opens sessions that only name the person in the trail. By default they act for the person, who has the grants
	// that are bound to no application; AWS has no such thing.
	Strict bool
	Now    func() time.Time

	pace pace
}

// scopeAccounts is the scope of an access token for the portal.
const scopeAccounts = center.ScopeAccountAccess

// bearer is who shows an access token.
type bearer struct {
	token.Access
	groups []string
}

// open reads the access token of a request and puts its bearer into the record. There is no policy to ask: a bearer has
// what is assigned.
func (s *Service) open(ctx context.Context, accessToken string) (*bearer, error) {
	authz.Open(ctx)
	e := trail.From(ctx)
	a, err := s.Tokens.OpenAccess(ctx, accessToken)
	switch {
	case err == nil:
	case errors.Is(err, token.ErrInvalid), errors.Is(err, token.ErrExpired), errors.Is(err, token.ErrEnded), errors.Is(err, token.ErrInactive):
		return nil, unauthorized(e, err)
	default:
		return nil, err
	}
	i, ok := s.Center.Instance(a.Person.InstanceARN)
	if !ok {
		return nil, unauthorized(e, errors.New("the instance is gone"))
	}
	e.Caller(&caller.Caller{Type: caller.Person, Account: i.Account, UserID: a.Person.UserID, OnBehalf: &a.Person, Auth: "Bearer"})
	switch {
	case !i.Organization:
		return nil, unauthorized(e, errors.New("the instance is not the organization's, which alone has accounts"))
	case !slices.Contains(a.Scopes, scopeAccounts):
		return nil, unauthorized(e, errors.New("the token lacks the scope "+scopeAccounts))
	}
	e.Step("access token", trail.Pass, "of "+a.Person.UserID)
	if !s.pace.allows(a.Person.UserID, s.Now()) {
		e.Step("pace", trail.Fail, "too many requests of this person")
		return nil, sso.TooManyRequestsException("Rate exceeded")
	}
	return &bearer{Access: a, groups: s.Directory.GroupsOf(a.Person.IdentityStoreID, a.Person.UserID)}, nil
}

// unauthorized is the one answer to an access token that does not serve. The record has the reason.
func unauthorized(e *trail.Entry, why error) *wire.Error {
	e.Step("access token", trail.Fail, why.Error())
	return sso.UnauthorizedException("Session token not found or invalid").Because(why)
}

// noAccess is AWS's answer, which its model lacks, to who asks for an account or permission set that is not assigned,
// whether or not it exists.
func noAccess(e *trail.Entry, why string) *wire.Error {
	e.Step("assignment", trail.Fail, why)
	return wire.NewError("ForbiddenException", http.StatusForbidden, "No access").Because(errors.New(why))
}

// roles are what is assigned to the bearer.
func (s *Service) roles(b *bearer) []center.AccountRole {
	return s.Center.AccountRoles(b.Person.InstanceARN, b.Person.UserID, b.groups)
}

// Logout ends the sign-in: its tokens, and the sessions that were opened with them. A token whose sign-in has ended already,
// or that expired, is answered as one that never was.
func (s *Service) Logout(ctx context.Context, in *sso.LogoutInput) (*sso.LogoutOutput, error) {
	b, err := s.open(ctx, in.AccessToken)
	if err != nil {
		return nil, err
	}
	if err := s.Tokens.EndSession(ctx, b.Family); err != nil {
		return nil, err
	}
	return &sso.LogoutOutput{}, nil
}
