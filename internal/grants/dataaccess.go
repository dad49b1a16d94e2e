package grants

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// defaultDuration of handed-out credentials. Clients of AWS rely on an hour.
const defaultDuration = time.Hour

// GetDataAccess hands out credentials for the grant that wins among those of the caller: of the IAM principal that signs,
// and, in an identity-enhanced session, of the person and the person's groups, as they are now.
func (s *Service) GetDataAccess(ctx context.Context, in *s3control.GetDataAccessInput) (*s3control.GetDataAccessOutput, error) {
	if err := s.authorize(ctx, "GetDataAccess", in.AccountId, s.instanceARN(in.AccountId), nil); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	object := in.TargetType != nil
	target, err := scope.ParseTarget(in.Target, object)
	if err != nil {
		return nil, wire.NewError("InvalidRequest", http.StatusBadRequest, "The target is not valid.").Because(err)
	}
	c := caller.From(ctx)
	g, err := s.match(ctx, i, c, target, Permission(in.Permission), "")
	if err != nil {
		return nil, err
	}
	covered := g.Scope
	matched := g.Text
	if in.Privilege != nil && *in.Privilege == s3control.PrivilegeMinimal {
		// A target without a star is one key, also when it ends in a slash.
		covered, matched = target.Scope(), in.Target
	}
	creds, err := s.vend(ctx, c, g, in, covered)
	if err != nil {
		return nil, err
	}
	e := trail.From(ctx)
	e.Add(trail.KeyMatchedScope, matched)
	e.Add(trail.KeyVendedKey, creds.AccessKeyID)
	return &s3control.GetDataAccessOutput{
		Credentials: &s3control.Credentials{
			AccessKeyId: &creds.AccessKeyID, SecretAccessKey: &creds.SecretAccessKey, SessionToken: &creds.SessionToken, Expiration: &creds.Expires,
		},
		MatchedGrantTarget: &matched,
		Grantee:            granteeOut(g.Grantee),
	}, nil
}

// question gathers who the caller is to the grants of an instance.
func (s *Service) question(ctx context.Context, i *Instance, c *caller.Caller) *Question {
	q := &Question{Principal: principalOf(c), Now: s.Now()}
	e := trail.From(ctx)
	p, err := s.identityOf(ctx, i, c)
	if err != nil {
		e.Step("person", trail.Fail, err.Error())
		return q
	}
	if p == nil {
		e.Step("person", trail.Info, "the session carries no person: only grants to the IAM principal count")
		return q
	}
	q.User, q.Application = p.UserID, p.ApplicationARN
	q.Groups = s.Directory.GroupsOf(p.IdentityStoreID, p.UserID)
	q.Names = s.namesOf(p)
	name := q.Names.User
	e.Add(trail.KeyPersonName, name)
	e.Add(trail.KeyPersonID, p.UserID)
	e.Add(trail.KeyIdentityStore, p.IdentityStoreARN)
	e.Step("person", trail.Pass, fmt.Sprintf("%s, in %d groups", name, len(q.Groups)))
	return q
}

// match finds the grant that wins, unless another one denies what is asked. action is what is about to be done, or empty
// where credentials are asked for. The refusal is the same whatever the reason; the trail has it.
func (s *Service) match(ctx context.Context, i *Instance, c *caller.Caller, target scope.Target, permission Permission, action string) (*Grant, error) {
	q := s.question(ctx, i, c)
	q.Target, q.Permission, q.Action = target, permission, action
	e := trail.From(ctx)
	if c.Session != nil && c.Session.Vended != nil {
		e.Step("grant", trail.Fail, "credentials of a grant cannot ask for another")
		return nil, noAccess(permission, target)
	}
	g := s.Registry.match(i.Account, q)
	if g == nil {
		e.Step("grant", trail.Fail, s.Registry.miss(i.Account, q))
		return nil, noAccess(permission, target)
	}
	if d := s.denial(i, c, q); d != nil {
		e.Add(trail.KeyGrantID, d.ID)
		e.Step("grant", trail.Fail, denied(d, cmp.Or(action, string(permission))))
		return nil, noAccess(permission, target)
	}
	s.Registry.noteUse(g.Account, g.ID, s.Now())
	e.Add(trail.KeyGrantID, g.ID)
	e.Step("grant", trail.Pass, fmt.Sprintf("%s gives %s %s %s on %s", g.ID, g.Grantee.Type, g.Grantee.ID, g.Permission, g.Text))
	return g, nil
}

// noAccess is AWS's answer to a request without a grant, to the letter: clients remember exactly this code.
func noAccess(permission Permission, target scope.Target) *wire.Error {
	return wire.AccessDenied(fmt.Sprintf("You do not have %s permissions to the requested S3 Prefix: %s", permission, target.Text))
}

// vend assumes the location's role for the caller and bounds the session by the grant.
func (s *Service) vend(ctx context.Context, c *caller.Caller, g *Grant, in *s3control.GetDataAccessInput, covered scope.Scope) (Credentials, error) {
	role, err := s.roleOf(ctx, g)
	if err != nil {
		return Credentials{}, err
	}
	duration := defaultDuration
	if in.DurationSeconds != nil {
		duration = time.Duration(*in.DurationSeconds) * time.Second
	}
	if duration > role.MaxDuration {
		return Credentials{}, wire.NewError("StsValidationError", http.StatusBadRequest, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	who := s.sessionOf(c, g, role, Permission(in.Permission), covered, duration)
	if in.AuditContext != nil {
		who.Session.Vended.AuditContext = *in.AuditContext
		trail.From(ctx).Add(trail.KeyAuditContext, *in.AuditContext)
	}
	if g.Grantee.Type == IAM {
		if s.mayAssume(ctx, g.Account, &role, "sts:SetSourceIdentity").Allowed {
			who.Session.SourceIdentity = sourceIdentity(c)
		}
	}
	if l, ok := s.Registry.location(g.Account, g.LocationID); ok && l.direct() {
		return s.vendDirect(ctx, c, who, l, covered)
	}
	creds, err := s.Vault.Vend(who)
	if err != nil {
		return Credentials{}, wire.NewError("StsPackedPolicyTooLargeError", http.StatusBadRequest, "Serialized token too large for session").Because(err)
	}
	return creds, nil
}

// sessionOf is the session of a location's role that reaches as far as a grant. The person stays with it even where a grant
// to the IAM principal won: the trail is to show who reads.
func (s *Service) sessionOf(c *caller.Caller, g *Grant, role Role, asked Permission, covered scope.Scope, duration time.Duration) *caller.Caller {
	now := s.Now()
	name := "access-grants-" + uuid.NewString()
	who := &caller.Caller{
		Type: caller.AssumedRole, Account: role.Account, ARN: arn.AssumedRole(role.Account, role.Name, name), PrincipalARN: role.ARN, UserID: role.ID + ":" + name,
		OnBehalf: c.OnBehalf,
		Session: &caller.Session{
			RoleARN: role.ARN, RoleID: role.ID, RoleName: role.Name, Name: name, Issued: now, Expires: g.Terms.until(now.Add(duration)),
			Vended: &caller.Vended{
				GrantAccount: g.Account, GrantID: g.ID, GranteeType: string(g.Grantee.Type), Grantee: g.Grantee.ID, Permission: string(asked),
				Target: covered.String(), Object: covered.One, RequesterARN: c.ARN, Actions: strings.Join(g.Terms.actions(), " "), Principal: principalOf(c),
			},
		},
	}
	if c.Session != nil {
		who.Session.Audit, who.Session.Portal = c.Session.Audit, c.Session.Portal
	}
	return who
}

// roleOf finds the role of a grant's location and asks whether the service may take it on, for a person also whether it
// may carry the person along.
func (s *Service) roleOf(ctx context.Context, g *Grant) (Role, error) {
	e := trail.From(ctx)
	refuse := func(name, why string) (Role, error) {
		e.Step("location role", trail.Fail, why)
		return Role{}, wire.NewError("StsNotAuthorizedError", http.StatusForbidden, "User: "+servicePrincipal+" is not authorized to perform: sts:AssumeRole on resource: "+name)
	}
	l, ok := s.Registry.location(g.Account, g.LocationID)
	if !ok {
		return refuse("", "the location "+g.LocationID+" is gone")
	}
	role, err := s.takeOn(ctx, l, g.Grantee.Type != IAM)
	if err != nil {
		return refuse(l.Role, err.Error())
	}
	e.Step("location role", trail.Pass, role.ARN)
	return role, nil
}

// sourceIdentity names the requester in the form that STS takes: letters, digits and +=,.@-_, at most 64.
func sourceIdentity(c *caller.Caller) string {
	name := c.UserName
	if c.Session != nil {
		name = c.Session.Name
	}
	return stsName(name)
}

// stsName leaves of a name what STS takes.
func stsName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+=,.@-_", r) {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 64)]
}
