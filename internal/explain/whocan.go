package explain

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/bucket"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// A list goes through the people, then through the principals of IAM, then through who has a part: where a token goes on.
const (
	amongPeople     = "p"
	amongPrincipals = "i"
	amongParts      = "b"
)

// maxPrincipals is how many principals of IAM a page goes through.
const maxPrincipals = 500

// WhoCan lists who reaches a target: people by their grants and those of their groups, then principals of IAM by grants to
// them and by policies, then, if it is asked for, who reaches a part of it by a grant below. Somebody who does in several
// ways is in it several times, never on two pages.
func (s *Questions) WhoCan(ctx context.Context, in *lakegate.WhoCanInput) (*lakegate.WhoCanOutput, error) {
	t, parseErr := scope.ParseTarget(in.Target, false)
	v, err := s.enter(ctx, "WhoCan", in.AccountId, t.Bucket)
	if err != nil {
		return nil, err
	}
	if parseErr != nil {
		return nil, lakegate.ValidationException("Target: " + parseErr.Error())
	}
	if b, ok := s.Buckets.Lookup(t.Bucket); !ok || b.Account != v.account {
		return nil, lakegate.ResourceNotFoundException("The account " + v.account + " has no bucket " + t.Bucket + ".")
	}
	x := &whoCan{Questions: s, viewer: v, target: t, permission: grants.Permission(value(in.Permission)), refused: value(in.IncludeRefused), below: value(in.IncludePartial) && t.Wild, size: page(in.MaxResults)}
	if x.all, err = s.owns(ctx, v, t.Scope()); err != nil {
		return nil, err
	}
	q := questionOf(ctx, v, "WhoCan", in.Target, in.Permission, x.refused, x.below)
	after, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	next, err := x.run(ctx, after)
	if err != nil {
		return nil, err
	}
	out := &lakegate.WhoCanOutput{AccountId: v.account, Entries: slices.Concat([]lakegate.AccessEntry{}, x.found)}
	if next != "" {
		out.NextToken = q.token(next)
	}
	return out, nil
}

// whoCan is one page.
type whoCan struct {
	*Questions
	*viewer
	target     scope.Target
	permission grants.Permission
	refused    bool // what is refused shows as well
	all        bool // not the asking person alone
	below      bool // who reaches a part shows as well
	size       int
	found      []lakegate.AccessEntry
}

// run fills the page and returns where the next one begins; empty for no more.
func (x *whoCan) run(ctx context.Context, after string) (next string, err error) {
	if last, ok := strings.CutPrefix(after, amongParts); ok {
		return x.parts(ctx, last)
	}
	if next, err = x.whole(ctx, after); err != nil || next != "" || !x.below {
		return next, err
	}
	return x.parts(ctx, "")
}

// whole lists those who reach all of the target.
func (x *whoCan) whole(ctx context.Context, after string) (next string, err error) {
	if !x.all {
		x.take(x.self.UserID)
		return "", nil
	}
	last, people := strings.CutPrefix(after, amongPeople)
	if (people || after == "") && x.instance != nil {
		c, err := x.crowdOf(ctx, x.viewer, x.target)
		if err != nil {
			return "", err
		}
		last, done, err := c.each(ctx, last, func(id string) bool {
			x.take(id)
			return len(x.found) < x.size
		})
		if err != nil || !done {
			return amongPeople + last, err
		}
	}
	last, _ = strings.CutPrefix(after, amongPrincipals)
	if people {
		last = ""
	}
	return x.principals(ctx, last), nil
}

// take adds what a person has.
func (x *whoCan) take(id string) {
	p, ok := x.Everybody.User(x.instance.StoreID, id)
	if !ok || !p.Enabled && !x.refused {
		return
	}
	for _, w := range x.Holders.Ways(x.account, x.asker(x.viewer, p), x.target, x.permission) {
		if w.Permission != "" || x.refused {
			x.found = append(x.found, x.entry(x.viewer, p, w))
		}
	}
}

// principals goes through those of IAM.
func (x *whoCan) principals(ctx context.Context, last string) (next string) {
	b, ok := x.Buckets.Lookup(x.target.Bucket)
	if !ok {
		return ""
	}
	if last == "" {
		x.direct(ctx, b, &caller.Caller{Type: caller.Anonymous, ARN: "anonymous", PrincipalARN: "anonymous"})
	}
	all := x.Principals.PrincipalsAfter(last, maxPrincipals)
	for n := range all {
		if len(x.found) >= x.size {
			return amongPrincipals + last
		}
		last = all[n].ARN
		for _, w := range x.Holders.Ways(x.account, grants.Asker{Principal: last}, x.target, x.permission) {
			if w.Permission != "" || x.refused {
				e := x.entry(x.viewer, directory.Person{}, w)
				e.PrincipalType, e.PrincipalId, e.Name = lakegate.AccessPrincipalTypeIAM, last, nil
				x.found = append(x.found, e)
			}
		}
		x.direct(ctx, b, x.sessionFor(&all[n]))
	}
	if len(all) < maxPrincipals {
		return ""
	}
	return amongPrincipals + last
}

// sessionFor makes up a session for a role, as nobody will have it.
func (s *Questions) sessionFor(c *caller.Caller) *caller.Caller {
	if c.Type != caller.AssumedRole {
		return c
	}
	now := s.Doctor.Now()
	name := c.PrincipalARN[strings.LastIndexByte(c.PrincipalARN, '/')+1:]
	own := *c
	own.ARN, own.UserID = arn.AssumedRole(c.Account, name, sessionName), c.UserID+":"+sessionName
	own.Session = &caller.Session{RoleARN: c.PrincipalARN, RoleID: c.UserID, RoleName: name, Name: sessionName, Issued: now, Expires: now.Add(time.Hour)}
	return &own
}

// direct adds what a principal's own policies and the bucket's give without any grant.
func (x *whoCan) direct(ctx context.Context, b *bucket.Bucket, c *caller.Caller) {
	left := x.directly(ctx, b, c, x.target.Key, x.target.Wild || x.target.Key == "")
	if left == "" || x.permission != "" && !left.Satisfies(x.permission) {
		return
	}
	if x.permission != "" {
		left = x.permission
	}
	x.found = append(x.found, lakegate.AccessEntry{
		PrincipalType: lakegate.AccessPrincipalTypeIAM, PrincipalId: c.PrincipalARN, Effective: true, Permission: new(lakegate.Permission(left)), Method: lakegate.AccessMethodPOLICY,
		Why: new("by policies of IAM and of the bucket, without any access grant"),
	})
}

// directly asks the policies for s3:GetObject and s3:PutObject on a key, or on a key that is a prefix with a star behind it.
// Conditions see the address and the time of the request that asks.
func (s *Questions) directly(ctx context.Context, b *bucket.Bucket, c *caller.Caller, key string, wild bool) (left grants.Permission) {
	if b.Restricted(c.Account) {
		return ""
	}
	resource := arn.Object(b.Name, key)
	if wild {
		resource += "*"
	}
	may := func(action string) bool {
		return s.Doctor.Authorizer.Decide(ctx, authz.Request{Action: action, Resource: resource, Account: b.Account, ResourcePolicy: b.ResourcePolicy(), As: c}).Allowed
	}
	read, write := may("s3:GetObject"), may("s3:PutObject")
	switch {
	case read && write:
		return grants.ReadWrite
	case read:
		return grants.Read
	case write:
		return grants.Write
	}
	return ""
}
