package ldap_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// TestActiveDirectory reads entries as Active Directory gives them, from a server that knows how: binary GUIDs, flags in
// userAccountControl, instants since 1601, and the resolution of groups in groups by the server.
func TestActiveDirectory(t *testing.T) {
	guid := func(n byte) string { return strings.Repeat(string([]byte{n}), 16) }
	x := defy(t, nil, func(q *question) bool {
		person := func(n byte, name, control, expires string, more ...string) {
			q.entry("CN="+name+",OU=People,"+slapdtest.Base, append([]string{
				"objectGUID:" + guid(n), "sAMAccountName:" + name, "userAccountControl:" + control, "accountExpires:" + expires}, more...)...)
		}
		switch {
		case q.isBind():
			return q.bound()
		case q.base() == slapdtest.Groups:
			return q.entry("CN=Staff,OU=Groups,"+slapdtest.Base, "objectGUID:"+guid('g'), "sAMAccountName:Staff") && q.page("")
		case strings.Contains(q.filter(), "1.2.840.113556.1.4.1941"):
			person('a', "alice", "512", "0")
			person('b', "bob", "514", "0")
			return q.page("")
		}
		person('a', "alice", "512", "0", "mail:alice@corp.example", "department:Research", "company:Corp")
		person('b', "bob", "514", "0")
		person('c', "carol", "66048", "9223372036854775807")
		person('d', "dave", "512", "134380872000000000") // an hour later
		person('e', "erin", "512", "139000000000000000")
		person('f', "frank", "512", "soon")
		q.entry("CN=grace,OU=People,"+slapdtest.Base, "objectGUID:"+guid('h'), "sAMAccountName:grace") // whose flags the bind name may not read
		q.entry("CN=heidi,OU=People,"+slapdtest.Base, "objectGUID:short", "sAMAccountName:heidi", "userAccountControl:512")
		q.entry("CN=ivan,OU=People,"+slapdtest.Base, "sAMAccountName:ivan", "userAccountControl:512")
		return q.page("")
	})
	cfg := x.config()
	cfg.Preset, cfg.Nested, cfg.Groups.Base = "active-directory", "chain", slapdtest.Groups
	h := open(t, storetest.URL(t, "sqlite"), cfg)
	r := h.sync(t)
	if r.State != ldap.Succeeded {
		t.Fatalf("the run ended %s (%s)", r.State, r.Report.Message)
	}
	for name, enabled := range map[string]bool{"alice": true, "bob": false, "carol": true, "dave": true, "erin": true, "frank": false, "grace": false} {
		if u := h.user(t, name); u.Enabled != enabled {
			t.Errorf("%s is enabled: %t", name, u.Enabled)
		}
	}
	if u := h.user(t, "alice"); u.ExternalIDs[0].ID != "61616161-6161-6161-6161-616161616161" || u.Profile.Enterprise.Department != "Research" || u.Profile.Enterprise.Organization != "Corp" {
		t.Errorf("alice came as %+v", u)
	}
	h.wantMembers(t, "Staff", "alice", "bob")
	if n := h.dir.Users(storeID); n != 7 || r.Report.ProblemCount != 4 {
		t.Errorf("%d users with the problems %v, want 7 and 4", n, r.Report.Problems)
	}
	// The account of dave ends while nothing changes in the source.
	h.clock.Add(int64(200 * 24 * 3600 * 1e9))
	h.sync(t)
	if h.user(t, "dave").Enabled {
		t.Error("an account that expired is enabled")
	}
}

// TestOneIDForTwo: who copies the id of somebody else becomes nobody, and so does the other until somebody looks.
func TestOneIDForTwo(t *testing.T) {
	var copied atomic.Bool
	x := defy(t, nil, func(q *question) bool {
		if q.isBind() {
			return q.bound()
		}
		for i := range 10 {
			q.person(fmt.Sprintf("p%d", i))
		}
		if copied.Load() {
			q.entry("uid=mallory,"+slapdtest.People, "entryUUID:id-p3", "uid:p3")
		}
		return q.page("")
	})
	h := open(t, storetest.URL(t, "sqlite"), x.config())
	h.wantSync(t, 10)
	copied.Store(true)
	wantProblem(t, h.sync(t), "uid=mallory", "has the id id-p3")
	if u := h.user(t, "p3"); u.Enabled {
		t.Error("the id of two is enabled")
	}
	if n := h.dir.Users(storeID); n != 10 {
		t.Errorf("there are %d users", n)
	}
}
