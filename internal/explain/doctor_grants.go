package explain

import (
	"context"
	"fmt"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/grants"
)

// grantsAccount is the account whose access grants count.
func (x *examinee) grantsAccount() string {
	switch {
	case x.in.GrantsAccountId != nil:
		return *x.in.GrantsAccountId
	case x.in.RoleArn != nil && accountOf(*x.in.RoleArn) != "":
		return accountOf(*x.in.RoleArn)
	}
	return x.app.Account
}

// examineGrants examines whether the person, in a session of the role, gets at the target.
func (x *examinee) examineGrants(ctx context.Context, role *Role) {
	account := x.grantsAccount()
	s := x.about("access grants of " + account)
	if !x.mayLook(account) {
		s.info("access grants", "not looked at: they belong to account "+account, "Ask as the management account.")
		return
	}
	i, ok := x.Grants.InstanceOf(account)
	if !ok {
		s.fail("instance", "the account has no access grants instance", "Create it with aws s3control create-access-grants-instance --identity-center-arn "+x.instance.ARN+", or name the account that has it.")
		return
	}
	s.pass("instance", "")
	associated := x.associated(s, i)
	who := &caller.Caller{Account: account, OnBehalf: x.identity()}
	if role != nil {
		who = x.sessionOf(*role, x.identity())
		s.decision("permission of the role", x.Grants.MayAsk(ctx, account, who), "s3:GetDataAccess",
			"Allow s3:GetDataAccess on the access grants instance to the role; from another account, in the instance's resource policy as well (put-access-grants-instance-resource-policy).")
	}
	switch {
	case x.in.Target == nil:
		s.info("grants", "not looked at: no target was named", "")
	case !associated:
		s.info("grants", "not looked at: without the association no grant counts for people", "")
	case who.OnBehalf == nil:
		s.info("grants", "not looked at: there is no person", "")
	default:
		x.examineTarget(ctx, s, account, who)
	}
}

// associated examines whether an access grants instance knows the people of the identity center.
func (x *examinee) associated(s subject, i *grants.Instance) bool {
	const remedy = "Associate it with aws s3control associate-access-grants-identity-center --identity-center-arn "
	switch {
	case i.IdentityCenter == "":
		s.fail("association", "it is associated with no identity center", remedy+x.instance.ARN)
	case i.IdentityCenter != x.instance.ARN:
		s.fail("association", "it is associated with "+i.IdentityCenter, "Dissociate it first, which ends the grants of people. "+remedy+x.instance.ARN)
	default:
		if _, ok := x.Center.Application(i.Application); !ok {
			s.fail("association", "its application in the identity center is gone", "Dissociate it and associate it anew.")
			return false
		}
		s.pass("association", x.instance.ARN)
		return true
	}
	return false
}

func (x *examinee) examineTarget(ctx context.Context, s subject, account string, who *caller.Caller) {
	permission := grants.Read
	if x.in.Permission != nil {
		permission = grants.Permission(*x.in.Permission)
	}
	p, err := x.Grants.Preview(ctx, account, who, *x.in.Target, permission)
	switch {
	case err != nil:
		s.fail("grant", "the target cannot be read: "+err.Error(), "Name it as s3://bucket/prefix*, or s3://bucket/key.")
		return
	case p.Denied != nil:
		s.fail("grant", p.Why, "Ask for what lies beside "+p.Denied.Text+", or delete that grant with aws s3control delete-access-grant.")
	case p.Won == nil:
		s.fail("grant", p.Why, "Grant it with aws s3control create-access-grant to the person or one of the person's groups, on a location that covers "+*x.in.Target+".")
	default:
		s.pass("grant", describeGrant(x, p.Won))
	}
	for n, g := range p.Others {
		if n == maxGrants {
			s.info("further grant", fmt.Sprintf("and %d more", len(p.Others)-n), "")
			break
		}
		s.info("further grant", describeGrant(x, g), "")
	}
	if p.Won == nil {
		return
	}
	l, ok := x.Grants.LocationOf(p.Won)
	if !ok {
		s.fail("location role", "the location "+p.Won.LocationID+" is gone", "Register the location anew, and grant on it.")
		return
	}
	x.reaches(ctx, s, l, p.Won.Grantee.Type != grants.IAM)
}

// reaches examines the role of a location.
func (x *examinee) reaches(ctx context.Context, s subject, l *grants.Location, person bool) {
	if err := x.Grants.Reaches(ctx, l, person); err != nil {
		s.fail("location role", l.Scope.Text+": "+err.Error(),
			"Let the role's trust policy allow sts:AssumeRole and sts:SetContext to access-grants.s3.amazonaws.com, with aws:SourceAccount and aws:SourceArn of the instance, if at all.")
		return
	}
	s.pass("location role", l.Scope.Text+" by "+l.Role)
}

func describeGrant(x *examinee, g *grants.Grant) string {
	who := string(g.Grantee.Type) + " " + g.Grantee.ID
	switch g.Grantee.Type {
	case grants.DirectoryUser:
		if p, ok := x.People.User(x.instance.StoreID, g.Grantee.ID); ok {
			who = "the person " + p.UserName
		}
	case grants.DirectoryGroup:
		if name, ok := x.People.GroupName(x.instance.StoreID, g.Grantee.ID); ok {
			who = "the group " + name
		}
	}
	text := fmt.Sprintf("%s gives %s %s on %s", g.ID, who, g.Permission, g.Text)
	if terms := g.Terms.String(); terms != "" {
		text += ", " + terms
	}
	if g.Application != "" {
		text += " through " + g.Application
	}
	return text
}
