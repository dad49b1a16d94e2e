package grants_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/s3control"
)

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
