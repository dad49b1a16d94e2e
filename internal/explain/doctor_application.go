package explain

import (
	"context"
	"fmt"
	"strings"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/center"
)

// findApplication finds an application by its ARN, the last part of it, or its name.
func (x *examinee) findApplication(name string) bool {
	s := x.about("application " + name)
	var found []*center.Application
	for _, a := range x.Center.ApplicationsOf(x.instance.ARN) {
		if a.ARN == name || strings.HasSuffix(a.ARN, "/"+name) || a.Name == name {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 0:
		s.fail("application", "the instance has no such application", "List the applications with aws sso-admin list-applications, or create one with create-application.")
		return false
	case 1:
		x.app = found[0]
		return true
	}
	s.fail("application", fmt.Sprintf("%d applications have that name", len(found)), "Name the application by its ARN.")
	return false
}

func (x *examinee) customApplications() (out []*center.Application) {
	for _, a := range x.Center.ApplicationsOf(x.instance.ARN) {
		if a.Provider == center.ProviderCustom {
			out = append(out, a)
		}
	}
	return out
}

// nameOf an application, for headings.
func nameOf(a *center.Application) string {
	return "application " + a.Name + " (" + a.ARN[strings.LastIndexByte(a.ARN, '/')+1:] + ")"
}

// grantOf examines which tokens an application may exchange, and returns the issuers of the grant.
func (s subject) grantOf(a *center.Application) (issuers []*center.Issuer) {
	g, ok := a.Grants[center.GrantJWTBearer]
	if !ok {
		s.fail("grant", "the application has no grant "+center.GrantJWTBearer,
			"Name the trusted token issuer and the audiences of its tokens with aws sso-admin put-application-grant --grant-type "+center.GrantJWTBearer+".")
		return nil
	}
	for _, authorized := range g.Issuers {
		i, ok := s.x.Center.Issuer(authorized.ARN)
		switch {
		case !ok:
			s.fail("grant", "the trusted token issuer "+authorized.ARN+" is gone", "Create the issuer anew, and put the grant with the new ARN.")
		case len(authorized.Audiences) == 0:
			s.fail("grant", "the grant authorises no audience of the issuer "+i.Name, "Put the grant with AuthorizedAudiences: the aud of the tokens, which is the client id at the identity provider.")
			issuers = append(issuers, i)
		default:
			s.pass("grant", "tokens of "+i.URL+" for "+strings.Join(authorized.Audiences, ", "))
			issuers = append(issuers, i)
		}
	}
	if _, ok := a.Grants[center.GrantRefreshToken]; !ok {
		s.info("refresh tokens", "none: the application has no grant "+center.GrantRefreshToken, "Put that grant as well, where the application is to outlive a token.")
	}
	return issuers
}

// enabled examines whether an application is switched on.
func (s subject) enabled(a *center.Application) bool {
	if !a.Enabled {
		s.fail("enabled", "the application is disabled", "Switch it on with aws sso-admin update-application --status ENABLED.")
		return false
	}
	s.pass("enabled", "")
	return true
}

func (s subject) scopesOf(a *center.Application) {
	if _, ok := a.Scopes[center.ScopeAccessGrants]; !ok {
		s.fail("scopes", "without "+center.ScopeAccessGrants+": nobody has access grants through it",
			"Add it with aws sso-admin put-application-access-scope --scope "+center.ScopeAccessGrants+".")
		return
	}
	s.pass("scopes", strings.Join(a.ScopeNames(), " "))
}

// methodOf examines whether anybody may act as the application.
func (s subject) methodOf(a *center.Application) bool {
	const remedy = "Say which IAM role runs the application with aws sso-admin put-application-authentication-method."
	switch {
	case a.Method == nil:
		s.fail("actor policy", "the application has no authentication method: nobody may exchange tokens for it", remedy)
	case a.Method.Document == nil:
		s.fail("actor policy", "the actor policy cannot be read: it admits nobody", remedy)
	default:
		if gone := s.x.goneFrom(a.Method); len(gone) > 0 {
			s.fail("actor policy", "it names "+strings.Join(gone, ", ")+", which is gone or was made again", "Put the policy once more: it means the roles that exist when it is saved.")
			return true
		}
		s.pass("actor policy", "set")
		return true
	}
	return false
}

// goneFrom lists the roles that an actor policy names and that are no longer those which it was saved for.
func (x *examinee) goneFrom(m *center.Method) (gone []string) {
	for name, id := range m.IDs {
		if !strings.Contains(name, ":role/") || !x.mayLook(accountOf(name)) {
			continue
		}
		if r, ok := x.Roles.RoleOf(name); !ok || r.ID != id {
			gone = append(gone, name)
		}
	}
	return gone
}

// assigned examines whether the person may use the application.
func (s subject) assigned(a *center.Application) bool {
	x := s.x
	if !a.AssignmentRequired {
		s.pass("assignment", "nobody has to be assigned")
		return true
	}
	if x.Center.Assigned(a.ARN, x.person.ID, nil) {
		s.pass("assignment", "directly")
		return true
	}
	for _, g := range x.People.GroupsOf(x.instance.StoreID, x.person.ID) {
		if x.Center.Assigned(a.ARN, "", []string{g}) {
			name, _ := x.People.GroupName(x.instance.StoreID, g)
			s.pass("assignment", "through the group "+name)
			return true
		}
	}
	s.fail("assignment", x.person.UserName+" is not assigned to the application, nor is a group of theirs",
		"Assign the person or a group with aws sso-admin create-application-assignment, or let everybody use it with put-application-assignment-configuration.")
	return false
}

// actor examines whether a role may exchange tokens as the application.
func (x *examinee) actor(ctx context.Context, s subject, role Role) {
	d := x.Authorizer.Decide(ctx, authz.Request{
		Action: "sso-oauth:CreateTokenWithIAM", Resource: x.app.ARN, Account: x.instance.Account,
		ResourcePolicy: x.app.ActorPolicy(), MustAllow: true, As: x.sessionOf(role, nil),
	})
	s.decision("exchange as the application", d, "sso-oauth:CreateTokenWithIAM",
		"Allow sso-oauth:CreateTokenWithIAM both to the role, in a policy of its own, and in the application's actor policy (put-application-authentication-method).")
}
