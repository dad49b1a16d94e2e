package ldap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// one runs a test against a fresh LDAP server and directory; set may change the configuration.
func one(t *testing.T, set func(c *ldap.Config)) (*slapdtest.Server, *house) {
	t.Helper()
	s := slapdtest.Start(t)
	cfg := onOpenLDAP(s)
	if set != nil {
		set(cfg)
	}
	return s, open(t, storetest.URL(t, "sqlite"), cfg)
}

// wantProblem fails the test unless a run has exactly one problem, about an entry and with some words.
func wantProblem(t *testing.T, r ldap.Run, entry, words string) {
	t.Helper()
	if r.Report.ProblemCount != 1 || !strings.HasPrefix(r.Report.Problems[0].Entry, entry) || !strings.Contains(r.Report.Problems[0].Message, words) {
		t.Errorf("the problems are %v, want one of %s about %q", r.Report.Problems, entry, words)
	}
}

func TestRenameKeepsThePerson(t *testing.T) {
	run(t, func(t *testing.T, s *slapdtest.Server, h *house) {
		alice, bob := s.Person("alice", "mail=alice@corp.example"), s.Person("bob", "mail=bob@corp.example")
		readers := s.Group("readers", alice, bob)
		h.wantSync(t, 4)
		a, b, g := h.user(t, "alice"), h.user(t, "bob"), must(h.dir.FindGroup(t.Context(), storeID, "readers"))
		// Both names change hands, and both addresses, in one run; the group follows its members.
		x := s.Rename(alice, "uid=moving")
		bobNow := s.Rename(bob, "uid=alice")
		aliceNow := s.Rename(x, "uid=bob")
		s.Set(aliceNow, "mail", "bob@corp.example")
		s.Set(bobNow, "mail", "alice@corp.example")
		s.Set(readers, "member", bobNow, aliceNow)
		s.Rename(readers, "cn=Readers of the lake")
		h.wantSync(t, 3)
		if got := h.user(t, "bob"); got.ID != a.ID || got.Profile.PrimaryEmail() != "bob@corp.example" {
			t.Errorf("the entry that became bob is %s <%s>, was %s", got.ID, got.Profile.PrimaryEmail(), a.ID)
		}
		if got := h.user(t, "alice"); got.ID != b.ID || got.Profile.PrimaryEmail() != "alice@corp.example" {
			t.Errorf("the entry that became alice is %s <%s>, was %s", got.ID, got.Profile.PrimaryEmail(), b.ID)
		}
		if got := must(h.dir.FindGroup(t.Context(), storeID, "Readers of the lake")); got.ID != g.ID {
			t.Errorf("the renamed group is %s, was %s", got.ID, g.ID)
		}
		h.wantMembers(t, "Readers of the lake", "alice", "bob")
		h.wantSync(t, 0)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSameNameIsAnotherPerson: who comes under the name of somebody who left does not get their grants.
func TestSameNameIsAnotherPerson(t *testing.T) {
	t.Run("disable", func(t *testing.T) {
		s, h := one(t, nil)
		alice := s.Person("alice")
		s.Person("bob")
		h.wantSync(t, 2)
		old := h.user(t, "alice")
		s.Delete(alice)
		s.Person("alice")
		wantProblem(t, h.sync(t), "uid=alice", "not free")
		if u := h.user(t, "alice"); u.ID != old.ID || u.Enabled {
			t.Errorf("alice is %+v, want %s, disabled", u, old.ID)
		}
		// Once an administrator deletes the old one, the new one comes.
		if err := h.dir.DeleteUser(t.Context(), storeID, old.ID); err != nil {
			t.Fatal(err)
		}
		h.wantSync(t, 1)
		if u := h.user(t, "alice"); u.ID == old.ID || !u.Enabled {
			t.Errorf("the new alice is %+v", u)
		}
	})
	t.Run("delete", func(t *testing.T) {
		s, h := one(t, func(c *ldap.Config) { c.Vanished = "delete" })
		alice := s.Person("alice")
		s.Person("bob")
		h.wantSync(t, 2)
		old := h.user(t, "alice")
		s.Delete(alice)
		s.Person("alice")
		h.wantSync(t, 2)
		if u := h.user(t, "alice"); u.ID == old.ID {
			t.Error("the new alice has the id of the old one, and with it her grants")
		}
	})
}

func TestWhoComesBackIsTheSame(t *testing.T) {
	s, h := one(t, nil)
	alice := s.Person("alice")
	s.Person("bob")
	h.wantSync(t, 2)
	old := h.user(t, "alice")
	s.Set(alice, "pwdAccountLockedTime", "000001010000Z")
	h.wantSync(t, 1)
	if h.user(t, "alice").Enabled {
		t.Error("a locked person is enabled")
	}
	s.Set(alice, "pwdAccountLockedTime", "20261101000000Z")
	h.wantSync(t, 1)
	if u := h.user(t, "alice"); !u.Enabled || u.ID != old.ID {
		t.Errorf("alice came back as %+v", u)
	}
}

// TestOthersKeepTheirNames: what SCIM or the API made is not touched, whatever the source wants to be called.
func TestOthersKeepTheirNames(t *testing.T) {
	s, h := one(t, nil)
	ceo, err := h.dir.CreateUser(t.Context(), "scim/1", directory.User{
		StoreID: storeID, UserName: "ceo", Enabled: true, Profile: directory.Profile{Emails: []directory.Item{{Value: "boss@corp.example"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	board, err := h.dir.CreateGroup(t.Context(), "scim/1", directory.Group{StoreID: storeID, DisplayName: "Board"}, ceo.ID)
	if err != nil {
		t.Fatal(err)
	}
	mallory := s.Person("CEO")
	eve := s.Person("eve", "mail=Boss@Corp.example")
	s.Group("board", mallory, eve)
	s.Group("others", mallory, eve)
	r := h.sync(t)
	if r.State != ldap.Succeeded || r.Report.ProblemCount != 3 {
		t.Errorf("the run ended %s with the problems %v, want 3", r.State, r.Report.Problems)
	}
	if u := h.user(t, "ceo"); u.ID != ceo.ID || len(u.ExternalIDs) != 0 || u.Stamps.Version != 1 {
		t.Errorf("the user of SCIM was touched: %+v", u)
	}
	if u := h.user(t, "eve"); u.Profile.PrimaryEmail() != "" {
		t.Error("eve has the address of somebody else")
	}
	if g := must(h.dir.FindGroup(t.Context(), storeID, "board")); g.ID != board.ID || g.Stamps.Version != 1 {
		t.Errorf("the group of SCIM was touched: %+v", g)
	}
	h.wantMembers(t, "Board", "ceo")
	h.wantMembers(t, "others", "eve")
	// An administrator adds somebody of SCIM to a group of the source, who stays there.
	others := must(h.dir.FindGroup(t.Context(), storeID, "others"))
	if _, err := h.dir.Join(t.Context(), "admin", storeID, others.ID, ceo.ID); err != nil {
		t.Fatal(err)
	}
	h.sync(t)
	h.wantMembers(t, "others", "ceo", "eve")
}

// TestNamesOfTwo: nobody becomes somebody because the server listed them first.
func TestNamesOfTwo(t *testing.T) {
	s, h := one(t, nil)
	branch := "ou=guests," + slapdtest.People
	s.Person("alice")
	h.wantSync(t, 1)
	old := h.user(t, "alice")
	s.Add(branch, "objectClass=organizationalUnit", "ou=guests")
	guest := func(uid string) {
		s.Add("uid="+uid+","+branch, "objectClass=inetOrgPerson", "uid="+uid, "cn="+uid, "sn=Guest")
	}
	guest("ALICE")
	wantProblem(t, h.sync(t), "uid=ALICE", "an entry of the source has it")
	if u := h.user(t, "alice"); u.ID != old.ID || u.UserName != "alice" {
		t.Errorf("alice is %+v", u)
	}
	guest("bob")
	s.Person("Bob")
	if r := h.sync(t); r.Report.ProblemCount != 3 {
		t.Errorf("the problems are %v, want those of ALICE and of both bobs", r.Report.Problems)
	}
	if n := h.dir.Users(storeID); n != 1 {
		t.Errorf("there are %d users, want alice alone", n)
	}
}

func TestSafetyLimit(t *testing.T) {
	s, h := one(t, nil)
	var people []string
	for i := range 20 {
		people = append(people, s.Person(fmt.Sprintf("p%02d", i)))
	}
	all := s.Group("all", people...)
	h.wantSync(t, 22)
	// A bind name that may read nothing, a wrong filter, an empty branch: nobody is there any more.
	nobody := onOpenLDAP(s)
	nobody.Users.Filter = "(uid=nobody)"
	source := h.with(t, nobody)
	before := h.db.Revision()
	r := h.syncWith(t, source, false, false)
	if r.State != ldap.Refused || !strings.Contains(r.Report.Message, "20 of 20 people") || h.db.Revision() != before {
		t.Fatalf("an empty answer ended %s (%s)", r.State, r.Report.Message)
	}
	if len(r.Report.Planned) == 0 {
		t.Error("a refused run does not show what it would have done")
	}
	if r := h.syncWith(t, source, true, true); r.State != ldap.Succeeded || r.Report.Changes[ldap.DisableUser] != 20 || h.db.Revision() != before {
		t.Errorf("a dry run ended %s with %v, and changed the directory: %t", r.State, r.Report.Changes, h.db.Revision() != before)
	}
	// Groups whose members cannot be read any more.
	blind := onOpenLDAP(s)
	blind.Groups.Attributes = map[string]string{"member": "seeAlso"}
	if r := h.syncWith(t, h.with(t, blind), false, false); r.State != ldap.Refused || !strings.Contains(r.Report.Message, "20 of 20 memberships") {
		t.Errorf("groups without members ended %s (%s)", r.State, r.Report.Message)
	}
	// Six of twenty are more than ten per cent; five always pass.
	for _, p := range people[:6] {
		s.Delete(p)
	}
	s.Set(all, "member", people[6:]...)
	if r := h.sync(t); r.State != ldap.Refused || !strings.Contains(r.Report.Message, "6 of 20 people") {
		t.Errorf("six of twenty ended %s (%s)", r.State, r.Report.Message)
	}
	if r := h.syncWith(t, h.source, false, true); r.State != ldap.Succeeded || r.Report.Changes[ldap.DisableUser] != 6 {
		t.Errorf("a forced run ended %s (%s) with %v", r.State, r.Report.Message, r.Report.Changes)
	}
	h.wantSync(t, 0)
}

// TestGroupsInGroups goes through groups in groups and round in circles.
func TestGroupsInGroups(t *testing.T) {
	for nested, want := range map[string][]string{"objects": {"alice", "bob", "carol"}, "none": {"alice"}} {
		t.Run(nested, func(t *testing.T) {
			s, h := one(t, func(c *ldap.Config) { c.Nested = nested })
			alice, bob, carol := s.Person("alice"), s.Person("bob"), s.Person("carol")
			name := func(cn string) string { return "cn=" + cn + "," + slapdtest.Groups }
			s.Group("top", alice, name("middle"))
			s.Group("middle", bob, name("bottom"))
			// Names as servers and administrators write them.
			s.Group("bottom", strings.ToUpper(carol), "CN = top , OU=Groups, "+slapdtest.Base, "uid=gone,"+slapdtest.People)
			if r := h.sync(t); r.State != ldap.Succeeded || r.Report.ProblemCount != 0 {
				t.Fatalf("the run ended %s (%s) with %v", r.State, r.Report.Message, r.Report.Problems)
			}
			h.wantMembers(t, "top", want...)
			h.wantSync(t, 0)
		})
	}
}

// TestNamesThatNeedEscapes: commas, quotes and the like in names of entries.
func TestNamesThatNeedEscapes(t *testing.T) {
	s, h := one(t, nil)
	odd := s.Person(`o,d+d"<x>;=\#`)
	s.Group(`R&D, "east" #1`, odd)
	h.wantSync(t, 3)
	h.wantMembers(t, `R&D, "east" #1`, `o,d+d"<x>;=\#`)
}

// TestHostileValues: what the directory would refuse stays out of it, and the rest of the person comes.
func TestHostileValues(t *testing.T) {
	s, h := one(t, nil)
	s.Person("alice", "title="+strings.Repeat("x", 2000), "employeeNumber=1\u202e2", "givenName=\a\x1b[31mAlice", "departmentNumber=Research")
	r := h.sync(t)
	if r.State != ldap.Succeeded || r.Report.ProblemCount != 3 {
		t.Errorf("the run ended %s with the problems %v", r.State, r.Report.Problems)
	}
	for _, p := range r.Report.Problems {
		if strings.ContainsAny(p.Entry+p.Message, "\x1b\a\u202e") {
			t.Errorf("%q could do something to a terminal", p)
		}
	}
	u := h.user(t, "alice")
	if p := u.Profile; p.Title != "" || p.Enterprise.EmployeeNumber != "" || p.Name.GivenName != "" || p.Enterprise.Department != "Research" {
		t.Errorf("alice came as %+v", p)
	}
	// A name that nobody can have: a new entry stays out, one that is there keeps its name and is disabled all the same.
	s.Person("with space")
	wantNone := h.sync(t)
	if n := h.dir.Users(storeID); n != 1 || wantNone.Report.ProblemCount != 4 {
		t.Errorf("%d users with the problems %v", n, wantNone.Report.Problems)
	}
	x := s.Rename("uid=alice,"+slapdtest.People, "uid=al ice")
	s.Set(x, "pwdAccountLockedTime", "000001010000Z")
	h.syncWith(t, h.source, false, true)
	if u := h.user(t, "alice"); u.Enabled {
		t.Error("a name that cannot be used kept somebody enabled")
	}
}

// TestQuotaLeavesTheRestToTheNextRun: what the directory refuses is reported, and comes when there is room.
func TestQuotaLeavesTheRestToTheNextRun(t *testing.T) {
	s, h := one(t, nil)
	h.dir.Quotas = directory.Quotas{Users: 2}
	var people []string
	for i := range 4 {
		people = append(people, s.Person(fmt.Sprintf("p%d", i)))
	}
	s.Group("all", people...)
	r := h.sync(t)
	if r.State != ldap.Succeeded || r.Report.ProblemCount != 2 || len(h.members(t, "all")) != 2 {
		t.Errorf("the run ended %s with %v and the members %v", r.State, r.Report.Problems, h.members(t, "all"))
	}
	h.dir.Quotas = directory.Quotas{}
	h.wantSync(t, 3)
	h.wantMembers(t, "all", "p0", "p1", "p2", "p3")
}

// TestEveryChangeIsRecorded: the trail tells of each change, by whom, and in which run.
func TestEveryChangeIsRecorded(t *testing.T) {
	s, h := one(t, nil)
	s.Group("readers", s.Person("alice"))
	r := h.wantSync(t, 3)
	for _, name := range []string{"CreateUser", "CreateGroup", "UpdateGroup", "EndDirectorySync"} {
		all := h.records(t, name)
		if len(all) != 1 {
			t.Errorf("%d records of %s", len(all), name)
			continue
		}
		identity, _ := all[0]["userIdentity"].(map[string]any)
		extra, _ := all[0]["additionalEventData"].(map[string]any)
		if identity["principalId"] != "ldap/ldap" || identity["accountId"] != account || extra["directorySyncId"] != r.ID || extra["startedBy"] != "arn:aws:iam::222222222222:root" {
			t.Errorf("%s is recorded as %v with %v", name, identity, extra)
		}
	}
	if u := h.user(t, "alice"); u.Stamps.CreatedBy != "ldap/ldap" {
		t.Errorf("alice was made by %s", u.Stamps.CreatedBy)
	}
}

func TestOneRunAtATime(t *testing.T) {
	release := make(chan bool)
	x := defy(t, nil, func(q *question) bool {
		<-release
		return q.isBind() && q.bound() || q.person("alice") && q.page("")
	})
	h := open(t, storetest.URL(t, "sqlite"), x.config())
	id := must(h.source.Start(t.Context(), "", false, false))
	if _, err := h.source.Start(t.Context(), "", false, false); err != ldap.ErrBusy { //nolint:errorlint // the very value
		t.Errorf("a second run began beside the first: %v", err)
	}
	close(release)
	if r := h.ended(t, h.source, id); r.State != ldap.Succeeded {
		t.Errorf("the run ended %s (%s)", r.State, r.Report.Message)
	}
}

// TestStopEndsARun: a stop does not wait for a server that hangs, and the run is not left behind as running.
func TestStopEndsARun(t *testing.T) {
	asked := make(chan bool, 1)
	x := defy(t, nil, func(*question) bool { asked <- true; return true })
	cfg := x.config()
	cfg.TimeoutSeconds = 600
	h := open(t, storetest.URL(t, "sqlite"), cfg)
	id := must(h.source.Start(t.Context(), "", false, false))
	<-asked
	if err := h.source.Close(); err != nil {
		t.Fatal(err)
	}
	if r := must(h.source.Run(t.Context(), id)); r.State != ldap.Failed || !strings.Contains(r.Report.Message, "the server stopped") {
		t.Errorf("the run ended %s (%s)", r.State, r.Report.Message)
	}
	if _, err := h.source.Start(t.Context(), "", false, false); err == nil {
		t.Error("a source that is closed began a run")
	}
}

// TestRunsOfADeadServer: what a server that was killed left behind is not running any more.
func TestRunsOfADeadServer(t *testing.T) {
	asked := make(chan bool, 1)
	x := defy(t, nil, func(*question) bool { asked <- true; return true })
	cfg := x.config()
	cfg.TimeoutSeconds = 600
	h := open(t, storetest.URL(t, "sqlite"), cfg)
	id := must(h.source.Start(t.Context(), "", false, false))
	<-asked
	next := h.with(t, x.config())
	if r := must(next.Run(t.Context(), id)); r.State != ldap.Failed {
		t.Errorf("the run of the dead server is %s", r.State)
	}
}

func TestLastSuccessSurvivesARestart(t *testing.T) {
	s, h := one(t, nil)
	s.Person("alice")
	if !h.source.Succeeded().IsZero() {
		t.Error("a source that never ran has succeeded")
	}
	r := h.wantSync(t, 1)
	bad := onOpenLDAP(s)
	bad.Users.Base = "ou=nowhere," + slapdtest.Base
	next := h.with(t, bad)
	h.syncWith(t, next, false, false)
	if got := next.Succeeded(); got.Unix() != r.Ended.Unix() || next.Failures() != 1 {
		t.Errorf("the last success is %s with %d failures, want %s with 1", got, next.Failures(), r.Ended)
	}
	runs := must(next.Runs(t.Context(), 10))
	states := []ldap.State{}
	for _, r := range runs {
		states = append(states, r.State)
	}
	if !slices.Equal(states, []ldap.State{ldap.Failed, ldap.Succeeded}) {
		t.Errorf("the runs are %v, the newest first", states)
	}
}
