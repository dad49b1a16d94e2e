package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// IAM is the iam service. Each operation works on the caller's own account.
type IAM struct {
	Registry   *Registry
	Authorizer *authz.Authorizer
	// CheckIssuer says why an OpenID Connect provider cannot be at a URL; nil takes https alone.
	CheckIssuer func(url string) error
}

// The quotas of an account, AWS's defaults where it has one.
const (
	maxUsers         = 5000
	maxRoles         = 5000
	maxGroups        = 300
	maxPolicies      = 1500
	maxKeysPerUser   = 2
	maxGroupsPerUser = 10
	maxAttached      = 10
	maxVersions      = 5

	// In characters without white space.
	maxManagedPolicy = 6144
	maxTrustPolicy   = 2048
)

// The sizes of all inline policies of one entity together, in characters without white space.
var maxInline = map[Kind]int{UserKind: 2048, GroupKind: 5120, RoleKind: 10240}

// trailTypes are what the trail calls the kinds.
var trailTypes = map[Kind]string{UserKind: "AWS::IAM::User", GroupKind: "AWS::IAM::Group", RoleKind: "AWS::IAM::Role"}

// permit asks whether the caller may do the operation on a resource of its account.
func (s *IAM) permit(ctx context.Context, operation, resource string, v policy.Values) error {
	return s.permitOf(ctx, operation, resource, "", v)
}

// permitOf is permit for a resource of which another account, or AWS, may be the owner: nobody is let in there, since
// nothing of IAM has a policy for others.
func (s *IAM) permitOf(ctx context.Context, operation, resource, owner string, v policy.Values) error {
	c := caller.From(ctx)
	if c.Type == caller.User && c.Session != nil || c.Type == caller.FederatedUser {
		// The credentials of GetSessionToken and GetFederationToken cannot call IAM, so that a stolen session does not become a
		// lasting key.
		authz.Open(ctx)
		trail.From(ctx).Step("authorize iam:"+operation, trail.Fail, "credentials of GetSessionToken and GetFederationToken cannot call IAM")
		return wire.NewError("InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid")
	}
	return s.Authorizer.Authorize(ctx, authz.Request{Action: "iam:" + operation, Resource: resource, Account: owner, Context: v})
}

// find authorises an operation on an entity and finds it. Whether it exists is told only to who may ask.
func (s *IAM) find(ctx context.Context, operation string, kind Kind, name string, v policy.Values) (*Entity, error) {
	account := caller.From(ctx).Account
	e, ok := s.Registry.entity(account, kind, name)
	resource := entityARN(kind, account, "/", name)
	keys := policy.Values{}
	if ok {
		resource = e.ARN()
		setResourceTags(keys, e.Tags)
		if e.Boundary != "" {
			keys.Set("iam:PermissionsBoundary", e.Boundary)
		}
	}
	for k, values := range v {
		keys.Set(k, values...)
	}
	if err := s.permit(ctx, operation, resource, keys); err != nil {
		return nil, err
	}
	trail.From(ctx).Resource(trailTypes[kind], resource, account)
	if !ok {
		return nil, noEntity(kind, name)
	}
	return e, nil
}

// change runs do on an entity as it is inside a transaction. The entity is do's own to alter. Every operation of IAM that
// changes an entity comes through here, so that the roles of the identity center are protected in one place.
func (s *IAM) change(ctx context.Context, e *Entity, do func(tx *store.Tx, now *Entity) error) error {
	if err := e.checkNotProtected(); err != nil {
		return err
	}
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		now, err := readEntity(ctx, tx, e.ID)
		if errors.Is(err, store.ErrNotFound) {
			return noEntity(e.Kind, e.Name)
		}
		if err != nil {
			return err
		}
		return do(tx, now)
	})
	if err != nil {
		return fmt.Errorf("change %s: %w", e.ARN(), err)
	}
	return nil
}

// create writes a new entity within the account's quota.
func (s *IAM) create(ctx context.Context, e *Entity, most int64, quota string) error {
	err := s.Registry.db.Update(ctx, func(tx *store.Tx) error {
		n, err := countEntities(ctx, tx, e.Account, e.Kind)
		if err != nil {
			return err
		}
		if n >= most {
			return exceeded(quota, most)
		}
		if err := s.checkBoundary(ctx, tx, e.Account, e.Boundary); err != nil {
			return err
		}
		return insertEntity(ctx, tx, e)
	})
	if errors.Is(err, store.ErrConflict) {
		return nameTaken(e.Kind, e.Name)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", e.ARN(), err)
	}
	trail.From(ctx).Resource(trailTypes[e.Kind], e.ARN(), e.Account)
	return nil
}

// remove deletes an entity on which nothing hangs any more.
func (s *IAM) remove(ctx context.Context, e *Entity) error {
	return s.change(ctx, e, func(tx *store.Tx, now *Entity) error {
		members, keys, err := countDependants(ctx, tx, now.ID)
		if err != nil {
			return err
		}
		conflict := ""
		switch {
		case len(now.Attached) > 0:
			conflict = "detach all policies"
		case len(now.Inline) > 0:
			conflict = "delete policies"
		case members > 0 || len(now.Groups) > 0:
			conflict = "remove users from group"
		case keys > 0:
			conflict = "delete access keys"
		}
		if conflict != "" {
			return iam.DeleteConflictException("Cannot delete entity, must " + conflict + " first.")
		}
		return deleteEntity(ctx, tx, now.ID)
	})
}

// title is a kind at the beginning of a sentence.
func title(kind Kind) string { return strings.ToUpper(string(kind[:1])) + string(kind[1:]) }

func noEntity(kind Kind, name string) error {
	return iam.NoSuchEntityException(fmt.Sprintf("The %s with name %s cannot be found.", kind, name))
}

func nameTaken(kind Kind, name string) error {
	return iam.EntityAlreadyExistsException(fmt.Sprintf("%s with name %s already exists.", title(kind), name))
}

func exceeded(quota string, most int64) error {
	return iam.LimitExceededException(fmt.Sprintf("Cannot exceed quota for %s: %d", quota, most))
}

func malformed(err error) error {
	return iam.MalformedPolicyDocumentException("Syntax errors in policy. " + err.Error())
}

// parseIdentity reads a policy that hangs on a principal.
func parseIdentity(text string, characters int, tooLarge error) (*policy.Document, error) {
	doc, err := policy.Limits{Characters: characters}.Parse([]byte(text), policy.Identity)
	if errors.Is(err, policy.ErrTooLarge) {
		return nil, tooLarge
	}
	if err != nil {
		return nil, malformed(err)
	}
	return doc, nil
}

// checkManaged answers store.ErrNotFound unless principals of the account can use the managed policy. It goes by the
// transaction, so that no policy is deleted while it is being hung on something.
func (r *Registry) checkManaged(ctx context.Context, q store.Querier, account, name string) error {
	if _, ok := r.aws[name]; ok {
		return nil
	}
	p, err := readPolicy(ctx, q, name)
	if err == nil && p.Account != account {
		return store.ErrNotFound
	}
	return err
}

// escapeDocument writes a policy as IAM returns it: percent-encoded after RFC 3986.
func escapeDocument(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// pathOf is the path asked for, the root when none is.
func pathOf(path *string) string { return cmp.Or(deref(path), "/") }

// deref is what a pointer points to, the zero value when it points to nothing.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// optional is a pointer to a value, nil for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
