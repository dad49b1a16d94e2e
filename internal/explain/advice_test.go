package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/grants"
)

// Each link is broken alone: the chain names it, and the nearest grant with what is missing.
func TestWhyAs(t *testing.T) {
	for name, tt := range map[string]struct {
		harm             func(h *house, in *lakegate.WhyAsInput)
		failing          []string
		nearest, missing string
	}{
		"nothing":         {func(*house, *lakegate.WhyAsInput) {}, nil, "", ""},
		"person disabled": {func(h *house, _ *lakegate.WhyAsInput) { h.changePerson(func(u *directory.User) { u.Enabled = false }) }, []string{"active", "grant"}, "", ""},
		"another target":  {func(_ *house, in *lakegate.WhyAsInput) { in.Target = "s3://lake/blue/*" }, []string{"grant"}, "", "no grant"},
		"too much":        {func(_ *house, in *lakegate.WhyAsInput) { in.Permission = "WRITE" }, []string{"grant"}, "the group Red READ", "not WRITE"},
		"without the scope": {func(h *house, _ *lakegate.WhyAsInput) {
			must(h.admin.DeleteApplicationAccessScope(h.data, &ssoadmin.DeleteApplicationAccessScopeInput{ApplicationArn: h.app, Scope: center.ScopeAccessGrants}))
		}, []string{"scopes", "grant"}, "", ""},
		"not assigned": {func(h *house, _ *lakegate.WhyAsInput) {
			must(h.admin.DeleteApplicationAssignment(h.data, &ssoadmin.DeleteApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "GROUP", PrincipalId: h.team}))
		}, []string{"assignment"}, "", ""},
		"denied": {func(h *house, _ *lakegate.WhyAsInput) {
			h.give("DIRECTORY_USER", h.user, "lake/red/*", "READ", "", "lakegate:Effect", "Deny")
		}, []string{"grant"}, "the group Red READ", "Deny"},
		"location's role": {func(h *house, _ *lakegate.WhyAsInput) { h.retrust("Location", trustOwner) }, []string{"location role"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			in := &lakegate.WhyAsInput{Person: "mateo", Target: target, Permission: "READ"}
			tt.harm(h, in)
			out := must(h.questions().WhyAs(h.data, in))
			got := failing(&lakegate.DiagnoseOutput{Findings: out.Findings})
			if !slices.Equal(got, tt.failing) || out.Allowed != (len(tt.failing) == 0) {
				t.Errorf("fails at %q, want %q; allowed %t", got, tt.failing, out.Allowed)
			}
			if !strings.Contains(text(out.Nearest), tt.nearest) || !strings.Contains(text(out.Missing), tt.missing) {
				t.Errorf("nearest %q, missing %q", text(out.Nearest), text(out.Missing))
			}
		})
	}
}

func changes(out *lakegate.DiffGrantOutput) (lines []string) {
	for _, c := range out.Changes {
		line := string(c.Change) + " " + text(c.Name)
		if c.Permission != nil {
			line += " " + string(*c.Permission)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// What a diff foretells is what who-can tells afterwards.
func TestDiffForetells(t *testing.T) {
	h := newHouse(t)
	q := h.questions()
	ana := h.newUser("ana")
	must(h.admin.CreateApplicationAssignment(h.data, &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: h.app, PrincipalType: "USER", PrincipalId: ana}))
	group := h.newGroup("Both", ana, h.user)
	proposal := &lakegate.DiffGrantInput{Scope: new(target), Permission: new(lakegate.PermissionREADWRITE), GranteeType: new(lakegate.DiffGranteeTypeDIRECTORYGROUP), Grantee: new("Both")}
	if got := changes(must(q.DiffGrant(h.data, proposal))); !slices.Equal(got, []string{"GAINS ana READWRITE", "GAINS mateo WRITE"}) {
		t.Errorf("if it were made: %q", got)
	}
	before := brief(everyone(t, h.data, q, lakegate.WhoCanInput{Target: target}))
	made := h.give("DIRECTORY_GROUP", group, "lake/red/*", "READWRITE", "")
	if got := changes(must(q.DiffGrant(h.data, &lakegate.DiffGrantInput{AccessGrantId: &made}))); !slices.Equal(got, []string{"LOSES ana READWRITE", "LOSES mateo WRITE"}) {
		t.Errorf("if it were deleted: %q", got)
	}
	if got := changes(must(q.DiffGrant(h.data, &lakegate.DiffGrantInput{AccessGrantId: &h.grant}))); !slices.Equal(got, []string{"UNCHANGED mateo"}) {
		t.Errorf("if the lesser one were deleted: %q", got)
	}
	must(h.grants.DeleteAccessGrant(h.data, &s3control.DeleteAccessGrantInput{AccountId: owner, AccessGrantId: made}))
	if after := brief(everyone(t, h.data, q, lakegate.WhoCanInput{Target: target})); !slices.Equal(before, after) {
		t.Errorf("before %q, after %q", before, after)
	}
	for name, in := range map[string]*lakegate.DiffGrantInput{
		"both":            {AccessGrantId: &made, Scope: new(target)},
		"half of it":      {Scope: new(target)},
		"another bucket":  {Scope: new("s3://other/*"), Permission: proposal.Permission, GranteeType: proposal.GranteeType, Grantee: proposal.Grantee},
		"no scope at all": {Scope: new("s3://"), Permission: proposal.Permission, GranteeType: proposal.GranteeType, Grantee: proposal.Grantee},
	} {
		if _, err := q.DiffGrant(h.data, in); code(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func findings(h *house) map[string][]string {
	found := map[string][]string{}
	in := &lakegate.LintGrantsInput{MaxResults: new(2)}
	for {
		out := must(h.questions().LintGrants(h.data, in))
		for _, f := range out.Findings {
			found[*f.AccessGrantId] = append(found[*f.AccessGrantId], string(f.Kind))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return found
		}
	}
}

// Each fault is found on the grant that has it, and a grant without one has nothing said of it.
func TestLint(t *testing.T) {
	h := newHouse(t)
	ana := h.newUser("ana")
	gone := h.newUser("gone")
	red := h.newGroup("Reds", ana)
	empty := h.newGroup("Empty")
	ok := h.give("DIRECTORY_USER", ana, "lake/ok/*", "READ", "")
	want := map[string]string{
		h.give("DIRECTORY_USER", ana, "lake/*", "WRITE", ""):                                                                           "WIDE",
		h.give("DIRECTORY_USER", ana, "lake/sib*", "READ", ""):                                                                         "SIBLINGS",
		h.give("DIRECTORY_GROUP", empty, "lake/e/*", "READ", ""):                                                                       "DEAD",
		h.give("DIRECTORY_USER", gone, "lake/g/*", "READ", ""):                                                                         "DEAD",
		h.give("DIRECTORY_USER", ana, "lake/twice/x/*", "READ", ""):                                                                    "REDUNDANT",
		h.give("DIRECTORY_USER", ana, "lake/soon/*", "READ", "", "lakegate:NotAfter", now().Add(time.Hour).UTC().Format(time.RFC3339)): "",
	}
	h.give("DIRECTORY_GROUP", red, "lake/twice/*", "READ", "")
	h.give("DIRECTORY_GROUP", red, "lake/soon/*", "READ", "", "lakegate:NotAfter", now().Add(time.Minute).UTC().Format(time.RFC3339))
	if err := h.directory.DeleteUser(t.Context(), h.instance.StoreID, gone); err != nil {
		t.Fatal(err)
	}
	got := findings(h)
	for id, kind := range want {
		if kind == "" && len(got[id]) > 0 || kind != "" && !slices.Equal(got[id], []string{kind}) {
			t.Errorf("want %q, found %q", kind, got[id])
		}
	}
	if len(got[ok])+len(got[h.grant]) > 0 {
		t.Errorf("of grants without a fault: %q, %q", got[ok], got[h.grant])
	}
	// The role that acts for people reads the data itself.
	h.permit("Person", may(`"s3:GetDataAccess","s3:GetObject"`))
	if got := findings(h); !slices.Equal(got[h.grant], []string{"LEAK"}) {
		t.Errorf("of a leak: %q", got[h.grant])
	}
	// The location's role cannot be taken on.
	h.retrust("Location", trustOwner)
	if got := findings(h); !slices.Equal(got[h.grant], []string{"DEAD"}) {
		t.Errorf("without the location's role: %q", got[h.grant])
	}
}

// A grant that nobody uses is found after a month, and one that was used after three without a use. To ask about a grant is no
// use of it, and neither is a refusal.
func TestLintOfUses(t *testing.T) {
	h := newHouse(t)
	at := now()
	h.doctor.Now = func() time.Time { return at }
	h.grants.Now = h.doctor.Now
	unused := []string{"NEVER_USED"}
	if got := findings(h)[h.grant]; len(got) != 0 {
		t.Errorf("of a new grant: %q", got)
	}
	at = now().Add(30 * 24 * time.Hour)
	if got := findings(h)[h.grant]; len(got) != 0 {
		t.Errorf("after a month to the second: %q", got)
	}
	at = at.Add(time.Second)
	q := h.questions()
	everyone(t, h.data, q, lakegate.WhoCanInput{Target: target})
	must(q.DiffGrant(h.data, &lakegate.DiffGrantInput{AccessGrantId: &h.grant}))
	must(h.grants.Preview(h.asPerson(h.user), owner, caller.From(h.asPerson(h.user)), target, grants.Read))
	use := func(action, key string) error {
		_, err := h.grants.Direct(h.asPerson(h.user), grants.Access{Action: action, Bucket: "lake", Owner: owner, Key: key})
		return err
	}
	if err := use("s3:GetObject", "blue/x"); err == nil {
		t.Fatal("another prefix is read")
	}
	if got := findings(h)[h.grant]; !slices.Equal(got, unused) {
		t.Errorf("after questions and a refusal: %q", got)
	}
	if err := use("s3:GetObject", "red/x"); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"before it is saved", "saved"} {
		if got := findings(h)[h.grant]; len(got) != 0 {
			t.Errorf("%s: of a grant in use: %q", when, got)
		}
		if err := h.grants.Registry.SaveUses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	at = at.Add(90 * 24 * time.Hour)
	if got := findings(h)[h.grant]; len(got) != 0 {
		t.Errorf("three months after a use: %q", got)
	}
	at = at.Add(time.Second)
	if got := findings(h)[h.grant]; !slices.Equal(got, unused) {
		t.Errorf("longer after it: %q", got)
	}
}
