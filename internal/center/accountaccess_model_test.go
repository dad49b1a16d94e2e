package center_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/center/centertest"
)

// AccountRoles and AccountRole against a list of assignments that is looked through: people have what is assigned to them,
// to their groups and to the groups that those are in, whatever was assigned and taken away before.
func TestAccountRolesMatchTheModel(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	mateo, ana, eve := h.Person(t, "mateo", ""), h.Person(t, "ana", ""), h.Person(t, "eve", "")
	red := h.Group(t, "Red", mateo)
	blue := h.Group(t, "Blue", ana)
	all := h.Group(t, "All", red, blue)
	holders := map[string][]string{mateo: {mateo, red, all}, ana: {ana, blue, all}, eve: {eve}}
	kinds := map[string]string{mateo: "USER", ana: "USER", eve: "USER", red: "GROUP", blue: "GROUP", all: "GROUP"}
	principals := []string{mateo, ana, eve, red, blue, all}
	names := map[string]string{}
	var sets []string
	for _, name := range []string{"A", "B", "C"} {
		set := r.create(name)
		sets, names[set] = append(sets, set), name
	}
	accounts := []string{management, member, other}
	model := map[center.AccountAssignment]bool{}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			p := rapid.SampledFrom(principals).Draw(rt, "principal")
			a := center.AccountAssignment{Set: rapid.SampledFrom(sets).Draw(rt, "set"), Account: rapid.SampledFrom(accounts).Draw(rt, "account"), Type: kinds[p], Principal: p}
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				r.assign(a.Set, a.Account, a.Type, a.Principal)
				model[a] = true
			case 2:
				want := "ResourceNotFoundException"
				if model[a] {
					want = ""
				}
				wantCode(t, r.unassign(a.Set, a.Account, a.Type, a.Principal), want)
				delete(model, a)
			case 3:
				wantCode(t, r.update(a.Set, rapid.SampledFrom([]string{"PT1H", "PT2H"}).Draw(rt, "duration")), "")
				if failure, err := r.provision(a.Set, ""); failure != "" || err != nil {
					rt.Fatal(failure, err)
				}
			}
		}
		for person, ids := range holders {
			want := []string{}
			for a := range model {
				if way := a.Account + " " + names[a.Set]; slices.Contains(ids, a.Principal) && !slices.Contains(want, way) {
					want = append(want, way)
				}
			}
			slices.Sort(want)
			if d := cmp.Diff(want, r.ways(person)); d != "" {
				rt.Fatal(d)
			}
			for _, set := range sets {
				for _, account := range accounts {
					_, ok := h.Center.AccountRole(h.Instance.ARN, person, h.Directory.GroupsOf(h.Instance.StoreID, person), account, set)
					if ok != slices.Contains(want, account+" "+names[set]) {
						rt.Fatalf("AccountRole of %s in %s: %v", names[set], account, ok)
					}
				}
			}
		}
	})
}

// A session lasts between an hour and twelve, however it is written.
func TestSessionDurations(t *testing.T) {
	h := centertest.New(t)
	r := as(t, h, management)
	set := r.create("Analyst")
	for text, want := range map[string]string{
		"PT1H": "", "PT12H": "", "PT60M": "", "PT3600S": "", "PT1H30M": "", "P0DT1H": "",
		"PT59M59S": "ValidationException", "PT12H1S": "ValidationException", "P1D": "ValidationException", "PT0S": "ValidationException",
		"P": "ValidationException", "PT": "ValidationException", "": "ValidationException", "-PT1H": "ValidationException", "PT1.5H": "ValidationException",
		"pt1h": "ValidationException", "PT1H\n": "ValidationException", " PT1H": "ValidationException", "PT999999999999999999H": "ValidationException",
		"P99999DT99999H99999M99999S": "ValidationException", "PT١H": "ValidationException", "P1Y": "ValidationException",
	} {
		if err := r.update(set, text); code(err) != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Pages of statuses are complete and repeat nothing; a token that was not given for the list is refused.
func TestPagesOfStatuses(t *testing.T) {
	centertest.Run(t, func(t *testing.T, h *centertest.House) {
		r := as(t, h, management)
		mateo := h.Person(t, "mateo", "")
		set := r.create("Analyst")
		for range 5 {
			r.assign(set, member, "USER", mateo)
		}
		list := func(token *string, f *ssoadmin.OperationStatusFilter) (*ssoadmin.ListAccountAssignmentCreationStatusOutput, error) {
			return h.Service.ListAccountAssignmentCreationStatus(r.ctx, &ssoadmin.ListAccountAssignmentCreationStatusInput{InstanceArn: h.Instance.ARN, MaxResults: new(2), NextToken: token, Filter: f})
		}
		seen := map[string]bool{}
		var token, first *string
		for page := 0; page == 0 || token != nil; page++ {
			out := must[*ssoadmin.ListAccountAssignmentCreationStatusOutput](t)(list(token, nil))
			for _, s := range out.AccountAssignmentsCreationStatus {
				seen[*s.RequestId] = true
			}
			if token = out.NextToken; first == nil {
				first = token
			}
			if page > 5 {
				t.Fatal("the pages do not end")
			}
		}
		if len(seen) != 5 {
			t.Errorf("%d of 5 statuses are listed", len(seen))
		}
		_, err := list(first, &ssoadmin.OperationStatusFilter{Status: new(ssoadmin.StatusValuesFAILED)})
		wantCode(t, err, "ValidationException")
		_, err = h.Service.ListAccountAssignmentDeletionStatus(r.ctx, &ssoadmin.ListAccountAssignmentDeletionStatusInput{InstanceArn: h.Instance.ARN, NextToken: first})
		wantCode(t, err, "ValidationException")
		for _, last := range []string{"\x00", "\xff"} {
			_, err := list(new(base64.URLEncoding.EncodeToString([]byte("1 create "+h.Instance.ARN+"  "+last))), nil)
			wantCode(t, err, "ValidationException")
		}
		for _, forged := range []string{"x", "MSA=", strings.Repeat("A", 2048)} {
			_, err := list(&forged, nil)
			wantCode(t, err, "ValidationException")
		}
	})
}
