package portal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/directory"
	"github.com/lakegate/lakegate/internal/portal"
)

// TestSessionsInABrowser: a role that a person took in a browser is what is assigned, names the person, acts for nobody, and
// is over with the assignment, the person and its time.
func TestSessionsInABrowser(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		reader, writer := h.set("Reader"), h.set("Writer")
		h.assign(reader, member, "USER", h.mateo)
		id := &caller.Identity{UserID: h.mateo, IdentityStoreID: h.Instance.StoreID, IdentityStoreARN: h.Instance.StoreARN(), InstanceARN: h.Instance.ARN}
		roles := h.portal.RolesOf(id)
		if len(roles) != 1 || roles[0].Account != member || roles[0].PermissionSetARN != reader {
			t.Fatalf("roles %+v", roles)
		}
		taken := h.Now()
		c, err := h.portal.SessionOf(t.Context(), id, member, reader, taken)
		if err != nil {
			t.Fatal(err)
		}
		if c.OnBehalf != nil || c.Named() == nil || c.Named().UserID != h.mateo || c.AccessKeyID != "" || c.PrincipalARN != roles[0].RoleARN || !c.Session.Expires.Equal(taken.Truncate(time.Second).Add(2*time.Hour)) {
			t.Errorf("%+v %+v", c, c.Session)
		}
		may := func() error {
			return h.auth.Authorize(caller.With(t.Context(), c), authz.Request{Action: "lakegate:WhoCan", Resource: "*"})
		}
		if err := may(); err != nil {
			t.Error(err)
		}
		for _, other := range []struct{ account, set string }{{member, writer}, {management, reader}, {member, ""}, {"", reader}, {other, reader}} {
			if _, err := h.portal.SessionOf(t.Context(), id, other.account, other.set, taken); !errors.Is(err, portal.ErrNotAssigned) {
				t.Errorf("%v: %v", other, err)
			}
		}
		if _, err := h.portal.SessionOf(t.Context(), id, member, reader, taken.Add(-2*time.Hour)); !errors.Is(err, portal.ErrSessionOver) {
			t.Errorf("after its time: %v", err)
		}
		active := func(enabled bool) {
			t.Helper()
			must(h.Directory.ChangeUser(t.Context(), "test", h.Instance.StoreID, h.mateo, func(u *directory.User) error { u.Enabled = enabled; return nil }))
		}
		active(false)
		if _, err := h.portal.SessionOf(t.Context(), id, member, reader, taken); !errors.Is(err, portal.ErrNotAssigned) || may() == nil {
			t.Errorf("disabled: %v", err)
		}
		active(true)
		h.unassign(reader, member, "USER", h.mateo)
		if _, err := h.portal.SessionOf(t.Context(), id, member, reader, taken); !errors.Is(err, portal.ErrNotAssigned) || may() == nil || len(h.portal.RolesOf(id)) != 0 {
			t.Errorf("unassigned: %v", err)
		}
	})
}
