package explain_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/explain"
	"github.com/lakegate/lakegate/internal/grants"
	"github.com/lakegate/lakegate/internal/scope"
)

// differences asks page by page.
func differences(t testing.TB, ctx context.Context, q *explain.Questions, in lakegate.DiffGrantInput) (all []lakegate.AccessChange) {
	t.Helper()
	for {
		out, err := q.DiffGrant(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out.Changes...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all
		}
	}
}

func proposal(kind lakegate.DiffGranteeType, id, sc string, p lakegate.Permission, tags ...string) lakegate.DiffGrantInput {
	in := lakegate.DiffGrantInput{GranteeType: &kind, Grantee: &id, Scope: &sc, Permission: &p}
	for n := 0; n < len(tags); n += 2 {
		in.Tags = append(in.Tags, lakegate.GrantTag{Key: tags[n], Value: tags[n+1]})
	}
	return in
}

// told are changes in short.
func told(all []lakegate.AccessChange) (lines []string) {
	for _, c := range all {
		line := fmt.Sprint(c.Change, " ", value(c.Name), " ", value(c.Permission), " ", c.Scope)
		if c.Actions != nil {
			line += " " + strings.Join(c.Actions, " ")
		}
		if c.NotBefore != nil {
			line += " from " + c.NotBefore.Format(time.RFC3339)
		}
		if c.NotAfter != nil {
			line += " until " + c.NotAfter.Format(time.RFC3339)
		}
		if value(c.Partial) {
			line += " (part)"
		}
		if value(c.Owner) {
			line += " (owner)"
		}
		lines = append(lines, line)
	}
	return lines
}

func hold(t *testing.T, what string, got []lakegate.AccessChange, want ...string) {
	t.Helper()
	if !slices.Equal(told(got), want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(told(got), "\n"), strings.Join(want, "\n"))
	}
}

// A grant with every term that there is, made and deleted: who gains and loses what, where, and from when until when.
func TestDifferenceOfAGrantWithTerms(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	person, user := lakegate.DiffGranteeTypeDIRECTORYUSER, s3control.GranteeTypeDIRECTORYUSER
	at := func(hours int) string { return now().Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }

	// Mateo reads red by the group Red.
	hold(t, "a denial", differences(t, h.data, q, proposal("DIRECTORY_GROUP", "Red", "s3://lake/*", "READWRITE", "lakegate:Effect", "Deny")),
		"UNCHANGED mateo  s3://lake/*", "LOSES mateo READ s3://lake/red/* (part)")
	hold(t, "a denial of some actions for a time", differences(t, h.data, q, proposal(person, "mateo", "s3://lake/red/x/*", "READ", "lakegate:Effect", "Deny", "lakegate:Actions", "s3:GetObject", "lakegate:NotBefore", at(1), "lakegate:NotAfter", at(2))),
		"LOSES mateo READ s3://lake/red/x/* s3:GetObject from "+at(1)+" until "+at(2))
	hold(t, "more than there is", differences(t, h.data, q, proposal(person, "mateo", "s3://lake/*", "READWRITE")),
		"GAINS mateo READWRITE s3://lake/*", "GAINS mateo WRITE s3://lake/red/* (part)")
	hold(t, "as much as there is", differences(t, h.data, q, proposal(person, "mateo", "s3://lake/red/x/*", "READ", "lakegate:NotAfter", at(1))),
		"UNCHANGED mateo  s3://lake/red/x/*")
	hold(t, "actions that no permission has", differences(t, h.data, q, proposal(person, "mateo", "s3://lake/red/*", "READ", "lakegate:Actions", "s3:GetObject s3:GetObjectTagging")),
		"GAINS mateo READ s3://lake/red/* s3:GetObjectTagging")
	hold(t, "an owner", differences(t, h.data, q, proposal("DIRECTORY_GROUP", "Red", "s3://lake/red/*", "READ", "lakegate:Owner", "user/"+h.user)),
		"GAINS mateo  s3://lake/red/* (owner)", "UNCHANGED mateo  s3://lake/red/*")
	hold(t, "a folder for each person", differences(t, h.data, q, proposal("DIRECTORY_GROUP", "Red", "s3://lake/red/${user.name}/*", "READWRITE")),
		"GAINS mateo WRITE s3://lake/red/mateo/*")

	ends := h.give(user, h.user, "lake/blue/*", "READ", "", "lakegate:NotAfter", at(3))
	hold(t, "longer than there is", differences(t, h.data, q, proposal(person, "mateo", "s3://lake/blue/*", "READ", "lakegate:NotAfter", at(5))),
		"GAINS mateo READ s3://lake/blue/* from "+at(3)+" until "+at(5))
	hold(t, "one that ends, deleted", differences(t, h.data, q, lakegate.DiffGrantInput{AccessGrantId: &ends}),
		"LOSES mateo READ s3://lake/blue/* until "+at(3))
	denial := h.give(user, h.user, "lake/*", "READWRITE", "", "lakegate:Effect", "Deny", "lakegate:NotBefore", at(2))
	hold(t, "a denial, deleted", differences(t, h.data, q, lakegate.DiffGrantInput{AccessGrantId: &denial}),
		"UNCHANGED mateo  s3://lake/*", "GAINS mateo READ s3://lake/blue/* from "+at(2)+" until "+at(3)+" (part)", "GAINS mateo READ s3://lake/red/* from "+at(2)+" (part)")
	hold(t, "what a denial will take", differences(t, h.data, q, proposal(person, "mateo", "s3://lake/green/*", "READ")),
		"GAINS mateo READ s3://lake/green/* until "+at(2))
	one := proposal(person, "mateo", "s3://lake/green*", "READ")
	one.S3PrefixType = new(lakegate.GrantPrefixTypeObject)
	if got := differences(t, h.data, q, one); len(got) != 1 || got[0].Scope != "s3://lake/green*" {
		t.Errorf("one object: %q", told(got))
	}
	for name, tags := range map[string][]string{
		"an end that is past": {"lakegate:NotAfter", at(-1)}, "an action of another permission": {"lakegate:Actions", "s3:PutObject"}, "no effect": {"lakegate:Effect", "Perhaps"},
		"an owner who is not there": {"lakegate:Owner", "user/nobody"}, "no term": {"lakegate:Colour", "red"}, "twice the same": {"a", "b", "a", "c"},
	} {
		in := proposal(person, "mateo", "s3://lake/red/*", "READ", tags...)
		if _, err := q.DiffGrant(h.data, &in); code(err) != "ValidationException" || !strings.Contains(err.Error(), "Tags: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	deny := proposal(person, "mateo", "s3://lake/${user.name}/*", "READ", "lakegate:Effect", "Deny")
	if _, err := q.DiffGrant(h.data, &deny); code(err) != "ValidationException" {
		t.Errorf("a denial with variables: %v", err)
	}
}

// An owner asks within what they own alone, and learns nothing of grants outside; a token is one of its question.
func TestDifferenceForAnOwner(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	h.permit("Person", may(`"lakegate:*","s3:GetDataAccess"`))
	ana := h.newUser("ana")
	must(h.admin.CreateApplicationAssignment(h.data, &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "USER", PrincipalId: ana}))
	user := s3control.GranteeTypeDIRECTORYUSER
	owned := h.give(user, h.user, "lake/blue/*", "READ", "", "lakegate:Owner", "user/"+h.user)
	outside := h.give(user, ana, "lake/*", "READ", "", "lakegate:Effect", "Deny")
	inside := h.give(user, ana, "lake/blue/a/*", "READ", "", "lakegate:Effect", "Deny")
	mateo, hers := h.asPerson(h.user), h.asPerson(ana)
	in := proposal("DIRECTORY_USER", ana, "s3://lake/blue/*", "READWRITE")
	hold(t, "within", differences(t, mateo, q, in), "GAINS ana WRITE s3://lake/blue/*")
	for _, c := range differences(t, mateo, q, proposal("DIRECTORY_USER", ana, "s3://lake/blue/*", "READ")) {
		if text := fmt.Sprint(value(c.Why), c.Scope); strings.Contains(text, outside) || strings.Contains(text, "lake/*") {
			t.Errorf("of a grant above is told: %s", text)
		}
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		in   lakegate.DiffGrantInput
		want string
	}{
		"above":                     {mateo, proposal("DIRECTORY_USER", ana, "s3://lake/*", "READ"), "AccessDeniedException"},
		"beside":                    {mateo, proposal("DIRECTORY_USER", ana, "s3://lake/blu*", "READ"), "AccessDeniedException"},
		"with variables":            {mateo, proposal("DIRECTORY_USER", ana, "s3://lake/${user.name}/*", "READ"), "AccessDeniedException"},
		"a denial":                  {mateo, proposal("DIRECTORY_USER", ana, "s3://lake/*", "READ", "lakegate:Effect", "Deny"), "AccessDeniedException"},
		"a grant above":             {mateo, lakegate.DiffGrantInput{AccessGrantId: &outside}, "ResourceNotFoundException"},
		"a grant within":            {mateo, lakegate.DiffGrantInput{AccessGrantId: &inside}, ""},
		"one's own":                 {mateo, lakegate.DiffGrantInput{AccessGrantId: &owned}, ""},
		"who would be owner":        {hers, proposal("DIRECTORY_USER", ana, "s3://lake/blue/*", "READ", "lakegate:Owner", "user/"+ana), "AccessDeniedException"},
		"both":                      {mateo, lakegate.DiffGrantInput{AccessGrantId: &owned, Tags: []lakegate.GrantTag{{Key: "a", Value: "b"}}}, "ValidationException"},
		"both, with a prefix type":  {mateo, lakegate.DiffGrantInput{AccessGrantId: &owned, S3PrefixType: new(lakegate.GrantPrefixTypeObject)}, "ValidationException"},
		"another account's owner":   {h.as(outsider), lakegate.DiffGrantInput{AccessGrantId: &owned, AccountId: new(owner)}, "AccessDenied"},
		"the administrator of here": {h.data, lakegate.DiffGrantInput{AccessGrantId: &outside}, ""},
	} {
		if _, err := q.DiffGrant(tt.ctx, &tt.in); (tt.want == "") != (err == nil) || tt.want != "" && code(err) != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}

	must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, h.team, func(_ *directory.Group, m *directory.Members) error { m.Add = append(m.Add, ana); return nil }))
	ask := proposal("DIRECTORY_GROUP", "Red", "s3://lake/blue/*", "READWRITE", "lakegate:NotAfter", now().Add(time.Hour).Format(time.RFC3339))
	ask.MaxResults = new(1)
	first := must(q.DiffGrant(mateo, &ask))
	if first.NextToken == nil {
		t.Fatalf("one page: %q", told(first.Changes))
	}
	for name, change := range map[string]func(in *lakegate.DiffGrantInput) context.Context{
		"another caller": func(*lakegate.DiffGrantInput) context.Context { return h.data },
		"another permission": func(in *lakegate.DiffGrantInput) context.Context {
			in.Permission = new(lakegate.PermissionREAD)
			return mateo
		},
		"no terms": func(in *lakegate.DiffGrantInput) context.Context { in.Tags = nil; return mateo },
		"another term": func(in *lakegate.DiffGrantInput) context.Context {
			in.Tags = slices.Clone(in.Tags)
			in.Tags[0].Value = now().Add(2 * time.Hour).Format(time.RFC3339)
			return mateo
		},
		"a denial": func(in *lakegate.DiffGrantInput) context.Context {
			in.Tags = append(slices.Clip(in.Tags), lakegate.GrantTag{Key: "lakegate:Effect", Value: "Deny"})
			return mateo
		},
		"another grant": func(in *lakegate.DiffGrantInput) context.Context {
			*in = lakegate.DiffGrantInput{AccessGrantId: &owned, NextToken: in.NextToken}
			return mateo
		},
		"one object": func(in *lakegate.DiffGrantInput) context.Context {
			in.S3PrefixType = new(lakegate.GrantPrefixTypeObject)
			in.Scope = new("s3://lake/blue/x")
			return mateo
		},
		"another application": func(in *lakegate.DiffGrantInput) context.Context { in.Application = &h.app; return mateo },
	} {
		in := ask
		in.NextToken = first.NextToken
		if _, err := q.DiffGrant(change(&in), &in); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rightsAt is what changes say of a key: for each application and action, by the narrowest scope that names the application.
func rightsAt(t *rapid.T, changes []lakegate.AccessChange, person, key, application string) (gains, loses []string) {
	narrowest := -1
	for _, c := range changes {
		one := !strings.HasSuffix(c.Scope, "*")
		sc, err := scope.ParseGrant(c.Scope, one)
		if err != nil {
			t.Fatal(err)
		}
		names := slices.Contains(c.Applications, application) || c.Applications == nil
		if c.PrincipalId != person || !names || !sc.CoversKey("lake", key) || value(c.Owner) {
			continue
		}
		depth := 2 * len(sc.Prefix)
		if one {
			depth++
		}
		if depth < narrowest {
			continue
		}
		if depth > narrowest {
			narrowest, gains, loses = depth, nil, nil
		}
		if c.NotBefore != nil && c.NotBefore.After(now()) {
			continue
		}
		actions := c.Actions
		if actions == nil && c.Permission != nil {
			actions = (&grants.Grant{Permission: grants.Permission(*c.Permission)}).Rights().Actions()
		}
		switch c.Change {
		case lakegate.AccessChangeKindGAINS:
			gains = append(gains, actions...)
		case lakegate.AccessChangeKindLOSES:
			loses = append(loses, actions...)
		}
	}
	return gains, loses
}

// In random worlds, for grants with random terms: what is foretold is what each person may do after, less what they might
// before, with each action at each key through each application, as requests at the gate are decided; and who-can agrees.
func TestDifferencesAgreeWithTheDecision(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	second := *must(h.admin.CreateApplication(h.data, &ssoadmin.CreateApplicationInput{InstanceArn: h.instance.ARN, ApplicationProviderArn: "arn:aws:sso::aws:applicationProvider/custom", Name: "Second"})).ApplicationArn
	must(h.admin.PutApplicationAccessScope(h.data, &ssoadmin.PutApplicationAccessScopeInput{ApplicationArn: second, Scope: "s3:access_grants:read_write"}))
	applications := map[string]string{"Data": h.app, "Second": second}
	for _, app := range applications {
		must(h.admin.PutApplicationAssignmentConfiguration(h.data, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: app, AssignmentRequired: false}))
	}
	people := []string{h.user, h.newUser("p1"), h.newUser("p2")}
	inner := h.newGroup("Inner", people[1])
	outer := h.newGroup("Outer", people[2])
	must(h.directory.ChangeGroup(t.Context(), "test", h.instance.StoreID, outer, func(_ *directory.Group, m *directory.Members) error { m.Add = []string{inner}; return nil }))
	must(h.grants.DeleteAccessGrant(h.data, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: h.grant}))
	subs := []string{"lake/*", "lake/r*", "lake/red/*", "lake/red/a", "lake/red", "lake/red/p1/*", "lake/${user.name}/*", "lake/red/${user.name}/*", "lake/red/${group.name}/*"}
	keys := []string{"x", "r", "red", "red/", "red/a", "red/ab", "red/p1/x", "red/Inner/x", "p1/x", "p2/x"}
	actions := []string{"s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectAcl", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectTagging"}
	type fact struct{ person, application, key, action string }
	facts := func() map[fact]bool {
		all := map[fact]bool{}
		for _, p := range people {
			for name, app := range applications {
				ctx := h.asPerson(p)
				caller.From(ctx).OnBehalf.ApplicationARN = app
				for _, k := range keys {
					for _, a := range actions {
						_, err := h.grants.Direct(ctx, grants.Access{Action: a, Bucket: "lake", Owner: owner, Key: k})
						all[fact{p, name, k, a}] = err == nil
					}
				}
			}
		}
		return all
	}
	type terms struct {
		kind                     s3control.GranteeType
		id, sub, permission, app string
		tags                     []string
	}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string) terms {
			g := terms{kind: s3control.GranteeTypeDIRECTORYUSER, id: rapid.SampledFrom(people).Draw(rt, label)}
			if rapid.Bool().Draw(rt, "to a group") {
				g.kind, g.id = s3control.GranteeTypeDIRECTORYGROUP, rapid.SampledFrom([]string{h.team, inner, outer}).Draw(rt, "group")
			}
			g.sub, g.permission = rapid.SampledFrom(subs).Draw(rt, "scope"), rapid.SampledFrom([]string{"READ", "WRITE", "READWRITE"}).Draw(rt, "permission")
			g.app = rapid.SampledFrom([]string{"", "", "", h.app}).Draw(rt, "application")
			if rapid.IntRange(0, 3).Draw(rt, "denies") == 0 && !strings.Contains(g.sub, "$") {
				g.tags = append(g.tags, "lakegate:Effect", "Deny")
			}
			switch rapid.IntRange(0, 5).Draw(rt, "when") {
			case 0:
				g.tags = append(g.tags, "lakegate:NotBefore", now().Add(time.Hour).Format(time.RFC3339))
			case 1:
				g.tags = append(g.tags, "lakegate:NotAfter", now().Add(2*time.Hour).Format(time.RFC3339))
			}
			if rapid.IntRange(0, 2).Draw(rt, "bounded") == 0 {
				g.tags = append(g.tags, "lakegate:Actions", map[string]string{"READ": "s3:GetObject s3:GetObjectTagging", "WRITE": "s3:PutObject", "READWRITE": "s3:PutObject s3:GetObjectAcl"}[g.permission])
			}
			return g
		}
		var made []string
		drop := func(id string) {
			must(h.grants.DeleteAccessGrant(h.data, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: id}))
		}
		defer func() {
			for _, id := range made {
				drop(id)
			}
		}()
		seen := map[string]bool{}
		for range rapid.IntRange(0, 7).Draw(rt, "grants") {
			if g := draw("person"); !seen[fmt.Sprint(g)] {
				seen[fmt.Sprint(g)] = true
				made = append(made, h.give(g.kind, g.id, g.sub, g.permission, g.app, g.tags...))
			}
		}
		g := draw("whose")
		if seen[fmt.Sprint(g)] {
			return
		}
		in := proposal(lakegate.DiffGranteeType(g.kind), g.id, "s3://"+g.sub, lakegate.Permission(g.permission), g.tags...)
		if g.app != "" {
			in.Application = &g.app
		}
		size := rapid.IntRange(1, 4).Draw(rt, "page")
		in.MaxResults = &size
		before := facts()
		foretold := differences(t, h.data, q, in)
		id := h.give(g.kind, g.id, g.sub, g.permission, g.app, g.tags...)
		after := facts()
		back := differences(t, h.data, q, lakegate.DiffGrantInput{AccessGrantId: &id, MaxResults: &size})
		drop(id)
		for f, was := range before {
			gains, loses := rightsAt(rt, foretold, f.person, f.key, f.application)
			if gained, lost := slices.Contains(gains, f.action), slices.Contains(loses, f.action); gained != (!was && after[f]) || lost != (was && !after[f]) {
				rt.Fatalf("%+v is made, %+v was %t and is %t; foretold:\n%s", g, f, was, after[f], strings.Join(told(foretold), "\n"))
			}
			gains, loses = rightsAt(rt, back, f.person, f.key, f.application)
			if gained, lost := slices.Contains(gains, f.action), slices.Contains(loses, f.action); gained != (was && !after[f]) || lost != (!was && after[f]) {
				rt.Fatalf("%+v is deleted, %+v is %t and was %t; foretold:\n%s", g, f, after[f], was, strings.Join(told(back), "\n"))
			}
		}
	})
}
