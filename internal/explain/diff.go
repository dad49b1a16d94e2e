package explain

import (
	"context"
	"errors"
	"slices"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/wire"
)

// DiffGrant tells who would gain what if a grant were made, or lose what if one were deleted; of a grant that denies, who
// would lose what and who would gain it. What other grants give as well is nobody's gain and nobody's loss, and what they
// deny neither. Nothing changes.
func (s *Questions) DiffGrant(ctx context.Context, in *lakegate.DiffGrantInput) (*lakegate.DiffGrantOutput, error) {
	text := value(in.Scope)
	sc, parseErr := scope.ParseTemplate(text, in.S3PrefixType != nil)
	v, err := s.enter(ctx, "DiffGrant", in.AccountId, sc.Bucket)
	if err != nil {
		return nil, err
	}
	x := &diff{Questions: s, viewer: v, size: page(in.MaxResults)}
	proposes := in.Scope != nil || in.Grantee != nil || in.GranteeType != nil || in.Permission != nil || in.Application != nil || in.S3PrefixType != nil || in.Tags != nil
	switch {
	case in.AccessGrantId != nil && proposes:
		return nil, lakegate.ValidationException("Give AccessGrantId for a grant that would be deleted, or Scope, Permission, GranteeType and Grantee for one that would be made, not both.")
	case in.AccessGrantId != nil:
		err = x.find(ctx, *in.AccessGrantId)
	case in.Scope == nil || in.Permission == nil || in.GranteeType == nil || in.Grantee == nil:
		err = lakegate.ValidationException("A grant that would be made has Scope, Permission, GranteeType and Grantee.")
	case parseErr != nil:
		err = lakegate.ValidationException("Scope: " + parseErr.Error())
	default:
		x.made = true
		err = x.propose(ctx, in, sc)
	}
	if err != nil {
		return nil, err
	}
	q := questionOf(ctx, v, "DiffGrant", in.AccessGrantId, in.Scope, in.Permission, in.GranteeType, in.Grantee, in.Application, in.S3PrefixType, in.Tags)
	after, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	next, err := x.run(ctx, after)
	if err != nil {
		return nil, err
	}
	out := &lakegate.DiffGrantOutput{AccountId: v.account, Changes: slices.Concat([]lakegate.AccessChange{}, x.changes)}
	if next != "" {
		out.NextToken = q.token(next)
	}
	return out, nil
}

// find finds the grant that would be deleted. To a person who does not own its scope it is as if there were none.
func (x *diff) find(ctx context.Context, id string) error {
	none := lakegate.ResourceNotFoundException("There is no access grant " + id + ".")
	g, ok, err := x.Holders.GrantByID(ctx, x.viewer.account, id)
	if err != nil {
		return err
	}
	if !ok {
		return none
	}
	mine, err := x.owns(ctx, x.viewer, g.Scope)
	if err != nil {
		return err
	}
	if !mine {
		return none
	}
	x.grant = g
	return nil
}

// propose makes up the grant that would be made.
func (x *diff) propose(ctx context.Context, in *lakegate.DiffGrantInput, sc scope.Scope) error {
	mine, err := x.owns(ctx, x.viewer, sc)
	if err != nil {
		return err
	}
	if !mine {
		return lakegate.AccessDeniedException("This question is for administrators of the access grants instance and for the owners of the scope.")
	}
	if b, ok := x.Buckets.Lookup(sc.Bucket); !ok || b.Account != x.viewer.account {
		return lakegate.ValidationException("Scope: the account " + x.viewer.account + " has no bucket " + sc.Bucket)
	}
	g := &grants.Grant{
		Account: x.viewer.account, ID: "proposed", Text: *in.Scope, Scope: sc, Object: in.S3PrefixType != nil, Permission: grants.Permission(*in.Permission),
		Grantee: grants.Grantee{Type: grants.GranteeType(*in.GranteeType), ID: *in.Grantee}, Created: x.Doctor.Now(),
	}
	switch g.Grantee.Type {
	case grants.IAM:
		if !x.Principals.Exists(g.Grantee.ID) || in.Application != nil || sc.HasVariables() {
			return lakegate.ValidationException("Grantee: an IAM principal is the ARN of a user or role that exists, and has neither an application nor variables in its scope.")
		}
	case grants.DirectoryUser:
		// An owner asks about others here, as who may make the grant has to.
		admin := *x.viewer
		admin.self = nil
		p, err := x.Questions.person(&admin, g.Grantee.ID)
		if err != nil {
			return err
		}
		g.Grantee.ID = p.ID
	default:
		id, err := x.group(ctx, x.viewer, g.Grantee.ID)
		if err != nil {
			return err
		}
		g.Grantee.ID = id
	}
	if in.Application != nil {
		a, err := x.application(x.viewer, in.Application)
		if err != nil {
			return err
		}
		g.Application = a.ARN
	}
	var tags []s3control.Tag
	for _, t := range in.Tags {
		tags = append(tags, s3control.Tag{Key: t.Key, Value: t.Value})
	}
	x.grant = g
	err = x.Holders.Propose(g, tags)
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Kind != wire.KindInternal {
		return lakegate.ValidationException("Tags: " + e.Message).Because(err)
	}
	return err
}

// group finds a group by id or display name.
func (s *Questions) group(ctx context.Context, v *viewer, name string) (string, error) {
	none := lakegate.ResourceNotFoundException("There is no group " + name + ".")
	if v.instance == nil {
		return "", none
	}
	if _, ok := s.Everybody.GroupName(v.instance.StoreID, name); ok {
		return name, nil
	}
	g, err := s.Everybody.FindGroup(ctx, v.instance.StoreID, name)
	if err != nil {
		if e, ok := errors.AsType[*directory.Error](err); ok && e.Kind == directory.KindNotFound {
			return "", none
		}
		return "", err
	}
	return g.ID, nil
}
