package ldap_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
)

func TestSourceFillsTheDirectory(t *testing.T) {
	run(t, func(t *testing.T, s *slapdtest.Server, h *house) {
		alice := s.Person("alice", "mail=alice@corp.example", "givenName=Alice", "departmentNumber=Research", "telephoneNumber=+1 555 0100")
		bob := s.Person("bob")
		s.Group("analysts", alice, bob)
		s.Group("leads", alice)
		r := h.wantSync(t, 6)
		if r.Report.People != 2 || r.Report.Groups != 2 {
			t.Errorf("read %d people and %d groups", r.Report.People, r.Report.Groups)
		}
		u := h.user(t, "alice")
		if !u.Enabled || u.Profile.PrimaryEmail() != "alice@corp.example" || u.Profile.Name.GivenName != "Alice" || u.Profile.Name.FamilyName != "Person" ||
			u.Profile.DisplayName != "alice Person" || u.Profile.Enterprise.Department != "Research" || u.Profile.PhoneNumbers[0].Value != "+1 555 0100" {
			t.Errorf("alice came as %+v", u)
		}
		if id := s.Get(alice, "entryUUID"); len(u.ExternalIDs) != 1 || u.ExternalIDs[0].ID != id || u.ExternalIDs[0].Issuer != "urn:lakegate:ldap:ldap" {
			t.Errorf("alice is marked as %v, want %s", u.ExternalIDs, id)
		}
		h.wantMembers(t, "analysts", "alice", "bob")
		h.wantMembers(t, "leads", "alice")
		h.wantSync(t, 0)

		// Somebody leaves one group and is locked: both at once, and the next decision knows.
		s.Set("cn=analysts,"+slapdtest.Groups, "member", bob)
		s.Set(alice, "pwdAccountLockedTime", "000001010000Z")
		h.clock.Add(1e9)
		r = h.syncWith(t, h.source, false, true)
		if r.State != ldap.Succeeded || r.Report.Changes[ldap.DisableUser] != 1 || r.Report.Changes[ldap.Leave] != 1 {
			t.Fatalf("the run ended %s (%s) with %v", r.State, r.Report.Message, r.Report.Changes)
		}
		if h.dir.PersonActive(&caller.Identity{IdentityStoreID: storeID, UserID: u.ID}) == nil {
			t.Error("a locked person can still act")
		}
		h.wantMembers(t, "analysts", "bob")
		h.wantSync(t, 0)
	})
}
