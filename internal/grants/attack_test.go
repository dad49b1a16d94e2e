package grants_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
)

// Every operation by name, as a call on the instance of the owner.
func operations(h *house, c *caller.Caller) map[string]error {
	ctx := h.as(c)
	errs := map[string]error{}
	try := func(name string, err error) { errs[name] = err }
	role := arn.Role(owner, "/", "Location")
	_, err := h.CreateAccessGrantsInstance(ctx, &s3control.CreateAccessGrantsInstanceInput{AccountId: owner})
	try("CreateAccessGrantsInstance", err)
	_, err = h.GetAccessGrantsInstance(ctx, &s3control.GetAccessGrantsInstanceInput{AccountId: owner})
	try("GetAccessGrantsInstance", err)
	_, err = h.ListAccessGrantsInstances(ctx, &s3control.ListAccessGrantsInstancesInput{AccountId: owner})
	try("ListAccessGrantsInstances", err)
	_, err = h.GetAccessGrantsInstanceForPrefix(ctx, &s3control.GetAccessGrantsInstanceForPrefixInput{AccountId: owner, S3Prefix: "s3://lake/x"})
	try("GetAccessGrantsInstanceForPrefix", err)
	_, err = h.AssociateAccessGrantsIdentityCenter(ctx, &s3control.AssociateAccessGrantsIdentityCenterInput{AccountId: owner, IdentityCenterArn: h.identity.ARN})
	try("AssociateAccessGrantsIdentityCenter", err)
	_, err = h.PutAccessGrantsInstanceResourcePolicy(ctx, &s3control.PutAccessGrantsInstanceResourcePolicyInput{AccountId: owner, Policy: "{}"})
	try("PutAccessGrantsInstanceResourcePolicy", err)
	_, err = h.GetAccessGrantsInstanceResourcePolicy(ctx, &s3control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: owner})
	try("GetAccessGrantsInstanceResourcePolicy", err)
	_, err = h.DeleteAccessGrantsInstanceResourcePolicy(ctx, &s3control.DeleteAccessGrantsInstanceResourcePolicyInput{AccountId: owner})
	try("DeleteAccessGrantsInstanceResourcePolicy", err)
	_, err = h.CreateAccessGrantsLocation(ctx, &s3control.CreateAccessGrantsLocationInput{AccountId: owner, LocationScope: "s3://lake", IAMRoleArn: role})
	try("CreateAccessGrantsLocation", err)
	_, err = h.GetAccessGrantsLocation(ctx, &s3control.GetAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default"})
	try("GetAccessGrantsLocation", err)
	_, err = h.UpdateAccessGrantsLocation(ctx, &s3control.UpdateAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default", IAMRoleArn: role})
	try("UpdateAccessGrantsLocation", err)
	_, err = h.ListAccessGrantsLocations(ctx, &s3control.ListAccessGrantsLocationsInput{AccountId: owner})
	try("ListAccessGrantsLocations", err)
	_, err = h.CreateAccessGrant(ctx, grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/*", s3control.PermissionREADWRITE))
	try("CreateAccessGrant", err)
	_, err = h.GetAccessGrant(ctx, &s3control.GetAccessGrantInput{AccountId: owner, AccessGrantId: "x"})
	try("GetAccessGrant", err)
	_, err = h.ListAccessGrants(ctx, &s3control.ListAccessGrantsInput{AccountId: owner})
	try("ListAccessGrants", err)
	_, err = h.ListCallerAccessGrants(ctx, &s3control.ListCallerAccessGrantsInput{AccountId: owner})
	try("ListCallerAccessGrants", err)
	_, err = h.GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: owner, Target: "s3://lake/foreign/*", Permission: s3control.PermissionREAD})
	try("GetDataAccess", err)
	_, err = h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: instanceARN, Tags: []s3control.Tag{{Key: "k"}}})
	try("TagResource", err)
	_, err = h.UntagResource(ctx, &s3control.UntagResourceInput{AccountId: owner, ResourceArn: instanceARN, TagKeys: []string{"k"}})
	try("UntagResource", err)
	_, err = h.ListTagsForResource(ctx, &s3control.ListTagsForResourceInput{AccountId: owner, ResourceArn: instanceARN})
	try("ListTagsForResource", err)
	_, err = h.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: "x"})
	try("DeleteAccessGrant", err)
	_, err = h.DeleteAccessGrantsLocation(ctx, &s3control.DeleteAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default"})
	try("DeleteAccessGrantsLocation", err)
	_, err = h.DissociateAccessGrantsIdentityCenter(ctx, &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner})
	try("DissociateAccessGrantsIdentityCenter", err)
	_, err = h.DeleteAccessGrantsInstance(ctx, &s3control.DeleteAccessGrantsInstanceInput{AccountId: owner})
	try("DeleteAccessGrantsInstance", err)
	return errs
}

func TestForeignAccountDoesNothing(t *testing.T) {
	h := founded(t, "sqlite")
	foreign := h.role(other, "Admin", allow("*", "*"))
	errs := operations(h, foreign)
	if len(errs) != 24 {
		t.Errorf("%d operations", len(errs))
	}
	for name, err := range errs {
		t.Run(name, func(t *testing.T) { wantDenied(t, err, "User: "+foreign.ARN+" is not authorized to perform: s3:"+name) })
	}
}

func TestNobodyWithoutPermissionDoesAnything(t *testing.T) {
	h := founded(t, "sqlite")
	for name, err := range operations(h, h.role(owner, "Nothing", "")) {
		t.Run(name, func(t *testing.T) { wantDenied(t, err, "User: ") })
	}
}

// findsNobody names nobody.
type findsNobody struct{}

func (findsNobody) FindUserID(context.Context, string, string) (string, error)  { return "", nil }
func (findsNobody) FindGroupID(context.Context, string, string) (string, error) { return "", nil }

// An import into another account tells nothing of it: not whether it has an instance, nor which locations are in it.
func TestForeignAccountLearnsNothingByImport(t *testing.T) {
	h := founded(t, "sqlite")
	foreign := h.role(other, "Admin", allow("*", "*"))
	imports := &grants.ImportService{Service: h.Service, Finder: findsNobody{}}
	for _, account := range []string{owner, "999999999999"} {
		for _, scope := range []string{"s3://lake/red/*", "no scope"} {
			out, err := imports.ImportAccessGrants(h.as(foreign), &lakegate.ImportAccessGrantsInput{AccountId: account, DryRun: new(true), Grants: []lakegate.GrantImport{
				{Line: 1, GranteeType: "IAM", Grantee: foreign.PrincipalARN, Scope: scope, Permission: "READ"},
			}})
			if wantDenied(t, err, "User: "+foreign.ARN+" is not authorized to perform: lakegate:ImportAccessGrants"); out != nil {
				t.Errorf("%s in %s: %+v", scope, account, out.Results)
			}
		}
	}
}

// With the instance's policy and the own account's, another account gets what was shared and nothing else.
func TestForeignAccountGetsWhatIsShared(t *testing.T) {
	h := founded(t, "sqlite")
	foreign := h.role(other, "Admin", allow("*", "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, foreign.PrincipalARN, "lake/foreign/*", s3control.PermissionREAD))
	must(h.PutAccessGrantsInstanceResourcePolicy(h.admin(owner), &s3control.PutAccessGrantsInstanceResourcePolicyInput{AccountId: owner,
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"333333333333"},"Resource":"` + instanceARN + `",
			"Action":["s3:GetDataAccess","s3:GetAccessGrantsInstanceForPrefix","s3:ListCallerAccessGrants","s3:ListAccessGrants","s3:ListAccessGrantsLocations"]}]}`}))
	shared := map[string]bool{"GetDataAccess": true, "GetAccessGrantsInstanceForPrefix": true, "ListCallerAccessGrants": true, "ListAccessGrants": true, "ListAccessGrantsLocations": true}
	for name, err := range operations(h, foreign) {
		t.Run(name, func(t *testing.T) {
			if shared[name] {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantDenied(t, err, "User: "+foreign.ARN)
		})
	}
	v := h.vended(foreign, "s3://lake/foreign/*", s3control.PermissionREAD)
	if v.Account != owner || !h.reads(v, "foreign/x") || h.reads(v, "x") {
		t.Errorf("vended to %s", v.ARN)
	}
	_, err := h.ask(foreign, "s3://lake/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
	// The owner's answer, whichever account is named.
	out := must(h.GetAccessGrantsInstanceForPrefix(h.as(foreign), &s3control.GetAccessGrantsInstanceForPrefixInput{AccountId: other, S3Prefix: "s3://lake/x"}))
	if *out.AccessGrantsInstanceArn != instanceARN {
		t.Errorf("the instance of lake is %s", *out.AccessGrantsInstanceArn)
	}
	// The own account has to allow as well.
	poor := h.role(other, "Poor", allow("s3:ListCallerAccessGrants", "*"))
	_, err = h.ask(poor, "s3://lake/foreign/*", s3control.PermissionREAD)
	wantDenied(t, err, "User: "+poor.ARN)
}

func TestVendedCredentialsCannotAskForMore(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/*", s3control.PermissionREADWRITE))
	// Even where the location's role is a grantee itself.
	h.grant(grantInput(s3control.GranteeTypeIAM, arn.Role(owner, "/", "Location"), "lake2/*", s3control.PermissionREADWRITE))
	must(h.iam.PutRolePolicy(h.admin(owner), &iam.PutRolePolicyInput{RoleName: "Location", PolicyName: "own", PolicyDocument: allow("*", "*")}))
	v := h.vended(c, "s3://lake/red/*", s3control.PermissionREAD, minimal)
	for name, err := range operations(h, v) {
		t.Run(name, func(t *testing.T) { wantDenied(t, err, "User: "+v.ARN) })
	}
	// Nor where nothing else would stop it.
	h.authorizer.Limits = nil
	_, err := h.ask(v, "s3://lake2/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
}

// TestScopeOfAccessGrants: a person who signed in for less, or through an application that may not ask for data, has no
// grants there; the limit to this very instance, or to its identity center, is none.
func TestScopeOfAccessGrants(t *testing.T) {
	h := founded(t, "sqlite")
	user, through := h.person("mateo"), h.application("App")
	h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/*", s3control.PermissionREAD))
	c := h.role(owner, "App", allow(app, "*"))
	asks := func(person *caller.Caller) error {
		_, err := h.ask(person, "s3://lake/red/*", s3control.PermissionREAD)
		return err
	}
	narrowed := h.enhanced(c, user, through)
	narrowed.OnBehalf.Grants = false
	wantDenied(t, asks(narrowed), "You do not have READ permissions")
	if _, err := h.Direct(h.as(narrowed), grants.Access{Action: "s3:GetObject", Bucket: "lake", Owner: owner, Key: "red/x"}); err == nil {
		t.Error("a sign-in for less reads at the gate")
	}
	limit := func(targets ...string) {
		must(h.centerAdmin.PutApplicationAccessScope(h.admin(owner), &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: through, Scope: center.ScopeAccessGrants, AuthorizedTargets: targets}))
	}
	own := *must(h.GetAccessGrantsInstance(h.admin(owner), &s3control.GetAccessGrantsInstanceInput{AccountId: owner})).IdentityCenterApplicationArn
	for _, target := range []string{own, h.identity.ARN} {
		limit(target)
		if err := asks(h.enhanced(c, user, through)); err != nil {
			t.Errorf("limited to %s: %v", target, err)
		}
	}
	limit(through)
	wantDenied(t, asks(h.enhanced(c, user, through)), "You do not have READ permissions")
	must(h.centerAdmin.DeleteApplicationAccessScope(h.admin(owner), &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: through, Scope: center.ScopeAccessGrants}))
	wantDenied(t, asks(h.enhanced(c, user, through)), "You do not have READ permissions")
}

func TestGrantForAnotherApplication(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	mine, others := h.application("App"), h.application("Other")
	in := grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/*", s3control.PermissionREAD)
	in.ApplicationArn = &others
	h.grant(in)
	c := h.role(owner, "App", allow(app, "*"))
	_, err := h.ask(h.enhanced(c, user, mine), "s3://lake/red/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
	_, err = h.ask(c, "s3://lake/red/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
	v := h.vended(h.enhanced(c, user, others), "s3://lake/red/*", s3control.PermissionREAD)
	// The same credentials under the name of another application.
	forged := *v
	forged.OnBehalf = h.enhanced(c, user, mine).OnBehalf
	if h.reads(&forged, "red/x") || !h.reads(v, "red/x") {
		t.Error("the application of the grant does not count for its credentials")
	}
}

// A person of another identity center has the same ids there as somebody here, and is nobody here.
func TestPersonOfAnotherIdentityCenter(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/*", s3control.PermissionREAD))
	c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, h.application("App"))
	c.OnBehalf.InstanceARN = "arn:aws:sso:::instance/ssoins-ffffffffffffffff"
	_, err := h.ask(c, "s3://lake/red/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
}

func TestDisabledPersonAsksForNothing(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/red/*", s3control.PermissionREAD))
	c := h.enhanced(h.role(owner, "App", allow(app, "*")), user, h.application("App"))
	must(h.directory.ChangeUser(t.Context(), "test", h.identity.StoreID, user, func(u *directory.User) error { u.Enabled = false; return nil }))
	_, err := h.ask(c, "s3://lake/red/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
}

// Whatever is written in a target, no credentials for red reach blue, red2 or lake2.
func TestTricksInATarget(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/red/*", s3control.PermissionREADWRITE))
	others := []string{"blue/x", "blue/", "red", "red2/x", "", "x", "redx"}
	for _, target := range []string{
		"s3://lake/red/../blue/*", "s3://lake/red/../../lake2/*", "s3://lake/red/%2e%2e/blue/*", "s3://lake/red/..%2Fblue/x", "s3://lake/red/./*", "s3://lake/red//*",
		"s3://lake/red/*/x", "s3://lake/red/*/*", "s3://lake/red/?", "s3://lake/red/?*", "s3://lake/red/${aws:username}", "s3://lake/red/${*}*", "s3://lake/red/$*",
		"S3://lake/red/*", "s3://lake/red/**", `s3://lake/red/\..\blue\*`, "s3://lake/red/#/*", "s3://lake/red/?prefix=blue/*",
	} {
		for _, more := range [][]func(*s3control.GetDataAccessInput){nil, {minimal}, {minimal, object}} {
			v := h.vended(c, target, s3control.PermissionREADWRITE, more...)
			for _, key := range others {
				if h.reads(v, key) || h.may(v, "s3:PutObject", arn.Object("lake", key)).Allowed || h.may(v, "s3:GetObject", arn.Object("lake2", key)).Allowed {
					t.Errorf("%s reaches %s", target, key)
				}
				if h.may(v, "s3:ListBucket", arn.Bucket("lake"), key).Allowed {
					t.Errorf("%s lists %q", target, key)
				}
			}
		}
	}
	for _, target := range []string{
		"s3://lake/red*", "s3://lake/red2/*", "s3://lake/red", "s3://lake/blue/../red/*", "s3://lake/%72ed/*", "s3://lake/RED/*", "s3://lake//red/*", "s3://lake/*",
		"s3://lake", "s3://lake/", "s3://lake2/red/*", "s3://lak/red/*", "s3://foreign/red/*", "s3://lake/*red/*", "s3://lake/?ed/*", "s3://lake/r*d/x",
	} {
		for _, more := range [][]func(*s3control.GetDataAccessInput){nil, {minimal}} {
			_, err := h.ask(c, target, s3control.PermissionREAD, more...)
			wantDenied(t, err, "You do not have READ permissions to the requested S3 Prefix: "+target)
		}
	}
	for _, target := range []string{
		"s3://*", "s3://la*/red/*", "s3://lake*/red/*", "s3://", "s3:///lake/red/*", "lake/red/*", "s3://lake/red/\x00", "s3://lake/red/a\nb", "s3://LAKE/red/*", "s3://lake./red/*",
		"s3://lake?/red/*", "s3://lake\x00/red/*", "s3://lake/red/" + strings.Repeat("x", 2001-14), "arn:aws:s3:::lake/red/*", "s3://lake/red/\xff",
	} {
		_, err := h.ask(c, target, s3control.PermissionREAD)
		wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The target is not valid.")
	}
}

// The longest targets either fit into the credentials or are refused with the error that says so.
func TestLongestTarget(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/*", s3control.PermissionREADWRITE))
	for _, filling := range []string{"x", "*", "$", "ö", "𝄞"} {
		key := strings.Repeat(filling, 2000-len("s3://lake/")-1) + "!"
		out, err := h.ask(c, "s3://lake/"+key, s3control.PermissionREAD, minimal, object)
		if err != nil {
			wantError(t, err, "StsPackedPolicyTooLargeError", http.StatusBadRequest, "Serialized token too large for session")
			continue
		}
		_, v, err := h.ring.Open(*out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
		if err != nil || !h.reads(v, key) || h.reads(v, key+"x") {
			t.Errorf("2000 times %s: %v", filling, err)
		}
	}
}

func TestNeighboursOfAGrant(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Job", allow(app, "*"))
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake", s3control.PermissionREAD))
	v := h.vended(c, "s3://lake", s3control.PermissionREAD)
	for resource, want := range map[string]bool{"arn:aws:s3:::lake/x": true, "arn:aws:s3:::lake2/x": false, "arn:aws:s3:::lakex": false, "arn:aws:s3:::foreign/x": false} {
		if got := h.may(v, "s3:GetObject", resource).Allowed; got != want {
			t.Errorf("%s = %t", resource, got)
		}
	}
	for resource, want := range map[string]bool{"arn:aws:s3:::lake": true, "arn:aws:s3:::lake2": false} {
		if got := h.may(v, "s3:ListBucket", resource).Allowed; got != want {
			t.Errorf("list %s = %t", resource, got)
		}
	}
}

func TestPageTokensAreNotTaken(t *testing.T) {
	h := founded(t, "sqlite")
	ctx := h.admin(owner)
	c := h.role(owner, "Job", allow(app, "*"))
	for i := range 3 {
		h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, fmt.Sprintf("lake/%d/*", i), s3control.PermissionREAD))
	}
	list := func(in s3control.ListAccessGrantsInput) (*s3control.ListAccessGrantsOutput, error) {
		in.AccountId = owner
		return h.ListAccessGrants(ctx, &in)
	}
	token := *must(list(s3control.ListAccessGrantsInput{MaxResults: new(1)})).NextToken
	raw := must(base64.RawURLEncoding.DecodeString(token))
	seal := func(id string) string { return base64.RawURLEncoding.EncodeToString(append(raw[:8:8], id...)) }
	for name, in := range map[string]s3control.ListAccessGrantsInput{
		"nothing of the kind":    {NextToken: new("x")},
		"no base64":              {NextToken: new("%%%")},
		"an id alone":            {NextToken: new(base64.RawURLEncoding.EncodeToString([]byte(uuid.NewString())))},
		"cut":                    {NextToken: new(token[:8])},
		"no id":                  {NextToken: new(seal(""))},
		"a path":                 {NextToken: new(seal("../" + other + "/x"))},
		"NUL":                    {NextToken: new(seal("\x00"))},
		"not text":               {NextToken: new(seal("\xff\xfe"))},
		"too long":               {NextToken: new(seal(strings.Repeat("a", 65)))},
		"SQL":                    {NextToken: new(seal("' OR 1=1 --"))},
		"with another filter":    {NextToken: &token, Permission: new(s3control.PermissionWRITE)},
		"with another filter, 2": {NextToken: &token, GrantScope: new("")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := list(in)
			wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The continuation token is not valid.")
		})
	}
	_, err := h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner, NextToken: &token})
	wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The continuation token is not valid.")
	_, err = h.ListAccessGrantsLocations(ctx, &s3control.ListAccessGrantsLocationsInput{AccountId: owner, NextToken: &token})
	wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The continuation token is not valid.")
	_, err = h.ListAccessGrantsInstances(ctx, &s3control.ListAccessGrantsInstancesInput{AccountId: owner, NextToken: &token})
	wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The continuation token is not valid.")
	if out := must(list(s3control.ListAccessGrantsInput{NextToken: &token})); len(out.AccessGrantsList) != 2 {
		t.Errorf("with its own question: %d", len(out.AccessGrantsList))
	}
}

func TestReservedTags(t *testing.T) {
	h := founded(t, "sqlite")
	ctx := h.admin(owner)
	c := h.role(owner, "Job", "")
	for _, key := range []string{"lakegate:Expires", "lakegate:", "LAKEGATE:x", "Lakegate:Anything"} {
		in := grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/x", s3control.PermissionREAD)
		in.Tags = []s3control.Tag{{Key: key, Value: "2026-01-01"}}
		_, err := h.CreateAccessGrant(ctx, in)
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "")
		_, err = h.CreateAccessGrantsLocation(ctx, &s3control.CreateAccessGrantsLocationInput{AccountId: owner, LocationScope: "s3://lake", IAMRoleArn: arn.Role(owner, "/", "Location"), Tags: in.Tags})
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "")
		_, err = h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: instanceARN, Tags: in.Tags})
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "")
		_, err = h.UntagResource(ctx, &s3control.UntagResourceInput{AccountId: owner, ResourceArn: instanceARN, TagKeys: []string{key}})
		wantError(t, err, "InvalidTag", http.StatusBadRequest, "")
	}
}

// An ARN that only looks like one of a grant or a location must not slip by a Deny that names them.
func TestTagsCannotBeReachedByAnotherName(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Tagger", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
		{"Effect":"Deny","Action":"s3:*TagResource","Resource":"`+instanceARN+`/location/*"}]}`)
	for _, resource := range []string{"/location/default", "location/default", "//location/default", "/location//default", "/./location/default", "/LOCATION/default"} {
		_, err := h.TagResource(h.as(c), &s3control.TagResourceInput{AccountId: owner, ResourceArn: instanceARN + resource, Tags: []s3control.Tag{{Key: "k"}}})
		if err == nil {
			t.Errorf("%s was tagged", resource)
		}
	}
}

// A delegate who may give grants on one folder gives none elsewhere, also not through the spelling.
func TestDelegateGivesGrantsInItsFolderAlone(t *testing.T) {
	h := founded(t, "sqlite")
	c := h.role(owner, "Delegate", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:CreateAccessGrant","Resource":"*",
		"Condition":{"StringLike":{"s3:AccessGrantScope":"s3://lake/team/*"}}}]}`)
	for sub, want := range map[string]bool{
		"lake/team/*": true, "lake/team/a": true, "lake/team2/*": false, "lake/*": false, "lake": false, "lake/team": false, "lake2/team/*": false, "lake/x/../team/*": false,
	} {
		_, err := h.CreateAccessGrant(h.as(c), grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, sub, s3control.PermissionREAD))
		if (err == nil) != want {
			t.Errorf("%s: %v", sub, err)
		}
	}
}

// Of many who ask for the same at once one gets it, and the rest the error that says so.
func TestTheSameAtOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		c := h.role(owner, "Job", allow(app, "*"))
		admin := h.admin(owner)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = h.CreateAccessGrant(admin, grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/x", s3control.PermissionREAD))
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			wantError(t, err, "AccessGrantAlreadyExists", http.StatusConflict, "")
		}
		if made != 1 {
			t.Errorf("%d were made", made)
		}

		must(h.DissociateAccessGrantsIdentityCenter(admin, &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner}))
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = h.AssociateAccessGrantsIdentityCenter(admin, &s3control.AssociateAccessGrantsIdentityCenterInput{AccountId: owner, IdentityCenterArn: h.identity.ARN})
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				t.Errorf("associate: %v", err)
			}
		}
		if n := len(must(h.centerAdmin.ListApplications(h.admin(management), &ssoadmin.ListApplicationsInput{InstanceArn: h.identity.ARN})).Applications); n != 1 {
			t.Errorf("the instance has %d applications", n)
		}
	})
}
