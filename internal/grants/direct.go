package grants

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Access is one S3 action on one key or prefix of a bucket.
type Access struct {
	Action string // such as "s3:GetObject"
	Bucket string
	// Owner is the account of the bucket: the instance that is asked is its own, as of GetAccessGrantsInstanceForPrefix.
	Owner string
	// Key is the object; of an action on the bucket it is the prefix that is listed.
	Key string
}

// errNoGrant is the reason of a refusal that no grant stands behind.
var errNoGrant = errors.New("no access grant gives this action")

// Direct finds the session in which a person's request is decided that uses the person's grants without having asked for
// credentials: that of the location's role, bounded by the grant that GetDataAccess would choose for what the request
// does. It asks everything that GetDataAccess asks: whether the caller may do s3:GetDataAccess on the instance, whether
// the person may act, and whether the location's role lets the service take it on. No credentials are made.
//
// The error is the refusal. Whatever the session returned may do, the caller's own policies must not deny.
func (s *Service) Direct(ctx context.Context, a Access) (*caller.Caller, error) {
	c := caller.From(ctx)
	if c.OnBehalf == nil || c.Session == nil || c.Session.Vended != nil {
		return nil, wire.AccessDenied("Access Denied").Because(errors.New("the session carries no person of its own"))
	}
	permission, target, ok := a.asks()
	if !ok {
		trail.From(ctx).Step("grant", trail.Fail, "no permission of access grants has the action "+a.Action)
		return nil, wire.AccessDenied("Access Denied").Because(errNoGrant)
	}
	i, err := s.instance(a.Owner)
	if err != nil {
		trail.From(ctx).Step("grant", trail.Fail, "account "+a.Owner+" has no access grants instance")
		return nil, wire.AccessDenied("Access Denied").Because(err)
	}
	if err := s.authorize(ctx, "GetDataAccess", a.Owner, s.instanceARN(a.Owner), nil); err != nil {
		return nil, err
	}
	g, err := s.match(ctx, i, c, target, permission, a.Action)
	if err != nil {
		return nil, err
	}
	role, err := s.roleOf(ctx, g)
	if err != nil {
		return nil, wire.NewError("AccessDenied", http.StatusForbidden, "Access Denied").Because(err)
	}
	trail.From(ctx).Add(trail.KeyMatchedScope, g.Text)
	return s.sessionOf(c, g, role, permission, g.Scope, defaultDuration), nil
}

// asks translates an action into what GetDataAccess would be asked for.
func (a Access) asks() (Permission, scope.Target, bool) {
	key := scope.Target{Text: "s3://" + a.Bucket + "/" + a.Key, Bucket: a.Bucket, Key: a.Key}
	switch {
	case slices.Contains(readBucket, a.Action):
		key.Text, key.Wild = key.Text+"*", true
		return Read, key, true
	case a.Key == "":
	case slices.Contains(readObject, a.Action) || slices.Contains(readTags, a.Action):
		return Read, key, true
	case slices.Contains(writeObject, a.Action) || slices.Contains(writeTags, a.Action):
		return Write, key, true
	}
	return "", scope.Target{}, false
}
