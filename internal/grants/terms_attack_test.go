package grants_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
)

// direct is whether a person's session may do an action by the person's grants, as the gateway asks it.
func (h *house) direct(c *caller.Caller, action, key string) bool {
	as, err := h.Direct(h.as(c), grants.Access{Action: "s3:" + action, Bucket: "lake", Owner: owner, Key: key})
	if err != nil {
		return false
	}
	if slices.Contains([]string{"ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"}, action) {
		return h.may(as, "s3:"+action, arn.Bucket("lake"), key).Allowed
	}
	return h.may(as, "s3:"+action, arn.Object("lake", key)).Allowed
}

func (h *house) lists(c *caller.Caller, prefix string) bool {
	return h.may(c, "s3:ListBucket", arn.Bucket("lake"), prefix).Allowed
}

// person and session in a house with one application.
func (h *house) mateo() (user string, c *caller.Caller) {
	h.t.Helper()
	user = h.person("mateo")
	return user, h.enhanced(h.role(owner, "App", allow(app, "*")), user, h.application("App"))
}

func (h *house) rename(user, name string) {
	h.t.Helper()
	must(h.directory.ChangeUser(h.t.Context(), "test", h.identity.StoreID, user, func(u *directory.User) error { u.UserName = name; return nil }))
}

// Nobody takes an end, a denial or a bound away from a grant by its tags.
func TestTermsCannotBeTaggedAway(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user, c := h.mateo()
		end := h.in(time.Hour)
		grant := instanceARN + "/grant/" + h.grant(with(toUser(user, "lake/red/*", s3control.PermissionREADWRITE), "lakegate:NotAfter="+end, "lakegate:Actions=s3:GetObject s3:ListBucket s3:PutObject", "lakegate:Effect=Allow", "free=1"))
		denial := instanceARN + "/grant/" + h.grant(with(toUser(user, "lake/red/secret/*", s3control.PermissionREADWRITE), "lakegate:Effect=Deny"))
		ctx := h.admin(owner)
		tag := func(resource string, pairs ...string) error {
			_, err := h.TagResource(ctx, &s3control.TagResourceInput{AccountId: owner, ResourceArn: resource, Tags: tagsOf(pairs...)})
			return err
		}
		for _, add := range []string{
			"lakegate:NotAfter=" + h.in(100*time.Hour), "lakegate:NotAfter=", "lakegate:NotBefore=2020-01-01T00:00:00Z", "lakegate:Effect=Deny", "lakegate:Actions=s3:DeleteObject",
			"lakegate:Reason=none", "lakegate:Owner=user/" + user, "lakegate:Other=x", "LakeGate:NotAfter=" + end,
		} {
			wantError(t, tag(grant, "harmless=1", add), "InvalidTag", http.StatusBadRequest, "The tag ")
		}
		wantError(t, tag(denial, "lakegate:Effect=Allow"), "InvalidTag", http.StatusBadRequest, "The tag lakegate:Effect ")
		for _, name := range []string{"lakegate:NotAfter", "lakegate:Effect", "lakegate:Actions", "LAKEGATE:notafter"} {
			for _, resource := range []string{grant, denial} {
				_, err := h.UntagResource(ctx, &s3control.UntagResourceInput{AccountId: owner, ResourceArn: resource, TagKeys: []string{"free", name}})
				wantError(t, err, "InvalidTag", http.StatusBadRequest, "The tag "+name)
			}
		}
		// The same once more is no change, and other tags come and go.
		if err := tag(grant, "lakegate:NotAfter="+end, "other=2"); err != nil {
			t.Error(err)
		}
		must(h.UntagResource(ctx, &s3control.UntagResourceInput{AccountId: owner, ResourceArn: grant, TagKeys: []string{"free"}}))
		h.reopen()
		v := h.vended(c, "s3://lake/red/*", s3control.PermissionREADWRITE)
		if !h.reads(v, "red/x") || h.reads(v, "red/secret/x") || h.may(v, "s3:DeleteObject", arn.Object("lake", "red/x")).Allowed {
			t.Error("the terms are not those that were given")
		}
		h.later(time.Hour)
		if h.reads(v, "red/x") || h.direct(c, "GetObject", "red/x") {
			t.Error("the end is gone")
		}
	})
}

// A denial beats each grant that it covers: the person's own, a group's, the role's; narrower ones, wider ones, older and
// younger ones; in direct use, where credentials are asked for, and in credentials that are out.
func TestDenialBeatsEveryAllow(t *testing.T) {
	for name, to := range map[string]func(h *house, user, role string) *s3control.CreateAccessGrantInput{
		"to the person": func(_ *house, user, _ string) *s3control.CreateAccessGrantInput {
			return toUser(user, "lake/red/secret/*", s3control.PermissionREADWRITE)
		},
		"to a group of the person's": func(h *house, user, _ string) *s3control.CreateAccessGrantInput {
			return grantInput(s3control.GranteeTypeDIRECTORYGROUP, h.group("kept out", user), "lake/red/secret/*", s3control.PermissionREADWRITE)
		},
		"to the role": func(_ *house, _, role string) *s3control.CreateAccessGrantInput {
			return grantInput(s3control.GranteeTypeIAM, role, "lake/red/secret/*", s3control.PermissionREADWRITE)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := founded(t, "sqlite")
			user, c := h.mateo()
			for _, sub := range []string{"lake/*", "lake/red/*", "lake/red/secret/*", "lake/red/secret/deep/*", "lake/red/secret/one.csv"} {
				h.grant(toUser(user, sub, s3control.PermissionREADWRITE))
				h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, h.group("allowed "+sub, user), sub, s3control.PermissionREADWRITE))
				h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, sub, s3control.PermissionREADWRITE))
			}
			out := map[string]*caller.Caller{}
			for _, target := range []string{"s3://lake/*", "s3://lake/red/*", "s3://lake/red/secret/*", "s3://lake/red/secret/deep/*", "s3://lake/red/secret/one.csv"} {
				out[target] = h.vended(c, target, s3control.PermissionREADWRITE)
				if !h.may(out[target], "s3:GetObject", arn.Object("lake", "red/secret/deep/x")).Allowed && target != "s3://lake/red/secret/one.csv" {
					t.Fatalf("%s was not allowed before", target)
				}
			}
			id := h.grant(with(to(h, user, c.PrincipalARN), "lakegate:Effect=Deny"))
			for target, v := range out {
				for _, key := range []string{"red/secret/deep/x", "red/secret/one.csv", "red/secret/"} {
					for _, action := range []string{"GetObject", "GetObjectVersion", "GetObjectAcl", "PutObject", "DeleteObject", "DeleteObjectVersion", "AbortMultipartUpload", "ListMultipartUploadParts", "PutObjectAcl"} {
						if d := h.may(v, "s3:"+action, arn.Object("lake", key)); d.Allowed {
							t.Errorf("credentials for %s still do %s on %s", target, action, key)
						}
					}
				}
				if h.lists(v, "red/secret/") || h.lists(v, "red/secret/deep/") {
					t.Errorf("credentials for %s still list", target)
				}
			}
			v := out["s3://lake/*"]
			if !h.reads(v, "red/x") || !h.reads(v, "red/secrets") || !h.lists(v, "red/") {
				t.Error("more is denied than the scope")
			}
			if d := h.may(v, "s3:GetObject", arn.Object("lake", "red/secret/x")); !d.Explicit || !strings.Contains(d.Policy, id) || !strings.Contains(d.Policy, grants.TagEffect) {
				t.Errorf("the denial is told as %+v", d)
			}
			if hides := h.Hidden(h.as(v), v, "s3:ListBucket", owner, "lake"); hides == nil {
				t.Error("a list above hides nothing")
			} else if _, hidden := hides("red/secret/x"); !hidden {
				t.Error("a list above shows what is denied")
			}
			for _, target := range []string{"s3://lake/red/secret/*", "s3://lake/red/secret/deep/*", "s3://lake/red/secret/one.csv", "s3://lake/red/secret/deep/x"} {
				for _, p := range []s3control.Permission{s3control.PermissionREAD, s3control.PermissionWRITE, s3control.PermissionREADWRITE} {
					_, err := h.ask(c, target, p)
					wantDenied(t, err, "You do not have "+string(p)+" permissions")
					_, err = h.ask(c, target, p, minimal)
					wantDenied(t, err, "You do not have "+string(p)+" permissions")
				}
			}
			// What is wider than the denial is handed out, without what is denied.
			wider := h.vended(c, "s3://lake/red/*", s3control.PermissionREADWRITE)
			if !h.reads(wider, "red/x") || h.reads(wider, "red/secret/x") {
				t.Error("credentials above the denial")
			}
			for action, key := range map[string]string{"GetObject": "red/secret/x", "PutObject": "red/secret/x", "DeleteObject": "red/secret/one.csv", "ListBucket": "red/secret/deep"} {
				if h.direct(c, action, key) {
					t.Errorf("direct use does %s on %s", action, key)
				}
			}
			if !h.direct(c, "GetObject", "red/x") || !h.direct(c, "ListBucket", "red/") {
				t.Error("direct use is denied more than the scope")
			}
			for _, e := range must(h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner})).CallerAccessGrantsList {
				if strings.Contains(*e.GrantScope, "secret") {
					t.Errorf("the caller is told of %s", *e.GrantScope)
				}
			}
			// Taken back, it takes nothing any more.
			must(h.DeleteAccessGrant(h.admin(owner), &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: id}))
			if !h.reads(v, "red/secret/x") || h.Hidden(h.as(v), v, "s3:ListBucket", owner, "lake") != nil {
				t.Error("a denial that is gone denies")
			}
		})
	}
}

// Of a denial, what it is about is denied and nothing else: its permission, its actions, its application, its time, its
// grantee.
func TestDenialDeniesWhatItSays(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	h.grant(toUser(user, "lake/*", s3control.PermissionREADWRITE))
	v := h.vended(c, "s3://lake/*", s3control.PermissionREADWRITE)
	deny := func(in *s3control.CreateAccessGrantInput, pairs ...string) {
		h.grant(with(in, append(pairs, "lakegate:Effect=Deny")...))
	}
	deny(toUser(user, "lake/read/*", s3control.PermissionREAD))
	deny(toUser(user, "lake/write/*", s3control.PermissionWRITE))
	deny(toUser(user, "lake/keep/*", s3control.PermissionWRITE), "lakegate:Actions=s3:DeleteObject s3:DeleteObjectVersion")
	deny(toUser(user, "lake/one.csv", s3control.PermissionREADWRITE))
	deny(toUser(h.person("ana"), "lake/ana/*", s3control.PermissionREADWRITE))
	deny(toUser(user, "lake/soon/*", s3control.PermissionREADWRITE), "lakegate:NotBefore="+h.in(time.Hour))
	deny(toUser(user, "lake/late/*", s3control.PermissionREADWRITE), "lakegate:NotAfter="+h.in(time.Hour))
	elsewhere := toUser(user, "lake/app/*", s3control.PermissionREADWRITE)
	elsewhere.ApplicationArn = new(h.application("Other"))
	deny(elsewhere)
	deny(toUser(user, "lake2/*", s3control.PermissionREADWRITE))
	check := func(at string) {
		t.Helper()
		for _, tt := range []struct {
			key                 string
			read, write, delete bool
		}{
			{"x", true, true, true}, {"read/x", false, true, true}, {"write/x", true, false, false}, {"keep/x", true, true, false}, {"one.csv", false, false, false}, {"one.csv2", true, true, true},
			{"ana/x", true, true, true}, {"soon/x", at == "before", at == "before", at == "before"}, {"late/x", at == "after", at == "after", at == "after"}, {"app/x", true, true, true},
		} {
			for action, want := range map[string]bool{"GetObject": tt.read, "PutObject": tt.write, "DeleteObject": tt.delete} {
				if got := h.may(v, "s3:"+action, arn.Object("lake", tt.key)).Allowed; got != want {
					t.Errorf("%s: %s on %s with credentials = %t", at, action, tt.key, got)
				}
				if got := h.direct(c, action, tt.key); got != want {
					t.Errorf("%s: %s on %s directly = %t", at, action, tt.key, got)
				}
			}
		}
	}
	check("before")
	hides := h.Hidden(h.as(v), v, "s3:ListBucketVersions", owner, "lake")
	for key, want := range map[string]bool{"read/x": true, "read/": true, "one.csv": true, "one.csv2": false, "write/x": false, "keep/x": false, "soon/x": false, "late/x": true, "app/x": false, "ana/x": false} {
		if past, hidden := hides(key); hidden != want || hidden && past < key {
			t.Errorf("%s is hidden: %t, and the page goes on at %q", key, hidden, past)
		}
	}
	for target, want := range map[string]string{
		"s3://lake/read/*": "WRITE", "s3://lake/write/*": "READ", "s3://lake/keep/*": "READ WRITE READWRITE", "s3://lake/one.csv": "", "s3://lake/soon/*": "READ WRITE READWRITE", "s3://lake/late/x": "",
	} {
		for _, p := range []s3control.Permission{s3control.PermissionREAD, s3control.PermissionWRITE, s3control.PermissionREADWRITE} {
			if _, err := h.ask(c, target, p); (err == nil) != slices.Contains(strings.Fields(want), string(p)) {
				t.Errorf("%s on %s: %v", p, target, err)
			}
		}
	}
	h.later(time.Hour)
	v = h.vended(c, "s3://lake/*", s3control.PermissionREADWRITE)
	check("after")
}

// A denial is no grant: it is never handed out, and nobody has access by it.
func TestDenialGivesNothing(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	h.grant(with(toUser(user, "lake/red/*", s3control.PermissionREADWRITE), "lakegate:Effect=Deny"))
	_, err := h.ask(c, "s3://lake/red/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
	if h.direct(c, "GetObject", "red/x") {
		t.Error("a denial gives direct use")
	}
	if mine := must(h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner})).CallerAccessGrantsList; len(mine) != 0 {
		t.Errorf("the caller is told of %v", mine)
	}
}

// All denials of a grantee are looked at on each request, so there is a bound on them.
func TestDenialsAreBounded(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		h.Quotas.Denials = 2
		user := h.person("mateo")
		for i := range 3 {
			h.grant(toUser(user, fmt.Sprintf("lake/yes/%d/*", i), s3control.PermissionREAD))
			_, err := h.CreateAccessGrant(h.admin(owner), with(toUser(user, fmt.Sprintf("lake/no/%d/*", i), s3control.PermissionREAD), "lakegate:Effect=Deny"))
			if i < 2 && err != nil {
				t.Error(err)
			} else if i == 2 {
				wantError(t, err, "AccessGrantsQuotaExceededError", http.StatusConflict, "")
			}
		}
		h.grant(with(toUser(h.person("ana"), "lake/no/*", s3control.PermissionREAD), "lakegate:Effect=Deny"))
	})
}

// A group that a person joins later denies too, also in credentials of a grant to the role, and where the application may
// not ask for data.
func TestDenialFollowsMembershipAndPerson(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	h.grant(grantInput(s3control.GranteeTypeIAM, c.PrincipalARN, "lake/*", s3control.PermissionREAD))
	v := h.vended(c, "s3://lake/*", s3control.PermissionREAD)
	group := h.group("kept out")
	h.grant(with(grantInput(s3control.GranteeTypeDIRECTORYGROUP, group, "lake/red/*", s3control.PermissionREAD), "lakegate:Effect=Deny"))
	if !h.reads(v, "red/x") {
		t.Fatal("denied to somebody else")
	}
	must(h.directory.Join(t.Context(), "test", h.identity.StoreID, group, user))
	if h.reads(v, "red/x") || !h.reads(v, "blue/x") {
		t.Error("the group's denial does not hold in credentials of the role's grant")
	}
	less := *c
	less.OnBehalf = new(*c.OnBehalf)
	less.OnBehalf.Grants = false
	_, err := h.ask(&less, "s3://lake/red/*", s3control.PermissionREAD)
	wantDenied(t, err, "You do not have READ permissions")
	if alone := h.role(owner, "Alone", allow(app, "*")); true {
		h.grant(grantInput(s3control.GranteeTypeIAM, alone.PrincipalARN, "lake/*", s3control.PermissionREAD))
		if !h.reads(h.vended(alone, "s3://lake/*", s3control.PermissionREAD), "red/x") {
			t.Error("denied to a role without a person")
		}
	}
}

// Actions bound what a grant gives, in credentials and in direct use.
func TestActionsBoundAGrant(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	h.grant(with(toUser(user, "lake/drop/*", s3control.PermissionWRITE), "lakegate:Actions=s3:PutObject s3:AbortMultipartUpload"))
	h.grant(with(toUser(user, "lake/names/*", s3control.PermissionREAD), "lakegate:Actions=s3:ListBucket"))
	h.grant(with(toUser(user, "lake/label/*", s3control.PermissionREADWRITE), "lakegate:Actions=s3:PutObjectTagging s3:GetObjectTagging"))
	all := []string{"GetObject", "GetObjectVersion", "GetObjectTagging", "PutObject", "AbortMultipartUpload", "DeleteObject", "PutObjectTagging", "DeleteObjectTagging", "PutObjectAcl"}
	for sub, tt := range map[string]struct {
		asked s3control.Permission
		can   string
		list  bool
	}{
		"drop":  {s3control.PermissionWRITE, "PutObject AbortMultipartUpload", false},
		"names": {s3control.PermissionREAD, "", true},
		"label": {s3control.PermissionREADWRITE, "PutObjectTagging GetObjectTagging", false},
	} {
		v := h.vended(c, "s3://lake/"+sub+"/*", tt.asked)
		for _, a := range all {
			want := slices.Contains(strings.Fields(tt.can), a)
			if got := h.may(v, "s3:"+a, arn.Object("lake", sub+"/x")).Allowed; got != want {
				t.Errorf("%s: %s with credentials = %t", sub, a, got)
			}
			if got := h.direct(c, a, sub+"/x"); got != want {
				t.Errorf("%s: %s directly = %t", sub, a, got)
			}
		}
		if h.lists(v, sub+"/") != tt.list || h.direct(c, "ListBucket", sub+"/") != tt.list {
			t.Errorf("%s: list is not %t", sub, tt.list)
		}
	}
	for _, tt := range []struct{ target, permission string }{{"drop", "READ"}, {"drop", "READWRITE"}, {"names", "WRITE"}} {
		_, err := h.ask(c, "s3://lake/"+tt.target+"/*", s3control.Permission(tt.permission))
		wantDenied(t, err, "You do not have "+tt.permission)
	}
	// A narrow grant to list takes nothing from a wider one to read.
	h.grant(toUser(user, "lake/*", s3control.PermissionREAD))
	if v := h.vended(c, "s3://lake/names/*", s3control.PermissionREAD); !h.reads(v, "names/x") {
		t.Error("shadowed by a grant with fewer actions")
	}
	if !h.direct(c, "GetObject", "names/x") {
		t.Error("shadowed in direct use")
	}
}

// One grant gives everybody a folder of their own, and nobody the folder of another.
func TestOneGrantGivesEverybodyAHome(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.found()
		user, c := h.mateo()
		ana := h.person("ana")
		anaC := h.enhanced(c, ana, c.OnBehalf.ApplicationARN)
		outsider := h.enhanced(c, h.person("noor"), c.OnBehalf.ApplicationARN)
		all := h.group("everybody", user, ana)
		h.group("red team", user)
		home := h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, all, "lake/home/${user.name}/*", s3control.PermissionREADWRITE))
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, all, "lake/id/${user.id}/*", s3control.PermissionREAD))
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, all, "lake/teams/${group.name}/*", s3control.PermissionREAD))
		h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, all, "lake/both/${group.name}/${user.name}/note", s3control.PermissionREAD))
		h.reopen()
		for key, who := range map[string]string{
			"home/mateo/x": "mateo", "home/ana/x": "ana", "home/noor/x": "", "home/mateo": "", "home/mateo2/x": "", "home//x": "", "home/x": "", "home/${user.name}/x": "",
			"id/" + user + "/x": "mateo", "id/" + ana + "/x": "ana", "teams/red team/x": "mateo", "teams/everybody/x": "mateo ana", "teams/blue/x": "",
			"both/red team/mateo/note": "mateo", "both/red team/ana/note": "", "both/everybody/ana/note": "ana", "both/everybody/ana/notes": "",
		} {
			for name, c := range map[string]*caller.Caller{"mateo": c, "ana": anaC, "noor": outsider} {
				want := slices.Contains(strings.Fields(who), name)
				if got := h.direct(c, "GetObject", key); got != want {
					t.Errorf("%s reads %s directly = %t", name, key, got)
				}
				out, err := h.ask(c, "s3://lake/"+key, s3control.PermissionREAD)
				if (err == nil) != want {
					t.Errorf("%s asks for %s: %v", name, key, err)
				}
				if err == nil && strings.Contains(*out.MatchedGrantTarget, "$") {
					t.Errorf("%s is told %s", name, *out.MatchedGrantTarget)
				}
			}
		}
		_, err := h.ask(c, "s3://lake/home/*", s3control.PermissionREAD)
		wantDenied(t, err, "You do not have READ permissions")
		v := h.vended(c, "s3://lake/home/mateo/x", s3control.PermissionREADWRITE)
		if !h.reads(v, "home/mateo/y") || h.reads(v, "home/ana/x") || h.reads(v, "home/mateo2/x") || !h.lists(v, "home/mateo/") || h.lists(v, "home/") {
			t.Error("credentials for a home")
		}
		want := []string{"s3://lake/both/everybody/mateo/note", "s3://lake/both/red team/mateo/note", "s3://lake/home/mateo/*", "s3://lake/id/" + user + "/*", "s3://lake/teams/everybody/*", "s3://lake/teams/red team/*"}
		for _, size := range []int{1, 2, 3, 4, 5, 6, 7} {
			var listed []string
			for p := (*string)(nil); ; {
				out := must(h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner, MaxResults: &size, NextToken: p}))
				if n := len(out.CallerAccessGrantsList); n > size || n < size && out.NextToken != nil {
					t.Fatalf("%d on a page of %d", n, size)
				}
				for _, e := range out.CallerAccessGrantsList {
					listed = append(listed, *e.GrantScope)
				}
				if p = out.NextToken; p == nil {
					break
				}
			}
			slices.Sort(listed)
			if !slices.Equal(listed, want) {
				t.Errorf("listed by %d %q", size, listed)
			}
		}
		if g := must(h.GetAccessGrant(h.admin(owner), &s3control.GetAccessGrantInput{AccountId: owner, AccessGrantId: home})); *g.GrantScope != "s3://lake/home/${user.name}/*" {
			t.Errorf("shown as %s", *g.GrantScope)
		}
		// The home goes with the name, also from credentials that are out; that of the id stays.
		h.rename(user, "matheus")
		if h.reads(v, "home/mateo/x") || h.direct(c, "GetObject", "home/mateo/x") || !h.direct(c, "GetObject", "home/matheus/x") || !h.direct(c, "GetObject", "id/"+user+"/x") {
			t.Error("a new name")
		}
		h.rename(ana, "mateo")
		if h.reads(v, "home/mateo/x") {
			t.Error("the credentials of who had the name before reach the home of who has it now")
		}
	})
}

// Whoever may choose a name must not get more by it than a folder.
func TestNamesDoNotWiden(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	all := h.group("everybody", user)
	id := h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, all, "lake/home/${user.name}/*", s3control.PermissionREADWRITE))
	h.grant(grantInput(s3control.GranteeTypeDIRECTORYGROUP, all, "lake/teams/${group.name}/*", s3control.PermissionREADWRITE))
	reached := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			if h.direct(c, "GetObject", key) {
				t.Errorf("reads %s", key)
			}
			for _, target := range []string{key, key + "*", strings.TrimSuffix(key, "x") + "*"} {
				if _, err := h.ask(c, "s3://lake/"+target, s3control.PermissionREAD); err == nil {
					t.Errorf("is handed out %s", target)
				}
			}
		}
	}
	for _, name := range []string{"../x", "..", ".", "a/b", "/", "*", "a*", "?", "${user.id}", "${group.name}", "$", "{x}", `a\b`, "%2e%2e", "a%2fb", "..a", "a..b", "ana/../mateo"} {
		h.rename(user, name)
		reached("home/"+name+"/x", "home/x", "home/../x", "x", "home/ana/x", "home/"+user+"/x", "home//x", "home/../x/x", "home/${user.name}/x")
		if mine := must(h.ListCallerAccessGrants(h.as(c), &s3control.ListCallerAccessGrantsInput{AccountId: owner})).CallerAccessGrantsList; len(mine) != 1 || *mine[0].GrantScope != "s3://lake/teams/everybody/*" {
			t.Errorf("named %s has %v", name, mine)
		}
		if p := must(h.Preview(t.Context(), owner, c, "s3://lake/home/"+name+"/x", grants.Read)); p.Won != nil || !strings.Contains(p.Why, id) || !strings.Contains(p.Why, "${user.name}") || !strings.Contains(p.Why, fmt.Sprintf("%q", name)) {
			t.Errorf("named %s is told: %s", name, p.Why)
		}
	}
	h.rename(user, "mateo")
	for _, name := range []string{"../x", "*", "a/b", "${user.name}", "..", "?"} {
		h.group(name, user)
		reached("teams/"+name+"/x", "teams/x", "teams/../x/x", "teams/mateo/x", "teams/ana/x", "x")
	}
}

// The end of what is granted counts for each way in, and who asks is told nothing; the trail is.
func TestWhyTermsRefuse(t *testing.T) {
	h := founded(t, "sqlite")
	user, c := h.mateo()
	begin := h.in(time.Hour)
	soon := h.grant(with(toUser(user, "lake/soon/*", s3control.PermissionREAD), "lakegate:NotBefore="+begin))
	names := h.grant(with(toUser(user, "lake/names/*", s3control.PermissionREAD), "lakegate:Actions=s3:ListBucket"))
	h.grant(toUser(user, "lake/red/*", s3control.PermissionREAD))
	denial := h.grant(with(toUser(user, "lake/red/secret/*", s3control.PermissionREAD), "lakegate:Effect=Deny"))
	for target, want := range map[string]string{
		"s3://lake/soon/x":       "the grant " + soon + " covers s3://lake/soon/x and begins at " + begin + " (lakegate:NotBefore)",
		"s3://lake/red/secret/x": denial + " denies DIRECTORY_USER " + user + " READ on s3://lake/red/secret/* (lakegate:Effect=Deny)",
	} {
		if p := must(h.Preview(t.Context(), owner, c, target, grants.Read)); p.Won != nil || p.Why != want {
			t.Errorf("%s: %s", target, p.Why)
		}
		_, err := h.ask(c, target, s3control.PermissionREAD)
		wantDenied(t, err, "You do not have READ permissions to the requested S3 Prefix: "+target)
	}
	if p := must(h.Preview(t.Context(), owner, c, "s3://lake/names/x", grants.Write)); !strings.Contains(p.Why, names+" covers s3://lake/names/x with READ, not with WRITE") {
		t.Error(p.Why)
	}
}

// Whoever may make grants only with an end makes none without, and whoever may not delete denials deletes none: their
// policies see the terms as tags.
func TestPoliciesSeeTerms(t *testing.T) {
	h := founded(t, "sqlite")
	user := h.person("mateo")
	delegate := h.as(h.role(owner, "Delegate", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:*","sso:*","identitystore:*"],"Resource":"*"},
		{"Effect":"Deny","Action":"s3:CreateAccessGrant","Resource":"*","Condition":{"Null":{"aws:RequestTag/lakegate:NotAfter":"true"}}},
		{"Effect":"Deny","Action":"s3:DeleteAccessGrant","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/lakegate:Effect":"Deny"}}}]}`))
	for _, tags := range [][]string{nil, {"lakegate:Reason=x"}, {"lakegate:notafter=" + h.in(time.Hour)}} {
		if _, err := h.CreateAccessGrant(delegate, with(toUser(user, "lake/red/*", s3control.PermissionREAD), tags...)); err == nil {
			t.Errorf("made with %v", tags)
		}
	}
	out, err := h.CreateAccessGrant(delegate, with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:NotAfter="+h.in(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.DeleteAccessGrant(delegate, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: *out.AccessGrantId}); err != nil {
		t.Error(err)
	}
	denial := h.grant(with(toUser(user, "lake/red/*", s3control.PermissionREAD), "lakegate:Effect=Deny"))
	_, err = h.DeleteAccessGrant(delegate, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: denial})
	wantDenied(t, err, "User: ")
}
