package grants_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/s3control"
)

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
