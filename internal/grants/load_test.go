package grants

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lakegate/lakegate/internal/scope"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// TestLoadedGrantsAreThoseThatWereWritten, with terms, variables and whatever a scope may hold.
func TestLoadedGrantsAreThoseThatWereWritten(t *testing.T) {
	storetest.Run(t, func(t *testing.T, db *store.DB) {
		at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
		var want []*Grant
		for i, g := range []Grant{
			{SubPrefix: "red/*"}, {SubPrefix: "red/a.csv", Object: true}, {SubPrefix: "ü/日本/*"}, {SubPrefix: "a|b, 'c'/*"},
			{SubPrefix: "home/${user.name}/*"}, {SubPrefix: "late/*", Terms: &Terms{NotAfter: at.Add(time.Hour), Owner: "arn:aws:identitystore:::user/ana", Reason: "until tomorrow"}, Tags: map[string]string{TagReason: "until tomorrow"}},
			{SubPrefix: "no/*", Terms: &Terms{Deny: true}}, {SubPrefix: "put/*", Terms: &Terms{Actions: []string{"s3:PutObject"}}}, {SubPrefix: "app/*", Application: "arn:aws:sso::222222222222:application/ssoins-0/apl-0"},
		} {
			g.Account, g.ID, g.LocationID = "111111111111", strings.Repeat("0", 7)+string(rune('0'+i))+"-0000-4000-8000-000000000000", "location"
			g.Grantee, g.Permission, g.Created, g.Text = Grantee{Type: DirectoryUser, ID: "user"}, ReadWrite, at, "s3://data/"+g.SubPrefix
			var err error
			if g.Scope, err = scope.ParseTemplate(g.Text, g.Object); err != nil {
				t.Fatal(err)
			}
			want = append(want, &g)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			for _, g := range want {
				if err := insertGrant(t.Context(), tx, g); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []*Grant
		err = db.View(t.Context(), func(q store.Querier) error {
			return loadGrants(context.Background(), q, func(g *Grant) { own := *g; got = append(got, &own) })
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b *Grant) int { return strings.Compare(a.ID, b.ID) })
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Grant{}, "Tags")); diff != "" {
			t.Errorf("(-written +loaded):\n%s", diff)
		}
	})
}
