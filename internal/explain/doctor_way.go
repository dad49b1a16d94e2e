package explain

import (
	"context"
	"fmt"

	"github.com/lakegate/lakegate/internal/center"
)

// examineWay walks from the issuer to the data, for one application.
func (x *examinee) examineWay(ctx context.Context) error {
	s := x.about(nameOf(x.app))
	s.enabled(x.app)
	issuers := s.grantOf(x.app)
	s.scopesOf(x.app)
	s.methodOf(x.app)
	switch {
	case x.in.Token != nil:
		if err := x.examineToken(ctx); err != nil {
			return err
		}
	default:
		x.visit(ctx, distinct(issuers))
		if x.in.Person != nil {
			x.examinePerson(ctx, issuers)
		}
	}
	if x.person != nil {
		x.about("person " + x.person.UserName).assigned(x.app)
	}
	role := x.examineRoles(ctx)
	x.examineGrants(ctx, role)
	return nil
}

// distinct leaves one issuer of each, since a grant may name one twice.
func distinct(all []*center.Issuer) (out []*center.Issuer) {
	seen := map[string]bool{}
	for _, i := range all {
		if !seen[i.ARN] {
			out = append(out, i)
		}
		seen[i.ARN] = true
	}
	return out
}

// examineInstance looks at everything of an instance that concerns no single person.
func (x *examinee) examineInstance(ctx context.Context) {
	s := x.about("instance " + x.instance.ARN)
	issuers := x.Center.IssuersOf(x.instance.ARN)
	if len(issuers) == 0 {
		s.info("issuers", "no trusted token issuer: no token of another provider can be exchanged", "Create one with aws sso-admin create-trusted-token-issuer.")
	}
	x.visit(ctx, issuers)
	applications := x.customApplications()
	if len(applications) == 0 {
		s.info("applications", "none", "Create one with aws sso-admin create-application.")
	}
	for n, a := range applications {
		if n == maxApplications {
			s.info("applications", fmt.Sprintf("%d of %d are looked at", n, len(applications)), "Name one to look at another.")
			break
		}
		x.examineApplication(a)
	}
	instances := x.Grants.Associated(x.instance.ARN)
	if len(instances) == 0 {
		s.info("access grants", "no access grants instance is associated: people have no grants", "Associate one with aws s3control associate-access-grants-identity-center --identity-center-arn "+x.instance.ARN)
	}
	for _, i := range instances {
		s := x.about("access grants of " + i.Account)
		if !x.mayLook(i.Account) {
			s.info("access grants", "not looked at: they belong to account "+i.Account, "Ask as the management account.")
			continue
		}
		x.associated(s, i)
		locations := x.Grants.LocationsOf(i.Account)
		if len(locations) == 0 {
			s.info("locations", "none: nothing can be granted", "Register one with aws s3control create-access-grants-location.")
		}
		for n, l := range locations {
			if n == maxLocations {
				s.info("locations", fmt.Sprintf("%d of %d are looked at", n, len(locations)), "")
				break
			}
			x.reaches(ctx, s, l, true)
		}
	}
}

// examineApplication looks at an application of many. One that is switched off is meant to be off.
func (x *examinee) examineApplication(a *center.Application) {
	s := x.about(nameOf(a))
	if !a.Enabled {
		s.info("enabled", "the application is disabled: the rest is not looked at", "")
		return
	}
	s.grantOf(a)
	s.scopesOf(a)
	s.methodOf(a)
	if n := x.Center.Assignees(a.ARN); a.AssignmentRequired && n == 0 {
		s.fail("assignment", "people have to be assigned, and nobody is", "Assign people or groups with aws sso-admin create-application-assignment.")
	} else if a.AssignmentRequired {
		s.pass("assignment", fmt.Sprintf("%d people and groups", n))
	} else {
		s.pass("assignment", "nobody has to be assigned")
	}
}
