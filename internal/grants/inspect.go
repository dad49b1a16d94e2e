package grants

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/policy"
	"github.com/lakegate/lakegate/internal/scope"
)

// What follows looks at how a request would fare. It hands nothing out, and notes nothing in the trail.

// InstanceOf finds the access grants instance of an account.
func (r *Registry) InstanceOf(account string) (*Instance, bool) { return r.instances.Get(account) }

// Associated lists the instances that are associated with an identity center instance, in the order of their accounts.
func (r *Registry) Associated(identityCenter string) (out []*Instance) {
	for _, i := range r.instances.Each() {
		if i.IdentityCenter == identityCenter {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b *Instance) int { return strings.Compare(a.Account, b.Account) })
	return out
}

// LocationsOf lists the locations of an account, in the order of their scopes.
func (r *Registry) LocationsOf(account string) (out []*Location) {
	for k, l := range maps.Collect(r.locations.Each()) {
		if strings.HasPrefix(k, account+"/") {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b *Location) int {
		return cmp.Or(strings.Compare(a.Scope.Text, b.Scope.Text), strings.Compare(a.ID, b.ID))
	})
	return out
}

// MayAsk tells whether a caller may ask for access in an account: the decision on s3:GetDataAccess.
func (s *Service) MayAsk(ctx context.Context, account string, c *caller.Caller) policy.Decision {
	i, _ := s.Registry.instances.Get(account)
	return s.Authorizer.Decide(ctx, authz.Request{
		Action: "s3:GetDataAccess", Resource: arn.AccessGrantsInstance(s.Region, account), Account: account, ResourcePolicy: i.named(), As: c,
	})
}

// Preview is what a caller would get for a target.
type Preview struct {
	// Won is the grant that wins, nil for none; Why then says what is missing.
	Won *Grant
	Why string
	// Denied is the grant that takes the target away where another one gives it; Won is then nil.
	Denied *Grant
	// Others are further grants of the caller that cover the target, the narrowest first.
	Others []*Grant
}

// Preview finds the grants that match as a request of the caller would find them. The error is about the target.
func (s *Service) Preview(ctx context.Context, account string, c *caller.Caller, target string, permission Permission) (Preview, error) {
	i, ok := s.Registry.instances.Get(account)
	if !ok {
		return Preview{Why: "the account has no access grants instance"}, nil
	}
	t, err := scope.ParseTarget(target, false)
	if err != nil {
		return Preview{}, err
	}
	q := &Question{Principal: principalOf(c), Target: t, Permission: permission, Now: s.Now()}
	p, err := s.identityOf(ctx, i, c)
	if err != nil {
		return Preview{Why: err.Error()}, nil
	}
	if p != nil {
		q.User, q.Application, q.Groups = p.UserID, p.ApplicationARN, s.Directory.GroupsOf(p.IdentityStoreID, p.UserID)
		q.Names = s.namesOf(p)
	}
	out := Preview{Won: s.Registry.match(i.Account, q)}
	if out.Won == nil {
		out.Why = s.Registry.miss(i.Account, q)
	} else if d := s.denial(i, c, q); d != nil {
		out.Won, out.Denied, out.Why = nil, d, denied(d, string(permission))
	}
	for _, g := range s.Registry.covering(i.Account, q) {
		if out.Won == nil || g.ID != out.Won.ID {
			out.Others = append(out.Others, g)
		}
	}
	return out, nil
}

// LocationOf is the location of a grant.
func (r *Registry) LocationOf(g *Grant) (*Location, bool) { return r.location(g.Account, g.LocationID) }

// Reaches tells why the service could not take on the role of a location, for a person where person is set, or nil.
func (s *Service) Reaches(ctx context.Context, l *Location, person bool) error {
	_, err := s.takeOn(ctx, l, person)
	return err
}

// takeOn finds the role of a location, if the service may take it on, and carry a person along.
func (s *Service) takeOn(ctx context.Context, l *Location, person bool) (Role, error) {
	role, ok := s.Accounts.LocationRole(l.Role)
	if !ok {
		return Role{}, errors.New("the role " + l.Role + " is gone")
	}
	actions := []string{"sts:AssumeRole"}
	if person {
		actions = append(actions, "sts:SetContext")
	}
	for _, action := range actions {
		if d := s.mayAssume(ctx, l.Account, &role, action); !d.Allowed {
			return Role{}, errors.New("the role does not let " + servicePrincipal + " do " + action + ": " + d.Reason)
		}
	}
	return role, nil
}
