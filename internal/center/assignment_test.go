package center_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

func TestAssignments(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), member, "Admin")
	app := createApplication(t, h, member, "App")
	mateo, ana := h.Person(t, "mateo", ""), h.Person(t, "ana", "")
	red := h.Group(t, "Red", mateo)
	groupsOf := func(user string) []string { return h.Directory.GroupsOf(h.Instance.StoreID, user) }
	assigned := func(user string) bool { return h.Center.Assigned(app, user, groupsOf(user)) }

	if assigned(mateo) {
		t.Error("a new application asks for assignments, and yet lets everybody in")
	}
	wantCode(t, assign(ctx, h, app, "GROUP", red), "")
	if !assigned(mateo) || assigned(ana) {
		t.Error("the group lets in its members, and nobody else")
	}
	describe := func(kind ssoadmin.PrincipalType, id string) error {
		_, err := h.Service.DescribeApplicationAssignment(ctx, &ssoadmin.DescribeApplicationAssignmentInput{ApplicationArn: app, PrincipalType: kind, PrincipalId: id})
		return err
	}
	wantCode(t, describe("GROUP", red), "")
	wantCode(t, describe("USER", mateo), "ResourceNotFoundException") // through a group is not direct
	wantCode(t, assign(ctx, h, app, "USER", red), "ResourceNotFoundException")
	wantCode(t, assign(ctx, h, app, "GROUP", mateo), "ResourceNotFoundException")
	wantCode(t, assign(ctx, h, app, "USER", ana), "")
	wantCode(t, requireAssignment(ctx, h, app, false), "")
	if !assigned("somebody") {
		t.Error("nobody has to be assigned, and yet somebody is refused")
	}
	wantCode(t, requireAssignment(ctx, h, app, true), "")
	got := must[*ssoadmin.GetApplicationAssignmentConfigurationOutput](t)(h.Service.GetApplicationAssignmentConfiguration(ctx, &ssoadmin.GetApplicationAssignmentConfigurationInput{ApplicationArn: app}))
	if !got.AssignmentRequired || assigned("somebody") || !assigned(ana) || !assigned(mateo) {
		t.Error("toggling lost assignments, or kept the door open")
	}

	forMateo := &ssoadmin.ListApplicationAssignmentsForPrincipalInput{InstanceArn: h.Instance.ARN, PrincipalType: "USER", PrincipalId: mateo}
	list := must[*ssoadmin.ListApplicationAssignmentsForPrincipalOutput](t)(h.Service.ListApplicationAssignmentsForPrincipal(h.As(t.Context(), management, "Admin"), forMateo))
	if len(list.ApplicationAssignments) != 1 || *list.ApplicationAssignments[0].PrincipalId != red || *list.ApplicationAssignments[0].PrincipalType != "GROUP" {
		t.Errorf("assignments of mateo %+v", list.ApplicationAssignments)
	}
	_, err := h.Service.ListApplicationAssignmentsForPrincipal(ctx, forMateo)
	wantCode(t, err, "AccessDeniedException") // a member has to name its application
	forMateo.Filter = &ssoadmin.ListApplicationAssignmentsFilter{ApplicationArn: &app}
	list = must[*ssoadmin.ListApplicationAssignmentsForPrincipalOutput](t)(h.Service.ListApplicationAssignmentsForPrincipal(ctx, forMateo))
	if len(list.ApplicationAssignments) != 1 {
		t.Errorf("assignments %+v", list.ApplicationAssignments)
	}
	forMateo.Filter.ApplicationArn = new(createApplication(t, h, management, "Foreign"))
	_, err = h.Service.ListApplicationAssignmentsForPrincipal(ctx, forMateo)
	wantCode(t, err, "AccessDeniedException")
	wantCode(t, unassign(ctx, h, app, "GROUP", red), "")
	if assigned(mateo) {
		t.Error("an assignment that ended still lets in")
	}
}

// The index of assignments answers as a plain set of pairs does, whatever happened before.
func TestAssignedAgainstModel(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), management, "Admin")
	type pair struct {
		app, id string
		kind    ssoadmin.PrincipalType
	}
	var apps, users, groups []string
	for i := range 3 {
		apps = append(apps, createApplication(t, h, management, fmt.Sprint("app ", i)))
		users = append(users, h.Person(t, fmt.Sprint("user", i), ""))
		groups = append(groups, h.Group(t, fmt.Sprint("group ", i)))
	}
	model, required := map[pair]bool{}, map[string]bool{apps[0]: true, apps[1]: true, apps[2]: true}
	rapid.Check(t, func(t *rapid.T) {
		app := rapid.SampledFrom(apps).Draw(t, "app")
		p := pair{app, rapid.SampledFrom(users).Draw(t, "user"), "USER"}
		if rapid.Bool().Draw(t, "group") {
			p = pair{app, rapid.SampledFrom(groups).Draw(t, "group id"), "GROUP"}
		}
		var err error
		switch rapid.IntRange(0, 3).Draw(t, "step") {
		case 0, 1:
			err = assign(ctx, h, p.app, p.kind, p.id)
			model[p] = true
		case 2:
			had := model[p]
			err = unassign(ctx, h, p.app, p.kind, p.id)
			if delete(model, p); (err == nil) != had {
				t.Fatalf("ending an assignment that was there %t: %v", had, err)
			}
			err = nil
		case 3:
			required[app] = !required[app]
			err = requireAssignment(ctx, h, app, required[app])
		}
		if err != nil {
			t.Fatal(err)
		}
		of := rapid.SliceOfDistinct(rapid.SampledFrom(groups), rapid.ID[string]).Draw(t, "groups of the user")
		user := rapid.SampledFrom(users).Draw(t, "asked user")
		for _, app := range apps {
			want := !required[app] || model[pair{app, user, "USER"}]
			for _, g := range of {
				want = want || model[pair{app, g, "GROUP"}]
			}
			if got := h.Center.Assigned(app, user, of); got != want {
				t.Fatalf("%s for %s with %v: %t, want %t", app, user, of, got, want)
			}
		}
	})
}

// Whatever the size of a page, walking over the pages shows everything once, in order.
func TestPages(t *testing.T) {
	h := centertest.New(t)
	ctx := h.As(t.Context(), management, "Admin")
	app := createApplication(t, h, management, "assigned")
	want := []string{app}
	for i := range 7 {
		want = append(want, createApplication(t, h, management, fmt.Sprint(i)))
	}
	slices.Sort(want)
	people := map[string]bool{}
	for i := range 5 {
		user, group := h.Person(t, fmt.Sprint("user", i), ""), h.Group(t, fmt.Sprint("group ", i))
		people[user], people[group] = true, true
		wantCode(t, assign(ctx, h, app, "USER", user), "")
		wantCode(t, assign(ctx, h, app, "GROUP", group), "")
	}
	for size := 1; size <= 12; size++ {
		got := walk(t, func(token *string) ([]string, *string, error) {
			out, err := h.Service.ListApplications(ctx, &ssoadmin.ListApplicationsInput{InstanceArn: h.Instance.ARN, MaxResults: &size, NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return column(out.Applications, func(a ssoadmin.Application) string { return *a.ApplicationArn }), out.NextToken, nil
		}, size)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("applications by %d: %s", size, diff)
		}
		got = walk(t, func(token *string) ([]string, *string, error) {
			out, err := h.Service.ListApplicationAssignments(ctx, &ssoadmin.ListApplicationAssignmentsInput{ApplicationArn: app, MaxResults: &size, NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return column(out.ApplicationAssignments, func(a ssoadmin.ApplicationAssignment) string { return a.PrincipalId }), out.NextToken, nil
		}, size)
		slices.Sort(got)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(people)), got); diff != "" {
			t.Errorf("assignments by %d: %s", size, diff)
		}
	}
}

func walk(t *testing.T, page func(token *string) ([]string, *string, error), size int) (all []string) {
	t.Helper()
	for token := (*string)(nil); ; {
		items, next, err := page(token)
		if err != nil || len(items) > size {
			t.Fatalf("a page of %d: %v", len(items), err)
		}
		all = append(all, items...)
		if token = next; token == nil {
			return all
		}
	}
}

func column[T any](items []T, of func(T) string) (out []string) {
	for _, x := range items {
		out = append(out, of(x))
	}
	return out
}

// A page token that was made up, altered or meant for another list is refused, and never a failure of the server.
func FuzzPageToken(f *testing.F) {
	h := centertest.New(f)
	ctx := h.As(context.Background(), management, "Admin")
	for _, s := range []string{"", "x", "1 applications " + h.Instance.ARN + " x", "1 issuers " + h.Instance.ARN + " ", "1 providers x", "\xff"} {
		f.Add(base64.URLEncoding.EncodeToString([]byte(s)))
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := h.Service.ListApplications(ctx, &ssoadmin.ListApplicationsInput{InstanceArn: h.Instance.ARN, NextToken: &token})
		if c := code(err); c != "" && c != "ValidationException" {
			t.Errorf("%q: %s", token, c)
		}
	})
}

func BenchmarkAssigned(b *testing.B) {
	h := centertest.New(b)
	ctx := h.As(b.Context(), management, "Admin")
	out, err := h.Service.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{InstanceArn: h.Instance.ARN, ApplicationProviderArn: center.ProviderCustom, Name: "App"})
	if err != nil {
		b.Fatal(err)
	}
	var groups []string
	for i := range 50 {
		groups = append(groups, h.Group(b, fmt.Sprint("group ", i)))
	}
	if err := assign(ctx, h, *out.ApplicationArn, "GROUP", groups[49]); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !h.Center.Assigned(*out.ApplicationArn, "user", groups) {
			b.Fatal("not assigned")
		}
	}
}
