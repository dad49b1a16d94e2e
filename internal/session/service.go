package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/issuer"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Role is what AssumeRole has to know of a role.
type Role struct {
	ARN, ID, Name, Account string
	Trust                  policy.Named
	MaxDuration            time.Duration
	Tags                   map[string]string
}

// Accounts finds roles, users' keys and managed policies; account provides it.
type Accounts interface {
	RoleToAssume(arn string) (Role, bool)
	AccountOfKey(accessKeyID string) (account string, ok bool)
	ManagedPolicyExists(account, arn string) bool
	// OIDCProviderOf finds the OpenID Connect provider of an account that an issuer is.
	OIDCProviderOf(account, issuer string) (Provider, bool)
}

// Provider is what AssumeRoleWithWebIdentity has to know of an OpenID Connect provider. Name is the issuer's URL without
// its scheme.
type Provider struct {
	ARN, Name string
	Clients   []string
}

// People answers whether the person of an identity context may still act; directory and center provide it. The error
// says why not, for the log.
type People interface {
	PersonActive(ctx context.Context, id *caller.Identity) error
}

// Service is sts.
type Service struct {
	Ring        *Ring
	Revocations *Revocations
	Accounts    Accounts
	People      People
	Authorizer  *authz.Authorizer
	Now         func() time.Time
	// Issuers verify web identity tokens, by these algorithms.
	Issuers    *issuer.Keys
	Algorithms []jose.SignatureAlgorithm

	pace pace
}

const (
	defaultDuration = time.Hour
	// chainedDuration is the longest session of a role that another role's session assumed.
	chainedDuration    = time.Hour
	defaultUserSession = 12 * time.Hour
)

// GetCallerIdentity tells who signed the request. It needs no permission, and an explicit deny does not stop it.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	authz.Open(ctx)
	c := caller.From(ctx)
	return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}

// GetAccessKeyInfo tells the account of an access key id. It needs no permission; whether the key works is not told.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	authz.Open(ctx)
	if c := caller.From(ctx); c.Type == caller.FederatedUser || c.Type == caller.User && c.Session != nil {
		return nil, wire.AccessDenied("Cannot call GetAccessKeyInfo with session credentials")
	}
	if account, ok := accountOf(in.AccessKeyId); ok {
		return &sts.GetAccessKeyInfoOutput{Account: &account}, nil
	}
	account, ok := s.Accounts.AccountOfKey(in.AccessKeyId)
	if !ok {
		return nil, wire.Invalid("Invalid Access Key: " + in.AccessKeyId)
	}
	return &sts.GetAccessKeyInfoOutput{Account: &account}, nil
}

// GetSessionToken gives a user temporary credentials with the user's own rights. It needs no permission, but long-term
// credentials.
func (s *Service) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	authz.Open(ctx)
	c := caller.From(ctx)
	if c.Session != nil || c.Type != caller.User {
		return nil, wire.AccessDenied("Cannot call GetSessionToken with session credentials")
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, wire.AccessDenied("MultiFactorAuthentication failed, no MFA device is registered for " + c.ARN)
	}
	duration := defaultUserSession
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	now := s.Now()
	creds, err := s.Ring.Issue(&caller.Caller{
		Type: caller.User, Account: c.Account, ARN: c.ARN, UserID: c.UserID, UserName: c.UserName,
		Session: &caller.Session{Issued: now, Expires: now.Add(duration)},
	})
	if err != nil {
		return nil, fmt.Errorf("issue user session: %w", err)
	}
	return &sts.GetSessionTokenOutput{Credentials: toWire(creds)}, nil
}

// AssumeRole gives the credentials of a role's session. With an identity context the session is identity-enhanced: it
// acts for the person who signed in.
func (s *Service) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	c := caller.From(ctx)
	ask, err := s.newAssumption(c, in)
	if err != nil {
		authz.Open(ctx)
		return nil, err
	}
	role, err := s.roleToAssume(ctx, c, in)
	if err != nil {
		return nil, err
	}
	ask.role = role
	if err := s.authorizeAssumption(ctx, ask); err != nil {
		return nil, err
	}
	if err := s.findPolicies(ask); err != nil {
		return nil, err
	}
	if err := ask.limit(); err != nil {
		return nil, err
	}
	ask.followPerson(c)
	creds, err := s.issue(ctx, ask)
	if err != nil {
		return nil, err
	}
	name := arn.AssumedRole(role.Account, role.Name, in.RoleSessionName)
	out := &sts.AssumeRoleOutput{
		Credentials:     toWire(creds),
		AssumedRoleUser: &sts.AssumedRoleUser{Arn: name, AssumedRoleId: role.ID + ":" + in.RoleSessionName},
	}
	if ask.sourceIdentity != "" {
		out.SourceIdentity = &ask.sourceIdentity
	}
	if size := ask.packedSize(); size > 0 {
		out.PackedPolicySize = &size
	}
	return out, nil
}

// issue makes the credentials of the session that was granted.
func (s *Service) issue(ctx context.Context, ask *assumption) (Credentials, error) {
	creds, err := s.Ring.Issue(s.begin(ask))
	if errors.Is(err, ErrTokenTooLarge) {
		return Credentials{}, sts.PackedPolicyTooLargeException("Packed size of session tags and policies consumes more than 100% of allotted space.").Because(err)
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("issue session of %s: %w", ask.role.ARN, err)
	}
	trail.From(ctx).Add(trail.KeyVendedKey, creds.AccessKeyID)
	return creds, nil
}

func (s *Service) roleToAssume(ctx context.Context, c *caller.Caller, in *sts.AssumeRoleInput) (Role, error) {
	e := trail.From(ctx)
	if c.Type == caller.Root {
		authz.Open(ctx)
		return Role{}, wire.AccessDenied("Roles may not be assumed by root accounts.")
	}
	if c.Type == caller.FederatedUser {
		authz.Open(ctx)
		return Role{}, wire.AccessDenied("Cannot call AssumeRole with the credentials of a federated user")
	}
	role, ok := s.Accounts.RoleToAssume(in.RoleArn)
	if !ok {
		// Whether a role exists is not told to those who may not assume it.
		authz.Open(ctx)
		e.Step("find role", trail.Fail, "no role "+in.RoleArn)
		return Role{}, wire.AccessDenied(fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.ARN, in.RoleArn))
	}
	e.Step("find role", trail.Pass, role.ARN)
	e.Resource("AWS::IAM::Role", role.ARN, role.Account)
	return role, nil
}

// begin makes the session that was granted.
func (s *Service) begin(a *assumption) *caller.Caller {
	now := s.Now()
	return &caller.Caller{
		Type: caller.AssumedRole, Account: a.role.Account, OnBehalf: a.person,
		Session: &caller.Session{
			RoleARN: a.role.ARN, RoleID: a.role.ID, RoleName: a.role.Name, Name: a.in.RoleSessionName,
			Issued: now, Expires: now.Add(a.duration), SourceIdentity: a.sourceIdentity,
			Tags: a.tags, TransitiveTags: a.transitive, Policy: a.policy, PolicyARNs: a.policyARNs, Chained: a.chained, Audit: a.audit, Portal: a.portal,
			Provider: a.provider,
		},
	}
}

func toWire(c Credentials) *sts.Credentials {
	return &sts.Credentials{AccessKeyId: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expires}
}
