package explain

import (
	"context"
	"errors"
	"slices"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// DiffGrant tells who would gain what if a grant were made, or lose what if one were deleted. What other grants give on all
// of its scope is nobody's gain and nobody's loss; that narrower ones would stay is not looked at. Nothing changes.
func (s *Questions) DiffGrant(ctx context.Context, in *lakegate.DiffGrantInput) (*lakegate.DiffGrantOutput, error) {
	text := value(in.Scope)
	sc, parseErr := scope.ParseTemplate(text, false)
	v, err := s.enter(ctx, "DiffGrant", in.AccountId, sc.Bucket)
	if err != nil {
		return nil, err
	}
	x := &diff{Questions: s, viewer: v, size: page(in.MaxResults), kind: lakegate.AccessChangeKindLOSES}
	switch {
	case in.AccessGrantId != nil && (in.Scope != nil || in.Grantee != nil || in.GranteeType != nil || in.Permission != nil || in.Application != nil):
		return nil, lakegate.ValidationException("Give AccessGrantId for a grant that would be deleted, or Scope, Permission, GranteeType and Grantee for one that would be made, not both.")
	case in.AccessGrantId != nil:
		err = x.find(ctx, *in.AccessGrantId)
	case in.Scope == nil || in.Permission == nil || in.GranteeType == nil || in.Grantee == nil:
		err = lakegate.ValidationException("A grant that would be made has Scope, Permission, GranteeType and Grantee.")
	case parseErr != nil:
		err = lakegate.ValidationException("Scope: " + parseErr.Error())
	default:
		x.kind = lakegate.AccessChangeKindGAINS
		err = x.propose(ctx, in, sc)
	}
	if err != nil {
		return nil, err
	}
	q := questionOf(ctx, v, "DiffGrant", in.AccessGrantId, in.Scope, in.Permission, in.GranteeType, in.Grantee, in.Application)
	last, err := q.after(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &lakegate.DiffGrantOutput{AccountId: v.account}
	if x.grant.Grantee.Type == grants.IAM {
		x.compare(lakegate.AccessPrincipalTypeIAM, x.grant.Grantee.ID, "", grants.Asker{Principal: x.grant.Grantee.ID})
	} else if v.instance != nil {
		c, err := s.membersOf(ctx, v, x.grant.Grantee)
		if err != nil {
			return nil, err
		}
		last, done, err := c.each(ctx, last, func(id string) bool {
			if p, ok := s.Everybody.User(v.instance.StoreID, id); ok {
				x.person(p)
			}
			return len(x.changes) < x.size
		})
		if err != nil {
			return nil, err
		}
		if !done {
			out.NextToken = q.token(last)
		}
	}
	out.Changes = slices.Concat([]lakegate.AccessChange{}, x.changes)
	return out, nil
}

// diff is one page.
type diff struct {
	*Questions
	*viewer
	grant   *grants.Grant
	kind    lakegate.AccessChangeKind
	size    int
	changes []lakegate.AccessChange
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
	if g.Denies() {
		return lakegate.ValidationException("The grant " + id + " denies. What would come back without it is for who-can to tell, with what is refused.")
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
		Account: x.viewer.account, ID: "proposed", Text: *in.Scope, Scope: sc, Permission: grants.Permission(*in.Permission),
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
	x.grant = g
	return nil
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

func (x *diff) person(p directory.Person) {
	x.compare(lakegate.AccessPrincipalTypePERSON, p.ID, p.UserName, x.asker(x.viewer, p))
}

// right is a part of a permission through an application.
type right struct {
	permission  grants.Permission
	application string
}

func rights(w grants.Way) (all []right) {
	applications := w.Applications
	if w.Grant.Grantee.Type == grants.IAM {
		applications = []string{""}
	}
	for _, p := range []grants.Permission{grants.Read, grants.Write} {
		if w.Permission.Satisfies(p) && w.Permission != "" {
			for _, a := range applications {
				all = append(all, right{p, a})
			}
		}
	}
	return all
}

// compare adds what the grant alone gives to somebody.
func (x *diff) compare(kind lakegate.AccessPrincipalType, id, name string, a grants.Asker) {
	none := ""
	forms := map[string][]grants.Way{}
	var texts []string
	for _, w := range x.Holders.WaysOf(x.grant, a, "") {
		if _, ok := forms[w.Grant.Text]; !ok {
			texts = append(texts, w.Grant.Text)
		}
		forms[w.Grant.Text] = append(forms[w.Grant.Text], w)
	}
	for _, text := range texts {
		form := forms[text][0].Grant
		have := map[right]bool{}
		t := scope.Target{Text: text, Bucket: form.Scope.Bucket, Key: form.Scope.Prefix, Wild: !form.Scope.One}
		for _, w := range x.Holders.Ways(x.viewer.account, a, t, "") {
			// A grant with actions of its own is not what another one without them is.
			if w.Grant.ID == x.grant.ID || w.Grant.Terms != nil && w.Grant.Terms.Actions != nil {
				continue
			}
			for _, r := range rights(w) {
				have[r] = true
			}
		}
		byApplication := map[string]grants.Permission{}
		for _, w := range forms[text] {
			if w.Why != "" {
				none = w.Why
			}
			for _, r := range rights(w) {
				if have[r] {
					none = "other grants give the same"
					continue
				}
				if left := byApplication[r.application]; left == "" || left == r.permission {
					byApplication[r.application] = r.permission
				} else {
					byApplication[r.application] = grants.ReadWrite
				}
			}
		}
		x.tell(kind, id, name, text, byApplication, none)
	}
}

// tell adds a change for each permission, with the applications through which it is one.
func (x *diff) tell(kind lakegate.AccessPrincipalType, id, name, text string, byApplication map[string]grants.Permission, none string) {
	c := lakegate.AccessChange{PrincipalType: kind, PrincipalId: id, Name: known(name), Scope: text, Change: x.kind}
	if len(byApplication) == 0 {
		c.Change, c.Why = lakegate.AccessChangeKindUNCHANGED, known(none)
		x.changes = append(x.changes, c)
		return
	}
	for _, p := range []grants.Permission{grants.Read, grants.Write, grants.ReadWrite} {
		own := c
		own.Permission = new(lakegate.Permission(p))
		found := false
		for application, q := range byApplication {
			if q != p {
				continue
			}
			found = true
			for _, a := range x.apps {
				if a.ARN == application {
					own.Applications = append(own.Applications, a.Name)
				}
			}
		}
		if found {
			slices.Sort(own.Applications)
			x.changes = append(x.changes, own)
		}
	}
}
