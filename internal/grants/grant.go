package grants

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// maxDenials is how many grants may deny something to one grantee where no quota says otherwise.
const maxDenials = 1000

const keyGrantScope = "s3:AccessGrantScope"

func invalidGrant(message string) *wire.Error {
	return wire.NewError("InvalidAccessGrant", http.StatusBadRequest, message)
}

// CreateAccessGrant gives a grantee a permission on a part of a location.
func (s *Service) CreateAccessGrant(ctx context.Context, in *s3control.CreateAccessGrantInput) (*s3control.CreateAccessGrantOutput, error) {
	g, err := s.newGrant(ctx, in)
	if err != nil {
		return nil, err
	}
	g.ID = uuid.NewString()
	err = s.Registry.db.Update(ctx, func(tx *store.Tx) error { return s.insert(ctx, tx, g) })
	if err != nil {
		return nil, err
	}
	trail.From(ctx).Add(trail.KeyGrantID, g.ID)
	e := s.grantEntry(g)
	return &s3control.CreateAccessGrantOutput{
		CreatedAt: e.CreatedAt, AccessGrantId: e.AccessGrantId, AccessGrantArn: e.AccessGrantArn, Grantee: e.Grantee,
		AccessGrantsLocationId: e.AccessGrantsLocationId, AccessGrantsLocationConfiguration: e.AccessGrantsLocationConfiguration,
		Permission: e.Permission, ApplicationArn: e.ApplicationArn, GrantScope: e.GrantScope,
	}, nil
}

// newGrant decides whether the caller may make a grant and whether there can be such a one. It has no id yet.
func (s *Service) newGrant(ctx context.Context, in *s3control.CreateAccessGrantInput) (*Grant, error) {
	l, found := s.Registry.location(in.AccountId, in.AccessGrantsLocationId)
	sub := ""
	if c := in.AccessGrantsLocationConfiguration; c != nil && c.S3SubPrefix != nil {
		sub = *c.S3SubPrefix
	}
	values := tagValues(in.Tags, nil)
	if found {
		values = withScope(values, keyGrantScope, l.Scope.Join(sub))
	}
	if err := s.ownPart(ctx, "CreateAccessGrant", in.AccountId, s.grantARN(in.AccountId, "*"), values); err != nil {
		return nil, err
	}
	i, err := s.instance(in.AccountId)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noLocation()
	}
	tags, err := s.newTags(in.Tags, grantTags)
	if err != nil {
		return nil, err
	}
	g := &Grant{
		Account: in.AccountId, LocationID: l.ID, SubPrefix: sub, Text: l.Scope.Join(sub),
		Object: in.S3PrefixType != nil, Permission: Permission(in.Permission), Created: s.stamp(), Tags: tags,
	}
	if err := s.setScope(g, l); err != nil {
		return nil, err
	}
	if err := s.setGrantee(ctx, g, i, in); err != nil {
		return nil, err
	}
	return g, s.setTerms(ctx, g, i)
}

func (s *Service) insert(ctx context.Context, tx *store.Tx, g *Grant) error {
	// The location may have gone since it was looked at.
	if _, err := readLocation(ctx, tx, key(g.Account, g.LocationID)); err != nil {
		return notFound(err, noLocation())
	}
	object := 0
	if g.Object {
		object = 1
	}
	// Two grants may differ in their terms alone: one that ended is still there when the next one is made.
	terms, _, _, err := g.Terms.encode()
	if err != nil {
		return err
	}
	same, err := count(ctx, tx, `SELECT COUNT(*) FROM access_grants WHERE account = ? AND location = ? AND sub_prefix = ? AND object = ? AND grantee_type = ? AND grantee = ? AND permission = ? AND application = ? AND terms = ?`,
		g.Account, g.LocationID, g.SubPrefix, object, string(g.Grantee.Type), g.Grantee.ID, string(g.Permission), g.Application, terms)
	if err != nil {
		return err
	}
	if same > 0 {
		return wire.NewError("AccessGrantAlreadyExists", http.StatusConflict, "The specified access grant already exists")
	}
	if s.Quotas.Grants > 0 {
		n, err := count(ctx, tx, `SELECT COUNT(*) FROM access_grants WHERE account = ?`, g.Account)
		if err != nil {
			return err
		}
		if n >= int64(s.Quotas.Grants) {
			return wire.NewError("AccessGrantsQuotaExceededError", http.StatusConflict, "The access grant quota of the instance is exceeded.")
		}
	}
	if g.Terms.denies() {
		if err := s.roomToDeny(ctx, tx, g.Account, g.Grantee, 1); err != nil {
			return err
		}
	}
	return insertGrant(ctx, tx, g)
}

// roomToDeny refuses grants that deny something to a grantee who has too many of them.
func (s *Service) roomToDeny(ctx context.Context, tx *store.Tx, account string, to Grantee, more int64) error {
	n, err := countDenials(ctx, tx, account, to)
	if err != nil {
		return err
	}
	if n+more > int64(cmp.Or(s.Quotas.Denials, maxDenials)) {
		return wire.NewError("AccessGrantsQuotaExceededError", http.StatusConflict, "The quota of access grants that deny something to one grantee is exceeded.")
	}
	return nil
}

// setScope checks where a grant reaches: it must lie within its location, on a bucket of the account. The default location
// needs a sub-prefix, which begins with a bucket: nobody is given everything.
func (s *Service) setScope(g *Grant, l *Location) error {
	if l.Scope.Everything && g.SubPrefix == "" {
		return invalidGrant("A grant on the default location needs an S3SubPrefix")
	}
	parse := scope.ParseTemplate
	if s.Strict {
		parse = scope.ParseGrant
	}
	parsed, err := parse(g.Text, g.Object)
	if err != nil && strings.Contains(g.SubPrefix, "${") {
		return invalidGrant("The S3SubPrefix is invalid: " + err.Error())
	}
	if err != nil {
		return invalidGrant("The grant scope is invalid").Because(err)
	}
	if !l.Scope.Everything && !l.Scope.Scope.CoversScope(parsed) {
		return invalidGrant("The grant scope is outside of its location")
	}
	if owner, region, ok := s.Buckets.Owner(parsed.Bucket); !ok || owner != g.Account || region != s.Region {
		return invalidGrant("The grant scope is not on a bucket of the account in this Region")
	}
	g.Scope = parsed
	return nil
}

// setGrantee checks whom a grant is for, with the caller's own permissions, and through which application.
func (s *Service) setGrantee(ctx context.Context, g *Grant, i *Instance, in *s3control.CreateAccessGrantInput) error {
	if in.Grantee.GranteeType == nil || in.Grantee.GranteeIdentifier == nil || *in.Grantee.GranteeIdentifier == "" {
		return invalidGrant("The grantee needs a type and an identifier")
	}
	g.Grantee = Grantee{GranteeType(*in.Grantee.GranteeType), *in.Grantee.GranteeIdentifier}
	if in.ApplicationArn != nil {
		g.Application = *in.ApplicationArn
	}
	if g.Grantee.Type == IAM {
		if g.Application != "" {
			return invalidGrant("A grant to an IAM principal cannot be limited to an application")
		}
		return s.checkPrincipal(g.Grantee.ID)
	}
	if i.IdentityCenter == "" {
		return invalidGrant("The access grants instance is associated with no identity center instance")
	}
	_, storeID, _, ok := s.Center.InstanceOf(i.IdentityCenter)
	if !ok {
		return invalidGrant("The associated identity center instance is gone")
	}
	action, resource := "identitystore:DescribeUser", "arn:aws:identitystore:::user/"
	_, exists := s.Directory.UserName(storeID, g.Grantee.ID)
	if g.Grantee.Type == DirectoryGroup {
		action, resource = "identitystore:DescribeGroup", "arn:aws:identitystore:::group/"
		_, exists = s.Directory.GroupName(storeID, g.Grantee.ID)
	}
	if err := s.also(ctx, "sso:DescribeInstance", i.IdentityCenter, nil); err != nil {
		return err
	}
	if err := s.also(ctx, action, resource+g.Grantee.ID, nil); err != nil {
		return err
	}
	if !exists {
		return invalidGrant("The grantee does not exist in the identity store")
	}
	if g.Application == "" {
		return nil
	}
	if err := s.also(ctx, "sso:DescribeApplication", g.Application, nil); err != nil {
		return err
	}
	if !s.Center.ApplicationExists(g.Application) {
		return invalidGrant("The application does not exist")
	}
	return nil
}

// checkPrincipal refuses what is no IAM user or role of one of the server's accounts. One of another account can ask only
// where the instance's resource policy lets it in.
func (s *Service) checkPrincipal(name string) error {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iam" || !arn.IsAccountID(a.Account) || !(strings.HasPrefix(a.Resource, "role/") || strings.HasPrefix(a.Resource, "user/")) || strings.ContainsAny(a.Resource, "*?") {
		return invalidGrant("The grantee is not the ARN of an IAM user or role")
	}
	if !s.Accounts.Exists(name) {
		return invalidGrant("The IAM principal does not exist").Because(errors.New(name))
	}
	return nil
}

func (s *Service) grantEntry(g *Grant) s3control.ListAccessGrantEntry {
	e := s3control.ListAccessGrantEntry{
		CreatedAt: new(g.Created), AccessGrantId: new(g.ID), AccessGrantArn: new(s.grantARN(g.Account, g.ID)), Grantee: granteeOut(g.Grantee),
		Permission: new(s3control.Permission(g.Permission)), AccessGrantsLocationId: new(g.LocationID), GrantScope: new(g.Text), ApplicationArn: optional(g.Application),
	}
	if g.SubPrefix != "" {
		e.AccessGrantsLocationConfiguration = &s3control.AccessGrantsLocationConfiguration{S3SubPrefix: new(g.SubPrefix)}
	}
	return e
}

func granteeOut(g Grantee) *s3control.Grantee {
	return &s3control.Grantee{GranteeType: new(s3control.GranteeType(g.Type)), GranteeIdentifier: new(g.ID)}
}

func (s *Service) findGrant(ctx context.Context, operation, account, id string) (*Grant, error) {
	g, ok, err := s.Registry.GrantByID(ctx, account, id)
	if err != nil {
		return nil, err
	}
	values := policy.Values{}
	if ok {
		values = withScope(tagValues(nil, g.Tags), keyGrantScope, g.Text)
	}
	if err := s.ownPart(ctx, operation, account, s.grantARN(account, id), values); err != nil {
		return nil, err
	}
	if _, err := s.instance(account); err != nil {
		return nil, err
	}
	if !ok {
		return nil, noGrant()
	}
	return g, nil
}

func noGrant() *wire.Error {
	return wire.NewError("NoSuchAccessGrantError", http.StatusNotFound, "The specified access grant does not exist")
}

// GetAccessGrant shows a grant.
func (s *Service) GetAccessGrant(ctx context.Context, in *s3control.GetAccessGrantInput) (*s3control.GetAccessGrantOutput, error) {
	g, err := s.findGrant(ctx, "GetAccessGrant", in.AccountId, in.AccessGrantId)
	if err != nil {
		return nil, err
	}
	return new(s3control.GetAccessGrantOutput(s.grantEntry(g))), nil
}

// DeleteAccessGrant takes a grant back. Credentials that were handed out for it end with it.
func (s *Service) DeleteAccessGrant(ctx context.Context, in *s3control.DeleteAccessGrantInput) (*s3control.DeleteAccessGrantOutput, error) {
	if _, err := s.findGrant(ctx, "DeleteAccessGrant", in.AccountId, in.AccessGrantId); err != nil {
		return nil, err
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		return notFound(deleteGrant(ctx, tx, in.AccountId, in.AccessGrantId), noGrant())
	})
	return &s3control.DeleteAccessGrantOutput{}, err
}

// ListAccessGrants lists grants. Filters all have to hold; those of a group do not show for its members.
func (s *Service) ListAccessGrants(ctx context.Context, in *s3control.ListAccessGrantsInput) (*s3control.ListAccessGrantsOutput, error) {
	if err := s.authorize(ctx, "ListAccessGrants", in.AccountId, s.instanceARN(in.AccountId), nil); err != nil {
		return nil, err
	}
	if _, err := s.instance(in.AccountId); err != nil {
		return nil, err
	}
	kind, permission := (*string)(in.GranteeType), (*string)(in.Permission)
	p, err := newPages("ListAccessGrants", in.AccountId, in.MaxResults, in.NextToken, kind, in.GranteeIdentifier, permission, in.GrantScope, in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	c := &conditions{}
	c.is("grantee_type", kind)
	c.is("grantee", in.GranteeIdentifier)
	c.is("permission", permission)
	c.is("scope", in.GrantScope)
	c.is("application", in.ApplicationArn)
	all, err := list(ctx, s, p, scanGrant, selectGrant, in.AccountId, c, nil)
	if err != nil {
		return nil, err
	}
	found, next := cut(p, all, func(g *Grant) string { return g.ID })
	out := &s3control.ListAccessGrantsOutput{NextToken: next, AccessGrantsList: []s3control.ListAccessGrantEntry{}}
	for _, g := range found {
		out.AccessGrantsList = append(out.AccessGrantsList, s.grantEntry(g))
	}
	return out, nil
}
