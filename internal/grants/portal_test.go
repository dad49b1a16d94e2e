package grants_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/caller"
)

// TestGrantsOfAPersonAtTheCommandLine: a person who came in through the portal has the grants of the person and the groups
// that are bound to no application, and credentials of them go on to rest on the assignment. Where the session only names
// the person (strict, or a role taken on with it), the role's grants are all.
func TestGrantsOfAPersonAtTheCommandLine(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user := h.person("mateo")
		group := h.group("Analysts", user)
		application := h.application("App")
		bound := grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/bound/*", s3control.PermissionREAD)
		bound.ApplicationArn = &application
		h.grant(bound)
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/own/*", s3control.PermissionREAD))
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/group/*", s3control.PermissionREAD))
		role := h.role(owner, "Set", allow(app, "*"))
		h.grant(grantInput(s3control.GranteeTypeIAM, role.PrincipalARN, "lake/role/*", s3control.PermissionREAD))

		person := h.enhanced(role, user, "")
		session := *role.Session
		session.Portal = &caller.Portal{PermissionSet: "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef", Account: owner}
		person.Session = &session
		named := *person
		named.OnBehalf, named.Session = nil, new(session)
		named.Session.Audit = person.OnBehalf

		for _, c := range []struct {
			who    *caller.Caller
			prefix string
			gets   bool
		}{
			{person, "own", true}, {person, "group", true}, {person, "role", true}, {person, "bound", false},
			{&named, "own", false}, {&named, "group", false}, {&named, "role", true}, {&named, "bound", false},
		} {
			target := "s3://lake/" + c.prefix + "/*"
			if !c.gets {
				_, err := h.ask(c.who, target, s3control.PermissionREAD)
				wantDenied(t, err, "You do not have READ permissions")
				continue
			}
			v := h.vended(c.who, target, s3control.PermissionREAD)
			if diff := cmp.Diff(session.Portal, v.Session.Portal); diff != "" {
				t.Errorf("credentials for %s rest on something else (-want +got):\n%s", c.prefix, diff)
			}
			if v.Named() == nil || v.Named().UserID != user {
				t.Errorf("credentials for %s name %+v", c.prefix, v.Named())
			}
			if !h.reads(v, c.prefix+"/x") {
				t.Errorf("credentials for %s do not read", c.prefix)
			}
		}
		// One that is bound to an application is listed with it, as it is for every session of the person.
		if got := len(h.callerGrants(person)); got != 4 {
			t.Errorf("%d grants are listed", got)
		}
		if got := len(h.callerGrants(&named)); got != 1 {
			t.Errorf("%d grants of the role are listed", got)
		}
	})
}

func (h *house) callerGrants(c *caller.Caller) []s3control.ListCallerAccessGrantsEntry {
	h.t.Helper()
	return must(h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner})).CallerAccessGrantsList
}
