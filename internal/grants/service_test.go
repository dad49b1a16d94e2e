package grants_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
)

func TestInstance(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		ctx := h.admin(owner)
		_, err := h.GetAccessGrantsInstance(ctx, &s3control.GetAccessGrantsInstanceInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceNotExistsError", http.StatusNotFound, "Access Grants Instance does not exist")
		_, err = h.CreateAccessGrantsInstance(ctx, &s3control.CreateAccessGrantsInstanceInput{AccountId: owner, IdentityCenterArn: new("arn:aws:sso:::instance/ssoins-0000000000000000")})
		wantError(t, err, "InvalidIdentityCenterInstance", http.StatusBadRequest, "The specified identity center instance is invalid")
		if list := must(h.ListAccessGrantsInstances(ctx, &s3control.ListAccessGrantsInstancesInput{AccountId: owner})); len(list.AccessGrantsInstancesList) != 0 {
			t.Errorf("listed before it exists: %+v", list)
		}

		made := must(h.CreateAccessGrantsInstance(ctx, &s3control.CreateAccessGrantsInstanceInput{AccountId: owner}))
		if *made.AccessGrantsInstanceId != "default" || *made.AccessGrantsInstanceArn != instanceARN || made.IdentityCenterArn != nil || made.IdentityCenterInstanceArn != nil {
			t.Errorf("made %+v", made)
		}
		_, err = h.CreateAccessGrantsInstance(ctx, &s3control.CreateAccessGrantsInstanceInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceAlreadyExists", http.StatusConflict, "Access Grants Instance already exists")

		must(h.AssociateAccessGrantsIdentityCenter(ctx, &s3control.AssociateAccessGrantsIdentityCenterInput{AccountId: owner, IdentityCenterArn: h.identity.ARN}))
		must(h.AssociateAccessGrantsIdentityCenter(ctx, &s3control.AssociateAccessGrantsIdentityCenterInput{AccountId: owner, IdentityCenterArn: h.identity.ARN}))
		got := must(h.GetAccessGrantsInstance(ctx, &s3control.GetAccessGrantsInstanceInput{AccountId: owner}))
		if *got.IdentityCenterInstanceArn != h.identity.ARN || *got.IdentityCenterArn != *got.IdentityCenterApplicationArn || !strings.Contains(*got.IdentityCenterApplicationArn, ":application/") {
			t.Errorf("associated %+v", got)
		}
		if _, ok := h.center.Application(*got.IdentityCenterApplicationArn); !ok {
			t.Error("no application was made for the instance")
		}
		list := must(h.ListAccessGrantsInstances(ctx, &s3control.ListAccessGrantsInstancesInput{AccountId: owner})).AccessGrantsInstancesList
		if len(list) != 1 || *list[0].AccessGrantsInstanceArn != instanceARN || !list[0].CreatedAt.Equal(*made.CreatedAt) {
			t.Errorf("listed %+v", list)
		}
		_, err = h.AssociateAccessGrantsIdentityCenter(ctx, &s3control.AssociateAccessGrantsIdentityCenterInput{AccountId: owner, IdentityCenterArn: h.identity.ARN + "0"})
		wantError(t, err, "InvalidIdentityCenterInstance", http.StatusBadRequest, "")

		_, err = h.DeleteAccessGrantsInstance(ctx, &s3control.DeleteAccessGrantsInstanceInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceNotEmptyError", http.StatusBadRequest, "Please clean up locations before deleting the access grants instance")
		must(h.DissociateAccessGrantsIdentityCenter(ctx, &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner}))
		must(h.DissociateAccessGrantsIdentityCenter(ctx, &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner}))
		if _, ok := h.center.Application(*got.IdentityCenterApplicationArn); ok {
			t.Error("the application outlives the association")
		}
		h.locationRole("Location")
		h.location("s3://lake", "Location")
		_, err = h.DeleteAccessGrantsInstance(ctx, &s3control.DeleteAccessGrantsInstanceInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceNotEmptyError", http.StatusBadRequest, "Please clean up locations")
		for _, l := range must(h.ListAccessGrantsLocations(ctx, &s3control.ListAccessGrantsLocationsInput{AccountId: owner})).AccessGrantsLocationsList {
			must(h.DeleteAccessGrantsLocation(ctx, &s3control.DeleteAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: *l.AccessGrantsLocationId}))
		}
		must(h.DeleteAccessGrantsInstance(ctx, &s3control.DeleteAccessGrantsInstanceInput{AccountId: owner}))
		_, err = h.DeleteAccessGrantsInstance(ctx, &s3control.DeleteAccessGrantsInstanceInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceNotExistsError", http.StatusNotFound, "")
	})
}

func TestLocations(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ctx := h.admin(owner)
		create := func(scope, role string) (*s3control.CreateAccessGrantsLocationOutput, error) {
			return h.CreateAccessGrantsLocation(ctx, &s3control.CreateAccessGrantsLocationInput{AccountId: owner, LocationScope: scope, IAMRoleArn: role})
		}
		role := arn.Role(owner, "/", "Location")
		made := must(create("s3://lake/red*", role))
		if *made.LocationScope != "s3://lake/red*" || *made.IAMRoleArn != role || *made.AccessGrantsLocationArn != instanceARN+"/location/"+*made.AccessGrantsLocationId {
			t.Errorf("made %+v", made)
		}
		_, err := create("s3://lake/red*", role)
		wantError(t, err, "AccessGrantsLocationAlreadyExistsError", http.StatusConflict, "The specified access grants location already exists")
		_, err = create("S3://", role)
		wantError(t, err, "AccessGrantsLocationAlreadyExistsError", http.StatusConflict, "")
		for _, scope := range []string{"s3://foreign", "s3://missing/x*", "s3://la*", "lake", "s3://lake/${x}", "s3://Lake"} {
			_, err := create(scope, role)
			wantError(t, err, "InvalidAccessGrantsLocation", http.StatusBadRequest, "The specified Access Grants Location is invalid")
		}
		h.role(owner, "Plain", "")
		foreign := h.makeRole(other, "Location", trustService, allow("s3:*", "*"))
		for _, bad := range []string{arn.Role(owner, "/", "Missing"), arn.Role(owner, "/", "Plain"), foreign.Arn} {
			_, err := create("s3://lake2", bad)
			wantError(t, err, "InvalidIamRole", http.StatusBadRequest, "The specified IAM Role is invalid")
			_, err = h.UpdateAccessGrantsLocation(ctx, &s3control.UpdateAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default", IAMRoleArn: bad})
			wantError(t, err, "InvalidIamRole", http.StatusBadRequest, "The specified IAM Role is invalid")
		}

		h.locationRole("Second")
		must(h.UpdateAccessGrantsLocation(ctx, &s3control.UpdateAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: *made.AccessGrantsLocationId, IAMRoleArn: arn.Role(owner, "/", "Second")}))
		got := must(h.GetAccessGrantsLocation(ctx, &s3control.GetAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: *made.AccessGrantsLocationId}))
		want := *made
		want.IAMRoleArn = new(arn.Role(owner, "/", "Second"))
		if diff := cmp.Diff(s3control.GetAccessGrantsLocationOutput(want), *got); diff != "" {
			t.Errorf("after the update:\n%s", diff)
		}
		const gone = "The specified access grants location does not exist"
		_, err = h.GetAccessGrantsLocation(ctx, &s3control.GetAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "missing"})
		wantError(t, err, "NoSuchAccessGrantsLocationError", http.StatusNotFound, gone)
		_, err = h.UpdateAccessGrantsLocation(ctx, &s3control.UpdateAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "missing", IAMRoleArn: role})
		wantError(t, err, "NoSuchAccessGrantsLocationError", http.StatusNotFound, gone)
		_, err = h.DeleteAccessGrantsLocation(ctx, &s3control.DeleteAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "missing"})
		wantError(t, err, "NoSuchAccessGrantsLocationError", http.StatusNotFound, gone)

		filtered := must(h.ListAccessGrantsLocations(ctx, &s3control.ListAccessGrantsLocationsInput{AccountId: owner, LocationScope: new("s3://")})).AccessGrantsLocationsList
		if len(filtered) != 1 || *filtered[0].AccessGrantsLocationId != "default" {
			t.Errorf("filtered %+v", filtered)
		}
		c := h.role(owner, "Job", "")
		in := grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/x", s3control.PermissionREAD)
		grant := h.grant(in)
		_, err = h.DeleteAccessGrantsLocation(ctx, &s3control.DeleteAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default"})
		wantError(t, err, "AccessGrantsLocationNotEmptyError", http.StatusBadRequest, "Please clean up access grants before deleting access grants location")
		must(h.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: grant}))
		must(h.DeleteAccessGrantsLocation(ctx, &s3control.DeleteAccessGrantsLocationInput{AccountId: owner, AccessGrantsLocationId: "default"}))
		_, err = h.CreateAccessGrant(ctx, in)
		wantError(t, err, "NoSuchAccessGrantsLocationError", http.StatusNotFound, gone)

		h.Quotas.Locations = 1
		_, err = create("s3://lake2", role)
		wantError(t, err, "AccessGrantsLocationsQuotaExceededError", http.StatusConflict, "")
	})
}

func TestGrants(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ctx := h.admin(owner)
		user := h.person("mateo")
		group := h.group("Red", user)
		application := h.application("App")
		c := h.role(owner, "Job", "")

		in := grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/red/*", s3control.PermissionREAD)
		in.ApplicationArn = &application
		made := must(h.CreateAccessGrant(ctx, in))
		if *made.GrantScope != "s3://lake/red/*" || *made.ApplicationArn != application || *made.AccessGrantArn != instanceARN+"/grant/"+*made.AccessGrantId ||
			*made.AccessGrantsLocationConfiguration.S3SubPrefix != "lake/red/*" || *made.Grantee.GranteeIdentifier != group {
			t.Errorf("made %+v", made)
		}
		got := must(h.GetAccessGrant(ctx, &s3control.GetAccessGrantInput{AccountId: owner, AccessGrantId: *made.AccessGrantId}))
		if diff := cmp.Diff(s3control.GetAccessGrantOutput{
			CreatedAt: made.CreatedAt, AccessGrantId: made.AccessGrantId, AccessGrantArn: made.AccessGrantArn, Grantee: made.Grantee, Permission: made.Permission,
			AccessGrantsLocationId: made.AccessGrantsLocationId, AccessGrantsLocationConfiguration: made.AccessGrantsLocationConfiguration,
			GrantScope: made.GrantScope, ApplicationArn: made.ApplicationArn,
		}, *got); diff != "" {
			t.Errorf("read again:\n%s", diff)
		}
		_, err := h.CreateAccessGrant(ctx, in)
		wantError(t, err, "AccessGrantAlreadyExists", http.StatusConflict, "The specified access grant already exists")
		for what, change := range map[string]func(in *s3control.CreateAccessGrantInput){
			"another permission": func(in *s3control.CreateAccessGrantInput) { in.Permission = s3control.PermissionREADWRITE },
			"any application":    func(in *s3control.CreateAccessGrantInput) { in.ApplicationArn = nil },
			"one object":         func(in *s3control.CreateAccessGrantInput) { in.S3PrefixType = new(s3control.S3PrefixTypeObject) },
		} {
			another := *in
			change(&another)
			if _, err := h.CreateAccessGrant(ctx, &another); err != nil {
				t.Errorf("%s is the same grant: %v", what, err)
			}
		}

		for _, tt := range []struct {
			name string
			in   *s3control.CreateAccessGrantInput
		}{
			{"everything", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "", s3control.PermissionREAD)},
			{"every bucket", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "*", s3control.PermissionREAD)},
			{"buckets that begin alike", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake*", s3control.PermissionREAD)},
			{"no bucket", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "/x", s3control.PermissionREAD)},
			{"a bucket of another account", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "foreign/x", s3control.PermissionREAD)},
			{"a missing bucket", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "missing/x", s3control.PermissionREAD)},
			{"a variable", grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/${aws:username}/*", s3control.PermissionREAD)},
			{"a missing user", grantInput(s3control.GranteeTypeDIRECTORYUSER, group, "lake/x", s3control.PermissionREAD)},
			{"a missing group", grantInput(s3control.GranteeTypeDIRECTORYGROUP, user, "lake/x", s3control.PermissionREAD)},
			{"a missing role", grantInput(s3control.GranteeTypeIAM, arn.Role(owner, "/", "Missing"), "lake/x", s3control.PermissionREAD)},
			{"a session", grantInput(s3control.GranteeTypeIAM, c.ARN, "lake/x", s3control.PermissionREAD)},
			{"the root", grantInput(s3control.GranteeTypeIAM, arn.Root(owner), "lake/x", s3control.PermissionREAD)},
			{"all roles", grantInput(s3control.GranteeTypeIAM, "arn:aws:iam::111111111111:role/*", "lake/x", s3control.PermissionREAD)},
			{"nobody", grantInput(s3control.GranteeTypeIAM, "", "lake/x", s3control.PermissionREAD)},
		} {
			_, err := h.CreateAccessGrant(ctx, tt.in)
			t.Run(tt.name, func(t *testing.T) { wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "") })
		}
		bound := grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/x", s3control.PermissionREAD)
		bound.ApplicationArn = &application
		_, err = h.CreateAccessGrant(ctx, bound)
		wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "A grant to an IAM principal")
		missing := *in
		missing.ApplicationArn = new(application + "0")
		_, err = h.CreateAccessGrant(ctx, &missing)
		wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "The application does not exist")

		const gone = "The specified access grant does not exist"
		must(h.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: *made.AccessGrantId}))
		_, err = h.DeleteAccessGrant(ctx, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: *made.AccessGrantId})
		wantError(t, err, "NoSuchAccessGrantError", http.StatusNotFound, gone)
		_, err = h.GetAccessGrant(ctx, &s3control.GetAccessGrantInput{AccountId: owner, AccessGrantId: *made.AccessGrantId})
		wantError(t, err, "NoSuchAccessGrantError", http.StatusNotFound, gone)

		must(h.DissociateAccessGrantsIdentityCenter(ctx, &s3control.DissociateAccessGrantsIdentityCenterInput{AccountId: owner}))
		_, err = h.CreateAccessGrant(ctx, in)
		wantError(t, err, "InvalidAccessGrant", http.StatusBadRequest, "The access grants instance is associated with no identity center")

		h.Quotas.Grants = 1
		_, err = h.CreateAccessGrant(ctx, grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/y", s3control.PermissionREAD))
		wantError(t, err, "AccessGrantsQuotaExceededError", http.StatusConflict, "")
	})
}

// TestTrustOfALocation: a role serves the instance that its trust policy names and no other, when it is registered and later
// when it is used.
func TestTrustOfALocation(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		for name, text := range map[string]string{
			"another account's":  strings.ReplaceAll(trustService, `"aws:SourceAccount":"`+owner, `"aws:SourceAccount":"999999999999`),
			"another instance's": strings.ReplaceAll(trustService, instanceARN, instanceARN+"/other"),
			"of another service": strings.ReplaceAll(trustService, "access-grants.s3.amazonaws.com", "s3.amazonaws.com"),
		} {
			role := strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", "")
			h.makeRole(owner, role, text, allow("s3:*", "*"))
			_, err := h.CreateAccessGrantsLocation(h.admin(owner), &s3control.CreateAccessGrantsLocationInput{AccountId: owner, LocationScope: "s3://lake/" + role + "/", IAMRoleArn: arn.Role(owner, "/", role)})
			if code := codeOf(err); code != "InvalidIamRole" {
				t.Errorf("a role that trusts %s: %q", name, code)
			}
		}
		asker := h.role(owner, "Asker", allow("s3:GetDataAccess", "*"))
		h.grant(grantInput(s3control.GranteeTypeIAM, asker.PrincipalARN, "lake/red/*", s3control.PermissionREAD))
		ask := func() error {
			_, err := h.GetDataAccess(h.as(asker), &s3control.GetDataAccessInput{AccountId: owner, Target: "s3://lake/red/*", Permission: s3control.PermissionREAD})
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		must(h.iam.UpdateAssumeRolePolicy(h.admin(owner), &iam.UpdateAssumeRolePolicyInput{RoleName: "Location", PolicyDocument: strings.ReplaceAll(trustService, `"aws:SourceAccount":"`+owner, `"aws:SourceAccount":"999999999999`)}))
		if err := ask(); err == nil {
			t.Error("a role that trusts the instance no more gives credentials")
		}
	})
}
