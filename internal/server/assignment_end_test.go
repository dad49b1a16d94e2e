package server

import (
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/center"
)

// A session that came through an application ends with the person's assignment to it, by name or by a group, and not only
// when the tokens behind it run out.
func TestALostAssignmentEndsTheSessionsOfAnApplication(t *testing.T) {
	r, i, person := roomsWithMateo(t)
	profiles, err := r.accounts.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, who, err := r.accounts.Lookup(profiles[0].AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	ctx := caller.With(t.Context(), who)
	admin := &center.Service{Center: r.center, Accounts: r.accounts, Authorizer: &authz.Authorizer{Policies: r.accounts, Organizations: r.accounts}}
	app, err := admin.CreateApplication(ctx, &ssoadmin.CreateApplicationInput{ApplicationProviderArn: center.ProviderCustom, InstanceArn: i.ARN, Name: "App"})
	if err != nil {
		t.Fatal(err)
	}
	id := &caller.Identity{UserID: person.ID, IdentityStoreID: i.StoreID, IdentityStoreARN: i.StoreARN(), InstanceARN: i.ARN, ApplicationARN: *app.ApplicationArn}
	assigned := func(want bool) {
		t.Helper()
		err := r.PersonActive(t.Context(), id)
		if want && err != nil || !want && (err == nil || !strings.Contains(err.Error(), "not assigned")) {
			t.Errorf("assigned %v: %v", want, err)
		}
	}
	assigned(false)
	_, err = admin.CreateApplicationAssignment(ctx, &ssoadmin.CreateApplicationAssignmentInput{ApplicationArn: id.ApplicationARN, PrincipalId: id.UserID, PrincipalType: ssoadmin.PrincipalTypeUSER})
	if err != nil {
		t.Fatal(err)
	}
	assigned(true)
	_, err = admin.DeleteApplicationAssignment(ctx, &ssoadmin.DeleteApplicationAssignmentInput{ApplicationArn: id.ApplicationARN, PrincipalId: id.UserID, PrincipalType: ssoadmin.PrincipalTypeUSER})
	if err != nil {
		t.Fatal(err)
	}
	assigned(false)
	_, err = admin.PutApplicationAssignmentConfiguration(ctx, &ssoadmin.PutApplicationAssignmentConfigurationInput{ApplicationArn: id.ApplicationARN, AssignmentRequired: false})
	if err != nil {
		t.Fatal(err)
	}
	assigned(true)
}
