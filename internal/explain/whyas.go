package explain

import (
	"context"
	"fmt"
	"strings"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// WhyAs walks the chain for a person who would ask for a target through an application, as the doctor does: the person, the
// application, its scope, the assignment, the access grants instance, the grant that wins or the nearest one, and the role
// of its location.
func (s *Questions) WhyAs(ctx context.Context, in *lakegate.WhyAsInput) (*lakegate.WhyAsOutput, error) {
	t, parseErr := scope.ParseTarget(in.Target, false)
	v, err := s.enter(ctx, "WhyAs", in.AccountId, t.Bucket)
	if err != nil {
		return nil, err
	}
	if parseErr != nil {
		return nil, lakegate.ValidationException("Target: " + parseErr.Error())
	}
	if in.RoleArn != nil {
		if err := v.administrator(); err != nil {
			return nil, err
		}
	}
	p, err := s.person(v, in.Person)
	if err != nil {
		return nil, err
	}
	x := &examinee{Doctor: s.Doctor, account: v.account, instance: v.instance, person: &p, in: &lakegate.DiagnoseInput{
		Target: &in.Target, Permission: &in.Permission, GrantsAccountId: &v.account, RoleArn: in.RoleArn,
	}}
	if x.app, err = s.application(v, in.Application); err != nil {
		return nil, err
	}
	about := x.about("person " + p.UserName)
	if p.Enabled {
		about.pass("active", "")
	} else {
		about.fail("active", "the person is disabled", "Enable the person where people are kept.")
	}
	about = x.about(nameOf(x.app))
	about.enabled(x.app)
	if x.app.ScopeReaches(center.ScopeAccessGrants, v.access.Application, v.access.IdentityCenter) {
		about.pass("scopes", center.ScopeAccessGrants)
	} else {
		about.fail("scopes", "without "+center.ScopeAccessGrants+" for this access grants instance", "Add it with aws sso-admin put-application-access-scope --scope "+center.ScopeAccessGrants+".")
	}
	x.about("person " + p.UserName).assigned(x.app)
	var role *Role
	if in.RoleArn != nil {
		about = x.about("role " + *in.RoleArn)
		if r, ok := x.role(about, *in.RoleArn); ok {
			role = &r
		}
	}
	x.examineGrants(ctx, role)
	out := &lakegate.WhyAsOutput{Allowed: true, Findings: x.found}
	for _, f := range x.found {
		if f.Outcome == lakegate.StepOutcomeFail {
			out.Allowed = false
		}
	}
	s.nearest(x, v, t, grants.Permission(in.Permission), out)
	return out, nil
}

// application finds one of the identity center's by ARN, the last part of it, or name.
func (s *Questions) application(v *viewer, name *string) (*center.Application, error) {
	var found []*center.Application
	for _, a := range s.Doctor.Center.ApplicationsOf(v.instance.ARN) {
		switch {
		case a.Provider != center.ProviderCustom:
		case name == nil || a.ARN == *name || strings.HasSuffix(a.ARN, "/"+*name) || a.Name == *name:
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		return nil, lakegate.ValidationException(fmt.Sprintf("Application: %d applications fit. Name one by its ARN.", len(found)))
	}
	return found[0], nil
}

// nearest names the grant that wins, or the one that lacks least and what it lacks.
func (s *Questions) nearest(x *examinee, v *viewer, t scope.Target, p grants.Permission, out *lakegate.WhyAsOutput) {
	a := grants.Asker{StoreID: x.person.StoreID, User: x.person.ID, Applications: []string{x.app.ARN}}
	for _, w := range s.Holders.Ways(v.account, a, t, p) {
		if w.Permission != "" {
			out.AccessGrantId, out.Nearest, out.Missing = &w.Grant.ID, nil, nil
			return
		}
		if out.Nearest == nil {
			out.Nearest, out.Missing = new(describeGrant(x, w.Grant)), known(w.Why)
		}
	}
	if out.Nearest == nil {
		out.Missing = new("no grant to the person or a group of theirs covers " + t.Text)
	}
}
