package devidp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// twoPeople is a directory small enough to write down every request that it causes.
func twoPeople() *Directory {
	return &Directory{
		Users: []User{
			{OID: MateoOID, UserName: "mateo@example.com", GivenName: "Mateo", FamilyName: "Jackson"},
			{OID: AnaOID, UserName: "ana@example.com", GivenName: "Ana", FamilyName: "Silva"},
		},
		Groups: []Group{{OID: RedGroupOID, DisplayName: "Red Project Group", Members: []string{"mateo@example.com"}}},
	}
}

func startWith(t *testing.T, d *Directory) *running {
	t.Helper()
	dir := t.TempDir()
	withKeys(t, dir)
	r := startIn(t, dir, d)
	r.pause = func(context.Context, time.Duration) error { return nil }
	return r
}

func mustPush(t *testing.T, r *running, rec *recorder) Report {
	t.Helper()
	report, err := r.Push(t.Context(), rec.target())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// changes compares what was changed, not what was asked.
func changes(r Report) Report { r.Requests = 0; return r }

func TestFirstPushSpeaksAsEntraDoes(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	report := mustPush(t, r, rec)
	requests := rec.take()
	if diff := cmp.Diff(Report{UsersCreated: 2, GroupsCreated: 1, MembersAdded: 1}, changes(report)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if report.Requests != len(requests) {
		t.Errorf("reports %d requests, sent %d", report.Requests, len(requests))
	}
	probe := strings.TrimSuffix(strings.TrimPrefix(requests[0].filter, `userName eq "`), `"`)
	if _, err := uuid.Parse(probe); err != nil {
		t.Errorf("probe: %s", requests[0])
	}
	var got []string
	for _, req := range requests[1:] {
		got = append(got, req.String())
		if h := req.header; h.Get("Authorization") != "Bearer "+recorderToken || h.Get("Accept") != scimType ||
			req.body != nil && h.Get("Content-Type") != scimType {
			t.Errorf("%s: headers %v", req, h)
		}
	}
	want := []string{
		`GET /Users externalId eq "` + MateoOID + `"`,
		`GET /Users userName eq "mateo@example.com"`,
		`POST /Users`,
		`GET /Users externalId eq "` + AnaOID + `"`,
		`GET /Users userName eq "ana@example.com"`,
		`POST /Users`,
		`GET /Groups externalId eq "` + RedGroupOID + `"`,
		`GET /Groups displayName eq "Red Project Group"`,
		`POST /Groups`,
		`PATCH /Groups/id-0003`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	bodies := []map[string]any{
		{
			"schemas": []any{urnUser, urnEnterprise}, "externalId": MateoOID, "userName": "mateo@example.com", "active": true,
			"displayName": "Mateo Jackson", "emails": []any{map[string]any{"primary": true, "type": "work", "value": "mateo@example.com"}},
			"meta": map[string]any{"resourceType": "User"}, "roles": []any{},
			"name": map[string]any{"formatted": "Mateo Jackson", "givenName": "Mateo", "familyName": "Jackson"},
		},
		{
			"schemas": []any{urnGroup, urnEntraGroup}, "externalId": RedGroupOID, "displayName": "Red Project Group",
			"meta": map[string]any{"resourceType": "Group"},
		},
		{
			"schemas": []any{urnPatch}, "Operations": []any{map[string]any{
				"op": "Add", "path": "members", "value": []any{map[string]any{"$ref": nil, "value": "id-0001"}},
			}},
		},
	}
	if diff := cmp.Diff(bodies, []map[string]any{requests[3].body, requests[9].body, requests[10].body}); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

// ops pushes and returns the operations of the one PATCH that it takes.
func ops(t *testing.T, r *running, rec *recorder) []any {
	t.Helper()
	rec.take()
	mustPush(t, r, rec)
	var found []any
	for _, req := range rec.take() {
		if req.method == http.MethodPatch {
			found = append(found, req.body["Operations"].([]any)...)
		}
	}
	return found
}

func entraOp(name, path string, value any) map[string]any {
	return map[string]any{"op": name, "path": path, "value": value}
}

func TestChangesArePatched(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	mustPush(t, r, rec)
	ctx := t.Context()
	ref := func(id string) []any { return []any{map[string]any{"$ref": nil, "value": id}} }
	for _, step := range []struct {
		name string
		do   func() (Report, error)
		want []any
	}{
		{"nothing", func() (Report, error) { return Report{}, nil }, nil},
		{"disable", func() (Report, error) { return r.SetActive(ctx, "mateo@example.com", false) }, []any{entraOp("Replace", "active", "False")}},
		{"enable", func() (Report, error) { return r.SetActive(ctx, MateoOID, true) }, []any{entraOp("Replace", "active", "True")}},
		{"add a member", func() (Report, error) { return r.AddMember(ctx, "red project group", AnaOID) }, []any{entraOp("Add", "members", ref("id-0002"))}},
		{"add a member again", func() (Report, error) { return r.AddMember(ctx, RedGroupOID, AnaOID) }, nil},
		{"remove a member", func() (Report, error) { return r.RemoveMember(ctx, RedGroupOID, "mateo@example.com") }, []any{entraOp("Remove", "members", ref("id-0001"))}},
		{"rename", func() (Report, error) {
			d := twoPeople()
			d.Users[1].UserName, d.Users[1].FamilyName, d.Users[1].DisplayName = "ana.souza@example.com", "Souza", "Ana Souza"
			d.Groups[0].DisplayName, d.Groups[0].Members = "Red Project", []string{"ana.souza@example.com"}
			return r.Replace(ctx, d)
		}, []any{
			entraOp("Replace", "userName", "ana.souza@example.com"), entraOp("Replace", "displayName", "Ana Souza"), entraOp("Replace", "name.familyName", "Souza"),
			entraOp("Replace", `emails[type eq "work"].value`, "ana.souza@example.com"), entraOp("Replace", "displayName", "Red Project"),
		}},
	} {
		if _, err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, ops(t, r, rec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if again := mustPush(t, r, rec); again.Changed() {
			t.Errorf("%s: a second push changed %+v", step.name, again)
		}
	}
}

func TestWhoLeftIsDeleted(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	mustPush(t, r, rec)
	rec.take()
	if _, err := r.Replace(t.Context(), &Directory{Users: twoPeople().Users[1:]}); err != nil {
		t.Fatal(err)
	}
	report := mustPush(t, r, rec)
	if diff := cmp.Diff([]string{"DELETE /Groups/id-0003", "DELETE /Users/id-0001"}, writes(rec.take())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if report.UsersDeleted != 1 || report.GroupsDeleted != 1 {
		t.Errorf("report %+v", report)
	}
}

// What was there before, made by hand, is adopted, not doubled; what is nobody's of ours is left alone.
func TestWhatIsThereIsAdopted(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	rec.users["u1"] = &recordedUser{"u1", "", "MATEO@example.com", "Mateo", "Mateo", "Jackson", "", true}
	rec.users["u2"] = &recordedUser{"u2", AnaOID, "ana@example.com", "Ana Silva", "Ana", "Silva", "ana@example.com", true}
	rec.users["u3"] = &recordedUser{"u3", "", "carlos@example.com", "Carlos", "Carlos", "Salazar", "carlos@example.com", true}
	rec.groups["g1"] = &recordedGroup{"g1", "", "Red Project Group", map[string]bool{"u2": true, "u3": true}}
	report := mustPush(t, r, rec)
	want := Report{UsersUpdated: 1, GroupsUpdated: 1, MembersAdded: 1, MembersRemoved: 1}
	if diff := cmp.Diff(want, changes(report)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	people, members := rec.world()
	if people[MateoOID] != "mateo@example.com|Mateo Jackson|Mateo|Jackson|mateo@example.com|true" || len(people) != 3 {
		t.Errorf("people %v", people)
	}
	if diff := cmp.Diff(map[string][]string{"Red Project Group": {"carlos@example.com", "mateo@example.com"}}, members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func TestWhoIsDisabledIsNotCreated(t *testing.T) {
	d := twoPeople()
	d.Users[0].Active = new(false)
	r, rec := startWith(t, d), newRecorder(t)
	if report := mustPush(t, r, rec); report.UsersCreated != 1 || report.MembersAdded != 0 {
		t.Errorf("report %+v", report)
	}
	if _, err := r.SetActive(t.Context(), MateoOID, true); err != nil {
		t.Fatal(err)
	}
	if report := mustPush(t, r, rec); report.UsersCreated != 1 || report.MembersAdded != 1 {
		t.Errorf("after enabling: %+v", report)
	}
}

// What is connected hears of every change before the change returns.
func TestConnectedTargetFollows(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	if _, err := r.Connect(t.Context(), rec.target()); err != nil {
		t.Fatal(err)
	}
	report, err := r.AddMember(t.Context(), "Red Project Group", "ana@example.com")
	if err != nil || report.MembersAdded != 1 {
		t.Fatalf("%+v %v", report, err)
	}
	if _, err := r.SetActive(t.Context(), "mateo@example.com", false); err != nil {
		t.Fatal(err)
	}
	people, members := rec.world()
	if !strings.HasSuffix(people[MateoOID], "|false") || len(members["Red Project Group"]) != 2 {
		t.Errorf("the endpoint has %v %v", people, members)
	}
	a := newBrowser(t).dev(http.MethodPost, originOf(r.Issuer())+devPushPath, "")
	var got Report
	a.decode(t, &got)
	if a.status != http.StatusOK || got.Changed() || got.Requests == 0 {
		t.Errorf("on demand: %d %s", a.status, a.body)
	}
}

// A second start knows what the first one pushed.
func TestSecondStartDeletesWhatTheFirstPushed(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	mustPush(t, r, rec)
	again, err := New(Config{Issuer: r.Issuer(), StateDir: r.dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Replace(t.Context(), &Directory{}); err != nil {
		t.Fatal(err)
	}
	if report, err := again.Push(t.Context(), rec.target()); err != nil || report.UsersDeleted != 2 || report.GroupsDeleted != 1 {
		t.Errorf("%+v %v", report, err)
	}
}

// An endpoint that was emptied is filled again.
func TestEmptiedEndpointIsFilledAgain(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	first := mustPush(t, r, rec)
	clear(rec.users)
	clear(rec.groups)
	if diff := cmp.Diff(changes(first), changes(mustPush(t, r, rec))); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

// A person whom somebody deleted at the endpoint comes back under another id, into the same groups.
func TestPersonDeletedAtTheEndpointComesBack(t *testing.T) {
	r, rec := startWith(t, twoPeople()), newRecorder(t)
	mustPush(t, r, rec)
	delete(rec.users, "id-0001")
	clear(rec.groups["id-0003"].members)
	if diff := cmp.Diff(Report{UsersCreated: 1, MembersAdded: 1}, changes(mustPush(t, r, rec))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLargeGroupIsSentInParts(t *testing.T) {
	d := &Directory{Groups: []Group{{DisplayName: "All"}}}
	for i := range 230 {
		u := User{UserName: fmt.Sprintf("u%03d@example.com", i), GivenName: "U", FamilyName: fmt.Sprint(i)}
		d.Users = append(d.Users, u)
		d.Groups[0].Members = append(d.Groups[0].Members, u.UserName)
	}
	r, rec := startWith(t, d), newRecorder(t)
	if report := mustPush(t, r, rec); report.MembersAdded != 230 {
		t.Errorf("report %+v", report)
	}
	if n := len(slices.DeleteFunc(writes(rec.take()), func(s string) bool { return !strings.HasPrefix(s, "PATCH") })); n != 3 {
		t.Errorf("%d requests for 230 members", n)
	}
}

func TestPushFailures(t *testing.T) {
	answerWith := func(status int, method string, times int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || times == 0 {
				return false
			}
			times--
			w.WriteHeader(status)
			w.Write([]byte(`{"detail":"because"}`))
			return true
		}
	}
	t.Run("busy, then not", func(t *testing.T) {
		r, rec := startWith(t, twoPeople()), newRecorder(t)
		rec.intercept = answerWith(http.StatusTooManyRequests, http.MethodPost, scimTries-1)
		if report := mustPush(t, r, rec); report.UsersCreated != 2 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("wrong token", func(t *testing.T) {
		r, rec := startWith(t, twoPeople()), newRecorder(t)
		_, err := r.Push(t.Context(), Target{rec.target().Endpoint, "a-wrong-token"})
		if !isErr(err, ErrPush) || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "a-wrong-token") {
			t.Errorf("got %v", err)
		}
		if got := rec.take(); len(got) != 1 {
			t.Errorf("went on after the probe failed: %v", got)
		}
	})
	t.Run("one person fails, the rest go on", func(t *testing.T) {
		r, rec := startWith(t, twoPeople()), newRecorder(t)
		rec.intercept = answerWith(http.StatusBadRequest, http.MethodPost, 1)
		report, err := r.Push(t.Context(), rec.target())
		if !isErr(err, ErrPush) || !strings.Contains(err.Error(), "mateo@example.com") || !strings.Contains(err.Error(), "because") {
			t.Errorf("got %v", err)
		}
		if report.UsersCreated != 1 || report.GroupsCreated != 1 {
			t.Errorf("%+v", report)
		}
		if report = mustPush(t, r, rec); report.UsersCreated != 1 || report.MembersAdded != 1 {
			t.Errorf("the next push: %+v", report)
		}
	})
	t.Run("a failed deletion is tried again", func(t *testing.T) {
		r, rec := startWith(t, twoPeople()), newRecorder(t)
		mustPush(t, r, rec)
		if _, err := r.Replace(t.Context(), &Directory{}); err != nil {
			t.Fatal(err)
		}
		rec.intercept = answerWith(http.StatusInternalServerError, http.MethodDelete, 3)
		if _, err := r.Push(t.Context(), rec.target()); !isErr(err, ErrPush) {
			t.Errorf("got %v", err)
		}
		if report := mustPush(t, r, rec); report.UsersDeleted != 2 || report.GroupsDeleted != 1 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("a redirect is not followed with the token", func(t *testing.T) {
		r, rec, elsewhere := startWith(t, twoPeople()), newRecorder(t), newRecorder(t)
		rec.intercept = func(w http.ResponseWriter, req *http.Request) bool {
			http.Redirect(w, req, elsewhere.URL+"/scim/v2/Users", http.StatusTemporaryRedirect)
			return true
		}
		if _, err := r.Push(t.Context(), rec.target()); !isErr(err, ErrPush) {
			t.Errorf("got %v", err)
		}
		if got := elsewhere.take(); len(got) != 0 {
			t.Errorf("sent %v with %v", got, got[0].header)
		}
	})
	for name, target := range map[string]Target{
		"http elsewhere": {"http://scim.example/scim/v2", "t"}, "no token": {"https://scim.example/scim/v2", ""},
		"no URL": {"scim", "t"}, "password in it": {"https://u:hush@scim.example/", "t"},
	} {
		r := startWith(t, twoPeople())
		if _, err := r.Push(t.Context(), target); !isErr(err, ErrPush) || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTargetKeepsItsToken(t *testing.T) {
	target := Target{"https://scim.example/scim/v2", "hush-hush"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("target", slog.Any("target", target), slog.Any("pointer", &target))
	if out := fmt.Sprintf("%v %+v %#v %s %s", target, target, target, target, log.String()); strings.Contains(out, "hush") {
		t.Error(out)
	}
}

// Whatever becomes of the directory, in whatever order, after a push the endpoint has the active people of it that it
// ever had, the groups, and the memberships; and a second push has nothing to do.
func TestPushMakesTheEndpointLikeTheDirectory(t *testing.T) {
	r, rec := startWith(t, &Directory{}), newRecorder(t)
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := r.Replace(t.Context(), &Directory{}); err != nil {
			rt.Fatal(err)
		}
		mustPush(t, r, rec)
		ever := map[string]bool{} // who was active at a push and has been in the directory since
		for range rapid.IntRange(1, 5).Draw(rt, "changes") {
			d := drawDirectory(rt)
			if _, err := r.Replace(t.Context(), d); err != nil {
				rt.Fatal(err)
			}
			mustPush(t, r, rec)
			if again := mustPush(t, r, rec); again.Changed() {
				rt.Fatalf("a second push changed %+v", again)
			}
			now := r.Directory()
			was := ever
			ever = map[string]bool{}
			people, members := map[string]string{}, map[string][]string{}
			for _, u := range now.Users {
				if u.IsActive() || was[u.OID] {
					ever[u.OID] = true
					people[u.OID] = fmt.Sprintf("%s|%s|%s|%s|%s|%v", u.UserName, u.DisplayName, u.GivenName, u.FamilyName, u.Email, u.IsActive())
				}
			}
			for _, g := range now.Groups {
				members[g.DisplayName] = []string{}
				for _, m := range g.Members {
					if ever[newBook(now).byName[fold(m)].OID] {
						members[g.DisplayName] = append(members[g.DisplayName], m)
					}
				}
				slices.Sort(members[g.DisplayName])
			}
			gotPeople, gotMembers := rec.world()
			if diff := cmp.Diff([]any{people, members}, []any{gotPeople, gotMembers}); diff != "" {
				rt.Fatalf("the endpoint (-want +got):\n%s", diff)
			}
		}
	})
}

func drawDirectory(t *rapid.T) *Directory {
	d := &Directory{}
	for i := range 4 {
		if !rapid.Bool().Draw(t, "there") {
			continue
		}
		u := User{
			OID: fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", i), UserName: fmt.Sprintf("u%d@example.com", i),
			GivenName: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "name"), FamilyName: "F",
		}
		if !rapid.Bool().Draw(t, "active") {
			u.Active = new(false)
		}
		d.Users = append(d.Users, u)
	}
	for i := range 3 {
		if !rapid.Bool().Draw(t, "group") {
			continue
		}
		g := Group{OID: fmt.Sprintf("00000000-0000-4000-8000-00000000001%d", i), DisplayName: fmt.Sprintf("G%d", i)}
		for _, u := range d.Users {
			if rapid.Bool().Draw(t, "member") {
				g.Members = append(g.Members, u.UserName)
			}
		}
		d.Groups = append(d.Groups, g)
	}
	return d
}
