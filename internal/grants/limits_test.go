package grants_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
)

const app = "s3:GetDataAccess s3:ListCallerAccessGrants"

// A right that is taken away is gone at the next request of credentials that were handed out before.
func TestWhatWasTakenAwayIsGoneAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		take   func(h *house, grant, user, group, application string)
		reason string
	}{
		{"the grant is deleted", func(h *house, grant, _, _, _ string) {
			must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: grant}))
		}, "was deleted"},
		{"the grant is deleted and given again", func(h *house, grant, _, group, application string) {
			must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: grant}))
			in := grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/red/*", s3control.PermissionREAD)
			in.ApplicationArn = &application
			h.grant(in)
		}, "was deleted"},
		{"the person leaves the group", func(h *house, _, user, group, _ string) {
			m := must(h.directory.FindMembership(h.t.Context(), h.identity.StoreID, group, user))
			if err := h.directory.Leave(h.t.Context(), h.identity.StoreID, m.ID); err != nil {
				h.t.Fatal(err)
			}
		}, "no longer in the group"},
		{"the group is deleted", func(h *house, _, _, group, _ string) {
			if err := h.directory.DeleteGroup(h.t.Context(), h.identity.StoreID, group); err != nil {
				h.t.Fatal(err)
			}
		}, "no longer in the group"},
		{"the person is disabled", func(h *house, _, user, _, _ string) {
			must(h.directory.ChangeUser(h.t.Context(), "test", h.identity.StoreID, user, func(u *directory.User) error { u.Enabled = false; return nil }))
		}, "is disabled"},
		{"the person is deleted", func(h *house, _, user, _, _ string) {
			if err := h.directory.DeleteUser(h.t.Context(), h.identity.StoreID, user); err != nil {
				h.t.Fatal(err)
			}
		}, "no longer in the directory"},
		{"the application is disabled", func(h *house, _, _, _, application string) {
			must(h.centerAdmin.UpdateApplication(h.admin(owner), &ssoadmin.UpdateApplicationInput{ApplicationArn: application, Status: new(ssoadmin.ApplicationStatusDISABLED)}))
		}, "application is disabled"},
		{"the application is deleted", func(h *house, _, _, _, application string) {
			must(h.centerAdmin.DeleteApplication(h.admin(owner), &ssoadmin.DeleteApplicationInput{ApplicationArn: application}))
		}, "application is disabled or gone"},
		{"the application loses the scope", func(h *house, _, _, _, application string) {
			must(h.centerAdmin.DeleteApplicationAccessScope(h.admin(owner), &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: application, Scope: center.ScopeAccessGrants}))
		}, "does not have the scope"},
		{"the scope is limited to something else", func(h *house, _, _, _, application string) {
			must(h.centerAdmin.PutApplicationAccessScope(h.admin(owner), &ssoadmin.PutApplicationAccessScopeInput{
				ApplicationArn: application, Scope: center.ScopeAccessGrants, AuthorizedTargets: []string{application},
			}))
		}, "does not have the scope"},
		{"the identity center is dissociated", func(h *house, _, _, _, _ string) {
			must(h.DissociateAccessGrantsIdentityCenter(h.admin(owner), &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner}))
		}, "associated with no identity center"},
		{"the location gets another role", func(h *house, _, _, _, _ string) {
			h.locationRole("Second")
			must(h.UpdateAccessGrantsLocation(h.admin(owner), &s3control.UpdateAccessGrantsLocationInput{
				AccountId: owner, AccessGrantsLocationId: "default", IAMRoleArn: arn.Role(owner, "/", "Second"),
			}))
		}, "has another role now"},
		{"the location's role is deleted", func(h *house, _, _, _, _ string) { h.removeRole(owner, "Location") }, "no longer exists"},
		{"the location's role is deleted and made again", func(h *house, _, _, _, _ string) {
			h.removeRole(owner, "Location")
			h.locationRole("Location")
		}, "no longer exists"},
		{"the location's role loses its permission", func(h *house, _, _, _, _ string) {
			must(h.iam.DeleteRolePolicy(h.admin(owner), &iam.DeleteRolePolicyInput{RoleName: "Location", PolicyName: "own"}))
		}, "no identity-based policy allows"},
		{"the location is deleted", func(h *house, grant, _, _, _ string) {
			must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: grant}))
			must(h.DeleteAccessGrantsLocation(h.admin(owner), &s3control.DeleteAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default"}))
		}, "was deleted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := founded(t, "sqlite")
			user := h.person("mateo")
			group := h.group("Red", user)
			application := h.application("App")
			in := grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/red/*", s3control.PermissionREAD)
			in.ApplicationArn = &application
			grant := h.grant(in)
			c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, application)
			v := h.vended(c, "s3://lake/red/*", s3control.PermissionREAD)
			if d := h.may(v, "s3:GetObject", "arn:aws:s3:::lake/red/a.csv"); !d.Allowed {
				t.Fatalf("before: %s", d.Reason)
			}
			tt.take(h, grant, user, group, application)
			d := h.may(v, "s3:GetObject", "arn:aws:s3:::lake/red/a.csv")
			if d.Allowed || !strings.Contains(d.Reason, tt.reason) {
				t.Errorf("after: %+v", d)
			}
			// With the other setting they live on: until they expire, and no wider; but the role's policies are asked anew.
			h.UntilExpiry = true
			roleLost := strings.HasPrefix(tt.name, "the location's role")
			if got := h.reads(v, "red/a.csv"); got == roleLost {
				t.Errorf("until expiry: %t", got)
			}
			if h.reads(v, "blue/a.csv") || h.may(v, "s3:PutObject", "arn:aws:s3:::lake/red/a.csv").Allowed {
				t.Error("until expiry they reach further than what was given")
			}
			if tt.name != "the person leaves the group" {
				return
			}
			if out, err := h.ask(c, "s3://lake/red/*", s3control.PermissionREAD); err == nil {
				t.Errorf("new credentials: %+v", out)
			}
		})
	}
}

// Credentials that live until they expire keep to the actions that the grant named, also when it is gone, and what is
// denied meanwhile is denied at once.
func TestUntilExpiryKeepsTerms(t *testing.T) {
	h := founded(t, "sqlite")
	h.UntilExpiry = true
	user := h.person("mateo")
	c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, h.application("App"))
	grant := h.grant(with(toUser(user, "lake/drop/*", s3control.PermissionWRITE), "lakegate:Actions=s3:PutObject"))
	v := h.vended(c, "s3://lake/drop/*", s3control.PermissionWRITE)
	may := func(action, key string) bool { return h.may(v, action, "arn:aws:s3:::lake/"+key).Allowed }
	must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: grant}))
	if !may("s3:PutObject", "drop/a") || may("s3:DeleteObject", "drop/a") || may("s3:PutObject", "dropped/a") {
		t.Errorf("put %t, delete %t, beside %t", may("s3:PutObject", "drop/a"), may("s3:DeleteObject", "drop/a"), may("s3:PutObject", "dropped/a"))
	}
	h.grant(with(toUser(user, "lake/drop/kept/*", s3control.PermissionREADWRITE), "lakegate:Effect=Deny"))
	if may("s3:PutObject", "drop/kept/a") || !may("s3:PutObject", "drop/a") {
		t.Errorf("a denial: kept %t, the rest %t", may("s3:PutObject", "drop/kept/a"), may("s3:PutObject", "drop/a"))
	}
}

func TestIAMGranteeThatIsGone(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/red/*", s3control.PermissionREAD))
	v := h.vended(c, "s3://lake/red/*", s3control.PermissionREAD)
	if !h.reads(v, "red/x") {
		t.Fatal("not before")
	}
	h.removeRole(owner, "Job")
	if d := h.may(v, "s3:GetObject", "arn:aws:s3:::lake/red/x"); d.Allowed || !strings.Contains(d.Reason, "is gone") {
		t.Errorf("after: %+v", d)
	}
	// Grants name IAM principals by ARN, so that another role of the name is the grantee again.
	h.role(owner, "Job", "")
	if !h.reads(v, "red/x") {
		t.Error("the role of the same name is not the grantee")
	}
}

// Credentials never do more than what was asked for, whatever is given later.
func TestCredentialsNeverWiden(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/red/*", s3control.PermissionREADWRITE))
	read := h.vended(c, "s3://lake/red/jan/*", s3control.PermissionREAD, minimal)
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/*", s3control.PermissionREADWRITE))
	for action, resource := range map[string]string{
		"s3:PutObject": "arn:aws:s3:::lake/red/jan/x", "s3:GetObject": "arn:aws:s3:::lake/red/feb/x", "s3:ListBucket": "arn:aws:s3:::lake",
		"s3:GetObjectTagging": "arn:aws:s3:::lake/red/jan/x", "s3:GetBucketLocation": "arn:aws:s3:::lake", "s3:ListAllMyBuckets": "*",
		"s3:GetDataAccess": instanceARN, "s3:CreateAccessGrant": instanceARN + "/grant/*", "sts:AssumeRole": "arn:aws:iam::111111111111:role/Location",
	} {
		if h.may(read, action, resource).Allowed {
			t.Errorf("%s on %s", action, resource)
		}
	}
	if !h.reads(read, "red/jan/x") {
		t.Error("not even what was asked for")
	}
}

// The actions of each permission, all else being refused.
func TestActionsOfEachPermission(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/red/*", s3control.PermissionREADWRITE))
	const key, outside, lake = "arn:aws:s3:::lake/red/x", "arn:aws:s3:::lake/redder/x", "arn:aws:s3:::lake"
	read := []string{"GetObject", "GetObjectVersion", "GetObjectAcl", "GetObjectVersionAcl", "ListMultipartUploadParts"}
	list := []string{"ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"}
	write := []string{"PutObject", "PutObjectAcl", "PutObjectVersionAcl", "DeleteObject", "DeleteObjectVersion", "AbortMultipartUpload"}
	never := []string{"PutObjectTagging", "GetObjectTagging", "GetObjectAttributes", "PutObjectRetention", "BypassGovernanceRetention", "RestoreObject"}
	for _, p := range []s3control.Permission{s3control.PermissionREAD, s3control.PermissionWRITE, s3control.PermissionREADWRITE} {
		v := h.vended(c, "s3://lake/red/*", p)
		reads, writes := p != s3control.PermissionWRITE, p != s3control.PermissionREAD
		expect := func(want bool, action, resource string, prefix ...string) {
			t.Helper()
			if got := h.may(v, "s3:"+action, resource, prefix...).Allowed; got != want {
				t.Errorf("%s: %s on %s %q = %t", p, action, resource, prefix, got)
			}
		}
		for _, a := range read {
			expect(reads, a, key)
			expect(false, a, outside)
		}
		for _, a := range write {
			expect(writes, a, key)
			expect(false, a, outside)
			expect(false, a, "arn:aws:s3:::lake2/red/x")
		}
		for _, a := range list {
			expect(reads, a, lake, "red/")
			expect(reads, a, lake, "red/jan/")
			expect(false, a, lake, "red")
			expect(false, a, lake, "redder/")
			expect(false, a, lake, "")
			expect(false, a, lake)
			expect(false, a, "arn:aws:s3:::lake2", "red/")
		}
		for _, a := range never {
			expect(false, a, key)
		}
	}
}

// Keys with characters that mean something in a policy mean themselves in a vended session.
func TestKeysAreEscapedInTheSession(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/*", s3control.PermissionREAD))
	for _, tt := range []struct {
		key    string
		others []string
	}{
		{"a*b", []string{"axb", "ab", "a/b"}},
		{"a?b", []string{"axb", "ab"}},
		{"*", []string{"x", ""}},
		{"${aws:username}", []string{"Job", "session", ""}},
		{"${*}", []string{"*", "x"}},
		{"$", []string{"", "x"}},
		{"${x", []string{"x"}},
		{`a"b\c`, []string{"ab"}},
		{"red/../blue", []string{"blue", "red/blue"}},
		{"red%2Fx", []string{"red/x"}},
		{"<é\u2028𝄞>", []string{"x"}},
	} {
		v := h.vended(c, "s3://lake/"+tt.key, s3control.PermissionREAD, minimal, object)
		if !h.reads(v, tt.key) {
			t.Errorf("%q: not the key itself", tt.key)
		}
		for _, o := range append(tt.others, tt.key+"x", "x"+tt.key) {
			if h.reads(v, o) {
				t.Errorf("%q also reads %q", tt.key, o)
			}
		}
		// As a beginning too.
		v = h.vended(c, "s3://lake/"+tt.key+"/*", s3control.PermissionREAD, minimal)
		if !h.reads(v, tt.key+"/x") || !h.may(v, "s3:ListBucket", "arn:aws:s3:::lake", tt.key+"/").Allowed {
			t.Errorf("%q: not what begins with it", tt.key)
		}
		for _, o := range tt.others {
			if h.reads(v, o+"/x") || h.may(v, "s3:ListBucket", "arn:aws:s3:::lake", o+"/").Allowed {
				t.Errorf("%q/* also reaches %q", tt.key, o+"/")
			}
		}
	}
}

func TestOtherCallersHaveNoLimits(t *testing.T) {
	h := open(t, "sqlite")
	for _, c := range []*caller.Caller{{Type: caller.Root, Account: owner}, h.role(owner, "Job", "")} {
		if p, err := h.LimitsOf(t.Context(), c); p != nil || err != nil {
			t.Errorf("%s: %v, %v", c.Type, p, err)
		}
	}
}

// A request with credentials of a grant is a use of it, also where AWS's behaviour is set. A question that somebody else asks
// about such a session is none, and neither is a request with credentials of a grant that ended them.
func TestRequestsWithCredentialsAreUses(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	application := h.application("App")
	id := h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/*", s3control.PermissionREAD))
	v := h.vended(h.enhanced(h.role(owner, "App", allow(app, "*")), user, application), "s3://lake/red/*", s3control.PermissionREAD)
	used := func() time.Time {
		t.Helper()
		return must(h.Registry.UsesOf(t.Context(), owner, []string{id}))[id]
	}
	noon := h.Service.Now()
	at := noon
	h.Service.Now = func() time.Time { return at }
	if got := used(); !got.Equal(noon) {
		t.Fatalf("credentials were asked for at %v: %v", noon, got)
	}
	at = noon.Add(10 * time.Minute)
	if d := h.authorizer.Decide(h.admin(owner), authz.Request{Action: "s3:GetObject", Resource: arn.Object("lake", "red/a"), Account: owner, As: v}); !d.Allowed {
		t.Fatalf("the question: %s", d.Reason)
	}
	if got := used(); !got.Equal(noon) {
		t.Errorf("a question about the session is a use: %v", got)
	}
	for _, h.UntilExpiry = range []bool{false, true} {
		at = at.Add(10 * time.Minute)
		if !h.reads(v, "red/a") {
			t.Fatal("the credentials do not reach what was granted")
		}
		if got := used(); !got.Equal(at) {
			t.Errorf("a request at %v: %v", at, got)
		}
	}
	h.UntilExpiry = false
	last := at
	must(h.directory.ChangeUser(t.Context(), "test", h.identity.StoreID, user, func(u *directory.User) error { u.Enabled = false; return nil }))
	at = at.Add(10 * time.Minute)
	if h.reads(v, "red/a") {
		t.Fatal("a disabled person reads")
	}
	if got := used(); !got.Equal(last) {
		t.Errorf("a request of a disabled person is a use: %v", got)
	}
}
