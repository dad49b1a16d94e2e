package center

import (
	"context"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
)

// CreateApplicationAssignment lets a person or a group use an application. Repeating it changes nothing.
func (s *Service) CreateApplicationAssignment(ctx context.Context, in *ssoadmin.CreateApplicationAssignmentInput) (*ssoadmin.CreateApplicationAssignmentOutput, error) {
	a, err := s.customApplication(ctx, "CreateApplicationAssignment", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	x := Assignment{a.ARN, string(in.PrincipalType), in.PrincipalId}
	if !s.principalExists(a.Instance, x.Type, x.Principal) {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + x.Type + " with id " + x.Principal)
	}
	most := s.Center.quotas.Groups
	err = s.changeParts(ctx, a.ARN, "application with ARN "+a.ARN, func(tx *store.Tx, _ *Application) error {
		if _, err := readAssignment(ctx, tx, x.key()); err == nil || !isNotFound(err) {
			return err
		}
		if x.Type == groupPrincipal {
			if n, err := countGroups(ctx, tx, a.ARN); err != nil || n >= int64(most) {
				return orElse(err, quota("groups assigned to an application", most))
			}
		}
		return insertAssignment(ctx, tx, x)
	})
	return &ssoadmin.CreateApplicationAssignmentOutput{}, err
}

func (s *Service) principalExists(instance, kind, id string) (ok bool) {
	i, known := s.Center.Instance(instance)
	switch {
	case !known:
	case kind == userPrincipal:
		_, ok = s.Center.people.User(i.StoreID, id)
	case kind == groupPrincipal:
		_, ok = s.Center.people.GroupName(i.StoreID, id)
	}
	return ok
}

// DescribeApplicationAssignment finds a direct assignment. Whether somebody may use the application is another question.
func (s *Service) DescribeApplicationAssignment(ctx context.Context, in *ssoadmin.DescribeApplicationAssignmentInput) (*ssoadmin.DescribeApplicationAssignmentOutput, error) {
	a, err := s.application(ctx, "DescribeApplicationAssignment", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	x := Assignment{a.ARN, string(in.PrincipalType), in.PrincipalId}
	if _, ok := s.Center.assignments.Get(x.key()); !ok {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + x.describe())
	}
	return &ssoadmin.DescribeApplicationAssignmentOutput{ApplicationArn: &a.ARN, PrincipalId: &in.PrincipalId, PrincipalType: &in.PrincipalType}, nil
}

func (a Assignment) describe() string {
	return "assignment of " + a.Type + " " + a.Principal + " to application with ARN " + a.Application
}

// ListApplicationAssignments lists who is assigned to an application.
func (s *Service) ListApplicationAssignments(ctx context.Context, in *ssoadmin.ListApplicationAssignmentsInput) (*ssoadmin.ListApplicationAssignmentsOutput, error) {
	a, err := s.application(ctx, "ListApplicationAssignments", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	list := "assignments " + a.ARN
	last, err := after(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	from := Assignment{Application: a.ARN}
	from.Type, from.Principal, _ = strings.Cut(last, " ")
	most := maxPage
	if in.MaxResults != nil {
		most = min(most, *in.MaxResults)
	}
	var all []Assignment
	err = s.Center.db.View(ctx, func(q store.Querier) (err error) {
		all, err = listAssignments(ctx, q, from, most+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListApplicationAssignmentsOutput{ApplicationAssignments: []ssoadmin.ApplicationAssignment{}}
	if len(all) > most {
		all = all[:most]
		out.NextToken = pageToken(list, all[most-1].Type+" "+all[most-1].Principal)
	}
	for _, x := range all {
		out.ApplicationAssignments = append(out.ApplicationAssignments, ssoadmin.ApplicationAssignment{
			ApplicationArn: x.Application, PrincipalId: x.Principal, PrincipalType: ssoadmin.PrincipalType(x.Type),
		})
	}
	return out, nil
}

// ListApplicationAssignmentsForPrincipal lists the applications that a person is assigned to, through groups too, or a
// group. A member account has to ask for one of its own applications.
func (s *Service) ListApplicationAssignmentsForPrincipal(ctx context.Context, in *ssoadmin.ListApplicationAssignmentsForPrincipalInput) (*ssoadmin.ListApplicationAssignmentsForPrincipalOutput, error) {
	const op = "ListApplicationAssignmentsForPrincipal"
	i, err := s.instance(ctx, op, in.InstanceArn, member)
	if err != nil {
		return nil, err
	}
	var only *string
	if in.Filter != nil {
		only = in.Filter.ApplicationArn
	}
	if s.reach(ctx, caller.From(ctx).Account, i) < delegate {
		if only == nil {
			return nil, denied(ctx, op, i.ARN, "a member account has to name one of its own applications in Filter.ApplicationArn")
		}
		if _, err := s.ownApplication(ctx, op, *only); err != nil {
			return nil, err
		}
	}
	kind := string(in.PrincipalType)
	if !s.principalExists(i.ARN, kind, in.PrincipalId) {
		return nil, ssoadmin.ResourceNotFoundException("Could not find " + kind + " with id " + in.PrincipalId)
	}
	all := s.Center.assignmentsOf(i, kind, in.PrincipalId)
	if only != nil {
		all = slices.DeleteFunc(all, func(a Assignment) bool { return a.Application != *only })
	}
	shown, next, err := page("for "+in.PrincipalId, all, Assignment.key, in.MaxResults, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssoadmin.ListApplicationAssignmentsForPrincipalOutput{ApplicationAssignments: []ssoadmin.ApplicationAssignmentForPrincipal{}, NextToken: next}
	for _, a := range shown {
		out.ApplicationAssignments = append(out.ApplicationAssignments, ssoadmin.ApplicationAssignmentForPrincipal{
			ApplicationArn: &a.Application, PrincipalId: &a.Principal, PrincipalType: new(ssoadmin.PrincipalType(a.Type)),
		})
	}
	return out, nil
}

// assignmentsOf are the assignments that reach a principal: its own, and those of a person's groups. Ids are never given
// twice, so that they need no type beside them.
func (c *Center) assignmentsOf(i *Instance, kind, id string) []Assignment {
	ids := []string{id}
	if kind == userPrincipal {
		ids = append(ids, c.people.GroupsOf(i.StoreID, id)...)
	}
	var out []Assignment
	c.assignments.Read(func(map[string]Assignment) {
		for _, id := range ids {
			out = append(out, c.byPrincipal[id]...)
		}
	})
	slices.SortFunc(out, func(a, b Assignment) int { return strings.Compare(a.key(), b.key()) })
	return out
}

// DeleteApplicationAssignment ends an assignment.
func (s *Service) DeleteApplicationAssignment(ctx context.Context, in *ssoadmin.DeleteApplicationAssignmentInput) (*ssoadmin.DeleteApplicationAssignmentOutput, error) {
	a, err := s.customApplication(ctx, "DeleteApplicationAssignment", in.ApplicationArn)
	if err != nil {
		return nil, err
	}
	x := Assignment{a.ARN, string(in.PrincipalType), in.PrincipalId}
	err = s.change(ctx, x.describe(), func(tx *store.Tx) error { return deleteAssignment(ctx, tx, x) })
	return &ssoadmin.DeleteApplicationAssignmentOutput{}, err
}
