package explain

import (
	"context"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/session"
)

// sessionName is that of the sessions which the doctor imagines.
const sessionName = "doctor"

// sessionOf is what a session of a role would be, for a person or for nobody. It is never sealed, so nobody has it.
func (x *examinee) sessionOf(r Role, person *caller.Identity) *caller.Caller {
	now := x.Now()
	return &caller.Caller{
		Type: caller.AssumedRole, Account: r.Account, ARN: arn.AssumedRole(r.Account, r.Name, sessionName), PrincipalARN: r.ARN, UserID: r.ID + ":" + sessionName,
		Session:  &caller.Session{RoleARN: r.ARN, RoleID: r.ID, RoleName: r.Name, Name: sessionName, Issued: now, Expires: now.Add(time.Hour)},
		OnBehalf: person,
	}
}

// identity is the person as an identity context would carry it.
func (x *examinee) identity() *caller.Identity {
	if x.person == nil {
		return nil
	}
	return &caller.Identity{
		UserID: x.person.ID, IdentityStoreID: x.instance.StoreID, IdentityStoreARN: x.instance.StoreARN(),
		InstanceARN: x.instance.ARN, ApplicationARN: x.app.ARN, Grants: true,
	}
}

func accountOf(name string) string {
	a, err := arn.Parse(name)
	if err != nil {
		return ""
	}
	return a.Account
}

// role finds a role that the request names, if the caller may know of it.
func (x *examinee) role(s subject, name string) (Role, bool) {
	account := accountOf(name)
	if account == "" {
		s.fail("role", "that is no ARN of a role", "Name the role by its ARN, arn:aws:iam::<account>:role/<name>.")
		return Role{}, false
	}
	if !x.mayLook(account) {
		s.info("role", "not looked at: it belongs to account "+account, "Ask as the management account.")
		return Role{}, false
	}
	r, ok := x.Roles.RoleOf(name)
	if !ok {
		s.fail("role", "there is no such role, or its account is suspended", "Create it with aws iam create-role, or correct the ARN.")
		return Role{}, false
	}
	return r, true
}

// examineRoles examines who acts for the application, and the role that it assumes for people.
func (x *examinee) examineRoles(ctx context.Context) (assumed *Role) {
	var actor *Role
	if x.in.ActorRoleArn != nil {
		s := x.about("actor role " + *x.in.ActorRoleArn)
		if r, ok := x.role(s, *x.in.ActorRoleArn); ok {
			actor = &r
			x.actor(ctx, s, r)
		}
	} else {
		x.about(nameOf(x.app)).info("exchange as the application", "not looked at: no actor role was named", "")
	}
	if x.in.RoleArn == nil {
		return nil
	}
	s := x.about("role " + *x.in.RoleArn)
	r, ok := x.role(s, *x.in.RoleArn)
	if !ok {
		return nil
	}
	if actor == nil {
		s.info("trust", "not looked at: no actor role was named that could assume it", "")
		return &r
	}
	person := x.identity()
	if person == nil { // what every person of the application would bring
		person = &caller.Identity{IdentityStoreARN: x.instance.StoreARN(), InstanceARN: x.instance.ARN, ApplicationARN: x.app.ARN}
	}
	values := session.RequestContext(person)
	values.Set("sts:RoleSessionName", sessionName)
	for _, action := range []string{"sts:AssumeRole", "sts:SetContext"} {
		d := x.Authorizer.Decide(ctx, authz.Request{
			Action: action, Resource: r.ARN, Account: r.Account, ResourcePolicy: &r.Trust, MustAllow: true, Context: values, As: x.sessionOf(*actor, nil),
		})
		s.decision("trust "+action, d, "by "+actor.Name,
			fmt.Sprintf("Allow %s to %s in the role's trust policy, and on the role in a policy of %s. AssumeRole with an identity context takes both sts:AssumeRole and sts:SetContext.", action, actor.ARN, actor.Name))
	}
	return &r
}
