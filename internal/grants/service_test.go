package grants_test

import (
	"fmt"
	"net/http"
	"slices"
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

func TestListsFilterAndPage(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ctx := h.admin(owner)
		user := h.person("mateo")
		group := h.group("Red", user)
		var ids []string
		for i := range 7 {
			ids = append(ids, h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, fmt.Sprintf("lake/%d/*", i), s3control.PermissionREAD)))
		}
		ids = append(ids, h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/0/*", s3control.PermissionREAD)))
		ids = append(ids, h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/0/*", s3control.PermissionREADWRITE)))
		slices.Sort(ids)

		var seen []string
		in := &s3control.ListAccessGrantsInput{AccountId: owner, MaxResults: new(3)}
		for {
			out := must(h.ListAccessGrants(ctx, in))
			for _, g := range out.AccessGrantsList {
				seen = append(seen, *g.AccessGrantId)
			}
			if out.NextToken == nil {
				break
			}
			if len(out.AccessGrantsList) != 3 {
				t.Errorf("a page of %d", len(out.AccessGrantsList))
			}
			in.NextToken = out.NextToken
		}
		if diff := cmp.Diff(ids, seen); diff != "" {
			t.Errorf("page by page:\n%s", diff)
		}
		for _, size := range []*int{nil, new(0), new(9), new(1000)} {
			if out := must(h.ListAccessGrants(ctx, &s3control.ListAccessGrantsInput{AccountId: owner, MaxResults: size})); len(out.AccessGrantsList) != 9 || out.NextToken != nil {
				t.Errorf("of a size: %d, %v", len(out.AccessGrantsList), out.NextToken)
			}
		}
		kind := func(k s3control.GranteeType) *s3control.GranteeType { return &k }
		for _, tt := range []struct {
			name string
			in   s3control.ListAccessGrantsInput
			want int
		}{
			{"kind", s3control.ListAccessGrantsInput{GranteeType: kind(s3control.GranteeTypeDIRECTORYUSER)}, 2},
			{"grantee, groups not expanded", s3control.ListAccessGrantsInput{GranteeIdentifier: &user}, 2},
			{"permission", s3control.ListAccessGrantsInput{Permission: new(s3control.PermissionREADWRITE)}, 1},
			{"scope, exact", s3control.ListAccessGrantsInput{GrantScope: new("s3://lake/0/*")}, 3},
			{"no pattern", s3control.ListAccessGrantsInput{GrantScope: new("s3://lake/*")}, 0},
			{"all at once", s3control.ListAccessGrantsInput{GrantScope: new("s3://lake/0/*"), GranteeIdentifier: &user, Permission: new(s3control.PermissionREAD)}, 1},
			{"application", s3control.ListAccessGrantsInput{ApplicationArn: new("arn:aws:sso::222222222222:application/none")}, 0},
		} {
			tt.in.AccountId = owner
			if out := must(h.ListAccessGrants(ctx, &tt.in)); len(out.AccessGrantsList) != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, len(out.AccessGrantsList), tt.want)
			}
		}
	})
}

func TestListCallerAccessGrants(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user := h.person("mateo")
		group := h.group("Red", user)
		mine, others := h.application("App"), h.application("Other")
		c := h.role(owner, "App", allow(app, "*"))
		h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/role/*", s3control.PermissionREAD))
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/user/*", s3control.PermissionREAD))
		for name, a := range map[string]*string{"mine": &mine, "others": &others} {
			in := grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/"+name+"/*", s3control.PermissionREADWRITE)
			in.ApplicationArn = a
			h.grant(in)
		}
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, h.person("ana"), "lake/ana/*", s3control.PermissionREAD))
		enhanced := h.enhanced(c, user, mine)
		list := func(in s3control.ListCallerAccessGrantsInput) (all []string) {
			in.AccountId = owner
			for {
				out := must(h.ListCallerAccessGrants(h.as(enhanced), &in))
				for _, e := range out.CallerAccessGrantsList {
					all = append(all, fmt.Sprint(*e.Permission, " ", *e.GrantScope, " ", *e.ApplicationArn))
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					slices.Sort(all)
					return all
				}
			}
		}
		role, person := "READ s3://lake/role/* NA", "READ s3://lake/user/* ALL"
		bound, elsewhere := "READWRITE s3://lake/mine/* "+mine, "READWRITE s3://lake/others/* "+others
		for name, tt := range map[string]struct {
			in   s3control.ListCallerAccessGrantsInput
			want []string
		}{
			"all":                  {s3control.ListCallerAccessGrantsInput{}, []string{role, person, bound, elsewhere}},
			"page by page":         {s3control.ListCallerAccessGrantsInput{MaxResults: new(1)}, []string{role, person, bound, elsewhere}},
			"with the application": {s3control.ListCallerAccessGrantsInput{AllowedByApplication: new(true)}, []string{person, bound}},
			"a fragment":           {s3control.ListCallerAccessGrantsInput{GrantScope: new("s3://lake/m")}, []string{bound}},
			"a fragment within":    {s3control.ListCallerAccessGrantsInput{GrantScope: new("/others/"), MaxResults: new(1)}, []string{elsewhere}},
			"no such fragment":     {s3control.ListCallerAccessGrantsInput{GrantScope: new("s3://lake/%")}, nil},
		} {
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, list(tt.in)); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
		enhanced = c
		if diff := cmp.Diff([]string{role}, list(s3control.ListCallerAccessGrantsInput{})); diff != "" {
			t.Errorf("without a person:\n%s", diff)
		}
	})
}

func TestGetDataAccess(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		c := h.role(owner, "App", allow(app, "*"))
		_, err := h.ask(c, "s3://lake/x", s3control.PermissionREAD)
		wantError(t, err, "AccessGrantsInstanceNotExistsError", http.StatusNotFound, "")
		h.found()
		user := h.person("mateo")
		application := h.application("App")
		enhanced := h.enhanced(c, user, application)
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYUSER, user, "lake/bob/*", s3control.PermissionREAD))

		for _, tt := range []struct {
			target  string
			more    []func(*s3control.GetDataAccessInput)
			matched string
			reads   []string
			not     []string
		}{
			{"s3://lake/bob/*", nil, "s3://lake/bob/*", []string{"bob/x", "bob/"}, []string{"bob", "bobby/x"}},
			{"s3://lake/bob/images/1", nil, "s3://lake/bob/*", []string{"bob/x"}, nil},
			{"s3://lake/bob/images/*", []func(*s3control.GetDataAccessInput){minimal}, "s3://lake/bob/images/*", []string{"bob/images/1"}, []string{"bob/x"}},
			{"s3://lake/bob/", []func(*s3control.GetDataAccessInput){minimal}, "s3://lake/bob/", []string{"bob/"}, []string{"bob/x"}},
			{"s3://lake/bob/f.txt", []func(*s3control.GetDataAccessInput){minimal, object}, "s3://lake/bob/f.txt", []string{"bob/f.txt"}, []string{"bob/f.txt2", "bob/f"}},
			{"s3://lake/bob/f*", []func(*s3control.GetDataAccessInput){minimal, object}, "s3://lake/bob/f*", []string{"bob/f*"}, []string{"bob/f", "bob/ff"}},
			{"s3://lake/bob/f*", []func(*s3control.GetDataAccessInput){object}, "s3://lake/bob/*", []string{"bob/x"}, nil},
		} {
			out, err := h.ask(enhanced, tt.target, s3control.PermissionREAD, tt.more...)
			if err != nil {
				t.Errorf("%s: %v", tt.target, err)
				continue
			}
			if *out.MatchedGrantTarget != tt.matched || *out.Grantee.GranteeIdentifier != user || *out.Grantee.GranteeType != s3control.GranteeTypeDIRECTORYUSER {
				t.Errorf("%s: matched %s for %+v", tt.target, *out.MatchedGrantTarget, out.Grantee)
			}
			v := h.vended(enhanced, tt.target, s3control.PermissionREAD, tt.more...)
			if !strings.HasPrefix(v.ARN, "arn:aws:sts::111111111111:assumed-role/Location/access-grants-") || v.OnBehalf == nil || v.OnBehalf.UserID != user {
				t.Errorf("%s: vended to %s on behalf of %+v", tt.target, v.ARN, v.OnBehalf)
			}
			for _, k := range tt.reads {
				if !h.reads(v, k) {
					t.Errorf("%s does not read %s", tt.target, k)
				}
			}
			for _, k := range tt.not {
				if h.reads(v, k) {
					t.Errorf("%s reads %s", tt.target, k)
				}
			}
		}

		for target, p := range map[string]s3control.Permission{
			"s3://lake/bob/*": s3control.PermissionREADWRITE, "s3://lake/bob/x": s3control.PermissionWRITE, "s3://lake/*": s3control.PermissionREAD,
			"s3://lake": s3control.PermissionREAD, "s3://missing/x": s3control.PermissionREAD, "s3://lake2/bob/x": s3control.PermissionREAD,
		} {
			_, err := h.ask(enhanced, target, p)
			wantDenied(t, err, "You do not have "+string(p)+" permissions to the requested S3 Prefix: "+target)
		}
		_, err = h.ask(c, "s3://lake/bob/x", s3control.PermissionREAD)
		wantDenied(t, err, "You do not have READ permissions")
		_, err = h.ask(h.role(owner, "Nothing", ""), "s3://lake/bob/x", s3control.PermissionREAD)
		wantDenied(t, err, "User: arn:aws:sts::111111111111:assumed-role/Nothing/session is not authorized to perform: s3:GetDataAccess on resource: "+instanceARN)
		_, err = h.ask(enhanced, "lake/bob/x", s3control.PermissionREAD)
		wantError(t, err, "InvalidRequest", http.StatusBadRequest, "The target is not valid.")

		// The role's longest session is an hour, and credentials last as long as is asked for.
		out := must(h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD, lasting(900)))
		if left := out.Credentials.Expiration.Sub(h.Now()); left.Seconds() != 900 {
			t.Errorf("900 seconds are %s", left)
		}
		if left := must(h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD)).Credentials.Expiration.Sub(h.Now()); left.Hours() != 1 {
			t.Errorf("without a duration: %s", left)
		}
		_, err = h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD, lasting(3601))
		wantError(t, err, "StsValidationError", http.StatusBadRequest, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
		// A refusal comes before what only concerns the role.
		_, err = h.ask(enhanced, "s3://lake/blue/*", s3control.PermissionREAD, lasting(3601))
		wantDenied(t, err, "You do not have READ permissions")

		// A role that lets no person be carried along serves IAM principals alone, and a role that trusts nobody no one.
		trust := func(actions string) {
			text := strings.Replace(trustService, `["sts:AssumeRole","sts:SetSourceIdentity","sts:SetContext"]`, actions, 1)
			must(h.iam.UpdateAssumeRolePolicy(h.admin(owner), &iam.UpdateAssumeRolePolicyInput{RoleName: "Location", PolicyDocument: text}))
		}
		h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/role/*", s3control.PermissionREAD))
		const refusal = "User: access-grants.s3.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/Location"
		trust(`"sts:AssumeRole"`)
		_, err = h.ask(enhanced, "s3://lake/bob/*", s3control.PermissionREAD)
		wantError(t, err, "StsNotAuthorizedError", http.StatusForbidden, refusal)
		if _, err = h.ask(c, "s3://lake/role/*", s3control.PermissionREAD); err != nil {
			t.Errorf("an IAM grantee without sts:SetSourceIdentity: %v", err)
		}
		trust(`"sts:SetSourceIdentity"`)
		_, err = h.ask(c, "s3://lake/role/*", s3control.PermissionREAD)
		wantError(t, err, "StsNotAuthorizedError", http.StatusForbidden, refusal)
	})
}

func TestResourcePolicy(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ctx := h.admin(owner)
		put := func(text string) (*s3control.PutAccessGrantsInstanceResourcePolicyOutput, error) {
			return h.PutAccessGrantsInstanceResourcePolicy(ctx, &s3control.PutAccessGrantsInstanceResourcePolicyInput{AccountId: owner, Policy: text})
		}
		sharing := func(principal, action, resource string) string {
			return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":` + action + `,"Resource":"` + resource + `"}]}`
		}
		_, err := h.GetAccessGrantsInstanceResourcePolicy(ctx, &s3control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceResourcePolicyNotExists", http.StatusNotFound, "Access Grants Instance Resource Policy does not exist")
		for name, text := range map[string]string{
			"no policy":        `{}`,
			"no JSON":          `{"Version"`,
			"all actions":      sharing(`{"AWS":"333333333333"}`, `"s3:*"`, instanceARN),
			"an action of own": sharing(`{"AWS":"333333333333"}`, `["s3:GetDataAccess","s3:CreateAccessGrant"]`, instanceARN),
			"all things":       sharing(`{"AWS":"333333333333"}`, `"s3:GetDataAccess"`, "*"),
			"a grant":          sharing(`{"AWS":"333333333333"}`, `"s3:GetDataAccess"`, instanceARN+"/grant/x"),
			"all but one":      strings.Replace(sharing(`{"AWS":"333333333333"}`, `"s3:GetObject"`, instanceARN), `"Action"`, `"NotAction"`, 1),
		} {
			t.Run(name, func(t *testing.T) {
				_, err := put(text)
				wantError(t, err, "InvalidResourcePolicy", http.StatusBadRequest, "The specified Resource Policy is invalid")
			})
		}
		out := must(put(sharing(`{"AWS" : [ "333333333333", "arn:aws:iam::222222222222:root","222222222222"]}`, `"s3:GetDataAccess"`, instanceARN)))
		const want = `{"AWS" : [ "arn:aws:iam::333333333333:root", "arn:aws:iam::222222222222:root","arn:aws:iam::222222222222:root"]}`
		if !strings.Contains(*out.Policy, want) {
			t.Errorf("accounts are written %s", *out.Policy)
		}
		got := must(h.GetAccessGrantsInstanceResourcePolicy(ctx, &s3control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: owner}))
		if *got.Policy != *out.Policy || !got.CreatedAt.Equal(*out.CreatedAt) {
			t.Errorf("read again: %+v", got)
		}
		must(h.DeleteAccessGrantsInstanceResourcePolicy(ctx, &s3control.DeleteAccessGrantsInstanceResourcePolicyInput{AccountId: owner}))
		_, err = h.GetAccessGrantsInstanceResourcePolicy(ctx, &s3control.GetAccessGrantsInstanceResourcePolicyInput{AccountId: owner})
		wantError(t, err, "AccessGrantsInstanceResourcePolicyNotExists", http.StatusNotFound, "")
	})
}

func TestTags(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		ctx := h.admin(owner)
		c := h.role(owner, "Job", "")
		in := grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/x", s3control.PermissionREAD)
		in.Tags = []s3control.Tag{{Key: "made", Value: "with"}}
		grant := instanceARN + "/grant/" + h.grant(in)
		for _, resource := range []string{instanceARN, instanceARN + "/location/default", grant} {
			tags := func() (all []string) {
				for _, tag := range must(h.ListTagsForResource(ctx, &s3control.ListTagsForResourceInput{AccountId: owner, ResourceArn: resource})).Tags {
					all = append(all, tag.Key+"="+tag.Value)
				}
				return all
			}
			before := tags()
			must(h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: []s3control.Tag{{Key: "z", Value: "1"}, {Key: "y", Value: ""}}}))
			must(h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: []s3control.Tag{{Key: "z", Value: "2"}}}))
			if diff := cmp.Diff(append(slices.Clone(before), "y=", "z=2"), tags()); diff != "" {
				t.Errorf("%s:\n%s", resource, diff)
			}
			var many []s3control.Tag
			for i := range 49 {
				many = append(many, s3control.Tag{Key: fmt.Sprint("k", i)})
			}
			_, err := h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: many})
			wantError(t, err, "TooManyTags", http.StatusBadRequest, "")
			for code, key := range map[string]string{"InvalidTags": "aws:x", "InvalidTag": "lakegate:Expires"} {
				_, err := h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: []s3control.Tag{{Key: key}}})
				wantError(t, err, code, http.StatusBadRequest, "")
			}
			_, err = h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: []s3control.Tag{{Key: "a"}, {Key: "a"}}})
			wantError(t, err, "InvalidTag", http.StatusBadRequest, "")
			must(h.UntagResource(ctx, &s3control.UntagResourceInput{AccountId: owner, ResourceArn: resource, TagKeys: []string{"z", "y", "never"}}))
			if diff := cmp.Diff(before, tags()); diff != "" {
				t.Errorf("%s, untagged:\n%s", resource, diff)
			}
		}
		for resource, want := range map[string]struct {
			code   string
			status int
		}{
			instanceARN + "/grant/missing":                                      {"NoSuchResource", http.StatusNotFound},
			instanceARN + "/location/missing":                                   {"NoSuchResource", http.StatusNotFound},
			instanceARN + "/other/x":                                            {"NoSuchResource", http.StatusNotFound},
			instanceARN + "/":                                                   {"NoSuchResource", http.StatusNotFound},
			instanceARN + "location/default":                                    {"InvalidRequest", http.StatusBadRequest},
			strings.Replace(instanceARN, region, "eu-central-1", 1):             {"InvalidRequest", http.StatusBadRequest},
			strings.Replace(instanceARN, owner, other, 1) + "/grant/x":          {"InvalidRequest", http.StatusBadRequest},
			strings.Replace(instanceARN, "arn:aws:", "arn:aws-cn:", 1):          {"InvalidRequest", http.StatusBadRequest},
			"arn:aws:s3:::lake":                                                 {"InvalidRequest", http.StatusBadRequest},
			strings.Replace(grant, "access-grants/default", "access-grants", 1): {"InvalidRequest", http.StatusBadRequest},
		} {
			_, err := h.ListTagsForResource(ctx, &s3control.ListTagsForResourceInput{AccountId: owner, ResourceArn: resource})
			wantError(t, err, want.code, want.status, "")
		}
	})
}

// What was acknowledged is there after a restart, the index included.
func TestRestart(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		c := h.role(owner, "App", allow(app, "*"))
		h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/a*b", s3control.PermissionREAD))
		in := grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/o*", s3control.PermissionREAD)
		in.S3PrefixType = new(s3control.S3PrefixTypeObject)
		h.grant(in)
		before := h.vended(c, "s3://lake/a*b", s3control.PermissionREAD)
		h.reopen()
		if !h.reads(before, "a*b") {
			t.Error("credentials do not outlive the restart")
		}
		if _, err := h.ask(c, "s3://lake/ox", s3control.PermissionREAD); err == nil {
			t.Error("the object became a prefix")
		}
		if _, err := h.ask(c, "s3://lake/o*", s3control.PermissionREAD, object); err != nil {
			t.Error(err)
		}
	})
}
