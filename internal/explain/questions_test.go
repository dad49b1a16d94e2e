package explain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/arn"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/explain"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/wire"
)

func (h *house) questions() *explain.Questions {
	return &explain.Questions{Doctor: h.doctor, Holders: examined{h.grants.Registry, h.grants}, Everybody: h.directory, Principals: h.accounts, Buckets: h.buckets, Region: region}
}

func (h *house) newUser(name string) string {
	return must(h.directory.CreateUser(h.t.Context(), "test", directory.User{StoreID: h.instance.StoreID, UserName: name, Enabled: true})).ID
}

func (h *house) newGroup(name string, members ...string) string {
	return must(h.directory.CreateGroup(h.t.Context(), "test", directory.Group{StoreID: h.instance.StoreID, DisplayName: name}, members...)).ID
}

// give makes a grant; tags are pairs of names and values.
func (h *house) give(kind s3control.GranteeType, id, sub, permission, application string, tags ...string) string {
	in := &s3control.CreateAccessGrantInput{
		AccountId: owner, AccessGrantsLocationId: "default", Permission: s3control.Permission(permission),
		AccessGrantsLocationConfiguration: &s3control.AccessGrantsLocationConfiguration{S3SubPrefix: &sub},
		Grantee:                           &s3control.Grantee{GranteeType: &kind, GranteeIdentifier: &id},
	}
	if application != "" {
		in.ApplicationArn = &application
	}
	for n := 0; n < len(tags); n += 2 {
		in.Tags = append(in.Tags, s3control.Tag{Key: tags[n], Value: tags[n+1]})
	}
	return *must(h.grants.CreateAccessGrant(h.administrator(), in)).AccessGrantId
}

// administrator is the management account's view of the data account: who may describe people too.
func (h *house) administrator() context.Context { return h.data }

// asPerson is a request in a session of the role Person with somebody's identity context.
func (h *house) asPerson(user string) context.Context {
	role := must(h.iam.GetRole(h.data, &iam.GetRoleInput{RoleName: "Person"})).Role
	return h.request(&caller.Caller{
		Type: caller.AssumedRole, Account: owner, ARN: arn.AssumedRole(owner, "Person", user), PrincipalARN: role.Arn, UserID: role.RoleId + ":" + user,
		Session:  &caller.Session{RoleARN: role.Arn, RoleID: role.RoleId, RoleName: "Person", Name: user, Issued: now(), Expires: now().Add(time.Hour)},
		OnBehalf: &caller.Identity{UserID: user, IdentityStoreID: h.instance.StoreID, IdentityStoreARN: h.instance.StoreARN(), InstanceARN: h.instance.ARN, ApplicationARN: h.app, Grants: true},
	})
}

func everyone(t *testing.T, ctx context.Context, q *explain.Questions, in lakegate.WhoCanInput) (all []lakegate.AccessEntry) {
	t.Helper()
	for {
		out, err := q.WhoCan(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out.Entries...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all
		}
	}
}

// brief tells entries of people in short: name, permission or why not, by which group.
func brief(all []lakegate.AccessEntry) (lines []string) {
	for _, e := range all {
		if e.PrincipalType != lakegate.AccessPrincipalTypePERSON {
			continue
		}
		said := "none: " + text(e.Why)
		if e.Effective {
			said = string(*e.Permission)
		}
		lines = append(lines, strings.TrimSpace(text(e.Name)+" "+said+" "+strings.Join(e.GroupPath, ">")))
	}
	slices.Sort(lines)
	return lines
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func code(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// Nested groups, other applications, ends, denials and people who are disabled: each says rightly who can, and why who cannot.
func TestWhoCan(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	closed := *must(h.admin.CreateApplication(h.data, &ssoadmin.CreateApplicationInput{InstanceArn: h.instance.ARN, ApplicationProviderArn: "arn:aws:sso::aws:applicationProvider/custom", Name: "Closed"})).ApplicationArn
	ana, ben, eve := h.newUser("ana"), h.newUser("ben"), h.newUser("eve")
	inner := h.newGroup("Inner", ana)
	h.newGroup("Nobody")
	must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, h.team, func(_ *directory.Group, m *directory.Members) error {
		m.Add = append(m.Add, inner)
		m.Add = append(m.Add, eve)
		return nil
	}))
	must(h.admin.CreateApplicationAssignment(h.data, &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "USER", PrincipalId: ben}))
	h.give("DIRECTORY_USER", ben, "lake/red/*", "READWRITE", closed)
	h.give("DIRECTORY_USER", ben, "lake/red/x/*", "READ", "", "lakegate:NotBefore", now().Add(time.Hour).Format(time.RFC3339))
	h.give("DIRECTORY_USER", eve, "lake/red/*", "READ", "", "lakegate:Effect", "Deny")
	must(h.directory.ChangeUser(t.Context(), "test", h.instance.StoreID, ana, func(u *directory.User) error { u.Enabled = true; return nil }))
	target := lakegate.WhoCanInput{Target: "s3://lake/red/x/*", AccountId: new(owner)}
	want := []string{"ana READ Inner>Red", "mateo READ Red"}
	if got := brief(everyone(t, h.management, q, target)); !slices.Equal(got, want) {
		t.Errorf("who can: %q, want %q", got, want)
	}
	target.IncludeRefused = new(true)
	got := strings.Join(brief(everyone(t, h.management, q, target)), "\n")
	for _, part := range []string{"ben none: it is for the application " + closed, "ben none: it begins at", "eve none: ", "lakegate:Effect=Deny"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not told:\n%s", part, got)
		}
	}
	target.Permission = new(lakegate.PermissionWRITE)
	target.IncludeRefused = nil
	if got := brief(everyone(t, h.management, q, target)); len(got) != 0 {
		t.Errorf("who can write: %q", got)
	}
	h.changePerson(func(u *directory.User) { u.Enabled = false })
	target.Permission = nil
	if got := brief(everyone(t, h.management, q, target)); !slices.Equal(got, want[:1]) {
		t.Errorf("with mateo disabled: %q", got)
	}
}

// A bucket's policy and identity policies give access past every grant; roles that have it are told, with the method.
func TestWhoCanTellsOfPolicies(t *testing.T) {
	h := newHouse(t)
	found := map[string]string{}
	for _, e := range everyone(t, h.management, h.questions(), lakegate.WhoCanInput{Target: target, AccountId: new(owner)}) {
		if e.PrincipalType == lakegate.AccessPrincipalTypeIAM {
			found[e.PrincipalId] = string(e.Method) + " " + string(*e.Permission)
		}
	}
	if got := found[arn.Role(owner, "/", "Location")]; got != "POLICY READWRITE" {
		t.Errorf("the location's role: %q of %v", got, found)
	}
	if got, ok := found[personRole]; ok {
		t.Errorf("a role that may only ask for grants: %q", got)
	}
	h.give("IAM", personRole, "lake/red/*", "READ", "")
	for _, e := range everyone(t, h.management, h.questions(), lakegate.WhoCanInput{Target: target, AccountId: new(owner)}) {
		if e.PrincipalId == personRole && e.Method == lakegate.AccessMethodGRANT && *e.Permission == "READ" {
			return
		}
	}
	t.Error("a grant to a role is not told")
}

// Who may ask whom: the owner of the instance and the management account everything, a person about themself, nobody else.
func TestWhoMayAsk(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	ana := h.newUser("ana")
	must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, h.team, func(_ *directory.Group, m *directory.Members) error { m.Add = append(m.Add, ana); return nil }))
	h.permit("Person", may(`"lakegate:*","s3:GetDataAccess"`))
	who := func(ctx context.Context, account string) error {
		_, err := q.WhoCan(ctx, &lakegate.WhoCanInput{Target: target, AccountId: &account})
		return err
	}
	mateo, hers, foreign := h.asPerson(h.user), h.asPerson(ana), h.as(outsider)
	vended := h.asPerson(h.user)
	caller.From(vended).Session.Vended = &caller.Vended{GrantAccount: owner, GrantID: h.grant, GranteeType: "DIRECTORY_GROUP", Grantee: h.team, Permission: "READ", Target: target}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"who can, the owner":                         {who(h.data, owner), ""},
		"who can, the management account":            {who(h.management, owner), ""},
		"who can, another account":                   {who(foreign, owner), "AccessDenied"},
		"who can, another account of its own":        {who(foreign, outsider), "ResourceNotFoundException"},
		"who can, credentials of a grant":            {who(vended, owner), "AccessDenied"},
		"what can, a person of themself":             {second(q.WhatCan(mateo, &lakegate.WhatCanInput{Person: "mateo"})), ""},
		"what can, a person of another":              {second(q.WhatCan(mateo, &lakegate.WhatCanInput{Person: "ana"})), "AccessDeniedException"},
		"what can, a person of nobody":               {second(q.WhatCan(mateo, &lakegate.WhatCanInput{Person: "nobody"})), "AccessDeniedException"},
		"what can, another account":                  {second(q.WhatCan(foreign, &lakegate.WhatCanInput{Person: "ana", AccountId: new(owner)})), "AccessDenied"},
		"why as, a person of another":                {second(q.WhyAs(mateo, &lakegate.WhyAsInput{Person: "ana", Target: target, Permission: "READ"})), "AccessDeniedException"},
		"why as, a person of themself":               {second(q.WhyAs(hers, &lakegate.WhyAsInput{Person: ana, Target: target, Permission: "READ"})), ""},
		"why as, a person with a role":               {second(q.WhyAs(hers, &lakegate.WhyAsInput{Person: ana, Target: target, Permission: "READ", RoleArn: new(personRole)})), "AccessDeniedException"},
		"diff, a person who owns nothing":            {second(q.DiffGrant(mateo, &lakegate.DiffGrantInput{Scope: new(target), Permission: new(lakegate.PermissionREAD), GranteeType: new(lakegate.DiffGranteeTypeDIRECTORYUSER), Grantee: &ana})), "AccessDeniedException"},
		"diff of a grant, a person who owns nothing": {second(q.DiffGrant(mateo, &lakegate.DiffGrantInput{AccessGrantId: &h.grant})), "ResourceNotFoundException"},
		"diff, another account":                      {second(q.DiffGrant(foreign, &lakegate.DiffGrantInput{AccessGrantId: &h.grant, AccountId: new(owner)})), "AccessDenied"},
		"lint, a person":                             {second(q.LintGrants(mateo, &lakegate.LintGrantsInput{})), "AccessDeniedException"},
		"lint, another account":                      {second(q.LintGrants(foreign, &lakegate.LintGrantsInput{AccountId: new(owner)})), "AccessDenied"},
	} {
		if (tt.want == "") != (tt.err == nil) || tt.want != "" && code(tt.err) != tt.want {
			t.Errorf("%s: %v, want %q", name, tt.err, tt.want)
		}
	}
	// A person sees themself alone, an owner everybody in what is theirs.
	if got := brief(everyone(t, mateo, q, lakegate.WhoCanInput{Target: target, IncludeRefused: new(true)})); !slices.Equal(got, []string{"mateo READ Red"}) {
		t.Errorf("mateo sees %q", got)
	}
	h.give("DIRECTORY_USER", ana, "lake/red/*", "WRITE", "", "lakegate:Owner", "user/"+h.user)
	if got := brief(everyone(t, mateo, q, lakegate.WhoCanInput{Target: target})); len(got) != 3 {
		t.Errorf("as the owner mateo sees %q", got)
	}
	if got := brief(everyone(t, mateo, q, lakegate.WhoCanInput{Target: "s3://lake/*", IncludeRefused: new(true)})); len(got) != 0 {
		t.Errorf("of what lies above, the owner sees %q", got)
	}
	// No permission of the role: nothing.
	h.permit("Person", may(`"s3:GetDataAccess"`))
	if err := who(mateo, owner); code(err) != "AccessDenied" {
		t.Errorf("without lakegate:WhoCan: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// A token goes on where a page ended, for the same question of the same caller alone.
func TestTokensAreBoundToTheQuestion(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	for n := range 5 {
		id := h.newUser(fmt.Sprint("p", n))
		must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, h.team, func(_ *directory.Group, m *directory.Members) error { m.Add = append(m.Add, id); return nil }))
	}
	ask := lakegate.WhoCanInput{Target: target, AccountId: new(owner), MaxResults: new(1)}
	first := must(q.WhoCan(h.data, &ask))
	if len(first.Entries) != 1 || first.NextToken == nil {
		t.Fatalf("the first page: %+v", first)
	}
	whole := ask
	whole.MaxResults = nil
	if one, all := brief(everyone(t, h.data, q, ask)), brief(everyone(t, h.data, q, whole)); !slices.Equal(one, all) || len(all) != 6 {
		t.Errorf("page by page %q, at once %q", one, all)
	}
	for name, change := range map[string]func(in *lakegate.WhoCanInput) context.Context{
		"another caller": func(*lakegate.WhoCanInput) context.Context { return h.management },
		"another target": func(in *lakegate.WhoCanInput) context.Context { in.Target = "s3://lake/red/y"; return h.data },
		"another permission": func(in *lakegate.WhoCanInput) context.Context {
			in.Permission = new(lakegate.PermissionREAD)
			return h.data
		},
		"with what is refused": func(in *lakegate.WhoCanInput) context.Context {
			in.IncludeRefused = new(true)
			return h.data
		},
		"what is none": func(in *lakegate.WhoCanInput) context.Context { in.NextToken = new("bm9uZQ"); return h.data },
	} {
		in := ask
		in.NextToken = first.NextToken
		if _, err := q.WhoCan(change(&in), &in); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := q.LintGrants(h.data, &lakegate.LintGrantsInput{NextToken: first.NextToken}); code(err) != "ValidationException" {
		t.Errorf("another operation: %v", err)
	}
}

// In random worlds who-can and what-can say for every person and target what GetDataAccess would decide.
func TestAnswersAgreeWithTheDecision(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	must(h.admin.PutApplicationAssignmentConfiguration(h.data, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: h.app, AssignmentRequired: false}))
	people := []string{h.user}
	for n := range 4 {
		people = append(people, h.newUser(fmt.Sprint("p", n)))
	}
	inner := h.newGroup("Inner", people[1], people[2])
	outer := h.newGroup("Outer", people[3])
	must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, outer, func(_ *directory.Group, m *directory.Members) error { m.Add = []string{inner}; return nil }))
	must(h.grants.DeleteAccessGrant(h.data, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: h.grant}))
	subs := []string{"lake/*", "lake/r*", "lake/red/*", "lake/red/a", "lake/blue/*", "lake/home/${user.name}/*"}
	targets := []string{"s3://lake", "s3://lake/*", "s3://lake/red/*", "s3://lake/red/a", "s3://lake/red/b", "s3://lake/blue/x", "s3://lake/home/p1/*", "s3://lake/home/p2/x"}
	rapid.Check(t, func(rt *rapid.T) {
		var made []string
		defer func() {
			for _, id := range made {
				must(h.grants.DeleteAccessGrant(h.data, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: id}))
			}
		}()
		seen := map[string]bool{}
		for range rapid.IntRange(0, 8).Draw(rt, "grants") {
			kind, id := s3control.GranteeTypeDIRECTORYUSER, rapid.SampledFrom(people).Draw(rt, "person")
			if rapid.Bool().Draw(rt, "to a group") {
				kind, id = s3control.GranteeTypeDIRECTORYGROUP, rapid.SampledFrom([]string{h.team, inner, outer}).Draw(rt, "group")
			}
			sub, permission := rapid.SampledFrom(subs).Draw(rt, "scope"), rapid.SampledFrom([]string{"READ", "WRITE", "READWRITE"}).Draw(rt, "permission")
			var tags []string
			switch rapid.IntRange(0, 5).Draw(rt, "terms") {
			case 0:
				if !strings.Contains(sub, "$") {
					tags = []string{"lakegate:Effect", "Deny"}
				}
			case 1:
				tags = []string{"lakegate:NotBefore", now().Add(time.Hour).Format(time.RFC3339)}
			case 2:
				tags = []string{"lakegate:Actions", map[string]string{"READ": "s3:GetObject", "WRITE": "s3:PutObject", "READWRITE": "s3:PutObject"}[permission]}
			}
			if k := fmt.Sprint(kind, id, sub, permission, tags); !seen[k] {
				seen[k] = true
				made = append(made, h.give(kind, id, sub, permission, "", tags...))
			}
		}
		for _, at := range targets {
			for _, p := range []lakegate.Permission{"READ", "WRITE", "READWRITE"} {
				can := map[string]bool{}
				for _, e := range everyone(t, h.data, q, lakegate.WhoCanInput{Target: at, Permission: &p}) {
					can[e.PrincipalId] = true
				}
				for _, id := range people {
					won := must(h.grants.Preview(h.asPerson(id), owner, caller.From(h.asPerson(id)), at, grants.Permission(p))).Won
					if can[id] != (won != nil) {
						rt.Errorf("%s may %s %s: who-can says %t, the decision %v", id, p, at, can[id], won)
					}
				}
			}
		}
		// Who reaches a part is everybody who has, by what-can, a scope within the target that does not cover it.
		for _, at := range []string{"s3://lake/*", "s3://lake/red/*", "s3://lake/r*", "s3://lake/home/*", "s3://lake/home/p1/*"} {
			target, err := scope.ParseTarget(at, false)
			if err != nil {
				rt.Fatal(err)
			}
			var want, got []string
			for _, id := range people {
				for _, e := range must(q.WhatCan(h.data, &lakegate.WhatCanInput{Person: id})).Entries {
					if sc, err := scope.ParseGrant(*e.GrantScope, !strings.HasSuffix(*e.GrantScope, "*")); err != nil {
						rt.Fatal(err)
					} else if strings.HasPrefix(sc.Prefix, target.Key) && !sc.Covers(target) {
						want = append(want, id+" "+*e.AccessGrantId+" "+*e.GrantScope+" "+string(*e.Permission))
					}
				}
			}
			size := rapid.IntRange(1, 4).Draw(rt, "page")
			for _, e := range everyone(t, h.data, q, lakegate.WhoCanInput{Target: at, IncludePartial: new(true), MaxResults: &size}) {
				if value(e.Partial) {
					got = append(got, e.PrincipalId+" "+*e.AccessGrantId+" "+*e.GrantScope+" "+string(*e.Permission))
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				rt.Errorf("a part of %s: %q, want %q", at, got, want)
			}
		}
		// What a person has by what-can is what who-can says of that scope.
		for _, id := range people {
			for _, e := range must(q.WhatCan(h.data, &lakegate.WhatCanInput{Person: id})).Entries {
				at := *e.GrantScope
				if !slices.ContainsFunc(everyone(t, h.data, q, lakegate.WhoCanInput{Target: at, Permission: e.Permission}), func(o lakegate.AccessEntry) bool { return o.PrincipalId == id && *o.AccessGrantId == *e.AccessGrantId }) {
					rt.Errorf("what-can says that %s may %s %s, who-can does not", id, *e.Permission, at)
				}
			}
		}
	})
}
